//! What a program is made of: steps, how a step is cut into items that threads take, and the work of an item.

use std::ops::Range;

use crate::buffer::Buffer;
use crate::isa::{Facts, Isa};
use crate::matmul::{self, Ahead, Epilogue, Output, Packed, Tiles};
use crate::pool;
use crate::rows::{self, DepthwiseStep, DepthwiseWeights, Map};
use crate::shape::Window;
use crate::simd::{Kernel, Simd};

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
    let tiles = BLOCK_WORDS / (weights.depth_blocks * block_words * tile_rows);
    tiles.clamp(1, BLOCK_TILES) * tile_rows
}

/// How a step is cut into items: blocks of pixels, and parts of the panels where there are too few rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) pixels: usize,
    pub(crate) blocks: usize,
    pub(crate) panels: usize,
    pub(crate) splits: usize,
}

impl Share {
    pub(crate) fn of(step: &Step, pixels: usize, members: usize, isa: Isa) -> Self {
        let (most, panels) = match &step.kind {
            StepKind::Multiply(Multiplication { weights, .. }) => (most_rows(weights, isa), weights.panels()),
            _ => (BLOCK_WORDS / 4 / step.channels.max(1) + 1, 1),
        };
        let mut blocks = pixels.div_ceil(most);
        let mut splits = 1;
        if members > 1 {
            let even = blocks.next_multiple_of(members);
            if pixels / even >= isa.facts().tile_rows || panels == 1 {
                blocks = even.min(pixels);
            } else {
                splits = members.div_ceil(blocks).min(panels);
            }
        }
        Self { pixels, blocks, panels, splits }
    }

    pub(crate) fn items(&self) -> usize {
        self.blocks * self.splits
    }

    pub(crate) fn item(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let (block, split) = (index / self.splits, index % self.splits);
        let part =
            |whole: usize, parts: usize, index: usize| whole * index / parts..whole * (index + 1) / parts;
        (part(self.pixels, self.blocks, block), part(self.panels, self.splits, split))
    }
}

/// A part of a step's work: some pixels, and of a multiplication some panels.
pub(crate) struct Part {
    pub(crate) map: Map,
    pub(crate) epilogue: Epilogue,
    pub(crate) pixels: Range<usize>,
    pub(crate) panels: Range<usize>,
    pub(crate) output: *mut f32,
    /// Room for rows.
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
        let Part { map, epilogue, pixels, panels, output, block, ahead } = part;
        let first = pixels.start;
        let tiles = Tiles::new(pixels.len(), S::MR);
        // SAFETY: the caller's.
        unsafe {
            match rows {
                Rows::Image => {
                    let scratch = block.add(pixels.len() * weights.depth_blocks * S::WORDS);
                    rows::image_window::<S>(map, first, tiles, block, scratch);
                }
                Rows::Window { relu } => rows::window::<S>(map, *relu, first, tiles, block),
                Rows::Depthwise { weights, relu_before, relu_after } => {
                    let depthwise = DepthwiseStep { weights, relu_before: *relu_before };
                    rows::depthwise::<S>(map, depthwise, *relu_after, first, tiles, block);
                }
            }
            let output = Output { data: output, first_row: first };
            matmul::multiply::<S>(block, tiles, weights, panels, &epilogue, output, ahead);
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
