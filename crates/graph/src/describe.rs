//! A graph in words, a line an operation.

use std::fmt;

use crate::graph::Graph;

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            write!(f, "{index}: {}", node.operation.name())?;
            for (place, input) in node.inputs.iter().enumerate() {
                write!(f, "{}{}", if place == 0 { " of " } else { " and " }, input.0)?;
            }
            for parameter in node.operation.parameters() {
                write!(f, ", {} {:?}", parameter.key, parameter.shape)?;
            }
            for stage in self.stages.iter().filter(|stage| stage.value.0 == index) {
                write!(f, " = {}", stage.name)?;
            }
            writeln!(f)?;
        }
        write!(f, "logits: {}", self.output.0)
    }
}
