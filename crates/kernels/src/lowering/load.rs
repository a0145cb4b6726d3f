//! The second pass: weights read, a layer at a time, and packed as the kernels want them, so that they are in memory twice for
//! one layer only.

use graph::operations::Convolution;
use graph::{Graph, Operation, Parameter, Value, Weights};
use thiserror::Error;

use super::{Finish, Lowering, PlannedKind, PlannedStep};
use crate::buffer::{Buffer, NoMemory, padded};
use crate::isa::Isa;
use crate::packed::Packed;
use crate::program::{Head, Program};
use crate::rows::DepthwiseWeights;
use crate::step::{Multiplication, Rows, Step, StepKind, StoredEpilogue};

/// Why a network's weights are not in the kernels.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum LoadError<E> {
    /// A weight cannot be had.
    #[error(transparent)]
    Weights(E),
    /// Weights of another size than the shape says.
    #[error("{key}: {found} weights where {expected} belong")]
    Length {
        /// The parameter.
        key: String,
        /// What the shape asks for.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// The system has no memory for the weights.
    #[error("out of memory: {bytes} bytes more were asked for")]
    OutOfMemory {
        /// What was asked for last.
        bytes: usize,
    },
}

impl<E> From<NoMemory> for LoadError<E> {
    fn from(NoMemory { bytes }: NoMemory) -> Self {
        Self::OutOfMemory { bytes }
    }
}

impl Lowering {
    /// The program with its weights, packed for `isa`.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load<W: Weights>(&self, weights: &mut W, isa: Isa) -> Result<Program, LoadError<W::Error>> {
        let mut loader = Loader { graph: &self.graph, weights: Checked(weights), isa };
        let steps = self.steps.iter().map(|step| loader.step(step)).collect::<Result<_, _>>()?;
        let head = loader.head(self)?;
        Ok(Program::new(isa, self.graph.image_channels(), steps, head))
    }
}

/// Weights, each of the length that its shape says.
struct Checked<'a, W>(&'a mut W);

impl<W: Weights> Checked<'_, W> {
    fn read(&mut self, parameter: &Parameter) -> Result<Vec<f32>, LoadError<W::Error>> {
        let values = self.0.read(parameter).map_err(LoadError::Weights)?;
        let (expected, found) = (parameter.len(), values.len());
        if expected != found {
            return Err(LoadError::Length { key: parameter.key.clone(), expected, found });
        }
        Ok(values)
    }
}
