//! OpenCV's `INTER_LANCZOS4`: eight taps, not antialiased. Coefficients are f32, rounded to 11 bits; sums are integers, and
//! are rounded once, after the vertical pass.

use std::f64::consts::PI;
use std::ops::Range;

use memory::NoMemory;
use pulp::{Arch, NullaryFnOnce};

use super::{COEFFICIENT_BITS, fixed, scale};
use crate::RgbImage;
use crate::resample::Region;

const TAPS: usize = 8;

struct Tap {
    /// Source positions, those beyond an edge replaced by the edge.
    positions: [usize; TAPS],
    weights: [i32; TAPS],
}

fn taps(input: usize, output: usize, wanted: Range<usize>) -> Vec<Tap> {
    let scale = scale(input, output);
    let last = input as isize - 1;
    let tap = |position: usize| {
        let at = ((position as f64 + 0.5) * scale - 0.5) as f32;
        let start = at.floor();
        let positions =
            std::array::from_fn(|tap| (start as isize - 3 + tap as isize).clamp(0, last) as usize);
        Tap { positions, weights: weights(at - start).map(fixed) }
    };
    wanted.map(tap).collect()
}

/// The weights of eight neighbours, of which the fourth and fifth lie around the position: `fraction` is its distance from
/// the fourth. In the operations of `interpolateLanczos4`, because the order of roundings is part of the answer.
fn weights(fraction: f32) -> [f32; TAPS] {
    /// So close to a source pixel it alone counts, because the formula divides by the distance.
    const NEXT_TO: f32 = 1e-6;
    const OVERWHELMING: f32 = 1e30;
    const DIAGONAL: f64 = std::f64::consts::FRAC_1_SQRT_2;
    /// The sine of a sum by those of its parts: the factors of sine and cosine for each eighth of a turn.
    const TURNS: [[f64; 2]; TAPS] = [
        [1.0, 0.0],
        [-DIAGONAL, -DIAGONAL],
        [0.0, 1.0],
        [DIAGONAL, -DIAGONAL],
        [-1.0, 0.0],
        [DIAGONAL, DIAGONAL],
        [0.0, -1.0],
        [-DIAGONAL, DIAGONAL],
    ];
    let (sine, cosine) = (-f64::from(fraction + 3.0) * PI * 0.25).sin_cos();
    let mut sum = 0.0_f32;
    let weights: [f32; TAPS] = std::array::from_fn(|tap| {
        let distance = fraction + 3.0 - tap as f32;
        let angle = -f64::from(distance) * PI * 0.25;
        let weight = match distance.abs() < NEXT_TO {
            true => OVERWHELMING,
            false => ((TURNS[tap][0] * sine + TURNS[tap][1] * cosine) / (angle * angle)) as f32,
        };
        sum += weight;
        weight
    });
    let inverse = 1.0 / sum;
    weights.map(|weight| weight * inverse)
}

/// The region of `image` resized to `width` x `height`.
pub(crate) fn lanczos4(
    image: &RgbImage,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    let columns = taps(image.width, width, region.columns());
    let rows = taps(image.height, height, region.rows());
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
        // The last eight source rows in hand, horizontally resized, each where its number modulo eight says: the rows of a
        // tap follow one another.
        let mut held: [(Option<usize>, Vec<i32>); TAPS] =
            std::array::from_fn(|_| (None, vec![0; columns.len() * 3]));
        let mut sums = vec![0_i32; columns.len() * 3];
        for tap in rows {
            sums.fill(1 << (2 * COEFFICIENT_BITS - 1));
            for (&y, &weight) in tap.positions.iter().zip(&tap.weights) {
                let (number, row) = &mut held[y % TAPS];
                if *number != Some(y) {
                    *number = Some(y);
                    narrow(image.row(y), columns, row);
                }
                for (sum, &value) in sums.iter_mut().zip(row.iter()) {
                    *sum += value * weight;
                }
            }
            pixels.extend(sums.iter().map(|&sum| (sum >> (2 * COEFFICIENT_BITS)).clamp(0, 255) as u8));
        }
    }
}

#[inline(always)]
fn narrow(row: &[u8], columns: &[Tap], out: &mut [i32]) {
    for (tap, out) in columns.iter().zip(out.chunks_exact_mut(3)) {
        let mut sums = [0; 3];
        for (&x, &weight) in tap.positions.iter().zip(&tap.weights) {
            for (sum, &value) in sums.iter_mut().zip(&row[x * 3..x * 3 + 3]) {
                *sum += i32::from(value) * weight;
            }
        }
        out.copy_from_slice(&sums);
    }
}
