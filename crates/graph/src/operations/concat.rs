//! Values one after the other.

use super::Definition;
use crate::shape::{Misfit, Shape};

/// Values one after the other along an axis; their other axes are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concat {
    /// The axis.
    pub axis: usize,
}

impl Definition for Concat {
    fn name(&self) -> &'static str {
        "concatenation"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let Some((first, rest)) = inputs.split_first() else {
            return Err(Misfit::Inputs { expected: 1, found: 0 });
        };
        let mut axes = first.axes().to_vec();
        first.axis(self.axis)?;
        for other in rest {
            let alike = other.axes().len() == axes.len()
                && (0..axes.len()).all(|axis| axis == self.axis || axes[axis] == other.axes()[axis]);
            if !alike {
                return Err(Misfit::Repeated { a: (*first).clone(), b: (*other).clone() });
            }
            axes[self.axis] = axes[self.axis].saturating_add(other.axes()[self.axis]);
        }
        Ok(Shape::new(axes))
    }
}
