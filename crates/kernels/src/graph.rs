//! A network as a graph of the operations that people write, and how it becomes the fewest passes over
//! memory.
//!
//! The rules, each of which saves the reading and writing of a feature map:
//! * a depthwise convolution that only a 1x1 convolution reads, perhaps through a ReLU, is computed while
//!   that one's multiplicands are laid out;
//! * what follows an operation and reads nothing else (a sum with something already there, a
//!   normalisation, a ReLU, in this order) is done before its result is stored;
//! * a ReLU that only convolutions read is applied where they read.

use thiserror::Error;

use crate::buffer::{Buffer, padded};
use crate::isa::Isa;
use crate::matmul::Packed;
use crate::program::{Head, Program};
use crate::rows::DepthwiseWeights;
use crate::shape::Window;
use crate::step::{Rows, Step, StepKind, StoredEpilogue};

/// A network that these kernels cannot run; Burn's own operations can.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GraphError {
    /// Neither all channels nor one a group.
    #[error("convolutions of {groups} groups on {channels} channels have no kernel")]
    Groups {
        /// Groups asked for.
        groups: usize,
        /// Input channels.
        channels: usize,
    },
    /// Something other than a convolution reads the image.
    #[error("the image is read by something other than one convolution without groups")]
    Image,
    /// The output's size is rounded up.
    #[error("pooling that rounds sizes up has no kernel")]
    CeilMode,
    /// There is more or less after the feature maps than a mean and a fully connected layer.
    #[error("the network does not end with global average pooling and one fully connected layer")]
    NoHead,
    /// Weights of another size than the shape says.
    #[error("{found} weights where {expected} belong")]
    Weights {
        /// What the shape asks for.
        expected: usize,
        /// What was given.
        found: usize,
    },
}

/// A convolution's data.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// Kernel, stride, dilation and padding.
    pub window: Window,
    /// Channels in and out.
    pub channels: [usize; 2],
    /// 1, or as many as there are channels.
    pub groups: usize,
    /// `[channels out, channels in / groups, kernel height, kernel width]`.
    pub weights: Vec<f32>,
    /// `[channels out]`.
    pub bias: Option<Vec<f32>>,
}

/// A feature map of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value(usize);

#[derive(Debug)]
enum Operation {
    Image,
    Convolution(Layer),
    MaxPool(Window),
    Affine { scale: Vec<f32>, shift: Vec<f32> },
    Relu,
    Add,
}

/// A convolution, its weights as the kernels want them: packed when they come, so that they are in memory twice
/// for one layer at a time only.
#[derive(Debug)]
struct Layer {
    window: Window,
    bias: Option<Buffer>,
    weights: LayerWeights,
}

#[derive(Debug)]
enum LayerWeights {
    /// Of all input channels.
    Dense(Packed),
    /// Of one channel each.
    Depthwise(DepthwiseWeights),
    /// A step has them.
    Taken,
}

#[derive(Debug)]
struct Node {
    operation: Operation,
    inputs: Vec<usize>,
    channels: usize,
}

/// A graph in the making, in the order of execution.
#[derive(Debug)]
pub struct Graph {
    isa: Isa,
    nodes: Vec<Node>,
}

impl Graph {
    /// A graph that begins with an image of `channels` channels. Weights are packed for `isa`.
    pub fn new(isa: Isa, channels: usize) -> (Self, Value) {
        let image = Node { operation: Operation::Image, inputs: Vec::new(), channels };
        (Self { isa, nodes: vec![image] }, Value(0))
    }

    fn push(&mut self, operation: Operation, inputs: &[Value], channels: usize) -> Value {
        let inputs = inputs.iter().map(|value| value.0).collect();
        self.nodes.push(Node { operation, inputs, channels });
        Value(self.nodes.len() - 1)
    }

