//! What a program is made of: steps.

use std::ops::Range;

use crate::activation::OnRead;
use crate::buffer::Buffer;
use crate::elsewhere::{Call, Held, to_size};
use crate::epilogue::Finish;
use crate::gathered::Gathered;
use crate::matmul::Packed;
use crate::matmul::winograd::{self, Winograd};
use crate::moves::Move;
use crate::product::Matrices;
use crate::rows::DepthwiseWeights;
use graph::operations::Unary;
use graph::{Activation, Geometry, Window};

/// What is done to a result before it is stored, with its data: see [`crate::epilogue::Finish`].
#[derive(Debug)]
pub(crate) enum StoredFinish {
    Bias(Buffer),
    /// A value of the program, as the next two.
    Residual(usize),
    Product(usize),
    /// As those two, of numbers that are known.
    KnownResidual(Buffer),
    KnownProduct(Buffer),
    /// A map of one pixel.
    Gate(usize),
    /// As [`StoredFinish::Gate`], but added.
    Shift(usize),
    Affine([Buffer; 2]),
    Activation(Activation),
    Unary(Unary),
}

impl StoredFinish {
    /// Whether it has other numbers for each pixel.
    pub(crate) fn is_pixel_by_pixel(&self) -> bool {
        match self {
            Self::Residual(_) | Self::Product(_) | Self::KnownResidual(_) | Self::KnownProduct(_) => true,
            Self::Bias(_)
            | Self::Gate(_)
            | Self::Shift(_)
            | Self::Affine(_)
            | Self::Activation(_)
            | Self::Unary(_) => false,
        }
    }

    /// With the values of the program, which `read` gives.
    pub(crate) fn with<'a>(&'a self, read: impl Fn(usize) -> &'a [f32]) -> Finish<'a> {
        match *self {
            Self::Bias(ref bias) => Finish::Bias(bias.as_slice()),
            Self::Residual(value) => Finish::Residual(read(value)),
            Self::Product(value) => Finish::Product(read(value)),
            Self::KnownResidual(ref values) => Finish::Residual(values.as_slice()),
            Self::KnownProduct(ref values) => Finish::Product(values.as_slice()),
            // A value of one pixel has an element a channel.
            Self::Gate(value) => Finish::Gate(read(value)),
            Self::Shift(value) => Finish::Bias(read(value)),
            Self::Affine(ref affine) => Finish::Affine(affine.each_ref().map(Buffer::as_slice)),
            Self::Activation(activation) => Finish::Activation(activation),
            Self::Unary(function) => Finish::Unary(function),
        }
    }
}

/// Where a multiplication's rows come from.
#[derive(Debug)]
pub(crate) enum Rows {
    /// Windows of the image, whose channels are not padded.
    Image,
    /// The same, line by line, of which each begins with a block.
    ImageLines,
    /// Windows of a map; pixels, mostly.
    Window(OnRead),
    /// Pixels of a map, times the value of one pixel `gate` of the program.
    Gated { gate: usize },
    /// The whole map, which has so many pixels.
    Whole { on_read: OnRead, pixels: usize },
    /// A depthwise convolution.
    Depthwise { weights: DepthwiseWeights, before: OnRead, after: Option<Activation> },
}

/// Rows times weights.
#[derive(Debug)]
pub(crate) struct Multiplication {
    pub(crate) rows: Rows,
    pub(crate) weights: Packed,
}

/// A convolution of groups, in sets of groups whose channels are whole blocks: each reads some channels of the map and writes some of the
/// result.
#[derive(Debug)]
pub(crate) struct Grouped {
    pub(crate) on_read: OnRead,
    /// Channels that a set reads; the last may read fewer.
    pub(crate) channels: usize,
    /// The weights of each set.
    pub(crate) sets: Vec<Packed>,
}

/// What a step computes.
#[derive(Debug)]
pub(crate) enum StepKind {
    Multiply(Multiplication),
    Grouped(Grouped),
    Winograd(Winograd),
    Depthwise {
        weights: DepthwiseWeights,
        before: OnRead,
    },
    MaxPool {
        /// Whether padding is zeros that take part.
        of_zeros_too: bool,
        ceil_mode: bool,
    },
    /// The mean of each window's pixels, without its padding or with it.
    AveragePool {
        count_padding: bool,
        ceil_mode: bool,
    },
    /// The mean over all pixels.
    Average(OnRead),
    /// Elements put elsewhere.
    Move(Move),
    /// Each pixel's channels less their mean, over the root of their variance plus `epsilon`.
    LayerNorm {
        /// Channels that there are.
        width: usize,
        epsilon: f32,
    },
    /// The epilogue alone.
    Epilogue,
    /// Products of matrices: those of the input times those of another value.
    Product {
        other: (usize, Held),
        matrices: Matrices,
        /// Height and width of the result.
        size: [usize; 2],
    },
    /// Of each pixel's channels the exponentials over their sum.
    Softmax {
        /// Channels that there are.
        width: usize,
    },
    /// Elements of values in another order.
    Gathered(Gathered),
    /// Numbers that are known, as a map of this height and width.
    Known {
        values: Buffer,
        size: [usize; 2],
    },
    /// Nothing: the same elements are a map of another height and width.
    Renamed([usize; 2]),
    /// A part that is computed elsewhere.
    Call(Call),
}

