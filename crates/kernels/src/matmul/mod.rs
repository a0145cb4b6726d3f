//! The matrix multiplication that 93 % of the arithmetic is: rows of multiplicands, laid out for it by
//! [`crate::rows`], times weights packed once at load, with everything that comes after in the epilogue
//! (bias, residual, normalisation, ReLU), while the sums are still in registers.
//!
//! A *tile* is at most [`Simd::MR`] rows; its multiplicands lie block after block of [`BLOCK`] channels,
//! within a block row after row, so that every address in the inner loop is one pointer plus a constant.
//! Where rows are taken two by two ([`strassen`]), a tile is twice as many, the even ones and then the odd
//! ones of each block. Weights lie as [`packed`] says.

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::map::{Ahead, Output};
use crate::simd::{BLOCK, Simd};

mod kernel;
mod packed;
mod strassen;
mod tiles;
pub(crate) mod winograd;

use kernel::{Multiply, Place};
use packed::Unit;
use strassen::{Left, PLANS, ProductPlan};

pub(crate) use packed::Packed;
pub(crate) use tiles::{BLOCK_WORDS, Tiles};

/// The rows of a block, to be multiplied.
pub(crate) struct RowBlock<'a> {
    /// The tiles, one behind the other.
    pub(crate) multiplicands: &'a mut [f32],
    pub(crate) tiles: Tiles,
    /// Room for what [`Packed::room`] says: the sums, then the results.
    pub(crate) room: &'a mut [f32],
    pub(crate) epilogue: &'a Epilogue<'a>,
    pub(crate) output: Output<'a>,
    /// The output pixel that the first row is of.
    pub(crate) first_row: usize,
    /// The output channel that the weights' first one is.
    pub(crate) first_channel: usize,
    pub(crate) ahead: Ahead<'a>,
}

