//! A value repeated along axes of one element.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// The value repeated to `shape`, as [`Binary`](super::Binary) repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expand {
    /// The shape that comes out.
    pub shape: Shape,
}

impl Definition for Expand {
    fn name(&self) -> &'static str {
        "repetition"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let input = only(inputs)?;
        let repeated = input.repeated_with(&self.shape)?;
        if repeated != self.shape {
            return Err(Misfit::Repeated { a: input.clone(), b: self.shape.clone() });
        }
        Ok(repeated)
    }
}
