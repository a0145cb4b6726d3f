//! Hugging Face's form of a data set, parquet files with the images' bytes in a column, read in place.
//!
//! Schemas that are understood: Hugging Face's `Image` feature (a group with `bytes` and `path`), or a column of
//! bytes under one of the usual names. Names and labels are read when the files are opened; images when they are
//! wanted, a few dozen neighbours at once: a page, which has to be read whole, holds a hundred images in the
//! hub's files and a thousand in pyarrow's.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::{Compression, Type};
use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::metadata::page_index::RowGroupPageIndex;
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader};
use parquet::file::serialized_reader::{SerializedFileReader, SerializedRowGroupReader};
use serde_json::Value;

use super::error::examples;
use super::scan::{self, Arrangement, Found};
use super::{DatasetError, Item};
use crate::labels::{self, CLASSES};

/// Where shards lie below the folder that is given; `data` is Hugging Face's.
const USUAL_PLACES: [&str; 4] = ["", "data", "val", "validation"];
/// Names of a column of image files, where it is not a group with `bytes`.
const IMAGE_COLUMNS: [&str; 7] = ["image", "img", "jpg", "jpeg", "png", "bytes", "image_bytes"];
/// Names of a column of labels.
const LABEL_COLUMNS: [&str; 6] = ["label", "labels", "cls", "class", "fine_label", "target"];

/// The images of a data set's parquet files.
#[derive(Debug)]
pub(super) struct Shards {
    shards: Vec<Shard>,
    rows: HashMap<String, Place>,
    /// What was read last, the oldest first.
    windows: Mutex<VecDeque<Window>>,
}

/// Rows of a row group that are read at once.
const WINDOW: usize = 32;
/// Windows that are kept: threads that read in the order of the files are in two at most.
const WINDOWS_KEPT: usize = 2;

/// Images that lie one after another.
#[derive(Debug)]
struct Window {
    start: Place,
    images: Vec<Option<Bytes>>,
}

/// Where an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    shard: usize,
    group: usize,
    row: usize,
}

#[derive(Debug)]
struct Shard {
    file: Arc<Reopened>,
    len: u64,
    metadata: Arc<ParquetMetaData>,
    /// Index of the column with image files.
    images: usize,
}

/// What was found, before labels are settled.
pub(super) struct Opened {
    pub(super) shards: Shards,
    pub(super) found: Found,
    /// Labels by the column of that name, where there is one.
    pub(super) labelled: Option<(String, Vec<Item>)>,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

/// The parquet files of the data set in `folder`, sorted; none where it has none. Of several splits, that
/// which is for validation.
pub(super) fn shards_in(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    for place in USUAL_PLACES {
        let folder = folder.join(place);
        // What cannot be listed is reported by the search for images.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let mut splits: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| is_parquet_name(path)) {
            splits.entry(split(&path).to_owned()).or_default().push(path);
        }
        if splits.is_empty() {
            continue;
        }
        let mut shards = match splits.len() {
            1 => splits.into_values().next().unwrap_or_default(),
            _ => {
                let names = examples(splits.keys().map(String::as_str));
                let validation = splits.into_iter().find(|(name, _)| name.starts_with("val"));
                validation
                    .ok_or_else(|| DatasetError::ParquetSplits { path: folder.clone(), splits: names })?
                    .1
            }
        };
        shards.sort_unstable();
        return Ok(shards);
    }
    Ok(Vec::new())
}

pub(super) fn is_parquet_name(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// `validation` of `validation-00003-of-00014.parquet`.
fn split(path: &Path) -> &str {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.split_once('-').map_or(stem, |(split, _)| split)
}

/// Which shard of how many, by the name.
fn numbered(path: &Path) -> Option<(usize, usize)> {
    let mut parts = path.file_stem()?.to_str()?.split('-').skip_while(|part| part.parse::<usize>().is_err());
    let index = parts.next()?.parse().ok()?;
    let ("of", count) = (parts.next()?, parts.next()?.parse().ok()?) else { return None };
    Some((index, count))
}

/// Reads names of `paths`, which lie below `root`, and labels if they are wanted.
pub(super) fn open(root: &Path, paths: &[PathBuf], with_labels: bool) -> Result<Opened, DatasetError> {
    let mut shards = Vec::new();
    let mut rows = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let (shard, table) = read_table(index, path, with_labels)
            .map_err(|error| DatasetError::Parquet { path: path.clone(), reason: error.0 })?;
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
        shards: Shards { shards, rows, windows: Mutex::default() },
        labelled,
        warnings: missing_shards(paths).into_iter().collect(),
    })
}

