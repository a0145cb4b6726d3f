//! Whether the images of a run are those of the validation set by their bytes, and not only by their names. A resized or drawn picture under
//! the right name gives another accuracy, and nothing else would say so.
//!
//! `ILSVRC2012_img_val.tar` is known by its MD5, which its publishers state. The images of a folder are known by digests that were once taken
//! from that tar: `dataset check TAR` writes them into the cache, and with `--write-digests` into a file, each row with the tar's MD5.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use dataset::labels::{VAL_IMAGES, val_file_number};
use dataset::{Dataset, regular};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use crate::logs::digests::{self, Digest};
use crate::weights::Cache;
use crate::{EvalError, EvidenceError};

/// The MD5 of `ILSVRC2012_img_val.tar`, as image-net.org and torchvision state it.
pub const VAL_TAR_MD5: &str = "29b22e2961454d5413ddabcf34fc5622";

/// The tar's name, for people.
const TAR: &str = "ILSVRC2012_img_val.tar";

/// The file in the cache.
const CACHED: &str = "ILSVRC2012_img_val.digests.csv";

/// The heading of digests from a tar that was verified. Others lack the last column.
const HEADER: [&str; 3] = ["image", "sha256", "tar_md5"];

/// Ten times what 50,000 rows have.
const MOST_BYTES: u64 = 100 << 20;

/// What is known of the bytes of a run's images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Pixels {
    /// Nothing but their names.
    #[default]
    Unverified,
    /// They were read from the tar, whose MD5 is the published one.
    Tar {
        /// The MD5.
        md5: String,
    },
    /// Each has the digest that was taken from the tar.
    Digests {
        /// How many were compared.
        images: usize,
    },
    /// Some are others than those of the tar, by their digests.
    Other {
        /// How many.
        others: usize,
        /// The first of them.
        first: String,
    },
}

impl Pixels {
    /// Whether nothing is known.
    pub(crate) fn is_unverified(&self) -> bool {
        *self == Self::Unverified
    }

    /// What is said of them beside a verdict.
    pub fn words(&self) -> String {
        match self {
            Self::Unverified => "unverified pixels".to_owned(),
            Self::Tar { .. } => format!("pixels of {TAR}, verified by its MD5"),
            Self::Digests { .. } => format!("pixels of {TAR}, verified by digests taken from it"),
            Self::Other { others, first } => {
                format!("{others} images are not those of {TAR} ({first} first)")
            }
        }
    }

    /// What is known of the images of several shards together.
    pub(crate) fn together<'a>(parts: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let others = parts.clone().filter_map(|part| match part {
            Self::Other { others, first } => Some((*others, first.clone())),
            _ => None,
        });
        if let Some((others, first)) = others.reduce(|one, other| (one.0 + other.0, one.1.min(other.1))) {
            return Self::Other { others, first };
        }
        let both = |one: Self, other: &Self| match (one, other) {
            (Self::Digests { images }, Self::Digests { images: more }) => {
                Self::Digests { images: images + more }
            }
            (one, other) if one == *other => one,
            // One by the tar, one by digests of it: the same bytes.
            (Self::Digests { images }, Self::Tar { .. }) => Self::Digests { images },
            (Self::Tar { .. }, Self::Digests { images }) => Self::Digests { images: *images },
            _ => Self::Unverified,
        };
        let mut parts = parts;
        let first = parts.next().cloned().unwrap_or_default();
        parts.fold(first, both)
    }
}

/// The digests of all 50,000 images, taken from the verified tar.
#[derive(Debug, Clone)]
pub struct TarDigests {
    /// By file number, less 1.
    digests: Vec<Digest>,
}

impl TarDigests {
    /// Reads a file that [`Self::text`] made.
    ///
    /// # Errors
    /// [`EvidenceError::TarDigests`] when it cannot be read, is no such file, or lacks images.
    pub fn read(path: &Path) -> Result<Self, EvalError> {
        let failed = |reason| EvalError::from(EvidenceError::TarDigests { path: path.to_owned(), reason });
        let bytes = regular::read(path, MOST_BYTES).map_err(|error| failed(error.to_string()))?;
        Self::parse(&bytes, VAL_TAR_MD5).map_err(failed)
    }

    fn parse(bytes: &[u8], md5: &str) -> Result<Self, String> {
        let mut csv = csv::Reader::from_reader(bytes);
        let header = csv.headers().map_err(|error| error.to_string())?;
        if header.iter().ne(HEADER) {
            return Err(format!("its first line should be {}", HEADER.join(",")));
        }
        let mut found: Vec<Option<Digest>> = vec![None; VAL_IMAGES];
        for (line, row) in (2..).zip(csv.records()) {
            let row = row.map_err(|error| error.to_string())?;
            let [image, digest, from] = [0, 1, 2].map(|at| row.get(at).unwrap_or_default());
            if !from.eq_ignore_ascii_case(md5) {
                return Err(format!(
                    "line {line}: its tar has the MD5 {from:?}, and not {md5}, which is that of {TAR}"
                ));
            }
            let number = val_file_number(image)
                .ok_or_else(|| format!("line {line}: {image:?} is no image of {TAR}"))?;
            let digest =
                digests::of_hex(digest).ok_or_else(|| format!("line {line}: no SHA-256 stands there"))?;
            if found[number - 1].replace(digest).is_some() {
                return Err(format!("line {line}: {image} is there twice"));
            }
        }
        let missing = found.iter().filter(|digest| digest.is_none()).count();
        let digests: Option<Vec<Digest>> = found.into_iter().collect();
        let digests = digests.map(|digests| Self { digests });
        digests.ok_or_else(|| format!("{missing} of the {VAL_IMAGES} images are missing"))
    }

