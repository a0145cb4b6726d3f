//! The rules by which images and labels are put together.
//!
//! Labels come from, in this order: the list that was named (`--labels`), a parquet file's column, a list in or
//! beside the folder, WNID folder names, the number in an ILSVRC2012 file name. Where two of them know an image
//! and disagree, the first is used and a warning says so: a list in another class order is the
//! commonest way to measure nonsense.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{self, Kind};
use super::error::examples;
use super::list::{self, Entry, List};
use super::order::{self, Order};
use super::parquet;
use super::scan::{self, Arrangement, Found};
use super::{Dataset, DatasetError, Item, LabelSource, Layout, Store};
use crate::labels;

/// Names under which label lists of validation sets go.
const LIST_NAMES: [&str; 7] = [
    "val.txt",
    "val_list.txt",
    "val_map.txt",
    "labels.txt",
    "LOC_val_solution.csv",
    "ILSVRC2012_validation_ground_truth.txt",
    "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt",
];

pub(super) fn open(path: &Path, labels: Option<&Path>) -> Result<Dataset, DatasetError> {
    let kind = fs::metadata(path).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => DatasetError::Missing { path: path.to_owned() },
        _ => DatasetError::Unreadable { path: path.to_owned(), cause },
    })?;
    if kind.is_dir() {
        let shards = parquet::shards_in(path)?;
        return if shards.is_empty() {
            open_folder(path, labels)
        } else {
            open_parquet(path, &shards, labels)
        };
    }
    if scan::is_image_name(path) {
        return Err(DatasetError::SingleImage { path: path.to_owned() });
    }
    // What is read from a pipe is gone, so only a file's beginning is looked at.
    let kind = if kind.is_file() { archive::kind(path) } else { Ok(Kind::Other) };
    match kind.map_err(|cause| DatasetError::Unreadable { path: path.to_owned(), cause })? {
        Kind::Tar => open_archive(path, labels),
        Kind::Parquet => open_parquet(path, &[path.to_owned()], labels),
        Kind::Compressed(by) => Err(DatasetError::Compressed { path: path.to_owned(), by }),
        Kind::Other => open_list(path, labels),
    }
}

fn open_archive(path: &Path, named: Option<&Path>) -> Result<Dataset, DatasetError> {
    let (archive, found) = archive::open(path)?;
    let layout = Layout::Tar { inside: Box::new(layout(&found)) };
    let dataset = match named {
        Some(list) => labelled_by_list(found, layout, list, list::read(list)?),
        None if matches!(found.arrangement, Arrangement::ByFolder(_)) => Err(scan::unknown_folders(&found)),
        None => labelled_by_what_is_beside(found, layout, path),
    }?;
    Ok(Dataset { store: Store::Tar(Arc::new(archive)), ..dataset })
}

