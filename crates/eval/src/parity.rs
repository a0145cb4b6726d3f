//! Parity: the embedded sample and seeded weights through a network here, against what the network's
//! own framework computed for them. This is the evidence that a difference in accuracy is not ours.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use dataset::{Dataset, DecodeError, Decoded, Recipe, RecipeError};
use models::networks::NetworkEntry;
use models::reference::{self, Answers, SAMPLE_IMAGES};
use models::{
    Catalog, Checkpoint, Classifier, ComputeError, DeviceName, Dtype, Executable, Images, Model, Network,
    Placement, weights,
};

use crate::EvalError;
use crate::metrics::TopK;

/// How far a logit may lie from the frozen one, in units of the frozen logits' standard deviation or of
/// 1, whichever is larger: the rounding of sums grows with what is summed.
pub const TOLERANCE: f32 = 1e-3;

/// Images a batch; parity is about values, not speed.
const BATCH: usize = 8;

/// How one model compares.
#[derive(Debug, Clone, PartialEq)]
pub struct Parity {
    /// The model's id.
    pub id: String,
    /// The device's name.
    pub device: DeviceName,
    /// What it computed in.
    pub dtype: Dtype,
    /// What computed: the kernels' instruction set, or `burn`.
    pub engine: String,
    /// Sample images compared.
    pub images: usize,
    /// How far each logit may lie from the frozen one: [`TOLERANCE`] for this network.
    pub tolerance: f32,
    /// Largest difference among all logits of all images.
    pub max_difference: f32,
    /// Images with the frozen best class.
    pub equal_top1: usize,
    /// Images with the frozen five best classes in their order.
    pub equal_top5: usize,
    /// Largest difference among the logits of the seeded input.
    pub probe_difference: f32,
    /// The first stage that differs from the framework's, looked for only when something is off.
    pub first_difference: Option<String>,
}

impl Parity {
    /// Whether every logit is within the tolerance and every ranking equal.
    pub fn holds(&self) -> bool {
        // Written so that NaN fails.
        self.max_difference <= self.tolerance
            && self.probe_difference <= self.tolerance
            && self.equal_top1 == self.images
            && self.equal_top5 == self.images
    }
}

/// Compares `model`, placed as `placement` says, with the frozen answers.
///
/// # Errors
/// [`EvalError`] when the model has no network or no frozen answers, or the network no kernels in the type.
///
/// # Panics
/// If the embedded sample cannot be decoded or the built-in catalog lacks the network, which tests rule
/// out.
pub fn parity(model: &Model, placement: &Placement) -> Result<Parity, EvalError> {
    parity_of_first(SAMPLE_IMAGES, model, placement)
}

/// [`parity`] over the first `images` of the sample, where a device is too slow for all of them. [`Parity::images`] says how many.
///
/// # Errors
/// Those of [`parity`].
///
/// # Panics
/// As [`parity`].
pub fn parity_of_first(images: usize, model: &Model, placement: &Placement) -> Result<Parity, EvalError> {
    let entry = model.network();
    let network = entry.build();
    let weights = seeded(model, entry, &network)?;
    let classifier =
        Classifier::load(&network, &weights, placement).map_err(EvalError::classifier(&model.id))?;
    let frozen = reference::answers(entry.name).expect("seeded weights come with frozen answers");

    let recipe = frozen_recipe(entry.name);
    let failed = |source: ComputeError| EvalError::Parity { id: model.id.clone(), source };
    let count = images.min(SAMPLE_IMAGES);
    let logits = sample_logits(&classifier, &recipe, count).map_err(failed)?;
    let size = recipe.crop.axes();
    // A documented model's crop is a square.
    let probe = reference::probe_input(recipe.crop.width);
    let images = Images::Planar { values: &probe, channels: 3, size };
    let probe_logits = classifier.logits(&images).map_err(failed)?.concat();
    let mut parity = Parity {
        id: model.id.clone(),
        device: placement.device(),
        dtype: placement.dtype(),
        engine: classifier.engine(),
        images: count,
        tolerance: TOLERANCE * standard_deviation(&frozen.logits).max(1.0),
        max_difference: 0.0,
        equal_top1: 0,
        equal_top5: 0,
        probe_difference: max_difference(&probe_logits, &frozen.probe),
        first_difference: None,
    };
    compare(&mut parity, &logits, &frozen);
    if !parity.holds() {
        // Stage by stage with Burn's operations in f32: the kernels give logits alone.
        let (device, by) = (placement.burn_device(), Dtype::F32.products(placement.device()));
        let executable = network
            .weights(&weights)
            .and_then(|mut weights| Executable::load(network.graph(), &mut weights, device, Dtype::F32, by))
            .map_err(EvalError::weights(&model.id))?;
        let probe = TensorData::new(probe, [1, 3, size[0], size[1]]);
        let (_, stages) = executable.observe(Tensor::from_data(probe, device));
        parity.first_difference = reference::first_difference(entry.name, &stages);
    }
    Ok(parity)
}

