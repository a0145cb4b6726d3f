//! The folder that keeps published weights: where it is, who may write, and what was first seen in it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use models::catalog::PublishedWeights;

use super::check::{Check, Fingerprint, check};

/// Remembers the files that the catalog has no hash for, by what they were when first seen.
const FIRST_SEEN: &str = "first-seen.json";

/// A folder of published weights.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// Holds a file's lock until it is dropped. The lock file stays: removing it would let two processes
/// lock two files of the same name.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Cache {
    /// `IMAGENET_EVAL_CACHE`, else the user's cache directory.
    pub fn from_environment() -> Self {
        let named = std::env::var_os("IMAGENET_EVAL_CACHE").filter(|folder| !folder.is_empty());
        let folder = match named {
            Some(folder) => folder.into(),
            None => dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("imagenet-eval"),
        };
        Self { folder }
    }

    /// A cache in `folder`.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where a file is, or would be.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Where a file is while it is downloaded.
    pub fn part(&self, file: &str) -> PathBuf {
        self.folder.join(format!("{file}.part"))
    }

    /// Waits until no other process fetches `file`; `wait` is called if that takes any time.
    ///
    /// # Errors
    /// When the folder cannot be made or its file system does not lock.
    pub fn lock(&self, file: &str, wait: impl FnOnce()) -> io::Result<Lock> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(format!("{file}.lock"));
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                wait();
                lock.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Lock { _file: lock })
    }

    /// Compares the cached file with the catalog, or with what was first seen.
    ///
    /// # Errors
    /// When the file or the record of first sights cannot be read.
    pub fn check(&self, weights: &PublishedWeights) -> io::Result<(Fingerprint, Check)> {
        self.check_file(weights, &self.path(&weights.file))
    }

    /// The same for a file anywhere.
    ///
    /// # Errors
    /// As [`Cache::check`].
    pub(crate) fn check_file(
        &self,
        weights: &PublishedWeights,
        path: &Path,
    ) -> io::Result<(Fingerprint, Check)> {
        let found = Fingerprint::for_check(path, weights)?;
        let verdict = self.judge(weights, &found)?;
        Ok((found, verdict))
    }

    /// Compares what a file is told by with the catalog, or with what was first seen.
    ///
    /// # Errors
    /// When the record of first sights cannot be read; the message names it and says what to do.
    pub(super) fn judge(&self, weights: &PublishedWeights, found: &Fingerprint) -> io::Result<Check> {
        Ok(check(weights, found, self.first_seen()?.get(&weights.file)))
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn first_seen(&self) -> io::Result<BTreeMap<String, Fingerprint>> {
        let path = self.path(FIRST_SEEN);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            read => read,
        };
        // Not forgotten silently: whoever could damage it could replace the weights.
        text.and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from)).map_err(|error| {
            let remedy = "make it readable, or remove it to trust the cached files anew";
            io::Error::new(error.kind(), format!("{}: {error}; {remedy}", path.display()))
        })
    }

    /// From now on, `file` is expected to be what it is now.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(crate) fn trust(&self, file: &str, fingerprint: &Fingerprint) -> io::Result<()> {
        // One record for all files, so it has a lock of its own.
        let _lock = self.lock(FIRST_SEEN, || ())?;
        let mut seen = self.first_seen()?;
        seen.entry(file.to_owned()).or_insert_with(|| fingerprint.clone());
        let path = self.path(FIRST_SEEN);
        let new = path.with_extension("json.new");
        let mut out = File::create(&new)?;
        out.write_all(&serde_json::to_vec_pretty(&seen).map_err(io::Error::other)?)?;
        out.sync_all()?;
        fs::rename(new, path)
    }
}
