//! The run directory: who may write to it, whether it belongs to the evaluation at hand, which files in it are a run's, and how far
//! that run is.

mod finish;
pub(crate) mod identity;
mod lock;
mod opened;
mod own;
pub(crate) mod paths;
pub mod standing;
pub(crate) mod whole;
mod writable;

pub(crate) use finish::Finished;
pub use identity::RunIdentity;
pub use opened::RunDir;
pub(crate) use own::read_record;
