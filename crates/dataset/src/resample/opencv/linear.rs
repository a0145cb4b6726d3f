//! OpenCV's `INTER_LINEAR` for 8-bit images, after `imgproc/src/resize.cpp` of OpenCV 4.5.5.
//!
//! No antialiasing. Coefficients are f32, rounded to 11 bits; a row is interpolated
//! to 19-bit integers and two rows are then blended in 16-bit arithmetic that drops low bits on the
//! way (`>> 4`, `>> 16`, `+ 2 >> 2`). OpenCV's SIMD and scalar code agree on it.

use std::ops::Range;

use memory::NoMemory;
use pulp::{Arch, NullaryFnOnce};

use super::{fixed, scale, whole_scale};
use crate::RgbImage;
use crate::resample::Region;

/// A source position and the fixed-point weights of it and the next one.
#[derive(Clone, Copy)]
struct Tap {
    /// May lie one before the first row (never so for columns).
    start: isize,
    weights: [i32; 2],
}

/// Where an output pixel lies between source pixels.
#[derive(Clone, Copy)]
enum Rule {
    /// Centres upon centres: `INTER_LINEAR`.
    Centres,
    /// `INTER_AREA` where it does not shrink: a pixel is blended only where the edge of two source pixels is in it.
    Edges,
}

impl Rule {
    /// The source position, and the part of the way to the next one.
    fn place(self, position: usize, input: usize, output: usize) -> (isize, f32) {
        let scale = scale(input, output);
        match self {
            Self::Centres => {
                let at = ((position as f64 + 0.5) * scale - 0.5) as f32;
                (at.floor() as isize, at - at.floor())
            }
            Self::Edges => {
                let start = (position as f64 * scale).floor();
                let inverse = output as f64 / input as f64;
                let over = ((position + 1) as f64 - (start + 1.0) * inverse) as f32;
                (start as isize, if over <= 0.0 { 0.0 } else { over - over.floor() })
            }
        }
    }
}

fn taps(rule: Rule, input: usize, output: usize, wanted: Range<usize>, clamp: bool) -> Vec<Tap> {
    let last = input as isize - 1;
    wanted
        .map(|position| {
            let (mut start, mut fraction) = rule.place(position, input, output);
            // Columns beyond the edge become the edge pixel. Rows keep their weights and read the
            // edge row twice, which is not always the same after rounding.
            if clamp && start < 0 {
                (start, fraction) = (0, 0.0);
            }
            if clamp && start >= last {
                (start, fraction) = (last, 0.0);
            }
            Tap { start, weights: [1.0 - fraction, fraction].map(fixed) }
        })
        .collect()
}

/// The region of `image` resized to `width` x `height`.
pub(crate) fn linear(
    image: &RgbImage,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    // Exactly half in both directions: OpenCV switches to `INTER_AREA`.
    if whole_scale(image.width, width) == Some(2) && whole_scale(image.height, height) == Some(2) {
        return super::area(image, width, height, region);
    }
    by(Rule::Centres, image, width, height, region)
}

/// The region of `image` resized to `width` x `height` by `INTER_AREA`, where a side does not shrink.
pub(super) fn area_enlarging(
    image: &RgbImage,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    by(Rule::Edges, image, width, height, region)
}

fn by(
    rule: Rule,
    image: &RgbImage,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    let columns = taps(rule, image.width, width, region.columns(), true);
    let rows = taps(rule, image.height, height, region.rows(), false);
    let mut pixels = region.room()?;
    Arch::new().dispatch(Pass { image, columns: &columns, rows: &rows, pixels: &mut pixels });
    Ok(RgbImage { width: region.width, height: region.height, pixels })
}

/// Both passes, compiled for each instruction set.
struct Pass<'a> {
    image: &'a RgbImage,
    columns: &'a [Tap],
    rows: &'a [Tap],
    pixels: &'a mut Vec<u8>,
}

impl NullaryFnOnce for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { image, columns, rows, pixels } = self;
        let last_row = image.height as isize - 1;
        // The two source rows in hand, interpolated: consecutive output rows share them.
        let mut cache: [(isize, Vec<i32>); 2] = [(-1, Vec::new()), (-1, Vec::new())];
        let mut row = vec![0; columns.len() * 3];
        for tap in rows {
            let [from, to] = [tap.start, tap.start + 1].map(|row| row.clamp(0, last_row));
            for y in [from, to] {
                if cache.iter().all(|(held, _)| *held != y) {
                    let keep = if y == from { to } else { from };
                    let slot = usize::from(cache[0].0 == keep);
                    cache[slot].0 = y;
                    resize_row(image.row(y.unsigned_abs()), columns, &mut cache[slot].1);
                }
            }
            let held = |y: isize| &cache[usize::from(cache[0].0 != y)].1;
            let [w0, w1] = tap.weights;
            for ((out, &s0), &s1) in row.iter_mut().zip(held(from)).zip(held(to)) {
                *out = ((((w0 * (s0 >> 4)) >> 16) + ((w1 * (s1 >> 4)) >> 16) + 2) >> 2) as u8;
            }
            pixels.extend_from_slice(&row);
        }
    }
}

#[inline(always)]
fn resize_row(row: &[u8], taps: &[Tap], out: &mut Vec<i32>) {
    out.resize(taps.len() * 3, 0);
    for (tap, out) in taps.iter().zip(out.chunks_exact_mut(3)) {
        let left = tap.start.unsigned_abs() * 3;
        // The last pixel has no neighbour, and its neighbour no weight.
        let right = if tap.weights[1] == 0 { left } else { left + 3 };
        let (left, right) = (&row[left..left + 3], &row[right..right + 3]);
        for ((out, &a), &b) in out.iter_mut().zip(left).zip(right) {
            *out = i32::from(a) * tap.weights[0] + i32::from(b) * tap.weights[1];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::crop;

    fn noise(width: usize, height: usize) -> RgbImage {
        let pixels = (0..width * height * 3).map(|i| (i * i * 31 % 251) as u8).collect();
        RgbImage { width, height, pixels }
    }

    #[test]
    fn a_window_is_a_part_of_the_whole() {
        for (width, height) in [(61, 23), (20, 60), (41, 29), (82, 58)] {
            let image = noise(41, 29);
            let all = Region { left: 0, top: 0, width, height };
            let region = Region { left: 3, top: 5, width: width - 7, height: height - 6 };
            let whole = linear(&image, width, height, all).unwrap();
            assert_eq!(linear(&image, width, height, region), crop(&whole, region));
        }
    }

    #[test]
    fn flat_stays_flat() {
        let image = RgbImage { width: 40, height: 30, pixels: vec![255; 3600] };
        let all = Region { left: 0, top: 0, width: 64, height: 48 };
        assert!(linear(&image, 64, 48, all).unwrap().pixels.iter().all(|&p| p == 255));
    }
}
