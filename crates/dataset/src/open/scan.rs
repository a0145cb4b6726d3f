//! Finds image files in a folder. Sorted, deterministic, at most a few levels deep, so that a loop of
//! symbolic links cannot hang it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::slice;

use walkdir::WalkDir;

use super::DatasetError;
use super::error::examples;
use crate::{labels, names};

/// Where people keep the validation images below the folder they name.
const USUAL_PLACES: [&str; 9] = [
    "val",
    "validation",
    "data",
    "ILSVRC2012_img_val",
    "ILSVRC2012_val",
    "images",
    "CLS-LOC/val",
    "Data/CLS-LOC/val",
    "ILSVRC/Data/CLS-LOC/val",
];

/// Image files, and how they are arranged.
#[derive(Debug)]
pub(super) struct Found {
    /// What `names` are relative to.
    pub(super) root: PathBuf,
    /// Sorted by bytes.
    pub(super) names: Vec<String>,
    pub(super) arrangement: Arrangement,
    /// The path from the folder that was asked about down to `root`.
    pub(super) below: Option<&'static str>,
    /// Folders with images that are not read, because other images are: relative to `root`.
    pub(super) passed_over: Vec<String>,
    /// Folders that go by the name of an image file, and are not read either: relative to `root`.
    pub(super) named_like_images: Vec<String>,
    /// Images that are not read, because folders beside them are meant.
    pub(super) strays: Option<Strays>,
    /// Images that are links to nothing: names as in `names`.
    pub(super) dead_links: HashSet<String>,
    /// Links to nothing that go by the name of a class: relative to `root`.
    pub(super) dead_folders: Vec<String>,
}

/// Images beside the folders that are meant.
#[derive(Debug)]
pub(super) struct Strays {
    pub(super) folder: PathBuf,
    pub(super) names: Vec<String>,
}

/// Whether images that lie beside class folders are strays, and those in the folders are meant: where they are the fewer,
/// or as many and without a label of their own. A WNID is a class; a number may be anything, unless so much lies there.
pub(super) fn are_strays(loose: &[String], by_wnid: usize, by_number: usize) -> bool {
    let labelled = || loose.iter().all(|name| labels::val_label(name).is_some());
    loose.len() < by_wnid
        || (loose.len() == by_wnid && !labelled())
        || loose.len().saturating_mul(FEW) <= by_number
}

/// So many times as many images in a usual place further down make those above strays.
const FEW: usize = 10;

