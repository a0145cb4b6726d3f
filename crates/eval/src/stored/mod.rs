//! Runs read back: judged anew, compared with each other, shards made one run.

pub mod compare;
pub mod gate;
pub mod merge;
mod merge_images;
pub(crate) mod stored_run;
pub mod verified;

pub use stored_run::StoredRun;
