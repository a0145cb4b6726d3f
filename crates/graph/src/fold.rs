//! Normalisations folded into what they follow.
//!
//! At inference `norm(conv(x)) = gamma / sqrt(var + eps) * (conv(x) - mean) + beta` is again a convolution, and one pass over
//! a feature map less. Only the structure changes here: weights are folded when they are read
//! ([`Convolution::read`](crate::operations::Convolution::read)).

use crate::graph::{Graph, Node, Stage, Value};
use crate::operations::Operation;

impl Graph {
    /// The graph in which every normalisation is folded into the operation before it, where that can take it and nothing else
    /// reads that operation's result. A stage whose value is gone then is that of the operation that took the normalisation.
    #[must_use]
    pub fn fold_norms(&self) -> Self {
        let readers = self.readers();
        let mut nodes: Vec<Node> = Vec::with_capacity(self.nodes.len());
        // Where each value of this graph is in the new one.
        let mut moved: Vec<Value> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            if let (Operation::BatchNorm(norm), [before]) = (&node.operation, &node.inputs[..])
                && readers[before.0] == 1
                && let Some(folded) = nodes[moved[before.0].0].operation.fold_norm(&norm.norm)
            {
                nodes[moved[before.0].0].operation = folded;
                moved.push(moved[before.0]);
                continue;
            }
            let inputs = node.inputs.iter().map(|input| moved[input.0]).collect();
            nodes.push(Node { operation: node.operation.clone(), inputs });
            moved.push(Value(nodes.len() - 1));
        }
        let stages = self.stages.iter();
        let stages =
            stages.map(|stage| Stage { name: stage.name.clone(), value: moved[stage.value.0] }).collect();
        Self { nodes, output: moved[self.output.0], stages }
    }
}
