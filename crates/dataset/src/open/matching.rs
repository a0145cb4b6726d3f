//! Which image a line of a list means.

use std::collections::HashMap;
use std::path::Path;

use super::DatasetError;
use super::error::examples;
use super::list::{Entry, List};
use super::scan::{self, Found};
use crate::names;

/// The label of every image, in the order of `found.names`, where the list has one. Lines that name an image twice count
/// once, however they write its name.
pub(super) fn match_entries(
    found: &Found,
    path: &Path,
    list: &List,
    bases: &Bases,
) -> Result<Vec<Option<u16>>, DatasetError> {
    let entries = list.entries();
    let index = Index::new(found, bases);
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
    bases: &'a Bases,
}

/// What stands before an image's name in a list that names it from elsewhere, with `/` at the end.
#[derive(Debug, Default)]
pub(super) struct Bases(Vec<String>);

impl Bases {
    /// For the list at `list`, of images below `root`: the way from the list's folder down to `root`, and `root` itself.
    pub(super) fn of(list: &Path, root: &Path) -> Self {
        let mut bases = Vec::new();
        let whole_root = root.canonicalize().ok();
        if let Some((folder, root)) = scan::folder_of(list).canonicalize().ok().zip(whole_root.as_deref())
            && let Ok(below) = root.strip_prefix(folder)
        {
            let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
            bases.extend(parts.map(|parts| format!("{}/", parts.join("/"))));
        }
        let absolute = std::path::absolute(root).ok();
        for root in [absolute, whole_root].into_iter().flatten() {
            bases.extend(root.to_str().map(|root| format!("{}/", root.trim_end_matches('/'))));
        }
        bases.retain(|base| base != "/");
        Self(bases)
    }

    /// For a list in an archive, from whose folder `below` leads down to the images.
    pub(super) fn in_archive(below: &str) -> Self {
        Self(vec![below.to_owned()])
    }

    /// What a name can mean below the images' folder.
    pub(super) fn names<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let below =
            self.0.iter().filter(|base| !base.is_empty()).filter_map(|base| name.strip_prefix(base.as_str()));
        std::iter::once(name).chain(below)
    }
}

pub(super) enum Match<'a> {
    None,
    One(usize),
    Several(&'a [usize]),
}

impl<'a> Index<'a> {
    /// Of the images that are `found`, for a list whose names begin with one of `bases` or none.
    pub(super) fn new(found: &'a Found, bases: &'a Bases) -> Self {
        let mut by_file: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut by_stem: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, name) in found.names.iter().enumerate() {
            let file = names::file_name(name);
            by_file.entry(file).or_default().push(index);
            by_stem.entry(names::stem(file)).or_default().push(index);
        }
        let by_name = found.names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        Self { by_name, by_file, by_stem, bases }
    }

    pub(super) fn find(&self, name: &str) -> Match<'_> {
        if let Some(&image) = self.bases.names(name).find_map(|name| self.by_name.get(name)) {
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
