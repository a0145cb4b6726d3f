//! Depthwise convolutions, into the rows of the multiplication that follows or into a map.

use std::ops::Range;

use graph::Activation;

use super::check_room;
use crate::activation::OnRead;
use crate::buffer::Buffer;
use crate::epilogue::{Clamped, ClampedVector, Epilogue, Finish};
use crate::map::{MapView, Output};
use crate::matmul::Tiles;
use crate::pool;
use crate::simd::{BLOCK, Simd};

/// A depthwise convolution's weights: a row of channels for each tap.
#[derive(Debug)]
pub(crate) struct DepthwiseWeights {
    /// `[kernel height * kernel width, channels]`.
    pub(crate) taps: Buffer,
    /// `[channels]`.
    pub(crate) bias: Buffer,
}

/// A depthwise convolution of a map.
#[derive(Clone, Copy)]
pub(crate) struct Depthwise<'a> {
    pub(crate) weights: &'a DepthwiseWeights,
    pub(crate) before: OnRead,
}

impl Depthwise<'_> {
    /// Asserts that the map has whole blocks of channels, and that there are weights for all of them and for every tap.
    #[inline]
    fn check(&self, map: &MapView<'_>) {
        let (channels, [height, width]) = (map.channels(), map.geometry().kernel);
        assert!(channels.is_multiple_of(BLOCK), "{channels} channels");
        let found = self.weights.taps.len();
        assert!(height * width * channels <= found, "{found} weights of {height}x{width}x{channels}");
    }
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

/// Cuts output pixels into runs of [`LONGEST_RUN`] at most, each in one row of a map of `width` columns.
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

/// Computes a depthwise convolution into multiplicands, output pixel `first` and on.
///
/// # Panics
/// Where channels are not padded to whole blocks, weights are missing, or `to` is too short.
#[inline(always)]
pub(crate) fn depthwise<S: Simd>(
    simd: S,
    map: MapView<'_>,
    convolution: Depthwise<'_>,
    after: Option<Activation>,
    first: usize,
    tiles: Tiles,
    to: &mut [f32],
) {
    let blocks = map.channels() / BLOCK;
    let epilogue = Epilogue::of(after.map(Finish::Activation));
    let (clamped, _) = epilogue.clamped(convolution.weights.bias.as_slice());
    convolution.check(&map);
    clamped.check(map.channels());
    check_room::<S>(to, tiles, blocks);
    let to = to.as_mut_ptr();
    for tile in 0..tiles.count() {
        let tile = tiles.tile(tile);
        let start = first + tile.start;
        for run in runs(start..start + tile.rows, map.geometry().output[1]) {
            let row = run.start - start;
            let phase = row % tile.together;
            let begin = (tile.start * blocks + tile.slot(row - phase)) * S::WORDS;
            let to = Destination {
                // SAFETY: the first block of a row is one of the tile's, all of which `to` has room for.
                data: unsafe { to.add(begin) },
                pixel_stride: S::WORDS,
                block_stride: tile.slots * S::WORDS,
                pairs: tile.together - 1,
                phase,
                partner: tile.slots / 2 * S::WORDS,
            };
            // SAFETY: the convolution was checked, and what follows it, for all channels. Pixel `pixel` of the run
            // is row `row + pixel` of the tile: `offset(pixel)` leads from the slot of the first of its pair to its own,
            // and from there every `block_stride` lies one of its blocks, for all of which `to` has room.
            unsafe { run_of::<S, true>(simd, map, convolution, clamped, run, to) };
        }
    }
}

/// Computes a depthwise convolution into a feature map, output pixels `pixels`.
///
/// # Panics
/// Where the output has other channels or fewer pixels than the convolution, or weights are missing.
#[inline(always)]
pub(crate) fn depthwise_map<S: Simd>(
    simd: S,
    map: MapView<'_>,
    convolution: Depthwise<'_>,
    epilogue: &Epilogue<'_>,
    pixels: Range<usize>,
    output: Output<'_>,
) {
    let channels = map.channels();
    convolution.check(&map);
    assert_eq!(output.channels(), channels, "a depthwise convolution keeps the channels");
    output.check(&pixels, epilogue);
    // What is more than a summand and an activation is done of all pixels afterwards, so that no choice is made for each vector.
    let (clamped, then) = epilogue.clamped(convolution.weights.bias.as_slice());
    clamped.check(channels);
    for run in runs(pixels.clone(), map.geometry().output[1]) {
        let begin = run.start * output.stride();
        let to = Destination {
            // SAFETY: the output has all of `pixels`, of which this is one.
            data: unsafe { output.as_mut_ptr().add(begin) },
            pixel_stride: output.stride(),
            block_stride: BLOCK,
            pairs: 0,
            phase: 0,
            partner: 0,
        };
        // SAFETY: the convolution was checked, and what follows it, for all channels. Pixel `pixel` of the run begins `pixel` strides
        // behind the first, its blocks one after another: these pixels are the caller's, says `Output::new`.
        unsafe { run_of::<S, false>(simd, map, convolution, clamped, run, to) };
    }
    pool::finish_there(simd, &then, pixels, output);
}

