//! A network as a graph of the operations that people write. [`crate::fusion`] makes the fewest passes over memory
//! of it.

use thiserror::Error;

use crate::buffer::{Buffer, NoMemory, padded};
use crate::fusion::{self, Layer, LayerWeights, Node, Operation, Source};
use crate::isa::Isa;
use crate::matmul::Packed;
use crate::program::{Head, Program};
use crate::rows::DepthwiseWeights;
use crate::shape::Window;
use crate::step::{Multiplication, Rows};

/// A network that these kernels cannot run; Burn's own operations can.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
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
    /// A window without a kernel, a stride or a dilation, or one that is larger than any map.
    #[error("a window of kernel {kernel:?}, stride {stride:?} and dilation {dilation:?} slides over no map")]
    Window {
        /// Height and width.
        kernel: [usize; 2],
        /// Step down and to the right.
        stride: [usize; 2],
        /// Distance of its taps.
        dilation: [usize; 2],
    },
    /// The system has no memory for the weights.
    #[error("out of memory: {bytes} bytes more were asked for")]
    OutOfMemory {
        /// What was asked for last.
        bytes: usize,
    },
}

impl From<NoMemory> for GraphError {
    fn from(NoMemory { bytes }: NoMemory) -> Self {
        Self::OutOfMemory { bytes }
    }
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
        check_window(window)?;
        let found = convolution.weights.len();
        // A product that wraps could be as many weights as there are.
        let per_output = (window.kernel[0].checked_mul(window.kernel[1]))
            .and_then(|taps| from.checked_div(groups)?.checked_mul(taps));
        let expected = per_output.and_then(|per_output| per_output.checked_mul(to)).unwrap_or(usize::MAX);
        // Without weights there is nothing to multiply, nor a size to tell from.
        if expected != found || found == 0 || self.nodes[x.0].channels != from {
            return Err(GraphError::Weights { expected, found });
        }
        check_bias(convolution.bias.as_deref(), to)?;
        let weights = match groups {
            1 => LayerWeights::Dense(pack(self.isa, convolution, x.0 == 0)?),
            _ => LayerWeights::Depthwise(depthwise_weights(convolution)?),
        };
        let bias = convolution.bias.as_ref().map(|bias| Buffer::of_channels(bias, to)).transpose()?;
        Ok(self.push(Operation::Convolution(Layer { window, bias, weights: Some(weights) }), &[x], to))
    }

    /// Max-pooling.
    ///
    /// # Errors
    /// [`GraphError::Image`] on the image itself, [`GraphError::Window`] for a window without sense.
    pub fn max_pool(&mut self, window: Window, x: Value) -> Result<Value, GraphError> {
        check_window(window)?;
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
        if features.0 == 0 {
            return Err(GraphError::Image);
        }
        let depth = self.nodes[features.0].channels;
        let classes = weights.len().checked_div(depth).unwrap_or(0);
        if classes == 0 || !weights.len().is_multiple_of(depth) {
            return Err(GraphError::Weights { expected: depth * classes.max(1), found: weights.len() });
        }
        check_bias(bias, classes)?;
        let (isa, image_channels) = (self.isa, self.nodes[0].channels);
        let (steps, Source { value: input, relu }) = fusion::fuse(self.nodes, features.0)?;
        let head = Head {
            input,
            relu,
            factor,
            linear: Multiplication {
                rows: Rows::Window { relu: false },
                weights: Packed::plain(isa, depth, classes, |from, to| weights[from * classes + to])?,
            },
            bias: Buffer::of_channels(bias.unwrap_or(&[]), classes)?,
            classes,
        };
        Ok(Program::new(isa, image_channels, steps, head))
    }
}

fn check_bias(bias: Option<&[f32]>, expected: usize) -> Result<(), GraphError> {
    match bias.map(<[f32]>::len) {
        Some(found) if found != expected => Err(GraphError::Weights { expected, found }),
        _ => Ok(()),
    }
}

fn check_window(window: Window) -> Result<(), GraphError> {
    let Window { kernel, stride, dilation, .. } = window;
    if window.is_sound() { Ok(()) } else { Err(GraphError::Window { kernel, stride, dilation }) }
}

/// The weights of a convolution of an image or of a map.
fn pack(isa: Isa, convolution: &Convolution, image: bool) -> Result<Packed, NoMemory> {
    let [from, to] = convolution.channels;
    let taps = convolution.window.kernel[0] * convolution.window.kernel[1];
    // Between taps, channels are padded as they are in memory; those of an image are not.
    let stride = if image || taps == 1 { from } else { padded(from) };
    Packed::new(isa, taps * stride, to, |input, output| {
        let (tap, channel) = (input / stride, input % stride);
        if channel < from { convolution.weights[(output * from + channel) * taps + tap] } else { 0.0 }
    })
}

fn depthwise_weights(convolution: &Convolution) -> Result<DepthwiseWeights, NoMemory> {
    let [width, _] = convolution.channels;
    let taps = convolution.window.kernel[0] * convolution.window.kernel[1];
    let mut buffer = Buffer::zeroed(taps * padded(width))?;
    for (tap, row) in buffer.as_mut_slice().chunks_exact_mut(padded(width)).enumerate().take(taps) {
        for (channel, weight) in row.iter_mut().enumerate().take(width) {
            *weight = convolution.weights[channel * taps + tap];
        }
    }
    let bias = Buffer::of_channels(convolution.bias.as_deref().unwrap_or(&[]), width)?;
    Ok(DepthwiseWeights { taps: buffer, bias })
}
