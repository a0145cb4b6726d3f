//! `digests.csv`: the SHA-256 of every image's bytes as the run read them, a row an image, one file for all models.
//!
//! Rows are appended before those of the prediction logs, so that an image with a prediction has a digest. A run is over one set
//! of bytes: an image that a model has a prediction of must be read as the same bytes for the next model, in whatever session. One
//! that has only errors may change: whoever mends a file changes it, and its new digest then stands for it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::EvalError;
use crate::logs::append_log::AppendLog;

const HEADER: &str = "image,sha256";

/// The SHA-256 of an image's bytes.
pub(crate) type Digest = [u8; 32];

pub(crate) fn of(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// In hexadecimal.
pub(crate) fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn of_hex(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// The digests of a run that goes on.
#[derive(Debug)]
pub(crate) struct DigestLog {
    path: PathBuf,
    log: AppendLog,
    known: HashMap<String, Digest>,
}

impl DigestLog {
    /// Opens the file at `path`, creating it if need be; cuts off a torn last line.
    ///
    /// # Errors
    /// [`EvalError::RunFile`], and [`EvalError::DamagedRun`] when a line is not one of a run's.
    pub(crate) fn open(path: &Path) -> Result<Self, EvalError> {
        let (log, lines) = AppendLog::open(path, HEADER)?;
        let known =
            parse(&lines).map_err(|reason| EvalError::DamagedRun { path: path.to_owned(), reason })?;
        Ok(Self { path: path.to_owned(), log, known })
    }

    /// Takes the digests of images as they were just read, each with whether a model has a prediction of it.
    ///
    /// # Errors
    /// [`EvalError::ImageChanged`] for an image with a prediction of other bytes; [`EvalError::RunFile`].
    pub(crate) fn add(&mut self, read: &[(&str, Digest, bool)]) -> Result<(), EvalError> {
        for &(image, now, has_prediction) in read {
            if let Some(before) = self.known.get(image).filter(|before| has_prediction && **before != now) {
                return Err(EvalError::ImageChanged {
                    path: self.path.clone(),
                    image: image.to_owned(),
                    before: hex(before),
                    now: hex(now),
                });
            }
        }
        let new = read.iter().filter(|(image, digest, _)| self.known.get(*image) != Some(digest));
        let new: Vec<(&str, Digest)> = new.map(|&(image, digest, _)| (image, digest)).collect();
        if new.is_empty() {
            return Ok(());
        }
        self.log.append(new.iter().map(|(image, digest)| [(*image).to_owned(), hex(digest)]))?;
        self.known.extend(new.into_iter().map(|(image, digest)| (image.to_owned(), digest)));
        Ok(())
    }

    /// What is known of each image.
    pub(crate) fn known(&self) -> &HashMap<String, Digest> {
        &self.known
    }
}

/// The digests in the file at `path`, whose last line may be torn; none if there is no such file.
///
/// # Errors
/// [`EvalError::Unreadable`] and [`EvalError::DamagedStoredRun`].
pub(crate) fn read(path: &Path) -> Result<HashMap<String, Digest>, EvalError> {
    parse(&lines(path)?).map_err(|reason| EvalError::DamagedStoredRun { path: path.to_owned(), reason })
}

/// The same of a run that is to go on.
///
/// # Errors
/// [`EvalError::Unreadable`] and [`EvalError::DamagedRun`].
pub(crate) fn read_unfinished(path: &Path) -> Result<HashMap<String, Digest>, EvalError> {
    parse(&lines(path)?).map_err(|reason| EvalError::DamagedRun { path: path.to_owned(), reason })
}

/// Its whole lines.
fn lines(path: &Path) -> Result<Vec<u8>, EvalError> {
    let mut lines = crate::logs::append_log::read(path)
        .map_err(|source| EvalError::Unreadable { path: path.to_owned(), source })?;
    crate::logs::append_log::cut_torn_line(&mut lines);
    Ok(lines)
}

/// The whole file of a finished run: `images` in their order, as far as they are known.
pub(crate) fn whole<'a>(
    images: impl Iterator<Item = &'a str>,
    known: &HashMap<String, Digest>,
) -> Result<Vec<u8>, std::io::Error> {
    let rows = images.filter_map(|image| Some([image.to_owned(), hex(known.get(image)?)]));
    crate::logs::append_log::whole(HEADER, rows)
}

/// Of an image that stands there several times the last row counts: it was mended.
fn parse(bytes: &[u8]) -> Result<HashMap<String, Digest>, String> {
    if bytes.is_empty() {
        return Ok(HashMap::new());
    }
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?;
    if header.iter().ne(HEADER.split(',')) {
        return Err(format!("its first line should be {HEADER}"));
    }
    let mut known = HashMap::new();
    for (line, record) in (2..).zip(reader.records()) {
        let record = record.map_err(|error| error.to_string())?;
        let digest = record.get(1).and_then(of_hex);
        let digest = digest.ok_or_else(|| format!("line {line}: no SHA-256 stands there"))?;
        known.insert(record.get(0).unwrap_or_default().to_owned(), digest);
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_may_change_as_long_as_nothing_is_known_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digests.csv");
        let (old, new) = (of(b"old"), of(b"new"));
        let mut digests = DigestLog::open(&path).unwrap();
        digests.add(&[("a, b", old, false), ("c", old, false)]).unwrap();
        digests.add(&[("a, b", old, true), ("c", new, false)]).unwrap();
        let error = digests.add(&[("a, b", new, true)]).unwrap_err().to_string();
        assert!(error.contains("a, b") && error.contains(&hex(new)), "{error}");
        drop(digests);

        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
        let expected = HashMap::from([("a, b".to_owned(), old), ("c".to_owned(), new)]);
        assert_eq!(read(&path).unwrap(), expected);
        // Torn at any byte, whole lines count.
        for length in 0..text.len() {
            std::fs::write(&path, &text[..length]).unwrap();
            assert!(read(&path).is_ok(), "{length}");
            DigestLog::open(&path).unwrap().add(&[("a, b", old, false), ("c", new, false)]).unwrap();
            assert_eq!(read(&path).unwrap(), expected, "{length}");
        }
        #[cfg(target_os = "linux")]
        {
            // What never ends is not read.
            let endless = folder.path().join("endless");
            std::os::unix::fs::symlink("/dev/zero", &endless).unwrap();
            assert!(matches!(read(&endless), Err(EvalError::Unreadable { .. })));
        }
        let whole = String::from_utf8(whole(["c", "d", "a, b"].into_iter(), &expected).unwrap()).unwrap();
        assert_eq!(whole, format!("image,sha256\nc,{}\n\"a, b\",{}\n", hex(new), hex(old)));
        for foreign in ["mine,too\nx,y\n", "image,sha256\nx,y\n", "image,sha256\nx\n"] {
            std::fs::write(&path, foreign).unwrap();
            assert!(matches!(DigestLog::open(&path), Err(EvalError::DamagedRun { .. })), "{foreign}");
        }
    }
}
