//! The work of an item: some pixels of a step, or a part of what follows the steps.

use std::ops::Range;

use super::share::together;
use crate::activation::OnRead;
use crate::epilogue::Epilogue;
use crate::map::{Ahead, MapView, Output};
use crate::matmul::winograd::Patches;
use crate::matmul::{self, RowBlock, Tiles};
use crate::norm;
use crate::pool;
use crate::product;
use crate::rows::{self, Depthwise};
use crate::simd::{BLOCK, Kernel, Simd};
use crate::softmax;
use crate::step::{Grouped, Multiplication, Rows, StepKind};

/// A part of a step's work: some pixels, and of a multiplication some units of the weights.
pub(crate) struct Part<'a> {
    pub(crate) map: MapView<'a>,
    /// The second of the values that are multiplied, or the factors of rows.
    pub(crate) other: &'a [f32],
    pub(crate) epilogue: Epilogue<'a>,
    pub(crate) pixels: Range<usize>,
    pub(crate) units: Range<usize>,
    pub(crate) output: Output<'a>,
    /// Room for rows, see [`super::share::room`].
    pub(crate) block: &'a mut [f32],
    /// What this thread will probably read next.
    pub(crate) ahead: Ahead<'a>,
}

impl Multiplication {
    /// Blocks of a row that is made of windows of `map`.
    fn row_blocks(&self, map: &MapView<'_>) -> usize {
        let [height, width] = map.geometry().kernel;
        let channels = match self.rows {
            Rows::ImageLines => return height * (width * map.channels()).div_ceil(BLOCK),
            Rows::Image | Rows::Window(_) | Rows::Gated { .. } | Rows::Whole { .. } => {
                height * width * map.channels()
            }
            Rows::Depthwise { .. } => map.channels(),
        };
        channels.div_ceil(BLOCK)
    }

    /// Lays out the rows and multiplies them.
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, part: Part<'_>) {
        let Self { rows, weights } = self;
        let Part { map, other, ref epilogue, pixels, units, output, block, ahead } = part;
        assert_eq!(self.row_blocks(&map), weights.depth_blocks, "blocks of a row and of its weights");
        let first_row = pixels.start;
        let tiles = Tiles::new(pixels.len(), S::MR, together(weights));
        let words = tiles.slots() * weights.depth_blocks * S::WORDS;
        let (multiplicands, room) = block.split_at_mut(words);
        match *rows {
            Rows::Image => rows::image_window(simd, map, first_row, tiles, multiplicands, room),
            Rows::ImageLines => rows::image_lines(simd, map, first_row, tiles, multiplicands),
            Rows::Window(on_read) | Rows::Whole { on_read, .. } => {
                rows::window(simd, map, on_read, first_row, tiles, multiplicands);
            }
            Rows::Gated { .. } => rows::gated(simd, map, other, first_row, tiles, multiplicands),
            Rows::Depthwise { ref weights, before, after } => {
                let convolution = Depthwise { weights, before };
                rows::depthwise(simd, map, convolution, after, first_row, tiles, multiplicands);
            }
        }
        let first_channel = 0;
        let rows = RowBlock { multiplicands, tiles, room, epilogue, output, first_row, first_channel, ahead };
        matmul::multiply(simd, rows, weights, units);
    }
}

impl Grouped {
    /// Lays out the rows of the sets `part.units`, one set after the other, and multiplies them.
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, part: Part<'_>) {
        let Part { map, ref epilogue, pixels, units, output, block, .. } = part;
        let [height, width] = map.geometry().kernel;
        // Every set but the last has as many channels.
        let of_set = self.sets.first().map_or(0, |weights| weights.channels);
        for set in units {
            let weights = &self.sets[set];
            let channels = self.channels.min(map.channels() - set * self.channels);
            let map = map.some_channels(set * self.channels, channels);
            assert_eq!((height * width * channels).div_ceil(BLOCK), weights.depth_blocks, "blocks of a row");
            let tiles = Tiles::new(pixels.len(), S::MR, together(weights));
            let words = tiles.slots() * weights.depth_blocks * S::WORDS;
            let (multiplicands, room) = block.split_at_mut(words);
            rows::window(simd, map, self.on_read, pixels.start, tiles, multiplicands);
            let rows = RowBlock {
                multiplicands,
                tiles,
                room,
                epilogue,
                output,
                first_row: pixels.start,
                first_channel: set * of_set,
                ahead: Ahead::NOTHING,
            };
            matmul::multiply(simd, rows, weights, 0..weights.units());
        }
    }
}

