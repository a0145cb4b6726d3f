//! Chosen elements of an axis.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// The elements of an axis at these places, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gather {
    /// The axis.
    pub axis: usize,
    /// The places.
    pub places: Vec<usize>,
}

impl Definition for Gather {
    fn name(&self) -> &'static str {
        "choice of elements"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let input = only(inputs)?;
        let size = input.axis(self.axis)?;
        if self.places.iter().any(|&place| place >= size) {
            return Err(Misfit::Axis { axis: self.axis, found: input.clone() });
        }
        Ok(input.with_axis(self.axis, self.places.len()))
    }
}
