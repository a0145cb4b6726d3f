//! The rules by which images and labels are put together.
//!
//! Labels come from, in this order: the list that was named (`--labels`), a parquet file's column, a list in or
//! beside the folder, WNID folder names, the number in an ILSVRC2012 file name. Where two of them know an image
//! and disagree, the first is used and a warning says so: a list in another class order is the
//! commonest way to measure nonsense.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive;
use super::error::examples;
use super::finish::finish;
use super::kind::Kind;
use super::list::{self, Entry, List};
use super::matching::{Bases, Index, Match, match_entries};
use super::parquet;
use super::scan::{self, Arrangement, Found};
use super::{Dataset, DatasetError, LabelSource, LabelledImage, Layout, Store};
use crate::{labels, names};

pub(super) fn open(path: &Path, labels: Option<&Path>) -> Result<Dataset, DatasetError> {
    let kind = fs::metadata(path).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => DatasetError::Missing { path: path.to_owned() },
        _ => DatasetError::Unreadable { path: path.to_owned(), cause },
    })?;
    if kind.is_dir() {
        let parquet::InFolder { shards, passed_over } = parquet::in_folder(path)?;
        let opened = match shards.is_empty() {
            true => open_folder(path, labels),
            false => open_parquet(path, &shards, labels),
        };
        return match opened {
            Ok(mut dataset) => {
                dataset.warnings.extend(passed_over.warning());
                Ok(dataset)
            }
            // Nothing else is there, so those files must have been meant.
            Err(error @ DatasetError::NoImages { .. }) if !passed_over.files.is_empty() => {
                Err(parquet::open(path, &passed_over.files, false).err().unwrap_or(error))
            }
            Err(error) => Err(error),
        };
    }
    if scan::is_image_name(path) {
        return Err(DatasetError::SingleImage { path: path.to_owned() });
    }
    // What is read from a pipe is gone, so only a file's beginning is looked at.
    let kind = if kind.is_file() { Kind::of(path) } else { Ok(Kind::Other) };
    match kind.map_err(|cause| DatasetError::Unreadable { path: path.to_owned(), cause })? {
        Kind::Tar => open_archive(path, labels),
        Kind::Parquet => open_parquet(path, &[path.to_owned()], labels),
        Kind::Compressed(by) => Err(DatasetError::Compressed { path: path.to_owned(), by }),
        Kind::Other => open_list(path, labels),
    }
}

fn open_archive(path: &Path, named: Option<&Path>) -> Result<Dataset, DatasetError> {
    let (archive, found, inside) = archive::open(path)?;
    let layout = Layout::Tar { inside: Box::new(layout(&found)) };
    let dataset = match (named, inside) {
        (Some(list), _) => labelled_by_list(found, layout, list, list::read(list)?),
        (None, Some(inside)) => {
            let list = list::parse(&inside.path, &inside.bytes)?;
            labelled_by(found, layout, &inside.path, list, &Bases::in_archive(&inside.below))
        }
        (None, None) if matches!(found.arrangement, Arrangement::ByFolder(_)) => {
            Err(scan::unknown_folders(&found))
        }
        (None, None) => labelled_by_what_is_beside(found, layout, path),
    }?;
    Ok(Dataset { store: Store::Tar(Arc::new(archive)), ..dataset })
}

/// By the list that was named, else by the files' own labels.
fn open_parquet(path: &Path, shards: &[PathBuf], named: Option<&Path>) -> Result<Dataset, DatasetError> {
    let layout = Layout::Parquet { shards: shards.len() };
    let opened = parquet::open(path, shards, named.is_none())?;
    let mut dataset = match (named, opened.labelled) {
        (Some(list), _) => labelled_by_list(opened.found, layout, list, list::read(list)?),
        (None, Some((column, items))) => finish(opened.found, items, layout, LabelSource::Column(column)),
        (None, None) => labelled_by_what_is_beside(opened.found, layout, path),
    }?;
    dataset.warnings.extend(opened.warnings);
    Ok(Dataset { store: Store::Parquet(Arc::new(opened.shards)), ..dataset })
}