    /// A convolution.
    ///
    /// # Errors
    /// [`GraphError`] where there is no kernel for it.
    pub fn convolution(&mut self, convolution: &Convolution, x: Value) -> Result<Value, GraphError> {
        let Convolution { window, channels: [from, to], groups, .. } = *convolution;
        if groups != 1 && (groups != from || from != to) {
            return Err(GraphError::Groups { groups, channels: from });
        }
        if x.0 == 0 && (groups != 1 || self.nodes.iter().any(|node| node.inputs.contains(&0))) {
            return Err(GraphError::Image);
        }
        let expected = to * from / groups * window.kernel[0] * window.kernel[1];
        let found = convolution.weights.len();
        if expected != found || self.nodes[x.0].channels != from {
            return Err(GraphError::Weights { expected, found });
        }
        check_bias(convolution.bias.as_deref(), to)?;
        let weights = match groups {
            1 => LayerWeights::Dense(pack(self.isa, convolution, x.0 == 0)),
            _ => LayerWeights::Depthwise(depthwise_weights(convolution)),
        };
        let bias = convolution.bias.as_ref().map(|bias| channels(bias, to));
        Ok(self.push(Operation::Convolution(Layer { window, bias, weights }), &[x], to))
    }

    /// Max-pooling.
    ///
    /// # Errors
    /// [`GraphError::Image`] on the image itself.
    pub fn max_pool(&mut self, window: Window, x: Value) -> Result<Value, GraphError> {
        self.unary(Operation::MaxPool(window), x)
    }

    /// `scale * x + shift`, a channel each.
    ///
    /// # Errors
    /// [`GraphError`] on the image itself or if there are not as many as channels.
    pub fn affine(&mut self, scale: Vec<f32>, shift: Vec<f32>, x: Value) -> Result<Value, GraphError> {
        let expected = self.nodes[x.0].channels;
        if let Some(found) = [scale.len(), shift.len()].into_iter().find(|&found| found != expected) {
            return Err(GraphError::Weights { expected, found });
        }
        self.unary(Operation::Affine { scale, shift }, x)
    }

    /// `max(x, 0)`.
    ///
    /// # Errors
    /// [`GraphError::Image`] on the image itself.
    pub fn relu(&mut self, x: Value) -> Result<Value, GraphError> {
        self.unary(Operation::Relu, x)
    }

    /// Sum of two maps.
    ///
    /// # Errors
    /// [`GraphError`] on the image itself, or on maps of different widths.
    pub fn add(&mut self, a: Value, b: Value) -> Result<Value, GraphError> {
        let [expected, found] = [a, b].map(|value| self.nodes[value.0].channels);
        if a.0 == 0 || b.0 == 0 {
            return Err(GraphError::Image);
        }
        if expected != found {
            return Err(GraphError::Weights { expected, found });
        }
        Ok(self.push(Operation::Add, &[a, b], expected))
    }

    fn unary(&mut self, operation: Operation, x: Value) -> Result<Value, GraphError> {
        if x.0 == 0 {
            return Err(GraphError::Image);
        }
        Ok(self.push(operation, &[x], self.nodes[x.0].channels))
    }

    /// Ends the graph: the mean over the pixels of `features`, times `factor`, times `weights`
    /// (`[features, classes]`) plus `bias` gives the logits.
    ///
    /// # Errors
    /// [`GraphError`] when the weights don't fit.
    pub fn finish(
        self,
        features: Value,
        factor: f32,
        weights: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Program, GraphError> {
        let depth = self.nodes[features.0].channels;
        let classes = weights.len() / depth;
        if classes == 0 || weights.len() != depth * classes || features.0 == 0 {
            return Err(GraphError::Weights { expected: depth * classes.max(1), found: weights.len() });
        }
        check_bias(bias, classes)?;
        let (isa, image_channels) = (self.isa, self.nodes[0].channels);
        let mut fusion = Fusion::new(self.nodes, features.0);
        for node in 0..fusion.nodes.len() {
            fusion.emit(node);
        }
        let (input, relu) = fusion.resolve(features.0);
        let head = Head {
            input: fusion.stored[input],
            relu,
            factor,
            weights: Packed::new(isa, depth, classes, |from, to| weights[from * classes + to]),
            bias: channels(bias.unwrap_or(&[]), classes),
            classes,
        };
        Ok(Program::new(isa, image_channels, fusion.steps, head))
    }
}

fn check_bias(bias: Option<&[f32]>, expected: usize) -> Result<(), GraphError> {
    match bias.map(<[f32]>::len) {
        Some(found) if found != expected => Err(GraphError::Weights { expected, found }),
        _ => Ok(()),
    }
}

/// Values of channels, padded with zeros.
fn channels(values: &[f32], count: usize) -> Buffer {
    let mut buffer = Buffer::zeroed(padded(count));
    buffer.as_mut_slice()[..values.len()].copy_from_slice(values);
    buffer
}

struct Fusion {
    nodes: Vec<Node>,
    readers: Vec<Vec<usize>>,
    /// The node whose stored map holds a node's result, by index of the value in the program.
    stored: Vec<usize>,
    steps: Vec<Step>,
}

const NOWHERE: usize = usize::MAX;

impl Fusion {
    fn new(nodes: Vec<Node>, features: usize) -> Self {
        let mut readers = vec![Vec::new(); nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&input| readers[input].push(index));
        }
        // The head reads too; it comes after all nodes.
        readers[features].push(nodes.len());
        let mut stored = vec![NOWHERE; nodes.len()];
        stored[0] = 0;
        Self { nodes, readers, stored, steps: Vec::new() }
    }

