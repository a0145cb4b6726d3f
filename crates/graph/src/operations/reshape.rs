//! The same elements in other axes.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// Another shape of as many elements; the last axis runs fastest in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reshape {
    /// The shape that comes out.
    pub shape: Shape,
}

impl Definition for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let input = only(inputs)?;
        if input.elements()? != self.shape.elements()? {
            return Err(Misfit::Elements { from: input.clone(), to: self.shape.clone() });
        }
        Ok(self.shape.clone())
    }
}
