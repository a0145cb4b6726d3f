//! A network of any family: its graph, and what its checkpoints call the tensors.

use std::sync::Arc;

use burn::module::Module;
use graph::complexity::Cost;
use graph::{Graph, Part, Shape, ShapeError, Value};
use kernels::{Elsewhere, Isa, LoadError, Lowering, Program, Unsupported};
use thiserror::Error;

use crate::build::{IMAGE_CHANNELS, Walk, graph_of};
use crate::weights::{Checkpoint, FittedCheckpoint, Framework, ModuleTensor, ReadOnce, Slot, WeightsError};

/// What a family's file provides; a [`Network`] is made of it. The modules say what there is, and how checkpoints call it;
/// none of them ever holds a weight.
pub(crate) trait Architecture: Module {
    /// The forward pass, from images to logits.
    fn walk(&self, on: &mut Walk<'_>, images: Value) -> Value;

    /// The framework whose checkpoints hold the weights.
    fn framework(&self) -> Framework {
        Framework::PyTorch
    }

    /// What the source's checkpoint calls the tensor `leaf` of the layer at `layer`, a path of this
    /// module's fields. Where the fields mirror the checkpoint there is nothing to change.
    fn key(&self, layer: &str, leaf: &str) -> String {
        format!("{layer}.{leaf}")
    }
}

/// A network: a value, without weights.
///
/// ```
/// use models::Catalog;
/// use models::complexity::FlopsRule;
///
/// let catalog = Catalog::built_in();
/// let network = catalog.select("timm/xception")?[0].network().build();
/// assert_eq!(network.tensors().next().map(|tensor| tensor.name.as_str()), Some("conv1.weight"));
/// assert_eq!(FlopsRule::Macs.count(&network.costs(299)?), 8_357_403_496);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Network {
    graph: Graph,
    framework: Framework,
    slots: Vec<Slot>,
}

impl Network {
    /// The network that `architecture` describes.
    pub(crate) fn of(architecture: &impl Architecture) -> Self {
        let (graph, slots) = graph_of(architecture);
        Self { graph, framework: architecture.framework(), slots }
    }

    /// Its operations. Parameters are called as the source's checkpoints call them.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The framework whose checkpoints hold the weights.
    pub fn framework(&self) -> Framework {
        self.framework
    }

    /// Every tensor of the network in the source framework's naming, layout and order.
    pub fn tensors(&self) -> impl Iterator<Item = &ModuleTensor> {
        self.slots.iter().map(|slot| &slot.tensor)
    }

    /// What counting rules see of the network, in the order of execution, for a square input of `input_size` pixels.
    ///
    /// # Errors
    /// [`ShapeError`] if the input is smaller than the network's windows.
    pub fn costs(&self, input_size: usize) -> Result<Vec<Cost>, ShapeError> {
        self.graph.costs(&Shape::map(IMAGE_CHANNELS, [input_size; 2]))
    }

    /// Elements of the largest value that is computed for a square input of `input_size` pixels.
    ///
    /// # Errors
    /// [`ShapeError`] if the input is smaller than the network's windows.
    pub fn largest_value(&self, input_size: usize) -> Result<u64, ShapeError> {
        let shapes = self.graph.shapes(&Shape::map(IMAGE_CHANNELS, [input_size; 2]))?;
        // Shapes whose elements cannot be counted are errors already.
        Ok(shapes.iter().filter_map(|shape| shape.elements().ok()).max().unwrap_or(0))
    }

    /// The weights of `checkpoint`, which are exactly the network's, to be read one by one.
    ///
    /// # Errors
    /// [`WeightsError::Mismatch`] when a tensor is missing, left over or of another shape.
    pub fn weights(&self, checkpoint: &Checkpoint) -> Result<FittedCheckpoint, WeightsError> {
        checkpoint.fit(&self.slots)
    }

    /// The network for the fused CPU kernels, its weights packed for `isa`. They go from the checkpoint to the kernels layer by
    /// layer, so that they are never in memory twice.
    ///
    /// # Errors
    /// [`ProgramError`]; where the kernels lack something, nothing is read.
    pub fn program(&self, checkpoint: &Checkpoint, isa: Isa) -> Result<Program, ProgramError> {
        program(&Lowering::of(&self.graph)?, self.weights(checkpoint)?, isa, |_, _| {
            unreachable!("it has no parts")
        })
    }
}

/// The steps `lowering` with their `weights` packed for `isa`; `elsewhere` gives what computes each of its parts.
///
/// # Errors
/// [`ProgramError`].
pub(crate) fn program<W: ReadOnce>(
    lowering: &Lowering,
    mut weights: W,
    isa: Isa,
    elsewhere: impl FnMut(&Part, &mut W) -> Result<Arc<dyn Elsewhere>, WeightsError>,
) -> Result<Program, ProgramError> {
    let program = lowering.load_in_parts(&mut weights, isa, elsewhere).map_err(|error| match error {
        LoadError::Weights(WeightsError::OutOfMemory { bytes, .. }) | LoadError::OutOfMemory { bytes } => {
            ProgramError::OutOfMemory { bytes }
        }
        LoadError::Weights(error) => ProgramError::Weights(error),
        length @ LoadError::Length { .. } => ProgramError::Weights(WeightsError::Unusable {
            origin: weights.origin(),
            reasons: vec![length.to_string()],
        }),
    })?;
    weights.finish()?;
    Ok(program)
}

/// Why a network did not become a program of the kernels.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// The kernels lack something; Burn's own operations have it.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A weight cannot be read, or they are not the network's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The system has no memory for the weights.
    #[error("out of memory: {bytes} bytes more were asked for")]
    OutOfMemory {
        /// What was asked for last.
        bytes: usize,
    },
}
