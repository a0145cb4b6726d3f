//! What a run appends to, a row an image, so that a kill at any byte costs one row: predictions, what goes with them, and the digests
//! of the images.

pub(crate) mod append_log;
pub(crate) mod confidences;
pub(crate) mod digests;
pub mod predictions;
pub(crate) mod rechecks;