/// A step. Its result is the program's value of its index plus 1; value 0 is the image.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) window: Window,
    pub(crate) input: usize,
    pub(crate) epilogue: Vec<StoredFinish>,
    /// Padded channels of the result.
    pub(crate) channels: usize,
}

impl Step {
    /// The values of the program that it reads pixel by pixel beside its input: as many pixels as its result has.
    pub(crate) fn residuals(&self) -> impl Iterator<Item = usize> + '_ {
        let of_epilogue = self.epilogue.iter().filter_map(|finish| match *finish {
            StoredFinish::Residual(value) | StoredFinish::Product(value) => Some(value),
            _ => None,
        });
        let moved = match &self.kind {
            StepKind::Move(moved) => Some(moved.others()),
            _ => None,
        };
        of_epilogue.chain(moved.into_iter().flatten())
    }

    /// What it reads beside its input that has a size of its own: values, and their pixels.
    pub(crate) fn others(&self) -> impl Iterator<Item = (usize, [usize; 2])> + '_ {
        let reads = match &self.kind {
            StepKind::Call(call) => &call.reads[..],
            StepKind::Product { other, .. } => std::slice::from_ref(other),
            _ => &[],
        };
        reads.iter().map(|&(value, held)| (value, held.size))
    }

    /// What it reads beside its input, and sees to itself that it has all that is read.
    pub(crate) fn gathered(&self) -> impl Iterator<Item = usize> + '_ {
        let pieces = match &self.kind {
            StepKind::Gathered(gathered) => &gathered.pieces[..],
            _ => &[],
        };
        pieces.iter().map(|piece| piece.value)
    }

    /// Everything that it reads.
    pub(crate) fn reads(&self) -> impl Iterator<Item = usize> + '_ {
        let others = self.others().map(|(value, _)| value);
        [self.input]
            .into_iter()
            .chain(self.residuals())
            .chain(self.gates())
            .chain(others)
            .chain(self.gathered())
    }

    /// The value of one pixel that its rows are multiplied by.
    pub(crate) fn gate(&self) -> Option<usize> {
        match self.kind {
            StepKind::Multiply(Multiplication { rows: Rows::Gated { gate }, .. }) => Some(gate),
            _ => None,
        }
    }

    /// The values of one pixel that it reads, its epilogue's among them.
    pub(crate) fn gates(&self) -> impl Iterator<Item = usize> + '_ {
        let of_epilogue = self.epilogue.iter().filter_map(|finish| match *finish {
            StoredFinish::Gate(value) | StoredFinish::Shift(value) => Some(value),
            _ => None,
        });
        of_epilogue.chain(self.gate())
    }

    /// Of how many pixels its work is, or of how many patches.
    pub(crate) fn extent(&self, geometry: &Geometry) -> usize {
        match self.kind {
            StepKind::Winograd(_) => winograd::patches(geometry),
            _ => geometry.pixels(),
        }
    }

    /// The pixels of some of that.
    pub(crate) fn pixels(&self, geometry: &Geometry, extent: Range<usize>) -> Range<usize> {
        match self.kind {
            StepKind::Winograd(_) => winograd::pixels(geometry, extent),
            _ => extent,
        }
    }

    /// What it makes of a map of `input` pixels, pixel by pixel; `None` where the map is too small for it.
    pub(crate) fn geometry(&self, input: [usize; 2]) -> Option<Geometry> {
        match self.kind {
            // One window over everything.
            StepKind::Average(_) => Window { kernel: input, ..self.window }.on(input),
            // The map as one row, which the window covers.
            StepKind::Multiply(Multiplication { rows: Rows::Whole { pixels, .. }, .. }) => {
                let row = [1, input[0].checked_mul(input[1])?];
                (row[1] == pixels).then(|| Window { kernel: row, ..Window::PIXEL }.on(row)).flatten()
            }
            StepKind::MaxPool { ceil_mode: true, .. } | StepKind::AveragePool { ceil_mode: true, .. } => {
                let output = self.window.output_rounded_up(input)?;
                self.window.on(input).map(|geometry| Geometry { output, ..geometry })
            }
            StepKind::Move(ref moved) => moved.geometry(input),
            StepKind::Call(ref call) => Some(call.geometry(input)),
            StepKind::Gathered(Gathered { size, .. })
            | StepKind::Product { size, .. }
            | StepKind::Known { size, .. }
            | StepKind::Renamed(size) => Some(to_size(input, size)),
            _ => self.window.on(input),
        }
    }
}
