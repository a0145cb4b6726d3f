//! An axis in another number of elements, each a weighted sum of the axis's own: linear and cubic resizing.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// Every element of an axis that comes out is the sum of some that come in, times weights. No tool counts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Interpolate {
    /// The axis.
    pub axis: usize,
    /// Places and weights, an element that comes out each.
    pub taps: Vec<Vec<(usize, f32)>>,
}

impl Definition for Interpolate {
    fn name(&self) -> &'static str {
        "interpolation"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let input = only(inputs)?;
        let size = input.axis(self.axis)?;
        if self.taps.iter().flatten().any(|&(place, _)| place >= size) {
            return Err(Misfit::Axis { axis: self.axis, found: input.clone() });
        }
        Ok(input.with_axis(self.axis, self.taps.len()))
    }
}
