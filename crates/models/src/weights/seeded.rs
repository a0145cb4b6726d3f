//! Seeded weights: a deterministic stand-in for pretrained ones, so that every claim about a
//! network can be checked where nothing can be downloaded.
//!
//! Each value depends only on the seed, the tensor's name and its index, after
//! `tools/reference/seeded.py`, which states the formula and fills the source frameworks' networks
//! with the same values.

use std::sync::Arc;

use burn::tensor::{DType, Shape, TensorData};
use burn_store::bridge;

use graph::Role;

use super::{Checkpoint, ModuleTensor, WeightsError};
use crate::network::Network;
use crate::reference;

/// The only seed for which answers are frozen.
const SEED: u64 = 0;

/// Gain of the last layer: it gives logits a natural spread.
const LINEAR_GAIN: f64 = 32.0;

/// The weights that the frozen answers of `network` (its catalog name) were computed with.
///
/// # Errors
/// [`WeightsError::NotSeeded`] when the reference holds no answers for the network.
pub fn seeded(network: &Network, name: &str) -> Result<Checkpoint, WeightsError> {
    let frozen =
        reference::answers(name).ok_or_else(|| WeightsError::NotSeeded { network: name.to_owned() })?;
    let fc_bias: Arc<[f32]> = frozen.fc_bias.into();
    let tensors = network.tensors().cloned().map(|tensor| {
        let fc_bias = Arc::clone(&fc_bias);
        let (name, shape) = (tensor.name.clone(), Shape::from(tensor.shape.clone()));
        bridge::deferred(name, DType::F32, shape.clone(), None, move || {
            Ok(TensorData::new(fill(&tensor, &fc_bias), shape.clone()))
        })
    });
    Ok(Checkpoint::new(format!("seeded weights (seed {SEED})"), tensors))
}

/// `count` values in [-1, 1), exact in f32, for the tensor called `name`.
///
/// `key = fnv1a64(name) ^ seed`, then one splitmix64 output a value, of which the upper 24 bits
/// count.
pub fn unit(name: &str, count: usize, seed: u64) -> impl Iterator<Item = f32> {
    let key = fnv1a64(name) ^ seed;
    (1..=count as u64).map(move |index| {
        let upper = splitmix64(key.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15))) >> 40;
        // 24 bits fit f32 exactly, and so do the scaling by a power of two and the shift.
        2.0 * (upper as f32 * 2f32.powi(-24)) - 1.0
    })
}

/// The values of `tensor`. The bias of the last layer is `fc_bias`: it was measured, not drawn.
fn fill(tensor: &ModuleTensor, fc_bias: &[f32]) -> Vec<f32> {
    let values = unit(&tensor.name, tensor.shape.iter().product(), SEED);
    let uniform = |gain: f64, fan_in: usize| (gain * (3.0 / fan_in as f64).sqrt()) as f32;
    match tensor.role {
        Role::Conv { fan_in } => values.map(|v| v * uniform(1.0, fan_in)).collect(),
        Role::Linear { fan_in } => values.map(|v| v * uniform(LINEAR_GAIN, fan_in)).collect(),
        Role::Gamma => values.map(|v| 1.0 + 0.25 * v).collect(),
        Role::LinearBias => fc_bias.to_vec(),
        Role::ConvBias | Role::Beta | Role::Mean | Role::Constant => values.map(|v| 0.25 * v).collect(),
        Role::Variance => values.map(|v| 1.0 + 0.5 * v).collect(),
    }
}

fn fnv1a64(text: &str) -> u64 {
    text.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

fn splitmix64(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
