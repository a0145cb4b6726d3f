//! OpenCV's resamplers for 8-bit images, after `imgproc/src/resize.cpp` of OpenCV 4.5.5. All are its own code, but for the
//! bicubic one, which its wheels take from Intel's IPP wherever that takes the image.

mod area;
mod cubic;
mod cubic_small;
mod lanczos4;
mod linear;

pub(crate) use area::area;
pub(crate) use cubic::cubic;
pub(crate) use lanczos4::lanczos4;
pub(crate) use linear::linear;

use memory::NoMemory;

use super::{Region, pick};
use crate::RgbImage;

/// Fraction bits of a coefficient (`INTER_RESIZE_COEF_BITS`).
const COEFFICIENT_BITS: u32 = 11;

/// A coefficient in fixed point.
fn fixed(weight: f32) -> i32 {
    (weight * (1 << COEFFICIENT_BITS) as f32).round_ties_even() as i32
}

/// Source pixels an output pixel, the way OpenCV rounds it: the reciprocal of the inverse.
fn scale(input: usize, output: usize) -> f64 {
    1.0 / (output as f64 / input as f64)
}

/// The scale, where it is a whole number.
fn whole_scale(input: usize, output: usize) -> Option<usize> {
    let scale = scale(input, output);
    let whole = scale.round_ties_even();
    ((scale - whole).abs() < f64::EPSILON).then_some(whole as usize)
}

/// The region of `image` resized to `width` x `height` by `INTER_NEAREST`, which takes the pixel that an output pixel's
/// upper left corner lies in.
pub(crate) fn nearest(
    image: &RgbImage,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    let positions = |input: usize, output: usize, wanted: std::ops::Range<usize>| -> Vec<usize> {
        let scale = scale(input, output);
        wanted.map(|position| ((position as f64 * scale).floor() as usize).min(input - 1)).collect()
    };
    let columns = positions(image.width, width, region.columns());
    pick(image, &columns, &positions(image.height, height, region.rows()))
}