impl Found {
    pub(super) fn new(root: PathBuf, names: Vec<String>, arrangement: Arrangement) -> Self {
        Self {
            root,
            names,
            arrangement,
            below: None,
            passed_over: Vec::new(),
            named_like_images: Vec::new(),
            strays: None,
            dead_links: HashSet::new(),
            dead_folders: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrangement {
    Flat,
    /// In folders that are all WNIDs; how many.
    ByClass(usize),
    /// In folders that are all class indices; how many.
    ByNumber(usize),
    /// In folders some of which are neither; how many. Only a list can tell labels.
    ByFolder(usize),
}

/// The images of `folder`, or of the usual place below it. `any_folder` accepts subfolders of any
/// name; without it, one that holds images and is not a WNID is an error.
pub(super) fn find(folder: &Path, any_folder: bool) -> Result<Found, DatasetError> {
    let found = find_anywhere(folder)?;
    check_names(&found.root, &found.names)?;
    if matches!(found.arrangement, Arrangement::ByFolder(_)) && !any_folder {
        return Err(unknown_folders(&found));
    }
    Ok(found)
}

/// Refuses names that would not stay on one line of a log. `names` are relative to `root`.
pub(super) fn check_names(root: &Path, names: &[String]) -> Result<(), DatasetError> {
    match names.iter().find(|name| name.contains(char::is_control)) {
        Some(name) => Err(DatasetError::NameWithControl { path: root.join(name) }),
        None => Ok(()),
    }
}

fn find_anywhere(folder: &Path) -> Result<Found, DatasetError> {
    if let Some(found) = find_here(folder, true)? {
        return Ok(match found.arrangement {
            Arrangement::Flat => where_a_few_are_strays(folder, found),
            _ => found,
        });
    }
    for below in USUAL_PLACES {
        let inner = folder.join(below);
        if inner.is_dir()
            && let Some(found) = find_here(&inner, false)?
        {
            return Ok(Found { below: Some(below), ..found });
        }
    }
    find_here(folder, false)?
        .ok_or_else(|| DatasetError::NoImages { path: folder.to_owned(), looked_in: USUAL_PLACES.join(", ") })
}

/// `found` in `folder` itself, unless they are a few beside a usual place with many.
fn where_a_few_are_strays(folder: &Path, found: Found) -> Found {
    for below in USUAL_PLACES {
        let inner = folder.join(below);
        // What cannot be read there is not what was meant.
        if inner.is_dir()
            && let Ok(Some(meant)) = find_here(&inner, false)
            && found.names.len().saturating_mul(FEW) <= meant.names.len()
        {
            let strays = Strays { folder: folder.to_owned(), names: found.names };
            return Found { below: Some(below), strays: Some(strays), ..meant };
        }
    }
    found
}

pub(super) fn unknown_folders(found: &Found) -> DatasetError {
    let mut folders: Vec<&str> = found.names.iter().filter_map(|name| name.split('/').next()).collect();
    folders.dedup();
    // Beside WNIDs, those that are no WNID; beside numbers, those that are none.
    let by_wnid = folders.iter().any(|folder| labels::wnid_to_index(folder).is_some());
    folders.retain(|folder| match by_wnid {
        true => labels::wnid_to_index(folder).is_none(),
        false => class_number(folder).is_none(),
    });
    DatasetError::UnknownFolders {
        path: found.root.clone(),
        count: folders.len(),
        examples: examples(folders),
    }
}

/// The class that a folder's name is the index of. As an integer: 10 is after 9, and 007 is 7.
pub(super) fn class_number(folder: &str) -> Option<u16> {
    let digits = !folder.is_empty() && folder.bytes().all(|byte| byte.is_ascii_digit());
    let number: u16 = digits.then(|| folder.parse().ok())??;
    (usize::from(number) < labels::CLASSES).then_some(number)
}

/// Images directly in `folder`; else in its subfolders, unless `classes_only` is set and none of them
/// is named for a class.
fn find_here(folder: &Path, classes_only: bool) -> Result<Option<Found>, DatasetError> {
    let entries = list(folder)?;
    let root = folder.to_owned();
    let is_class = |name: &String| labels::wnid_to_index(name).is_some();
    let is_number = |name: &String| class_number(name).is_some();
    let class_folders: Vec<&String> =
        entries.folders.iter().filter(|name| is_class(name) || is_number(name)).collect();
    let mut strays = None;
    if !entries.images.is_empty() {
        let in_folders = |is: &dyn Fn(&String) -> bool| -> usize {
            let meant = class_folders.iter().filter(|name| is(name));
            meant.map(|name| list(&folder.join(name)).map_or(0, |inner| inner.images.len())).sum()
        };
        if !are_strays(&entries.images, in_folders(&is_class), in_folders(&is_number)) {
            let mut found = Found::new(root, entries.images, Arrangement::Flat);
            found.dead_links = entries.dead_links;
            found.note_unread("", &entries.folders);
            return Ok(Some(found));
        }
        strays = Some(Strays { folder: root.clone(), names: entries.images });
    }
    if classes_only && class_folders.is_empty() {
        return Ok(None);
    }
    let mut found = Found::new(root, Vec::new(), Arrangement::ByClass(0));
    found.strays = strays;
    found.dead_folders = entries.dead_folders;
    let (mut classes, mut numbers, mut others) = (0, 0, 0);
    for folder_name in &entries.folders {
        let inner = list(&folder.join(folder_name))?;
        if inner.images.is_empty() {
            found.note_unread("", slice::from_ref(folder_name));
            continue;
        }
        let kind = match () {
            () if is_class(folder_name) => &mut classes,
            () if is_number(folder_name) => &mut numbers,
            () => &mut others,
        };
        *kind += 1;
        found.names.extend(inner.images.iter().map(|image| format!("{folder_name}/{image}")));
        found.dead_links.extend(inner.dead_links.iter().map(|image| format!("{folder_name}/{image}")));
        found.note_unread(&format!("{folder_name}/"), &inner.folders);
    }
    if found.names.is_empty() {
        return Ok(None);
    }
    // By folder and then by file is not yet by whole name: "a/" sorts after "a-b/".
    found.names.sort_unstable();
    found.arrangement = match (classes, numbers, others) {
        (classes, 0, 0) => Arrangement::ByClass(classes),
        (0, numbers, 0) => Arrangement::ByNumber(numbers),
        _ => Arrangement::ByFolder(classes + numbers + others),
    };
    Ok(Some(found))
}

impl Found {
    /// Notes those of `folders` (in `root`, below `prefix`, which is empty or ends with `/`) that a
    /// person may believe to be evaluated. Looks for a first image, at fixed depths: neither many
    /// files nor a loop of links makes it slow.
    fn note_unread(&mut self, prefix: &str, folders: &[String]) {
        if folders.is_empty() {
            return;
        }
        let (named_like_images, plain): (Vec<String>, Vec<String>) = folders
            .iter()
            .map(|name| format!("{prefix}{name}"))
            .partition(|name| is_image_name(name.as_ref()));
        self.named_like_images.extend(named_like_images);
        let Ok(whole_root) = self.root.join(prefix).canonicalize() else { return };
        for name in plain {
            // The folder itself, a usual place further down that begins with it, or a class folder in
            // either.
            let mut places =
                USUAL_PLACES.iter().filter_map(|place| place.strip_prefix(&name)?.strip_prefix('/'));
            let path = self.root.join(&name);
            let holds_images = holds_images(&path) || places.any(|rest| holds_images(&path.join(rest)));
            // A link that leads back up shows the same images again.
            let leads_back = || path.canonicalize().is_ok_and(|whole| whole_root.starts_with(whole));
            if holds_images && !leads_back() {
                self.passed_over.push(name);
            }
        }
    }
}

/// Whether an image lies in `folder`, or in a class folder or usual place directly below it. What
/// cannot be read holds none.
fn holds_images(folder: &Path) -> bool {
    let mut inner = Vec::new();
    for path in entries_of(folder).into_iter().flatten().map(walkdir::DirEntry::into_path) {
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name)
                if labels::wnid_to_index(name).is_some()
                    || class_number(name).is_some()
                    || USUAL_PLACES.contains(&name) =>
            {
                inner.push(path);
            }
            _ if is_image(&path) => return true,
            _ => {}
        }
    }
    inner.iter().any(|folder| holds_images_itself(folder))
}

/// Whether an image lies in `folder` itself. What cannot be read holds none.
pub(super) fn holds_images_itself(folder: &Path) -> bool {
    entries_of(folder).into_iter().flatten().any(|entry| is_image(entry.path()))
}

/// The folder that a file lies in: `.` where its path is a bare name, whose `parent` is empty.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// By name, and no folder; not a hidden file.
fn is_image(path: &Path) -> bool {
    is_image_name(path) && !path.file_name().is_some_and(names::is_hidden) && !path.is_dir()
}

struct Entries {
    images: Vec<String>,
    folders: Vec<String>,
    /// Those of `images` that are links to nothing.
    dead_links: HashSet<String>,
    /// Links to nothing that are named for a class.
    dead_folders: Vec<String>,
}

/// Whether `path` is a link to nothing.
pub(super) fn is_dead_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
        && fs::metadata(path).is_err_and(|cause| leads_nowhere(&cause))
}

