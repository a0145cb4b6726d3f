//! Regular files, opened once: what every reader of a file that a person names goes through.
//!
//! A pipe without a writer holds up whoever opens it, and an endless device whoever reads it, so both are refused before
//! they are opened. A [`RegularFile`] is one handle: whatever happens to its name meanwhile, all that is read comes from one
//! file, and [`RegularFile::is_unchanged`] says whether that file was written to.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A regular file, open for reading.
#[derive(Debug)]
pub struct RegularFile {
    path: PathBuf,
    file: File,
    identity: Identity,
}

/// Which file it is, and which state of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    /// Device and inode, where the system has them.
    place: Option<(u64, u64)>,
    bytes: u64,
    modified: Option<SystemTime>,
    /// When its inode changed, in seconds and nanoseconds: nobody can set this time back.
    changed: Option<(i64, i64)>,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let (place, changed) = {
            use std::os::unix::fs::MetadataExt as _;
            (Some((metadata.dev(), metadata.ino())), Some((metadata.ctime(), metadata.ctime_nsec())))
        };
        #[cfg(not(unix))]
        let (place, changed) = (None, None);
        Self { place, bytes: metadata.len(), modified: metadata.modified().ok(), changed }
    }
}

impl RegularFile {
    /// Opens the file at `path`, or the one that a link there leads to.
    ///
    /// # Errors
    /// When there is none, it cannot be opened, or it is no regular file; the message says what it is then.
    pub fn open(path: &Path) -> io::Result<Self> {
        check(&fs::metadata(path)?)?;
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        // Another may have taken its place.
        check(&metadata)?;
        Ok(Self { path: path.to_owned(), file, identity: Identity::of(&metadata) })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size when it was opened, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.identity.bytes
    }

    /// Whether nobody has written to the file since it was opened.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn is_unchanged(&self) -> io::Result<bool> {
        Ok(Identity::of(&self.file.metadata()?) == self.identity)
    }

    /// Whether the file at `path` is this one, unchanged.
    pub fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| Identity::of(&metadata) == self.identity)
    }

    /// A name by which a library that opens files itself gets this very file: on Linux whatever happened to its own name,
    /// elsewhere its name without links. [`RegularFile::is_at`] tells whether it still leads here.
    pub fn name_for_libraries(&self) -> PathBuf {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd as _;
            let handle = PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
            if self.is_at(&handle) {
                return handle;
            }
        }
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }

    /// Fills `buffer` from `offset` on. Threads can do so at once.
    ///
    /// # Errors
    /// When the file ends before, or cannot be read.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is at `offset`, as [`Read::read`] does.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(&self.file, buffer, offset);
    }
}

/// A reader of its own position in a [`RegularFile`] that others read too.
#[derive(Debug, Clone)]
pub struct Cursor {
    file: Arc<RegularFile>,
    position: u64,
}

impl Cursor {
    /// At the file's start.
    pub fn new(file: Arc<RegularFile>) -> Self {
        Self { file, position: 0 }
    }
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.file.size_bytes().checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The content of the regular file at `path`, which is read up to `limit_bytes`.
///
/// # Errors
/// Those of [`RegularFile::open`]; when the file cannot be read, or is larger.
pub fn read(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let file = RegularFile::open(path)?;
    let mut bytes = Vec::new();
    // What is being appended to is not followed for ever.
    (&file.file).take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        let reason =
            format!("it has more than {limit_bytes} bytes, which no such file needs; is it the right one?");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// The text of the regular file at `path`, which is read up to `limit_bytes`.
///
/// # Errors
/// Those of [`read`]; when it is not UTF-8.
pub fn read_text(path: &Path, limit_bytes: u64) -> io::Result<String> {
    let bytes = read(path, limit_bytes)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("it is not UTF-8 text (byte {at})"))
    })
}

