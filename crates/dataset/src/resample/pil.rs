//! Pillow's 8-bit resampler, after `libImaging/Resample.c` of Pillow 9.5 (unchanged up to 12), and its
//! nearest neighbour, after `ImagingScaleAffine` of `libImaging/Geometry.c`.
//!
//! Two passes, horizontal then vertical, rounded and clipped to u8 after each. The filter is widened
//! when shrinking (antialiasing). Coefficients are computed and normalised in f64, then rounded to
//! fixed point with [`PRECISION`] bits; sums are exact 32-bit integers, so their order is free.

use std::ops::Range;

use super::{Window, crop};
use crate::RgbImage;

/// Fraction bits of a coefficient: 32, less 8 for the pixel and 2 for the filter's overshoot.
const PRECISION: u32 = 32 - 8 - 2;

/// A convolution filter of Pillow's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    Bilinear,
    Bicubic,
}

impl Filter {
    /// Half the filter's width, in pixels of the coarser grid.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic => {
                const A: f64 = -0.5;
                if x < 1.0 {
                    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    (((x - 5.0) * x + 8.0) * x - 4.0) * A
                } else {
                    0.0
                }
            }
            Self::Bilinear => 0.0,
        }
    }
}

/// What one output position takes from the source axis.
struct Tap {
    /// First source position.
    start: usize,
    /// Fixed-point coefficients of `start`, `start + 1`, ...
    coefficients: Vec<i32>,
}

/// `precompute_coeffs` and `normalize_coeffs_8bpc`, for some of the output positions.
fn taps(filter: Filter, input: usize, output: usize, wanted: Range<usize>) -> Vec<Tap> {
    let scale = input as f64 / output as f64;
    let filter_scale = scale.max(1.0);
    let support = filter.support() * filter_scale;
    let inverse = 1.0 / filter_scale;
    wanted
        .map(|position| {
            let center = (position as f64 + 0.5) * scale;
            // Casts truncate towards zero, as C's do; a negative start saturates to 0.
            let start = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(input);
            let weights: Vec<f64> =
                (start..end).map(|at| filter.weight((at as f64 - center + 0.5) * inverse)).collect();
            let total: f64 = weights.iter().sum();
            let coefficients = weights
                .iter()
                .map(|weight| {
                    let weight = if total == 0.0 { *weight } else { weight / total };
                    let fixed = weight * f64::from(1u32 << PRECISION);
                    (fixed + if weight < 0.0 { -0.5 } else { 0.5 }) as i32
                })
                .collect();
            Tap { start, coefficients }
        })
        .collect()
}

/// Rounds a fixed-point sum that was started at half a unit, and clips it.
fn clip8(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (PRECISION - 1);

/// The window of `image` resized to `width` x `height`.
pub(crate) fn resize(
    image: &RgbImage,
    filter: Filter,
    width: usize,
    height: usize,
    window: Window,
) -> RgbImage {
    // Like Pillow: a pass is left out where the length does not change.
    let vertical = (height != image.height).then(|| taps(filter, image.height, height, window.rows()));
    let rows = match &vertical {
        Some(taps) => {
            let first = taps.iter().map(|tap| tap.start).min().unwrap_or(0);
            let last = taps.iter().map(|tap| tap.start + tap.coefficients.len()).max().unwrap_or(0);
            first..last
        }
        None => window.rows(),
    };
    let narrowed = if width == image.width {
        let part = Window { top: rows.start, height: rows.len(), ..window };
        crop(image, part)
    } else {
        resize_rows(image, &taps(filter, image.width, width, window.columns()), rows.clone())
    };
    match vertical {
        Some(taps) => resize_columns(&narrowed, &taps, rows.start),
        None => narrowed,
    }
}

fn resize_rows(image: &RgbImage, taps: &[Tap], rows: Range<usize>) -> RgbImage {
    let mut out = RgbImage { width: taps.len(), height: rows.len(), pixels: Vec::new() };
    out.pixels.reserve_exact(out.width * out.height * 3);
    for y in rows {
        let row = image.row(y);
        for tap in taps {
            let mut sums = [HALF; 3];
            for (pixel, &k) in row[tap.start * 3..].chunks_exact(3).zip(&tap.coefficients) {
                sums[0] += i32::from(pixel[0]) * k;
                sums[1] += i32::from(pixel[1]) * k;
                sums[2] += i32::from(pixel[2]) * k;
            }
            out.pixels.extend_from_slice(&sums.map(clip8));
        }
    }
    out
}

/// `first_row` is the source row that row 0 of `image` holds.
fn resize_columns(image: &RgbImage, taps: &[Tap], first_row: usize) -> RgbImage {
    let mut out = RgbImage { width: image.width, height: taps.len(), pixels: Vec::new() };
    out.pixels.reserve_exact(out.width * out.height * 3);
    let mut sums = vec![HALF; image.width * 3];
    for tap in taps {
        sums.fill(HALF);
        for (y, &k) in (tap.start - first_row..).zip(&tap.coefficients) {
            for (sum, &value) in sums.iter_mut().zip(image.row(y)) {
                *sum += i32::from(value) * k;
            }
        }
        out.pixels.extend(sums.iter().map(|&sum| clip8(sum)));
    }
    out
}

/// The whole of `image` resized to `width` x `height` by Pillow's `NEAREST`.
pub(crate) fn nearest(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    let columns = nearest_positions(image.width, width);
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in nearest_positions(image.height, height) {
        let row = image.row(y);
        for &x in &columns {
            pixels.extend_from_slice(&row[x * 3..x * 3 + 3]);
        }
    }
    RgbImage { width, height, pixels }
}

fn nearest_positions(input: usize, output: usize) -> Vec<usize> {
    let step = input as f64 / output as f64;
    // Added up step by step, because Pillow does: the rounding error is part of the answer. Pillow
    // leaves positions that come out past the end black; with errors this small none does.
    let mut at = step * 0.5;
    (0..output)
        .map(|_| {
            let position = (at as usize).min(input - 1);
            at += step;
            position
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_add_up_to_one() {
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for (input, output) in [(500, 444), (375, 333), (60, 333), (7, 5), (1, 9)] {
                for tap in taps(filter, input, output, 0..output) {
                    let sum: i64 = tap.coefficients.iter().map(|&k| i64::from(k)).sum();
                    let error = sum - (1 << PRECISION);
                    assert!(error.abs() <= tap.coefficients.len() as i64, "{filter:?} {input}->{output}");
                    assert!(tap.start + tap.coefficients.len() <= input);
                }
            }
        }
    }

    #[test]
    fn a_window_is_a_part_of_the_whole() {
        let (w, h) = (41, 29);
        let pixels = (0..w * h * 3).map(|i| (i * i * 31 % 251) as u8).collect();
        let image = RgbImage { width: w, height: h, pixels };
        let whole_window = Window { left: 0, top: 0, width: 61, height: 23 };
        let whole = resize(&image, Filter::Bicubic, 61, 23, whole_window);
        let window = Window { left: 11, top: 3, width: 30, height: 17 };
        assert_eq!(resize(&image, Filter::Bicubic, 61, 23, window), crop(&whole, window));
    }

    #[test]
    fn nearest_takes_pixel_centres() {
        assert_eq!(nearest_positions(4, 2), [1, 3]);
        assert_eq!(nearest_positions(2, 4), [0, 0, 1, 1]);
        assert_eq!(nearest_positions(5, 3), [0, 2, 4]);
    }
}
