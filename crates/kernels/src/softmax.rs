//! Softmax over the channels of each pixel: a row of attention's weights.

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::map::{MapView, Output};
use crate::simd::Simd;
use crate::unary::exp;

/// Of each of the output pixels `pixels`, the exponentials of the first `width` channels over their sum, finished by `epilogue`. What is
/// beyond these channels is 0 before that.
///
/// # Panics
/// Where the map or the output has other channels or fewer pixels.
#[inline(always)]
pub(crate) fn softmax<S: Simd>(
    simd: S,
    map: MapView<'_>,
    width: usize,
    epilogue: &Epilogue<'_>,
    pixels: Range<usize>,
    output: Output<'_>,
) {
    let channels = map.channels();
    assert_eq!([output.channels(), output.stride()], [channels; 2], "a softmax keeps the channels");
    output.check(&pixels, epilogue);
    let from = &map.pixels()[..pixels.end * channels];
    for pixel in pixels {
        let begin = pixel * channels;
        let x = &from[begin..begin + width];
        // SAFETY: the output has this pixel, says its check, and it is the caller's, says `Output::new`.
        let to = unsafe { std::slice::from_raw_parts_mut(output.as_mut_ptr().add(begin), channels) };
        let most = largest(x);
        let (within, beyond) = to.split_at_mut(width);
        for (to, &x) in within.iter_mut().zip(x) {
            *to = exp(x - most);
        }
        beyond.fill(0.0);
        let factor = simd.splat(1.0 / sum(within));
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: as above; the epilogue was checked for the pixel, and `LANES` divides the number of channels.
            unsafe {
                let at = output.as_mut_ptr().add(begin + channel);
                let x = simd.mul_add(simd.load(at), factor, simd.splat(0.0));
                simd.store(at, epilogue.finish(simd, x, begin, channel));
            }
        }
    }
}

/// Partial results of as many elements side by side, which are the compiler's vectors.
const SIDE: usize = 16;

/// The largest element; where one is not a number, the sum of exponentials is none either.
#[inline(always)]
fn largest(x: &[f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; SIDE];
    let larger = |most: &mut f32, &x: &f32| *most = if x > *most { x } else { *most };
    let mut blocks = x.chunks_exact(SIDE);
    for block in &mut blocks {
        for (most, x) in most.iter_mut().zip(block) {
            larger(most, x);
        }
    }
    for (most, x) in most.iter_mut().zip(blocks.remainder()) {
        larger(most, x);
    }
    most.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

#[inline(always)]
fn sum(x: &[f32]) -> f32 {
    let mut sums = [0.0_f32; SIDE];
    let mut blocks = x.chunks_exact(SIDE);
    for block in &mut blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += x;
        }
    }
    for (sum, x) in sums.iter_mut().zip(blocks.remainder()) {
        *sum += x;
    }
    sums.iter().sum()
}