/// The output pixels `run`, which lie in one row, of a depthwise convolution.
///
/// # Safety
/// * [`Depthwise::check`] must hold for `map`, and [`Clamped::check`] for its channels.
/// * For each pixel `pixel` of the run and block `block` of the map's channels, the words from `to.offset(pixel) + block *
///   to.block_stride` on must be valid for writes: `S::WORDS` for `MULTIPLICANDS`, else [`BLOCK`].
#[inline(always)]
unsafe fn run_of<S: Simd, const MULTIPLICANDS: bool>(
    simd: S,
    map: MapView<'_>,
    convolution: Depthwise<'_>,
    clamped: Clamped<'_>,
    run: Range<usize>,
    to: Destination,
) {
    let geometry = map.geometry();
    let (oy, ox, count) = (run.start / geometry.output[1], run.start % geometry.output[1], run.len());
    if geometry.kernel == [3, 3] && geometry.stride == [1, 1] && geometry.dilation == [1, 1] {
        let place = [oy, ox, count];
        // SAFETY: what the caller promises for `run` is what is asked for, and the window has nine taps.
        unsafe {
            sliding_3x3::<S, MULTIPLICANDS>(simd, map, convolution, clamped, place, to);
        }
        return;
    }
    if geometry.dilation == [1, 1] {
        let place = [oy, ox, count];
        macro_rules! reused {
            ($size:literal, $stride:literal) => {
                // SAFETY: what the caller promises for `run` is what is asked for, and the window is of this size and stride.
                unsafe {
                    // As many sums and columns as there are registers for.
                    if S::LANES == BLOCK {
                        reused::<S, MULTIPLICANDS, $size, $stride, 8>(simd, map, convolution, clamped, place, to)
                    } else {
                        reused::<S, MULTIPLICANDS, $size, $stride, 4>(simd, map, convolution, clamped, place, to)
                    }
                }
            };
        }
        match (geometry.kernel, geometry.stride) {
            ([3, 3], [2, 2]) => return reused!(3, 2),
            ([5, 5], [1, 1]) => return reused!(5, 1),
            ([5, 5], [2, 2]) => return reused!(5, 2),
            ([7, 7], [1, 1]) => return reused!(7, 1),
            _ => {}
        }
    }
    // Any other window: where the taps of some pixels lie is found out once for all channels. Their sums do not wait for each other, and
    // share the weights that are loaded.
    let floor = simd.splat(convolution.before.floor());
    let [kernel_height, kernel_width] = geometry.kernel;
    let channels = map.channels();
    for first in (0..count).step_by(PIXELS) {
        let there = PIXELS.min(count - first);
        // Where there are fewer pixels, the last stands for those that are not.
        let taps_at = |tap: usize| -> [*const f32; PIXELS] {
            std::array::from_fn(|at| {
                map.tap(oy, ox + first + at.min(there - 1), tap / kernel_width, tap % kernel_width)
            })
        };
        let mut listed = [[std::ptr::null(); PIXELS]; LISTED_TAPS];
        for (tap, from) in listed.iter_mut().enumerate().take(kernel_height * kernel_width) {
            *from = taps_at(tap);
        }
        for channel in (0..channels).step_by(S::LANES) {
            let mut sums = [simd.splat(0.0); PIXELS];
            for tap in 0..kernel_height * kernel_width {
                let from = match listed.get(tap) {
                    Some(listed) => *listed,
                    None => taps_at(tap),
                };
                // SAFETY: there are weights for each channel and each tap, says the caller. `LANES` divides the number of channels.
                let weights = unsafe {
                    simd.load(convolution.weights.taps.as_slice().as_ptr().add(tap * channels + channel))
                };
                for at in 0..PIXELS {
                    // SAFETY: a tap is valid for all channels.
                    let x = unsafe { simd.load(from[at].add(channel)) };
                    sums[at] = simd.mul_add(simd.max(floor, x), weights, sums[at]);
                }
            }
            let pixels = first..first + there;
            // SAFETY: the pixels are of the run, and the vector is one of their channels'.
            unsafe {
                let clamped = clamped.at(simd, channel);
                put_sums::<S, MULTIPLICANDS, PIXELS>(simd, clamped, sums, pixels, channel, to);
            }
        }
    }
}

