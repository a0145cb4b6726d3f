//! What a program is made of: steps.

use crate::activation::OnRead;
use crate::buffer::Buffer;
use crate::matmul::Packed;
use crate::rows::DepthwiseWeights;
use graph::{Activation, Geometry, Window};

/// What is done to a result before it is stored, with its data: see [`crate::epilogue::Finish`].
#[derive(Debug)]
pub(crate) enum StoredFinish {
    Bias(Buffer),
    /// A value of the program.
    Residual(usize),
    Affine([Buffer; 2]),
    Activation(Activation),
}

/// Where a multiplication's rows come from.
#[derive(Debug)]
pub(crate) enum Rows {
    /// Windows of the image, whose channels are not padded.
    Image,
    /// Windows of a map; pixels, mostly.
    Window(OnRead),
    /// A depthwise convolution.
    Depthwise { weights: DepthwiseWeights, before: OnRead, after: Option<Activation> },
}

/// Rows times weights.
#[derive(Debug)]
pub(crate) struct Multiplication {
    pub(crate) rows: Rows,
    pub(crate) weights: Packed,
}

/// What a step computes.
#[derive(Debug)]
pub(crate) enum StepKind {
    Multiply(Multiplication),
    Depthwise {
        weights: DepthwiseWeights,
        before: OnRead,
    },
    MaxPool {
        /// Whether padding is zeros that take part.
        of_zeros_too: bool,
    },
    /// The mean of each window's pixels, without its padding.
    AveragePool,
    /// The mean over all pixels.
    Average(OnRead),
    /// The epilogue alone.
    Epilogue,
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
    /// The values of the program that its epilogue adds.
    pub(crate) fn residuals(&self) -> impl Iterator<Item = usize> + '_ {
        self.epilogue.iter().filter_map(|finish| match *finish {
            StoredFinish::Residual(value) => Some(value),
            _ => None,
        })
    }

    /// What it makes of a map of `input` pixels, pixel by pixel; `None` where the map is too small for it.
    pub(crate) fn geometry(&self, input: [usize; 2]) -> Option<Geometry> {
        match self.kind {
            // One window over everything.
            StepKind::Average(_) => Window { kernel: input, ..self.window }.on(input),
            _ => self.window.on(input),
        }
    }
}
