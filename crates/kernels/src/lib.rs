//! Fused inference kernels for the CPU: slices in, slices out. They know no model.
//!
//! * [`Graph`]: a network as it is written, made into
//! * [`Program`]: the fewest passes over memory, weights packed;
//! * [`Isa`]: the instruction set, chosen at run time; [`Threads`]: who computes;
//! * [`mod@reference`]: the same operations as plain loops, against which all is tested.
//!
//! A network of a stem, one separable convolution, its ReLU and ten classes; all weights are zero, so its logits are
//! the bias:
//!
//! ```
//! use kernels::{Convolution, Graph, Images, Isa, Padding, Threads, Window};
//!
//! let around = Padding::Explicit([1; 4]);
//! let window = Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], padding: around };
//! let convolution = |window: Window, channels: [usize; 2], groups: usize| Convolution {
//!     window,
//!     channels,
//!     groups,
//!     weights: vec![0.0; channels[1] * channels[0] / groups * window.kernel[0] * window.kernel[1]],
//!     bias: None,
//! };
//!
//! let (mut graph, image) = Graph::new(Isa::best(), 3);
//! let x = graph.convolution(&convolution(window, [3, 24], 1), image)?;
//! let x = graph.convolution(&convolution(window, [24, 24], 24), x)?;
//! let x = graph.convolution(&convolution(Window::PIXEL, [24, 40], 1), x)?;
//! let x = graph.relu(x)?;
//! // The mean over the pixels, times 1, times weights of `[features, classes]`, plus a bias.
//! let program = graph.finish(x, 1.0, &[0.0; 40 * 10], Some(&[0.5; 10]))?;
//!
//! // Two images of 19x17 pixels.
//! let images = Images::Planar { values: &[0.0; 2 * 3 * 19 * 17], channels: 3, size: [19, 17] };
//! let logits = program.run(&images, &Threads::new(2)?)?;
//! assert_eq!(logits, [0.5; 2 * 10]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![allow(unsafe_code, reason = "vector instructions and shared memory; every use says why it is sound")]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

mod buffer;
mod epilogue;
mod fusion;
mod graph;
mod image;
mod isa;
mod map;
mod matmul;
mod pool;
mod program;
pub mod reference;
mod rows;
mod shape;
mod simd;
mod step;
mod threads;

pub use graph::{Convolution, Graph, GraphError, Value};
pub use image::Images;
pub use isa::Isa;
pub use program::Program;
pub use shape::{Padding, SizeError, Window};
pub use threads::{Threads, ThreadsError};