/// Columns that some pixels of the largest of [`reused`]'s windows read.
const COLUMNS: usize = 2 * 7 + 5;

/// A window of `SIZE` x `SIZE` taps, `STRIDE` pixels from the next: of each of its lines the columns that `PIXELS` pixels read are loaded
/// once. Their sums are those of the taps in order, as of any other window.
///
/// # Safety
/// As for [`run_of`], for such a window and a run of `count` pixels that begins at pixel (`oy`, `ox`).
#[inline(always)]
unsafe fn reused<
    S: Simd,
    const MULTIPLICANDS: bool,
    const SIZE: usize,
    const STRIDE: usize,
    const PIXELS: usize,
>(
    simd: S,
    map: MapView<'_>,
    convolution: Depthwise<'_>,
    clamped: Clamped<'_>,
    [oy, ox, count]: [usize; 3],
    to: Destination,
) {
    let columns = const {
        let columns = (PIXELS - 1) * STRIDE + SIZE;
        assert!(columns <= COLUMNS, "columns");
        columns
    };
    let floor = simd.splat(convolution.before.floor());
    let channels = map.channels();
    let weights = convolution.weights.taps.as_slice().as_ptr();
    for first in (0..count).step_by(PIXELS) {
        let there = PIXELS.min(count - first);
        // Where there are fewer pixels, the columns of those that are not lie somewhere in the map or are zeros.
        let mut listed = [[std::ptr::null(); COLUMNS]; SIZE];
        for (ky, line) in listed.iter_mut().enumerate() {
            for (x, from) in line.iter_mut().enumerate().take(columns) {
                *from = map.tap(oy, ox + first, ky, x);
            }
        }
        for channel in (0..channels).step_by(S::LANES) {
            let mut sums = [simd.splat(0.0); PIXELS];
            for (ky, line) in listed.iter().enumerate() {
                let mut pixels = [simd.splat(0.0); COLUMNS];
                for x in 0..columns {
                    // SAFETY: a tap is valid for all channels, whose number `LANES` divides.
                    pixels[x] = simd.max(floor, unsafe { simd.load(line[x].add(channel)) });
                }
                for kx in 0..SIZE {
                    // SAFETY: there are weights for each channel and each tap, says the caller.
                    let weights = unsafe { simd.load(weights.add((ky * SIZE + kx) * channels + channel)) };
                    for (at, sum) in sums.iter_mut().enumerate() {
                        *sum = simd.mul_add(pixels[at * STRIDE + kx], weights, *sum);
                    }
                }
            }
            let pixels = first..first + there;
            // SAFETY: the pixels are of the run, and the vector is one of their channels'.
            unsafe {
                let clamped = clamped.at(simd, channel);
                put_sums::<S, MULTIPLICANDS, PIXELS>(simd, clamped, sums, pixels, channel, to);
            }
        }
    }
}

/// Pixels whose sums are computed together.
const PIXELS: usize = 4;

/// Taps of a window whose places are kept, as many as 7x7 has; those of a larger one are looked up again and again.
const LISTED_TAPS: usize = 49;

/// Finishes and stores the sums of the vector of channels at `channel` of the pixels `pixels` of a run; where these are fewer than the sums,
/// the last sums are nobody's.
///
/// # Safety
/// As for [`run_of`], of whose run the pixels are; `channel` must be a multiple of `S::LANES` below the number of channels.
#[inline(always)]
unsafe fn put_sums<S: Simd, const MULTIPLICANDS: bool, const SUMS: usize>(
    simd: S,
    clamped: ClampedVector<S::V>,
    sums: [S::V; SUMS],
    pixels: Range<usize>,
    channel: usize,
    to: Destination,
) {
    for (at, &sum) in sums.iter().enumerate() {
        if at < pixels.len() {
            // SAFETY: the pixel is one of the run, and the vector one of its channels': both are there, says the caller.
            unsafe {
                let out = to.data.add(channel / BLOCK * to.block_stride + to.offset(pixels.start + at));
                put::<S, MULTIPLICANDS>(simd, out, channel % BLOCK, clamped.finish(simd, sum));
            }
        }
    }
}

