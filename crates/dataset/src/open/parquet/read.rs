//! Values and images out of parquet files.
//!
//! Images are read a few dozen neighbours at once: a page, which has to be read whole, holds a hundred images in the
//! hub's files and a thousand in pyarrow's.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::metadata::page_index::RowGroupPageIndex;
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::{ChunkReader, Length, RowGroupReader};
use parquet::file::serialized_reader::{SerializedFileReader, SerializedRowGroupReader};

use super::schema::Reason;

/// The images of a data set's parquet files.
#[derive(Debug)]
pub(in crate::open) struct Shards {
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
pub(super) struct Place {
    pub(super) shard: usize,
    pub(super) group: usize,
    pub(super) row: usize,
}

#[derive(Debug)]
pub(super) struct Shard {
    file: Arc<Reopened>,
    len: u64,
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
                Ok(error) if error.raw_os_error().is_some() => Self::Unreadable(*error),
                _ => Self::NoContent(words),
            },
            _ => Self::NoContent(words),
        }
    }
}

/// Opens the parquet file at `path`; gives its length too.
pub(super) fn open(path: &Path) -> Result<(SerializedFileReader<Reopened>, Reopened, u64), Reason> {
    let file = Reopened(path.to_owned());
    let len = file.metadata().map_err(|error| Reason(error.to_string()))?.len();
    Ok((SerializedFileReader::new(file.clone())?, file, len))
}

pub(super) fn texts(
    group: &dyn RowGroupReader,
    column: usize,
    count: usize,
) -> Result<Vec<Option<String>>, Reason> {
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

pub(super) fn integers(
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

impl Shard {
    pub(super) fn new(file: Reopened, len: u64, metadata: ParquetMetaData, images: usize) -> Self {
        Self { file: Arc::new(file), len, metadata: Arc::new(metadata), images }
    }
}

impl Shards {
    pub(super) fn new(shards: Vec<Shard>, rows: HashMap<String, Place>) -> Self {
        Self { shards, rows, windows: Mutex::default() }
    }

    /// The whole content of an image file.
    pub(in crate::open) fn read(&self, name: &str) -> Result<Vec<u8>, ReadError> {
        let place = self.rows.get(name).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        let shard = &self.shards[place.shard];
        if shard.file.metadata()?.len() != shard.len {
            return Err(io::Error::other("the file has changed since the run began").into());
        }
        let bytes = self.image(*place)?.ok_or_else(|| {
            let reason = "the row has no image bytes, only a path (datasets.Image was not embedded)";
            ReadError::NoContent(reason.to_owned())
        })?;
        Ok(bytes.into())
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
    pub(in crate::open) fn place(&self, name: &str) -> Option<(usize, u64)> {
        self.rows.get(name).map(|place| (place.shard, ((place.group as u64) << 32) | place.row as u64))
    }

    /// Names and lengths of the files.
    pub(in crate::open) fn files(&self) -> impl Iterator<Item = (String, u64)> {
        self.shards.iter().map(|shard| {
            let name = shard.file.0.file_name().map(|name| name.to_string_lossy().into_owned());
            (name.unwrap_or_default(), shard.len)
        })
    }
}

/// A file opened anew for every read: handles that `File::try_clone` gives share one position, and several
/// threads read.
#[derive(Debug, Clone)]
pub(super) struct Reopened(PathBuf);

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
