//! The second pass: weights read, a layer at a time, and packed as the kernels want them, so that they are in memory twice for
//! one layer only.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use graph::operations::{Binary, Convolution, ConvolutionWeights};
use graph::{Graph, Operation, Parameter, Part, Shape, Value, Weights, Window};
use memory::NoMemory;
use thiserror::Error;

use super::head::Head as PlannedHead;
use super::held::Form;
use super::{Lowering, PlannedEnd, PlannedFinish, PlannedKind, PlannedStep, Source, groups};
use crate::activation::OnRead;
use crate::buffer::{Buffer, padded};
use crate::elsewhere::{Call, Elsewhere};
use crate::isa::Isa;
use crate::matmul::Packed;
use crate::matmul::winograd::Winograd;
use crate::program::{Program, Tail};
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
        let mut loader = Loader {
            graph: &self.graph,
            weights: Checked(weights),
            isa,
            are_rows_images: false,
            parts,
            maps,
        };
        let (steps, layers) = self.steps.split_at(self.steps.len() - self.end.tail(&self.steps));
        let steps = steps.iter().map(|step| loader.step(step)).collect::<Result<_, _>>()?;
        loader.are_rows_images = true;
        let tail = match self.end {
            PlannedEnd::Head { head, features } => loader.head(head, features)?,
            PlannedEnd::Value { value, classes } => Tail {
                input: layers.first().map_or(value, |first| first.input.value),
                mean: None,
                layers: layers.iter().map(|step| loader.step(step)).collect::<Result<_, _>>()?,
                classes,
            },
        };
        Ok(Program::new(isa, (self.graph.image_channels(), self.image), steps, tail))
    }
}

/// Weights, each of the length that its shape says.
pub(super) struct Checked<'a, W>(&'a mut W);

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
pub(super) struct Loader<'a, W> {
    pub(super) graph: &'a Graph,
    pub(super) weights: Checked<'a, W>,
    isa: Isa,
    /// Whether rows of multiplications are images, which have nothing to do with each other, and not pixels.
    are_rows_images: bool,
    /// What computes each part, and elements of what it puts out.
    parts: Vec<(Arc<dyn Elsewhere>, Vec<usize>)>,
    /// Shapes and forms of values to which numbers that are known are repeated.
    pub(super) maps: BTreeMap<Value, (Shape, Form)>,
}