/// Whether a link that cannot be followed for this `cause` leads nowhere. A disk that fails has other causes.
pub(super) fn leads_nowhere(cause: &io::Error) -> bool {
    /// "Too many levels of symbolic links": a link that leads to itself.
    const LOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || cause.raw_os_error() == Some(LOOP)
}

/// One folder's images and subfolders, each sorted; hidden ones and `__MACOSX` are left out.
fn list(folder: &Path) -> Result<Entries, DatasetError> {
    let unreadable = |cause: io::Error| DatasetError::Unreadable { path: folder.to_owned(), cause };
    let mut entries = Entries {
        images: Vec::new(),
        folders: Vec::new(),
        dead_links: HashSet::new(),
        dead_folders: Vec::new(),
    };
    for entry in entries_of(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| unreadable(cause(error)))?;
        let path = entry.path();
        let Some(name) = entry.file_name().to_str() else {
            if is_image_name(path) {
                return Err(DatasetError::NameNotUtf8 { path: path.to_owned() });
            }
            continue;
        };
        if names::is_hidden(name.as_ref()) {
            continue;
        }
        // A symbolic link counts as what it leads to. Only links and unknown kinds cost a look at
        // the file itself. A link to nothing under an image's name stays an image, which is then
        // reported as such, not passed over.
        let kind = entry.file_type();
        let (is_folder, is_dead) = match () {
            () if kind.is_dir() || kind.is_file() => (kind.is_dir(), false),
            () => (path.is_dir(), is_dead_link(path)),
        };
        if is_dead && is_image_name(path) {
            entries.dead_links.insert(name.to_owned());
        } else if is_dead && (labels::wnid_to_index(name).is_some() || class_number(name).is_some()) {
            entries.dead_folders.push(name.to_owned());
        }
        if is_folder {
            entries.folders.push(name.to_owned());
        } else if is_image_name(path) {
            entries.images.push(name.to_owned());
        }
    }
    Ok(entries)
}

/// What lies in `folder` itself. Links stay links.
fn entries_of(folder: &Path) -> WalkDir {
    WalkDir::new(folder).min_depth(1).max_depth(1)
}

/// Why the walk cannot go on. There is always a cause: a loop of links ends only walks that follow them.
fn cause(error: walkdir::Error) -> io::Error {
    let words = error.to_string();
    error.into_io_error().unwrap_or_else(|| io::Error::other(words))
}

/// By extension, in any case: only to find files; what they are is decided by their content.
pub(super) fn is_image_name(path: &Path) -> bool {
    path.extension()
        .is_some_and(|found| ["jpg", "jpeg", "png"].iter().any(|known| found.eq_ignore_ascii_case(known)))
}
