//! What predictions were made from: the manifest that `prepare` wrote, held against them and against the tensors beside it. It tells the
//! recipe, the labels, and the bytes of each image, which a file of predictions does not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dataset::labels;

use super::{Predictions, Ranked};
use crate::EvalError;
use crate::definitions::Claim;
use crate::logs::digests::{self, Digest};
use crate::pixels::{Pixels, TarDigests};
use crate::prepare::{Manifest, PreparedImage};
use crate::record::{DatasetRecord, RecipeId};

/// How many names a message has.
const NAMED: usize = 3;

/// Prepared inputs that predictions were made from.
#[derive(Debug)]
pub struct Inputs {
    /// The manifest.
    pub path: PathBuf,
    /// How many images it has.
    pub images: usize,
    /// How many of them have a tensor.
    pub tensors: usize,
    /// How many of the tensors lie beside it, each with the bytes that were prepared.
    pub beside: usize,
    /// What is known of the images' bytes.
    pub pixels: Pixels,
    pub(super) recipe: RecipeId,
    pub(super) dataset: DatasetRecord,
    pub(super) digests: HashMap<String, Digest>,
}

impl Inputs {
    /// Opens the manifest at `path`, or that of a folder, and holds `predictions` against it: they are called as their images are in the data set, have
    /// its labels, and those that have no tensor are among them, without a prediction. `tar` are the digests of the verified tar, where they are
    /// at hand.
    ///
    /// # Errors
    /// [`EvalError::Manifest`] when it cannot be read, when tensors beside it are not those that were prepared, or when predictions are of other images;
    /// [`EvalError::Predictions`] where they give an image another label.
    pub fn open(
        path: &Path,
        predictions: &mut Predictions,
        tar: Option<&TarDigests>,
    ) -> Result<Self, EvalError> {
        let (path, manifest) = Manifest::open(path)?;
        let refused = |reason: String| EvalError::Manifest { path: path.clone(), reason };
        let recipe = RecipeId::recorded(&manifest.recipe, Some(&manifest.recipe_in_full));
        if recipe.recipe().is_none() {
            return Err(refused(format!("its recipe {:?} is none", manifest.recipe_in_full)));
        }
        let (beside, wrong) = manifest.check_files(&path);
        if !wrong.is_empty() {
            let (count, first) = (wrong.len(), wrong[..wrong.len().min(NAMED)].join(", "));
            return Err(refused(format!(
                "{count} tensors beside it are not those that were prepared ({first}); prepare them anew"
            )));
        }
        name_as_prepared(&manifest, predictions).map_err(refused)?;
        label_as_prepared(&manifest, predictions)?;
        let digests: Option<HashMap<String, Digest>> = manifest
            .images
            .iter()
            .filter_map(|image| Some((image, image.image_sha256.as_ref()?)))
            .map(|(image, sha256)| Some((image.image.clone(), digests::of_hex(sha256)?)))
            .collect();
        let digests = digests.ok_or_else(|| refused("an image_sha256 of it is no SHA-256".to_owned()))?;
        let read = || manifest.images.iter().map(|it| (it.image.as_str(), digests.get(&it.image).copied()));
        let pixels = tar.filter(|_| manifest.dataset.is_ilsvrc2012_val).map(|tar| tar.check(read()));
        Ok(Self {
            images: manifest.images.len(),
            tensors: manifest.images.iter().filter(|image| image.file.is_some()).count(),
            beside,
            pixels: pixels.unwrap_or_default(),
            recipe,
            dataset: manifest.dataset,
            digests,
            path,
        })
    }

    /// The recipe by its keys.
    pub fn recipe_in_full(&self) -> &str {
        self.recipe.keys()
    }

