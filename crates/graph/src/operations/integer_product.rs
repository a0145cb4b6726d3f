//! Products of integers that are summed in integers: what quantised networks are made of. f32 has all integers up to 2^24 only, and
//! sums of a wide layer are larger.

use super::{Convolution, Definition, Linear, MatMul};
use crate::complexity::Cost;
use crate::parameter::Parameter;
use crate::shape::{Misfit, Shape};

/// A convolution, a fully connected layer or a product of matrices, of integers from -[`IntegerProduct::MOST`] to
/// [`IntegerProduct::MOST`]: those of eight bits less what stands for zero. What comes out is the exact sum, rounded to the nearest
/// number of f32 as its conversion is.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegerProduct {
    /// What is multiplied and summed.
    pub of: Product,
    /// What is added to the sum of each channel or column, before it is rounded: one for each, or none at all.
    pub bias: Vec<i32>,
}

/// What multiplies and sums.
#[derive(Debug, Clone, PartialEq)]
pub enum Product {
    /// A convolution without a bias and without a normalisation.
    Convolution(Convolution),
    /// A fully connected layer without a bias.
    Linear(Linear),
    /// Two computed matrices.
    MatMul(MatMul),
}

impl IntegerProduct {
    /// The largest integer that is multiplied.
    pub const MOST: i16 = 255;
}

impl Product {
    fn definition(&self) -> &dyn Definition {
        match self {
            Self::Convolution(convolution) => convolution,
            Self::Linear(linear) => linear,
            Self::MatMul(matmul) => matmul,
        }
    }
}

impl Definition for IntegerProduct {
    fn name(&self) -> &'static str {
        match self.of {
            Product::Convolution(_) => "convolution of integers",
            Product::Linear(_) => "fully connected layer of integers",
            Product::MatMul(_) => "product of matrices of integers",
        }
    }

    fn parameters(&self) -> Vec<&Parameter> {
        self.of.definition().parameters()
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        self.of.definition().shape(inputs)
    }

    fn cost(&self, inputs: &[&Shape], output: &Shape) -> Result<Option<Cost>, Misfit> {
        let mut cost = self.of.definition().cost(inputs, output)?;
        if let Some(Cost::Conv { parameters, .. } | Cost::Linear { parameters, .. }) = &mut cost {
            *parameters = parameters.saturating_add(self.bias.len() as u64);
        }
        Ok(cost)
    }
}
