//! Image classifiers on Burn: networks, their weights, and which models are made of them.
//!
//! * [`catalog`]: the models, read from `datasets/catalog.toml`;
//! * [`networks`]: the networks themselves, one family a file, a variant being data;
//! * [`onnx`]: networks that are ONNX files, read at run time;
//! * [`Network`]: a network as a value, whose [`graph`] is computed, counted and lowered to the kernels;
//! * [`Classifier`]: a loaded network where it computes ([`Placement`]), by the fused kernels or by Burn's operations;
//! * [`mod@complexity`]: FLOPs and parameters by every counting rule that a source uses;
//! * [`Executable`]: a graph computed by Burn's operations;
//! * [`weights`]: seeded weights and checkpoint files, loaded strictly;
//! * [`mod@reference`]: what the source frameworks compute for seeded weights, frozen.
//!
//! This crate knows nothing of files full of images, of what is claimed of a model, of runs or of reports.

mod build;
pub mod catalog;
mod classifier;
mod compute_error;
mod device;
mod dtype;
mod execute;
mod fused;
mod layers;
mod network;
pub mod networks;
pub mod onnx;
mod placement;
mod products;
pub mod reference;
pub mod weights;
mod window;

pub use catalog::{Catalog, CatalogError, Model};
pub use classifier::{Classifier, ClassifierError, ComputedBy, Pending};
pub use compute_error::ComputeError;
pub use device::{DeviceName, DeviceNameError};
pub use dtype::{Dtype, DtypeError};
pub use execute::{Executable, Forward, StageStatistics};
pub use fused::Fused;
pub use graph::{ShapeError, Weights, complexity};
pub use kernels::{Images, Isa, IsaError, Program, Shares, Threads, Unsupported};
pub use network::{Network, ProgramError};
pub use placement::{Placement, PlacementError, Remedy};
pub use products::Products;
pub use weights::{Checkpoint, WeightsError};