/// Multiplies `rows` with the units `units` of `weights`.
///
/// # Panics
/// Where rows, room, output or epilogue are smaller than the weights ask for. [`Multiply`] asserts it for each tile.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(simd: S, rows: RowBlock<'_>, weights: &Packed, units: Range<usize>) {
    let RowBlock { multiplicands, tiles, room, epilogue, output, first_row, first_channel, ahead } = rows;
    let channels = first_channel + weights.channels;
    assert!(channels <= output.channels(), "{channels} channels of {}", output.channels());
    let places = weights.room(tiles.rows);
    let (sums, results) = room.split_at_mut(places.sums());
    if weights.has_pairs() {
        strassen::sum_rows(simd, multiplicands, tiles, places, sums);
    }
    let (multiplicands, sums) = (&*multiplicands, &*sums);
    let parts = units.len() * tiles.count();
    let mut part = 0;
    let mut prefetch = || {
        ahead.prefetch(simd, part, parts);
        part += 1;
    };
    let row_words = weights.depth_blocks * S::WORDS;
    for unit in units {
        match weights.unit(unit) {
            Unit::Panel { channel, width, depth, weights: b } => {
                let channel = first_channel + channel;
                for index in 0..tiles.count() {
                    prefetch();
                    let tile = tiles.tile(index);
                    for first in 0..tile.together.min(tile.rows) {
                        let height = (tile.rows - first).div_ceil(tile.together);
                        simd.vectorize(&mut Multiply {
                            height,
                            vectors: width / S::LANES,
                            a: &multiplicands[tile.start * row_words + tile.slot(first) * S::WORDS..],
                            stride: tile.slots * S::WORDS,
                            b,
                            depth,
                            run: weights.run,
                            next: b.as_ptr().wrapping_add(depth * width + index * depth * BLOCK),
                            plan: &ProductPlan::PLAIN,
                            results: &mut [],
                            epilogue,
                            place: Place::of(output, first_row, tile, first, height, channel),
                        });
                    }
                }
            }
            Unit::Pair { channel, width, weights: mut b } => {
                for (product, plan) in PLANS.iter().enumerate() {
                    let depth = weights.product_depth(product);
                    for index in 0..tiles.count() {
                        if product == 0 {
                            prefetch();
                        }
                        let tile = tiles.tile(index);
                        let half_rows = tile.slots / 2;
                        let stride = tile.slots * S::WORDS;
                        let (a, stride) = match plan.left {
                            Left::Quadrant(quadrant) => {
                                let (odd, second) = (quadrant / 2, quadrant % 2);
                                let at = tile.start * row_words + odd * half_rows * S::WORDS;
                                let block = second * weights.depth_blocks / 2;
                                (&multiplicands[at + block * stride..], stride)
                            }
                            Left::Sum(sum) => (&sums[places.sum(tile.start, half_rows, sum)..], stride / 2),
                        };
                        let finished = plan.finished.map_or(0, |to| to.quadrant);
                        let (odd, second) = (finished / 2, finished % 2);
                        let height = (tile.rows - odd).div_ceil(2);
                        let channel = first_channel + channel + second * width;
                        simd.vectorize(&mut Multiply {
                            height: half_rows,
                            vectors: width / S::LANES,
                            a,
                            stride,
                            b,
                            depth,
                            run: depth,
                            next: b.as_ptr().wrapping_add(depth * width + index * depth * BLOCK),
                            plan,
                            results: &mut results[places.result(tile.start)..],
                            epilogue,
                            place: Place::of(output, first_row, tile, odd, height, channel),
                        });
                    }
                    b = &b[depth * width..];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::buffer::Shared;
    use crate::isa::Isa;
    use crate::simd::Kernel;

    /// A multiplication of `rows` rows in memory of these lengths.
    #[derive(Clone, Copy)]
    struct Lengths<'a> {
        weights: &'a Packed,
        together: usize,
        rows: usize,
        multiplicands: usize,
        room: usize,
        bias: usize,
        output: usize,
    }

    impl Kernel for Lengths<'_> {
        fn run<S: Simd>(self, simd: S) {
            let [mut multiplicands, mut room, bias, mut output] =
                [self.multiplicands, self.room, self.bias, self.output].map(|len| vec![0.0; len]);
            let rows = RowBlock {
                multiplicands: &mut multiplicands,
                tiles: Tiles::new(self.rows, S::MR, self.together),
                room: &mut room,
                epilogue: &Epilogue::of([crate::epilogue::Finish::Bias(&bias)]),
                // SAFETY: nobody else has it.
                output: unsafe { Output::new(Shared::new(&mut output), self.weights.channels) },
                first_row: 0,
                first_channel: 0,
                ahead: Ahead::NOTHING,
            };
            multiply(simd, rows, self.weights, 0..self.weights.units());
        }
    }

    #[test]
    fn memory_that_is_too_short_for_a_multiplication_is_refused() {
        for isa in Isa::available() {
            for (depth, channels, rows) in [(40, 48, 3), (512, 512, 5)] {
                let weights = &Packed::new(isa, depth, channels, |_| |_| 1.0).unwrap();
                let together = if weights.has_pairs() { 2 } else { 1 };
                let words =
                    usize::next_multiple_of(rows, together) * weights.depth_blocks * isa.facts().block_words;
                let room = weights.room(rows);
                let enough = Lengths {
                    weights,
                    together,
                    rows,
                    multiplicands: words,
                    room: room.sums() + room.results(),
                    bias: channels,
                    output: rows * channels,
                };
                let holds = |lengths| catch_unwind(AssertUnwindSafe(|| isa.run(lengths))).is_ok();
                assert!(holds(enough), "{isa:?}");
                assert!(
                    !holds(Lengths { multiplicands: words - isa.facts().block_words, ..enough }),
                    "{isa:?}"
                );
                assert!(!holds(Lengths { bias: channels - 1, ..enough }), "{isa:?}");
                assert!(!holds(Lengths { output: rows * channels - 1, ..enough }), "{isa:?}");
                if weights.has_pairs() {
                    assert!(!holds(Lengths { room: enough.room - 1, ..enough }), "{isa:?}");
                    assert!(!holds(Lengths { room: 0, ..enough }), "{isa:?}");
                }
            }
        }
    }
}
