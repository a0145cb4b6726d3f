//! Batch normalisation at inference, and what it is then: a factor and a summand a channel.

use super::{Definition, only};
use crate::complexity::Cost;
use crate::parameter::{Parameter, Weights};
use crate::shape::{Misfit, Shape};

/// The parameters of a batch normalisation, `[channels]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalisation {
    /// Scale.
    pub gamma: Parameter,
    /// Shift.
    pub beta: Parameter,
    /// Running mean.
    pub mean: Parameter,
    /// Running variance.
    pub variance: Parameter,
    /// What is added to the variance.
    pub epsilon: f64,
}

impl Normalisation {
    /// Channels that it normalises.
    pub fn channels(&self) -> usize {
        self.gamma.len()
    }

    /// Its parameters.
    pub fn parameters(&self) -> [&Parameter; 4] {
        [&self.gamma, &self.beta, &self.mean, &self.variance]
    }

    /// What it is at inference: `gamma / sqrt(variance + epsilon) * (x - mean) + beta`, as a factor and a summand. Computed in
    /// f64, so that what is folded by it is rounded once.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn affine<W: Weights>(&self, weights: &mut W) -> Result<Affine, W::Error> {
        let mut read = |parameter| weights.read(parameter);
        let (gamma, beta) = (read(&self.gamma)?, read(&self.beta)?);
        let (mean, variance) = (read(&self.mean)?, read(&self.variance)?);
        let scale: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(&gamma, &variance)| f64::from(gamma) / (f64::from(variance) + self.epsilon).sqrt())
            .collect();
        let shifts = beta.iter().zip(&mean).zip(&scale);
        let shift = shifts.map(|((&beta, &mean), scale)| f64::from(beta) - f64::from(mean) * scale).collect();
        Ok(Affine { scale, shift })
    }
}

/// `scale * x + shift`, a channel each.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    /// Factors.
    pub scale: Vec<f64>,
    /// Summands.
    pub shift: Vec<f64>,
}

impl Affine {
    /// Scales the `kernels` of a convolution, an output channel after the other, and gives the bias that it has then.
    pub(super) fn fold_into(&self, kernels: &mut [f32], bias: Option<&[f32]>) -> Vec<f32> {
        let Self { scale, shift } = self;
        let per_channel = (kernels.len() / scale.len().max(1)).max(1);
        for (kernel, scale) in kernels.chunks_exact_mut(per_channel).zip(scale) {
            kernel.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
        }
        let before = |channel: usize| bias.map_or(0.0, |bias| f64::from(bias[channel]));
        (0..scale.len()).map(|c| (shift[c] + before(c) * scale[c]) as f32).collect()
    }
}

/// A batch normalisation by the running statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    /// Its parameters.
    pub norm: Normalisation,
    /// Whether the source joins an activation to it (timm's `BatchNormAct2d`). That computes nothing else, since the
    /// activation is an operation of its own here, but some tools that count do not know it.
    pub with_activation: bool,
}

impl Definition for BatchNorm {
    fn name(&self) -> &'static str {
        "batch normalisation"
    }

    fn parameters(&self) -> Vec<&Parameter> {
        self.norm.parameters().into()
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let ([found, ..], expected) = (only(inputs)?.as_map()?, self.norm.channels());
        if found != expected {
            return Err(Misfit::Channels { expected, found });
        }
        Ok(inputs[0].clone())
    }

    fn cost(&self, _inputs: &[&Shape], output: &Shape) -> Result<Option<Cost>, Misfit> {
        Ok(Some(Cost::BatchNorm {
            elements: output.elements()?,
            channels: self.norm.channels() as u64,
            with_activation: self.with_activation,
        }))
    }
}
