//! Max-pooling.

use super::{Definition, only};
use crate::shape::{Misfit, Shape};
use crate::window::Window;

/// The largest element of each window; padding never wins, and what is not a number always does. No tool counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaxPool {
    /// The window.
    pub window: Window,
    /// Whether sizes are rounded up, as PyTorch's `ceil_mode` does: a window that begins on the map counts though it ends
    /// beyond it.
    pub ceil_mode: bool,
}

impl Definition for MaxPool {
    fn name(&self) -> &'static str {
        "max-pooling"
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
}
