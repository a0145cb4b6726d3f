//! The second pass: weights read, a layer at a time, and packed as the kernels want them, so that they are in memory twice for
//! one layer only.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use graph::operations::{Binary, Convolution, ConvolutionWeights};
use graph::{Graph, Operation, Parameter, Part, Shape, Value, Weights};
use memory::NoMemory;
use thiserror::Error;

use super::head::Head as PlannedHead;
use super::held::Form;
use super::parts::as_pixels;
use super::{Lowering, PlannedEnd, PlannedFinish, PlannedKind, PlannedStep, Source, groups};
use crate::activation::OnRead;
use crate::buffer::{Buffer, padded};
use crate::elsewhere::{Call, Elsewhere};
use crate::isa::Isa;
use crate::matmul::Packed;
use crate::matmul::winograd::Winograd;
use crate::program::{End, Head, Program};
use crate::rows::DepthwiseWeights;
use crate::step::{Grouped, Multiplication, Rows, Step, StepKind, StoredFinish};

/// Why a network's weights are not in the kernels.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum LoadError<E> {
    /// A weight cannot be had.
    #[error(transparent)]
    Weights(E),
    /// Weights of another size than the shape says.
    #[error("{key}: {found} weights where {expected} belong")]
    Length {
        /// The parameter.
        key: String,
        /// What the shape asks for.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// The system has no memory for the weights.
    #[error("out of memory: {bytes} bytes more were asked for")]
    OutOfMemory {
        /// What was asked for last.
        bytes: usize,
    },
}

impl<E> From<NoMemory> for LoadError<E> {
    fn from(NoMemory { bytes }: NoMemory) -> Self {
        Self::OutOfMemory { bytes }
    }
}

impl Lowering {
    /// The program with its weights, packed for `isa`.
    ///
    /// # Errors
    /// [`LoadError`].
    ///
    /// # Panics
    /// Where parts of the network are cut out (a programmer's mistake): see [`Lowering::load_in_parts`].
    pub fn load<W: Weights>(&self, weights: &mut W, isa: Isa) -> Result<Program, LoadError<W::Error>> {
        self.load_in_parts(weights, isa, |_, _| panic!("nobody computes the parts of the network"))
    }

    /// [`Lowering::load`], where `elsewhere` gives what computes each of the [`Lowering::parts`].
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load_in_parts<W: Weights>(
        &self,
        weights: &mut W,
        isa: Isa,
        mut elsewhere: impl FnMut(&Part, &mut W) -> Result<Arc<dyn Elsewhere>, W::Error>,
    ) -> Result<Program, LoadError<W::Error>> {
        let parts = self.parts.iter().map(|part| {
            let lengths = part.shapes.iter().flat_map(Shape::elements).map(|len| len as usize).collect();
            Ok((elsewhere(part, weights).map_err(LoadError::Weights)?, lengths))
        });
        let parts = parts.collect::<Result<_, LoadError<W::Error>>>()?;
        let maps = self.maps.clone();
        let mut loader = Loader { graph: &self.graph, weights: Checked(weights), isa, parts, maps };
        let steps = self.steps.iter().map(|step| loader.step(step)).collect::<Result<_, _>>()?;
        let end = match self.end {
            PlannedEnd::Head { head, features } => End::Head(loader.head(head, features)?),
            PlannedEnd::Value { value, classes } => End::Value { value, classes },
        };
        Ok(Program::new(isa, (self.graph.image_channels(), self.image), steps, end))
    }
}

/// Weights, each of the length that its shape says.
struct Checked<'a, W>(&'a mut W);

impl<W: Weights> Weights for Checked<'_, W> {
    type Error = LoadError<W::Error>;

    fn read(&mut self, parameter: &Parameter) -> Result<Vec<f32>, LoadError<W::Error>> {
        let values = self.0.read(parameter).map_err(LoadError::Weights)?;
        let (expected, found) = (parameter.len(), values.len());
        if expected != found {
            return Err(LoadError::Length { key: parameter.key.clone(), expected, found });
        }
        Ok(values)
    }
}

/// What the steps' weights are made with.
struct Loader<'a, W> {
    graph: &'a Graph,
    weights: Checked<'a, W>,
    isa: Isa,
    /// What computes each part, and elements of what it puts out.
    parts: Vec<(Arc<dyn Elsewhere>, Vec<usize>)>,
    /// Shapes and forms of values to which numbers that are known are repeated.
    maps: BTreeMap<Value, (Shape, Form)>,
}

