//! The graph itself: operations in the order of execution, each of which reads values that come before it.

use crate::complexity::Cost;
use crate::operations::Operation;
use crate::shape::{Shape, ShapeError};

/// What an operation puts out, by the operation's place in the graph. Value 0 is the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub(crate) usize);

impl Value {
    /// The image.
    pub const IMAGE: Self = Self(0);

    /// Its place in [`Graph::nodes`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// An operation of a graph and the values that it reads, all of which come before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What is computed.
    pub operation: Operation,
    /// Of which values.
    pub inputs: Vec<Value>,
}

/// A place in a network that its source framework has a name for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The name, such as `block3`.
    pub name: String,
    /// What is there.
    pub value: Value,
}

/// A network, from the image to the logits. [`crate::Builder`] makes it, so that values are in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) output: Value,
    pub(crate) stages: Vec<Stage>,
}

impl Graph {
    /// Every operation, in the order of execution; the first is the image.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The operation that puts out `value`.
    pub fn node(&self, value: Value) -> &Node {
        &self.nodes[value.0]
    }

    /// The values, in the order of execution.
    pub fn values(&self) -> impl Iterator<Item = Value> + use<> {
        (0..self.nodes.len()).map(Value)
    }

    /// What the network puts out.
    pub fn output(&self) -> Value {
        self.output
    }

    /// The places that the source framework has names for, in the order of execution.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Channels of the images that it takes.
    pub fn image_channels(&self) -> usize {
        match self.nodes.first().map(|node| &node.operation) {
            Some(Operation::Image(image)) => image.channels,
            _ => 0,
        }
    }

    /// Whether each value is the same for every image.
    pub fn constants(&self) -> Vec<bool> {
        let mut constants: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let is_from_outside = matches!(node.operation, Operation::Image(_) | Operation::Given(_));
            constants.push(!is_from_outside && node.inputs.iter().all(|input| constants[input.0]));
        }
        constants
    }

    /// How often each value is read, the network's output once more.
    pub fn readers(&self) -> Vec<usize> {
        let mut readers = vec![0; self.nodes.len()];
        for input in self.nodes.iter().flat_map(|node| &node.inputs) {
            readers[input.0] += 1;
        }
        readers[self.output.0] += 1;
        readers
    }

    /// The shape of every value for an image of the shape `image`.
    ///
    /// # Errors
    /// [`ShapeError`] at the first operation that cannot take what comes in.
    pub fn shapes(&self, image: &Shape) -> Result<Vec<Shape>, ShapeError> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            // The image reads what is given, every other operation what was computed before it.
            let inputs: Vec<&Shape> = match node.operation {
                Operation::Image(_) => vec![image],
                _ => node.inputs.iter().map(|input| &shapes[input.0]).collect(),
            };
            let shape = node.operation.shape(&inputs);
            let shape = shape.and_then(|shape| shape.elements().map(|_| shape));
            shapes.push(shape.map_err(|misfit| ShapeError {
                at: self.place(index),
                operation: node.operation.name(),
                misfit,
            })?);
        }
        Ok(shapes)
    }

    /// What counting rules see of the network for an image of the shape `image`, in the order of execution. Count before
    /// [`Graph::fold_norms`]: afterwards the normalisations, which most rules count, are gone.
    ///
    /// # Errors
    /// [`ShapeError`] as [`Graph::shapes`].
    pub fn costs(&self, image: &Shape) -> Result<Vec<Cost>, ShapeError> {
        let shapes = self.shapes(image)?;
        let mut costs = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let inputs: Vec<&Shape> = node.inputs.iter().map(|input| &shapes[input.0]).collect();
            let cost = node.operation.cost(&inputs, &shapes[index]);
            costs.extend(cost.map_err(|misfit| ShapeError {
                at: self.place(index),
                operation: node.operation.name(),
                misfit,
            })?);
        }
        Ok(costs)
    }

    /// What a person looks for: the key of an operation's first parameter, or its number.
    pub fn place(&self, index: usize) -> String {
        let node = &self.nodes[index];
        match node.operation.parameters().first() {
            Some(parameter) => parameter.key.clone(),
            None => format!("operation {index}"),
        }
    }
}