    /// The file's text, of images as they were read from the tar with this MD5.
    ///
    /// # Errors
    /// A sentence, where they are not the 50,000.
    pub fn text<'a>(images: impl Iterator<Item = (&'a str, Digest)>, md5: &str) -> Result<String, String> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(HEADER).map_err(|error| error.to_string())?;
        for (image, digest) in images {
            csv.write_record([image, &digests::hex(digest), md5]).map_err(|error| error.to_string())?;
        }
        let bytes = csv.into_inner().map_err(|error| error.to_string())?;
        Self::parse(&bytes, md5)?;
        String::from_utf8(bytes).map_err(|error| error.to_string())
    }

    /// Those of `file`; else those in the cache, if they are there.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn at_hand(file: Option<&Path>) -> Result<Option<Self>, EvalError> {
        let cached = Self::cached(Cache::from_environment().folder());
        match file {
            Some(file) => Self::read(file).map(Some),
            None if cached.exists() => Self::read(&cached).map(Some),
            None => Ok(None),
        }
    }

    /// Where they are kept once a tar was verified.
    pub fn cached(cache: &Path) -> PathBuf {
        cache.join(CACHED)
    }

    /// Holds images, each with the digest of its bytes, against those of the tar. What has no number of the validation set, or no digest, is none of
    /// them.
    pub fn check<'a>(&self, images: impl Iterator<Item = (&'a str, Option<Digest>)>) -> Pixels {
        let (mut others, mut first, mut count) = (0, None, 0);
        for (image, digest) in images {
            count += 1;
            let of_tar = val_file_number(image).map(|number| self.digests[number - 1]);
            if digest.is_none() || digest != of_tar {
                others += 1;
                first.get_or_insert(image);
            }
        }
        match first {
            Some(first) => Pixels::Other { others, first: first.to_owned() },
            None if count == 0 => Pixels::Unverified,
            None => Pixels::Digests { images: count },
        }
    }
}

/// The MD5 of the archive that `dataset` is read from, by all its bytes; none where it is no archive, cannot be read, or `stop` was
/// set before the end. `read` is told how many bytes were read.
pub fn archive_md5(dataset: &Dataset, stop: &AtomicBool, mut read: impl FnMut(u64)) -> Option<String> {
    let mut hash = Md5::new();
    let piece = |bytes: &[u8]| {
        hash.update(bytes);
        read(bytes.len() as u64);
        !stop.load(Ordering::Relaxed)
    };
    let is_whole = dataset.read_archive(piece)?.ok()?;
    is_whole.then(|| digests::hex(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> String {
        format!("ILSVRC2012_val_{number:08}.JPEG")
    }

    fn digest(number: usize) -> Digest {
        digests::of(&number.to_le_bytes())
    }

    #[test]
    fn digests_of_the_tar_tell_its_images() {
        let names: Vec<String> = (1..=VAL_IMAGES).map(name).collect();
        let all = || names.iter().zip(1..).map(|(name, number)| (name.as_str(), digest(number)));
        let text = TarDigests::text(all(), VAL_TAR_MD5).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = TarDigests::cached(folder.path());
        std::fs::write(&path, &text).unwrap();
        let known = TarDigests::read(&path).unwrap();

        // In whatever folders they lie.
        let folders = ["val/ILSVRC2012_val_00000007.JPEG", "n01440764/ILSVRC2012_val_00050000.JPEG"];
        let seen = |of: [usize; 2]| folders.into_iter().zip(of.map(|number| Some(digest(number))));
        assert_eq!(known.check(seen([7, 50_000])), Pixels::Digests { images: 2 });
        let other = Pixels::Other { others: 1, first: folders[1].to_owned() };
        assert_eq!(known.check(seen([7, 8])), other);
        assert_eq!(known.check([(folders[1], None)].into_iter()), other);
        assert_eq!(known.check(std::iter::empty()), Pixels::Unverified);

        for (from, to, reason) in [
            ("tar_md5", "md5", "first line"),
            ("image,sha256,tar_md5\n", "image,sha256\n", "first line"),
            (",29b2", ",39b2", "its tar has the MD5"),
            ("val_00000009.", "val_00000008.", "line 10: ILSVRC2012_val_00000008.JPEG is there twice"),
            ("val_00000009.", "val_00050001.", "is no image of"),
        ] {
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            let error = TarDigests::read(&path).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        std::fs::write(&path, text.rsplit_once("ILSVRC").unwrap().0).unwrap();
        assert!(
            TarDigests::read(&path).unwrap_err().to_string().contains("1 of the 50000 images are missing")
        );
        assert!(TarDigests::text(all().skip(1), VAL_TAR_MD5).is_err());
    }

    #[test]
    fn shards_are_verified_together_or_not() {
        let tar = Pixels::Tar { md5: VAL_TAR_MD5.to_owned() };
        let digests = |images| Pixels::Digests { images };
        let other = |others, first: &str| Pixels::Other { others, first: first.to_owned() };
        for (parts, expected) in [
            (vec![tar.clone(), tar.clone()], tar.clone()),
            (vec![digests(2), digests(3)], digests(5)),
            (vec![digests(2), tar.clone(), digests(3)], digests(5)),
            (vec![digests(2), Pixels::Unverified], Pixels::Unverified),
            (vec![Pixels::Unverified, tar, other(1, "b"), other(2, "a")], other(3, "a")),
            (vec![], Pixels::Unverified),
        ] {
            assert_eq!(Pixels::together(parts.iter()), expected, "{parts:?}");
        }
    }
}
