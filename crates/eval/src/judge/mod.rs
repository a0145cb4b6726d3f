//! What predictions and counts say about a model: its figures, each with a verdict and the reason.

mod counted;
pub mod counts;
pub(crate) mod diagnosis;
mod figures;
mod model;
mod sampled;

pub(crate) use counted::Known;
pub use counted::{complexity_figures, counted_at};
pub(crate) use figures::{Conditions, Subject, with_pixels};
pub use sampled::{ERROR_RATE, SampledFigure};