impl<'a, W: Weights> Loader<'a, W> {
    fn step(&mut self, planned: &PlannedStep) -> Result<Step, LoadError<W::Error>> {
        let before = planned.input.on_read;
        let (kind, bias) = match planned.kind {
            PlannedKind::Dense { convolution, gate: Some(gate) } => {
                let (weights, bias) = self.dense(convolution, None)?;
                (StepKind::Multiply(Multiplication { rows: Rows::Gated { gate }, weights }), bias)
            }
            PlannedKind::Dense { convolution, .. } if planned.input.value == 0 => {
                let by_lines = self.convolution(convolution).window.dilation[1] == 1;
                let (weights, bias) = self.image(convolution, by_lines)?;
                let rows = if by_lines { Rows::ImageLines } else { Rows::Image };
                (StepKind::Multiply(Multiplication { rows, weights }), bias)
            }
            PlannedKind::Dense { convolution, .. } if self.is_by_winograd(convolution) => {
                let (winograd, bias) = self.winograd(convolution, before)?;
                (StepKind::Winograd(winograd), bias)
            }
            PlannedKind::Dense { convolution, .. } => {
                let (weights, bias) = self.dense(convolution, None)?;
                (StepKind::Multiply(Multiplication { rows: Rows::Window(before), weights }), bias)
            }
            PlannedKind::Groups { convolution, ref groups } => {
                let (weights, bias) = self.dense(convolution, Some(groups.clone()))?;
                (StepKind::Multiply(Multiplication { rows: Rows::Window(before), weights }), bias)
            }
            PlannedKind::Grouped { convolution } if self.is_by_winograd(convolution) => {
                let (winograd, bias) = self.winograd(convolution, before)?;
                (StepKind::Winograd(winograd), bias)
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
                let (weights, bias) = self.dense(pointwise, None)?;
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

    /// Whether a convolution of a map is computed by Winograd's algorithm.
    fn is_by_winograd(&self, value: Value) -> bool {
        let convolution = self.convolution(value);
        let groups = groups::sets(convolution).first().map_or(1, ExactSizeIterator::len);
        let of_set = convolution.channels().map(|channels| channels / convolution.groups * groups);
        Winograd::pays(self.isa, &convolution.window, of_set)
    }

    /// The weights of such a convolution, of sets of groups whose channels are whole blocks or of all channels.
    fn winograd(
        &mut self,
        value: Value,
        on_read: OnRead,
    ) -> Result<(Winograd, Option<Buffer>), LoadError<W::Error>> {
        let Loaded { convolution, kernel, bias } = self.read(value)?;
        let [of_group, to_group] = convolution.channels().map(|channels| channels / convolution.groups);
        let taps = kernel.as_chunks::<9>().0;
        let sets = groups::sets(convolution);
        let pack = |groups: &Range<usize>| {
            let channels = [of_group, to_group].map(|channels| channels * groups.len());
            Winograd::pack(self.isa, channels, |output, input| {
                let within = (groups.start * to_group + output) * of_group + input % of_group;
                (input / of_group == output / to_group).then(|| &taps[within])
            })
        };
        let packed = sets.iter().map(pack).collect::<Result<_, _>>()?;
        let channels = sets.first().map_or(0, |groups| groups.len() * of_group);
        let bias = bias.map(|bias| Buffer::of_channels(&bias, bias.len()));
        Ok((Winograd::new(on_read, channels, packed), bias.transpose()?))
    }

    /// The convolution that puts out `value`, and its kernel and bias.
    fn read(&mut self, value: Value) -> Result<Loaded<'a>, LoadError<W::Error>> {
        let convolution = self.convolution(value);
        let ConvolutionWeights { kernel, bias } = convolution.read(&mut self.weights)?;
        Ok(Loaded { convolution, kernel, bias })
    }

    /// The weights of a convolution over all channels of the image, whose channels are not padded; `by_lines` where each line of a window
    /// begins with a block.
    fn image(
        &mut self,
        value: Value,
        by_lines: bool,
    ) -> Result<(Packed, Option<Buffer>), LoadError<W::Error>> {
        let Loaded { convolution, kernel, bias } = self.read(value)?;
        let [from, to] = convolution.channels();
        let [height, width] = convolution.window.kernel;
        let kernel = &kernel[..];
        let weights = |input: usize| {
            let (tap, channel) = (input / from, input % from);
            move |output: usize| kernel[(output * from + channel) * height * width + tap]
        };
        let packed = match by_lines {
            true => Packed::in_runs(self.isa, [height, width * from], to, weights)?,
            false => Packed::plain(self.isa, height * width * from, to, weights)?,
        };
        Ok((packed, bias.map(|bias| Buffer::of_channels(&bias, to)).transpose()?))
    }

    /// The weights of a convolution over all channels of a map; or of the channels of these groups alone, where those between groups are
    /// zero.
    fn dense(
        &mut self,
        value: Value,
        groups: Option<Range<usize>>,
    ) -> Result<(Packed, Option<Buffer>), LoadError<W::Error>> {
        let loaded = self.read(value)?;
        let groups = groups.unwrap_or(0..1);
        let packed = self.packed(&loaded, &groups)?;
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
        let sets = sets.iter().map(|groups| self.packed(&loaded, groups));
        Ok((Grouped { on_read, channels, sets: sets.collect::<Result<_, _>>()? }, bias))
    }

    /// The weights of some groups of a convolution, where those between groups are zero.
    fn packed(&self, loaded: &Loaded<'_>, groups: &Range<usize>) -> Result<Packed, LoadError<W::Error>> {
        let isa = self.isa;
        let Loaded { convolution, kernel, .. } = loaded;
        let [of_group, to_group] = convolution.channels().map(|channels| channels / convolution.groups);
        let (from, to) = (of_group * groups.len(), to_group * groups.len());
        let first = groups.start * to_group;
        let taps = convolution.window.kernel[0] * convolution.window.kernel[1];
        // Between taps, channels are padded as they are in memory.
        let stride = if taps == 1 { from } else { padded(from) };
        let weights = |input: usize| {
            let (tap, channel) = (input / stride, input % stride);
            let within = channel % of_group.max(1);
            // The outputs of the input's own group.
            let group = if channel < from { channel / of_group } else { groups.len() };
            let outputs = group * to_group..(group + 1) * to_group;
            move |output: usize| match outputs.contains(&output) {
                true => kernel[((first + output) * of_group + within) * taps + tap],
                false => 0.0,
            }
        };
        Ok(match self.are_rows_images {
            true => Packed::plain(isa, taps * stride, to, weights)?,
            false => Packed::new(isa, taps * stride, to, weights)?,
        })
    }

    /// The weights of a convolution of one channel each, with the bias among them, and the bias again.
    fn depthwise(&mut self, value: Value) -> Result<(DepthwiseWeights, Option<Buffer>), LoadError<W::Error>> {
        let Loaded { convolution, kernel, bias } = self.read(value)?;
        let [width, _] = convolution.channels();
        let taps = convolution.window.kernel[0] * convolution.window.kernel[1];
        let mut buffer = Buffer::kept(taps * padded(width))?;
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
        let packed = Packed::plain(self.isa, pixels * stride, width, |from| {
            let (pixel, channel) = (from / stride, from % stride);
            let row = (channel < channels).then(|| &weights[(channel * pixels + pixel) * width..][..width]);
            move |to| row.map_or(0.0, |row| row[to])
        })?;
        Ok((packed, bias.map(|bias| Buffer::of_channels(&bias, width)).transpose()?))
    }

    fn head(&mut self, head: PlannedHead, features: Source) -> Result<Tail, LoadError<W::Error>> {
        let (weights, bias) = self.linear(head.linear, 1)?;
        let classes = self.graph.node(head.linear).operation.parameters()[0].shape[1];
        let layer = Step {
            kind: StepKind::Multiply(Multiplication { rows: Rows::Window(OnRead::AsStored), weights }),
            window: Window::PIXEL,
            input: features.value,
            epilogue: bias.map(StoredFinish::Bias).into_iter().collect(),
            channels: padded(classes),
        };
        let mean = Some((features.on_read, head.factor));
        Ok(Tail { input: features.value, mean, layers: vec![layer], classes })
    }
}

/// A convolution with its weights.
struct Loaded<'a> {
    convolution: &'a Convolution,
    kernel: Vec<f32>,
    bias: Option<Vec<f32>>,
}
