//! Digests of a data set's images: written to a file, and held against those that a run read (its `digests.csv`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use dataset::regular;

use super::some;

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

/// Writes `image,sha256` rows, as a run does.
pub(super) fn write(path: &Path, digests: &Digests) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["image", "sha256"])?;
    for (image, digest) in digests {
        csv.write_record([image, digest])?;
    }
    let bytes = csv.into_inner().map_err(|error| anyhow!("digests cannot be put together: {error}"))?;
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
    if heading.iter().ne(["image", "sha256"]) {
        bail!("its first line is {:?}", heading.iter().collect::<Vec<_>>().join(","));
    }
    let mut digests = Digests::new();
    let ends_in_a_line = bytes.ends_with(b"\n");
    let mut rows = rows.peekable();
    while let Some(row) = rows.next() {
        let row = row?;
        let line = row.position().map_or(0, csv::Position::line);
        let is_digest = |text: &&str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (row.get(0), row.get(1).filter(is_digest), row.len()) {
            // A later row of an image that was mended replaces the first.
            (Some(image), Some(digest), 2) => {
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
