//! Values and images out of parquet files.
//!
//! Images are read a few dozen neighbours at once: a page, which has to be read whole, holds a hundred images in the
//! hub's files and a thousand in pyarrow's.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::bounds::{self, Chunk};
use super::deltas::BoundedPages;
use super::reason::Reason;
use crate::guard::guarded_or;
use crate::open::reopen::{self, Reopened};

/// The images of a data set's parquet files.
#[derive(Debug)]
pub(in crate::open) struct ParquetFiles {
    shards: Vec<ParquetFile>,
    rows: HashMap<String, Place>,
    /// What was read last, the oldest first.
    spans: Mutex<VecDeque<RowSpan>>,
}

/// Rows of a row group that are read at once.
const SPAN_ROWS: usize = 32;
/// Spans that are kept: threads that read in the order of the files are in two at most.
const SPANS_KEPT: usize = 2;

/// Images that lie one after another.
#[derive(Debug)]
struct RowSpan {
    start: Place,
    images: Vec<Option<Bytes>>,
}

/// Where an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) shard: usize,
    pub(super) group: usize,
    pub(super) row: usize,
}

#[derive(Debug)]
pub(super) struct ParquetFile {
    file: Reopened,
    metadata: Arc<ParquetMetaData>,
    /// Index of the column with image files.
    images: usize,
}

/// Why an image is not there.
#[derive(Debug)]
pub(in crate::open) enum ReadError {
    /// The file cannot be reached, or is not the one that was opened.
    Unreadable(io::Error),
    /// What lies there is no image, or is damaged: the others may be well.
    NoContent(String),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl From<ParquetError> for ReadError {
    /// What the operating system says is so; anything else is wrong with the data. Decompression, too, speaks by
    /// `io::Error`, but without the operating system's number.
    fn from(error: ParquetError) -> Self {
        let words = error.to_string();
        match error {
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error)
                    if error.raw_os_error().is_some()
                        || reopen::is_changed(&error)
                        || reopen::no_memory(&error).is_some() =>
                {
                    Self::Unreadable(*error)
                }
                _ => Self::NoContent(words),
            },
            _ => Self::NoContent(words),
        }
    }
}

/// The length of the footer and the mark, which end a file.
const TAIL: u64 = 8;

/// Opens the parquet file at `path` and reads its footer.
pub(super) fn open(path: &Path) -> Result<(Reopened, ParquetMetaData), Reason> {
    let unreadable = |error: io::Error| Reason::new(error.to_string());
    let (file, _) = Reopened::open(path).map_err(unreadable)?;
    let cut_off = || Reason::damaged(&format!("{} bytes without a footer", file.len()));
    let start = file.len().checked_sub(TAIL).ok_or_else(cut_off)?;
    let tail = file.read(start, TAIL).map_err(unreadable)?;
    let length = match *tail {
        [_, _, _, _, b'P', b'A', b'R', b'E'] => {
            return Err(Reason::new("it is encrypted; write it again without encryption".to_owned()));
        }
        [a, b, c, d, b'P', b'A', b'R', b'1'] => u64::from(u32::from_le_bytes([a, b, c, d])),
        _ => return Err(cut_off()),
    };
    let start = start.checked_sub(length).ok_or_else(cut_off)?;
    let footer = file.read(start, length).map_err(unreadable)?;
    bounds::check_footer(&footer).map_err(|damage| Reason::damaged(&damage))?;
    let metadata = guarded_or(|| ParquetMetaDataReader::decode_metadata(&footer), ParquetError::General)?;
    bounds::check_rows(&metadata, file.len())?;
    Ok((file, metadata))
}

/// A column of a row group, from its first row on.
fn column_reader(
    file: &Reopened,
    metadata: &ParquetMetaData,
    group: usize,
    column: usize,
) -> Result<ColumnReader, ParquetError> {
    let group = metadata.row_group(group);
    let rows = usize::try_from(group.num_rows())?;
    let column = group.column(column);
    let (start, length) = column.byte_range();
    if start.checked_add(length).is_none_or(|end| end > file.len()) {
        return Err(ParquetError::EOF(format!(
            "a column declares {length} bytes at {start} in a file of {}",
            file.len()
        )));
    }
    let descriptor = column.column_descr_ptr();
    let chunk = Chunk {
        compression: column.compression(),
        kind: descriptor.physical_type(),
        rows: rows as u64,
        max_def_level: descriptor.max_def_level(),
    };
    let pages = Pages { file: file.clone(), chunk };
    let pages = Box::new(SerializedPageReader::new(Arc::new(pages), column, rows, None)?);
    Ok(get_column_reader(descriptor, Box::new(BoundedPages { pages, chunk })))
}

pub(super) fn texts(
    file: &Reopened,
    metadata: &ParquetMetaData,
    group: usize,
    column: usize,
) -> Result<Vec<Option<String>>, Reason> {
    let count = rows(metadata, group);
    let texts = byte_arrays(file, metadata, column, Place { shard: 0, group, row: 0 }, count)?;
    let text = |bytes: Bytes| match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Reason::new("a file name in it is not valid UTF-8".to_owned())),
    };
    texts.into_iter().map(|bytes| bytes.map(text).transpose()).collect()
}

/// How many rows a row group has. They have been held against the file's length.
pub(super) fn rows(metadata: &ParquetMetaData, group: usize) -> usize {
    usize::try_from(metadata.row_group(group).num_rows()).unwrap_or_default()
}

