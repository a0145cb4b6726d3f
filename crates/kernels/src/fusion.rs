//! The optimiser: how the operations of a graph become steps, the fewest passes over memory.
//!
//! The rules, each of which saves the reading and writing of a feature map:
//! * a depthwise convolution that only a 1x1 convolution reads, perhaps through a ReLU, is computed while
//!   that one's multiplicands are laid out;
//! * what follows an operation and reads nothing else (a sum with something already there, a
//!   normalisation, a ReLU, in this order) is done before its result is stored;
//! * a ReLU that only convolutions read is applied where they read. The mean before the classes can do so, too.

use crate::buffer::{Buffer, NoMemory, padded};
use crate::matmul::Packed;
use crate::rows::DepthwiseWeights;
use crate::shape::Window;
use crate::step::{Multiplication, Rows, Step, StepKind, StoredEpilogue};

/// An operation of the graph, and the nodes that it reads: all of them before it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) operation: Operation,
    pub(crate) inputs: Vec<usize>,
    /// Channels of its result.
    pub(crate) channels: usize,
}

#[derive(Debug)]
pub(crate) enum Operation {
    /// Node 0.
    Image,
    Convolution(Layer),
    MaxPool(Window),
    Affine {
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    Relu,
    Add,
}

/// A convolution, its weights as the kernels want them: packed when they come, so that they are in memory twice
/// for one layer at a time only.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) window: Window,
    pub(crate) bias: Option<Buffer>,
    /// None once a step has them.
    pub(crate) weights: Option<LayerWeights>,
}

#[derive(Debug)]
pub(crate) enum LayerWeights {
    /// Of all input channels.
    Dense(Packed),
    /// Of one channel each.
    Depthwise(DepthwiseWeights),
}

/// What a step or the head reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// A value of the program.
    pub(crate) value: usize,
    /// Whether a ReLU is applied to what is read.
    pub(crate) relu: bool,
}

/// The steps that compute `nodes`, and the value in which the node `features` is when they are done.
pub(crate) fn fuse(nodes: Vec<Node>, features: usize) -> Result<(Vec<Step>, Source), NoMemory> {
    let mut fusion = Fusion::new(nodes, features);
    for node in 0..fusion.nodes.len() {
        fusion.emit(node)?;
    }
    let source = fusion.source(features);
    Ok((fusion.steps, source))
}

/// A normalisation's factors and summands, padded.
fn affine(scale: &[f32], shift: &[f32], width: usize) -> Result<[Buffer; 2], NoMemory> {
    Ok([Buffer::of_channels(scale, width)?, Buffer::of_channels(shift, width)?])
}

struct Fusion {
    nodes: Vec<Node>,
    readers: Vec<Vec<usize>>,
    /// The value of the program that holds a node's result, once a step has computed it.
    stored: Vec<Option<usize>>,
    steps: Vec<Step>,
}

