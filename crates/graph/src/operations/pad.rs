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
    /// The element at the edge.
    Edge,
    /// What the edge mirrors, without the edge itself.
    Reflection,
}

impl Definition for Pad {
    fn name(&self) -> &'static str {
        "padding"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let input = only(inputs)?;
        if input.axes().len() != self.widths.len() {
            return Err(Misfit::Rank {
                expected: "a value of as many axes as are padded",
                found: input.clone(),
            });
        }
        let mut axes = Vec::with_capacity(self.widths.len());
        for (axis, (&size, &[before, after])) in input.axes().iter().zip(&self.widths).enumerate() {
            let most = match self.with {
                PadWith::Constant(_) => usize::MAX,
                PadWith::Edge => {
                    if size > 0 {
                        usize::MAX
                    } else {
                        0
                    }
                }
                PadWith::Reflection => size.saturating_sub(1),
            };
            if before > most || after > most {
                return Err(Misfit::Axis { axis, found: input.clone() });
            }
            axes.push(size.saturating_add(before).saturating_add(after));
        }
        Ok(Shape::new(axes))
    }
}
