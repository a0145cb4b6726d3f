//! The steps that multiply no matrices: max-pooling, average pooling, the mean over all pixels, and an epilogue that has nothing to follow.

use std::ops::Range;

use crate::activation::OnRead;
use crate::epilogue::{Epilogue, Finish};
use crate::map::{MapView, Output};
use crate::simd::{BLOCK, Simd};
use crate::unary;

/// What is made of the pixels under a window.
pub(crate) trait Pooling {
    /// What it begins with.
    const FIRST: f32;
    /// Whether padding is zeros that take part.
    const TAKES_ZEROS: bool = false;

    /// Takes one more pixel in.
    fn with<S: Simd>(simd: S, pooled: S::V, pixel: S::V) -> S::V;

    /// The result, of so many pixels.
    fn result<S: Simd>(simd: S, pooled: S::V, pixels: usize) -> S::V;
}

/// The largest.
pub(crate) struct Max;

impl Pooling for Max {
    const FIRST: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn with<S: Simd>(simd: S, pooled: S::V, pixel: S::V) -> S::V {
        simd.max_or_nan(pooled, pixel)
    }

    #[inline(always)]
    fn result<S: Simd>(_: S, pooled: S::V, _: usize) -> S::V {
        pooled
    }
}

/// The largest, where padding is zeros that take part.
pub(crate) struct MaxOfZerosToo;

impl Pooling for MaxOfZerosToo {
    const FIRST: f32 = Max::FIRST;
    const TAKES_ZEROS: bool = true;

    #[inline(always)]
    fn with<S: Simd>(simd: S, pooled: S::V, pixel: S::V) -> S::V {
        Max::with(simd, pooled, pixel)
    }

    #[inline(always)]
    fn result<S: Simd>(simd: S, pooled: S::V, pixels: usize) -> S::V {
        Max::result(simd, pooled, pixels)
    }
}

/// The mean.
pub(crate) struct Mean;

impl Pooling for Mean {
    const FIRST: f32 = 0.0;

    #[inline(always)]
    fn with<S: Simd>(simd: S, pooled: S::V, pixel: S::V) -> S::V {
        simd.add(pooled, pixel)
    }

    #[inline(always)]
    fn result<S: Simd>(simd: S, pooled: S::V, pixels: usize) -> S::V {
        simd.mul_add(pooled, simd.splat(1.0 / pixels as f32), simd.splat(0.0))
    }
}

/// The mean, where padding is zeros that take part.
pub(crate) struct MeanOfZerosToo;

impl Pooling for MeanOfZerosToo {
    const FIRST: f32 = 0.0;
    const TAKES_ZEROS: bool = true;

    #[inline(always)]
    fn with<S: Simd>(simd: S, pooled: S::V, pixel: S::V) -> S::V {
        Mean::with(simd, pooled, pixel)
    }

    #[inline(always)]
    fn result<S: Simd>(simd: S, pooled: S::V, pixels: usize) -> S::V {
        Mean::result(simd, pooled, pixels)
    }
}

