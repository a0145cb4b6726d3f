//! The opening of a run directory: who may write to it, and whether it belongs to the evaluation at hand.
//!
//! A run writes and deletes its own files and no others: those that `paths::files` names for the models of its `run.json`.
//! Whatever else lies in the folder, or in the folders below it, stays; where it is in the way, nothing is written.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::identity::RunIdentity;
use super::lock::{DirLock, NotLocked};
use super::own::{check_the_way, failed, files_of, own_record, read_record};
use super::paths::{self, DIGESTS, FOLDERS, LOCK};
use super::whole::left_behind;
use super::writable::check_writable;
use crate::EvalError;
use crate::logs::confidences;
use crate::logs::digests::{self, Digest};
use crate::logs::predictions::{self, Prediction};
use crate::provenance::Environment;
use crate::record::{RunRecord, RunState};

/// An open run directory. Only one process holds one at a time.
#[derive(Debug)]
pub struct RunDir {
    pub(super) path: PathBuf,
    before: Option<RunRecord>,
    /// Whether files of images without a prediction have been replaced since.
    mended: bool,
    /// Files of an earlier run that are to be deleted.
    outdated: Vec<PathBuf>,
    /// The folders that were made for it, the innermost first.
    made: Vec<PathBuf>,
    lock: DirLock,
}

impl RunDir {
    /// Opens or creates `path` for the evaluation with this identity. With `fresh`, what an earlier run left there is outdated:
    /// it is deleted, and nothing else, once there is something to replace it.
    ///
    /// # Errors
    /// [`EvalError::OtherRun`] when the directory holds a different evaluation, [`EvalError::NotARun`] and
    /// [`EvalError::InTheWay`] when something else would be overwritten, [`EvalError::ForeignRecord`] when its `run.json` is not
    /// this program's, [`EvalError::Locked`] when another process works there, [`EvalError::RunFile`] when it cannot be written.
    pub fn open(path: &Path, identity: &RunIdentity, fresh: bool) -> Result<Self, EvalError> {
        Self::open_waiting(path, identity, fresh, &mut |_| false)
    }

