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
//! - horizontally in the last columns before the right edge that do not fill a vector of four: another order, `in_tail`;
//! - vertical pass: the first of these formulas, and without fused operations in the last bytes of a row that do not fill four;
//! - rounded to the nearest integer, ties to even, and clipped.
//!
//! IPP chooses its code by processor, and the frozen answers were made with its AVX-512 code, which is
//! the one followed here. Over the 24 sample crops (6,436,872 bytes) its AVX2 code differs by one
//! level in 23 bytes, its SSE4.2 code in 22, and OpenCV's own fixed-point code, which other builds and
//! later versions run, in 217,548 (measured with `OPENCV_IPP=avx2`, `sse42`, `disabled`). Below 4 pixels
//! a side OpenCV does not use IPP (`cubic_small.rs`).

use std::cmp::Ordering;
use std::ops::Range;

use memory::NoMemory;
use pulp::NullaryFnOnce;

use super::cubic_small;
use crate::RgbImage;
use crate::resample::Region;

/// IPP takes images of at least this many pixels a side.
const MIN_SIDE: usize = 4;

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

/// `a * b + c`, rounded once to f32, by the processor where it can (`FMA`), since `f32::mul_add` is a
/// library call where it cannot. The product is exact in f64; the sum there is rounded at the 53rd
/// bit, which moves the result only if it falls on a tie of f32 by just that: measured against the
/// real fused operation, never.
#[inline(always)]
fn fused<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    match FMA {
        true => a.mul_add(b, c),
        false => (f64::from(a) * f64::from(b) + f64::from(c)) as f32,
    }
}

/// The region of `image` resized to `width` x `height`.
pub(crate) fn cubic(
    image: &RgbImage,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    if image.width.min(image.height) < MIN_SIDE {
        return cubic_small::cubic(image, width, height, region);
    }
    let mut columns = taps(image.width, width, region.columns());
    for tap in columns.iter_mut().filter(|tap| tap.edge) {
        // The order of the sums there, so that one formula serves all columns.
        tap.positions = [0, 2, 3, 1].map(|at| tap.positions[at]);
        tap.weights = [0, 2, 3, 1].map(|at| tap.weights[at]);
    }
    let rows = taps(image.height, height, region.rows());
    let cubic_taps =
        CubicTaps { columns: &columns, rows: &rows, tails: Tails::new(image.width, width, region) };
    let mut pixels = region.room()?;
    resize_by(image, &cubic_taps, &mut pixels)?;
    Ok(RgbImage { width: region.width, height: region.height, pixels })
}

/// Chooses the code by processor: V3 is AVX2 and FMA.
fn resize_by(image: &RgbImage, cubic_taps: &CubicTaps<'_>, pixels: &mut Vec<u8>) -> Result<(), NoMemory> {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return simd.vectorize(Passes::<true> { image, cubic_taps, pixels });
    }
    Passes::<{ cfg!(target_arch = "aarch64") }> { image, cubic_taps, pixels }.call()
}

/// What both passes do.
struct CubicTaps<'a> {
    columns: &'a [Tap],
    rows: &'a [Tap],
    tails: Tails,
}

/// What fills no vector of four, in the region.
struct Tails {
    /// Columns, in the horizontal pass: the last ones between those next to the edges.
    columns: Range<usize>,
    /// Bytes from this one on, in the vertical pass.
    bytes: usize,
}

impl Tails {
    fn new(input: usize, output: usize, region: Region) -> Self {
        // Where a pixel's centre is that of a source pixel, IPP's rounding tells on which side it is.
        let place = |position: usize| (position as f64 + 0.5).mul_add(input as f64 / output as f64, -0.5);
        let is_between = |&position: &usize| {
            let centre = (2 * position + 1) * input;
            let behind_left = match centre.cmp(&(3 * output)) {
                Ordering::Equal => place(position) >= 1.0,
                order => order == Ordering::Greater,
            };
            let before_right = match (centre + 3 * output).cmp(&(2 * input * output)) {
                Ordering::Equal => place(position) < (input - 2) as f64,
                order => order == Ordering::Less,
            };
            behind_left && before_right
        };
        let first = (0..output).find(is_between).unwrap_or(0);
        let count = (first..output).take_while(is_between).count();
        let in_region = |column: usize| column.clamp(region.left, region.left + region.width) - region.left;
        let end = first + count;
        Self {
            columns: in_region(end - count % 4)..in_region(end),
            bytes: (output * 3 / 4 * 4).saturating_sub(region.left * 3).min(region.width * 3),
        }
    }
}

/// Both passes.
struct Passes<'a, const FMA: bool> {
    image: &'a RgbImage,
    cubic_taps: &'a CubicTaps<'a>,
    pixels: &'a mut Vec<u8>,
}

