//! The lock of a run directory: one process at a time writes there. A process that waits can name the one that holds it.
//!
//! The operating system frees the lock with the process, so a kill leaves none behind. The lock's file stays, and
//! names its last holder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use dataset::regular;

use crate::provenance::utc_now;

/// How often a lock is tried that another process holds.
const TRY_INTERVAL: Duration = Duration::from_millis(200);

/// The longest line that is read of a lock's file: a stranger may have put anything there.
const HOLDER_BYTES: u64 = 200;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
    /// Whether it keeps others away. A file system without locks still serves one process.
    pub(crate) guards: bool,
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum NotLocked {
    /// Another process holds it: the one that the lock's file names.
    HeldBy(String),
    /// The file of the lock cannot be made.
    Failed(io::Error),
}

impl DirLock {
    /// Takes the lock at `path`. While another process holds it, `wait` is asked with its name, several times a
    /// second, whether to try again.
    pub(crate) fn take(path: &Path, wait: &mut dyn FnMut(&str) -> bool) -> Result<Self, NotLocked> {
        loop {
            // The file is not truncated on opening, because it names the present holder.
            let mut options = OpenOptions::new();
            let file = regular::open_own(path, options.create(true).truncate(false).read(true).write(true));
            let mut file = file.map_err(NotLocked::Failed)?;
            match file.try_lock() {
                Ok(()) if !is_still_at(&file, path) => {}
                Ok(()) => {
                    // The name is only for people, so a failure to write it is ignored.
                    let _ = name_holder(&mut file);
                    return Ok(Self { _file: file, guards: true });
                }
                Err(TryLockError::Error(_)) => return Ok(Self { _file: file, guards: false }),
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&mut file);
                    if !wait(&holder) {
                        return Err(NotLocked::HeldBy(holder));
                    }
                    thread::sleep(TRY_INTERVAL);
                }
            }
        }
    }
}

/// Whether `path` still leads to `file`. A folder that was deleted while this process waited leaves a lock that
/// guards nothing.
#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(held), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}

/// A folder with an open file cannot be deleted here.
#[cfg(not(unix))]
fn is_still_at(_file: &File, path: &Path) -> bool {
    fs::exists(path).unwrap_or(false)
}

/// Whether the file at `path` may be made a lock: there is none, or one that a run has left. It is overwritten.
pub(crate) fn is_own(path: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return true };
    let mut bytes = Vec::new();
    let mut read = || File::open(path)?.take(HOLDER_BYTES).read_to_end(&mut bytes);
    // The file of a lock is empty until its holder has written its name.
    found.is_file() && (found.len() == 0 || read().is_ok() && bytes.starts_with(HOLDER.as_bytes()))
}

/// What the line of a holder begins with.
const HOLDER: &str = "process ";

fn name_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    let host = host().map_or_else(String::new, |host| format!(" on {host}"));
    writeln!(file, "{HOLDER}{}{host}, since {}", std::process::id(), utc_now())
}

/// Who holds the lock, by its file; its control characters, if a stranger wrote it, are not for a terminal.
fn holder(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(HOLDER_BYTES).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let line: String =
        text.lines().next().unwrap_or_default().chars().filter(|letter| !letter.is_control()).collect();
    if read.is_err() || line.is_empty() { "a process that has not said which".to_owned() } else { line }
}

/// This machine's name, where it says one.
fn host() -> Option<String> {
    let named =
        fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_names_its_holder_and_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let first = DirLock::take(&path, &mut |_| panic!("nobody holds it")).unwrap();
        let mut asked = Vec::new();
        let refused = DirLock::take(&path, &mut |holder| {
            asked.push(holder.to_owned());
            asked.len() < 3
        });
        let own = format!("process {}", std::process::id());
        assert!(asked.len() == 3 && asked.iter().all(|holder| holder.starts_with(&own)), "{asked:?}");
        let Err(NotLocked::HeldBy(holder)) = refused else { panic!("{refused:?}") };
        assert!(holder.contains(", since 2"), "{holder}");
        let mut first = Some(first);
        DirLock::take(&path, &mut |_| first.take().is_some()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_whose_folder_was_deleted_guards_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let mut gone = Some(DirLock::take(&path, &mut |_| false).unwrap());
        let mut new = None;
        let waited = DirLock::take(&path, &mut |_| match gone.take() {
            // The file goes away and comes back as another one's lock.
            Some(held) => {
                fs::remove_file(&path).unwrap();
                new = Some(DirLock::take(&path, &mut |_| false).unwrap());
                drop(held);
                true
            }
            None => false,
        });
        assert!(matches!(waited, Err(NotLocked::HeldBy(_))), "the new file is locked: {waited:?}");
    }

    #[test]
    fn what_a_stranger_wrote_is_shown_without_harm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        for (written, shown) in [
            (b"\x1b[2Jme\nyou".to_vec(), "[2Jme".to_owned()),
            (vec![b'x'; 10_000], "x".repeat(HOLDER_BYTES as usize)),
            (vec![0xff, 0xfe], "\u{fffd}\u{fffd}".to_owned()),
            (Vec::new(), "a process that has not said which".to_owned()),
        ] {
            fs::write(&path, written).unwrap();
            assert_eq!(holder(&mut File::open(&path).unwrap()), shown);
        }
    }
}