    fn only_reader(&self, node: usize) -> Option<usize> {
        match self.readers[node][..] {
            [reader] if reader < self.nodes.len() => Some(reader),
            _ => None,
        }
    }

    fn convolution(&self, node: usize) -> Option<&Layer> {
        match &self.nodes.get(node)?.operation {
            Operation::Convolution(layer) => Some(layer),
            _ => None,
        }
    }

    fn is_depthwise(&self, node: usize) -> bool {
        self.convolution(node).is_some_and(|layer| matches!(layer.weights, LayerWeights::Depthwise(_)))
    }

    /// The window and the weights of a convolution, which its step keeps.
    fn take(&mut self, node: usize) -> Option<(Window, LayerWeights)> {
        match &mut self.nodes.get_mut(node)?.operation {
            Operation::Convolution(layer) => {
                Some((layer.window, std::mem::replace(&mut layer.weights, LayerWeights::Taken)))
            }
            _ => None,
        }
    }

    fn is_relu(&self, node: usize) -> bool {
        matches!(self.nodes.get(node), Some(Node { operation: Operation::Relu, .. }))
    }

    /// A ReLU that is applied by those who read it, all of which can.
    fn is_read_with_relu(&self, node: usize) -> bool {
        let can = |&reader: &usize| reader == self.nodes.len() || self.convolution(reader).is_some();
        self.is_relu(node) && self.stored[node] == NOWHERE && self.readers[node].iter().all(can)
    }

    /// The node to read for `node`, and whether to apply a ReLU.
    fn resolve(&self, node: usize) -> (usize, bool) {
        if self.is_read_with_relu(node) { (self.nodes[node].inputs[0], true) } else { (node, false) }
    }

    /// The 1x1 convolution that computes the depthwise convolution `node` on the way.
    fn taken_by(&self, node: usize) -> Option<usize> {
        if !self.is_depthwise(node) {
            return None;
        }
        let mut reader = self.only_reader(node)?;
        if self.is_relu(reader) {
            reader = self.only_reader(reader)?;
        }
        let pointwise = self.convolution(reader)?;
        let dense = matches!(pointwise.weights, LayerWeights::Dense(_));
        (dense && pointwise.window == Window::PIXEL).then_some(reader)
    }

