//! Fused inference kernels for the CPU: slices in, slices out. They know no model.
//!
//! * [`Lowering`]: the steps of a [`graph::Graph`], the fewest passes over memory, made into
//! * [`Program`]: those steps with their weights packed;
//! * [`Elsewhere`]: who computes what of a network they lack;
//! * [`Isa`]: the instruction set, chosen at run time; [`Threads`]: who computes;
//! * [`mod@reference`]: the same operations as plain loops, against which all is tested.

#![allow(unsafe_code, reason = "vector instructions and shared memory; every use says why it is sound")]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

mod activation;
mod buffer;
mod elsewhere;
mod epilogue;
mod gathered;
mod image;
mod isa;
mod last_word;
mod lowering;
mod map;
mod matmul;
mod moves;
mod norm;
mod pool;
mod product;
mod program;
pub mod reference;
mod rows;
mod shape;
mod simd;
mod softmax;
mod step;
mod threads;
mod unary;

pub use elsewhere::Elsewhere;
pub use image::Images;
pub use isa::{Isa, IsaError};
pub use last_word::LastWord;
pub use lowering::{LoadError, Lowering, Shares, Unsupported};
pub use program::Program;
pub use shape::SizeError;
pub use threads::{Threads, ThreadsError};
