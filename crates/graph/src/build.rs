//! Building a graph, an operation a call.

use crate::graph::{Graph, Node, Stage, Value};
use crate::operations::{
    Activation, Add, AveragePool, BatchNorm, Convolution, GlobalAveragePool, Image, Linear, MaxPool,
    Normalisation, Operation, Scale,
};
use crate::parameter::Parameter;
use crate::window::Window;

/// A graph in the making. Nothing is checked here: whether operations fit together is for [`Graph::shapes`] to say, which
/// knows an image's size.
#[derive(Debug)]
pub struct Builder {
    nodes: Vec<Node>,
    stages: Vec<Stage>,
}

impl Builder {
    /// Begins with an image of `channels` channels.
    pub fn new(channels: usize) -> (Self, Value) {
        let image = Node { operation: Image { channels }.into(), inputs: Vec::new() };
        (Self { nodes: vec![image], stages: Vec::new() }, Value::IMAGE)
    }

    /// Adds an operation that reads `inputs`.
    ///
    /// # Panics
    /// If an input is not a value of this builder (a programmer's mistake).
    pub fn push(&mut self, operation: impl Into<Operation>, inputs: &[Value]) -> Value {
        assert!(inputs.iter().all(|input| input.0 < self.nodes.len()), "a value of another graph");
        self.nodes.push(Node { operation: operation.into(), inputs: inputs.to_vec() });
        Value(self.nodes.len() - 1)
    }

    /// The operation that puts out `value`, and what it reads.
    ///
    /// # Panics
    /// If `value` is not a value of this builder (a programmer's mistake).
    pub fn node(&self, value: Value) -> &Node {
        &self.nodes[value.0]
    }

    /// A convolution of `groups` groups, whose channels are those of `kernel`.
    ///
    /// # Panics
    /// If `kernel` has other than four axes.
    pub fn convolution(
        &mut self,
        window: Window,
        groups: usize,
        kernel: Parameter,
        bias: Option<Parameter>,
        x: Value,
    ) -> Value {
        assert_eq!(kernel.shape.len(), 4, "{}: a kernel has four axes", kernel.key);
        self.push(Convolution { window, groups, kernel, bias, is_subclass: false, norm: None }, &[x])
    }

    /// A batch normalisation by the running statistics.
    pub fn batch_norm(&mut self, norm: Normalisation, x: Value) -> Value {
        self.push(BatchNorm { norm, with_activation: false }, &[x])
    }

    /// An activation.
    pub fn activation(&mut self, activation: Activation, x: Value) -> Value {
        self.push(activation, &[x])
    }

    /// `max(x, 0)`.
    pub fn relu(&mut self, x: Value) -> Value {
        self.activation(Activation::Relu, x)
    }

    /// Max-pooling; padding never wins.
    pub fn max_pool(&mut self, window: Window, x: Value) -> Value {
        self.push(MaxPool { window, ceil_mode: false }, &[x])
    }

    /// Average pooling; padding is no part of a mean.
    pub fn average_pool(&mut self, window: Window, x: Value) -> Value {
        self.push(AveragePool { window, ceil_mode: false, count_padding: false }, &[x])
    }

    /// The sum of two values of one shape.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.push(Add, &[a, b])
    }

    /// The mean over height and width.
    pub fn global_average_pool(&mut self, x: Value) -> Value {
        self.push(GlobalAveragePool, &[x])
    }

    /// Every element times `factor`.
    pub fn scale(&mut self, factor: f64, x: Value) -> Value {
        self.push(Scale { factor }, &[x])
    }

    /// A fully connected layer, whose width is that of `weight`.
    ///
    /// # Panics
    /// If `weight` has other than two axes.
    pub fn linear(&mut self, weight: Parameter, bias: Option<Parameter>, x: Value) -> Value {
        assert_eq!(weight.shape.len(), 2, "{}: a matrix has two axes", weight.key);
        self.push(Linear { weight, bias }, &[x])
    }

    /// Remembers that the source framework calls what is at `value` by this name.
    pub fn stage(&mut self, name: impl Into<String>, value: Value) {
        self.stages.push(Stage { name: name.into(), value });
    }

    /// The graph that puts out `output`.
    ///
    /// # Panics
    /// If `output` is not a value of this builder (a programmer's mistake).
    pub fn finish(self, output: Value) -> Graph {
        assert!(output.0 < self.nodes.len(), "a value of another graph");
        Graph { nodes: self.nodes, output, stages: self.stages }
    }
}
