//! A part of a value along an axis.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// `len` elements of an axis, `step` apart, from `begin` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The axis.
    pub axis: usize,
    /// The first element.
    pub begin: usize,
    /// Their distance.
    pub step: usize,
    /// How many.
    pub len: usize,
}

impl Definition for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let input = only(inputs)?;
        let size = input.axis(self.axis)?;
        let last =
            self.len.checked_sub(1).and_then(|steps| steps.checked_mul(self.step)?.checked_add(self.begin));
        if self.step == 0 || last.is_none_or(|last| last >= size) {
            return Err(Misfit::Axis { axis: self.axis, found: input.clone() });
        }
        Ok(input.with_axis(self.axis, self.len))
    }
}