/// Pooling of the output pixels `pixels`.
///
/// # Panics
/// Where the output has other channels or fewer pixels.
#[inline(always)]
pub(crate) fn windows<S: Simd, P: Pooling>(
    simd: S,
    map: MapView<'_>,
    epilogue: &Epilogue<'_>,
    pixels: Range<usize>,
    output: Output<'_>,
) {
    let (channels, geometry) = (map.channels(), map.geometry());
    assert_eq!(output.channels(), channels, "pooling keeps the channels");
    output.check(&pixels, epilogue);
    let [kernel_height, kernel_width] = geometry.kernel;
    let (before, then) = epilogue.before_unary();
    for pixel in pixels.clone() {
        let (oy, ox) = (pixel / geometry.output[1], pixel % geometry.output[1]);
        let begin = pixel * output.stride();
        // Of a window larger than this, several parts are pooled one after another.
        let mut taps = [std::ptr::null::<f32>(); POOLED_TAPS];
        let mut found = 0;
        let mut pooled_taps = 0;
        for tap in 0..kernel_height * kernel_width {
            let (ky, kx) = (tap / kernel_width, tap % kernel_width);
            let from = if P::TAKES_ZEROS { Some(map.tap(oy, ox, ky, kx)) } else { map.pixel(oy, ox, ky, kx) };
            if let Some(from) = from {
                taps[found] = from;
                found += 1;
            }
            let last = tap + 1 == kernel_height * kernel_width;
            if found == POOLED_TAPS || last {
                for channel in (0..channels).step_by(S::LANES) {
                    // SAFETY: the output has all of `pixels`, of which this is one, and so its channels.
                    let to = unsafe { output.as_mut_ptr().add(begin + channel) };
                    let mut pooled = simd.splat(P::FIRST);
                    if pooled_taps > 0 {
                        // SAFETY: `LANES` divides the number of channels, and this pixel is the caller's, says `Output::new`.
                        pooled = unsafe { simd.load(to) };
                    }
                    for tap in &taps[..found] {
                        // SAFETY: an input pixel is valid for all channels, whose number `LANES` divides.
                        pooled = P::with(simd, pooled, unsafe { simd.load(tap.add(channel)) });
                    }
                    // Where the window's rows will be two pixels later.
                    for last_in_row in taps[..found].iter().skip(kernel_width - 1).step_by(kernel_width) {
                        simd.prefetch(
                            last_in_row.wrapping_add(2 * geometry.stride[1] * map.stride() + channel),
                        );
                    }
                    if last {
                        pooled = P::result(simd, pooled, pooled_taps + found);
                        // SAFETY: the epilogue was checked for all of `pixels`.
                        pooled = unsafe { before.finish_in_registers(simd, pooled, begin, channel) };
                    }
                    // SAFETY: as for the load: the pixel is there, and the caller's.
                    unsafe { simd.store(to, pooled) };
                }
                pooled_taps += found;
                found = 0;
            }
        }
    }
    finish_there(simd, &then, pixels, output);
}

/// Taps of a pooling window that are read at once.
const POOLED_TAPS: usize = 9;

/// Of each line of `[columns, channels]` of `map` the sum of its pixels, to `sums`, a line of channels each.
///
/// # Panics
/// Where the map has fewer lines than `sums`, or channels are not whole blocks.
#[inline(always)]
pub(crate) fn line_sums<S: Simd>(
    simd: S,
    (map, [columns, channels]): (&[f32], [usize; 2]),
    on_read: OnRead,
    sums: &mut [f32],
) {
    assert!(channels.is_multiple_of(BLOCK) && channels > 0, "{channels} channels");
    let lines = sums.chunks_exact_mut(channels);
    assert!(lines.len() * columns * channels <= map.len(), "lines of {columns}x{channels}");
    let vectors = channels / S::LANES;
    for (y, line) in lines.enumerate() {
        for begin in (0..vectors).step_by(SUMS) {
            // Where there are fewer, the last stands for those that are not.
            let places: [usize; SUMS] = std::array::from_fn(|at| (begin + at).min(vectors - 1) * S::LANES);
            let mut sums = [simd.splat(0.0); SUMS];
            for x in 0..columns {
                let pixel = (y * columns + x) * channels;
                for at in 0..SUMS {
                    // SAFETY: the map has this pixel, whose channels `LANES` divides.
                    let x = unsafe { simd.load(map.as_ptr().add(pixel + places[at])) };
                    sums[at] = simd.add(sums[at], on_read.apply(simd, x));
                }
            }
            for at in 0..SUMS.min(vectors - begin) {
                // SAFETY: a line of channels, as a pixel of the map.
                unsafe { simd.store(line.as_mut_ptr().add(places[at]), sums[at]) };
            }
        }
    }
}

