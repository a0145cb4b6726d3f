//! Image classifiers on Burn, and what is documented about them.
//!
//! * [`catalog`]: the documented models, read from `datasets/catalog.toml`;
//! * [`networks`]: the networks themselves, one family a file, a variant being data;
//! * [`Network`]: what every network can do once it is built; its forward pass is written once, over an
//!   interpreter, so that computing and counting cannot drift apart;
//! * [`Classifier`]: a loaded network where it computes ([`Placement`]), by the fused kernels or by Burn's operations;
//! * [`complexity`]: FLOPs and parameters by every counting rule that a source uses;
//! * [`weights`]: seeded weights and checkpoint files, loaded strictly;
//! * [`mod@reference`]: what the source frameworks compute for seeded weights, frozen.
//!
//! This crate knows nothing of files full of images, of runs or of reports.

pub mod catalog;
mod classifier;
pub mod complexity;
mod device;
mod dtype;
mod execute;
mod fold;
mod fuse;
mod fused;
mod interpret;
mod layers;
mod network;
pub mod networks;
pub mod reference;
pub mod weights;
mod window;

pub use catalog::{Catalog, CatalogError, Model};
pub use classifier::{Classifier, ClassifierError, ComputeError, Pending, Placement, PlacementError};
pub use device::{DeviceName, DeviceNameError};
pub use dtype::{Dtype, DtypeError};
pub use execute::{Products, Stage};
pub use fused::Fused;
pub use kernels::{GraphError, Images, Isa, Program, Threads};
pub use network::Network;
pub use weights::{Checkpoint, WeightsError};
