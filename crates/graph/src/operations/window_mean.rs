//! Average pooling by a sliding window.

use super::{Definition, only};
use crate::complexity::Cost;
use crate::shape::{Misfit, Shape};
use crate::window::Window;

/// The mean of each window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AveragePool {
    /// The window.
    pub window: Window,
    /// As [`MaxPool::ceil_mode`](super::MaxPool::ceil_mode).
    pub ceil_mode: bool,
    /// Whether padding counts as elements; what lies beyond it, which `ceil_mode` may reach, never does.
    pub count_padding: bool,
}

impl Definition for AveragePool {
    fn name(&self) -> &'static str {
        "average pooling"
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, Misfit> {
        let [channels, height, width] = only(inputs)?.as_map()?;
        let size = if self.ceil_mode {
            self.window.output_rounded_up([height, width])
        } else {
            self.window.output([height, width])
        };
        Ok(Shape::map(channels, size.ok_or_else(|| self.window.misfit([height, width]))?))
    }

    /// Tools count adaptive pools otherwise than fixed windows; one that covers the map may be either, and is taken for adaptive.
    fn cost(&self, inputs: &[&Shape], output: &Shape) -> Result<Option<Cost>, Misfit> {
        let [_, height, width] = only(inputs)?.as_map()?;
        let whole = self.window.kernel == [height, width];
        let elements_out = output.elements()?;
        Ok(Some(if whole {
            Cost::AveragePool { elements_in: inputs[0].elements()?, elements_out }
        } else {
            Cost::WindowedAverage { elements_out }
        }))
    }
}
