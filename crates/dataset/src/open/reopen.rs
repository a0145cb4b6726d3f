//! A file that is read in place, a part at a time, while a run lasts: opened anew for every read, and refused once it is
//! no longer the file that was looked at. Another file under its name has other images at the same places.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use memory::NoMemory;

/// A file, and which one it was when it was first opened.
///
/// It is opened anew for every read because handles that `File::try_clone` gives share one position, and several threads
/// read; and because a data set of thousands of parts would exhaust the handles of a process.
#[derive(Debug, Clone)]
pub(super) struct Reopened {
    path: PathBuf,
    identity: Identity,
}

/// What tells one state of a file from another, without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    /// Device and inode; nothing where the system has none.
    file: Option<(u64, u64)>,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// The file is another one, or was written to.
#[derive(Debug, thiserror::Error)]
#[error("the file has changed since the run began; put back the file that was there, or begin a new run")]
struct Changed;

/// Whether `error` says that a file is not the one that was opened first.
pub(super) fn is_changed(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Changed>())
}

/// As an error of reading.
pub(super) fn out_of_memory(cause: NoMemory) -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, cause)
}

/// What `error` says was asked for, where it is want of memory; an unknown number of bytes is 0.
pub(super) fn no_memory(error: &io::Error) -> Option<NoMemory> {
    let asked = || error.get_ref()?.downcast_ref::<NoMemory>().copied();
    (error.kind() == io::ErrorKind::OutOfMemory).then(|| asked().unwrap_or(NoMemory { bytes: 0 }))
}

impl Identity {
    fn of(found: &Metadata) -> Self {
        #[cfg(unix)]
        let file = {
            use std::os::unix::fs::MetadataExt;
            Some((found.dev(), found.ino()))
        };
        #[cfg(not(unix))]
        let file = None;
        Self { file, bytes: found.len(), modified: found.modified().ok() }
    }
}

impl Reopened {
    /// Opens the file at `path` and remembers which one it is.
    pub(super) fn open(path: &Path) -> io::Result<(Self, File)> {
        let file = File::open(path)?;
        let identity = Identity::of(&file.metadata()?);
        Ok((Self { path: path.to_owned(), identity }, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.identity.bytes
    }

    /// The file again, at `start`.
    pub(super) fn at(&self, start: u64) -> io::Result<File> {
        let mut file = File::open(&self.path)?;
        self.check(&file.metadata()?)?;
        file.seek(SeekFrom::Start(start.min(self.len())))?;
        Ok(file)
    }

    /// `bytes` bytes from `start` on. Nothing is allocated for bytes that the file does not have.
    pub(super) fn read(&self, start: u64, bytes: u64) -> io::Result<Vec<u8>> {
        if start.checked_add(bytes).is_none_or(|end| end > self.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut file = self.at(start)?;
        let mut content =
            memory::room(usize::try_from(bytes).unwrap_or(usize::MAX)).map_err(out_of_memory)?;
        file.by_ref().take(bytes).read_to_end(&mut content)?;
        // It may have been written to meanwhile.
        self.check(&file.metadata()?)?;
        if content.len() as u64 == bytes { Ok(content) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// That the file under this name is the one that was opened first.
    pub(super) fn check_now(&self) -> io::Result<()> {
        self.check(&std::fs::metadata(&self.path)?)
    }

    fn check(&self, found: &Metadata) -> io::Result<()> {
        if Identity::of(found) == self.identity { Ok(()) } else { Err(io::Error::other(Changed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn another_file_of_the_same_length_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::write(&path, "0123456789").expect("written");
        let (file, _) = Reopened::open(&path).expect("readable");
        assert_eq!(file.read(2, 3).expect("there"), b"234");
        assert_eq!(file.read(8, 3).expect_err("past the end").kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(file.read(u64::MAX, 3).expect_err("past the end").kind(), io::ErrorKind::UnexpectedEof);
        fs::write(folder.path().join("b"), "abcdefghij").expect("written");
        fs::rename(folder.path().join("b"), &path).expect("replaced");
        assert!(is_changed(&file.read(2, 3).expect_err("replaced")));
        assert!(is_changed(&file.check_now().expect_err("replaced")));
    }
}
