//! Products of matrices of which both were computed of the image: attention. They are small, a head's, and are read as they lie: to pack
//! them as weights are packed would cost as much as it saves.

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::map::{MapView, Output};
use crate::simd::Simd;

/// The matrices that are multiplied, one pair after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Matrices {
    /// Pairs.
    pub(crate) count: usize,
    /// Rows of the first of each pair, and of the result: pixels.
    pub(crate) rows: usize,
    /// Columns of the first, and rows of the second.
    pub(crate) depth: usize,
}

impl Matrices {
    /// Pixels of the result.
    pub(crate) fn pixels(&self) -> usize {
        self.count * self.rows
    }
}

/// Rows of the largest tile.
const ROWS: usize = 6;

/// The output pixels `pixels` of the products of the matrices in `map` and in `other`, whose rows are pixels, finished by `epilogue`.
///
/// # Panics
/// Where `map`, `other` or the output has fewer pixels or channels than `matrices` says.
#[inline(always)]
pub(crate) fn product<S: Simd>(
    simd: S,
    (map, other, matrices): (MapView<'_>, &[f32], Matrices),
    epilogue: &Epilogue<'_>,
    pixels: Range<usize>,
    output: Output<'_>,
) {
    let Matrices { count, rows, depth } = matrices;
    let (stride, channels) = (map.channels(), output.channels());
    output.check(&pixels, epilogue);
    assert_eq!(output.stride(), channels, "pixels one after the other");
    assert!(pixels.end <= matrices.pixels() && depth <= stride, "pixels {pixels:?} of {matrices:?}");
    assert!(matrices.pixels() * stride <= map.pixels().len(), "{matrices:?} of {stride} columns");
    assert!(count * depth * channels <= other.len(), "{matrices:?} times {channels} columns");
    let mut first = pixels.start;
    while first < pixels.end {
        let pair = first / rows;
        let end = pixels.end.min((pair + 1) * rows);
        let tile = Tile {
            a: map.pixels()[first * stride..].as_ptr(),
            stride,
            b: other[pair * depth * channels..].as_ptr(),
            depth,
            first,
        };
        let count = match end - first {
            left if left >= ROWS => ROWS,
            left if left >= 4 => 4,
            left if left >= 2 => 2,
            _ => 1,
        };
        // SAFETY: rows `first` to `end` are of one pair, whose matrices `map` and `other` were seen to hold whole; the output was checked for
        // these rows.
        unsafe {
            match count {
                ROWS => tile.run::<S, ROWS>(simd, epilogue, output),
                4 => tile.run::<S, 4>(simd, epilogue, output),
                2 => tile.run::<S, 2>(simd, epilogue, output),
                _ => tile.run::<S, 1>(simd, epilogue, output),
            }
        }
        first += count;
    }
}

/// Some rows of a product.
#[derive(Clone, Copy)]
struct Tile {
    /// The first row of the first matrix.
    a: *const f32,
    /// Elements from one of its rows to the next.
    stride: usize,
    /// The second matrix.
    b: *const f32,
    depth: usize,
    /// The output pixel of the first row.
    first: usize,
}

impl Tile {
    /// Computes `R` rows.
    ///
    /// # Safety
    /// `a` must have `R` rows of `depth` elements, and `b` `depth` rows of the output's channels; the output's pixels from `first` on must
    /// be the caller's, and the epilogue checked for them.
    #[inline(always)]
    unsafe fn run<S: Simd, const R: usize>(self, simd: S, epilogue: &Epilogue<'_>, output: Output<'_>) {
        let channels = output.channels();
        let mut channel = 0;
        while channel + 2 * S::LANES <= channels {
            // SAFETY: two vectors of channels are left, and the rest is the caller's word.
            unsafe { self.columns::<S, R, 2>(simd, channel, epilogue, output) };
            channel += 2 * S::LANES;
        }
        if channel < channels {
            // SAFETY: `LANES` divides the channels, so that there is one vector.
            unsafe { self.columns::<S, R, 1>(simd, channel, epilogue, output) };
        }
    }

    /// Computes `V` vectors of columns from `channel` on of `R` rows.
    ///
    /// # Safety
    /// As [`Tile::run`]; the vectors must be among the output's channels.
    #[inline(always)]
    unsafe fn columns<S: Simd, const R: usize, const V: usize>(
        self,
        simd: S,
        channel: usize,
        epilogue: &Epilogue<'_>,
        output: Output<'_>,
    ) {
        let channels = output.channels();
        let mut sums = [[simd.splat(0.0); V]; R];
        for place in 0..self.depth {
            let mut columns = [simd.splat(0.0); V];
            for (vector, columns) in columns.iter_mut().enumerate() {
                // SAFETY: `b` has this row and these columns, says the caller.
                *columns = unsafe { simd.load(self.b.add(place * channels + channel + vector * S::LANES)) };
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `a` has `R` rows of `depth` elements, says the caller.
                let a = simd.splat(unsafe { *self.a.add(row * self.stride + place) });
                for (sum, &columns) in sums.iter_mut().zip(&columns) {
                    *sum = simd.mul_add(a, columns, *sum);
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            let begin = (self.first + row) * channels;
            for (vector, sum) in sums.into_iter().enumerate() {
                let channel = channel + vector * S::LANES;
                // SAFETY: the output has this pixel and these channels, and the epilogue was checked for them, says the caller.
                unsafe {
                    let sum = epilogue.finish(simd, sum, begin, channel);
                    simd.store(output.as_mut_ptr().add(begin + channel), sum);
                }
            }
        }
    }
}
