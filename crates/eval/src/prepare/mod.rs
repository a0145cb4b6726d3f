//! `prepare`: the exact inputs of a recipe as files, for a device that runs elsewhere, with a manifest that says what each was
//! made of.

mod manifest;
mod tensor;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use dataset::labels::LabelSet;
use dataset::{Dataset, DecodeError, Decoded, NoMemory, Recipe, RecipeError, RgbImage};
use models::Threads;

pub use manifest::{MANIFEST, Manifest, PreparedImage};
pub use tensor::{TensorFormat, TensorLayout, TensorSpec, TensorValues};

use self::manifest::is_below;
use crate::EvalError;
use crate::logs::digests;
use crate::provenance::{Environment, Invocation};
use crate::record::DatasetRecord;
use crate::run_dir::whole::{Whole, left_behind};

/// The folder of the tensors, below the manifest's.
const TENSORS: &str = "tensors";
/// Says what is being prepared, from the first image on.
const BEGUN: &str = "preparation.json";
/// Images that are on their way at once.
const CHUNK: usize = 64;

/// What is to be prepared.
#[derive(Debug)]
pub struct Preparation<'a> {
    /// The images.
    pub dataset: &'a Dataset,
    /// Where they lie, for the manifest.
    pub data: String,
    /// How they become inputs.
    pub recipe: &'a Recipe,
    /// How inputs are written.
    pub spec: TensorSpec,
    /// The folder to write to.
    pub out: &'a Path,
    /// Program and command line.
    pub invocation: Invocation,
}

/// Writes every image's input, and the manifest when all are there. `None` when it was stopped: what was written stays, and the same call
/// goes on, as it reads what is there and writes what is missing. `done` is called for each image.
///
/// # Errors
/// [`EvalError::NotPrepared`] when the folder has something else; [`EvalError::RunFile`]; those of
/// [`Dataset::read`] that do not concern one image.
pub fn prepare(
    work: &Preparation<'_>,
    threads: &Threads,
    stop: &AtomicBool,
    mut done: impl FnMut(),
) -> Result<Option<Manifest>, EvalError> {
    let Preparation { dataset, recipe, spec, out, .. } = work;
    let record = DatasetRecord::new(dataset, work.data.clone(), LabelSet::Original);
    let environment = Environment::of(&work.invocation.git_revision);
    let mut manifest = Manifest::new(work.invocation.command.clone(), environment, recipe, *spec, record);
    open(out, &manifest)?;
    let names: Vec<&str> = dataset.items().iter().map(|item| item.name.as_str()).collect();
    if let Some(name) = names.iter().find(|name| !is_below(name)) {
        let reason = format!("the image {name:?} has a name that leads out of the folder; rename it");
        return Err(EvalError::NotPrepared { path: out.to_path_buf(), reason });
    }
    for start in (0..names.len()).step_by(CHUNK) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let chunk: Vec<usize> = (start..names.len().min(start + CHUNK)).collect();
        for image in threads.map(chunk, |index| one(work, index)) {
            manifest.images.push(image?);
            done();
        }
    }
    put(&out.join(MANIFEST), &manifest)?;
    Ok(Some(manifest))
}

/// Whether what lies in `out` is of the same work, or nothing does.
fn open(out: &Path, manifest: &Manifest) -> Result<(), EvalError> {
    let refused = |reason: String| EvalError::NotPrepared { path: out.to_path_buf(), reason };
    let failed = |action| move |source| EvalError::RunFile { action, path: out.to_path_buf(), source };
    std::fs::create_dir_all(out).map_err(failed("make"))?;
    let mut begun = false;
    for entry in std::fs::read_dir(out).map_err(failed("read"))? {
        let name = entry.map_err(failed("read"))?.file_name();
        begun |= name == BEGUN;
        let is_ours = [BEGUN, MANIFEST, TENSORS].iter().any(|own| {
            let path = out.join(own);
            name == *own || left_behind(&path).any(|left| left.file_name() == Some(&name))
        });
        if !is_ours {
            let name = name.to_string_lossy();
            return Err(refused(format!(
                "{name} lies there, which no preparation wrote; choose an empty folder"
            )));
        }
    }
    let note = out.join(BEGUN);
    if begun {
        let text = dataset::regular::read_text(&note, 1 << 20).map_err(failed("read"))?;
        let before: Manifest = serde_json::from_str(&text)
            .map_err(|error| refused(format!("{BEGUN} there is not what a preparation writes ({error})")))?;
        if !before.is_same_work(manifest) {
            let reason = format!(
                "it holds inputs of another recipe, form or set of images ({}, {} {}, {} images); choose another folder, or delete that one",
                before.recipe_in_full, before.spec.values, before.spec.layout, before.dataset.images
            );
            return Err(refused(reason));
        }
        return Ok(());
    }
    if out.join(MANIFEST).exists() || out.join(TENSORS).exists() {
        return Err(refused(format!(
            "it has no {BEGUN}, so nobody can tell whose inputs these are; choose an empty folder"
        )));
    }
    put(&note, manifest)
}

/// Writes `manifest` to `path`, whole or not at all.
fn put(path: &Path, manifest: &Manifest) -> Result<(), EvalError> {
    let mut files = Whole::default();
    files.add(path, manifest.text(path)?.as_bytes())?;
    files.commit()
}

/// Reads an image and writes its input, unless the file is there with the same bytes.
fn one(work: &Preparation<'_>, index: usize) -> Result<PreparedImage, EvalError> {
    let item = &work.dataset.items()[index];
    let mut image = PreparedImage {
        image: item.name.clone(),
        label: item.label,
        image_sha256: None,
        file: None,
        sha256: None,
        file_sha256: None,
        error: None,
    };
    let bytes = match work.dataset.read(index) {
        Ok(bytes) => bytes,
        Err(error) if error.concerns_one_image() => {
            image.error = Some(error.to_string());
            return Ok(image);
        }
        Err(source) => return Err(EvalError::DataLost { source }),
    };
    image.image_sha256 = Some(digests::hex(digests::of(&bytes)));
    let input = input(work.recipe, &bytes)
        .map_err(|cause| EvalError::DataLost { source: work.dataset.no_memory(index, cause) })?;
    let made = input.and_then(|input| {
        let tensor = work.spec.bytes(work.recipe, &input);
        let file = work.spec.file(work.spec.shape(work.recipe), &tensor)?;
        Ok((digests::hex(digests::of(&tensor)), file))
    });
    match made {
        Err(error) => image.error = Some(error),
        Ok((sha256, content)) => {
            let file = format!("{TENSORS}/{}.{}", item.name, work.spec.ending());
            let path: PathBuf = work.out.join(&file);
            let mut files = Whole::default();
            files.add(&path, &content)?;
            files.commit()?;
            image.file_sha256 = Some(digests::hex(digests::of(&content)));
            (image.file, image.sha256) = (Some(file), Some(sha256));
        }
    }
    Ok(image)
}

/// What `recipe` makes of a file, or what is wrong with the file.
fn input(recipe: &Recipe, bytes: &[u8]) -> Result<Result<RgbImage, String>, NoMemory> {
    let decoded = match Decoded::from_bytes(bytes) {
        Err(DecodeError::NoMemory(cause)) => return Err(cause),
        Err(error) => return Ok(Err(error.to_string())),
        Ok(decoded) => decoded,
    };
    match recipe.input(&decoded) {
        Err(RecipeError::NoMemory(cause)) => Err(cause),
        input => Ok(input.map_err(|error| error.to_string())),
    }
}

#[cfg(test)]
mod tests;
