//! The sum of two values.

use super::Definition;
use crate::shape::{Misfit, Shape};

/// The element-wise sum of two values of one shape. No tool counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add;

impl Definition for Add {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        match inputs {
            [a, b] if a == b => Ok((*a).clone()),
            [a, b] => Err(Misfit::Unequal { a: (*a).clone(), b: (*b).clone() }),
            _ => Err(Misfit::Inputs { expected: 2, found: inputs.len() }),
        }
    }
}