/// The weights that the frozen answers were computed with.
fn seeded(model: &Model, entry: &NetworkEntry, network: &Network) -> Result<Checkpoint, EvalError> {
    weights::seeded(network, entry.name).map_err(EvalError::weights(&model.id))
}

/// The recipe that the frozen answers were computed with: that of the documented model of the network,
/// whatever a user's entry says.
fn frozen_recipe(network: &str) -> Arc<Recipe> {
    let catalog = Catalog::built_in();
    let documented = catalog.models().iter().find(|model| model.network == network);
    documented
        .and_then(|model| model.recipe().cloned())
        .expect("every network is that of a documented model, whose recipe exists")
}

fn compare(parity: &mut Parity, logits: &[f32], frozen: &Answers) {
    for (index, here) in logits.chunks_exact(frozen.classes()).enumerate() {
        let there = frozen.image(index);
        let difference = max_difference(here, there);
        if difference > parity.max_difference || difference.is_nan() {
            parity.max_difference = difference;
        }
        if let (Some(here), Some(there)) = (TopK::of(here), TopK::of(there)) {
            parity.equal_top1 += usize::from(here.classes[0] == there.classes[0]);
            parity.equal_top5 += usize::from(here.classes == there.classes);
        }
    }
}

/// Population standard deviation, accumulated in f64.
fn standard_deviation(values: &[f32]) -> f32 {
    let count = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
    variance.sqrt() as f32
}

/// The largest difference; NaN when one of the values is NaN or the lengths differ.
fn max_difference(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() {
        return f32::NAN;
    }
    // f32::max would drop NaN.
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |max, d| if d > max || d.is_nan() { d } else { max })
}

/// Logits of the first `count` images of the sample.
fn sample_logits(classifier: &Classifier, recipe: &Recipe, count: usize) -> Result<Vec<f32>, ComputeError> {
    let sample = Dataset::sample();
    let tables = recipe.normalise.table();
    let crop = |index| {
        let bytes = sample.read(index).expect("the sample is embedded");
        let decoded = match Decoded::from_bytes(&bytes) {
            Err(DecodeError::NoMemory(cause)) => return Err(ComputeError::from(cause)),
            decoded => decoded.expect("the sample decodes"),
        };
        match recipe.input(&decoded) {
            Err(RecipeError::NoMemory(cause)) => Err(ComputeError::from(cause)),
            crop => Ok(crop.expect("the sample can be cropped").pixels),
        }
    };
    let crops = (0..count).map(crop).collect::<Result<Vec<_>, _>>()?;
    let logits = |crops: &[Vec<u8>]| {
        let mut values = memory::room(crops.iter().map(Vec::len).sum())?;
        crops.iter().for_each(|crop| values.extend_from_slice(crop));
        let images = Images::Bytes { values: &values, tables: &tables, size: recipe.crop.axes() };
        classifier.logits(&images).map(|logits| logits.concat())
    };
    let batches = crops.chunks(BATCH).map(logits).collect::<Result<Vec<_>, _>>()?;
    Ok(batches.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_a_number_never_passes() {
        assert!(max_difference(&[0.0, f32::NAN, 0.0], &[0.0; 3]).is_nan());
        assert!(max_difference(&[0.0], &[0.0; 3]).is_nan());
        let parity = Parity {
            id: String::new(),
            device: DeviceName::Flex,
            dtype: Dtype::F32,
            engine: String::new(),
            images: 1,
            tolerance: 1.0,
            max_difference: f32::NAN,
            equal_top1: 1,
            equal_top5: 1,
            probe_difference: 0.0,
            first_difference: None,
        };
        assert!(!parity.holds());
    }
}