fn missing_shards(paths: &[PathBuf]) -> Option<String> {
    let numbers: Vec<(usize, usize)> = paths.iter().filter_map(|path| numbered(path)).collect();
    let count = numbers.iter().map(|(_, count)| *count).max()?;
    let here: HashSet<usize> = numbers.iter().map(|(index, _)| *index).collect();
    let missing: Vec<String> =
        (0..count).filter(|index| !here.contains(index)).map(|index| format!("{index:05}")).collect();
    (!missing.is_empty()).then(|| {
        let which = examples(missing.iter().map(String::as_str));
        format!("{} of {count} shards are not there: {which}", missing.len())
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

/// Why a file is not what is needed; what is appended to its path.
struct Reason(String);

impl From<ParquetError> for Reason {
    fn from(error: ParquetError) -> Self {
        let words = error.to_string();
        let words = words.trim_start_matches("Parquet error: ");
        Self(format!("{words} (is it cut off, or damaged? get it again)"))
    }
}

fn read_table(index: usize, path: &Path, with_labels: bool) -> Result<(Shard, Vec<Row>), Reason> {
    let file = Reopened(path.to_owned());
    let len = file.metadata().map_err(|error| Reason(error.to_string()))?.len();
    let reader = SerializedFileReader::new(file.clone())?;
    let metadata = reader.metadata();
    let mut columns = Columns::find(metadata)?;
    columns.label = columns.label.filter(|_| with_labels);
    let classes = class_names(metadata, columns.label.as_ref().map(|(_, name)| name.as_str()))?;
    let mut rows = Vec::new();
    for group in 0..metadata.num_row_groups() {
        let count = usize::try_from(metadata.row_group(group).num_rows()).unwrap_or_default();
        let group_reader = reader.get_row_group(group)?;
        let names = match columns.names {
            Some(column) => texts(group_reader.as_ref(), column, count)?,
            None => vec![None; count],
        };
        let label_values = match &columns.label {
            Some((column, _)) => integers(group_reader.as_ref(), *column, count)?,
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
    let metadata = Arc::new(metadata.clone());
    Ok((Shard { file: Arc::new(file), len, metadata, images: columns.images }, rows))
}

/// Indices of the columns that matter.
struct Columns {
    images: usize,
    names: Option<usize>,
    label: Option<(usize, String)>,
}

impl Columns {
    fn find(metadata: &ParquetMetaData) -> Result<Self, Reason> {
        let schema = metadata.file_metadata().schema_descr();
        let paths: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
        let of_type = |index: usize, kind: Type| schema.column(index).physical_type() == kind;
        let flat = |index: usize| schema.column(index).max_rep_level() == 0;
        let find = |name: &str| paths.iter().position(|path| path == name).filter(|index| flat(*index));
        let bytes = |index: &usize| of_type(*index, Type::BYTE_ARRAY);
        // Hugging Face's Image feature: a group with these two.
        let feature = paths.iter().enumerate().find_map(|(index, path)| {
            let (group, "bytes") = path.rsplit_once('.')? else { return None };
            (bytes(&index) && flat(index)).then(|| (index, find(&format!("{group}.path")).filter(bytes)))
        });
        let plain = || {
            let images = IMAGE_COLUMNS.iter().find_map(|name| find(name).filter(bytes))?;
            let names = ["path", "file_name", "filename", "image_id", "__key__"];
            Some((images, names.iter().find_map(|name| find(name).filter(bytes))))
        };
        let (images, names) = feature.or_else(plain).ok_or_else(|| {
            Reason(format!(
                "no column holds image files (a group with bytes and path, or bytes named {}); its columns are {}",
                IMAGE_COLUMNS.join(", "),
                paths.join(", ")
            ))
        })?;
        let label = LABEL_COLUMNS.iter().find_map(|name| Some((find(name)?, (*name).to_owned())));
        let label = label.filter(|(index, _)| of_type(*index, Type::INT64) || of_type(*index, Type::INT32));
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
        Some(by) => Err(Reason(format!(
            "it is compressed by {}, which is not read; write it again with Snappy, gzip, LZ4 or without compression \
             (images do not compress)",
            format!("{by:?}").split('(').next().unwrap_or_default()
        ))),
    }
}

/// The classes that labels are indices of, by what Hugging Face's `datasets` wrote into the file. WNIDs are
/// translated; other names are not looked at, but there must be a thousand of them.
fn class_names(
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
    Err(Reason(format!(
        "its labels are indices of {} classes of its own ({}, ...), not of ILSVRC2012's {CLASSES}; give labels with a list \
         (--labels FILE)",
        names.len(),
        names.first().copied().unwrap_or_default()
    )))
}

/// Names as the files have them, less their folders, if they are there and tell the images apart; else the
/// shard and the row.
fn name_rows(paths: &[PathBuf], rows: &mut [Row]) {
    let base = |name: &str| name.replace('\\', "/").rsplit('/').next().unwrap_or_default().to_owned();
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

fn labels_of(root: &Path, rows: &[Row]) -> Result<Vec<Item>, DatasetError> {
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
            Some(label) => items.push(Item { name: row.name.clone(), label }),
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

fn texts(group: &dyn RowGroupReader, column: usize, count: usize) -> Result<Vec<Option<String>>, Reason> {
    let texts = byte_arrays(group, column, 0, count)?;
    let text = |bytes: Bytes| match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Reason("a file name in it is not valid UTF-8".to_owned())),
    };
    texts.into_iter().map(|bytes| bytes.map(text).transpose()).collect()
}

/// `count` values of a column of bytes from row `first` of the group on, `None` for null.
fn byte_arrays(
    group: &dyn RowGroupReader,
    column: usize,
    first: usize,
    count: usize,
) -> Result<Vec<Option<Bytes>>, ParquetError> {
    let descriptor = group.metadata().column(column).column_descr_ptr();
    let ColumnReader::ByteArrayColumnReader(mut reader) = group.get_column_reader(column)? else {
        return Err(ParquetError::General("the column is not one of bytes".to_owned()));
    };
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let skipped = reader.skip_records(first)?;
    let (read, ..) = reader.read_records(count, Some(&mut levels), None, &mut values)?;
    check_rows(skipped + read, first + count)?;
    let values = values.iter().map(|value| value.data().to_vec().into());
    Ok(spread(values, &levels, descriptor.max_def_level(), count))
}

fn integers(
    group: &dyn RowGroupReader,
    column: usize,
    count: usize,
) -> Result<Vec<Option<i64>>, ParquetError> {
    let descriptor = group.metadata().column(column).column_descr_ptr();
    let mut levels = Vec::new();
    let (read, values) = match group.get_column_reader(column)? {
        ColumnReader::Int64ColumnReader(mut reader) => {
            let mut values = Vec::new();
            let (read, ..) = reader.read_records(count, Some(&mut levels), None, &mut values)?;
            (read, values)
        }
        ColumnReader::Int32ColumnReader(mut reader) => {
            let mut values = Vec::new();
            let (read, ..) = reader.read_records(count, Some(&mut levels), None, &mut values)?;
            (read, values.into_iter().map(i64::from).collect())
        }
        _ => return Err(ParquetError::General("the column is not one of integers".to_owned())),
    };
    check_rows(read, count)?;
    Ok(spread(values.into_iter(), &levels, descriptor.max_def_level(), count))
}

fn check_rows(read: usize, wanted: usize) -> Result<(), ParquetError> {
    match read == wanted {
        true => Ok(()),
        false => Err(ParquetError::EOF(format!("a column has {read} rows of {wanted}"))),
    }
}

/// Puts values where the definition levels say that they are; a column that allows no null has no levels.
fn spread<T>(
    mut values: impl Iterator<Item = T>,
    levels: &[i16],
    defined: i16,
    count: usize,
) -> Vec<Option<T>> {
    (0..count)
        .map(|row| (defined == 0 || levels.get(row) == Some(&defined)).then(|| values.next())?)
        .collect()
}

impl Shards {
    /// The whole content of an image file.
    pub(super) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let place = self.rows.get(name).ok_or(io::ErrorKind::NotFound)?;
        let shard = &self.shards[place.shard];
        if shard.file.metadata()?.len() != shard.len {
            return Err(io::Error::other("the file has changed since the run began"));
        }
        match self.image(*place).map_err(io_error)? {
            Some(bytes) => Ok(bytes.into()),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the row has no image bytes, only a path (datasets.Image was not embedded)",
            )),
        }
    }

    /// The image at `place`, from what was read last, or read with its neighbours.
    fn image(&self, place: Place) -> parquet::errors::Result<Option<Bytes>> {
        let start = Place { row: place.row / WINDOW * WINDOW, ..place };
        // The lock is held while a window is read, so that threads do not read the same one side by side.
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.iter().find(|window| window.start == start) {
            return Ok(window.images.get(place.row - start.row).cloned().flatten());
        }
        let Ok(images) = self.images(start, WINDOW) else {
            // A damaged page must not take its neighbours' images along.
            return Ok(self.images(place, 1)?.pop().flatten());
        };
        let image = images.get(place.row - start.row).cloned().flatten();
        windows.push_back(Window { start, images });
        if windows.len() > WINDOWS_KEPT {
            windows.pop_front();
        }
        Ok(image)
    }

    /// Up to `count` images from `place` on; fewer at the end of its row group.
    fn images(&self, place: Place, count: usize) -> parquet::errors::Result<Vec<Option<Bytes>>> {
        let shard = &self.shards[place.shard];
        let group = shard.metadata.row_group(place.group);
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        let reader = SerializedRowGroupReader::new(
            Arc::clone(&shard.file),
            group,
            RowGroupPageIndex::new(place.group, None),
            Arc::new(ReaderProperties::builder().build()),
        )?;
        byte_arrays(&reader, shard.images, place.row, count.min(rows.saturating_sub(place.row)))
    }

    /// A key that orders images as they lie in the files.
    pub(super) fn place(&self, name: &str) -> Option<(usize, u64)> {
        self.rows.get(name).map(|place| (place.shard, ((place.group as u64) << 32) | place.row as u64))
    }

    /// Names and lengths of the files.
    pub(super) fn files(&self) -> impl Iterator<Item = (String, u64)> {
        self.shards.iter().map(|shard| {
            let name = shard.file.0.file_name().map(|name| name.to_string_lossy().into_owned());
            (name.unwrap_or_default(), shard.len)
        })
    }
}

/// What the operating system says stays that; anything else is wrong with the data.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
    }
}

