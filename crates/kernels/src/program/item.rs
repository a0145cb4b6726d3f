//! The work of an item: some pixels of a step, or a part of what follows the steps.

use std::ops::Range;

use super::share::together;
use crate::epilogue::Epilogue;
use crate::map::{Ahead, MapView};
use crate::matmul::{self, Output, RowBlock, Tiles};
use crate::pool;
use crate::rows::{self, Depthwise};
use crate::simd::{Kernel, Simd};
use crate::step::{Multiplication, Rows, StepKind};

/// A part of a step's work: some pixels, and of a multiplication some units of the weights.
pub(crate) struct Part {
    pub(crate) map: MapView,
    pub(crate) epilogue: Epilogue,
    pub(crate) pixels: Range<usize>,
    pub(crate) units: Range<usize>,
    pub(crate) output: *mut f32,
    /// Room for rows, see [`room`].
    pub(crate) block: *mut f32,
    /// What this thread will probably read next.
    pub(crate) ahead: Ahead,
}

impl Multiplication {
    /// Lays out the rows and multiplies them.
    ///
    /// # Safety
    /// The pointers of `part` must be valid, and have room for what is written.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, part: Part) {
        let Self { rows, weights } = self;
        let Part { map, epilogue, pixels, units, output, block, ahead } = part;
        let first = pixels.start;
        let together = together(weights);
        let tiles = Tiles::new(pixels.len(), S::MR, together);
        let words = pixels.len().next_multiple_of(together) * weights.depth_blocks * S::WORDS;
        // SAFETY: the caller's.
        unsafe {
            match rows {
                Rows::Image => {
                    let scratch = block.add(words);
                    rows::image_window::<S>(map, first, tiles, block, scratch);
                }
                Rows::Window { relu } => rows::window::<S>(map, *relu, first, tiles, block),
                Rows::Depthwise { weights, relu_before, relu_after } => {
                    let depthwise = Depthwise { weights, relu_before: *relu_before };
                    rows::depthwise::<S>(map, depthwise, *relu_after, first, tiles, block);
                }
            }
            let rows = RowBlock {
                multiplicands: block,
                tiles,
                room: block.add(words),
                epilogue: &epilogue,
                output: Output { data: output, first_row: first },
                ahead,
            };
            matmul::multiply::<S>(&rows, weights, units);
        }
    }
}

/// A part of a step, ready to run.
pub(crate) struct Item<'a> {
    pub(crate) kind: &'a StepKind,
    pub(crate) part: Part,
}

impl Kernel for Item<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { kind, part } = self;
        let Part { map, ref epilogue, ref pixels, output, .. } = part;
        let (first, count) = (pixels.start, pixels.len());
        // SAFETY: the caller's.
        unsafe {
            match kind {
                StepKind::Multiply(multiplication) => multiplication.run::<S>(part),
                StepKind::Depthwise { weights, relu_before } => {
                    let depthwise = Depthwise { weights, relu_before: *relu_before };
                    rows::depthwise_map::<S>(map, depthwise, epilogue, first, count, output);
                }
                StepKind::MaxPool => pool::max_pool::<S>(map, epilogue, first, count, output),
                StepKind::Finish => pool::finish::<S>(map, epilogue, first, count, output),
            }
        }
    }
}

/// A part of the fully connected layer.
pub(crate) struct Linear<'a> {
    pub(crate) linear: &'a Multiplication,
    pub(crate) part: Part,
}

impl Kernel for Linear<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's.
        unsafe { self.linear.run::<S>(self.part) }
    }
}

/// A part of average pooling.
pub(crate) struct Average {
    /// `[rows, columns, channels]`.
    pub(crate) data: *const f32,
    /// Padded.
    pub(crate) channels: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) relu: bool,
    /// What the sums are multiplied by.
    pub(crate) factor: f32,
    /// The channels of this part.
    pub(crate) part: Range<usize>,
    pub(crate) output: *mut f32,
}

impl Kernel for Average {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { data, channels, rows, columns, relu, factor, part, output } = self;
        // SAFETY: the caller's.
        unsafe { pool::average::<S>(data, channels, [rows, columns], relu, factor, part, output) }
    }
}
