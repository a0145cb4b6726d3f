//! The manifest of prepared inputs: what they are, and of which bytes each was made.

use std::path::{Path, PathBuf};

use dataset::{Recipe, regular};
use serde::{Deserialize, Serialize};

use super::tensor::{TensorSpec, channels};
use crate::EvalError;
use crate::logs::digests;
use crate::provenance::Environment;
use crate::record::DatasetRecord;

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";

/// Of 50,000 images it has 20 MB.
const MOST_BYTES: u64 = 1 << 30;

const SCHEMA_VERSION: u32 = 1;

/// What a folder of prepared inputs holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file's shape.
    pub schema_version: u32,
    /// The command line that made them.
    pub command: Vec<String>,
    /// Program and machine.
    pub environment: Environment,
    /// The recipe's name.
    pub recipe: String,
    /// The recipe by its keys, which is what was done.
    pub recipe_in_full: String,
    /// Which numbers, in which order, in which kind of file.
    #[serde(flatten)]
    pub spec: TensorSpec,
    /// The order of colours: `rgb` or `bgr`.
    pub channels: String,
    /// The axes of a tensor.
    pub shape: [usize; 4],
    /// The images.
    pub dataset: DatasetRecord,
    /// A line an image, in the data set's order.
    pub images: Vec<PreparedImage>,
}

/// An image and its tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedImage {
    /// Its name in the data set.
    pub image: String,
    /// Its label.
    pub label: u16,
    /// SHA-256 of the image's bytes; absent where they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_sha256: Option<String>,
    /// The tensor's file, relative to the manifest; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// SHA-256 of the tensor's numbers, without the file's own heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SHA-256 of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_sha256: Option<String>,
    /// Why there is no tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Manifest {
    /// Of inputs by `recipe` of the images of `dataset`.
    pub(super) fn new(
        command: Vec<String>,
        environment: Environment,
        recipe: &Recipe,
        spec: TensorSpec,
        dataset: DatasetRecord,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            command,
            environment,
            recipe: recipe.name.clone(),
            recipe_in_full: recipe.keys(),
            spec,
            channels: channels(recipe).to_owned(),
            shape: spec.shape(recipe),
            dataset,
            images: Vec::new(),
        }
    }

    /// Reads a manifest, or that of a folder.
    ///
    /// # Errors
    /// [`EvalError::Manifest`] when it cannot be read or is none.
    pub fn open(path: &Path) -> Result<(PathBuf, Self), EvalError> {
        let path = if path.is_dir() { path.join(MANIFEST) } else { path.to_owned() };
        let failed = |reason: String| EvalError::Manifest { path: path.clone(), reason };
        let text = regular::read_text(&path, MOST_BYTES).map_err(|error| failed(error.to_string()))?;
        let manifest: Self = serde_json::from_str(&text)
            .map_err(|error| failed(format!("it is no manifest of prepared inputs ({error})")))?;
        if manifest.schema_version != SCHEMA_VERSION {
            let version = manifest.schema_version;
            return Err(failed(format!(
                "its schema_version is {version}, and this program knows {SCHEMA_VERSION}"
            )));
        }
        Ok((path, manifest))
    }

    /// The file's text.
    ///
    /// # Errors
    /// [`EvalError::RunFile`] when it cannot be put into words, for the file at `path`.
    pub(super) fn text(&self, path: &Path) -> Result<String, EvalError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| EvalError::RunFile {
            action: "write",
            path: path.to_owned(),
            source: error.into(),
        })?;
        Ok(text + "\n")
    }

    /// Whether both prepare the same images in the same way, whoever did it and when.
    pub(super) fn is_same_work(&self, other: &Self) -> bool {
        let work = |it: &Self| {
            let Self { recipe_in_full, spec, shape, dataset, .. } = it;
            (recipe_in_full.clone(), *spec, *shape, dataset.fingerprint.clone())
        };
        work(self) == work(other)
    }

    /// What is wrong with the tensors that lie beside the manifest at `path`, the first few by name; and how many are there at
    /// all. A device's folder may have been taken elsewhere.
    pub fn check_files(&self, path: &Path) -> (usize, Vec<String>) {
        let folder = path.parent().unwrap_or(Path::new("."));
        let (mut there, mut wrong) = (0, Vec::new());
        for image in &self.images {
            let (Some(file), Some(expected)) = (&image.file, &image.file_sha256) else { continue };
            // A manifest comes from elsewhere, and may name anything.
            if !is_below(file) {
                wrong.push(format!("{file} (not below the manifest)"));
                continue;
            }
            match std::fs::read(folder.join(file)) {
                Err(_) => {}
                Ok(bytes) => {
                    there += 1;
                    if digests::hex(digests::of(&bytes)) != *expected {
                        wrong.push(file.clone());
                    }
                }
            }
        }
        (there, wrong)
    }
}

/// Whether a relative path leads to a file below the folder it is relative to.
pub(super) fn is_below(path: &str) -> bool {
    use std::path::Component;

    !path.contains('\\') && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}
