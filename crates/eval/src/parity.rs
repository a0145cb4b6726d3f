//! Parity: the embedded sample and seeded weights through a network here, against what the network's
//! own framework computed for them. This is the evidence that a difference in accuracy is not ours.

use burn::tensor::{Device, Tensor, TensorData};
use dataset::{Dataset, Decoded, Recipe};
use models::reference::{self, Answers, SAMPLE_IMAGES};
use models::{Catalog, DeviceName, Model, Network};

use crate::EvalError;
use crate::metrics::TopK;
use crate::weights::WeightsSource;

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

/// Compares `model` on `device_name` with the frozen answers.
///
/// # Errors
/// [`EvalError`] when the model has no network or no frozen answers, or the build lacks the device.
///
/// # Panics
/// If the embedded sample cannot be decoded or the built-in catalog lacks the network, which tests rule
/// out.
pub fn parity(model: &Model, device_name: DeviceName) -> Result<Parity, EvalError> {
    let device = device_name.init()?;
    let entry = model.network()?;
    let mut network = entry.init(&device);
    let weights =
        WeightsSource::Seeded.open(network.as_ref(), entry.name).map_err(EvalError::weights(&model.id))?;
    network.load(&weights).map_err(EvalError::weights(&model.id))?;
    network.fold_norms();
    let frozen = reference::answers(entry.name).expect("seeded weights come with frozen answers");

    let recipe = frozen_recipe(entry.name);
    let logits = sample_logits(network.as_ref(), recipe, &device);
    let probe = forward(network.as_ref(), reference::probe_input(), recipe.size, &device);
    let mut parity = Parity {
        id: model.id.clone(),
        device: device_name,
        images: SAMPLE_IMAGES,
        tolerance: TOLERANCE * standard_deviation(&frozen.logits).max(1.0),
        max_difference: 0.0,
        equal_top1: 0,
        equal_top5: 0,
        probe_difference: max_difference(&probe, &frozen.probe),
        first_difference: None,
    };
    compare(&mut parity, &logits, &frozen);
    if !parity.holds() {
        let (_, stages) = network.observe(input(reference::probe_input(), recipe.size, &device));
        parity.first_difference = reference::first_difference(entry.name, &stages);
    }
    Ok(parity)
}

/// The recipe that the frozen answers were computed with: that of the documented model of the network,
/// whatever a user's entry says.
fn frozen_recipe(network: &str) -> &'static Recipe {
    let catalog = Catalog::built_in();
    let documented = catalog.models().iter().find(|model| model.network == network);
    documented
        .and_then(|model| Recipe::by_name(&model.recipe))
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

fn sample_logits(network: &dyn Network, recipe: &Recipe, device: &Device) -> Vec<f32> {
    let sample = Dataset::sample();
    let image = 3 * recipe.size * recipe.size;
    let mut inputs = vec![0.0; sample.items().len() * image];
    for (index, input) in inputs.chunks_exact_mut(image).enumerate() {
        let bytes = sample.read(index).expect("the sample is embedded");
        let decoded = Decoded::from_bytes(&bytes).expect("the sample decodes");
        let crop = recipe.crop(&decoded).expect("the sample can be cropped");
        recipe.normalise.write_chw(&crop, input);
    }
    inputs
        .chunks(BATCH * image)
        .flat_map(|batch| forward(network, batch.to_vec(), recipe.size, device))
        .collect()
}

fn forward(network: &dyn Network, images: Vec<f32>, size: usize, device: &Device) -> Vec<f32> {
    network.forward(input(images, size, device)).into_data().iter::<f32>().collect()
}

fn input(images: Vec<f32>, size: usize, device: &Device) -> Tensor<4> {
    let count = images.len() / (3 * size * size);
    Tensor::from_data(TensorData::new(images, [count, 3, size, size]), device)
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
