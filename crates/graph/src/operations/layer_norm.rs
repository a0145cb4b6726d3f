//! Layer normalisation, without its factors: those are products and sums with constants.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// The last `axes` axes less their mean, over the root of their variance plus `epsilon`.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm {
    /// How many axes, counted from the last.
    pub axes: usize,
    /// What is added to the variance.
    pub epsilon: f64,
}

impl Definition for LayerNorm {
    fn name(&self) -> &'static str {
        "layer normalisation"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let input = only(inputs)?;
        if self.axes > input.axes().len() {
            return Err(Misfit::Axis { axis: self.axes, found: input.clone() });
        }
        Ok(input.clone())
    }
}