/// Opens the file at `path` as `options` say, which may create it: one that this program alone writes, so that a link, a pipe
/// or a device there is somebody else's doing. A link would have another file written to, a pipe would hold this process up.
///
/// # Errors
/// When something else than a regular file stands there, or it cannot be opened.
pub fn open_own(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let is_own = || match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a link is in its place, and what that leads to is not to be written; remove it",
        )),
        Ok(found) => check(&found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    is_own()?;
    let file = options.open(path)?;
    // Another may have taken its place.
    is_own()?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Creates the file at `path` for writing, in the place of whatever file, link or pipe this program or somebody else has left
/// there: what a link leads to is not touched.
///
/// # Errors
/// When a folder stands there, or nothing can be written.
pub fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// What is no regular file, by what it is.
fn check(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    if metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, not a file"));
    }
    let what = special(metadata);
    let reason = format!("it is {what}, not a regular file; save its content as a file and give that");
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

#[cfg(unix)]
fn special(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    match () {
        () if kind.is_fifo() => "a pipe (fifo)",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() || kind.is_block_device() => "a device",
        () => "something special",
    }
}

#[cfg(not(unix))]
fn special(_: &Metadata) -> &'static str {
    "a device or pipe"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_reads_are_of_the_file_that_was_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "first").unwrap();
        let file = Arc::new(RegularFile::open(&path).unwrap());
        assert!(file.is_at(&path) && file.is_unchanged().unwrap());
        let other = folder.path().join("other");
        fs::write(&other, "second").unwrap();
        fs::rename(&other, &path).unwrap();
        let mut text = String::new();
        Cursor::new(Arc::clone(&file)).read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), file.is_at(&path)), ("first", false));
        let mut end = Cursor::new(Arc::clone(&file));
        assert_eq!(end.seek(SeekFrom::End(-2)).unwrap(), 3);
        let mut bytes = [0; 2];
        end.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"st");
        assert!(end.seek(SeekFrom::Current(-9)).is_err());
        assert!(file.read_exact_at(&mut [0; 3], 3).is_err());
    }

    #[test]
    fn what_was_written_to_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "first").unwrap();
        let file = RegularFile::open(&path).unwrap();
        // As long as before: the times tell. A clock may tick a hundred times a second only.
        for _ in 0..200 {
            fs::write(&path, "third").unwrap();
            if !file.is_unchanged().unwrap() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("not noticed");
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let message = |path: &Path| read(path, 100).unwrap_err().to_string();
        assert_eq!(message(folder.path()), "it is a folder, not a file");
        let path = folder.path().join("text");
        fs::write(&path, [b'a'; 101]).unwrap();
        assert!(message(&path).starts_with("it has more than 100 bytes"));
        fs::write(&path, b"ab\xff").unwrap();
        assert_eq!(read_text(&path, 100).unwrap_err().to_string(), "it is not UTF-8 text (byte 2)");
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("text", &link).unwrap();
            assert_eq!(read(&link, 100).unwrap(), b"ab\xff");
            assert!(message(Path::new("/dev/zero")).starts_with("it is a device, not a regular file"));
            let socket = folder.path().join("socket");
            let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            assert!(message(&socket).starts_with("it is a socket, not a regular file"));
            let fifo = folder.path().join("fifo");
            if std::process::Command::new("mkfifo").arg(&fifo).status().is_ok_and(|made| made.success()) {
                assert!(message(&fifo).starts_with("it is a pipe (fifo), not a regular file"));
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_somebody_else_put_there_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        open_own(&path("new"), &options).unwrap();
        open_own(&path("new"), &options).unwrap();
        fs::write(path("victim"), "precious").unwrap();
        for (link, target) in [("link", "victim"), ("dangling", "made")] {
            std::os::unix::fs::symlink(target, path(link)).unwrap();
            let error = open_own(&path(link), &options).unwrap_err().to_string();
            assert!(error.contains("a link is in its place"), "{error}");
        }
        let fifo = path("fifo");
        if std::process::Command::new("mkfifo").arg(&fifo).status().is_ok_and(|made| made.success()) {
            let error = open_own(&fifo, &options).unwrap_err().to_string();
            assert!(error.starts_with("it is a pipe (fifo)"), "{error}");
            io::Write::write_all(&mut create_anew(&fifo).unwrap(), b"file").unwrap();
            assert_eq!(fs::read(&fifo).unwrap(), b"file");
        }
        for link in ["link", "dangling", "none"] {
            drop(create_anew(&path(link)).unwrap());
            assert!(fs::symlink_metadata(path(link)).unwrap().is_file());
        }
        assert_eq!(fs::read(path("victim")).unwrap(), b"precious");
        assert!(!path("made").exists());
        assert!(create_anew(folder.path()).is_err());
    }
}
