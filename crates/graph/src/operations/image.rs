//! The image, with which every graph begins.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};

/// The image: normalised numbers, `[channels, height, width]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Channels.
    pub channels: usize,
}

impl Definition for Image {
    fn name(&self) -> &'static str {
        "image"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let [found, ..] = only(inputs)?.as_map()?;
        if found != self.channels {
            return Err(Misfit::Channels { expected: self.channels, found });
        }
        Ok(inputs[0].clone())
    }
}
