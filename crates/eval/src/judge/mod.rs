//! What predictions and counts say about a model: its figures, each with a verdict and the reason.

pub(crate) mod diagnosis;
pub(crate) mod model;

pub use model::complexity_figures;
