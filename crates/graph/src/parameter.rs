//! Parameters: what a graph knows of a weight without having it, and who has it.

use std::collections::BTreeMap;

use thiserror::Error;

/// What a parameter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Convolution kernel, `[channels out, channels in / groups, height, width]`.
    Conv {
        /// Inputs that each output sums over: `channels in / groups * height * width`.
        fan_in: usize,
    },
    /// Bias of a convolution, `[channels out]`.
    ConvBias,
    /// Weight of a fully connected layer, `[in, out]`.
    Linear {
        /// Number of inputs.
        fan_in: usize,
    },
    /// Bias of a fully connected layer, `[out]`.
    LinearBias,
    /// Scale of a batch normalisation, `[channels]`, as the next three.
    Gamma,
    /// Shift of a batch normalisation.
    Beta,
    /// Running mean of a batch normalisation.
    Mean,
    /// Running variance of a batch normalisation.
    Variance,
    /// Anything else, read as a tensor: a position embedding, a factor, a table.
    Constant,
}

/// A weight by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// What its checkpoint calls it, such as `block1.rep.0.conv1.weight`.
    pub key: String,
    /// What it is for, which says how its axes are ordered.
    pub role: Role,
    /// Its axes in the order of [`Role`], whatever the checkpoint's order is.
    pub shape: Vec<usize>,
}

impl Parameter {
    /// The parameter called `key`.
    pub fn new(key: impl Into<String>, role: Role, shape: impl Into<Vec<usize>>) -> Self {
        Self { key: key.into(), role, shape: shape.into() }
    }

    /// Number of its values. A product that cannot be counted is the largest number, which no weights have.
    pub fn len(&self) -> usize {
        self.shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis)).unwrap_or(usize::MAX)
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Who has the weights: a checkpoint, or a map of values. Passes that need weights ask for them a layer at a time and let
/// them go again, so that a network's weights are never in memory twice.
pub trait Weights {
    /// Why a weight cannot be had.
    type Error: std::error::Error;

    /// The values of `parameter`, in the order of its shape, the last axis fastest. They may be given once only.
    ///
    /// # Errors
    /// Why they cannot be had.
    fn read(&mut self, parameter: &Parameter) -> Result<Vec<f32>, Self::Error>;
}

impl<W: Weights + ?Sized> Weights for &mut W {
    type Error = W::Error;

    fn read(&mut self, parameter: &Parameter) -> Result<Vec<f32>, Self::Error> {
        (**self).read(parameter)
    }
}

/// Values by key.
impl Weights for BTreeMap<String, Vec<f32>> {
    type Error = UnknownParameter;

    fn read(&mut self, parameter: &Parameter) -> Result<Vec<f32>, UnknownParameter> {
        self.get(&parameter.key).cloned().ok_or_else(|| UnknownParameter { key: parameter.key.clone() })
    }
}

/// A weight that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no weight `{key}`")]
pub struct UnknownParameter {
    /// The key that was asked for.
    pub key: String,
}
