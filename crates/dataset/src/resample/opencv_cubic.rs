//! `cv2.resize(.., INTER_CUBIC)` of the opencv-python 4.5.5 wheels, on 8-bit RGB.
//!
//! Those wheels do not run OpenCV's own bicubic code: they hand the job to Intel's IPP (2020.0.0),
//! which is closed. What it computes was found by measuring `cv2.resize` (impulses give the
//! coefficients; pixels whose exact value lies next to a rounding tie tell the order of the sums
//! apart), and is, in f32:
//!
//! - the fraction of the source position, rounded to f32, then again by adding 1;
//! - the cubic kernel with A = -0.75 of that, rounded to f32;
//! - horizontal pass first, unrounded: `fma(p0, w0, p1 * w1) + fma(p2, w2, p3 * w3)`, and next to the
//!   left and right edge, where pixels repeat, `fma(p0, w0, p2 * w2) + fma(p3, w3, p1 * w1)`;
//! - vertical pass: the first of these formulas, everywhere;
//! - rounded to the nearest integer, ties to even, and clipped.
//!
//! IPP chooses its code by processor, and the frozen answers were made with its AVX-512 code, which is
//! the one followed here. Over the 24 sample crops (6,436,872 bytes) its AVX2 code differs by one
//! level in 23 bytes, its SSE4.2 code in 22, and OpenCV's own fixed-point code, which other builds and
//! later versions run, in 217,548 (measured with `OPENCV_IPP=avx2`, `sse42`, `disabled`). The last few
//! columns of a whole resized image, where IPP's vectors run out, may be rounded in yet another order;
//! no crop reaches them. Below 4 pixels a side OpenCV does not use IPP, and this module must not be
//! asked.

use std::ops::Range;

use super::{Window, crop};
use crate::RgbImage;

/// IPP takes images of at least this many pixels a side.
pub(crate) const MIN_SIDE: usize = 4;

struct Tap {
    /// Source positions, those beyond an edge replaced by the edge.
    positions: [usize; 4],
    weights: [f32; 4],
    /// Next to an edge: a position beyond it was replaced.
    edge: bool,
}

fn taps(input: usize, output: usize, wanted: Range<usize>) -> Vec<Tap> {
    wanted
        .map(|position| {
            // (position + 0.5) * input / output - 0.5, as an exact fraction.
            let denominator = 2 * output as i64;
            let numerator = (2 * position as i64 + 1) * input as i64 - output as i64;
            let start = numerator.div_euclid(denominator);
            let fraction = (numerator.rem_euclid(denominator) as f64 / denominator as f64) as f32;
            let last = input as i64 - 1;
            let positions = [-1, 0, 1, 2].map(|step| (start + step).clamp(0, last) as usize);
            let edge = start < 1 || start + 2 > last;
            Tap { positions, weights: weights(1.0 + fraction), edge }
        })
        .collect()
}

/// The weights of four neighbours, from the distance to the first, in [1, 2].
fn weights(distance: f32) -> [f32; 4] {
    let near = |d: f64| (1.25 * d - 2.25) * d * d + 1.0;
    let far = |d: f64| ((-0.75 * d + 3.75) * d - 6.0) * d + 3.0;
    let d = f64::from(distance);
    [far(d), near(d - 1.0), near(2.0 - d), far(3.0 - d)].map(|weight| weight as f32)
}

/// `a * b + c`, rounded once to f32. The product is exact in f64; the sum there is rounded at the
/// 53rd bit, which moves the result only if it falls on a tie of f32 by just that: measured against
/// the real fused operation, never. (`f32::mul_add` is a library call on processors without it.)
#[inline]
fn fused(a: f32, b: f32, c: f32) -> f32 {
    (f64::from(a) * f64::from(b) + f64::from(c)) as f32
}

