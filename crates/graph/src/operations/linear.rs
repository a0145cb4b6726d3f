//! The fully connected layer.

use super::{Definition, only};
use crate::complexity::Cost;
use crate::parameter::Parameter;
use crate::shape::{Misfit, Shape};

/// A vector times a matrix, plus a bias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linear {
    /// `[in, out]`.
    pub weight: Parameter,
    /// `[out]`.
    pub bias: Option<Parameter>,
}

impl Linear {
    /// Elements in and out.
    pub fn widths(&self) -> [usize; 2] {
        [self.weight.shape[0], self.weight.shape[1]]
    }
}

impl Definition for Linear {
    fn name(&self) -> &'static str {
        "fully connected layer"
    }

    fn parameters(&self) -> Vec<&Parameter> {
        [&self.weight].into_iter().chain(&self.bias).collect()
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let ([expected, width], found) = (self.widths(), only(inputs)?.as_vector()?);
        if found != expected {
            return Err(Misfit::Channels { expected, found });
        }
        Ok(Shape::vector(width))
    }

    fn cost(&self, _inputs: &[&Shape], _output: &Shape) -> Result<Option<Cost>, Misfit> {
        let macs = self.weight.len() as u64;
        let biases = self.bias.as_ref().map_or(0, |bias| bias.len() as u64);
        Ok(Some(Cost::Linear { macs, parameters: macs.saturating_add(biases) }))
    }
}
