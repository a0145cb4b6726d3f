//! Depthwise convolutions, into the rows of the multiplication that follows or into a map.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the functions are unsafe for their pointers, which is all they handle"
)]

use std::ops::Range;

use crate::buffer::Buffer;
use crate::epilogue::Epilogue;
use crate::map::MapView;
use crate::matmul::Tiles;
use crate::simd::{BLOCK, Simd};

/// A depthwise convolution's weights: a row of channels for each tap.
#[derive(Debug)]
pub(crate) struct DepthwiseWeights {
    /// `[kernel height * kernel width, channels]`.
    pub(crate) taps: Buffer,
    /// `[channels]`.
    pub(crate) bias: Buffer,
}

/// Where a run of consecutive output pixels goes: a block of channels every `block_stride` elements; of a pixel, the
/// first one as [`Destination::offset`] says.
#[derive(Clone, Copy)]
struct Destination {
    data: *mut f32,
    pixel_stride: usize,
    block_stride: usize,
    /// 1 where pixels are taken two by two, 0 otherwise.
    pairs: usize,
    /// Whether the first one is the second of its pair.
    phase: usize,
    /// Elements from the first of a pair to the second.
    partner: usize,
}

impl Destination {
    /// Element at which pixel `pixel` of the run begins.
    #[inline(always)]
    fn offset(&self, pixel: usize) -> usize {
        let pixel = pixel + self.phase;
        (pixel >> self.pairs) * self.pixel_stride + (pixel & self.pairs) * self.partner
    }
}

/// Pixels that are computed together at most; no tile is higher.
const LONGEST_RUN: usize = 30;

/// Cuts output pixels into runs, each in one row of a map of `width` columns.
#[inline(always)]
fn runs(pixels: Range<usize>, width: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = pixels.start;
    std::iter::from_fn(move || {
        let row_end = start + width - start % width;
        let run = start..pixels.end.min(row_end).min(start + LONGEST_RUN);
        start = run.end;
        (!run.is_empty()).then_some(run)
    })
}

/// A depthwise convolution of a map.
#[derive(Clone, Copy)]
pub(crate) struct Depthwise<'a> {
    pub(crate) weights: &'a DepthwiseWeights,
    pub(crate) relu_before: bool,
}

/// Computes a depthwise convolution into multiplicands.
#[inline(always)]
pub(crate) unsafe fn depthwise<S: Simd>(
    map: MapView,
    convolution: Depthwise<'_>,
    relu_after: bool,
    first: usize,
    tiles: Tiles,
    to: *mut f32,
) {
    let blocks = map.channels / BLOCK;
    let epilogue = Epilogue { relu: relu_after, ..Epilogue::of_bias(convolution.weights.bias.as_ptr()) };
    for tile in 0..tiles.count() {
        let tile = tiles.tile(tile);
        let start = first + tile.start;
        for run in runs(start..start + tile.rows, map.geometry.output[1]) {
            let row = run.start - start;
            let phase = row % tile.together;
            let to = Destination {
                data: to.add((tile.start * blocks + tile.slot(row - phase)) * S::WORDS),
                pixel_stride: S::WORDS,
                block_stride: tile.slots * S::WORDS,
                pairs: tile.together - 1,
                phase,
                partner: tile.slots / 2 * S::WORDS,
            };
            depthwise_run::<S, true>(map, convolution, &epilogue, 0, run, to);
        }
    }
}

/// Computes a depthwise convolution into a feature map, output pixels `first` and on.
#[inline(always)]
pub(crate) unsafe fn depthwise_map<S: Simd>(
    map: MapView,
    convolution: Depthwise<'_>,
    epilogue: &Epilogue,
    first: usize,
    count: usize,
    output: *mut f32,
) {
    for run in runs(first..first + count, map.geometry.output[1]) {
        let begin = run.start * map.channels;
        let to = Destination {
            data: output.add(begin),
            pixel_stride: map.channels,
            block_stride: BLOCK,
            pairs: 0,
            phase: 0,
            partner: 0,
        };
        depthwise_run::<S, false>(map, convolution, epilogue, begin, run, to);
    }
}

