//! Documented tables: what a card claims of which model, by which rule, with errata.
//!
//! * [`Card`] and [`Row`]: a table, and what it claims of one model;
//! * [`Cards`]: the cards that are known, the built-in ones from `datasets/cards/` first;
//! * [`Figure`]: a number as printed, to the digit;
//! * [`foreign`]: cards of others read, and written back.
//!
//! This crate knows no network, no weights and no run: a model is a name here. Whether a claim holds, the crate `eval` says.

mod bounds;
mod card;
mod error;
mod figures;
mod file;
pub mod foreign;
mod known;
mod toml_text;

pub use card::{Card, Precision, Row};
pub use error::CardError;
pub use figures::{Counted, Erratum, Figure, FigureName, Tolerance, UNSTATED};
pub use known::{Cards, DEFAULT_CARD};
pub use toml_text::to_toml;

/// How far, in percentage points, an accuracy over all 50,000 images may lie from the printed one where a card says nothing
/// else: 25 images, several times what different arithmetic flips.
pub const ACCURACY_TOLERANCE_PP: f64 = 0.05;
