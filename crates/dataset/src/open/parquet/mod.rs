//! Hugging Face's form of a data set, parquet files with the images' bytes in a column, read in place.
//!
//! `shards` finds the files, `schema` the columns that matter in them, `read` gets values and images; `bounds` and
//! `deltas` hold what a file declares against its length, by `thrift`. Names and labels are read when the files are opened; images when they are
//! wanted.

mod bounds;
mod deltas;
mod read;
mod reason;
mod schema;
mod shards;
mod thrift;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::scan::{self, Arrangement, Found};
use super::{DatasetError, LabelledImage};
use crate::guard::guarded_or;
use crate::labels::CLASSES;
use crate::names;

pub(super) use read::{ParquetFiles, ReadError};
pub(super) use shards::{InFolder, in_folder};

use read::{ParquetFile, Place, integers, texts};
use reason::Reason;
use schema::{Columns, class_names};

/// What was found, before labels are settled.
pub(super) struct Opened {
    pub(super) shards: ParquetFiles,
    pub(super) found: Found,
    /// Labels by the column of that name, where there is one.
    pub(super) labelled: Option<(String, Vec<LabelledImage>)>,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

/// Reads names of `paths`, which lie below `root`, and labels if they are wanted.
pub(super) fn open(root: &Path, paths: &[PathBuf], with_labels: bool) -> Result<Opened, DatasetError> {
    let mut shards = Vec::new();
    let mut rows = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let read = || read_table(index, path, with_labels);
        let (shard, table) = guarded_or(read, |words| Reason::damaged(&words)).map_err(
            |Reason { words: reason, remedy }| DatasetError::Parquet { path: path.clone(), reason, remedy },
        )?;
        shards.push(shard);
        rows.extend(table);
    }
    if rows.is_empty() {
        return Err(DatasetError::ParquetWithoutRows { path: root.to_owned() });
    }
    name_rows(paths, &mut rows);
    let label_column = rows.iter().find_map(|row| row.label.as_ref()).map(|label| label.column.clone());
    let labelled = label_column.map(|column| Ok((column, labels_of(root, &rows)?))).transpose()?;

    let mut names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    names.sort_unstable();
    scan::check_names(root, &names)?;
    let rows = rows.into_iter().map(|row| (row.name, row.place)).collect();
    Ok(Opened {
        found: Found::new(root.to_owned(), names, Arrangement::Flat),
        shards: ParquetFiles::new(shards, rows),
        labelled,
        warnings: shards::missing(paths).into_iter().collect(),
    })
}

struct Row {
    place: Place,
    /// What the file says, then what it goes by.
    name: String,
    label: Option<Label>,
}

struct Label {
    column: String,
    value: i64,
    /// Names of the classes, where the file has them and they are WNIDs: the label is an index into them.
    wnids: Option<Arc<Vec<Option<u16>>>>,
}

fn read_table(index: usize, path: &Path, with_labels: bool) -> Result<(ParquetFile, Vec<Row>), Reason> {
    let (file, metadata) = read::open(path)?;
    let mut columns = Columns::find(&metadata)?;
    columns.label = columns.label.filter(|_| with_labels);
    let classes = class_names(&metadata, columns.label.as_ref().map(|(_, name)| name.as_str()))?;
    let mut rows = Vec::new();
    for group in 0..metadata.num_row_groups() {
        let count = read::rows(&metadata, group);
        let names = match columns.names {
            Some(column) => texts(&file, &metadata, group, column)?,
            None => vec![None; count],
        };
        let label_values = match &columns.label {
            Some((column, _)) => integers(&file, &metadata, group, *column)?,
            None => vec![None; count],
        };
        for (row, (name, value)) in names.into_iter().zip(label_values).enumerate() {
            let label = columns.label.as_ref().map(|(_, column)| Label {
                column: column.clone(),
                // An image without a label has -1, as in Hugging Face's test splits.
                value: value.unwrap_or(-1),
                wnids: classes.clone(),
            });
            let place = Place { shard: index, group, row };
            rows.push(Row { place, name: name.unwrap_or_default(), label });
        }
    }
    Ok((ParquetFile::new(file, metadata, columns.images), rows))
}

/// Names as the files have them, less their folders, if they are there and tell the images apart; else the
/// shard and the row.
fn name_rows(paths: &[PathBuf], rows: &mut [Row]) {
    let base = |name: &str| names::file_name(&name.replace('\\', "/")).to_owned();
    let mut seen = HashSet::new();
    let usable = rows.iter().all(|row| {
        let name = base(&row.name);
        !name.is_empty() && seen.insert(name)
    });
    let mut first_row = HashMap::new();
    for row in rows {
        if usable {
            row.name = base(&row.name);
            continue;
        }
        let stem = paths[row.place.shard].file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let number = first_row.entry(row.place.shard).or_insert(0_usize);
        row.name = format!("{}/{number:08}", stem.unwrap_or_default());
        *number += 1;
    }
}

fn labels_of(root: &Path, rows: &[Row]) -> Result<Vec<LabelledImage>, DatasetError> {
    let mut outside = Vec::new();
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let label = row.label.as_ref().and_then(|label| {
            let value = usize::try_from(label.value).ok()?;
            match &label.wnids {
                Some(wnids) => wnids.get(value).copied().flatten(),
                None => u16::try_from(value).ok().filter(|value| usize::from(*value) < CLASSES),
            }
        });
        match label {
            Some(label) => items.push(LabelledImage { name: row.name.clone(), label }),
            None => outside.push(row),
        }
    }
    let Some(first) = outside.first() else {
        items.sort_unstable();
        return Ok(items);
    };
    Err(DatasetError::ParquetLabels {
        path: root.to_owned(),
        count: outside.len(),
        total: rows.len(),
        name: first.name.clone(),
        label: first.label.as_ref().map_or(-1, |label| label.value),
    })
}