/// `count` values of a column of bytes from `first` on, `None` for null.
fn byte_arrays(
    file: &Reopened,
    metadata: &ParquetMetaData,
    column: usize,
    first: Place,
    count: usize,
) -> Result<Vec<Option<Bytes>>, ParquetError> {
    let read = || {
        let descriptor = metadata.row_group(first.group).column(column).column_descr_ptr();
        let ColumnReader::ByteArrayColumnReader(mut reader) =
            column_reader(file, metadata, first.group, column)?
        else {
            return Err(ParquetError::General("the column is not one of bytes".to_owned()));
        };
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let skipped = reader.skip_records(first.row)?;
        let (read, ..) = reader.read_records(count, Some(&mut levels), None, &mut values)?;
        check_rows(skipped + read, first.row + count)?;
        let copied = values.iter().map(|value| memory::copied(value.data()).map(Bytes::from));
        let copied: Vec<Bytes> = copied.collect::<Result<_, _>>().map_err(reopen::out_of_memory)?;
        Ok(spread(copied.into_iter(), &levels, descriptor.max_def_level(), count))
    };
    guarded_or(read, ParquetError::General)
}

pub(super) fn integers(
    file: &Reopened,
    metadata: &ParquetMetaData,
    group: usize,
    column: usize,
) -> Result<Vec<Option<i64>>, ParquetError> {
    let read = || {
        let count = rows(metadata, group);
        let descriptor = metadata.row_group(group).column(column).column_descr_ptr();
        let mut levels = Vec::new();
        let (read, values) = match column_reader(file, metadata, group, column)? {
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
    };
    guarded_or(read, ParquetError::General)
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

impl ParquetFile {
    pub(super) fn new(file: Reopened, metadata: ParquetMetaData, images: usize) -> Self {
        Self { file, metadata: Arc::new(metadata), images }
    }
}

impl ParquetFiles {
    pub(super) fn new(shards: Vec<ParquetFile>, rows: HashMap<String, Place>) -> Self {
        Self { shards, rows, spans: Mutex::default() }
    }

    /// The whole content of an image file.
    pub(in crate::open) fn read(&self, name: &str) -> Result<Vec<u8>, ReadError> {
        let place = self.rows.get(name).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        let shard = &self.shards[place.shard];
        shard.file.check_now()?;
        let image = self.image(*place).or_else(|error| {
            // What looks like damage may be another file's bytes.
            shard.file.check_now()?;
            Err(ReadError::from(error))
        });
        let bytes = image?.ok_or_else(|| {
            let reason = "the row has no image bytes, only a path (datasets.Image was not embedded)";
            ReadError::NoContent(reason.to_owned())
        })?;
        Ok(memory::copied(&bytes).map_err(reopen::out_of_memory)?)
    }

    /// The image at `place`, from what was read last, or read with its neighbours.
    fn image(&self, place: Place) -> parquet::errors::Result<Option<Bytes>> {
        let start = Place { row: place.row / SPAN_ROWS * SPAN_ROWS, ..place };
        // The lock is held while a span is read, so that threads do not read the same one side by side.
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(span) = spans.iter().find(|span| span.start == start) {
            return Ok(span.images.get(place.row - start.row).cloned().flatten());
        }
        let Ok(images) = self.images(start, SPAN_ROWS) else {
            // A damaged page must not take its neighbours' images along.
            return Ok(self.images(place, 1)?.pop().flatten());
        };
        let image = images.get(place.row - start.row).cloned().flatten();
        spans.push_back(RowSpan { start, images });
        if spans.len() > SPANS_KEPT {
            spans.pop_front();
        }
        Ok(image)
    }

    /// Up to `count` images from `place` on; fewer at the end of its row group.
    fn images(&self, place: Place, count: usize) -> parquet::errors::Result<Vec<Option<Bytes>>> {
        let shard = &self.shards[place.shard];
        let count = count.min(rows(&shard.metadata, place.group).saturating_sub(place.row));
        byte_arrays(&shard.file, &shard.metadata, shard.images, place, count)
    }

    /// A key that orders images as they lie in the files.
    pub(in crate::open) fn place(&self, name: &str) -> Option<(usize, u64)> {
        self.rows.get(name).map(|place| (place.shard, ((place.group as u64) << 32) | place.row as u64))
    }

    /// Names and lengths of the files.
    pub(in crate::open) fn files(&self) -> impl Iterator<Item = (String, u64)> {
        self.shards.iter().map(|shard| {
            let name = shard.file.path().file_name().map(|name| name.to_string_lossy().into_owned());
            (name.unwrap_or_default(), shard.file.len())
        })
    }
}

/// The pages of a column chunk. A page's header is held against the file before the library believes it.
struct Pages {
    file: Reopened,
    chunk: Chunk,
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Pages {
    type T = PageHeader;

    /// The library reads nothing but headers by this, and nothing at all where it has the header already.
    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(PageHeader {
            chunk: self.chunk,
            left: self.file.len().saturating_sub(start),
            file: self.file.clone(),
            start,
            reader: None,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        match self.file.read(start, length as u64) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(ParquetError::EOF(format!("no {length} bytes at {start}")))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A page's header, looked at when the first byte of it is read.
struct PageHeader {
    file: Reopened,
    start: u64,
    left: u64,
    chunk: Chunk,
    reader: Option<BufReader<File>>,
}

impl Read for PageHeader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.reader.is_none() {
            let mut reader = BufReader::new(self.file.at(self.start)?);
            let bytes = self.chunk.check_page(&mut reader, self.left).map_err(io::Error::other)?;
            reader.seek_relative(-i64::try_from(bytes).map_err(io::Error::other)?)?;
            self.reader = Some(reader);
        }
        match &mut self.reader {
            Some(reader) => reader.read(buffer),
            None => Ok(0),
        }
    }
}
