//! What predictions and counts say about a model: its figures, each with a verdict and the reason.

mod counted;
pub(crate) mod diagnosis;
mod figures;
mod model;

pub use counted::complexity_figures;
pub(crate) use counted::judge_counts_again;
pub(crate) use figures::{Conditions, Subject};
