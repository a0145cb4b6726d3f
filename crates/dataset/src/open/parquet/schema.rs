//! Which columns of a parquet file hold images, names and labels, and what the labels are indices of.
//!
//! Schemas that are understood: Hugging Face's `Image` feature (a group with `bytes` and `path`), or a column of
//! bytes under one of the usual names.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Type};
use parquet::file::metadata::ParquetMetaData;
use serde_json::Value;

use super::read;
use super::reason::Reason;
use crate::guard::guarded;
use crate::labels::{self, CLASSES};
use crate::open::Remedy;

/// Names of a column of image files, where it is not a group with `bytes`.
const IMAGE_COLUMNS: [&str; 7] = ["image", "img", "jpg", "jpeg", "png", "bytes", "image_bytes"];
/// Names of a column of labels.
const LABEL_COLUMNS: [&str; 6] = ["label", "labels", "cls", "class", "fine_label", "target"];

/// Whether the parquet file at `path` can be read and has no column of images.
pub(super) fn is_without_images(path: &Path) -> bool {
    let is_without = || read::open(path).is_ok_and(|(_, metadata)| image_columns(&metadata).is_none());
    guarded(is_without).unwrap_or(false)
}

/// Indices of the columns that matter.
pub(super) struct Columns {
    pub(super) images: usize,
    pub(super) names: Option<usize>,
    pub(super) label: Option<(usize, String)>,
}

/// The leaf columns of a file by their paths.
struct Leaves<'a> {
    metadata: &'a ParquetMetaData,
    paths: Vec<String>,
}

impl<'a> Leaves<'a> {
    fn of(metadata: &'a ParquetMetaData) -> Self {
        let columns = metadata.file_metadata().schema_descr().columns();
        Self { metadata, paths: columns.iter().map(|column| column.path().string()).collect() }
    }

    fn is(&self, index: usize, kind: Type) -> bool {
        self.metadata.file_metadata().schema_descr().column(index).physical_type() == kind
    }

    /// Whether it has one value a row, not a list of them.
    fn is_flat(&self, index: usize) -> bool {
        self.metadata.file_metadata().schema_descr().column(index).max_rep_level() == 0
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.paths.iter().position(|path| path == name).filter(|&index| self.is_flat(index))
    }

    fn find_bytes(&self, name: &str) -> Option<usize> {
        self.find(name).filter(|&index| self.is(index, Type::BYTE_ARRAY))
    }
}

/// The column with image files, and that with their names, if there is one.
fn image_columns(metadata: &ParquetMetaData) -> Option<(usize, Option<usize>)> {
    let leaves = Leaves::of(metadata);
    // Hugging Face's Image feature: a group with these two.
    let feature = leaves.paths.iter().find_map(|path| {
        let (group, "bytes") = path.rsplit_once('.')? else { return None };
        Some((leaves.find_bytes(path)?, leaves.find_bytes(&format!("{group}.path"))))
    });
    let plain = || {
        let images = IMAGE_COLUMNS.iter().find_map(|name| leaves.find_bytes(name))?;
        let names = ["path", "file_name", "filename", "image_id", "__key__"];
        Some((images, names.iter().find_map(|name| leaves.find_bytes(name))))
    };
    feature.or_else(plain)
}

impl Columns {
    pub(super) fn find(metadata: &ParquetMetaData) -> Result<Self, Reason> {
        let leaves = Leaves::of(metadata);
        let (images, names) = image_columns(metadata).ok_or_else(|| {
            Reason::new(format!(
                "no column holds image files (a group with bytes and path, or bytes named {}); its columns are {}",
                IMAGE_COLUMNS.join(", "),
                leaves.paths.join(", ")
            ))
        })?;
        let label = LABEL_COLUMNS.iter().find_map(|name| Some((leaves.find(name)?, (*name).to_owned())));
        let label =
            label.filter(|(index, _)| leaves.is(*index, Type::INT64) || leaves.is(*index, Type::INT32));
        check_compression(metadata, &[Some(images), names, label.as_ref().map(|(index, _)| *index)])?;
        Ok(Self { images, names, label })
    }
}

/// Refuses at once what would make an error of every image.
fn check_compression(metadata: &ParquetMetaData, columns: &[Option<usize>]) -> Result<(), Reason> {
    use Compression::{GZIP, LZ4, LZ4_RAW, SNAPPY, UNCOMPRESSED};
    let used = metadata
        .row_groups()
        .iter()
        .flat_map(|group| columns.iter().flatten().map(|&column| group.column(column).compression()));
    match used.into_iter().find(|by| !matches!(by, UNCOMPRESSED | SNAPPY | GZIP(_) | LZ4 | LZ4_RAW)) {
        None => Ok(()),
        Some(by) => Err(Reason::new(format!(
            "it is compressed by {}, which is not read; write it again with Snappy, gzip, LZ4 or without compression \
             (images do not compress)",
            format!("{by:?}").split('(').next().unwrap_or_default()
        ))),
    }
}

/// The classes that labels are indices of, by what Hugging Face's `datasets` wrote into the file. WNIDs are
/// translated; other names are not looked at, but there must be a thousand of them.
pub(super) fn class_names(
    metadata: &ParquetMetaData,
    label: Option<&str>,
) -> Result<Option<Arc<Vec<Option<u16>>>>, Reason> {
    let pairs = metadata.file_metadata().key_value_metadata();
    let written = pairs.into_iter().flatten().find(|pair| pair.key == "huggingface");
    let info = written.and_then(|pair| pair.value.as_deref());
    let info: Option<Value> = info.and_then(|text| serde_json::from_str(text).ok());
    let names = info.as_ref().zip(label).and_then(|(info, label)| {
        let names = info.get("info")?.get("features")?.get(label)?.get("names")?.as_array()?;
        names.iter().map(Value::as_str).collect::<Option<Vec<&str>>>()
    });
    let Some(names) = names else { return Ok(None) };
    let wnids: Vec<Option<u16>> = names.iter().map(|name| labels::wnid_to_index(name)).collect();
    if wnids.iter().any(Option::is_some) {
        return Ok(Some(Arc::new(wnids)));
    }
    if names.len() == CLASSES {
        return Ok(None);
    }
    let words = format!(
        "its labels are indices of {} classes of its own ({}, ...), not of ILSVRC2012's {CLASSES}; give labels with a list",
        names.len(),
        names.first().copied().unwrap_or_default()
    );
    Err(Reason { words, remedy: Some(Remedy::Labels) })
}
