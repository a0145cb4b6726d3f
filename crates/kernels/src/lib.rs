//! Fused inference kernels for the CPU: slices in, slices out. They know no model.
//!
//! * [`Graph`]: a network as it is written, made into
//! * [`Program`]: the fewest passes over memory, weights packed;
//! * [`Isa`]: the instruction set, chosen at run time; [`Threads`]: who computes;
//! * [`mod@reference`]: the same operations as plain loops, against which all is tested.

mod buffer;
mod fusion;
mod graph;
mod image;
mod isa;
mod layout;
mod matmul;
mod program;
pub mod reference;
mod rows;
mod shape;
mod simd;
mod step;
mod tensor;
mod threads;

pub use graph::{Convolution, Graph, GraphError, Value};
pub use image::Images;
pub use isa::Isa;
pub use program::Program;
pub use shape::{Padding, SizeError, Window};
pub use tensor::{Fused, FusedNetwork};
pub use threads::{Threads, ThreadsError};
