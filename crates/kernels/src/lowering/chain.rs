//! A graph as the rules look at it: who reads what.

use graph::operations::Convolution;
use graph::{Activation, Graph, Operation, Value};

/// A graph and the readers of each of its values.
pub(super) struct Chain<'a> {
    graph: &'a Graph,
    readers: Vec<Vec<Value>>,
}

impl<'a> Chain<'a> {
    pub(super) fn of(graph: &'a Graph) -> Self {
        let mut readers = vec![Vec::new(); graph.nodes().len()];
        for value in graph.values() {
            graph.node(value).inputs.iter().for_each(|input| readers[input.index()].push(value));
        }
        Self { graph, readers }
    }

    pub(super) fn graph(&self) -> &'a Graph {
        self.graph
    }

    /// Who reads `value`.
    pub(super) fn readers(&self, value: Value) -> &[Value] {
        &self.readers[value.index()]
    }

    /// The only operation that reads `value`; none where it is what the network puts out.
    pub(super) fn only_reader(&self, value: Value) -> Option<Value> {
        match self.readers(value) {
            &[reader] if value != self.graph.output() => Some(reader),
            _ => None,
        }
    }

    /// The convolution that puts out `value`, if one does.
    pub(super) fn convolution(&self, value: Value) -> Option<&'a Convolution> {
        match &self.graph.node(value).operation {
            Operation::Convolution(convolution) => Some(convolution),
            _ => None,
        }
    }

    /// The activation that puts out `value`, if one does, and what it is applied to.
    pub(super) fn activation(&self, value: Value) -> Option<(Activation, Value)> {
        let node = self.graph.node(value);
        match node.operation {
            Operation::Activation(activation) => Some((activation, node.inputs[0])),
            _ => None,
        }
    }
}
