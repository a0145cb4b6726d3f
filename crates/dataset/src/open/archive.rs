//! A tar archive read in place: `ILSVRC2012_img_val.tar` has 6.7 GB that need not be unpacked.
//!
//! Headers are read once, 50,000 of them in a moment; an image is then read at its place in the file.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tar::EntryType;

use super::archive_problem::ArchiveProblem;
use super::reopen::Reopened;
use super::scan::{self, Arrangement, Found, Strays};
use super::{DatasetError, error::examples, list};
use crate::guard::guarded_or;
use crate::{labels, names};

/// Tar archives are made of blocks of so many bytes.
const BLOCK: u64 = 512;

/// How much of an archive is read at once.
const PIECE_BYTES: usize = 1 << 20;

/// Where a member's content lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    offset: u64,
    len: u64,
}

/// An archive's images by their names, which are relative to the folder that all of them share.
#[derive(Debug)]
pub(super) struct Archive {
    file: Reopened,
    members: HashMap<String, Span>,
}

/// A list of labels that lies in an archive.
#[derive(Debug)]
pub(super) struct ListInside {
    /// The archive's path and the list's name in it, for messages.
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    /// From the list's folder down to the images' folder, with `/` at the end, or empty.
    pub(super) below: String,
}

/// Members of an archive by their names.
struct Members {
    images: HashMap<String, Span>,
    others: HashMap<String, Span>,
}

/// The images of the archive at `path`, how they are arranged in it, and a list of labels, if it holds one.
pub(super) fn open(path: &Path) -> Result<(Archive, Found, Option<ListInside>), DatasetError> {
    let unreadable = |cause| DatasetError::Unreadable { path: path.to_owned(), cause };
    let failed = |problem| DatasetError::Archive { path: path.to_owned(), problem };
    let (file, handle) = Reopened::open(path).map_err(unreadable)?;
    let Members { images, others } = guarded_or(
        || members(path, handle, file.len()),
        |reason| failed(ArchiveProblem::Damaged { reason }),
    )?;
    file.check_now().map_err(unreadable)?;
    if images.is_empty() {
        return Err(failed(ArchiveProblem::WithoutImages));
    }
    let shared = shared_folder(images.keys());
    let inside = list_inside(path, &file, &shared, &others)?;
    let mut members: HashMap<String, Span> =
        images.into_iter().map(|(name, span)| (name[shared.len()..].to_owned(), span)).collect();
    let mut names: Vec<String> = members.keys().cloned().collect();
    names.sort_unstable();
    scan::check_names(path, &names)?;
    let strays = take_strays(path, &mut names);
    for name in strays.iter().flat_map(|strays| &strays.names) {
        members.remove(name);
    }
    let arrangement = arrangement(path, &names, inside.is_some())?;
    let found = Found { strays, ..Found::new(path.to_owned(), names, arrangement) };
    Ok((Archive { file, members }, found, inside))
}

/// Takes images that lie beside class folders out of `names`, where the folders are meant.
fn take_strays(path: &Path, names: &mut Vec<String>) -> Option<Strays> {
    let (loose, rest): (Vec<String>, Vec<String>) =
        names.iter().cloned().partition(|name| !name.contains('/'));
    let in_folders = |is: fn(&str) -> bool| {
        rest.iter().filter(|name| name.split_once('/').is_some_and(|(folder, _)| is(folder))).count()
    };
    let by_wnid = in_folders(|folder| labels::wnid_to_index(folder).is_some());
    let by_number = in_folders(|folder| scan::class_number(folder).is_some());
    (!loose.is_empty() && scan::are_strays(&loose, by_wnid, by_number)).then(|| {
        *names = rest;
        Strays { folder: path.to_owned(), names: loose }
    })
}

/// A list in the archive's first folder or in one of those down to `shared`, the images'.
fn list_inside(
    path: &Path,
    file: &Reopened,
    shared: &str,
    others: &HashMap<String, Span>,
) -> Result<Option<ListInside>, DatasetError> {
    let folders = std::iter::once(0).chain(shared.match_indices('/').map(|(at, _)| at + 1));
    for (folder, below) in folders.map(|at| shared.split_at(at)) {
        for list in list::NAMES {
            let name = format!("{folder}{list}");
            let Some(span) = others.get(&name).filter(|span| span.len <= list::MAX_BYTES) else { continue };
            let path = path.join(&name);
            let bytes = file
                .read(span.offset, span.len)
                .map_err(|cause| DatasetError::Unreadable { path: path.clone(), cause })?;
            if !list::may_be_another(list) || list::begins_like_one(&bytes) {
                return Ok(Some(ListInside { path, bytes, below: below.to_owned() }));
            }
        }
    }
    Ok(None)
}