/// Stores the vector at lane `lane` of a block that begins at `to`.
///
/// # Safety
/// `to` must be valid for writes of a block, of `S::WORDS` words for `MULTIPLICANDS` and of [`BLOCK`] elements otherwise; `lane`
/// must be a multiple of `S::LANES` below [`BLOCK`].
#[inline(always)]
unsafe fn put<S: Simd, const MULTIPLICANDS: bool>(simd: S, to: *mut f32, lane: usize, x: S::V) {
    if MULTIPLICANDS {
        // SAFETY: the caller lends a block of `WORDS` words.
        unsafe { simd.store_multiplicand(to, lane, x) };
    } else {
        // SAFETY: the caller lends a block of elements, of which `LANES` begin at `lane`.
        unsafe { simd.store(to.add(lane), x) };
    }
}

/// A vector of channels along a row: the window's columns stay in registers, so that a pixel costs three
/// loads instead of nine. Where the columns lie is found out once for all channels.
///
/// # Safety
/// As for [`run_of`], for a window of nine taps and a run of `count` pixels that begins at pixel (`oy`, `ox`).
#[inline(always)]
unsafe fn sliding_3x3<S: Simd, const MULTIPLICANDS: bool>(
    simd: S,
    map: MapView<'_>,
    convolution: Depthwise<'_>,
    clamped: Clamped<'_>,
    [oy, ox, count]: [usize; 3],
    to: Destination,
) {
    // The taps of the columns that the run reads, from the one left of its first pixel to the one right of its last.
    let mut columns = [[std::ptr::null(); 3]; LONGEST_RUN + 2];
    let columns = &mut columns[..count + 2];
    for (x, column) in columns.iter_mut().enumerate() {
        for (ky, pixel) in column.iter_mut().enumerate() {
            *pixel = map.tap(oy, ox + x, ky, 0);
        }
    }
    let [first_column, second_column, columns @ ..] = &columns[..] else {
        unreachable!("two more columns than pixels");
    };
    let floor = simd.splat(convolution.before.floor());
    let channels = map.channels();
    for channel in (0..channels).step_by(S::LANES) {
        // SAFETY: between `data` and this block of the run's first pixel, which lies in the same memory, says the caller.
        let out = unsafe { to.data.add(channel / BLOCK * to.block_stride) };
        // SAFETY: there are summands for all channels, says the caller.
        let clamped = unsafe { clamped.at(simd, channel) };
        let mut taps = [simd.splat(0.0); 9];
        for (tap, weight) in taps.iter_mut().enumerate() {
            // SAFETY: there are weights for nine taps and all channels, says the caller; `LANES` divides their number.
            *weight = unsafe {
                simd.load(convolution.weights.taps.as_slice().as_ptr().add(tap * channels + channel))
            };
        }
        macro_rules! column {
            ($pixels:expr) => {{
                let mut column = [simd.splat(0.0); 3];
                for ky in 0..3 {
                    // SAFETY: a tap is valid for all channels, whose number `LANES` divides.
                    column[ky] = simd.max(floor, unsafe { simd.load($pixels[ky].add(channel)) });
                }
                column
            }};
        }
        let mut first = column!(first_column);
        let mut second = column!(second_column);
        for (pixel, third) in columns.iter().enumerate() {
            let third = column!(third);
            // Three sums that do not wait for each other.
            let mut sums = [simd.splat(0.0); 3];
            for ky in 0..3 {
                sums[0] = simd.mul_add(first[ky], taps[3 * ky], sums[0]);
                sums[1] = simd.mul_add(second[ky], taps[3 * ky + 1], sums[1]);
                sums[2] = simd.mul_add(third[ky], taps[3 * ky + 2], sums[2]);
            }
            let sum = simd.add(simd.add(sums[0], sums[1]), sums[2]);
            // SAFETY: there are `count` columns left, so that the pixel is one of the run; it and its blocks are there, says the
            // caller.
            unsafe {
                put::<S, MULTIPLICANDS>(
                    simd,
                    out.add(to.offset(pixel)),
                    channel % BLOCK,
                    clamped.finish(simd, sum),
                );
            }
            first = second;
            second = third;
        }
    }
}
