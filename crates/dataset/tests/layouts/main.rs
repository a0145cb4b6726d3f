//! Every arrangement of images and labels that is understood, and every way in which it is not.

mod archives;
mod folders;
mod identity;
mod lists;
mod oddities;
mod official;

use std::fs;
use std::path::PathBuf;

use dataset::{Dataset, DatasetError};
use tempfile::TempDir;

/// A folder with these files; a name without content is an image.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().expect("a temporary folder"));
        for (name, content) in files {
            folder.write(name, content);
        }
        folder
    }

    fn images(names: &[&str]) -> Self {
        Self::new(&names.iter().map(|name| (*name, "")).collect::<Vec<_>>())
    }

    fn write(&self, name: &str, content: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, content).expect("written");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.0.path().to_owned() } else { self.0.path().join(name) }
    }

    fn open(&self) -> Dataset {
        self.open_at("").unwrap_or_else(|error| panic!("{error}"))
    }

    fn open_at(&self, below: &str) -> Result<Dataset, DatasetError> {
        Dataset::open(&self.path(below), None)
    }

    fn error(&self) -> String {
        // The temporary folder's name is no part of the expectation.
        let error = self.open_at("").expect_err("not a data set");
        error
            .to_string()
            .replace(&format!("{}/", self.0.path().display()), "")
            .replace(&self.0.path().display().to_string(), "DIR")
    }
}

fn pairs(dataset: &Dataset) -> Vec<(&str, u16)> {
    dataset.items().iter().map(|item| (item.name.as_str(), item.label)).collect()
}

const VAL_1: &str = "ILSVRC2012_val_00000001.JPEG"; // class 65

const VAL_2: &str = "ILSVRC2012_val_00000002.JPEG"; // class 970
