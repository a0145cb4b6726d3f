//! Layer normalisation over the channels of each pixel, as ConvNeXt has it.

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::map::{MapView, Output};
use crate::simd::{BLOCK, Simd};

/// The first `width` channels of each of the output pixels `pixels` less their mean, over the root of their variance plus `epsilon`,
/// finished by `epilogue`. What is beyond these channels takes no part.
///
/// # Panics
/// Where the map or the output has other channels or fewer pixels.
#[inline(always)]
pub(crate) fn layer_norm<S: Simd>(
    simd: S,
    map: MapView<'_>,
    (width, epsilon): (usize, f32),
    epilogue: &Epilogue<'_>,
    pixels: Range<usize>,
    output: Output<'_>,
) {
    let channels = map.channels();
    assert_eq!([output.channels(), output.stride()], [channels; 2], "a normalisation keeps the channels");
    output.check(&pixels, epilogue);
    let from = &map.pixels()[..pixels.end * channels];
    for pixel in pixels {
        let begin = pixel * channels;
        let x = &from[begin..begin + width];
        let mean = sum(x, |x| x) / width as f32;
        let variance = sum(x, |x| (x - mean) * (x - mean)) / width as f32;
        let factor = 1.0 / (variance + epsilon).sqrt();
        let (scale, shift) = (simd.splat(factor), simd.splat(-mean));
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: the map and the output have this pixel, which is the caller's, says `Output::new`, and the epilogue was
            // checked for it; `LANES` divides the number of channels.
            unsafe {
                let x = simd.load(from.as_ptr().add(begin + channel));
                // In this order, since a mean may be much larger than the deviation.
                let x = simd.mul_add(simd.add(x, shift), scale, simd.splat(0.0));
                let x = epilogue.finish(simd, x, begin, channel);
                simd.store(output.as_mut_ptr().add(begin + channel), x);
            }
        }
    }
}

/// The sum of what `of` makes of each element: by a block of partial sums, which are the compiler's vectors and keep the sums small.
#[inline(always)]
fn sum(x: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; BLOCK];
    let mut blocks = x.chunks_exact(BLOCK);
    for block in &mut blocks {
        for (sum, &x) in sums.iter_mut().zip(block) {
            *sum += of(x);
        }
    }
    for (&x, sum) in blocks.remainder().iter().zip(&mut sums) {
        *sum += of(x);
    }
    sums.iter().sum()
}
