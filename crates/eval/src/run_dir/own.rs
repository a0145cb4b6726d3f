//! Which files in a folder belong to a run: those that are named after the models of its `run.json`, if this program wrote that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dataset::regular;

use super::identity::RunIdentity;
use super::lock;
use super::paths::{self, FOLDERS, LOCK};
use crate::EvalError;
use crate::record::{RunRecord, SCHEMA_VERSION};

/// More than `run.json` has for a hundred models.
const MAX_RECORD_BYTES: u64 = 1 << 30;

/// The record in the directory `path`, if there is one.
///
/// # Errors
/// [`EvalError::RunFile`], and [`EvalError::DamagedRun`] when it is not this program's.
pub(crate) fn read_record(path: &Path) -> Result<Option<RunRecord>, EvalError> {
    let path = paths::record(path);
    let damaged = |reason| EvalError::DamagedRun { path: path.clone(), reason };
    let text = match regular::read(&path, MAX_RECORD_BYTES) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed("read", &path)(error)),
    };
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    let version = &value["schema_version"];
    if *version != SCHEMA_VERSION {
        return Err(damaged(format!(
            "its schema_version is {version}, this program writes {SCHEMA_VERSION}"
        )));
    }
    serde_json::from_value(value).map(Some).map_err(|error| damaged(error.to_string()))
}

/// The record in the directory `path`, if there is one; it has to be this program's.
pub(super) fn own_record(path: &Path) -> Result<Option<RunRecord>, EvalError> {
    read_record(path).map_err(|error| match error {
        EvalError::DamagedRun { path: record, reason } => {
            EvalError::ForeignRecord { path: path.to_owned(), record, reason }
        }
        other => other,
    })
}

/// What the run of `record` in `path` wrote.
pub(super) fn files_of(path: &Path, record: &RunRecord) -> Vec<PathBuf> {
    paths::files(path, record.models.iter().map(|model| model.id.as_str()))
}

/// Whether every file that an evaluation will write to `path` is its own to write: there is none yet, or one that the run of
/// `before` wrote.
pub(super) fn check_the_way(
    path: &Path,
    identity: &RunIdentity,
    before: Option<&RunRecord>,
) -> Result<(), EvalError> {
    let own = before.map(|before| files_of(path, before)).unwrap_or_default();
    if !lock::is_own(&path.join(LOCK)) {
        return Err(EvalError::InTheWay { path: path.to_owned(), strange: path.join(LOCK) });
    }
    for folder in FOLDERS {
        // A link may lead to the files of another run, which have the same names.
        let folder = path.join(folder);
        if fs::symlink_metadata(&folder).is_ok_and(|found| !found.is_dir()) {
            return Err(EvalError::InTheWay { path: path.to_owned(), strange: folder });
        }
    }
    for file in paths::files(path, identity.ids()) {
        // `symlink_metadata`, because a broken link is in the way too.
        let Ok(found) = fs::symlink_metadata(&file) else { continue };
        if before.is_none() {
            return Err(EvalError::NotARun { path: path.to_owned(), strange: file });
        }
        // A run makes files only, so a link or a folder is not its own.
        if !own.contains(&file) || !found.is_file() {
            return Err(EvalError::InTheWay { path: path.to_owned(), strange: file });
        }
    }
    Ok(())
}

/// A file or folder that the operating system refuses.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EvalError {
    let path = path.to_owned();
    move |source| EvalError::RunFile { action, path, source }
}