fn open_folder(folder: &Path, named: Option<&Path>) -> Result<Dataset, DatasetError> {
    let inside = named.is_none().then(|| list_in(folder)).flatten();
    let found = scan::find(folder, named.is_some() || inside.is_some())?;
    let layout = layout(&found);
    if let Some(path) = named {
        let list = list::read(path)?;
        return labelled_by_list(found, layout, path, list);
    }
    // In the folder that was given, in the folder where the images are, beside the folder.
    let inside = inside.or_else(|| list_in(&found.root));
    if let Some(path) = inside {
        let list = list::read(&path)?;
        return labelled_by_list(found, layout, &path, list);
    }
    labelled_by_what_is_beside(found, layout, folder)
}

/// Labels of images at `path` by a list beside it that names them, else by their own names.
fn labelled_by_what_is_beside(found: Found, layout: Layout, path: &Path) -> Result<Dataset, DatasetError> {
    if found.arrangement != Arrangement::Flat {
        return labelled_by_name(found, layout, None);
    }
    let parent = path.canonicalize().ok().and_then(|whole| whole.parent().map(Path::to_owned));
    let Some(path) = parent.as_deref().and_then(list_in) else {
        return labelled_by_name(found, layout, None);
    };
    // A list beside the folder may belong to something else; it counts if it names an image here.
    let (reason, broken) = match list::read(&path) {
        Ok(list @ (List::Named(_) | List::Kaggle(_)))
            if names_one(list.entries(), &Index::new(&found, &Bases::of(&path, &found.root))) =>
        {
            return labelled_by_list(found, layout, &path, list);
        }
        Ok(List::GroundTruth) if found.names.iter().any(|name| labels::val_label(name).is_some()) => {
            return labelled_by_list(found, layout, &path, List::GroundTruth);
        }
        Ok(List::Named(_) | List::Kaggle(_) | List::GroundTruth) => {
            ("it names none of these images".to_owned(), false)
        }
        Ok(List::Bare(_)) => ("it has labels but no names".to_owned(), false),
        Err(error) => (without_path(&error, &path), true),
    };
    let note = format!("list {} beside the folder is not used: {reason}", path.display());
    labelled_by_name(found, layout, Some(Unused { note, broken }))
}

/// A list beside the folder that gives no labels.
struct Unused {
    /// Which one, and why.
    note: String,
    /// It may have been meant for these images: worth a warning even if the labels are known.
    broken: bool,
}

/// What an error says, without the path in front.
fn without_path(error: &DatasetError, path: &Path) -> String {
    let message = error.to_string();
    let reason = message.strip_prefix(&path.display().to_string()).unwrap_or(&message);
    reason.trim_start_matches([',', ':', ' ']).to_owned()
}

/// The list itself is the path: its images are those that it names. Labels are its own unless another is named.
fn open_list(path: &Path, named: Option<&Path>) -> Result<Dataset, DatasetError> {
    let list = list::read(path)?;
    let (found, layout) = match &list {
        List::Named(entries) => listed_images(path, entries)?,
        // Its names have no extension and are found below its folder.
        List::Kaggle(_) => images_below(scan::folder_of(path))?,
        List::Bare(_) | List::GroundTruth => {
            return Err(DatasetError::ListWithoutNames { path: path.to_owned() });
        }
    };
    match named {
        Some(named) => labelled_by_list(found, layout, named, list::read(named)?),
        None => labelled_by_list(found, layout, path, list),
    }
}

