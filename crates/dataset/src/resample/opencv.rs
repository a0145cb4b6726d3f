//! OpenCV's `INTER_LINEAR` for 8-bit images, after `imgproc/src/resize.cpp` of OpenCV 4.5.5.
//!
//! No antialiasing. Coefficients are f32, rounded to [`COEFFICIENT_BITS`] bits; a row is interpolated
//! to 19-bit integers and two rows are then blended in 16-bit arithmetic that drops low bits on the
//! way (`>> 4`, `>> 16`, `+ 2 >> 2`). OpenCV's SIMD and scalar code agree on it.

use std::ops::Range;

use pulp::{Arch, NullaryFnOnce};

use super::Window;
use crate::RgbImage;

/// Fraction bits of a coefficient (`INTER_RESIZE_COEF_BITS`).
const COEFFICIENT_BITS: u32 = 11;

/// A source position and the fixed-point weights of it and the next one.
#[derive(Clone, Copy)]
struct Tap {
    /// May lie one before the first row (never so for columns).
    start: isize,
    weights: [i32; 2],
}

/// Source pixels an output pixel, the way OpenCV rounds it: the reciprocal of the inverse.
fn scale(input: usize, output: usize) -> f64 {
    1.0 / (output as f64 / input as f64)
}

fn taps(input: usize, output: usize, wanted: Range<usize>, clamp: bool) -> Vec<Tap> {
    let scale = scale(input, output);
    let last = input as isize - 1;
    wanted
        .map(|position| {
            let at = ((position as f64 + 0.5) * scale - 0.5) as f32;
            let mut start = at.floor() as isize;
            let mut fraction = at - start as f32;
            // Columns beyond the edge become the edge pixel. Rows keep their weights and read the
            // edge row twice, which is not always the same after rounding.
            if clamp && start < 0 {
                (start, fraction) = (0, 0.0);
            }
            if clamp && start >= last {
                (start, fraction) = (last, 0.0);
            }
            let fixed = |weight: f32| (weight * (1 << COEFFICIENT_BITS) as f32).round_ties_even() as i32;
            Tap { start, weights: [fixed(1.0 - fraction), fixed(fraction)] }
        })
        .collect()
}

/// The window of `image` resized to `width` x `height`.
pub(crate) fn resize_linear(image: &RgbImage, width: usize, height: usize, window: Window) -> RgbImage {
    let halves = |input, output| (scale(input, output) - 2.0).abs() < f64::EPSILON;
    if halves(image.width, width) && halves(image.height, height) {
        return halve(image, window);
    }
    let columns = taps(image.width, width, window.columns(), true);
    let rows = taps(image.height, height, window.rows(), false);
    let mut pixels = Vec::with_capacity(window.width * window.height * 3);
    Arch::new().dispatch(Pass { image, columns: &columns, rows: &rows, pixels: &mut pixels });
    RgbImage { width: window.width, height: window.height, pixels }
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

/// Exactly half in both directions: OpenCV switches to `INTER_AREA`, the rounded mean of four.
fn halve(image: &RgbImage, window: Window) -> RgbImage {
    let mut pixels = Vec::with_capacity(window.width * window.height * 3);
    for y in window.rows() {
        let (upper, lower) = (image.row(2 * y), image.row(2 * y + 1));
        for x in window.columns() {
            for at in 6 * x..6 * x + 3 {
                let sum: u16 =
                    [upper[at], upper[at + 3], lower[at], lower[at + 3]].map(u16::from).iter().sum();
                pixels.push(((sum + 2) >> 2) as u8);
            }
        }
    }
    RgbImage { width: window.width, height: window.height, pixels }
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
            let all = Window { left: 0, top: 0, width, height };
            let window = Window { left: 3, top: 5, width: width - 7, height: height - 6 };
            let whole = resize_linear(&image, width, height, all);
            assert_eq!(resize_linear(&image, width, height, window), crop(&whole, window));
        }
    }

    #[test]
    fn flat_stays_flat() {
        let image = RgbImage { width: 40, height: 30, pixels: vec![255; 3600] };
        let all = Window { left: 0, top: 0, width: 64, height: 48 };
        assert!(resize_linear(&image, 64, 48, all).pixels.iter().all(|&p| p == 255));
    }

    #[test]
    fn half_the_size_is_the_mean_of_four() {
        let image = RgbImage { width: 2, height: 2, pixels: vec![0, 1, 2, 0, 1, 2, 1, 1, 2, 1, 2, 2] };
        let all = Window { left: 0, top: 0, width: 1, height: 1 };
        assert_eq!(resize_linear(&image, 1, 1, all).pixels, [1, 1, 2]);
    }
}
