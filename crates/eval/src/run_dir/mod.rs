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

use std::path::Path;

pub(crate) use finish::Finished;
pub use identity::RunIdentity;
pub use opened::RunDir;
pub(crate) use own::read_record;

use crate::EvalError;

/// Writes a file of a user's choice, whole or not at all.
///
/// # Errors
/// [`EvalError::RunFile`].
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), EvalError> {
    let mut whole = whole::Whole::default();
    whole.add(path, content)?;
    whole.commit()
}