    /// Adds the step of `node`, unless another step does its work.
    fn emit(&mut self, node: usize) {
        if self.stored[node] != NOWHERE || self.taken_by(node).is_some() || self.is_read_with_relu(node) {
            return;
        }
        let inputs = self.nodes[node].inputs.clone();
        let width = self.nodes[node].channels;
        let mut epilogue = StoredEpilogue::default();
        let (mut input, mut relu_before) = self.resolve(inputs.first().copied().unwrap_or(node));
        let (window, kind) = match &mut self.nodes[node].operation {
            Operation::Image => return,
            Operation::Convolution(layer) => {
                let mut window = layer.window;
                epilogue.bias = layer.bias.take();
                // A depthwise convolution before it that waits for this one.
                let relu_between = self.is_relu(inputs[0]);
                let before = if relu_between { self.nodes[inputs[0]].inputs[0] } else { inputs[0] };
                let waiting = self.taken_by(before) == Some(node);
                let kind = match self.take(node) {
                    Some((_, LayerWeights::Depthwise(weights))) => {
                        StepKind::Depthwise { weights, relu_before }
                    }
                    Some((_, LayerWeights::Dense(weights))) => {
                        let mut rows = match inputs[0] {
                            0 => Rows::Image,
                            _ => Rows::Window { relu: relu_before },
                        };
                        if waiting && let Some((around, LayerWeights::Depthwise(weights))) = self.take(before)
                        {
                            (input, relu_before) = self.resolve(self.nodes[before].inputs[0]);
                            window = around;
                            rows = Rows::Depthwise { weights, relu_before, relu_after: relu_between };
                        }
                        StepKind::Multiply { rows, weights }
                    }
                    Some((_, LayerWeights::Taken)) | None => unreachable!("a step a convolution"),
                };
                (window, kind)
            }
            Operation::MaxPool(window) => (*window, StepKind::MaxPool),
            Operation::Affine { scale, shift } => {
                epilogue.affine = Some([channels(scale, width), channels(shift, width)]);
                (Window::PIXEL, StepKind::Finish)
            }
            Operation::Relu => {
                epilogue.relu = true;
                (Window::PIXEL, StepKind::Finish)
            }
            Operation::Add => {
                epilogue.residual = Some(self.stored[inputs[1]]);
                (Window::PIXEL, StepKind::Finish)
            }
        };
        let input = self.stored[input];
        let done = self.follow(node, &mut epilogue);
        self.steps.push(Step { kind, window, input, epilogue, channels: padded(width) });
        // Nobody reads what is within the chain, so all of it may be called stored.
        done.into_iter().for_each(|node| self.stored[node] = self.steps.len());
    }

    /// Takes into `epilogue` what can be done to the result of `node` before it is stored. Gives the nodes
    /// that are done then, `node` first.
    fn follow(&self, node: usize, epilogue: &mut StoredEpilogue) -> Vec<usize> {
        let mut done = vec![node];
        let mut last = node;
        while let Some(reader) = self.only_reader(last) {
            let Node { operation, inputs, channels: width } = &self.nodes[reader];
            match operation {
                _ if epilogue.relu => break,
                Operation::Relu => epilogue.relu = true,
                Operation::Affine { scale, shift } if epilogue.affine.is_none() => {
                    epilogue.affine = Some([channels(scale, *width), channels(shift, *width)]);
                }
                Operation::Add if epilogue.affine.is_none() && epilogue.residual.is_none() => {
                    let other = if inputs[0] == last { inputs[1] } else { inputs[0] };
                    if self.stored[other] == NOWHERE {
                        break;
                    }
                    epilogue.residual = Some(self.stored[other]);
                }
                _ => break,
            }
            last = reader;
            done.push(last);
        }
        done
    }
}

/// The weights of a convolution of an image or of a map.
fn pack(isa: Isa, convolution: &Convolution, image: bool) -> Packed {
    let [from, to] = convolution.channels;
    let taps = convolution.window.kernel[0] * convolution.window.kernel[1];
    // Between taps, channels are padded as they are in memory; those of an image are not.
    let stride = if image || taps == 1 { from } else { padded(from) };
    Packed::new(isa, taps * stride, to, |input, output| {
        let (tap, channel) = (input / stride, input % stride);
        if channel < from { convolution.weights[(output * from + channel) * taps + tap] } else { 0.0 }
    })
}

fn depthwise_weights(convolution: &Convolution) -> DepthwiseWeights {
    let [width, _] = convolution.channels;
    let taps = convolution.window.kernel[0] * convolution.window.kernel[1];
    let mut buffer = Buffer::zeroed(taps * padded(width));
    for (tap, row) in buffer.as_mut_slice().chunks_exact_mut(padded(width)).enumerate().take(taps) {
        for (channel, weight) in row.iter_mut().enumerate().take(width) {
            *weight = convolution.weights[channel * taps + tap];
        }
    }
    DepthwiseWeights { taps: buffer, bias: channels(convolution.bias.as_deref().unwrap_or(&[]), width) }
}
