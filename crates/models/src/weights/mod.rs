//! Weights: where they come from and how strictly they are loaded.
//!
//! A [`Checkpoint`] is a set of named tensors, read lazily from a file or generated from a seed. It
//! implements Burn's `ModuleStore`, so that every format loads the same way: each parameter is
//! filled exactly once, with its own shape, and nothing is left over.

mod checkpoint;
mod error;
mod module_tensors;
mod pytorch;
mod seeded;

pub use checkpoint::{Checkpoint, sha256_file};
pub use error::{ShapeMismatch, WeightsError};
pub use module_tensors::{ModuleTensor, Role, module_tensors};
pub use seeded::{seeded, unit};
