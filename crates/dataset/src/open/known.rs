//! Labels by name alone, for predictions that were made elsewhere: the images need not be there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use super::finish::refuse_wrong_labels;
use super::{Dataset, DatasetError, LabelSource, LabelledImage, list};
use crate::names;

/// Labels of images by their names, from a list or from a data set.
///
/// An image is found by its name as it is written there, else by its bare file name, as long as that means one
/// label.
///
/// ```
/// use dataset::{Dataset, KnownLabels};
///
/// let known = KnownLabels::from_dataset(&Dataset::sample());
/// assert!(known.get("sample_00000001.JPEG").is_some());
/// assert_eq!(known.get("elsewhere/sample_00000001.JPEG"), known.get("sample_00000001.JPEG"));
/// assert_eq!(known.get("other.JPEG"), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct KnownLabels {
    by_name: HashMap<String, u16>,
    /// `None` where several images have the file name, and not the same label.
    by_file: HashMap<String, Option<u16>>,
}

impl KnownLabels {
    /// The labels of the list at `path`: `NAME LABEL` lines, or Kaggle's `LOC_val_solution.csv`.
    ///
    /// # Errors
    /// [`DatasetError`] as [`Dataset::open`]; [`DatasetError::ListWithoutNames`] for bare labels,
    /// [`DatasetError::DuplicateName`] for two lines that contradict each other, [`DatasetError::LabelsWrong`] where names
    /// say other classes.
    pub fn from_list(path: &Path) -> Result<Self, DatasetError> {
        let list = list::read(path)?;
        if list.entries().is_empty() {
            return Err(DatasetError::ListWithoutNames { path: path.to_owned() });
        }
        let item =
            |entry: &super::list::Entry| LabelledImage { name: entry.name.clone(), label: entry.label };
        let items: Vec<LabelledImage> = list.entries().iter().map(item).collect();
        refuse_wrong_labels(&items, &LabelSource::List(path.to_owned()))?;
        let mut known = Self::default();
        let mut lines: HashMap<&str, (usize, u16)> = HashMap::new();
        for entry in list.entries() {
            let (first_line, first_label) = *lines.entry(&entry.name).or_insert((entry.line, entry.label));
            if first_label != entry.label {
                return Err(DatasetError::DuplicateName {
                    path: path.to_owned(),
                    line: entry.line,
                    first_line,
                    name: entry.name.clone(),
                    label: entry.label,
                    first_label,
                });
            }
            known.insert(&entry.name, entry.label);
        }
        Ok(known)
    }

    /// The labels of a data set.
    #[must_use]
    pub fn from_dataset(dataset: &Dataset) -> Self {
        let mut known = Self::default();
        dataset.items().iter().for_each(|item| known.insert(&item.name, item.label));
        known
    }

    fn insert(&mut self, name: &str, label: u16) {
        self.by_name.insert(name.to_owned(), label);
        match self.by_file.entry(names::file_name(name).to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(Some(label));
            }
            Entry::Occupied(mut entry) if *entry.get() != Some(label) => {
                entry.insert(None);
            }
            Entry::Occupied(_) => {}
        }
    }

    /// The label of an image, with `/` between the folders of its name.
    #[must_use]
    pub fn get(&self, image: &str) -> Option<u16> {
        let image = &*names::normal(image);
        let file = names::file_name(image);
        // Kaggle's names have no extension.
        let by_file = || self.by_file.get(file).or_else(|| self.by_file.get(names::stem(file)));
        self.by_name.get(image).copied().or_else(|| *by_file()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(list: &str) -> Result<KnownLabels, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("list.txt");
        std::fs::write(&path, list).expect("written");
        KnownLabels::from_list(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_found_with_and_without_their_folders() {
        let known =
            known("val/a.JPEG 65\nval/b.JPEG 3\ntrain/b.JPEG 4\ntrain/c.JPEG 5\nval/c.JPEG 5\n").unwrap();
        assert_eq!(["a.JPEG", "val/a.JPEG", "x/a.JPEG"].map(|name| known.get(name)), [Some(65); 3]);
        assert_eq!([known.get("val/b.JPEG"), known.get("train/b.JPEG")], [Some(3), Some(4)]);
        assert_eq!((known.get("b.JPEG"), known.get("x/b.JPEG"), known.get("c.JPEG")), (None, None, Some(5)));
    }

    #[test]
    fn names_without_extensions_are_kaggles() {
        let known = known("ImageId,PredictionString\na,n01440764 1 2 3 4\n").unwrap();
        assert_eq!(
            ["a", "a.JPEG", "val/a.JPEG", "b.JPEG"].map(|name| known.get(name)),
            [Some(0), Some(0), Some(0), None]
        );
    }

    #[test]
    fn contradictions_are_refused_as_eval_refuses_them() {
        assert_eq!(known("a.JPEG 1\n./a.JPEG 1\n").unwrap().get("a.JPEG"), Some(1));
        let error = known("a.JPEG 1\nb.JPEG 2\na.JPEG 3\n").unwrap_err();
        assert!(error.contains("list.txt, line 3: a.JPEG has label 3, but line 1 gives it 1"), "{error}");
        assert!(known("1\n2\n").unwrap_err().contains("labels but no names"));
    }
}
