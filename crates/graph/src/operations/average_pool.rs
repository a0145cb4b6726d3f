//! Global average pooling.

use super::{Definition, only};
use crate::complexity::Cost;
use crate::shape::{Misfit, Shape};

/// The mean over height and width: a map becomes a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalAveragePool;

impl Definition for GlobalAveragePool {
    fn name(&self) -> &'static str {
        "global average pooling"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let [channels, ..] = only(inputs)?.as_map()?;
        Ok(Shape::vector(channels))
    }

    fn cost(&self, inputs: &[&Shape], output: &Shape) -> Result<Option<Cost>, Misfit> {
        let (elements_in, elements_out) = (only(inputs)?.elements()?, output.elements()?);
        Ok(Some(Cost::AveragePool { elements_in, elements_out }))
    }
}
