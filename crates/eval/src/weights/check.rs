//! Whether a file is the published one.

use std::io;

use dataset::regular::RegularFile;
use md5::Md5;
use models::catalog::{MIN_SHA256_DIGITS, PublishedWeights};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::logs::digests::hex;

/// What a file is told by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    /// MD5 where the catalog tells the file by it, as Keras publishes: it takes longer than SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// Size.
    pub bytes: u64,
}

impl Fingerprint {
    /// Reads the file once.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(file: &RegularFile) -> io::Result<Self> {
        Self::read(file, None)
    }

    /// That of several files: the hash of their hashes, a line each.
    pub(super) fn with(self, others: &[Self]) -> Self {
        let all = || [&self].into_iter().chain(others);
        let lines: String = all().map(|one| format!("{}\n", one.sha256)).collect();
        Self { sha256: hex(Sha256::digest(lines)), md5: None, bytes: all().map(|one| one.bytes).sum() }
    }

    /// Reads the file once, for whatever the catalog tells the published one by.
    pub(super) fn for_check(file: &RegularFile, weights: &PublishedWeights) -> io::Result<Self> {
        Self::read(file, weights.md5.as_ref().map(|_| Md5::new()))
    }

    fn read(file: &RegularFile, mut md5: Option<Md5>) -> io::Result<Self> {
        let (mut sha256, mut bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = match file.read_at(&mut buffer, bytes) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            sha256.update(&buffer[..read]);
            if let Some(md5) = &mut md5 {
                md5.update(&buffer[..read]);
            }
            bytes += read as u64;
        }
        Ok(Self { sha256: hex(sha256.finalize()), md5: md5.map(|md5| hex(md5.finalize())), bytes })
    }
}

/// What a comparison with the catalog, or with the first download, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// It is the published file.
    Published,
    /// The catalog has nothing to tell it by; it is the file that was first seen.
    AsFirstSeen,
    /// The catalog has nothing to tell it by, and it was not seen before.
    Unknown,
    /// It is another file, and how that shows.
    Differs(String),
}

/// Whether a SHA-256 has these first digits, as many as tell a file at least.
pub(super) fn begins_with(sha256: &str, prefix: &str) -> bool {
    let digits = sha256.get(..prefix.len());
    prefix.len() >= MIN_SHA256_DIGITS && digits.is_some_and(|digits| digits.eq_ignore_ascii_case(prefix))
}

/// Compares a file with what the catalog says of the published one, or else with the one `first_seen`.
pub(super) fn check(
    weights: &PublishedWeights,
    file: &Fingerprint,
    first_seen: Option<&Fingerprint>,
) -> Check {
    let mut known = false;
    if let Some(bytes) = weights.bytes
        && bytes != file.bytes
    {
        return Check::Differs(format!("it has {} bytes, which should be {bytes}", file.bytes));
    }
    if let Some(prefix) = &weights.sha256_prefix {
        known = true;
        if !begins_with(&file.sha256, prefix) {
            return Check::Differs(format!(
                "its SHA-256 is {}, which should begin with {prefix}",
                file.sha256
            ));
        }
    }
    if let Some(md5) = &weights.md5 {
        known = true;
        let found = file.md5.as_deref().unwrap_or("not known");
        if !md5.eq_ignore_ascii_case(found) {
            return Check::Differs(format!("its MD5 is {found}, which should be {md5}"));
        }
    }
    match first_seen {
        _ if known => Check::Published,
        Some(first) if (&first.sha256, first.bytes) == (&file.sha256, file.bytes) => Check::AsFirstSeen,
        Some(first) => Check::Differs(format!(
            "its SHA-256 is {}, which was {} when the file was first seen here",
            file.sha256, first.sha256
        )),
        None => Check::Unknown,
    }
}
