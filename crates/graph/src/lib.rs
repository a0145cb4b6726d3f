//! A network as a value: the [`Graph`] of its operations, whose weights are parameters by key. It knows no file, no tensor
//! library and no instruction set; whoever has weights is asked for them by key, a layer at a time ([`Weights`]).
//!
//! * [`Builder`] makes a graph, [`operations`] are what it is made of: each states its shape rule, its cost and how it folds;
//! * passes over a graph: [`Graph::shapes`], [`Graph::costs`] with the counting rules of [`complexity`],
//!   [`Graph::fold_norms`], [`Graph::pruned`], [`Graph::cut`], and [`Graph`]'s `Display`, which describes it a line an operation.
//!
//! ```
//! use graph::{Builder, Parameter, Role, Shape, Window};
//!
//! let (mut on, image) = Builder::new(3);
//! let kernel = Parameter::new("stem.weight", Role::Conv { fan_in: 27 }, [8, 3, 3, 3]);
//! let x = on.convolution(Window { kernel: [3, 3], ..Window::PIXEL }, 1, kernel, None, image);
//! let x = on.relu(x);
//! let x = on.global_average_pool(x);
//! let graph = on.finish(x);
//!
//! let shapes = graph.shapes(&Shape::map(3, [5, 4]))?;
//! assert_eq!(shapes[1], Shape::map(8, [3, 2]));
//! assert_eq!(shapes.last(), Some(&Shape::vector(8)));
//! // An image that is too small is an error that says where.
//! let error = graph.shapes(&Shape::map(3, [2, 4])).unwrap_err();
//! assert!(error.to_string().starts_with("stem.weight (convolution): a map of [2, 4] pixels is smaller"));
//! # Ok::<(), graph::ShapeError>(())
//! ```

mod build;
pub mod complexity;
mod cut;
mod describe;
mod fold;
mod graph;
pub mod operations;
mod parameter;
mod prune;
mod shape;
mod window;

pub use build::Builder;
pub use cut::{Cut, Part};
pub use graph::{Graph, Node, Stage, Value};
pub use operations::{Activation, Normalisation, Operation};
pub use parameter::{Parameter, Role, UnknownParameter, Weights};
pub use shape::{Misfit, Shape, ShapeError};
pub use window::{Geometry, Padding, Window};
