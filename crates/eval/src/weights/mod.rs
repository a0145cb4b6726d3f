//! Which weights each model is evaluated with, and whether they are the published ones.

mod attempt;
mod cache;
mod check;
mod fetch;
mod locate;
mod member;
mod opened;
mod part;
mod resolved;
mod source;

pub use attempt::Transfer;
pub use cache::{Cache, Forgotten, ForgottenFile};
pub use check::{Check, Fingerprint};
pub use fetch::{Downloader, Wanted};
pub use locate::WeightsArg;
pub(crate) use locate::locate;
pub use resolved::{ResolvedWeights, loads};
pub use source::{Evidence, WeightsSource};
