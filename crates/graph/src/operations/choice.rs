//! One of two values, by a third: ONNX's `Where`.

use super::Definition;
use crate::shape::{Misfit, Shape};

/// The second value where the first is not 0, else the third; all three repeated to one shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice;

impl Definition for Choice {
    fn name(&self) -> &'static str {
        "choice"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        match inputs {
            [condition, a, b] => condition.repeated_with(&a.repeated_with(b)?),
            _ => Err(Misfit::Inputs { expected: 3, found: inputs.len() }),
        }
    }
}