/// By the list that was named, else by the files' own labels.
fn open_parquet(path: &Path, shards: &[PathBuf], named: Option<&Path>) -> Result<Dataset, DatasetError> {
    let layout = Layout::Parquet { shards: shards.len() };
    let opened = parquet::open(path, shards, named.is_none())?;
    let mut dataset = match (named, opened.labelled) {
        (Some(list), _) => labelled_by_list(opened.found, layout, list, list::read(list)?),
        (None, Some((column, items))) => Ok(finish(opened.found, items, layout, LabelSource::Column(column))),
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
            if names_one(list.entries(), &Index::new(&found, path.parent())) =>
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

/// The list itself is the path: its images are those that it names.
fn open_list(path: &Path, named: Option<&Path>) -> Result<Dataset, DatasetError> {
    let list = list::read(path)?;
    let entries = match &list {
        List::Named(entries) => entries,
        // Its names have no extension and are found below its folder.
        List::Kaggle(_) => {
            let found = scan::find(path.parent().unwrap_or(Path::new("")), true)?;
            let layout = layout(&found);
            return labelled_by_list(found, layout, path, list);
        }
        List::Bare(_) | List::GroundTruth => {
            return Err(DatasetError::ListWithoutNames { path: path.to_owned() });
        }
    };
    let root = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    // `join` lets an absolute name stand, so that a list may point anywhere.
    let absent: Vec<&str> =
        names.iter().filter(|name| !root.join(name).is_file()).map(String::as_str).collect();
    let (found, layout) = if absent.is_empty() {
        scan::check_names(&root, &names)?;
        (Found::new(root, names, Arrangement::Flat), Layout::ListFile)
    } else if absent.len() == names.len() {
        // Not one is where the list says: perhaps its folder holds them in another arrangement.
        let found = scan::find(&root, true)?;
        let layout = layout(&found);
        (found, layout)
    } else {
        return Err(DatasetError::ListedFilesAbsent {
            list: path.to_owned(),
            path: root,
            count: absent.len(),
            total: names.len(),
            examples: examples(absent),
        });
    };
    match named {
        Some(named) => labelled_by_list(found, layout, named, list::read(named)?),
        None => labelled_by_list(found, layout, path, list),
    }
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
    LIST_NAMES
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file() && (!path.ends_with("labels.txt") || list::looks_like_one(path)))
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
    let item = |name: &String| label_of(name).map(|label| Item { name: name.clone(), label });
    let items = found.names.iter().filter_map(item).collect();
    let label_source = match found.arrangement {
        Arrangement::ByClass(_) => LabelSource::FolderNames,
        Arrangement::ByNumber(_) => LabelSource::FolderNumbers,
        Arrangement::Flat | Arrangement::ByFolder(_) => LabelSource::BuiltIn,
    };
    let mut dataset = finish(found, items, layout, label_source);
    dataset.warnings.extend(beside.filter(|list| list.broken).map(|list| list.note));
    Ok(dataset)
}

fn labelled_by_list(found: Found, layout: Layout, path: &Path, list: List) -> Result<Dataset, DatasetError> {
    let mut label_source = LabelSource::List(path.to_owned());
    let items = match list {
        List::GroundTruth => {
            label_source = LabelSource::GroundTruth(path.to_owned());
            ground_truth(&found, path)?
        }
        List::Bare(labels) => bare(&found, path, &labels)?,
        List::Named(_) | List::Kaggle(_) => {
            let labels = match_entries(&found, path, &list)?;
            let item =
                |(name, label): (&String, Option<u16>)| Some(Item { name: name.clone(), label: label? });
            found.names.iter().zip(labels).filter_map(item).collect()
        }
    };
    Ok(finish(found, items, layout, label_source))
}

/// The ground truth has been found equal to the known labels, so those are used.
fn ground_truth(found: &Found, path: &Path) -> Result<Vec<Item>, DatasetError> {
    let (items, others) =
        found.names.iter().fold((Vec::new(), Vec::new()), |(mut items, mut others), name| {
            match labels::val_label(name) {
                Some(label) => items.push(Item { name: name.clone(), label }),
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

/// Labels without names go to the images in the order of their file names, whatever the folder.
fn bare(found: &Found, path: &Path, labels: &[u16]) -> Result<Vec<Item>, DatasetError> {
    if labels.len() != found.names.len() {
        return Err(DatasetError::CountMismatch {
            list: path.to_owned(),
            path: found.root.clone(),
            lines: labels.len(),
            images: found.names.len(),
        });
    }
    let mut names: Vec<&String> = found.names.iter().collect();
    names.sort_by_key(|name| file_name(name));
    let mut items: Vec<Item> =
        names.into_iter().zip(labels).map(|(name, &label)| Item { name: name.clone(), label }).collect();
    items.sort_unstable();
    Ok(items)
}

/// The label of every image, in the order of `found.names`, where the list has one.
fn match_entries(found: &Found, path: &Path, list: &List) -> Result<Vec<Option<u16>>, DatasetError> {
    let entries = list.entries();
    let index = Index::new(found, path.parent());
    let mut matched: Vec<Option<&Entry>> = vec![None; found.names.len()];
    let mut absent = Vec::new();
    for entry in entries {
        let image = match index.find(&entry.name) {
            Match::One(image) => image,
            Match::None => {
                absent.push(entry.name.as_str());
                continue;
            }
            Match::Several(images) => {
                return Err(DatasetError::AmbiguousName {
                    path: path.to_owned(),
                    line: entry.line,
                    name: entry.name.clone(),
                    examples: examples(images.iter().map(|&image| found.names[image].as_str())),
                });
            }
        };
        match matched[image] {
            Some(first) if first.label != entry.label => {
                return Err(DatasetError::DuplicateName {
                    path: path.to_owned(),
                    line: entry.line,
                    first_line: first.line,
                    name: entry.name.clone(),
                    label: entry.label,
                    first_label: first.label,
                });
            }
            _ => matched[image] = Some(entry),
        }
    }
    if matched.iter().all(Option::is_none) {
        return Err(DatasetError::ListCoversNone {
            list: path.to_owned(),
            path: found.root.clone(),
            images: found.names.len(),
            example: entries.first().map(|entry| entry.name.clone()).unwrap_or_default(),
        });
    }
    // Kaggle's list is of all 50,000, whichever of them are here.
    if !absent.is_empty() && !matches!(list, List::Kaggle(_)) {
        return Err(DatasetError::ListedFilesAbsent {
            list: path.to_owned(),
            path: found.root.clone(),
            count: absent.len(),
            total: entries.len(),
            examples: examples(absent),
        });
    }
    Ok(matched.into_iter().map(|entry| entry.map(|entry| entry.label)).collect())
}

/// Finds the image that a list means: by its path below the images' folder, by its path from the
/// list's folder, or by its bare file name.
struct Index<'a> {
    by_name: HashMap<&'a str, usize>,
    by_file: HashMap<&'a str, Vec<usize>>,
    /// File names less their extension, as Kaggle writes them.
    by_stem: HashMap<&'a str, Vec<usize>>,
    /// From the list's folder down to the images' folder, with `/` at the end, if it lies below.
    prefix: Option<String>,
}

enum Match<'a> {
    None,
    One(usize),
    Several(&'a [usize]),
}

impl<'a> Index<'a> {
    fn new(found: &'a Found, list_folder: Option<&Path>) -> Self {
        let mut by_file: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut by_stem: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, name) in found.names.iter().enumerate() {
            let file = file_name(name);
            by_file.entry(file).or_default().push(index);
            let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
            by_stem.entry(stem).or_default().push(index);
        }
        let by_name = found.names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let prefix = list_folder.and_then(|folder| {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let (folder, root) = (folder.canonicalize().ok()?, found.root.canonicalize().ok()?);
            let below = root.strip_prefix(folder).ok()?;
            let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
            Some(parts?.iter().map(|part| format!("{part}/")).collect())
        });
        Self { by_name, by_file, by_stem, prefix }
    }

    fn find(&self, name: &str) -> Match<'_> {
        let from_list = self.prefix.as_deref().and_then(|prefix| name.strip_prefix(prefix));
        let exact = [Some(name), from_list].into_iter().flatten().find_map(|name| self.by_name.get(name));
        if let Some(&image) = exact {
            return Match::One(image);
        }
        let file = file_name(name);
        let stem = || (!scan::is_image_name(file.as_ref())).then(|| self.by_stem.get(file)).flatten();
        match self.by_file.get(file).or_else(stem).map(Vec::as_slice) {
            None | Some([]) => Match::None,
            Some([image]) => Match::One(*image),
            Some(images) => Match::Several(images),
        }
    }
}

fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Closes the data set; warns of labels that contradict the known ones, and of what may surprise.
fn finish(found: Found, items: Vec<Item>, layout: Layout, label_source: LabelSource) -> Dataset {
    let mut warnings = Vec::new();
    let folders = |count: usize| if count == 1 { "1 folder".to_owned() } else { format!("{count} folders") };
    if !found.passed_over.is_empty() {
        warnings.push(format!(
            "not read: {} with images beside the images in {} ({}); to evaluate such a folder, give it as the path",
            folders(found.passed_over.len()),
            found.root.display(),
            examples(found.passed_over.iter().map(String::as_str)),
        ));
    }
    if !found.named_like_images.is_empty() {
        warnings.push(format!(
            "not read: {} in {} named like an image file ({})",
            folders(found.named_like_images.len()),
            found.root.display(),
            examples(found.named_like_images.iter().map(String::as_str)),
        ));
    }
    let evaluated: HashSet<&str> = items.iter().map(|item| item.name.as_str()).collect();
    let left_out: Vec<&str> =
        found.names.iter().map(String::as_str).filter(|name| !evaluated.contains(name)).collect();
    if !left_out.is_empty() {
        warnings.push(format!(
            "{} of {} images are not named by {label_source} and are not evaluated: {}",
            left_out.len(),
            found.names.len(),
            examples(left_out),
        ));
    }
    warnings.extend(disagreement(&items, &label_source));
    let mut numbers = HashSet::new();
    let twice: Vec<&str> = (items.iter().map(|item| item.name.as_str()))
        .filter(|name| labels::val_file_number(name).is_some_and(|number| !numbers.insert(number)))
        .collect();
    if !twice.is_empty() {
        warnings.push(format!(
            "{} validation files are there twice, with another folder or extension: {}",
            twice.len(),
            examples(twice),
        ));
    }
    Dataset { root: found.root, items, layout, label_source, warnings, store: Store::Files }
}

/// What to say if the labels are not the known ones of the ILSVRC2012 files among the images.
fn disagreement(items: &[Item], label_source: &LabelSource) -> Option<String> {
    let known: Vec<(&Item, u16)> =
        items.iter().filter_map(|item| Some((item, labels::val_label(&item.name)?))).collect();
    let wrong: Vec<&(&Item, u16)> = known.iter().filter(|(item, label)| item.label != *label).collect();
    let (first, label) = wrong.first()?;
    let guess = match label_source {
        LabelSource::FolderNames => String::new(),
        _ => match order::of(&order::known(items)) {
            Order::Sorted { .. } => String::new(),
            Order::FromOne { .. } => "; a list that counts from 1?".to_owned(),
            Order::Unrelated => "; a list in another class order?".to_owned(),
            order => format!("; they are {order}"),
        },
    };
    Some(format!(
        "the labels from {label_source} disagree with the known ILSVRC2012 labels for {} of {} files, first: {} is {} \
         there, known {label}{guess}",
        wrong.len(),
        known.len(),
        first.name,
        first.label,
    ))
}
