//! Weights: where they come from and how strictly they are loaded.
//!
//! A [`Checkpoint`] is a set of named tensors, read lazily from a file or generated from a seed, in
//! the names and layouts of the [`Framework`] that wrote it. Fitted to a network it is a `ModuleStore`
//! of Burn's, so that every format loads the same way: each parameter is filled exactly once, with its
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
pub(crate) use fit::WaitingKernels;
pub use framework::Framework;
pub(crate) use module_tensors::slots;
pub use module_tensors::{ModuleTensor, Role};
pub use seeded::{seeded, unit};