/// The members of the archive at `path`, opened as `file`, by their names in it.
fn members(path: &Path, file: File, size: u64) -> Result<Members, DatasetError> {
    let unreadable = |cause| DatasetError::Unreadable { path: path.to_owned(), cause };
    let failed = |problem| DatasetError::Archive { path: path.to_owned(), problem };
    let damaged = |reason: String| failed(ArchiveProblem::Damaged { reason });
    let mut archive = tar::Archive::new(file);
    // Links may lead to any file, so that the others are kept too.
    let (mut images, mut others) = (HashMap::new(), HashMap::new());
    let mut end = 0;
    for entry in archive.entries_with_seek().map_err(unreadable)? {
        let mut entry = entry.map_err(|error| {
            damaged(format!("after {} images its next header is broken: {error}", images.len()))
        })?;
        let kind = entry.header().entry_type();
        let sparse = sparse(&mut entry).map_err(|error| damaged(error.to_string()))?;
        // A sparse file has a length that is not that of its bytes here.
        let stored = if kind.is_gnu_sparse() {
            entry.header().entry_size().map_err(|error| damaged(error.to_string()))?
        } else {
            entry.size()
        };
        end = entry.raw_file_position().saturating_add(stored);
        let name = match &sparse {
            Sparse::Named(name) => PathBuf::from(name),
            Sparse::No | Sparse::Yes => {
                entry.path().map_err(|error| damaged(error.to_string()))?.into_owned()
            }
        };
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
        if sparse != Sparse::No {
            if is_image {
                return Err(failed(ArchiveProblem::Sparse { name: text }));
            }
            continue;
        }
        if !is_image {
            if let (Ok(span), true) = (span, is_content(kind)) {
                others.insert(text, span);
            }
            continue;
        }
        if !is_content(kind) {
            return Err(failed(ArchiveProblem::NotAFile { name: text }));
        }
        let span = match span {
            Ok(span) => span,
            Err(target) => {
                return Err(failed(ArchiveProblem::Link { name: text, target }));
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
            Some(_) => return Err(failed(ArchiveProblem::Duplicate { name: text })),
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
    Ok(Members { images, others })
}

/// Whether a member's content is stored without its holes.
#[derive(Debug, PartialEq, Eq)]
enum Sparse {
    No,
    Yes,
    /// The real name stands apart; the member's own is `GNUSparseFile.N/...`.
    Named(String),
}

/// By its kind, or, in archives of POSIX's form (PAX), by keywords in front of it.
fn sparse<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Sparse> {
    let mut sparse = if entry.header().entry_type().is_gnu_sparse() { Sparse::Yes } else { Sparse::No };
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        match extension.key_bytes() {
            b"GNU.sparse.name" => {
                sparse = Sparse::Named(String::from_utf8_lossy(extension.value_bytes()).into_owned());
            }
            // `SCHILY.realsize` is what star writes.
            key if sparse == Sparse::No && (key.starts_with(b"GNU.sparse.") || key == b"SCHILY.realsize") => {
                sparse = Sparse::Yes;
            }
            _ => {}
        }
    }
    Ok(sparse)
}

/// A member's name as links and lists write it. What unpacks an archive leaves a `/` in front out.
fn plain(name: &str) -> String {
    names::normal(name).trim_start_matches('/').to_owned()
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

/// Where a list tells the labels, folders may have any depth.
fn arrangement(path: &Path, names: &[String], listed: bool) -> Result<Arrangement, DatasetError> {
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
        () if !listed && folders.iter().any(|folder| folder.is_empty() || folder.contains('/')) => {
            Err(DatasetError::Archive {
                path: path.to_owned(),
                problem: ArchiveProblem::Mixed {
                    examples: examples(
                        folders
                            .iter()
                            .map(|folder| if folder.is_empty() { "(none)" } else { folder.as_str() }),
                    ),
                },
            })
        }
        () => Ok(Arrangement::ByFolder(folders.len())),
    }
}

impl Archive {
    /// The whole content of an image.
    pub(super) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let span = self.members.get(name).ok_or(io::ErrorKind::NotFound)?;
        self.file.read(span.offset, span.len)
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// All bytes of the file, in pieces, until `piece` says no: whether it came to the end.
    pub(super) fn read_all(&self, mut piece: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
        let mut file = self.file.at(0)?;
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return self.file.check_now().map(|()| true),
                Ok(read) if !piece(&buffer[..read]) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn offset_of(&self, name: &str) -> Option<u64> {
        self.members.get(name).map(|span| span.offset)
    }

    pub(super) fn len_of(&self, name: &str) -> Option<u64> {
        self.members.get(name).map(|span| span.len)
    }
}
