//! A tar archive read in place: `ILSVRC2012_img_val.tar` has 6.7 GB that need not be unpacked.
//!
//! Headers are read once, 50,000 of them in a moment; an image is then read at its place in the file.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::scan::{self, Arrangement, Found};
use super::{DatasetError, error::examples};
use crate::labels;

/// Tar archives are made of blocks of so many bytes.
const BLOCK: u64 = 512;

/// Where a member's content lies.
#[derive(Debug, Clone, Copy)]
struct Span {
    offset: u64,
    len: u64,
}

/// An archive's images by their names, which are relative to the folder that all of them share.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    members: HashMap<String, Span>,
}

/// What a file is, by its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tar,
    Parquet,
    /// By which program: there is no random access to such a file.
    Compressed(&'static str),
    Other,
}

/// Looks at the first bytes of the file at `path`.
pub(super) fn kind(path: &Path) -> io::Result<Kind> {
    const COMPRESSED: [(&[u8], &str); 5] = [
        (b"\x1f\x8b", "gzip"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"PK\x03\x04", "zip"),
    ];
    let mut start = Vec::new();
    File::open(path)?.take(BLOCK).read_to_end(&mut start)?;
    if let Some((_, by)) = COMPRESSED.iter().find(|(mark, _)| start.starts_with(mark)) {
        return Ok(Kind::Compressed(by));
    }
    if start.starts_with(b"PAR1") {
        return Ok(Kind::Parquet);
    }
    // Archives from before 1988 lack the mark; an ending has to do.
    let named = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tar"));
    let is_tar = named || start.get(257..262) == Some(b"ustar");
    Ok(if is_tar { Kind::Tar } else { Kind::Other })
}

/// The images of the archive at `path`, and how they are arranged in it.
pub(super) fn open(path: &Path) -> Result<(Archive, Found), DatasetError> {
    let members = members(path)?;
    if members.is_empty() {
        return Err(DatasetError::ArchiveWithoutImages { path: path.to_owned() });
    }
    let shared = shared_folder(members.keys());
    let members: HashMap<String, Span> =
        members.into_iter().map(|(name, span)| (name[shared.len()..].to_owned(), span)).collect();
    let mut names: Vec<String> = members.keys().cloned().collect();
    names.sort_unstable();
    scan::check_names(path, &names)?;
    let arrangement = arrangement(path, &names)?;
    let found = Found::new(path.to_owned(), names, arrangement);
    Ok((Archive { path: path.to_owned(), members }, found))
}

fn members(path: &Path) -> Result<HashMap<String, Span>, DatasetError> {
    let unreadable = |cause| DatasetError::Unreadable { path: path.to_owned(), cause };
    let damaged = |reason: String| DatasetError::ArchiveDamaged { path: path.to_owned(), reason };
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut archive = tar::Archive::new(file);
    let mut members = HashMap::new();
    let mut end = 0;
    for entry in archive.entries_with_seek().map_err(unreadable)? {
        let entry = entry.map_err(|error| {
            damaged(format!("after {} images its next header is broken: {error}", members.len()))
        })?;
        end = entry.raw_file_position().saturating_add(entry.size());
        let name = entry.path().map_err(|error| damaged(error.to_string()))?.into_owned();
        if !scan::is_image_name(&name) || is_hidden(&name) {
            continue;
        }
        let Some(text) = name.to_str() else {
            return Err(DatasetError::NameNotUtf8 { path: path.join(name) });
        };
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        if !(kind.is_file() || kind.is_contiguous()) {
            return Err(damaged(format!("{text} is a link or the like, not a file of its own")));
        }
        let span = Span { offset: entry.raw_file_position(), len: entry.size() };
        if span.offset.checked_add(span.len).is_none_or(|end| end > size) {
            return Err(damaged(format!(
                "it ends in the middle of {text}, after {} whole images",
                members.len()
            )));
        }
        let text = text.trim_start_matches("./").to_owned();
        if members.contains_key(&text) {
            return Err(damaged(format!("{text} is in it twice")));
        }
        members.insert(text, span);
    }
    // Two blocks of zeros end an archive; one that stops between two members would look whole.
    if end.checked_next_multiple_of(BLOCK).and_then(|end| end.checked_add(BLOCK)).is_none_or(|end| end > size)
    {
        return Err(damaged(format!(
            "it has no end mark after its {} images, so it is cut off",
            members.len()
        )));
    }
    Ok(members)
}

fn is_hidden(name: &Path) -> bool {
    name.iter().any(|part| {
        let part = part.as_encoded_bytes();
        (part.starts_with(b".") && part != b"." && part != b"..") || part == b"__MACOSX"
    })
}

/// The folder, with its `/`, that all names begin with; not one that says a class.
fn shared_folder<'a>(mut names: impl Iterator<Item = &'a String>) -> String {
    let folder = |name: &str| name.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let mut shared = names.next().map(|name| folder(name)).unwrap_or_default();
    for name in names {
        while !name.starts_with(&shared) {
            shared = folder(shared.trim_end_matches('/'));
        }
    }
    let last = shared.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if labels::wnid_to_index(last).is_some() || scan::class_number(last).is_some() {
        shared = folder(shared.trim_end_matches('/'));
    }
    shared
}

fn arrangement(path: &Path, names: &[String]) -> Result<Arrangement, DatasetError> {
    let folder =
        |name: &'_ String| name.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let folders: BTreeSet<String> = names.iter().map(folder).collect();
    let all = |is: fn(&str) -> bool| folders.iter().all(|folder| is(folder));
    match () {
        () if all(str::is_empty) => Ok(Arrangement::Flat),
        () if all(|folder| labels::wnid_to_index(folder).is_some()) => {
            Ok(Arrangement::ByClass(folders.len()))
        }
        () if all(|folder| scan::class_number(folder).is_some()) => Ok(Arrangement::ByNumber(folders.len())),
        () if folders.iter().any(|folder| folder.is_empty() || folder.contains('/')) => {
            Err(DatasetError::ArchiveMixed {
                path: path.to_owned(),
                examples: examples(
                    folders.iter().map(|folder| if folder.is_empty() { "(none)" } else { folder.as_str() }),
                ),
            })
        }
        () => Ok(Arrangement::ByFolder(folders.len())),
    }
}

impl Archive {
    /// The whole content of an image.
    pub(super) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let span = self.members.get(name).ok_or(io::ErrorKind::NotFound)?;
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(span.offset))?;
        let mut bytes = Vec::new();
        // Not more than there is, should the archive have been replaced by another.
        file.take(span.len).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == span.len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub(super) fn offset_of(&self, name: &str) -> Option<u64> {
        self.members.get(name).map(|span| span.offset)
    }

    pub(super) fn len_of(&self, name: &str) -> Option<u64> {
        self.members.get(name).map(|span| span.len)
    }
}