/// The window of `image` resized to `width` x `height`.
///
/// # Panics
/// If a side of `image` is below [`MIN_SIDE`].
pub(crate) fn resize_cubic(image: &RgbImage, width: usize, height: usize, window: Window) -> RgbImage {
    if (width, height) == (image.width, image.height) {
        return crop(image, window);
    }
    assert!(image.width >= MIN_SIDE && image.height >= MIN_SIDE, "IPP does not take images this small");
    let columns = taps(image.width, width, window.columns());
    let rows = taps(image.height, height, window.rows());
    let stride = window.width * 3;

    // Every source row that is needed, horizontally resized, by source row.
    let first = rows.first().map_or(0, |tap| tap.positions[0]);
    let end = rows.last().map_or(0, |tap| tap.positions[3] + 1);
    let mut needed = vec![false; image.height];
    for tap in &rows {
        tap.positions.iter().for_each(|&y| needed[y] = true);
    }
    let mut narrowed = vec![0.0_f32; (end - first) * stride];
    for (y, out) in (first..end).zip(narrowed.chunks_exact_mut(stride)) {
        if needed[y] {
            resize_row(image.row(y), &columns, out);
        }
    }

    let mut pixels = Vec::with_capacity(stride * window.height);
    for tap in &rows {
        let [a, b, c, d] = tap.positions.map(|y| &narrowed[(y - first) * stride..][..stride]);
        let w = tap.weights;
        pixels.extend(
            a.iter()
                .zip(b)
                .zip(c)
                .zip(d)
                .map(|(((&a, &b), &c), &d)| round(fused(a, w[0], b * w[1]) + fused(c, w[2], d * w[3]))),
        );
    }
    RgbImage { width: window.width, height: window.height, pixels }
}

fn resize_row(row: &[u8], taps: &[Tap], out: &mut [f32]) {
    for (tap, out) in taps.iter().zip(out.chunks_exact_mut(3)) {
        let w = tap.weights;
        for (channel, out) in out.iter_mut().enumerate() {
            let [a, b, c, d] = tap.positions.map(|x| f32::from(row[x * 3 + channel]));
            *out = if tap.edge {
                fused(a, w[0], c * w[2]) + fused(d, w[3], b * w[1])
            } else {
                fused(a, w[0], b * w[1]) + fused(c, w[2], d * w[3])
            };
        }
    }
}

/// To the nearest integer, ties to even, clipped.
#[inline]
fn round(value: f32) -> u8 {
    // Above 2^23 an f32 has no fraction: the addition itself rounds, and the integer is left in the
    // low bits. `round_ties_even` is a library call on processors without such an instruction.
    const SHIFT: f32 = 8_388_608.0;
    (value.clamp(0.0, 255.0) + SHIFT).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_ties_to_even() {
        for value in [-3.0, -0.5, 0.0, 0.5, 0.50001, 1.5, 2.5, 2.4999, 127.5, 128.5, 254.5, 254.6, 300.0_f32]
        {
            assert_eq!(round(value), value.round_ties_even().clamp(0.0, 255.0) as u8, "{value}");
        }
    }

    #[test]
    fn fused_rounds_once() {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f64::from(state) / f64::from(u32::MAX) * 300.0 - 20.0) as f32
        };
        for _ in 0..200_000 {
            let (a, b, c) = (next(), next() / 250.0, next());
            assert_eq!(fused(a, b, c), a.mul_add(b, c), "{a} * {b} + {c}");
        }
    }

    #[test]
    fn weights_are_ipps() {
        // Column 9 of a row of 500 resized to 454, as cv2 4.5.5 shows it for impulses.
        let tap = &taps(500, 454, 9..10)[0];
        assert_eq!(tap.positions, [8, 9, 10, 11]);
        assert_eq!(tap.weights, IMPULSES);
    }
    const IMPULSES: [f32; 4] = [-0.001_012_216_3, 0.030_121_27, 0.996_910_87, -0.026_019_903];

    #[test]
    fn a_window_is_a_part_of_the_whole() {
        let (w, h) = (41, 29);
        let pixels = (0..w * h * 3).map(|i| (i * i * 31 % 251) as u8).collect();
        let image = RgbImage { width: w, height: h, pixels };
        let whole = resize_cubic(&image, 61, 23, Window { left: 0, top: 0, width: 61, height: 23 });
        let window = Window { left: 11, top: 3, width: 30, height: 17 };
        assert_eq!(resize_cubic(&image, 61, 23, window), crop(&whole, window));
    }
}
