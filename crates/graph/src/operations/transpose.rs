//! Axes in another order.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// Axis `i` of what comes out is axis `axes[i]` of what comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transpose {
    /// The order.
    pub axes: Vec<usize>,
}

impl Definition for Transpose {
    fn name(&self) -> &'static str {
        "transposition"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let input = only(inputs)?;
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..input.axes().len()) {
            return Err(Misfit::Order { axes: self.axes.clone(), found: input.clone() });
        }
        Ok(Shape::new(self.axes.iter().map(|&axis| input.axes()[axis]).collect::<Vec<_>>()))
    }
}