/// The images that the list at `path` names.
fn listed_images(path: &Path, entries: &[Entry]) -> Result<(Found, Layout), DatasetError> {
    let root = scan::folder_of(path).to_owned();
    refuse_ways_through_links(path, &root, entries)?;
    let bases = Bases::of(path, &root);
    // The shortest is the one below the root, so that an absolute name and a relative one are the same.
    let below = |entry: &Entry| bases.names(&entry.name).min_by_key(|name| name.len()).map(str::to_owned);
    let mut names: Vec<String> = entries.iter().filter_map(below).collect();
    names.sort_unstable();
    names.dedup();
    // `join` lets an absolute name stand, so that a list may point anywhere. A link to nothing is there: it is that
    // image's error.
    let is_there =
        |path: PathBuf| fs::metadata(&path).is_ok_and(|found| !found.is_dir()) || scan::is_dead_link(&path);
    let absent: Vec<&str> =
        names.iter().filter(|name| !is_there(root.join(name))).map(String::as_str).collect();
    if absent.is_empty() {
        scan::check_names(&root, &names)?;
        let dead_links = names.iter().filter(|name| scan::is_dead_link(&root.join(name))).cloned().collect();
        Ok((Found { dead_links, ..Found::new(root, names, Arrangement::Flat) }, Layout::ListFile))
    } else if absent.len() == names.len() {
        // Not one is where the list says: perhaps its folder holds them in another arrangement.
        images_below(&root)
    } else {
        Err(DatasetError::ListedFilesAbsent {
            list: path.to_owned(),
            path: root,
            count: absent.len(),
            total: names.len(),
            examples: examples(absent),
        })
    }
}

/// A name's plain form is what it says only where there are no links on its way.
fn refuse_ways_through_links(path: &Path, root: &Path, entries: &[Entry]) -> Result<(), DatasetError> {
    for entry in entries {
        let Some(written) = &entry.written else { continue };
        let Ok(whole) = root.join(written).canonicalize() else { continue };
        if root.join(&entry.name).canonicalize().ok() != Some(whole) {
            return Err(DatasetError::ListedThroughLink {
                path: path.to_owned(),
                line: entry.line,
                written: written.clone(),
                plain: entry.name.clone(),
            });
        }
    }
    Ok(())
}

/// The images of `folder` in any arrangement, for a list to label.
fn images_below(folder: &Path) -> Result<(Found, Layout), DatasetError> {
    let found = scan::find(folder, true)?;
    let layout = layout(&found);
    Ok((found, layout))
}

fn names_one(entries: &[Entry], index: &Index<'_>) -> bool {
    entries.iter().any(|entry| matches!(index.find(&entry.name), Match::One(_)))
}

fn layout(found: &Found) -> Layout {
    let below = found.below.map(str::to_owned);
    match found.arrangement {
        Arrangement::Flat => Layout::Flat { below },
        Arrangement::ByClass(classes) => Layout::ClassFolders { classes, below },
        Arrangement::ByNumber(classes) => Layout::NumberedFolders { classes, below },
        Arrangement::ByFolder(folders) => Layout::Folders { folders },
    }
}

fn list_in(folder: &Path) -> Option<PathBuf> {
    list::NAMES.iter().map(|name| (name, folder.join(name))).find_map(|(name, path)| {
        (path.is_file() && (!list::may_be_another(name) || list::looks_like_one(&path))).then_some(path)
    })
}

/// WNID folders, or numbers in file names.
fn labelled_by_name(found: Found, layout: Layout, beside: Option<Unused>) -> Result<Dataset, DatasetError> {
    let label_of = |name: &str| match (found.arrangement, name.split_once('/')) {
        (Arrangement::ByClass(_), Some((folder, _))) => labels::wnid_to_index(folder),
        (Arrangement::ByNumber(_), Some((folder, _))) => scan::class_number(folder),
        _ => labels::val_label(name),
    };
    let unlabelled: Vec<&str> =
        found.names.iter().map(String::as_str).filter(|name| label_of(name).is_none()).collect();
    if !unlabelled.is_empty() {
        return Err(DatasetError::Unlabelled {
            path: found.root.clone(),
            count: unlabelled.len(),
            total: found.names.len(),
            examples: examples(unlabelled),
            no_list: beside.map_or_else(|| "there is no val.txt".to_owned(), |list| list.note),
        });
    }
    let item = |name: &String| label_of(name).map(|label| LabelledImage { name: name.clone(), label });
    let items = found.names.iter().filter_map(item).collect();
    let label_source = match found.arrangement {
        Arrangement::ByClass(_) => LabelSource::FolderNames,
        Arrangement::ByNumber(_) => LabelSource::FolderNumbers,
        Arrangement::Flat | Arrangement::ByFolder(_) => LabelSource::BuiltIn,
    };
    let mut dataset = finish(found, items, layout, label_source)?;
    dataset.warnings.extend(beside.filter(|list| list.broken).map(|list| list.note));
    Ok(dataset)
}

