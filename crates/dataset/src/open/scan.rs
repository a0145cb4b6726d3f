//! Finds image files in a folder. Sorted, deterministic, at most a few levels deep, so that a loop of
//! symbolic links cannot hang it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::DatasetError;
use super::error::examples;
use crate::labels;

/// Where people keep the validation images below the folder they name.
const USUAL_PLACES: [&str; 7] = [
    "val",
    "validation",
    "ILSVRC2012_img_val",
    "ILSVRC2012_val",
    "images",
    "CLS-LOC/val",
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
    /// Class folders that lie beside flat images and are not read.
    pub(super) passed_over: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrangement {
    Flat,
    /// In folders that are all WNIDs; how many.
    ByClass(usize),
    /// In folders some of which are no WNIDs; how many. Only a list can tell labels.
    ByFolder(usize),
}

/// The images of `folder`, or of the usual place below it. `any_folder` accepts subfolders of any
/// name; without it, one that holds images and is not a WNID is an error.
pub(super) fn find(folder: &Path, any_folder: bool) -> Result<Found, DatasetError> {
    let found = find_anywhere(folder)?;
    if matches!(found.arrangement, Arrangement::ByFolder(_)) && !any_folder {
        return Err(unknown_folders(&found));
    }
    Ok(found)
}

fn find_anywhere(folder: &Path) -> Result<Found, DatasetError> {
    if let Some(found) = find_here(folder, true)? {
        return Ok(found);
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

fn unknown_folders(found: &Found) -> DatasetError {
    let mut folders: Vec<&str> = found.names.iter().filter_map(|name| name.split('/').next()).collect();
    folders.dedup();
    folders.retain(|folder| labels::wnid_to_index(folder).is_none());
    DatasetError::UnknownFolders {
        path: found.root.clone(),
        count: folders.len(),
        examples: examples(folders),
    }
}

/// Images directly in `folder`; else in its subfolders, unless `classes_only` is set and none of them
/// is a WNID.
fn find_here(folder: &Path, classes_only: bool) -> Result<Option<Found>, DatasetError> {
    let entries = list(folder)?;
    let root = folder.to_owned();
    let is_class = |name: &String| labels::wnid_to_index(name).is_some();
    let class_folders = entries.folders.iter().filter(|name| is_class(name)).count();
    if !entries.images.is_empty() {
        let (names, arrangement) = (entries.images, Arrangement::Flat);
        return Ok(Some(Found { root, names, arrangement, below: None, passed_over: class_folders }));
    }
    if classes_only && class_folders == 0 {
        return Ok(None);
    }
    let mut names = Vec::new();
    let (mut classes, mut others) = (0, 0);
    for folder_name in &entries.folders {
        let images = list(&folder.join(folder_name))?.images;
        if images.is_empty() {
            continue;
        }
        *(if is_class(folder_name) { &mut classes } else { &mut others }) += 1;
        names.extend(images.iter().map(|image| format!("{folder_name}/{image}")));
    }
    if names.is_empty() {
        return Ok(None);
    }
    // By folder and then by file is not yet by whole name: "a/" sorts after "a-b/".
    names.sort_unstable();
    let arrangement =
        if others == 0 { Arrangement::ByClass(classes) } else { Arrangement::ByFolder(classes + others) };
    Ok(Some(Found { root, names, arrangement, below: None, passed_over: 0 }))
}

struct Entries {
    images: Vec<String>,
    folders: Vec<String>,
}

/// One folder's images and subfolders, each sorted; hidden ones and `__MACOSX` are left out.
fn list(folder: &Path) -> Result<Entries, DatasetError> {
    let unreadable = |cause: io::Error| DatasetError::Unreadable { path: folder.to_owned(), cause };
    let mut entries = Entries { images: Vec::new(), folders: Vec::new() };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            if is_image_name(&path) {
                return Err(DatasetError::NameNotUtf8 { path });
            }
            continue;
        };
        if name.starts_with('.') || name == "__MACOSX" {
            continue;
        }
        // A symbolic link counts as what it leads to. Only links and unknown kinds cost a look at
        // the file itself. A broken link under an image's name stays an image, which is then
        // reported as unreadable, not passed over.
        let is_folder = match entry.file_type() {
            Ok(kind) if kind.is_dir() || kind.is_file() => kind.is_dir(),
            _ => path.is_dir(),
        };
        if is_folder {
            entries.folders.push(name.to_owned());
        } else if is_image_name(&path) {
            entries.images.push(name.to_owned());
        }
    }
    entries.images.sort_unstable();
    entries.folders.sort_unstable();
    Ok(entries)
}

/// By extension, in any case: only to find files; what they are is decided by their content.
pub(super) fn is_image_name(path: &Path) -> bool {
    path.extension()
        .is_some_and(|found| ["jpg", "jpeg", "png"].iter().any(|known| found.eq_ignore_ascii_case(known)))
}