/// The output pixels `run`, which lie in one row, of a depthwise convolution. The first one's channels begin at element `begin` of the output, for the
/// epilogue's residual.
#[inline(always)]
unsafe fn depthwise_run<S: Simd, const MULTIPLICANDS: bool>(
    map: MapView,
    convolution: Depthwise<'_>,
    epilogue: &Epilogue,
    begin: usize,
    run: Range<usize>,
    to: Destination,
) {
    let geometry = map.geometry;
    let (oy, ox, count) = (run.start / geometry.output[1], run.start % geometry.output[1], run.len());
    if geometry.kernel == [3, 3] && geometry.stride == [1, 1] && geometry.dilation == [1, 1] {
        return sliding_3x3::<S, MULTIPLICANDS>(map, convolution, epilogue, begin, [oy, ox, count], to);
    }
    // Any other window: where the taps of a pixel lie is found out once for all channels.
    let floor = S::splat(if convolution.relu_before { 0.0 } else { f32::NEG_INFINITY });
    let [kernel_height, kernel_width] = geometry.kernel;
    for pixel in 0..count {
        let tap_at = |tap: usize| map.tap(oy, ox + pixel, tap / kernel_width, tap % kernel_width);
        let mut listed = [map.zeros; LISTED_TAPS];
        for (tap, from) in listed.iter_mut().enumerate().take(kernel_height * kernel_width) {
            *from = tap_at(tap);
        }
        for channel in (0..map.channels).step_by(S::LANES) {
            let weights = convolution.weights.taps.as_ptr().add(channel);
            let mut sum = S::splat(0.0);
            for tap in 0..kernel_height * kernel_width {
                let from = listed.get(tap).copied().unwrap_or_else(|| tap_at(tap));
                let x = S::max(floor, S::load(from.add(channel)));
                sum = S::mul_add(x, S::load(weights.add(tap * map.channels)), sum);
            }
            let out = to.data.add(channel / BLOCK * to.block_stride + to.offset(pixel));
            let sum = epilogue.finish::<S>(sum, begin + pixel * map.channels, channel);
            put::<S, MULTIPLICANDS>(out, channel % BLOCK, sum);
        }
    }
}

/// Taps of a window whose places are kept; those of a larger one are looked up again and again.
const LISTED_TAPS: usize = 9;

#[inline(always)]
unsafe fn put<S: Simd, const MULTIPLICANDS: bool>(to: *mut f32, lane: usize, x: S::V) {
    if MULTIPLICANDS {
        S::store_multiplicand(to, lane, x);
    } else {
        S::store(to.add(lane), x);
    }
}

/// A vector of channels along a row: the window's columns stay in registers, so that a pixel costs three
/// loads instead of nine. Where the columns lie is found out once for all channels.
#[inline(always)]
unsafe fn sliding_3x3<S: Simd, const MULTIPLICANDS: bool>(
    map: MapView,
    convolution: Depthwise<'_>,
    epilogue: &Epilogue,
    begin: usize,
    [oy, ox, count]: [usize; 3],
    to: Destination,
) {
    debug_assert!(count <= LONGEST_RUN, "a run of {count} pixels");
    let mut columns = [[map.zeros; 3]; LONGEST_RUN + 2];
    for (x, column) in columns.iter_mut().enumerate().take(count + 2) {
        for (ky, pixel) in column.iter_mut().enumerate() {
            *pixel = map.tap(oy, ox + x, ky, 0);
        }
    }
    // A ReLU that is not asked for is a maximum with what is below every number.
    let floor = S::splat(if convolution.relu_before { 0.0 } else { f32::NEG_INFINITY });
    for channel in (0..map.channels).step_by(S::LANES) {
        let out = to.data.add(channel / BLOCK * to.block_stride);
        let weights = convolution.weights.taps.as_ptr().add(channel);
        let mut taps = [S::splat(0.0); 9];
        for (tap, weight) in taps.iter_mut().enumerate() {
            *weight = S::load(weights.add(tap * map.channels));
        }
        macro_rules! column {
            ($x:expr) => {{
                let pixels = columns.get_unchecked($x);
                let mut column = [S::splat(0.0); 3];
                for ky in 0..3 {
                    column[ky] = S::max(floor, S::load(pixels[ky].add(channel)));
                }
                column
            }};
        }
        let mut first = column!(0);
        let mut second = column!(1);
        for pixel in 0..count {
            let third = column!(pixel + 2);
            // Three sums that do not wait for each other.
            let mut sums = [S::splat(0.0); 3];
            for ky in 0..3 {
                sums[0] = S::mul_add(first[ky], taps[3 * ky], sums[0]);
                sums[1] = S::mul_add(second[ky], taps[3 * ky + 1], sums[1]);
                sums[2] = S::mul_add(third[ky], taps[3 * ky + 2], sums[2]);
            }
            let sum = S::add(S::add(sums[0], sums[1]), sums[2]);
            let sum = epilogue.finish::<S>(sum, begin + pixel * map.channels, channel);
            put::<S, MULTIPLICANDS>(out.add(to.offset(pixel)), channel % BLOCK, sum);
            first = second;
            second = third;
        }
    }
}