impl<'a, W: Weights> Loader<'a, W> {
    fn step(&mut self, planned: &PlannedStep) -> Result<Step, LoadError<W::Error>> {
        let before = planned.input.on_read;
        let (kind, bias) = match planned.kind {
            PlannedKind::Dense { convolution, gate: Some(gate) } => {
                let (weights, bias) = self.dense(convolution, false, None)?;
                (StepKind::Multiply(Multiplication { rows: Rows::Gated { gate }, weights }), bias)
            }
            PlannedKind::Dense { convolution, .. } if planned.input.value == 0 => {
                let (weights, bias) = self.dense(convolution, true, None)?;
                (StepKind::Multiply(Multiplication { rows: Rows::Image, weights }), bias)
            }
            PlannedKind::Dense { convolution, .. } if self.is_by_winograd(convolution) => {
                let (winograd, bias) = self.winograd(convolution, before)?;
                (StepKind::Winograd(winograd), bias)
            }
            PlannedKind::Dense { convolution, .. } => {
                let (weights, bias) = self.dense(convolution, false, None)?;
                (StepKind::Multiply(Multiplication { rows: Rows::Window(before), weights }), bias)
            }
            PlannedKind::Groups { convolution, ref groups } => {
                let (weights, bias) = self.dense(convolution, false, Some(groups.clone()))?;
                (StepKind::Multiply(Multiplication { rows: Rows::Window(before), weights }), bias)
            }
            PlannedKind::Grouped { convolution } => {
                let (grouped, bias) = self.grouped(convolution, before)?;
                (StepKind::Grouped(grouped), bias)
            }
            PlannedKind::Depthwise { convolution } => {
                let (weights, bias) = self.depthwise(convolution)?;
                (StepKind::Depthwise { weights, before }, bias)
            }
            PlannedKind::Separable { depthwise, between, pointwise } => {
                // Its bias is among its weights, because the epilogue is the other's.
                let (taps, _) = self.depthwise(depthwise)?;
                let (weights, bias) = self.dense(pointwise, false, None)?;
                let rows = Rows::Depthwise { weights: taps, before, after: between };
                (StepKind::Multiply(Multiplication { rows, weights }), bias)
            }
            PlannedKind::MaxPool { of_zeros_too, ceil_mode } => {
                (StepKind::MaxPool { of_zeros_too, ceil_mode }, None)
            }
            PlannedKind::AveragePool { count_padding, ceil_mode } => {
                (StepKind::AveragePool { count_padding, ceil_mode }, None)
            }
            PlannedKind::LayerNorm { epsilon } => {
                (StepKind::LayerNorm { width: planned.width, epsilon: epsilon as f32 }, None)
            }
            PlannedKind::Move(ref moved) => (StepKind::Move(moved.clone()), None),
            PlannedKind::Average => (StepKind::Average(before), None),
            PlannedKind::Linear { linear, pixels } => {
                let (weights, bias) = self.linear(linear, pixels)?;
                let rows = match pixels {
                    1 => Rows::Window(before),
                    _ => Rows::Whole { on_read: before, pixels },
                };
                (StepKind::Multiply(Multiplication { rows, weights }), bias)
            }
            PlannedKind::Epilogue => (StepKind::Epilogue, None),
            PlannedKind::Product { other, matrices, size } => {
                (StepKind::Product { other, matrices, size }, None)
            }
            PlannedKind::Softmax => (StepKind::Softmax { width: planned.width }, None),
            PlannedKind::Gathered(ref gathered) => (StepKind::Gathered(gathered.clone()), None),
            PlannedKind::Renamed(size) => (StepKind::Renamed(size), None),
            PlannedKind::Known { constant, held } => {
                let values = self.known(constant)?;
                let mut buffer = Buffer::zeroed(held.size[0] * held.size[1] * padded(held.width))?;
                let channels = padded(held.width);
                held.copy(&values, 0..held.size[0] * held.size[1], (channels, buffer.as_mut_slice()));
                (StepKind::Known { values: buffer, size: held.size }, None)
            }
            PlannedKind::Call { part, ref reads } => {
                let (part, lengths) = self.parts[part].clone();
                (StepKind::Call(Call { part, reads: reads.clone(), lengths }), None)
            }
        };
        let mut epilogue: Vec<StoredFinish> = bias.map(StoredFinish::Bias).into_iter().collect();
        for &finish in &planned.epilogue {
            epilogue.push(match finish {
                PlannedFinish::Residual(value) => StoredFinish::Residual(value),
                PlannedFinish::Product(value) => StoredFinish::Product(value),
                PlannedFinish::Gate(value) => StoredFinish::Gate(value),
                PlannedFinish::Shift(value) => StoredFinish::Shift(value),
                PlannedFinish::Constant { function, constant, is_first } => {
                    StoredFinish::Affine(self.constant(function, constant, is_first, planned.width)?)
                }
                PlannedFinish::ConstantMap { function, constant, like } => {
                    let values = self.constant_map(function, constant, like)?;
                    match function {
                        Binary::Add | Binary::Sub => StoredFinish::KnownResidual(values),
                        _ => StoredFinish::KnownProduct(values),
                    }
                }
                PlannedFinish::Unary(function) => StoredFinish::Unary(function),
                PlannedFinish::Affine(norm) => StoredFinish::Affine(self.affine(norm, planned.width)?),
                PlannedFinish::Scale(factor) => {
                    let of = |value| Buffer::of_channels(&vec![value; planned.width], planned.width);
                    StoredFinish::Affine([of(factor)?, of(0.0)?])
                }
                PlannedFinish::Activation(activation) => StoredFinish::Activation(activation),
            });
        }
        let channels = padded(planned.width);
        Ok(Step { kind, window: planned.window, input: planned.input.value, epilogue, channels })
    }

