//! The targets: what reads bytes that somebody else wrote.

mod cards;
#[cfg(feature = "networks")]
mod catalogs;
mod images;
mod layouts;
#[cfg(feature = "networks")]
mod onnx;
#[cfg(feature = "networks")]
mod runs;
mod sets;
#[cfg(feature = "networks")]
mod weights;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Target;

/// Every target, the slowest first, so that a run of all on several processors ends early.
pub static TARGETS: &[Target] = &[
    images::IMAGES,
    #[cfg(feature = "networks")]
    onnx::ONNX,
    #[cfg(feature = "networks")]
    weights::H5,
    #[cfg(feature = "networks")]
    weights::KERAS,
    #[cfg(feature = "networks")]
    runs::RUN_JSON,
    #[cfg(feature = "networks")]
    runs::PREDICTIONS,
    #[cfg(feature = "networks")]
    weights::PTH_ZIP,
    #[cfg(feature = "networks")]
    weights::PTH_LEGACY,
    #[cfg(feature = "networks")]
    weights::SAFETENSORS,
    #[cfg(feature = "networks")]
    weights::PDPARAMS,
    sets::PARQUET,
    sets::TAR,
    layouts::LISTS,
    layouts::FOLDERS,
    cards::FOREIGN_CARD,
    cards::CARD,
    #[cfg(feature = "networks")]
    runs::CONFIDENCES,
    #[cfg(feature = "networks")]
    catalogs::CATALOG,
    #[cfg(feature = "networks")]
    runs::SCORE,
    #[cfg(feature = "networks")]
    catalogs::FIRST_SEEN,
    #[cfg(feature = "networks")]
    catalogs::ARGUMENTS,
];

/// The target called `name`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Memory that readers take whatever the file, in bytes, for those that have no reason to take more.
const MEMORY_BYTES: usize = 16 << 20;

/// A folder or file of this repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Files of a folder of this repository.
fn fixtures(folder: &str, names: &[&str]) -> io::Result<Vec<Vec<u8>>> {
    let folder = repository(folder);
    names
        .iter()
        .map(|name| {
            let path = folder.join(name);
            fs::read(&path)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        })
        .collect()
}

/// Writes a case's file. When that fails, it is the machine that is in trouble.
fn put(path: &Path, bytes: &[u8]) {
    let written = fs::write(path, bytes);
    assert!(written.is_ok(), "{}: {written:?}", path.display());
}

/// Texts as seeds.
fn texts<const N: usize>(texts: [String; N]) -> Vec<Vec<u8>> {
    texts.map(String::into_bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case;

    #[test]
    fn seeds_are_read_and_names_are_unique() {
        let folder = tempfile::tempdir().unwrap();
        for (index, target) in TARGETS.iter().enumerate() {
            assert!(TARGETS[..index].iter().all(|other| other.name != target.name), "{}", target.name);
            let seeds = (target.seeds)().unwrap();
            assert!(seeds.len() > 1, "{}", target.name);
            let case_folder = folder.path().join(target.name);
            fs::create_dir(&case_folder).unwrap();
            let mut with_values = 0;
            for seed in &seeds {
                with_values += usize::from(case::read(target, &case_folder, seed).outcome.has_values());
            }
            assert!(with_values * 2 >= seeds.len(), "{}: {with_values} of {}", target.name, seeds.len());
        }
    }
}
