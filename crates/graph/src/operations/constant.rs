//! A value that depends on no image: a weight that is read by an operation which has no parameters of its own.

use super::Definition;
use crate::parameter::Parameter;
use crate::shape::{Misfit, Shape};

/// A constant tensor, the same for every image. Its shape is that of its parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Its values.
    pub parameter: Parameter,
}

impl Definition for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.parameter]
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        match inputs {
            [] => Ok(Shape::new(self.parameter.shape.clone())),
            _ => Err(Misfit::Inputs { expected: 0, found: inputs.len() }),
        }
    }
}
