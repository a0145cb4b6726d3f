//! The vertical pass, in loops that the compiler vectorises, compiled for each instruction set.

use pulp::{Arch, NullaryFnOnce};

use super::PaddedRows;
use super::taps::{HALF, Taps, clip8};

/// Bytes of a row that are summed at a time, in registers.
pub(super) const BLOCK: usize = 64;

/// `source` resized to the rows that `taps` describes, appended to `out` without padding.
pub(super) fn resize_columns(source: &PaddedRows, taps: &Taps, out: &mut Vec<u8>) {
    Arch::new().dispatch(Pass { source, taps, out });
}

struct Pass<'a> {
    source: &'a PaddedRows,
    taps: &'a Taps,
    out: &'a mut Vec<u8>,
}

impl NullaryFnOnce for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { source, taps, out } = self;
        for (start, coefficients) in taps.iter() {
            let rows = source.rows(start, coefficients.len());
            // The usual numbers of taps; what the compiler knows to be constant stays in registers.
            match coefficients.len() {
                2 => resize_row::<2>(rows, source, coefficients, out),
                3 => resize_row::<3>(rows, source, coefficients, out),
                4 => resize_row::<4>(rows, source, coefficients, out),
                5 => resize_row::<5>(rows, source, coefficients, out),
                6 => resize_row::<6>(rows, source, coefficients, out),
                _ => resize_row::<ANY>(rows, source, coefficients, out),
            }
        }
    }
}

/// Stands for a number of taps that is not known when compiling.
const ANY: usize = 0;

/// Appends the sum of `rows` of `source`, of which there are `N`, or [`ANY`].
#[inline(always)]
fn resize_row<const N: usize>(rows: &[u8], source: &PaddedRows, coefficients: &[i32], out: &mut Vec<u8>) {
    let (whole, rest) = (source.width() / BLOCK * BLOCK, source.width() % BLOCK);
    for at in (0..whole).step_by(BLOCK) {
        out.extend_from_slice(&block::<N>(&rows[at..], source.stride(), coefficients));
    }
    // Rows are padded to whole blocks.
    out.extend_from_slice(&block::<N>(&rows[whole..], source.stride(), coefficients)[..rest]);
}

// Not closures, here and below: those the compiler may leave uninlined, and so compile for the oldest
// instruction set.

/// The sums over `N` rows, which begin `stride` bytes after one another.
#[inline(always)]
fn block<const N: usize>(rows: &[u8], stride: usize, coefficients: &[i32]) -> [u8; BLOCK] {
    match N {
        ANY => any_block(rows, stride, coefficients),
        _ => known_block::<N>(rows, stride, coefficients),
    }
}

#[inline(always)]
fn known_block<const N: usize>(rows: &[u8], stride: usize, coefficients: &[i32]) -> [u8; BLOCK] {
    let rows: [&[u8; BLOCK]; N] = std::array::from_fn(|tap| first_block(&rows[tap * stride..]));
    let coefficients: [i32; N] = std::array::from_fn(|tap| coefficients[tap]);
    let mut out = [0; BLOCK];
    for (x, out) in out.iter_mut().enumerate() {
        let mut sum = HALF;
        for tap in 0..N {
            // Cannot overflow; the checks would stand in the compiler's way.
            sum = sum.wrapping_add(i32::from(rows[tap][x]).wrapping_mul(coefficients[tap]));
        }
        *out = clip8(sum);
    }
    out
}

#[inline(always)]
fn any_block(rows: &[u8], stride: usize, coefficients: &[i32]) -> [u8; BLOCK] {
    let mut sums = [HALF; BLOCK];
    for (tap, &k) in coefficients.iter().enumerate() {
        for (sum, &value) in sums.iter_mut().zip(first_block(&rows[tap * stride..])) {
            *sum = sum.wrapping_add(i32::from(value).wrapping_mul(k));
        }
    }
    sums.map(clip8)
}

#[inline(always)]
fn first_block(row: &[u8]) -> &[u8; BLOCK] {
    row.first_chunk().expect("rows are padded to whole blocks")
}

#[cfg(test)]
mod tests {
    use super::super::taps::ConvolutionFilter;
    use super::super::tests::noise;
    use super::*;

    /// One output byte at a time.
    fn plain(source: &PaddedRows, taps: &Taps) -> Vec<u8> {
        let mut out = Vec::new();
        for (start, coefficients) in taps.iter() {
            for x in 0..source.width() {
                let values = (start..).map(|y| i32::from(source.row(y)[x]));
                out.push(clip8(HALF + values.zip(coefficients).map(|(value, k)| value * k).sum::<i32>()));
            }
        }
        out
    }

    /// From and to, in pixels.
    const SIZES: [(usize, usize); 8] =
        [(1, 1), (1, 7), (3, 1), (7, 5), (61, 20), (61, 60), (64, 200), (997, 13)];

    #[test]
    fn equals_the_plain_loops() {
        for filter in [ConvolutionFilter::Bilinear, ConvolutionFilter::Bicubic, ConvolutionFilter::Lanczos] {
            for (input, output) in SIZES {
                for width in [1, 5, 21, 22, 43] {
                    for wanted in [0..output, output / 3..output.div_ceil(2)] {
                        let taps = Taps::new(filter, input, output, wanted.clone());
                        let rows =
                            PaddedRows::copy_of(&noise(width, input), 0..width, taps.source()).unwrap();
                        let mut fast = Vec::new();
                        resize_columns(&rows, &taps, &mut fast);
                        assert_eq!(fast.len(), width * 3 * wanted.len());
                        assert!(fast == plain(&rows, &taps), "{filter:?} {width}x{input}->{output}");
                    }
                }
            }
        }
    }
}
