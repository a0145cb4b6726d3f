//! A run at work: networks loaded where images are left, images on their way to them, one pass over all for every model.

pub(crate) mod batches;
pub mod evaluate;
pub(crate) mod memory;
pub(crate) mod model_run;
pub mod networks;
pub(crate) mod pass;
pub(crate) mod pipeline;
pub mod progress;
pub(crate) mod warning_log;
