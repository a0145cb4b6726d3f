//! OpenCV's own bicubic filter, which its wheels run for images with a side below 4 pixels, because IPP does not take them.
//!
//! Coefficients are f32, rounded to 11 bits, and the sums of the horizontal pass integers. The vertical pass is vectorised: whole
//! vectors of eight bytes are computed in f32, from the last product to the first, and what is left of a row in integers.

use std::ops::Range;

use super::{COEFFICIENT_BITS, fixed, scale};
use memory::NoMemory;

use crate::RgbImage;
use crate::resample::Region;

/// Bytes of a vector.
const VECTOR: usize = 8;

struct Tap {
    /// Source positions, those beyond an edge replaced by the edge.
    positions: [usize; 4],
    weights: [i32; 4],
}

fn taps(input: usize, output: usize, wanted: Range<usize>) -> Vec<Tap> {
    let scale = scale(input, output);
    let last = input as isize - 1;
    let tap = |position: usize| {
        let at = ((position as f64 + 0.5) * scale - 0.5) as f32;
        let start = at.floor();
        let positions = [-1, 0, 1, 2].map(|step| (start as isize + step).clamp(0, last) as usize);
        Tap { positions, weights: weights(at - start).map(fixed) }
    };
    wanted.map(tap).collect()
}

/// The weights of four neighbours, by the distance from the second, in the operations of OpenCV.
fn weights(x: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let first = ((A * (x + 1.0) - 5.0 * A) * (x + 1.0) + 8.0 * A) * (x + 1.0) - 4.0 * A;
    let (second, third) = (near(x), near(1.0 - x));
    [first, second, third, 1.0 - first - second - third]
}

/// The region of `image` resized to `width` x `height`.
pub(super) fn cubic(
    image: &RgbImage,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    let columns = taps(image.width, width, region.columns());
    // Bytes of the region that lie in whole vectors of the row.
    let in_vectors = (width * 3 / VECTOR * VECTOR).saturating_sub(region.left * 3).min(region.width * 3);
    let mut pixels = region.room()?;
    for Tap { positions, weights } in taps(image.height, height, region.rows()) {
        let rows = positions.map(|y| narrowed(image.row(y), &columns));
        let values = |at: usize| [0, 1, 2, 3].map(|row: usize| rows[row][at]);
        pixels.extend((0..in_vectors).map(|at| vectorised(values(at), weights)));
        pixels.extend((in_vectors..region.width * 3).map(|at| plain(values(at), weights)));
    }
    Ok(RgbImage { width: region.width, height: region.height, pixels })
}

fn narrowed(row: &[u8], columns: &[Tap]) -> Vec<i32> {
    let mut sums = Vec::with_capacity(columns.len() * 3);
    for tap in columns {
        for channel in 0..3 {
            let products = tap.positions.iter().zip(tap.weights);
            sums.push(products.map(|(x, weight)| i32::from(row[x * 3 + channel]) * weight).sum());
        }
    }
    sums
}

fn vectorised(values: [i32; 4], weights: [i32; 4]) -> u8 {
    const UNIT: f32 = 1.0 / (1_u32 << (2 * COEFFICIENT_BITS)) as f32;
    let [a, b, c, d] = [0, 1, 2, 3].map(|row: usize| values[row] as f32 * (weights[row] as f32 * UNIT));
    (a + (b + (c + d))).round_ties_even().clamp(0.0, 255.0) as u8
}

fn plain(values: [i32; 4], weights: [i32; 4]) -> u8 {
    let sum: i32 = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    ((sum + (1 << (2 * COEFFICIENT_BITS - 1))) >> (2 * COEFFICIENT_BITS)).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::crop;

    #[test]
    fn a_window_is_a_part_of_the_whole() {
        let pixels = (0..3 * 29 * 3).map(|i| (i * i * 31 % 251) as u8).collect();
        let image = RgbImage { width: 3, height: 29, pixels };
        let whole = cubic(&image, 13, 31, Region { left: 0, top: 0, width: 13, height: 31 }).unwrap();
        for (left, width) in [(0, 13), (2, 11), (5, 3), (11, 2)] {
            let region = Region { left, top: 4, width, height: 9 };
            assert_eq!(cubic(&image, 13, 31, region), crop(&whole, region));
        }
    }
}
