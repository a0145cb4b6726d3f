//! Elements around a value.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// So many elements before and after each axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Pad {
    /// Before and after, an axis each.
    pub widths: Vec<[usize; 2]>,
    /// What they are.
    pub with: PadWith,
}

/// What is around a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PadWith {
    /// A number.
    Constant(f32),
}

impl Definition for Pad {
    fn name(&self) -> &'static str {
        "padding"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let axes = only(inputs)?.as_map()?;
        match self.widths[..] {
            [channels, rows, columns] => {
                let padded = |axis: usize, [before, after]: [usize; 2]| {
                    axes[axis].saturating_add(before).saturating_add(after)
                };
                Ok(Shape::map(padded(0, channels), [padded(1, rows), padded(2, columns)]))
            }
            _ => Err(Misfit::Inputs { expected: 3, found: self.widths.len() }),
        }
    }
}
