//! Several files that are replaced together or not at all. All are first written under temporary names and renamed only when the
//! disk has taken every one, so a full disk destroys nothing.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use dataset::regular;

use crate::EvalError;

/// Files on their way to their places.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// The temporary and the final path of each file, in the order of renaming.
    staged: Vec<(PathBuf, PathBuf)>,
}

/// What the files beside their places end with, the second where a file is replaced twice.
const SUFFIXES: [&str; 2] = [".tmp", ".last.tmp"];

/// What a process that was killed may have left of `path`.
pub(crate) fn left_behind(path: &Path) -> impl Iterator<Item = PathBuf> {
    SUFFIXES.into_iter().filter_map(|suffix| beside(path, suffix))
}

fn beside(path: &Path, suffix: &str) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(suffix);
    Some(path.with_file_name(name))
}

impl Whole {
    /// Writes `content` to a temporary file beside `path`, and makes its folder if need be. A file that has this content already
    /// is left alone.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub(crate) fn add(&mut self, path: &Path, content: &[u8]) -> Result<(), EvalError> {
        let again = self.staged.iter().any(|(_, place)| place == path);
        // Only a file that may be read to its end is compared.
        let is_there = fs::symlink_metadata(path)
            .is_ok_and(|found| found.is_file() && found.len() == content.len() as u64)
            && fs::read(path).is_ok_and(|there| there == content);
        if is_there && !again {
            return Ok(());
        }
        let failed = |source| EvalError::RunFile { action: "write", path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let no_name = || failed(std::io::Error::from(std::io::ErrorKind::InvalidFilename));
        let temporary = beside(path, SUFFIXES[usize::from(again)]).ok_or_else(no_name)?;
        self.staged.push((temporary.clone(), path.to_owned()));
        let written = regular::create_anew(&temporary)
            .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
        written.map_err(failed)
    }

    /// Puts every file in its place, in the order in which they were added.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub(crate) fn commit(mut self) -> Result<(), EvalError> {
        while !self.staged.is_empty() {
            let (temporary, path) = &self.staged[0];
            fs::rename(temporary, path).map_err(|source| EvalError::RunFile {
                action: "write",
                path: path.clone(),
                source,
            })?;
            self.staged.remove(0);
        }
        Ok(())
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        // A temporary file is of no use, and one that cannot be removed does no harm.
        self.staged.iter().for_each(|(temporary, _)| drop(fs::remove_file(temporary)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced_before_everything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        fs::write(&first, "old").unwrap();
        fs::create_dir(&second).unwrap();
        let mut whole = Whole::default();
        whole.add(&first, b"new").unwrap();
        // Below a file there is no folder, as if the disk were full.
        assert!(whole.add(&first.join("below"), b"new").is_err());
        drop(whole);
        assert_eq!(fs::read(&first).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);

        let mut whole = Whole::default();
        whole.add(&first, b"running").unwrap();
        whole.add(&folder.path().join("new/third"), b"3").unwrap();
        whole.add(&first, b"finished").unwrap();
        assert_eq!(fs::read(&first).unwrap(), b"old");
        whole.commit().unwrap();
        assert_eq!(fs::read(&first).unwrap(), b"finished");
        assert_eq!(fs::read(folder.path().join("new/third")).unwrap(), b"3");

        #[cfg(unix)]
        {
            // Where the file beside it would be, a stranger has put a link.
            let (third, target) = (folder.path().join("third"), folder.path().join("target"));
            fs::write(&target, "mine").unwrap();
            std::os::unix::fs::symlink(&target, folder.path().join(".third.tmp")).unwrap();
            let mut whole = Whole::default();
            whole.add(&third, b"3").unwrap();
            whole.commit().unwrap();
            assert_eq!(
                (fs::read(&target).unwrap(), fs::read(&third).unwrap()),
                (b"mine".to_vec(), b"3".to_vec())
            );
        }

        // A folder in the way: what was not renamed is cleaned away.
        let mut whole = Whole::default();
        whole.add(&second, b"x").unwrap();
        assert!(whole.commit().is_err());
        let hidden = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
        assert!(!fs::read_dir(folder.path()).unwrap().filter_map(Result::ok).any(hidden));
    }
}
