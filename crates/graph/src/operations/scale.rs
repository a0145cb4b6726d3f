//! A constant factor: what Paddle's `Dropout(mode="downscale_in_infer")` is at inference.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// Every element times `factor`. No tool counts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// The factor.
    pub factor: f64,
}

impl Definition for Scale {
    fn name(&self) -> &'static str {
        "constant factor"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        only(inputs).cloned()
    }
}