impl<const FMA: bool> NullaryFnOnce for Passes<'_, FMA> {
    type Output = Result<(), NoMemory>;

    #[inline(always)]
    fn call(self) -> Result<(), NoMemory> {
        let Self { image, cubic_taps: &CubicTaps { columns, rows, ref tails }, pixels } = self;
        // Every source row that is needed, horizontally resized, by source row.
        let first = rows.first().map_or(0, |tap| tap.positions[0]);
        let end = rows.last().map_or(0, |tap| tap.positions[3] + 1);
        let mut needed = vec![false; image.height];
        for tap in rows {
            for y in tap.positions {
                needed[y] = true;
            }
        }
        let stride = columns.len() * 3;
        let mut narrowed = memory::filled(0.0_f32, (end - first) * stride)?;
        // A pixel is read as four bytes, so there is one more after the last.
        let mut padded = vec![0; image.width * 3 + 1];
        for (y, out) in (first..end).zip(narrowed.chunks_exact_mut(stride)) {
            if needed[y] {
                padded[..image.width * 3].copy_from_slice(image.row(y));
                resize_row::<FMA>(&padded, columns, out);
                for column in tails.columns.clone() {
                    out[column * 3..][..3].copy_from_slice(&in_tail::<FMA>(&padded, &columns[column]));
                }
            }
        }
        let mut row = vec![0; stride];
        for tap in rows {
            let [a, b, c, d] = tap.positions.map(|y| &narrowed[(y - first) * stride..][..stride]);
            let w = tap.weights;
            for ((((out, &a), &b), &c), &d) in row.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *out = round(fused::<FMA>(a, w[0], b * w[1]) + fused::<FMA>(c, w[2], d * w[3]));
            }
            for at in tails.bytes..stride {
                row[at] = round((a[at] * w[0] + b[at] * w[1]) + (c[at] * w[2] + d[at] * w[3]));
            }
            pixels.extend_from_slice(&row);
        }
        Ok(())
    }
}

#[inline(always)]
fn resize_row<const FMA: bool>(padded: &[u8], taps: &[Tap], out: &mut [f32]) {
    for (tap, out) in taps.iter().zip(out.chunks_exact_mut(3)) {
        let w = tap.weights;
        let [a, b, c, d] = tap.positions.map(|x| &padded[x * 3..x * 3 + 4]);
        let mut sums = [0.0; 4];
        for (channel, sum) in sums.iter_mut().enumerate() {
            let [a, b, c, d] = [a, b, c, d].map(|pixel| f32::from(pixel[channel]));
            *sum = fused::<FMA>(a, w[0], b * w[1]) + fused::<FMA>(c, w[2], d * w[3]);
        }
        out.copy_from_slice(&sums[..3]);
    }
}

/// A pixel of the horizontal pass in the order of the columns that fill no vector.
#[inline(always)]
fn in_tail<const FMA: bool>(padded: &[u8], tap: &Tap) -> [f32; 3] {
    let w = tap.weights;
    std::array::from_fn(|channel| {
        let [a, b, c, d] = tap.positions.map(|x| f32::from(padded[x * 3 + channel]));
        fused::<FMA>(b, w[1], fused::<FMA>(d, w[3], fused::<FMA>(a, w[0], c * w[2])))
    })
}

/// To the nearest integer, ties to even, clipped.
#[inline(always)]
fn round(value: f32) -> u8 {
    // Above 2^23 an f32 has no fraction: the addition itself rounds, and the integer is left in the
    // low bits. `round_ties_even` is a library call on processors without such an instruction.
    const SHIFT: f32 = 8_388_608.0;
    (value.clamp(0.0, 255.0) + SHIFT).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::crop;

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
            assert_eq!(fused::<false>(a, b, c), a.mul_add(b, c), "{a} * {b} + {c}");
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
    fn the_fused_operation_changes_nothing() {
        for (w, h, width, height) in [(41, 29, 61, 23), (4, 5, 9, 4), (50, 37, 45, 34), (90, 60, 7, 5)] {
            let pixels = (0..w * h * 3).map(|i| (i * i * 31 % 251) as u8).collect();
            let image = RgbImage { width: w, height: h, pixels };
            let region = Region { left: 0, top: 0, width, height };
            let (columns, rows) = (taps(w, width, 0..width), taps(h, height, 0..height));
            let cubic_taps =
                CubicTaps { columns: &columns, rows: &rows, tails: Tails::new(w, width, region) };
            let [mut fast, mut plain] = [Vec::new(), Vec::new()];
            resize_by(&image, &cubic_taps, &mut fast).unwrap();
            Passes::<false> { image: &image, cubic_taps: &cubic_taps, pixels: &mut plain }.call().unwrap();
            assert_eq!(fast, plain);
        }
    }

    #[test]
    fn a_window_is_a_part_of_the_whole() {
        let (w, h) = (41, 29);
        let pixels = (0..w * h * 3).map(|i| (i * i * 31 % 251) as u8).collect();
        let image = RgbImage { width: w, height: h, pixels };
        let whole = cubic(&image, 61, 23, Region { left: 0, top: 0, width: 61, height: 23 }).unwrap();
        for (left, width) in [(11, 30), (40, 21), (58, 2), (0, 60)] {
            let region = Region { left, top: 3, width, height: 17 };
            assert_eq!(cubic(&image, 61, 23, region), crop(&whole, region));
        }
    }
}
