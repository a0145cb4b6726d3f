//! What a program is made of: steps.

use crate::buffer::Buffer;
use crate::matmul::Packed;
use crate::rows::DepthwiseWeights;
use graph::Window;

/// What is done to a result before it is stored, see [`crate::epilogue::Epilogue`].
#[derive(Debug, Default)]
pub(crate) struct StoredEpilogue {
    pub(crate) bias: Option<Buffer>,
    /// A value of the program.
    pub(crate) residual: Option<usize>,
    pub(crate) affine: Option<[Buffer; 2]>,
    pub(crate) relu: bool,
}

/// Where a multiplication's rows come from.
#[derive(Debug)]
pub(crate) enum Rows {
    /// Windows of the image, whose channels are not padded.
    Image,
    /// Windows of a map; pixels, mostly.
    Window { relu: bool },
    /// A depthwise convolution.
    Depthwise { weights: DepthwiseWeights, relu_before: bool, relu_after: bool },
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
        relu_before: bool,
    },
    MaxPool,
    /// The epilogue alone.
    Finish,
}

/// A step. Its result is the program's value of its index plus 1; value 0 is the image.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) window: Window,
    pub(crate) input: usize,
    pub(crate) epilogue: StoredEpilogue,
    /// Padded channels of the result.
    pub(crate) channels: usize,
}
