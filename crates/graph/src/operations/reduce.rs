//! Axes summed up, or their mean, or their largest element.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// Axes made one element each, which stays as an axis of 1. [`GlobalAveragePool`](super::GlobalAveragePool) is the mean of a
/// map that has kernels. No tool counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduce {
    /// To what.
    pub to: Reduction,
    /// Which axes, in ascending order.
    pub axes: Vec<usize>,
}

/// What many elements become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// Their product.
    Product,
}

impl Definition for Reduce {
    fn name(&self) -> &'static str {
        match self.to {
            Reduction::Sum => "sum over axes",
            Reduction::Mean => "mean over axes",
            Reduction::Max => "maximum over axes",
            Reduction::Min => "minimum over axes",
            Reduction::Product => "product over axes",
        }
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let input = only(inputs)?;
        self.axes.iter().try_fold(input.clone(), |shape, &axis| match input.axis(axis)? {
            0 => Err(Misfit::Axis { axis, found: input.clone() }),
            _ => Ok(shape.with_axis(axis, 1)),
        })
    }
}
