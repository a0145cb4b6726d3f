//! Digests of a data set's images: written to a file, and held against those that a run read (its `digests.csv`).

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, anyhow, bail};
use dataset::{Census, Dataset, Layout, regular};
use eval::pixels::{Pixels, TarDigests, VAL_TAR_MD5, archive_md5};
use eval::weights::Cache;

use super::some;
use crate::output::note;
use crate::progress::note_verifying;

/// The file's name in a run directory.
const FILE: &str = "digests.csv";

/// More than a row has for each of a million images.
const MAX_BYTES: u64 = 1 << 30;

/// SHA-256 in hexadecimal, by the image's name.
pub(super) type Digests = BTreeMap<String, String>;

/// The digests of images as they were read, in the form of the files.
pub(super) fn of(images: &[(String, [u8; 32])]) -> Digests {
    let hex = |digest: &[u8; 32]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
    images.iter().map(|(name, digest)| (name.clone(), hex(digest))).collect()
}

/// What is known of the bytes of a data set's images.
#[derive(Default)]
pub(super) struct KnownPixels {
    /// For people.
    pub(super) words: String,
    /// Whether some are others than those of the validation set.
    pub(super) are_others: bool,
    /// The file of digests of the verified tar, where this is it.
    pub(super) of_tar: Option<String>,
}

/// Whether the images are those of the validation set: of the tar by its MD5, which is read once more for that, else by the digests that were
/// taken from it. Those of a verified tar are left in the cache.
pub(super) fn pixels(dataset: &Dataset, census: &Census, stop: &AtomicBool) -> anyhow::Result<KnownPixels> {
    let said = |words: String| KnownPixels { words, ..KnownPixels::default() };
    if !dataset.is_complete_ilsvrc2012_val() {
        return Ok(said("unverified pixels: only those of the whole validation set are known".to_owned()));
    }
    let read = || census.digests.iter().map(|(name, digest)| (name.as_str(), *digest));
    let cached = TarDigests::cached(Cache::from_environment().folder());
    let md5 = match dataset.layout() {
        Layout::Tar { .. } => {
            note_verifying();
            archive_md5(dataset, stop, |_| ())
        }
        _ => None,
    };
    if let Some(md5) = md5.as_ref().filter(|md5| *md5 == VAL_TAR_MD5) {
        let text = TarDigests::text(read(), md5).map_err(|reason| anyhow!("the tar's digests: {reason}"))?;
        let kept =
            cached.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&cached, &text));
        if let Err(error) = kept {
            note(&format!("warning: {}: the digests cannot be kept there: {error}", cached.display()));
        }
        let words = Pixels::Tar { md5: md5.clone() }.words();
        return Ok(KnownPixels { of_tar: Some(text), ..said(words) });
    }
    if let Some(tar) = TarDigests::at_hand(None)? {
        let all: HashMap<&str, [u8; 32]> = read().collect();
        let names = dataset.items().iter().map(|item| item.name.as_str());
        let known = tar.check(names.map(|name| (name, all.get(name).copied())));
        let are_others = matches!(known, Pixels::Other { .. });
        return Ok(KnownPixels { are_others, ..said(known.words()) });
    }
    Ok(said(match md5 {
        Some(md5) => format!("unverified pixels: the tar's MD5 is {md5}, that of ILSVRC2012_img_val.tar {VAL_TAR_MD5}"),
        None => "unverified pixels: `dataset check` of ILSVRC2012_img_val.tar takes the digests by which they would be".to_owned(),
    }))
}

/// Writes `image,sha256` rows, as a run does.
pub(super) fn write(path: &Path, digests: &Digests) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["image", "sha256"])?;
    for (image, digest) in digests {
        csv.write_record([image, digest])?;
    }
    let bytes = csv.into_inner().map_err(|error| anyhow!("digests cannot be put together: {error}"))?;
    write_text(path, &bytes)
}

/// Writes a file of digests.
pub(super) fn write_text(path: &Path, bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("{}: the digests cannot be written", path.display()))
}

