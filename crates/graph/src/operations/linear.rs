//! The fully connected layer.

use super::{Definition, only};
use crate::complexity::Cost;
use crate::parameter::Parameter;
use crate::shape::{Misfit, Shape};

/// The last axis, a vector or each of many, times a matrix, plus a bias.
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
        let ([expected, width], input) = (self.widths(), only(inputs)?);
        let Some(last) = input.axes().len().checked_sub(1) else {
            return Err(Misfit::Rank { expected: "a vector", found: input.clone() });
        };
        let found = input.axis(last)?;
        if found != expected {
            return Err(Misfit::Channels { expected, found });
        }
        Ok(input.with_axis(last, width))
    }

    /// Each element of the output sums over the input's last axis.
    fn cost(&self, _inputs: &[&Shape], output: &Shape) -> Result<Option<Cost>, Misfit> {
        let [depth, _] = self.widths();
        let macs = output.elements()?.saturating_mul(depth as u64);
        let biases = self.bias.as_ref().map_or(0, |bias| bias.len() as u64);
        Ok(Some(Cost::Linear { macs, parameters: (self.weight.len() as u64).saturating_add(biases) }))
    }
}