    /// The convolution that puts out `value`.
    fn convolution(&self, value: Value) -> &'a Convolution {
        let Operation::Convolution(convolution) = &self.graph.node(value).operation else {
            unreachable!("the planner takes convolutions only");
        };
        convolution
    }

    /// Whether a convolution over all channels of a map is computed by Winograd's algorithm.
    fn is_by_winograd(&self, value: Value) -> bool {
        let convolution = self.convolution(value);
        Winograd::pays(self.isa, &convolution.window, convolution.channels())
    }

    /// The weights of such a convolution.
    fn winograd(
        &mut self,
        value: Value,
        on_read: OnRead,
    ) -> Result<(Winograd, Option<Buffer>), LoadError<W::Error>> {
        let Loaded { convolution, kernel, bias } = self.read(value)?;
        let winograd = Winograd::new(self.isa, on_read, convolution.channels(), &kernel)?;
        let bias = bias.map(|bias| Buffer::of_channels(&bias, bias.len()));
        Ok((winograd, bias.transpose()?))
    }

    /// The convolution that puts out `value`, and its kernel and bias.
    fn read(&mut self, value: Value) -> Result<Loaded<'a>, LoadError<W::Error>> {
        let convolution = self.convolution(value);
        let ConvolutionWeights { kernel, bias } = convolution.read(&mut self.weights)?;
        Ok(Loaded { convolution, kernel, bias })
    }

    /// The weights of a convolution over all channels, of the image or of a map; or of the channels of these groups alone, where those
    /// between groups are zero.
    fn dense(
        &mut self,
        value: Value,
        image: bool,
        groups: Option<Range<usize>>,
    ) -> Result<(Packed, Option<Buffer>), LoadError<W::Error>> {
        let loaded = self.read(value)?;
        let groups = groups.unwrap_or(0..1);
        let packed = self.packed(&loaded, image, &groups)?;
        let to_group = loaded.convolution.channels()[1] / loaded.convolution.groups;
        let (first, to) = (groups.start * to_group, to_group * groups.len());
        let bias = loaded.bias.map(|bias| Buffer::of_channels(&bias[first..first + to], to));
        Ok((packed, bias.transpose()?))
    }

    /// A convolution of groups, whose sets are whole blocks of channels.
    fn grouped(
        &mut self,
        value: Value,
        on_read: OnRead,
    ) -> Result<(Grouped, Option<Buffer>), LoadError<W::Error>> {
        let loaded = self.read(value)?;
        let Loaded { convolution, ref bias, .. } = loaded;
        let of_group = convolution.channels()[0] / convolution.groups;
        let sets = groups::sets(convolution);
        let channels = sets.first().map_or(0, |groups| groups.len() * of_group);
        let bias = bias.as_ref().map(|bias| Buffer::of_channels(bias, bias.len())).transpose()?;
        let sets = sets.iter().map(|groups| self.packed(&loaded, false, groups));
        Ok((Grouped { on_read, channels, sets: sets.collect::<Result<_, _>>()? }, bias))
    }

    /// The weights of some groups of a convolution, where those between groups are zero.
    fn packed(
        &self,
        loaded: &Loaded<'_>,
        image: bool,
        groups: &Range<usize>,
    ) -> Result<Packed, LoadError<W::Error>> {
        let isa = self.isa;
        let Loaded { convolution, kernel, .. } = loaded;
        let [of_group, to_group] = convolution.channels().map(|channels| channels / convolution.groups);
        let (from, to) = (of_group * groups.len(), to_group * groups.len());
        let first = groups.start * to_group;
        let taps = convolution.window.kernel[0] * convolution.window.kernel[1];
        // Between taps, channels are padded as they are in memory; those of an image are not.
        let stride = if image || taps == 1 { from } else { padded(from) };
        Ok(Packed::new(isa, taps * stride, to, |input, output| {
            let (tap, channel) = (input / stride, input % stride);
            let within = channel % of_group.max(1);
            if channel < from && channel / of_group == output / to_group {
                kernel[((first + output) * of_group + within) * taps + tap]
            } else {
                0.0
            }
        })?)
    }

    /// The weights of a convolution of one channel each, with the bias among them, and the bias again.
    fn depthwise(&mut self, value: Value) -> Result<(DepthwiseWeights, Option<Buffer>), LoadError<W::Error>> {
        let Loaded { convolution, kernel, bias } = self.read(value)?;
        let [width, _] = convolution.channels();
        let taps = convolution.window.kernel[0] * convolution.window.kernel[1];
        let mut buffer = Buffer::zeroed(taps * padded(width))?;
        for (tap, row) in buffer.as_mut_slice().chunks_exact_mut(padded(width)).enumerate().take(taps) {
            for (channel, weight) in row.iter_mut().enumerate().take(width) {
                *weight = kernel[channel * taps + tap];
            }
        }
        let of_channels = |bias: &[f32]| Buffer::of_channels(bias, width);
        let weights = DepthwiseWeights { taps: buffer, bias: of_channels(bias.as_deref().unwrap_or(&[]))? };
        Ok((weights, bias.as_deref().map(of_channels).transpose()?))
    }

    /// A normalisation's factors and summands, padded.
    fn affine(&mut self, value: Value, width: usize) -> Result<[Buffer; 2], LoadError<W::Error>> {
        let Operation::BatchNorm(norm) = &self.graph.node(value).operation else {
            unreachable!("the planner takes normalisations only");
        };
        let affine = norm.norm.affine(&mut self.weights)?;
        let padded = |values: Vec<f64>| {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            Buffer::of_channels(&values, width)
        };
        Ok([padded(affine.scale)?, padded(affine.shift)?])
    }

    /// The factors and summands, a channel each, by which `function` of a result and of a constant is computed.
    fn constant(
        &mut self,
        function: Binary,
        constant: Value,
        is_first: bool,
        width: usize,
    ) -> Result<[Buffer; 2], LoadError<W::Error>> {
        let Operation::Constant(constant) = &self.graph.node(constant).operation else {
            unreachable!("the planner takes constants only");
        };
        let mut values = self.weights.read(&constant.parameter)?;
        if let &[one] = &values[..] {
            values = vec![one; width];
        }
        let of = |of: fn(f32) -> f32| {
            Buffer::of_channels(&values.iter().map(|&value| of(value)).collect::<Vec<_>>(), width)
        };
        Ok(match (function, is_first) {
            (Binary::Add, _) => [of(|_| 1.0)?, of(|value| value)?],
            (Binary::Sub, false) => [of(|_| 1.0)?, of(|value| -value)?],
            (Binary::Sub, true) => [of(|_| -1.0)?, of(|value| value)?],
            (Binary::Mul, _) => [of(|value| value)?, of(|_| 0.0)?],
            (Binary::Div, false) => [of(|value| 1.0 / value)?, of(|_| 0.0)?],
            _ => unreachable!("{function:?} was refused before"),
        })
    }

    /// Numbers that are known.
    fn known(&mut self, value: Value) -> Result<Vec<f32>, LoadError<W::Error>> {
        let Operation::Constant(constant) = &self.graph.node(value).operation else {
            unreachable!("only constants are known");
        };
        self.weights.read(&constant.parameter)
    }

    /// The numbers, as many as the value `like` has elements and as that is held, that `function` adds or multiplies by.
    fn constant_map(
        &mut self,
        function: Binary,
        constant: Value,
        like: Value,
    ) -> Result<Buffer, LoadError<W::Error>> {
        let values = self.known(constant)?;
        let Operation::Constant(of) = &self.graph.node(constant).operation else {
            unreachable!("only constants are known");
        };
        let (shape, form) = &self.maps[&like];
        let repeated = repeated(&values, &of.parameter.shape, shape.axes())?;
        let held = as_pixels(*form, shape);
        let pixels = held.size[0] * held.size[1];
        let mut buffer = Buffer::zeroed(pixels * padded(held.width))?;
        held.copy(&repeated, 0..pixels, (padded(held.width), buffer.as_mut_slice()));
        let each = |of: fn(f32) -> f32, buffer: &mut Buffer| {
            // What is beyond the channels stays 0.
            for pixel in buffer.as_mut_slice().chunks_exact_mut(padded(held.width)) {
                pixel[..held.width].iter_mut().for_each(|value| *value = of(*value));
            }
        };
        match function {
            Binary::Sub => each(|value| -value, &mut buffer),
            Binary::Div => each(|value| 1.0 / value, &mut buffer),
            _ => {}
        }
        Ok(buffer)
    }

    /// The weights of a fully connected layer, of a map of so many pixels: its inputs are channels, and of each its pixels. Its rows are
    /// images or the pixels of small maps, which have nothing to do with each other, so that Strassen's algorithm never applies.
    fn linear(
        &mut self,
        value: Value,
        pixels: usize,
    ) -> Result<(Packed, Option<Buffer>), LoadError<W::Error>> {
        let Operation::Linear(linear) = &self.graph.node(value).operation else {
            unreachable!("the planner takes fully connected layers only");
        };
        let [depth, width] = linear.widths();
        let weights = self.weights.read(&linear.weight)?;
        let bias = linear.bias.as_ref().map(|bias| self.weights.read(bias)).transpose()?;
        let channels = depth / pixels;
        let stride = if pixels == 1 { channels } else { padded(channels) };
        let packed = Packed::plain(self.isa, pixels * stride, width, |from, to| {
            let (pixel, channel) = (from / stride, from % stride);
            if channel < channels { weights[(channel * pixels + pixel) * width + to] } else { 0.0 }
        })?;
        Ok((packed, bias.map(|bias| Buffer::of_channels(&bias, width)).transpose()?))
    }

    fn head(&mut self, head: PlannedHead, features: Source) -> Result<Head, LoadError<W::Error>> {
        let (weights, bias) = self.linear(head.linear, 1)?;
        let classes = self.graph.node(head.linear).operation.parameters()[0].shape[1];
        Ok(Head {
            input: features.value,
            on_read: features.on_read,
            factor: head.factor,
            linear: Multiplication { rows: Rows::Window(OnRead::AsStored), weights },
            bias: match bias {
                Some(bias) => bias,
                None => Buffer::of_channels(&[], classes)?,
            },
            classes,
        })
    }
}

/// `values` of `axes`, repeated to be a value of the axes `to`.
fn repeated(values: &[f32], axes: &[usize], to: &[usize]) -> Result<Vec<f32>, NoMemory> {
    let mut strides = vec![0; to.len()];
    let mut stride = 1;
    for (place, &size) in axes.iter().enumerate().rev() {
        // Axes are compared from the last on.
        strides[to.len() - axes.len() + place] = if size == 1 { 0 } else { stride };
        stride *= size;
    }
    let count = to.iter().product();
    let mut repeated = memory::room(count)?;
    for mut index in 0..count {
        let mut at = 0;
        for (&size, stride) in to.iter().zip(&strides).rev() {
            at += index % size * stride;
            index /= size;
        }
        repeated.push(values[at]);
    }
    Ok(repeated)
}

/// A convolution with its weights.
struct Loaded<'a> {
    convolution: &'a Convolution,
    kernel: Vec<f32>,
    bias: Option<Vec<f32>>,
}