impl Fusion {
    fn new(nodes: Vec<Node>, features: usize) -> Self {
        let mut readers = vec![Vec::new(); nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&input| readers[input].push(index));
        }
        // The head reads too; it comes after all nodes.
        readers[features].push(nodes.len());
        let mut stored = vec![None; nodes.len()];
        stored[0] = Some(0);
        Self { nodes, readers, stored, steps: Vec::new() }
    }

    /// Adds the step of `node`, unless another step does its work.
    fn emit(&mut self, node: usize) -> Result<(), NoMemory> {
        if self.stored[node].is_some() || self.taken_by(node).is_some() || self.is_read_with_relu(node) {
            return Ok(());
        }
        let Node { operation, inputs, channels: width } = &self.nodes[node];
        let mut epilogue = StoredEpilogue::default();
        let (window, kind) = match operation {
            Operation::Image => return Ok(()),
            Operation::Convolution(_) => return self.emit_convolution(node),
            Operation::MaxPool(window) => (*window, StepKind::MaxPool),
            Operation::Affine { scale, shift } => {
                epilogue.affine = Some(affine(scale, shift, *width)?);
                (Window::PIXEL, StepKind::Finish)
            }
            Operation::Relu => {
                epilogue.relu = true;
                (Window::PIXEL, StepKind::Finish)
            }
            Operation::Add => {
                epilogue.residual = Some(self.value(inputs[1]));
                (Window::PIXEL, StepKind::Finish)
            }
        };
        let input = self.value(inputs[0]);
        self.push(node, window, input, kind, epilogue)
    }

    /// Adds the step of the convolution `node`, and of the depthwise one before it that waits for this one.
    fn emit_convolution(&mut self, node: usize) -> Result<(), NoMemory> {
        let x = self.nodes[node].inputs[0];
        let relu_after = self.is_relu(x);
        let before = if relu_after { self.nodes[x].inputs[0] } else { x };
        let waiting = self.taken_by(before) == Some(node);
        let (window, bias, weights) =
            self.take(node).expect("no other step has a dense convolution's weights");
        let epilogue = StoredEpilogue { bias, ..StoredEpilogue::default() };
        let (window, input, kind) = match weights {
            LayerWeights::Depthwise(weights) => {
                let Source { value, relu: relu_before } = self.source(x);
                (window, value, StepKind::Depthwise { weights, relu_before })
            }
            LayerWeights::Dense(weights) => {
                let (window, input, rows) = match waiting.then(|| self.take(before)).flatten() {
                    // Its bias is among its weights, because the epilogue is this one's.
                    Some((window, _, LayerWeights::Depthwise(weights))) => {
                        let Source { value, relu: relu_before } = self.source(self.nodes[before].inputs[0]);
                        (window, value, Rows::Depthwise { weights, relu_before, relu_after })
                    }
                    _ if x == 0 => (window, 0, Rows::Image),
                    _ => {
                        let Source { value, relu } = self.source(x);
                        (window, value, Rows::Window { relu })
                    }
                };
                (window, input, StepKind::Multiply(Multiplication { rows, weights }))
            }
        };
        self.push(node, window, input, kind, epilogue)
    }

    /// Adds a step that computes `node` and what can be done to its result before it is stored.
    fn push(
        &mut self,
        node: usize,
        window: Window,
        input: usize,
        kind: StepKind,
        mut epilogue: StoredEpilogue,
    ) -> Result<(), NoMemory> {
        let done = self.follow(node, &mut epilogue)?;
        let channels = padded(self.nodes[node].channels);
        self.steps.push(Step { kind, window, input, epilogue, channels });
        // Nobody reads what is within the chain, so all of it may be called stored.
        done.into_iter().for_each(|node| self.stored[node] = Some(self.steps.len()));
        Ok(())
    }

    /// Takes into `epilogue` what can be done to the result of `node` before it is stored. Gives the nodes
    /// that are done then, `node` first.
    fn follow(&self, node: usize, epilogue: &mut StoredEpilogue) -> Result<Vec<usize>, NoMemory> {
        let mut done = vec![node];
        let mut last = node;
        while let Some(reader) = self.only_reader(last) {
            let Node { operation, inputs, channels: width } = &self.nodes[reader];
            match operation {
                _ if epilogue.relu => break,
                Operation::Relu => epilogue.relu = true,
                Operation::Affine { scale, shift } if epilogue.affine.is_none() => {
                    epilogue.affine = Some(affine(scale, shift, *width)?);
                }
                Operation::Add if epilogue.affine.is_none() && epilogue.residual.is_none() => {
                    let other = if inputs[0] == last { inputs[1] } else { inputs[0] };
                    let Some(value) = self.stored[other] else { break };
                    epilogue.residual = Some(value);
                }
                _ => break,
            }
            last = reader;
            done.push(last);
        }
        Ok(done)
    }

    /// The 1x1 convolution that computes the depthwise convolution `node` on the way.
    fn taken_by(&self, node: usize) -> Option<usize> {
        let is_depthwise = |layer: &Layer| matches!(layer.weights, Some(LayerWeights::Depthwise(_)));
        if !self.convolution(node).is_some_and(is_depthwise) {
            return None;
        }
        let mut reader = self.only_reader(node)?;
        if self.is_relu(reader) {
            reader = self.only_reader(reader)?;
        }
        let pointwise = self.convolution(reader)?;
        let dense = matches!(pointwise.weights, Some(LayerWeights::Dense(_)));
        (dense && pointwise.window == Window::PIXEL).then_some(reader)
    }

    /// A ReLU that is applied by those who read it, all of which can.
    fn is_read_with_relu(&self, node: usize) -> bool {
        let can = |&reader: &usize| reader == self.nodes.len() || self.convolution(reader).is_some();
        self.is_relu(node) && self.stored[node].is_none() && self.readers[node].iter().all(can)
    }

    /// Where to read `node`.
    fn source(&self, node: usize) -> Source {
        let relu = self.is_read_with_relu(node);
        Source { value: self.value(if relu { self.nodes[node].inputs[0] } else { node }), relu }
    }

    /// The value that holds the result of `node`.
    fn value(&self, node: usize) -> usize {
        self.stored[node].expect("what is read was computed before")
    }

    /// The only node that reads `node`; none where the head does.
    fn only_reader(&self, node: usize) -> Option<usize> {
        match self.readers[node][..] {
            [reader] if reader < self.nodes.len() => Some(reader),
            _ => None,
        }
    }

    fn is_relu(&self, node: usize) -> bool {
        matches!(self.nodes.get(node), Some(Node { operation: Operation::Relu, .. }))
    }

    fn convolution(&self, node: usize) -> Option<&Layer> {
        match &self.nodes.get(node)?.operation {
            Operation::Convolution(layer) => Some(layer),
            _ => None,
        }
    }

    /// The window, bias and weights of a convolution, which its step keeps; once.
    fn take(&mut self, node: usize) -> Option<(Window, Option<Buffer>, LayerWeights)> {
        match &mut self.nodes.get_mut(node)?.operation {
            Operation::Convolution(layer) => Some((layer.window, layer.bias.take(), layer.weights.take()?)),
            _ => None,
        }
    }
}