fn labelled_by_list(found: Found, layout: Layout, path: &Path, list: List) -> Result<Dataset, DatasetError> {
    let bases = Bases::of(path, &found.root);
    labelled_by(found, layout, path, list, &bases)
}

/// By the `list` from `path`, whose names may begin with one of `bases`.
fn labelled_by(
    found: Found,
    layout: Layout,
    path: &Path,
    list: List,
    bases: &Bases,
) -> Result<Dataset, DatasetError> {
    let mut label_source = LabelSource::List(path.to_owned());
    let items = match list {
        List::GroundTruth => {
            label_source = LabelSource::GroundTruth(path.to_owned());
            ground_truth(&found, path)?
        }
        List::Bare(labels) => bare(&found, path, &labels)?,
        List::Named(_) | List::Kaggle(_) => {
            let labels = match_entries(&found, path, &list, bases)?;
            let item = |(name, label): (&String, Option<u16>)| {
                Some(LabelledImage { name: name.clone(), label: label? })
            };
            found.names.iter().zip(labels).filter_map(item).collect()
        }
    };
    finish(found, items, layout, label_source)
}

/// The ground truth has been found equal to the known labels, so those are used.
fn ground_truth(found: &Found, path: &Path) -> Result<Vec<LabelledImage>, DatasetError> {
    let (items, others) =
        found.names.iter().fold((Vec::new(), Vec::new()), |(mut items, mut others), name| {
            match labels::val_label(name) {
                Some(label) => items.push(LabelledImage { name: name.clone(), label }),
                None => others.push(name.as_str()),
            }
            (items, others)
        });
    if others.is_empty() {
        return Ok(items);
    }
    Err(DatasetError::GroundTruthOfOthers {
        list: path.to_owned(),
        path: found.root.clone(),
        count: others.len(),
        total: found.names.len(),
        examples: examples(others),
    })
}

/// Labels without names go to the images in the order of their file names. Where these lie in folders, that may be an order
/// of folders first, as torchvision's `ImageFolder` has it, or of file names, as in the flat folder that they were
/// in once: taken is what both say, or the one that agrees with every known label.
fn bare(found: &Found, path: &Path, labels: &[u16]) -> Result<Vec<LabelledImage>, DatasetError> {
    if labels.len() != found.names.len() {
        return Err(DatasetError::CountMismatch {
            list: path.to_owned(),
            path: found.root.clone(),
            lines: labels.len(),
            images: found.names.len(),
        });
    }
    let labelled = |key: fn(&str) -> (&str, &str)| {
        let mut names: Vec<&String> = found.names.iter().collect();
        names.sort_by_key(|name| key(name));
        let item = |(name, &label): (&String, &u16)| LabelledImage { name: name.clone(), label };
        let mut items: Vec<LabelledImage> = names.into_iter().zip(labels).map(item).collect();
        items.sort_unstable();
        items
    };
    let by_files = labelled(|name| (names::file_name(name), name));
    let by_folders = labelled(|name| name.rsplit_once('/').unwrap_or(("", name)));
    let differing = by_folders.iter().zip(&by_files).find(|(one, other)| one.label != other.label);
    let Some((one, other)) = differing else { return Ok(by_files) };
    let agrees = |items: &[LabelledImage]| {
        items.iter().all(|item| labels::known_label(&item.name) == Some(item.label))
    };
    match (agrees(&by_folders), agrees(&by_files)) {
        (true, _) => Ok(by_folders),
        (_, true) => Ok(by_files),
        _ => Err(DatasetError::BareOverFolders {
            list: path.to_owned(),
            path: found.root.clone(),
            name: one.name.clone(),
            by_folders: one.label,
            by_files: other.label,
        }),
    }
}
