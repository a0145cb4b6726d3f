//! The evaluation run: from files on disk to a table with verdicts.
//!
//! * [`Definitions`]: models, recipes and cards, built in and a user's own;
//! * [`plan`]: what was asked for, resolved and checked before anything is loaded;
//! * [`onnx`]: models that are ONNX files;
//! * [`weights`]: which file each model's weights come from;
//! * [`run_dir`]: the run directory, its identity and its lock, and what is done there;
//! * [`run`]: the run itself, resumable image by image, decoding ahead of the device in bounded memory;
//! * [`logs`]: what a run appends to, and all that is later computed from;
//! * [`metrics`], [`verdict`]: integer hits, and what they say about a documented figure;
//! * [`judge`], [`record`], [`report`]: figures with their verdicts, for machines and for people;
//! * [`sample`](mod@sample): the part of the images that a run is about: a random sample, a shard;
//! * [`Recheck`]: images near a hit computed again in f32, and what that says of the others;
//! * [`pixels`]: whether images are the validation set's by their bytes;
//! * [`explain`](mod@explain): what each factor of a recipe does;
//! * [`stored`]: runs read back, judged anew, compared with each other, and shards merged;
//! * [`prepare`](mod@prepare): inputs for devices that run elsewhere;
//! * [`score`](mod@score): predictions made elsewhere;
//! * [`parity`]: the embedded sample against the source frameworks' frozen answers.

mod definitions;
mod error;
pub mod explain;
pub mod judge;
pub mod logs;
pub mod metrics;
pub mod onnx;
pub mod parity;
pub mod pixels;
pub mod plan;
pub mod prepare;
pub mod provenance;
mod recheck;
pub mod record;
pub mod report;
pub mod run;
pub mod run_dir;
pub mod sample;
pub mod score;
pub mod stored;
pub mod verdict;
pub mod weights;

pub use definitions::{Claim, Definitions};
pub use error::{Argument, EvalError, EvidenceError, NoWeights, Remedy};
pub use plan::{Plan, PlannedModel};
pub use recheck::{AllAgain, Recheck, RecheckRecord};
pub use run::evaluate::{Outcome, evaluate};
pub use run::networks::{LoadedModel, Networks};
pub use run::progress::Progress;
pub use run_dir::standing::Standing;
pub use sample::{Part, Sample, Shard};
