//! Values that are integers times a scale, which quantised networks are made of. What is known of them here lets an operation of two
//! such values sum the integers (`operations/integer.rs`), as the standard's quantised operations do and as ONNX Runtime does.

use super::known::{Floats, Quantised};

/// What a floating-point value is a multiple of.
#[derive(Debug, Clone)]
pub(super) enum Scaled {
    /// What DequantizeLinear makes of integers of few bits.
    Dequantised(Dequantised),
    /// What it makes of constants of 32 bits: biases.
    Bias {
        /// The integers, a vector.
        integers: Vec<i32>,
        /// One, or one for each.
        scales: Vec<f32>,
    },
    /// Exact sums of products of integers, times a scale.
    Sums(Sums),
}

/// Integers of few bits, less what stands for zero, times a scale.
#[derive(Debug, Clone)]
pub(super) struct Dequantised {
    pub(super) of: Quantised,
    /// What stands for zero, to be subtracted.
    pub(super) zeros: Option<Floats>,
    /// One, or one for each place of the axis.
    pub(super) scales: Vec<f32>,
    pub(super) axis: usize,
}

/// Sums.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    pub(super) of: Floats,
    /// One, or one for each place of the axis.
    pub(super) scales: Vec<f32>,
    pub(super) axis: usize,
}
