//! The folder that keeps published weights: what lies where in it, who may write, and what was first seen in it.
//!
//! A file is kept by its address, so that two addresses never share bytes. The built-in catalog's files lie under their own
//! names, which are unique there and where people put them by hand; those of other catalogs in a folder an address.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use dataset::regular::{self, RegularFile};
use models::Catalog;
use models::catalog::PublishedWeights;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::check::{Check, Fingerprint, check};
use crate::logs::digests::hex;

/// Remembers the files that the catalog has no hash for, by what they were when first seen.
pub(super) const FIRST_SEEN: &str = "first-seen.json";

/// More than any such record has.
const MAX_RECORD_BYTES: u64 = 64 << 20;

/// A folder of published weights.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// Holds a file's lock until it is dropped. The lock file stays: removing it would let two processes
/// lock two files of the same name.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// An entry of the record of first sights.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sight {
    #[serde(flatten)]
    file: Fingerprint,
    /// Where it is published; absent in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// What [`Cache::forget`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// SHA-256 that was expected until then.
    pub sha256: String,
    /// What became of the cached file.
    pub cached: ForgottenFile,
}

/// What became of a cached file whose first sight was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForgottenFile {
    /// There was none.
    Absent,
    /// It was the file that was first seen, and lies here now.
    SetAside(PathBuf),
    /// It was another, and stayed.
    Kept,
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

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file's name in the cache, with `/` between its parts: the key by which everything there is known.
    pub fn key(weights: &PublishedWeights) -> String {
        if is_built_in(weights) {
            return weights.file.clone();
        }
        // Half of the digits: nobody finds two addresses that share them.
        let digest = hex(&Sha256::digest(weights.url.as_bytes())[..16]);
        format!("url-{digest}/{}", weights.file)
    }

    /// Where a file is, or would be.
    pub fn path(&self, weights: &PublishedWeights) -> PathBuf {
        self.folder.join(Self::key(weights))
    }

    /// Where a file is while it is downloaded.
    pub fn part(&self, weights: &PublishedWeights) -> PathBuf {
        self.folder.join(Self::key(weights) + ".part")
    }

    /// Waits until no other process fetches the file; `wait` is called if that takes any time.
    ///
    /// # Errors
    /// When the folder cannot be made or its file system does not lock.
    pub fn lock(&self, weights: &PublishedWeights, wait: impl FnOnce()) -> io::Result<FileLock> {
        self.lock_key(&Self::key(weights), wait)
    }

    fn lock_key(&self, key: &str, wait: impl FnOnce()) -> io::Result<FileLock> {
        let path = self.folder.join(format!("{key}.lock"));
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        let mut options = OpenOptions::new();
        let lock = regular::open_own(&path, options.create(true).truncate(false).write(true))
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                wait();
                lock.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(FileLock { _file: lock })
    }

    /// Compares the cached file of `weights` with the catalog, or with what was first seen.
    ///
    /// # Errors
    /// When the file or the record of first sights cannot be read.
    pub fn check(&self, weights: &PublishedWeights) -> io::Result<(Fingerprint, Check)> {
        self.check_file(weights, &RegularFile::open(&self.path(weights))?)
    }

    /// The same for a file anywhere.
    ///
    /// # Errors
    /// As [`Cache::check`].
    pub(crate) fn check_file(
        &self,
        weights: &PublishedWeights,
        file: &RegularFile,
    ) -> io::Result<(Fingerprint, Check)> {
        let found = Fingerprint::for_check(file, weights)?;
        let verdict = self.judge(weights, &found)?;
        Ok((found, verdict))
    }

    /// Compares what a file is told by with the catalog, or with what was first seen.
    ///
    /// # Errors
    /// When the record of first sights cannot be read; the message names it and says what to do.
    pub(super) fn judge(&self, weights: &PublishedWeights, found: &Fingerprint) -> io::Result<Check> {
        if weights.has_hash() {
            return Ok(check(weights, found, None));
        }
        let seen = self.first_seen()?;
        let first = seen.get(&Self::key(weights)).map(|sight| &sight.file);
        Ok(match (check(weights, found, first), first) {
            (Check::Differs(reason), Some(_)) => {
                Check::Differs(format!("{reason}, as {} says", self.record().display()))
            }
            (verdict, _) => verdict,
        })
    }

    /// The record of first sights.
    pub(super) fn record(&self) -> PathBuf {
        self.folder.join(FIRST_SEEN)
    }

    /// Whether it is recorded what the file was when it was first seen. A record that cannot be read remembers nothing.
    #[must_use]
    pub fn remembers(&self, weights: &PublishedWeights) -> bool {
        !weights.has_hash() && self.first_seen().is_ok_and(|seen| seen.contains_key(&Self::key(weights)))
    }

    fn first_seen(&self) -> io::Result<BTreeMap<String, Sight>> {
        let path = self.record();
        let text = match regular::read(&path, MAX_RECORD_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            read => read,
        };
        // Not forgotten silently: whoever could damage it could replace the weights.
        text.and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from)).map_err(|error| {
            let remedy = "make it readable, or remove it to trust the cached files anew";
            io::Error::new(error.kind(), format!("{}: {error}; {remedy}", path.display()))
        })
    }

    /// From now on, the file is expected to be what it is now.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(crate) fn trust(&self, weights: &PublishedWeights, fingerprint: &Fingerprint) -> io::Result<()> {
        // One record for all files, so it has a lock of its own.
        let _lock = self.lock_key(FIRST_SEEN, || ())?;
        let mut seen = self.first_seen()?;
        if let Some(sight) = seen.get(&Self::key(weights)) {
            return match sight.file.sha256 == fingerprint.sha256 {
                true => Ok(()),
                false => Err(io::Error::other("another process has recorded another file meanwhile")),
            };
        }
        let sight = Sight { file: fingerprint.clone(), url: Some(weights.url.clone()) };
        seen.insert(Self::key(weights), sight);
        self.write_first_seen(&seen)
    }

    fn write_first_seen(&self, seen: &BTreeMap<String, Sight>) -> io::Result<()> {
        let path = self.record();
        let new = path.with_extension("json.new");
        let mut out = regular::create_anew(&new)?;
        out.write_all(&serde_json::to_vec_pretty(seen).map_err(io::Error::other)?)?;
        out.sync_all()?;
        fs::rename(new, path)
    }

    /// Forgets what the file was when it was first seen; `None` if nothing was recorded of it.
    ///
    /// Nothing is deleted. A cached file that is the one that was first seen is set aside, because it would be the
    /// first one seen again; another one, which somebody has put there since, stays and is recorded when it is used.
    ///
    /// # Errors
    /// When the record or the cached file cannot be read or written; the record is the last to change.
    pub fn forget(&self, weights: &PublishedWeights) -> io::Result<Option<Forgotten>> {
        let key = Self::key(weights);
        if !self.first_seen()?.contains_key(&key) {
            return Ok(None);
        }
        let _file = self.lock_key(&key, || ())?;
        let _record = self.lock_key(FIRST_SEEN, || ())?;
        let mut seen = self.first_seen()?;
        let Some(Sight { file: first, .. }) = seen.remove(&key) else { return Ok(None) };
        let path = self.path(weights);
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let cached = match RegularFile::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => ForgottenFile::Absent,
            Err(error) => return Err(at(error)),
            Ok(file) => match Fingerprint::of(&file).map_err(at)?.sha256 == first.sha256 {
                true => ForgottenFile::SetAside(set_aside(&path).map_err(at)?),
                false => ForgottenFile::Kept,
            },
        };
        self.write_first_seen(&seen)?;
        Ok(Some(Forgotten { sha256: first.sha256, cached }))
    }
}

/// Renames the file at `path` to a name that nothing has yet.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = (1..).map(|number| match number {
        1 => path.with_added_extension("forgotten"),
        number => path.with_added_extension(format!("forgotten-{number}")),
    });
    let free = aside.into_iter().find(|aside| aside.symlink_metadata().is_err());
    let free = free.ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(path, &free)?;
    Ok(free)
}

/// Whether it is one of the built-in catalog's files: by its address and its name.
fn is_built_in(weights: &PublishedWeights) -> bool {
    static BUILT_IN: OnceLock<Vec<(String, String)>> = OnceLock::new();
    let built_in = BUILT_IN.get_or_init(|| {
        let catalog = Catalog::built_in();
        let weights = catalog.models().iter().filter_map(|model| model.weights.clone());
        weights.map(|weights| (weights.url, weights.file)).collect()
    });
    built_in.iter().any(|(url, file)| (url, file) == (&weights.url, &weights.file))
}
