//! The product of two computed matrices, such as attention's. The one with a weight is [`Linear`](super::Linear).

use super::Definition;
use crate::complexity::Cost;
use crate::shape::{Misfit, Shape};

/// The product of the matrices in the last two axes, `[.., rows, depth]` and `[.., depth, columns]`; the axes before are
/// repeated as those of [`Binary`](super::Binary).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatMul;

impl Definition for MatMul {
    fn name(&self) -> &'static str {
        "product of matrices"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let [a, b] = inputs else {
            return Err(Misfit::Inputs { expected: 2, found: inputs.len() });
        };
        let unequal = || Misfit::Repeated { a: (*a).clone(), b: (*b).clone() };
        let ([before_a @ .., rows, depth], [before_b @ .., depth_b, columns]) = (a.axes(), b.axes()) else {
            return Err(unequal());
        };
        if depth != depth_b {
            return Err(unequal());
        }
        let before = Shape::new(before_a).repeated_with(&Shape::new(before_b)).map_err(|_| unequal())?;
        Ok(Shape::new([before.axes(), &[*rows, *columns]].concat()))
    }

    fn cost(&self, inputs: &[&Shape], output: &Shape) -> Result<Option<Cost>, Misfit> {
        let depth = inputs.first().and_then(|a| a.axes().last()).copied().unwrap_or(0);
        Ok(Some(Cost::MatMul { macs: output.elements()?.saturating_mul(depth as u64) }))
    }
}
