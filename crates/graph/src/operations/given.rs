//! A value that is computed in another graph: what [`Graph::cut`](crate::Graph::cut) leaves where it cuts.

use super::Definition;
use crate::shape::{Misfit, Shape};

/// A value from outside of the graph. Of what it is computed there, it may read; nothing is told of its shape by that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// In the graph that is left, which part puts it out.
    pub part: usize,
    /// Which of the values that the part puts out it is; in a part, which of those that it reads.
    pub place: usize,
    /// Its shape.
    pub shape: Shape,
}

impl Definition for Given {
    fn name(&self) -> &'static str {
        "a value from elsewhere"
    }

    fn shape(&self, _: &[&Shape]) -> Result<Shape, Misfit> {
        Ok(self.shape.clone())
    }
}
