//! The evaluation run: from files on disk to a table with verdicts.
//!
//! * [`plan`]: what was asked for, resolved and checked before anything is computed;
//! * [`weights`]: which file each model's weights come from;
//! * [`evaluate`](mod@evaluate): the run itself, resumable image by image, decoding ahead of the device in bounded memory;
//! * [`merge`](mod@merge): the shards of one evaluation into one run;
//! * [`predictions`]: the log a run appends to, and all that is later computed from;
//! * [`run_dir`]: the run directory, its identity and its lock;
//! * [`metrics`], [`verdict`]: integer hits, and what they say about a documented figure;
//! * [`stored`], [`compare`](mod@compare): runs read back, judged anew, and compared with each other;
//! * [`score`](mod@score): predictions made elsewhere;
//! * [`explain`](mod@explain): what each factor of a recipe does;
//! * [`judge`], [`record`], [`report`]: figures with their verdicts, for machines and for people;
//! * [`parity`]: the embedded sample against the source frameworks' frozen answers.

mod append_log;
mod batches;
pub mod compare;
mod confidences;
mod diagnosis;
mod digests;
mod error;
pub mod evaluate;
pub mod explain;
mod identity;
pub mod judge;
mod layout;
mod lock;
mod memory;
pub mod merge;
mod merge_images;
pub mod metrics;
mod model_run;
pub mod parity;
mod pipeline;
pub mod plan;
pub mod predictions;
pub mod provenance;
pub mod record;
pub mod report;
pub mod run_dir;
pub mod score;
mod shard;
pub mod stored;
pub mod verdict;
pub mod warned;
pub mod weights;
mod whole;

pub use error::EvalError;
pub use evaluate::{Outcome, Progress, evaluate};
pub use plan::{Plan, PlannedModel};
pub use shard::Shard;
