//! Softmax along an axis.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// `e^x` over its sum along an axis. No tool counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Softmax {
    /// The axis.
    pub axis: usize,
    /// Whether the logarithm is taken of it.
    pub log: bool,
}

impl Definition for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log-softmax" } else { "softmax" }
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let input = only(inputs)?;
        input.axis(self.axis)?;
        Ok(input.clone())
    }
}