    /// What stands against holding the predictions against `claim`: another recipe, other images.
    pub(super) fn obstacle(&self, claim: &Claim<'_>) -> Option<String> {
        let mut obstacles = Vec::new();
        if self.recipe != claim.recipe {
            let [here, there] = self.recipe.told_apart(&claim.recipe);
            obstacles.push(format!("recipe {here} instead of {there}"));
        }
        if matches!(self.pixels, Pixels::Other { .. }) {
            obstacles.push(self.pixels.words());
        }
        (!obstacles.is_empty()).then(|| obstacles.join("; "))
    }
}

/// Calls `predictions` as the manifest calls their images, and adds those that have no tensor. They may be called by the image, by the
/// tensor's file, or by either without its folders.
fn name_as_prepared(manifest: &Manifest, predictions: &mut Predictions) -> Result<(), String> {
    let mut by_name: HashMap<&str, Option<usize>> = HashMap::new();
    for (index, PreparedImage { image, file, .. }) in manifest.images.iter().enumerate() {
        let mut names = vec![image.as_str(), last(image)];
        names.extend(file.iter().flat_map(|file| [file.as_str(), last(file)]));
        names.sort_unstable();
        names.dedup();
        for name in names {
            // What two images are called tells neither.
            by_name.entry(name).and_modify(|known| *known = None).or_insert(Some(index));
        }
    }
    let find = |name: &str| by_name.get(name).or_else(|| by_name.get(last(name))).copied().flatten();
    let mut predicted = vec![false; manifest.images.len()];
    let mut strangers = Vec::new();
    for ranked in &mut predictions.images {
        let Some(index) = find(&ranked.image) else {
            strangers.push(ranked.image.clone());
            continue;
        };
        let image = &manifest.images[index];
        if std::mem::replace(&mut predicted[index], true) {
            return Err(format!(
                "line {} of the predictions is of {}, which has one already",
                ranked.line, image.image
            ));
        }
        if image.file.is_none() && !ranked.classes.is_empty() {
            return Err(format!(
                "line {} of the predictions is of {}, of which there is no tensor ({}): it was made from something else",
                ranked.line,
                image.image,
                image.error.as_deref().unwrap_or("it was not prepared")
            ));
        }
        ranked.image.clone_from(&image.image);
    }
    if !strangers.is_empty() {
        let (count, all) = (strangers.len(), predictions.images.len());
        let first = strangers[..count.min(NAMED)].join(", ");
        return Err(format!(
            "{count} of {all} predictions are of images that it does not have ({first}): they were made from other inputs"
        ));
    }
    let mut left_out = Vec::new();
    for (image, _) in manifest.images.iter().zip(predicted).filter(|(_, is_predicted)| !is_predicted) {
        if image.file.is_some() {
            left_out.push(image.image.as_str());
            continue;
        }
        let (image, label) = (image.image.clone(), Some(image.label));
        predictions.images.push(Ranked { image, classes: Vec::new(), label, line: 0 });
    }
    if left_out.is_empty() {
        return Ok(());
    }
    let (count, first) = (left_out.len(), left_out[..left_out.len().min(NAMED)].join(", "));
    Err(format!("{count} of its inputs have no prediction ({first}); score predictions of all of them"))
}

/// Gives each image the label that it was prepared with.
fn label_as_prepared(manifest: &Manifest, predictions: &mut Predictions) -> Result<(), EvalError> {
    let of: HashMap<&str, u16> =
        manifest.images.iter().map(|image| (image.image.as_str(), image.label)).collect();
    for ranked in &mut predictions.images {
        let label = of.get(ranked.image.as_str()).copied();
        let others = [ranked.label, labels::val_label(&ranked.image)];
        if let (Some(other), Some(label)) =
            (others.into_iter().flatten().find(|other| Some(*other) != label), label)
        {
            let reason = format!(
                "{} was prepared with the label {label}, and is {other} by the predictions or by its number; give both the same labels",
                ranked.image
            );
            return Err(EvalError::Predictions { path: predictions.path.clone(), reason });
        }
        ranked.label = label;
    }
    Ok(())
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests;
