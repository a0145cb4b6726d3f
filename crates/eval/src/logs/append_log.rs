//! A CSV file that rows are appended to, which survives a kill at any byte: rows come in one write, so that at most
//! the last line is torn, and a torn line is cut off when the file is opened again.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use dataset::regular;

use crate::EvalError;

/// A file that is being appended to.
#[derive(Debug)]
pub(crate) struct AppendLog {
    path: PathBuf,
    file: File,
}

impl AppendLog {
    /// Opens the file at `path`, which is given its heading when it is new. Gives its whole lines, the heading's
    /// included.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub(crate) fn open(path: &Path, heading: &str) -> Result<(Self, Vec<u8>), EvalError> {
        let failed = |action| {
            let path = path.to_owned();
            move |source| EvalError::RunFile { action, path, source }
        };
        let mut options = OpenOptions::new();
        let mut file =
            regular::open_own(path, options.read(true).append(true).create(true)).map_err(failed("open"))?;
        let mut lines = Vec::new();
        file.read_to_end(&mut lines).map_err(failed("read"))?;
        let length = lines.len();
        cut_torn_line(&mut lines);
        if lines.len() < length {
            file.set_len(lines.len() as u64).map_err(failed("cut the torn last line of"))?;
        }
        if lines.is_empty() {
            lines = format!("{heading}\n").into_bytes();
            file.write_all(&lines).map_err(failed("write"))?;
        }
        Ok((Self { path: path.to_owned(), file }, lines))
    }

    /// Appends rows of cells in one write.
    ///
    /// # Errors
    /// [`EvalError::RunFile`], for instance when the disk is full. What was written before stays.
    pub(crate) fn append<Row>(&mut self, rows: impl IntoIterator<Item = Row>) -> Result<(), EvalError>
    where
        Row: IntoIterator<Item: AsRef<[u8]>>,
    {
        lines_of(rows).and_then(|bytes| self.file.write_all(&bytes)).map_err(|source| EvalError::RunFile {
            action: "append to",
            path: self.path.clone(),
            source,
        })
    }
}

/// Leaves the lines that end.
pub(crate) fn cut_torn_line(lines: &mut Vec<u8>) {
    lines.truncate(lines.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1));
}

/// The bytes of a log that may go on, none if there is no such file.
///
/// # Errors
/// When it is no regular file or cannot be read.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    match regular::read(path, MAX_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// The whole lines of a log that may go on, none if there is no such file.
///
/// # Errors
/// [`EvalError::RunFile`] when it is no regular file or cannot be read.
pub(crate) fn whole_lines(path: &Path) -> Result<Vec<u8>, EvalError> {
    let failed = |source| EvalError::RunFile { action: "read", path: path.to_owned(), source };
    let mut lines = read(path).map_err(failed)?;
    cut_torn_line(&mut lines);
    Ok(lines)
}

/// Logs are read whole; one of 50,000 images has 6 MB.
pub(crate) const MAX_BYTES: u64 = 4 << 30;

/// A file of a heading and rows, as many appends would have left it.
///
/// # Errors
/// None that is known of: rows go to memory.
pub(crate) fn whole<Row>(heading: &str, rows: impl IntoIterator<Item = Row>) -> io::Result<Vec<u8>>
where
    Row: IntoIterator<Item: AsRef<[u8]>>,
{
    let mut bytes = format!("{heading}\n").into_bytes();
    bytes.extend(lines_of(rows)?);
    Ok(bytes)
}

fn lines_of<Row>(rows: impl IntoIterator<Item = Row>) -> io::Result<Vec<u8>>
where
    Row: IntoIterator<Item: AsRef<[u8]>>,
{
    let mut text = csv::Writer::from_writer(Vec::new());
    rows.into_iter().try_for_each(|row| text.write_record(row).map_err(io::Error::from))?;
    text.into_inner().map_err(|error| error.into_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_cut_at_any_byte_and_whole_ones_are_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let whole = "name,value\na,1\n\"b, c\",2\n";
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (mut log, lines) = AppendLog::open(&path, "name,value").unwrap();
            let kept = lines.iter().filter(|&&byte| byte == b'\n').count();
            assert!(whole.as_bytes().starts_with(&lines), "{length}");
            log.append([["a", "1"], ["b, c", "2"]].into_iter().skip(kept - 1)).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), whole, "{length}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_or_a_link_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        let (fifo, link) = (folder.path().join("fifo"), folder.path().join("link"));
        std::os::unix::fs::symlink("elsewhere", &link).unwrap();
        let error = AppendLog::open(&link, "name").unwrap_err().to_string();
        assert!(error.contains("a link is in its place"), "{error}");
        if std::process::Command::new("mkfifo").arg(&fifo).status().is_ok_and(|made| made.success()) {
            let error = AppendLog::open(&fifo, "name").unwrap_err().to_string();
            assert!(error.contains("it is a pipe (fifo)"), "{error}");
            assert!(read(&fifo).is_err() && crate::logs::confidences::read(&fifo).is_empty());
        }
        assert_eq!(read(&folder.path().join("none")).unwrap(), Vec::<u8>::new());
    }
}