    /// The same, but while another process works there, `wait` is asked with its name, several times a second,
    /// whether to go on waiting for it.
    ///
    /// # Errors
    /// Those of [`Self::open`]. A directory of a different evaluation is not waited for.
    pub fn open_waiting(
        path: &Path,
        identity: &RunIdentity,
        fresh: bool,
        wait: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Self, EvalError> {
        // Nothing may be made in somebody else's folder. We look twice, because another process may be writing its first files
        // just now, and writes its record first.
        let is_free = || check_the_way(path, identity, own_record(path)?.as_ref());
        is_free().or_else(|_| is_free())?;
        let lock_path = path.join(LOCK);
        let had_lock = fs::symlink_metadata(&lock_path).is_ok();
        let mut made = Vec::new();
        let mut other = None;
        let mut may_go_on = |holder: &str| {
            // If the directory is of another evaluation, waiting is useless. An unreadable record may be half written, so we go
            // on waiting.
            let there = if fresh { Ok(None) } else { read_record(path) };
            let there = there.ok().flatten();
            other = there.and_then(|before| identity.other_evaluation(&before, path));
            other.is_none() && wait(holder)
        };
        let lock = loop {
            made.extend(path.ancestors().filter(|folder| !folder.exists()).map(Path::to_owned));
            fs::create_dir_all(path).map_err(failed("create", path))?;
            match DirLock::take(&lock_path, &mut may_go_on) {
                // Somebody has deleted the folder while we waited, so it is free.
                Err(NotLocked::Failed(error))
                    if error.kind() == io::ErrorKind::NotFound && !path.exists() => {}
                taken => break taken,
            }
        };
        let lock = match (lock, other) {
            (_, Some(other)) => return Err(other),
            (Ok(lock), None) => lock,
            (Err(NotLocked::HeldBy(holder)), None) => {
                return Err(EvalError::Locked { path: path.to_owned(), holder });
            }
            (Err(NotLocked::Failed(source)), None) => return Err(failed("create", &lock_path)(source)),
        };
        // Check again under the lock, because another process may have written until now.
        let before = own_record(path)?;
        check_the_way(path, identity, before.as_ref())?;
        let mut dir = Self {
            path: path.to_owned(),
            before: None,
            mended: false,
            outdated: Vec::new(),
            made: if had_lock { Vec::new() } else { made },
            lock,
        };
        // Remove the temporary files of a process that was killed.
        let own = before.as_ref().map(|before| files_of(path, before)).unwrap_or_default();
        own.iter().flat_map(|file| left_behind(file)).for_each(|file| drop(fs::remove_file(file)));
        match before {
            Some(before) if fresh => dir.outdated = files_of(path, &before),
            Some(before) => {
                dir.mended = identity.continues(&before, path)?;
                dir.before = Some(before);
            }
            None => {}
        }
        Ok(dir)
    }

    /// What the evaluation with this identity would find at `path`, and whether it may go on there. Nothing is made or
    /// changed, and no lock is taken.
    ///
    /// # Errors
    /// Those of [`Self::open`], but for [`EvalError::Locked`].
    pub fn look(path: &Path, identity: &RunIdentity, fresh: bool) -> Result<Option<RunRecord>, EvalError> {
        check_writable(path)?;
        // Twice, as when it is opened.
        let look = || {
            let before = own_record(path)?;
            check_the_way(path, identity, before.as_ref()).map(|()| before)
        };
        let before = look().or_else(|_| look())?;
        if let Some(before) = before.as_ref().filter(|_| !fresh) {
            identity.continues(before, path)?;
        }
        Ok(before)
    }

    /// Deletes what an earlier run left, where the directory was opened to start over, but for the files of `kept` models.
    /// Folders go when nothing is left in them.
    pub(crate) fn delete_outdated<'a>(
        &mut self,
        kept: impl Iterator<Item = &'a str>,
    ) -> Result<(), EvalError> {
        let mut outdated = std::mem::take(&mut self.outdated);
        let is_any = !outdated.is_empty();
        let kept: Vec<&str> = kept.collect();
        if !kept.is_empty() {
            let kept = paths::files(&self.path, kept.into_iter());
            outdated.retain(|file| !kept.contains(file));
        }
        for path in outdated {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("delete", &path)(error));
                }
                _ => {}
            }
        }
        for folder in FOLDERS {
            // A folder that holds something else stays, because this fails.
            if is_any {
                let _ = fs::remove_dir(self.path.join(folder));
            }
        }
        Ok(())
    }

    /// Whether files of images without a prediction have been replaced since the run that is continued looked at them.
    pub(crate) fn is_mended(&self) -> bool {
        self.mended
    }

    /// The newest unfinished run below `runs` with this identity, by this program on this machine, which
    /// the same command continues.
    pub fn find_unfinished(
        runs: &Path,
        identity: &RunIdentity,
        environment: &Environment,
    ) -> Option<PathBuf> {
        let mut folders: Vec<PathBuf> =
            fs::read_dir(runs).ok()?.filter_map(Result::ok).map(|entry| entry.path()).collect();
        // Folders are named by their time of creation.
        folders.sort();
        folders.into_iter().rev().find(|folder| {
            read_record(folder).ok().flatten().is_some_and(|record| {
                record.state != RunState::Finished
                    && record.sessions.iter().all(|session| session.environment == *environment)
                    && identity.continues(&record, folder).is_ok()
            })
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether other processes are kept away. A file system without locks keeps nobody away.
    pub fn is_guarded(&self) -> bool {
        self.lock.guards
    }

    /// The record of the run that is continued, if there was one.
    pub fn before(&self) -> Option<&RunRecord> {
        self.before.as_ref()
    }

    /// The prediction log of the model with this `id`; its folder is made if need be.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub fn predictions(&self, id: &str) -> Result<PathBuf, EvalError> {
        in_its_folder(paths::predictions(&self.path, id))
    }

    /// The file with the probabilities of that model's best classes; its folder is made if need be.
    pub(crate) fn confidences(&self, id: &str) -> Result<PathBuf, EvalError> {
        in_its_folder(paths::confidences(&self.path, id))
    }

    /// The log of what that model computes again; its folder is made if need be.
    pub(crate) fn rechecks(&self, id: &str) -> Result<PathBuf, EvalError> {
        in_its_folder(paths::rechecks(&self.path, id))
    }

    /// The probabilities of the best classes of the model with this `id`, as far as `rows` have predictions of those images.
    pub(crate) fn confidences_of(&self, id: &str, rows: &[Prediction]) -> HashMap<String, f32> {
        let mut known = confidences::read(&paths::confidences(&self.path, id));
        let predicted = rows.iter().filter(|row| row.outcome.is_ok());
        predicted.filter_map(|row| known.remove_entry(&row.image)).collect()
    }

    /// The digests of the run's images.
    pub(crate) fn digests(&self) -> PathBuf {
        self.path.join(DIGESTS)
    }

    /// The digests of the images that the model with this `id` has a prediction of, as far as they are known.
    pub(crate) fn predicted(&self, id: &str) -> Result<HashMap<String, Digest>, EvalError> {
        let mut known = digests::read(&self.digests())?;
        let rows = predictions::read_unfinished(&paths::predictions(&self.path, id))?;
        let predicted = rows.into_iter().filter(|row| row.outcome.is_ok());
        Ok(predicted.filter_map(|row| known.remove_entry(&row.image)).collect())
    }

    pub(crate) fn image_changed(&self, image: &str, before: &Digest, now: &Digest) -> EvalError {
        let (before, now) = (digests::hex(before), digests::hex(now));
        EvalError::ImageChanged { path: self.digests(), image: image.to_owned(), before, now }
    }
}

impl Drop for RunDir {
    /// Removes the folders that were made, if no run was begun in them: a command that is refused leaves nothing behind.
    /// A process that waits for the lock notices that its file is gone, and makes a new one.
    fn drop(&mut self) {
        let is_begun = paths::record(&self.path).exists();
        if !is_begun && self.made.contains(&self.path) {
            let _ = fs::remove_file(self.path.join(LOCK));
            // If somebody has put something into a folder, it stays, and so do those around it.
            let _ = self.made.iter().try_for_each(fs::remove_dir);
        }
    }
}

/// `file`, once its folder is there.
fn in_its_folder(file: PathBuf) -> Result<PathBuf, EvalError> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
    }
    Ok(file)
}
