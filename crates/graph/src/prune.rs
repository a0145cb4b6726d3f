//! What the output does not depend on, left out.

use crate::graph::{Graph, Node, Stage, Value};

impl Graph {
    /// The graph without the operations that its output does not depend on; the image stays. Stages of what is gone are gone.
    #[must_use]
    pub fn pruned(&self) -> Self {
        let mut live = vec![false; self.nodes.len()];
        live[Value::IMAGE.0] = true;
        live[self.output.0] = true;
        for index in (0..self.nodes.len()).rev() {
            if live[index] {
                self.nodes[index].inputs.iter().for_each(|input| live[input.0] = true);
            }
        }
        let mut moved: Vec<Option<Value>> = Vec::with_capacity(self.nodes.len());
        let mut nodes: Vec<Node> = Vec::new();
        for (node, live) in self.nodes.iter().zip(live) {
            moved.push(live.then(|| {
                // What a live operation reads is live, and was moved before it.
                let inputs = node.inputs.iter().filter_map(|input| moved[input.0]).collect();
                nodes.push(Node { operation: node.operation.clone(), inputs });
                Value(nodes.len() - 1)
            }));
        }
        let stages = self
            .stages
            .iter()
            .filter_map(|stage| Some(Stage { name: stage.name.clone(), value: moved[stage.value.0]? }));
        let stages = stages.collect();
        let output = moved[self.output.0].unwrap_or(Value::IMAGE);
        Self { nodes, output, stages }
    }
}
