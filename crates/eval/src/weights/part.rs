//! The part of a file that has arrived, and what it is a part of: bytes of two versions must never be joined.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use dataset::regular;
use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, header};

/// Kept beside a part file: what it is a part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartOf {
    pub(super) url: String,
    /// Entity tag or date, without which a server may have put another file there since.
    pub(super) validator: Option<String>,
    /// The date, where the validator is a tag.
    #[serde(default)]
    modified: Option<String>,
    /// Size of the whole.
    pub(super) total: Option<u64>,
}

impl PartOf {
    /// What an answer's body is a part of, or all.
    pub(super) fn of_answer(url: &str, headers: &HeaderMap, total: Option<u64>) -> Self {
        let text = |name| header_text(headers, name).map(str::to_owned);
        let modified = text(header::LAST_MODIFIED);
        // A weak tag may stay while bytes change.
        let tag = text(header::ETAG).filter(|tag| !tag.starts_with("W/"));
        Self { url: url.to_owned(), validator: tag.or_else(|| modified.clone()), modified, total }
    }

    /// Whether both are certainly of one version of the file.
    pub(super) fn is_of_the_version_of(&self, other: &Self) -> bool {
        let agree = |one: &Option<String>, other: &Option<String>| {
            one.as_ref().zip(other.as_ref()).is_none_or(|(one, other)| one == other)
        };
        let totals = self.total.zip(other.total).is_none_or(|(one, other)| one == other);
        self.validator.is_some()
            && self.validator == other.validator
            && agree(&self.modified, &other.modified)
            && totals
    }
}

/// More than what is kept beside a part has.
const MAX_SIDECAR_BYTES: u64 = 1 << 20;

/// What lies in the part file, if it can be gone on with.
pub(super) fn resumable(part: &Path, url: &str) -> Option<PartOf> {
    let part_of: PartOf =
        serde_json::from_slice(&regular::read(&sidecar(part), MAX_SIDECAR_BYTES).ok()?).ok()?;
    let is_own = part.symlink_metadata().is_ok_and(|found| found.is_file());
    (part_of.validator.is_some() && part_of.url == url && is_own).then_some(part_of)
}

pub(super) fn sidecar(part: &Path) -> PathBuf {
    part.with_added_extension("json")
}

/// Bytes in a file, 0 if it is not there.
pub(super) fn length(path: &Path) -> u64 {
    path.symlink_metadata().map_or(0, |metadata| metadata.len())
}

/// The part file, ready to be written from `start` on. From the start it is a new one: what others may have put there, such
/// as a link to a file of theirs, is not written to.
pub(super) fn open_at(part: &Path, start: u64) -> io::Result<File> {
    if start == 0 {
        return regular::create_anew(part);
    }
    let mut file = regular::open_own(part, OpenOptions::new().write(true))?;
    file.set_len(start)?;
    file.seek(io::SeekFrom::Start(start))?;
    Ok(file)
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Forgets what was received.
pub(super) fn discard(part: &Path) -> io::Result<()> {
    remove(part)?;
    remove(&sidecar(part))
}

pub(super) fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A part of a file, as `Content-Range` says it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) start: u64,
    /// Place after its last byte.
    pub(super) end: u64,
    pub(super) total: Option<u64>,
}

/// `bytes 200-999/1000`, whose total may be `*`; nothing that contradicts itself.
pub(super) fn content_range(value: Option<&str>) -> Option<ContentRange> {
    let (range, total) = value?.strip_prefix("bytes ")?.split_once('/')?;
    let (start, last) = range.split_once('-')?;
    let (start, last) = (start.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let end = last.checked_add(1)?;
    (start < end && total.is_none_or(|total| end <= total)).then_some(ContentRange { start, end, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_contradicts_itself_is_none() {
        let range = |start, end, total| Some(ContentRange { start, end, total });
        assert_eq!(content_range(Some("bytes 200-999/1000")), range(200, 1000, Some(1000)));
        assert_eq!(content_range(Some("bytes 200-999/*")), range(200, 1000, None));
        for wrong in
            ["items 1-2/3", "bytes 9-8/10", "bytes 1-10/10", "bytes 1-2/x", "bytes -2/3", "bytes 1-/3"]
        {
            assert_eq!(content_range(Some(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn parts_are_of_one_version_by_validator_and_total() {
        let part = |validator: Option<&str>, modified: Option<&str>, total| PartOf {
            url: String::new(),
            validator: validator.map(str::to_owned),
            modified: modified.map(str::to_owned),
            total,
        };
        let before = part(Some("\"a\""), Some("Monday"), Some(9));
        for (validator, modified, total, expected) in [
            (Some("\"a\""), Some("Monday"), Some(9), true),
            (Some("\"a\""), None, None, true),
            (Some("\"b\""), Some("Monday"), Some(9), false),
            (Some("\"a\""), Some("Tuesday"), Some(9), false),
            (Some("\"a\""), Some("Monday"), Some(8), false),
            (Some("Monday"), Some("Monday"), Some(9), false),
            (None, None, Some(9), false),
        ] {
            let answer = part(validator, modified, total);
            assert_eq!(answer.is_of_the_version_of(&before), expected, "{answer:?}");
        }
        assert!(!part(None, None, Some(9)).is_of_the_version_of(&part(None, None, Some(9))));
    }
}
