//! Weights: where they come from and how strictly they are loaded.
//!
//! A [`Checkpoint`] is a set of named tensors, read lazily from a file or generated from a seed, in
//! the names and layouts of the [`Framework`] that wrote it. Fitted to a network it is the [`graph::Weights`] of
//! its graph, so that every format loads the same way: each parameter is read exactly once, with its
//! own shape, and nothing is left over.

mod checkpoint;
mod error;
mod fit;
mod framework;
mod keras;
mod module_tensors;
mod paddle;
mod pickle;
mod pytorch;
mod safetensors;
mod seeded;
mod torchscript;

pub use checkpoint::Checkpoint;
pub use error::{Prefixed, ShapeMismatch, WeightsError};
pub use fit::FittedCheckpoint;
pub(crate) use fit::ReadOnce;
pub use framework::Framework;
pub use graph::Role;
pub use module_tensors::ModuleTensor;
pub(crate) use module_tensors::{Slot, parameters};
pub use seeded::{seeded, unit};