/// A part of a step, ready to run.
pub(crate) struct Item<'a> {
    pub(crate) kind: &'a StepKind,
    pub(crate) part: Part<'a>,
}

impl Kernel for Item<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { kind, part } = self;
        match kind {
            StepKind::Multiply(multiplication) => multiplication.run(simd, part),
            StepKind::Grouped(grouped) => grouped.run(simd, part),
            StepKind::Winograd(winograd) => {
                let Part { map, epilogue, pixels: patches, units, output, block, ahead, .. } = part;
                let epilogue = &epilogue;
                winograd.run(simd, Patches { map, epilogue, patches, units, output, block, ahead });
            }
            StepKind::Depthwise { weights, before } => {
                let Part { map, epilogue, pixels, output, .. } = part;
                let convolution = Depthwise { weights, before: *before };
                rows::depthwise_map(simd, map, convolution, &epilogue, pixels, output);
            }
            StepKind::MaxPool { of_zeros_too, .. } => {
                let Part { map, epilogue, pixels, output, .. } = part;
                if *of_zeros_too {
                    pool::windows::<S, pool::MaxOfZerosToo>(simd, map, &epilogue, pixels, output);
                } else {
                    pool::windows::<S, pool::Max>(simd, map, &epilogue, pixels, output);
                }
            }
            StepKind::AveragePool { count_padding, .. } => {
                let Part { map, epilogue, pixels, output, .. } = part;
                if *count_padding {
                    pool::windows::<S, pool::MeanOfZerosToo>(simd, map, &epilogue, pixels, output);
                } else {
                    pool::windows::<S, pool::Mean>(simd, map, &epilogue, pixels, output);
                }
            }
            StepKind::LayerNorm { width, epsilon } => {
                let Part { map, epilogue, pixels, output, .. } = part;
                norm::layer_norm(simd, map, (*width, *epsilon), &epilogue, pixels, output);
            }
            StepKind::Softmax { width } => {
                let Part { map, epilogue, pixels, output, .. } = part;
                softmax::softmax(simd, map, *width, &epilogue, pixels, output);
            }
            StepKind::Product { matrices, .. } => {
                let Part { map, other, epilogue, pixels, output, .. } = part;
                product::product(simd, (map, other, *matrices), &epilogue, pixels, output);
            }
            StepKind::Move(_) | StepKind::Gathered(_) | StepKind::Known { .. } => {
                let Part { epilogue, pixels, output, .. } = part;
                pool::finish_there(simd, &epilogue, pixels, output);
            }
            StepKind::Average(_) => unreachable!("a mean is cut into channels: see `Average`"),
            StepKind::Call(_) | StepKind::Renamed(_) => unreachable!("it is not cut into items"),
            StepKind::Epilogue => {
                let Part { map, epilogue, pixels, output, .. } = part;
                pool::finish(simd, map, &epilogue, pixels, output);
            }
        }
    }
}

/// The sums of some lines of a map that is averaged.
pub(crate) struct LineSums<'a> {
    /// The lines.
    pub(crate) map: &'a [f32],
    /// Columns and (padded) channels of the map.
    pub(crate) size: [usize; 2],
    pub(crate) on_read: OnRead,
    /// An element for each line and channel.
    pub(crate) sums: &'a mut [f32],
}

impl Kernel for LineSums<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { map, size, on_read, sums } = self;
        pool::line_sums(simd, (map, size), on_read, sums);
    }
}

/// A part of average pooling, of the sums of all lines.
pub(crate) struct Average<'a> {
    pub(crate) sums: &'a [f32],
    /// (Padded) channels of the map.
    pub(crate) channels: usize,
    /// What the sums are multiplied by.
    pub(crate) factor: f32,
    pub(crate) epilogue: Epilogue<'a>,
    /// The first channel of this part.
    pub(crate) first: usize,
    /// An element for each channel of this part.
    pub(crate) output: &'a mut [f32],
}

impl Kernel for Average<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { sums, channels, factor, epilogue, first, output } = self;
        pool::average(simd, (sums, channels), (factor, &epilogue), first, output);
    }
}
