//! What a program is made of: steps, how a step is cut into items that threads take, and the work of an item.

use std::ops::Range;

use crate::buffer::Buffer;
use crate::isa::{Facts, Isa};
use crate::matmul::{self, Ahead, Epilogue, Output, Tiles};
use crate::packed::Packed;
use crate::pool;
use crate::rows::{self, DepthwiseStep, DepthwiseWeights, Map};
use crate::shape::Window;
use crate::simd::{BLOCK, Kernel, Simd};

/// Words of multiplicands that a block of rows may take: half of a small second-level cache.
pub(crate) const BLOCK_WORDS: usize = 64 * 1024;
/// Tiles a block has at most, so that there are enough blocks to share.
const BLOCK_TILES: usize = 16;

/// What is done to a result before it is stored, see [`Epilogue`].
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

/// Rows of the largest block of a multiplication.
pub(crate) fn most_rows(weights: &Packed, isa: Isa) -> usize {
    let Facts { tile_rows, block_words, .. } = isa.facts();
    let rows = tile_rows * together(weights);
    let tiles = BLOCK_WORDS / (weights.depth_blocks * block_words * rows);
    tiles.clamp(1, BLOCK_TILES / together(weights)) * rows
}

/// Rows that belong together, because they are computed from one another's sums.
fn together(weights: &Packed) -> usize {
    if weights.has_pairs() { 2 } else { 1 }
}

/// Words that a thread needs for a block of a multiplication.
pub(crate) fn room(weights: &Packed, isa: Isa) -> usize {
    let rows = most_rows(weights, isa);
    // One more row for the image's windows.
    (rows + 1) * weights.depth_blocks * BLOCK + weights.room(rows)
}

/// How a step is cut into items: blocks of pixels, and parts of the weights' units where there are too few rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pixels: usize,
    /// Pixels that stay together.
    together: usize,
    blocks: usize,
    units: usize,
    splits: usize,
}

impl Share {
    pub(crate) fn of(step: &Step, pixels: usize, members: usize, isa: Isa) -> Self {
        let (most, units, together) = match &step.kind {
            StepKind::Multiply(Multiplication { weights, .. }) => {
                (most_rows(weights, isa), weights.units(), together(weights))
            }
            _ => (BLOCK_WORDS / 4 / step.channels.max(1) + 1, 1, 1),
        };
        let mut blocks = pixels.div_ceil(most);
        let mut splits = 1;
        if members > 1 {
            let even = blocks.next_multiple_of(members);
            if pixels / even >= isa.facts().tile_rows || units == 1 {
                blocks = even.min(pixels.div_ceil(together));
            } else {
                splits = members.div_ceil(blocks).min(units);
            }
        }
        Self { pixels, together, blocks, units, splits }
    }

    /// Of a multiplication of `rows` rows, whose weights all threads take a part of.
    pub(crate) fn by_units(weights: &Packed, rows: usize, members: usize, isa: Isa) -> Self {
        let units = weights.units();
        Self {
            pixels: rows,
            together: together(weights),
            blocks: rows.div_ceil(most_rows(weights, isa)),
            units,
            splits: members.min(units),
        }
    }

    pub(crate) fn items(&self) -> usize {
        self.blocks * self.splits
    }

    pub(crate) fn item(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let (block, split) = (index / self.splits, index % self.splits);
        // Of as many pixels as memory holds, the product may be larger than a word.
        let start = |whole: usize, parts: usize, index: usize| {
            (whole as u128 * index as u128 / parts as u128) as usize
        };
        let sets = self.pixels.div_ceil(self.together);
        let pixel = |block| (start(sets, self.blocks, block) * self.together).min(self.pixels);
        let units = start(self.units, self.splits, split)..start(self.units, self.splits, split + 1);
        (pixel(block)..pixel(block + 1), units)
    }
}

/// A part of a step's work: some pixels, and of a multiplication some units of the weights.
pub(crate) struct Part {
    pub(crate) map: Map,
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
                    let depthwise = DepthwiseStep { weights, relu_before: *relu_before };
                    rows::depthwise::<S>(map, depthwise, *relu_after, first, tiles, block);
                }
            }
            let rows = matmul::Rows {
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
                    let depthwise = DepthwiseStep { weights, relu_before: *relu_before };
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