/// What a run read: `run` is its directory, or a file as [`write()`] makes.
pub(super) fn read(run: &Path) -> anyhow::Result<(PathBuf, Digests)> {
    let path = if run.is_dir() { run.join(FILE) } else { run.to_owned() };
    if run.is_dir() && !path.exists() {
        bail!(
            "{}: has no {FILE}, which tells what images a run read; give a run directory whose run has begun to evaluate, \
             or a file of --write-digests",
            run.display()
        );
    }
    let bytes = regular::read(&path, MAX_BYTES)
        .with_context(|| format!("{}: the digests cannot be read", path.display()))?;
    let digests = parse(&bytes).with_context(|| {
        format!("{}: is no file of digests (a heading image,sha256 and a row an image)", path.display())
    })?;
    Ok((path, digests))
}

fn parse(bytes: &[u8]) -> anyhow::Result<Digests> {
    let mut csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut rows = csv.records();
    let heading = rows.next().context("it is empty")??;
    // Those of a verified tar have its MD5 beside each.
    let columns = heading.len();
    if heading.iter().ne(["image", "sha256"]) && heading.iter().ne(["image", "sha256", "tar_md5"]) {
        bail!("its first line is {:?}", heading.iter().collect::<Vec<_>>().join(","));
    }
    let mut digests = Digests::new();
    let ends_in_a_line = bytes.ends_with(b"\n");
    let mut rows = rows.peekable();
    while let Some(row) = rows.next() {
        let row = row?;
        let line = row.position().map_or(0, csv::Position::line);
        let is_digest = |text: &&str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (row.get(0), row.get(1).filter(is_digest), row.len() == columns) {
            // A later row of an image that was mended replaces the first.
            (Some(image), Some(digest), true) => {
                digests.insert(image.to_owned(), digest.to_ascii_lowercase());
            }
            // A run that was killed leaves the beginning of a line.
            _ if rows.peek().is_none() && !ends_in_a_line => {}
            _ => bail!("line {line} is not an image's name and its SHA-256"),
        }
    }
    Ok(digests)
}

/// What differs, a phrase each.
pub(super) fn differences(then: &Digests, now: &Digests) -> Vec<String> {
    let only_in = |one: &Digests, other: &Digests| -> Vec<String> {
        one.keys().filter(|name| !other.contains_key(*name)).cloned().collect()
    };
    let changed = now.iter().filter(|(name, digest)| then.get(*name).is_some_and(|then| then != *digest));
    [
        ("missing", only_in(then, now)),
        ("added", only_in(now, then)),
        ("changed", changed.map(|(name, _)| name.clone()).collect()),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(what, names)| format!("{} {what} ({})", names.len(), some(&names)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(rows: &[(&str, char)]) -> Digests {
        rows.iter().map(|(name, digit)| ((*name).to_owned(), digit.to_string().repeat(64))).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let written = digests(&[("a, \"b\".JPEG", 'a'), ("c d.JPEG", '0')]);
        let path = folder.path().join(FILE);
        write(&path, &written).unwrap();
        for run in [folder.path(), &path] {
            assert_eq!(read(run).unwrap(), (path.clone(), written.clone()));
        }
        // A killed run's torn line, and an image that was mended.
        let (a, b) = ("a".repeat(64), "B".repeat(64));
        let text = format!("image,sha256\nx,{a}\ny,{a}\nx,{b}\nz,{}", &a[..9]);
        assert_eq!(parse(text.as_bytes()).unwrap(), digests(&[("x", 'b'), ("y", 'a')]));
        for bad in
            ["", "image,label\n", "image,sha256\nx\n", "image,sha256\nx,1\n", "image,sha256\nx,1,2\ny,1"]
        {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn differences_are_named() {
        let then = digests(&[("a", '1'), ("b", '2'), ("c", '3')]);
        assert_eq!(differences(&then, &then), [""; 0]);
        let now = digests(&[("b", '2'), ("c", '4'), ("d", '5')]);
        assert_eq!(differences(&then, &now), ["1 missing (a)", "1 added (d)", "1 changed (c)"]);
    }
}