/// A file opened anew for every read: handles that `File::try_clone` gives share one position, and several
/// threads read.
#[derive(Debug, Clone)]
struct Reopened(PathBuf);

impl Reopened {
    fn metadata(&self) -> io::Result<fs::Metadata> {
        fs::metadata(&self.0)
    }

    fn at(&self, start: u64) -> parquet::errors::Result<File> {
        let mut file = File::open(&self.0)?;
        file.seek(SeekFrom::Start(start))?;
        Ok(file)
    }
}

impl Length for Reopened {
    fn len(&self) -> u64 {
        self.metadata().map_or(0, |found| found.len())
    }
}

impl ChunkReader for Reopened {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::new(self.at(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let mut bytes = Vec::new();
        self.at(start)?.take(length as u64).read_to_end(&mut bytes)?;
        match bytes.len() == length {
            true => Ok(bytes.into()),
            false => Err(ParquetError::EOF(format!("{} bytes of {length} at {start}", bytes.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_numbered_by_their_names() {
        let of = |name: &str| (split(Path::new(name)).to_owned(), numbered(Path::new(name)));
        assert_eq!(of("validation-00003-of-00014.parquet"), ("validation".to_owned(), Some((3, 14))));
        assert_eq!(of("val-00000-of-00002-a1b2c3.parquet"), ("val".to_owned(), Some((0, 2))));
        assert_eq!(of("0000.parquet"), ("0000".to_owned(), None));
        let paths = ["v-00000-of-00003.parquet", "v-00002-of-00003.parquet"].map(PathBuf::from);
        assert_eq!(missing_shards(&paths).expect("a warning"), "1 of 3 shards are not there: 00001");
    }
}
