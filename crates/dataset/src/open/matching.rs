//! Which image a line of a list means.

use std::collections::HashMap;
use std::path::Path;

use super::DatasetError;
use super::error::examples;
use super::list::{Entry, List};
use super::scan::{self, Found};
use crate::names;

/// The label of every image, in the order of `found.names`, where the list has one.
pub(super) fn match_entries(
    found: &Found,
    path: &Path,
    list: &List,
) -> Result<Vec<Option<u16>>, DatasetError> {
    let entries = list.entries();
    let index = Index::new(found, path);
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
pub(super) struct Index<'a> {
    by_name: HashMap<&'a str, usize>,
    by_file: HashMap<&'a str, Vec<usize>>,
    /// File names less their extension, as Kaggle writes them.
    by_stem: HashMap<&'a str, Vec<usize>>,
    /// From the list's folder down to the images' folder, with `/` at the end, if it lies below.
    prefix: Option<String>,
}

pub(super) enum Match<'a> {
    None,
    One(usize),
    Several(&'a [usize]),
}

impl<'a> Index<'a> {
    /// Of the images that are `found`, for the list at `list`.
    pub(super) fn new(found: &'a Found, list: &Path) -> Self {
        let mut by_file: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut by_stem: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, name) in found.names.iter().enumerate() {
            let file = names::file_name(name);
            by_file.entry(file).or_default().push(index);
            by_stem.entry(names::stem(file)).or_default().push(index);
        }
        let by_name = found.names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let from_folder = || {
            let folder = scan::folder_of(list).canonicalize().ok()?;
            let root = found.root.canonicalize().ok()?;
            let below = root.strip_prefix(folder).ok()?;
            let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
            Some(parts?.iter().map(|part| format!("{part}/")).collect())
        };
        Self { by_name, by_file, by_stem, prefix: from_folder() }
    }

    pub(super) fn find(&self, name: &str) -> Match<'_> {
        let from_list = self.prefix.as_deref().and_then(|prefix| name.strip_prefix(prefix));
        let exact = [Some(name), from_list].into_iter().flatten().find_map(|name| self.by_name.get(name));
        if let Some(&image) = exact {
            return Match::One(image);
        }
        let file = names::file_name(name);
        let stem = || (!scan::is_image_name(file.as_ref())).then(|| self.by_stem.get(file)).flatten();
        match self.by_file.get(file).or_else(stem).map(Vec::as_slice) {
            None | Some([]) => Match::None,
            Some([image]) => Match::One(*image),
            Some(images) => Match::Several(images),
        }
    }
}