/// The sums of all lines ([`line_sums`]), one after the other, times `factor`, finished by `epilogue`: of the channels from `first` on, as
/// many as `output` has.
///
/// # Panics
/// Where a line does not have these channels, or they are not whole blocks, or the epilogue has fewer channels.
#[inline(always)]
pub(crate) fn average<S: Simd>(
    simd: S,
    (sums, channels): (&[f32], usize),
    (factor, epilogue): (f32, &Epilogue<'_>),
    first: usize,
    output: &mut [f32],
) {
    assert!(first + output.len() <= channels && channels > 0, "lines of {channels}");
    assert!(output.len().is_multiple_of(BLOCK), "{} channels", output.len());
    epilogue.check(first + output.len(), first + output.len());
    for (at, to) in output.chunks_exact_mut(S::LANES).enumerate() {
        let place = first + at * S::LANES;
        let mut sum = simd.splat(0.0);
        for line in sums.chunks_exact(channels) {
            // SAFETY: a line has `LANES` channels from the place on, because all `first + output.len()` are there and `LANES` divides
            // `output.len()`.
            sum = simd.add(sum, unsafe { simd.load(line.as_ptr().add(place)) });
        }
        let mean = simd.mul_add(sum, simd.splat(factor), simd.splat(0.0));
        // SAFETY: the epilogue was checked for all channels up to the last of `output`; the row is the only one.
        let mean = unsafe { epilogue.finish(simd, mean, 0, place) };
        // SAFETY: there are `LANES` elements.
        unsafe { simd.store(to.as_mut_ptr(), mean) };
    }
}

/// Vectors whose sums over a line are made together: they do not wait for each other.
const SUMS: usize = 4;

/// Finishes every element of the output pixels `pixels` by `epilogue`, where it is.
///
/// # Panics
/// Where the output has fewer pixels.
#[inline(always)]
pub(crate) fn finish_there<S: Simd>(
    simd: S,
    epilogue: &Epilogue<'_>,
    pixels: Range<usize>,
    output: Output<'_>,
) {
    finish_channels(simd, epilogue, pixels, 0..output.channels(), output);
}

/// [`finish_there`], of whole blocks of channels alone.
///
/// # Panics
/// Where the output has fewer pixels or channels, or these are no whole blocks.
#[inline(always)]
pub(crate) fn finish_channels<S: Simd>(
    simd: S,
    epilogue: &Epilogue<'_>,
    pixels: Range<usize>,
    some: Range<usize>,
    output: Output<'_>,
) {
    output.check(&pixels, epilogue);
    let (channels, stride) = (output.channels(), output.stride());
    let are_blocks = some.start.is_multiple_of(BLOCK) && some.len().is_multiple_of(BLOCK);
    assert!(are_blocks && some.end <= channels, "channels {some:?} of {channels}");
    for operation in epilogue.operations() {
        if let Finish::Unary(function) = operation {
            // Where pixels lie one after the other, all channels of all are one run.
            let (runs, len) = match some.len() == stride {
                true => (usize::from(!pixels.is_empty()), pixels.len() * channels),
                false => (pixels.len(), some.len()),
            };
            for run in 0..runs {
                let begin = (pixels.start + run) * stride + some.start;
                // SAFETY: the output has these channels of these pixels, which are the caller's, says `Output::new`.
                let values = unsafe { std::slice::from_raw_parts_mut(output.as_mut_ptr().add(begin), len) };
                unary::apply(simd, function, values);
            }
            continue;
        }
        let one = Epilogue::of([operation]);
        for pixel in pixels.clone() {
            let begin = pixel * stride;
            for channel in some.clone().step_by(S::LANES) {
                // SAFETY: the output has this pixel, which is the caller's, says `Output::new`, and the epilogue was checked for it;
                // `LANES` divides the number of channels.
                unsafe {
                    let at = output.as_mut_ptr().add(begin + channel);
                    simd.store(at, one.finish_in_registers(simd, simd.load(at), begin, channel));
                }
            }
        }
    }
}

/// Finishes every element of the output pixels `pixels` by `epilogue`.
///
/// # Panics
/// Where the map or the output has other channels or fewer pixels.
#[inline(always)]
pub(crate) fn finish<S: Simd>(
    simd: S,
    map: MapView<'_>,
    epilogue: &Epilogue<'_>,
    pixels: Range<usize>,
    output: Output<'_>,
) {
    let channels = map.channels();
    assert_eq!([output.channels(), output.stride()], [channels; 2], "an epilogue keeps the channels");
    output.check(&pixels, epilogue);
    assert!(pixels.end * channels <= map.pixels().len(), "{} pixels of {channels}", pixels.end);
    let (before, then) = epilogue.before_unary();
    for pixel in pixels.clone() {
        let begin = pixel * channels;
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: the map and the output have this pixel, which is the caller's, says `Output::new`, and the epilogue was
            // checked for it; `LANES` divides the number of channels.
            unsafe {
                let x = simd.load(map.pixels().as_ptr().add(begin + channel));
                let x = before.finish_in_registers(simd, x, begin, channel);
                simd.store(output.as_mut_ptr().add(begin + channel), x);
            }
        }
    }
    finish_there(simd, &then, pixels, output);
}
