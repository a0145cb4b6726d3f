//! Functions of two elements, with the smaller value repeated along the larger. No tool counts them.

use super::Definition;
use crate::shape::{Misfit, Shape};

/// A function of an element of each of two values. Their axes are compared from the last on; where one has a single element or
/// no axis, it is repeated. [`Add`](super::Add) is the sum that has kernels, of two values of one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binary {
    /// The sum.
    Add,
    /// The difference.
    Sub,
    /// The product.
    Mul,
    /// The quotient.
    Div,
    /// The first to the power of the second.
    Pow,
    /// The larger.
    Max,
    /// The smaller.
    Min,
    /// The first where it is not negative, else its product with the second.
    Prelu,
}

impl Definition for Binary {
    fn name(&self) -> &'static str {
        match self {
            Self::Add => "sum with repetition",
            Self::Sub => "difference",
            Self::Mul => "product of elements",
            Self::Div => "quotient",
            Self::Pow => "power",
            Self::Max => "larger of two",
            Self::Min => "smaller of two",
            Self::Prelu => "PReLU",
        }
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        match inputs {
            [a, b] => a.repeated_with(b),
            _ => Err(Misfit::Inputs { expected: 2, found: inputs.len() }),
        }
    }
}
