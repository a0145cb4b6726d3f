//! A tar archive read in place: `ILSVRC2012_img_val.tar` has 6.7 GB that need not be unpacked.
//!
//! Headers are read once, 50,000 of them in a moment; an image is then read at its place in the file.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tar::EntryType;

use super::scan::{self, Arrangement, Found};
use super::{DatasetError, error::examples};
use crate::{labels, names};

/// Tar archives are made of blocks of so many bytes.
const BLOCK: u64 = 512;

/// Where a member's content lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// The images, by their names in the archive.
fn members(path: &Path) -> Result<HashMap<String, Span>, DatasetError> {
    let unreadable = |cause| DatasetError::Unreadable { path: path.to_owned(), cause };
    let damaged = |reason: String| DatasetError::ArchiveDamaged { path: path.to_owned(), reason };
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut archive = tar::Archive::new(file);
    // Links may lead to any file, so that the others are kept too.
    let (mut images, mut others) = (HashMap::new(), HashMap::new());
    let mut end = 0;
    for entry in archive.entries_with_seek().map_err(unreadable)? {
        let entry = entry.map_err(|error| {
            damaged(format!("after {} images its next header is broken: {error}", images.len()))
        })?;
        end = entry.raw_file_position().saturating_add(entry.size());
        let name = entry.path().map_err(|error| damaged(error.to_string()))?.into_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        let is_image = scan::is_image_name(&name) && !name.iter().any(names::is_hidden);
        let Some(text) = name.to_str().map(plain) else {
            if is_image {
                return Err(DatasetError::NameNotUtf8 { path: path.join(name) });
            }
            continue;
        };
        let span = if kind.is_hard_link() {
            let target = entry.link_name().map_err(|error| damaged(error.to_string()))?.unwrap_or_default();
            let earlier = target.to_str().map(plain);
            let earlier = earlier.as_ref().and_then(|name| images.get(name).or_else(|| others.get(name)));
            earlier.copied().ok_or_else(|| target.display().to_string())
        } else {
            Ok(Span { offset: entry.raw_file_position(), len: entry.size() })
        };
        if !is_image {
            if let (Ok(span), true) = (span, is_content(kind)) {
                others.insert(text, span);
            }
            continue;
        }
        if !is_content(kind) {
            return Err(DatasetError::ArchiveNotAFile { path: path.to_owned(), name: text });
        }
        let span = match span {
            Ok(span) => span,
            Err(target) => {
                return Err(DatasetError::ArchiveLink { path: path.to_owned(), name: text, target });
            }
        };
        if span.offset.checked_add(span.len).is_none_or(|end| end > size) {
            return Err(damaged(format!(
                "it ends in the middle of {text}, after {} whole images",
                images.len()
            )));
        }
        match images.get(&text) {
            // A file that GNU tar was given twice is a link to itself.
            Some(first) if *first == span => {}
            Some(_) => return Err(DatasetError::ArchiveDuplicate { path: path.to_owned(), name: text }),
            None => {
                images.insert(text, span);
            }
        }
    }
    // Two blocks of zeros end an archive; one that stops between two members would look whole.
    if end.checked_next_multiple_of(BLOCK).and_then(|end| end.checked_add(BLOCK)).is_none_or(|end| end > size)
    {
        return Err(damaged(format!(
            "it has no end mark after its {} images, so it is cut off",
            images.len()
        )));
    }
    Ok(images)
}

/// A member's name as links and lists write it.
fn plain(name: &str) -> String {
    name.trim_start_matches("./").to_owned()
}

/// Whether an entry has content: its own, or that of the file which it is another name of.
fn is_content(kind: EntryType) -> bool {
    kind.is_file() || kind.is_contiguous() || kind.is_hard_link()
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
    let last = names::file_name(shared.trim_end_matches('/'));
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
