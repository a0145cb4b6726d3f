//! The matrix multiplication that 93 % of the arithmetic is: rows of multiplicands, laid out for it by
//! [`crate::rows`], times weights packed once at load, with everything that comes after in the epilogue
//! (bias, residual, normalisation, ReLU), while the sums are still in registers.
//!
//! A *tile* is at most [`Simd::MR`] rows; its multiplicands lie block after block of [`BLOCK`] channels,
//! within a block row after row, so that every address in the inner loop is one pointer plus a constant.
//! Where rows are taken two by two ([`crate::strassen`]), a tile is twice as many, the even ones and then the odd
//! ones of each block. Weights lie as [`crate::packed`] says.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the functions are unsafe for their pointers, which is all they handle"
)]

use std::ops::Range;

use crate::packed::{Packed, Unit};
use crate::simd::{BLOCK, Kernel, Simd, relu};
use crate::strassen::{self, Left, PLANS, Plan, Room, Use};

/// What is done with the sums before they are stored: `relu(scale * (sum + bias + residual) + shift)`.
/// Pointers are to whole channels; null where there is nothing of the kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epilogue {
    pub(crate) bias: *const f32,
    /// Rows like the output's.
    pub(crate) residual: *const f32,
    pub(crate) scale: *const f32,
    pub(crate) shift: *const f32,
    pub(crate) relu: bool,
}

impl Epilogue {
    /// Adds a bias and nothing else.
    pub(crate) fn of_bias(bias: *const f32) -> Self {
        let null = std::ptr::null();
        Self { bias, residual: null, scale: null, shift: null, relu: false }
    }

    /// Finishes the vector of channels at `channel`, of the row whose first channel is element `row` of
    /// the output.
    #[inline(always)]
    pub(crate) unsafe fn finish<S: Simd>(&self, mut x: S::V, row: usize, channel: usize) -> S::V {
        if !self.bias.is_null() {
            x = S::add(x, S::load(self.bias.add(channel)));
        }
        if !self.residual.is_null() {
            x = S::add(x, S::load(self.residual.add(row + channel)));
        }
        if !self.scale.is_null() {
            x = S::mul_add(x, S::load(self.scale.add(channel)), S::load(self.shift.add(channel)));
        }
        if self.relu {
            x = relu::<S>(x);
        }
        x
    }
}

/// How the rows of a block are cut into tiles: as evenly as can be, because a tile of few rows does not
/// fill the pipeline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiles {
    rows: usize,
    count: usize,
    /// Rows that belong together: 1, or 2 where they are taken two by two.
    together: usize,
    /// Sets of rows that belong together, of each tile.
    height: usize,
    /// Tiles that have one more: the first ones.
    higher: usize,
}

/// A tile of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tile {
    /// Its first row in the block.
    pub(crate) start: usize,
    pub(crate) rows: usize,
    /// Places for rows that it has: one more than rows where the last row has no partner.
    pub(crate) slots: usize,
    together: usize,
}

impl Tile {
    /// The place of a row.
    #[inline(always)]
    pub(crate) fn slot(&self, row: usize) -> usize {
        row % self.together * (self.slots / 2) + row / self.together
    }

    /// Rows that belong together.
    pub(crate) fn together(&self) -> usize {
        self.together
    }
}

impl Tiles {
    /// Of at most `most` rows, `together` of which belong together.
    pub(crate) fn new(rows: usize, most: usize, together: usize) -> Self {
        let sets = rows.div_ceil(together);
        let count = sets.div_ceil(most);
        Self { rows, count, together, height: sets / count.max(1), higher: sets % count.max(1) }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Tile `index`.
    #[inline(always)]
    pub(crate) fn tile(&self, index: usize) -> Tile {
        let start = |index: usize| (index * self.height + index.min(self.higher)) * self.together;
        let (start, end) = (start(index), start(index + 1));
        Tile { start, rows: end.min(self.rows) - start, slots: end - start, together: self.together }
    }
}

/// Memory that will be read next. It is loaded into the second-level cache bit by bit during a multiplication,
/// which leaves the way there idle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    pub(crate) data: *const f32,
    pub(crate) len: usize,
}

impl Ahead {
    pub(crate) const NOTHING: Self = Self { data: std::ptr::null(), len: 0 };

    /// Loads part `index` of `parts`.
    #[inline(always)]
    unsafe fn prefetch<S: Simd>(&self, index: usize, parts: usize) {
        let lines = self.len / BLOCK;
        for line in lines * index / parts..lines * (index + 1) / parts {
            S::prefetch_far(self.data.add(line * BLOCK));
        }
    }
}

/// Where results go: rows of as many elements as there are channels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) data: *mut f32,
    /// The first that is written.
    pub(crate) first_row: usize,
}

/// The rows of a block times some weights.
pub(crate) struct Rows<'a> {
    pub(crate) multiplicands: *mut f32,
    pub(crate) tiles: Tiles,
    /// Room for what [`Packed::room`] says.
    pub(crate) room: *mut f32,
    pub(crate) epilogue: &'a Epilogue,
    pub(crate) output: Output,
    pub(crate) ahead: Ahead,
}

/// Multiplies `rows` with the units `units` of `weights`.
///
/// # Safety
/// The pointers must hold what [`Rows`] says they do.
#[inline(always)]
pub(crate) unsafe fn multiply<S: Simd>(rows: &Rows<'_>, weights: &Packed, units: Range<usize>) {
    let &Rows { multiplicands, tiles, room, epilogue, output, ahead } = rows;
    let places = Room::new(tiles.rows, weights.depth_blocks, S::NV * S::LANES);
    if weights.has_pairs() {
        strassen::sum_rows::<S>(multiplicands, tiles, places, room);
    }
    let parts = units.len() * tiles.count();
    let mut part = 0;
    let mut prefetch = || {
        ahead.prefetch::<S>(part, parts);
        part += 1;
    };
    let row_words = weights.depth_blocks * S::WORDS;
    for unit in units {
        match weights.unit(unit) {
            Unit::Panel { channel, width, depth, weights: b } => {
                for index in 0..tiles.count() {
                    prefetch();
                    let tile = tiles.tile(index);
                    for first in 0..tile.together.min(tile.rows) {
                        let height = (tile.rows - first).div_ceil(tile.together);
                        S::vectorize(&Multiply {
                            height,
                            vectors: width / S::LANES,
                            a: multiplicands.add(tile.start * row_words + tile.slot(first) * S::WORDS),
                            stride: tile.slots * S::WORDS,
                            b,
                            depth,
                            next: b.wrapping_add(depth * width + index * depth * BLOCK),
                            plan: &Plan::PLAIN,
                            results: room,
                            epilogue,
                            place: Place::of(&output, tile, first, height, weights.channels, channel),
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
                                (multiplicands.add(at + block * stride).cast_const(), stride)
                            }
                            Left::Sum(sum) => {
                                (room.add(places.sum(tile.start, half_rows, sum)).cast_const(), stride / 2)
                            }
                        };
                        let finished = plan.finished.map_or(0, |to| to.quadrant);
                        let (odd, second) = (finished / 2, finished % 2);
                        let height = (tile.rows - odd).div_ceil(2);
                        let channel = channel + second * width;
                        S::vectorize(&Multiply {
                            height: half_rows,
                            vectors: width / S::LANES,
                            a,
                            stride,
                            b,
                            depth,
                            next: b.wrapping_add(depth * width + index * depth * BLOCK),
                            plan,
                            results: room.add(places.results(tile.start)),
                            epilogue,
                            place: Place::of(&output, tile, odd, height, weights.channels, channel),
                        });
                    }
                    b = b.add(depth * width);
                }
            }
        }
    }
}

/// Where a tile's results go.
#[derive(Clone, Copy)]
struct Place {
    output: *mut f32,
    /// Element at which the first row begins.
    row: usize,
    stride: usize,
    channel: usize,
    /// Rows that there are; fewer than the tile's, where the last one has no partner.
    height: usize,
}

impl Place {
    /// Of those rows of `tile` that begin with its row `first`.
    #[inline(always)]
    fn of(output: &Output, tile: Tile, first: usize, height: usize, channels: usize, channel: usize) -> Self {
        let row = (output.first_row + tile.start + first) * channels;
        Self { output: output.data, row, stride: tile.together * channels, channel, height }
    }
}

/// The multiplication of a tile. Not inlined where it is used, which is in two places: it is large.
struct Multiply<'a> {
    height: usize,
    /// Vectors of output channels.
    vectors: usize,
    /// Multiplicands.
    a: *const f32,
    /// Words from a block of them to the next.
    stride: usize,
    /// Weights.
    b: *const f32,
    /// Words that are multiplied for an element.
    depth: usize,
    /// Weights that are read after these, a part of which is loaded into the second-level cache meanwhile.
    next: *const f32,
    plan: &'a Plan,
    /// Sums that are not finished, a tile after the other; within a tile row after row.
    results: *mut f32,
    epilogue: &'a Epilogue,
    /// Where what is finished goes.
    place: Place,
}

impl Kernel for &Multiply<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Multiply { epilogue, place, .. } = self;
        if self.plan.finished.is_some() {
            for row in 0..place.height {
                for line in 0..self.vectors * S::LANES / BLOCK {
                    let at = place.row + row * place.stride + place.channel + line * BLOCK;
                    S::prefetch_write(place.output.add(at));
                    if !epilogue.residual.is_null() {
                        S::prefetch(epilogue.residual.add(at));
                    }
                }
            }
        }
        match self.vectors {
            4 if S::NV >= 4 => self.by_height::<S, 4>(),
            2 if S::NV >= 2 => self.by_height::<S, 2>(),
            1 if S::NV == 2 && S::LANES == BLOCK => self.by_height::<S, 1>(),
            _ => unreachable!("panels are whole, or a block where that is one vector"),
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    unsafe fn by_height<S: Simd, const NV: usize>(&self) {
        macro_rules! heights {
            ($($rows:literal)*) => {
                match self.height {
                    $($rows if S::MR >= $rows => self.tile::<S, $rows, NV>(),)*
                    _ => unreachable!("a tile has at most S::MR rows"),
                }
            };
        }
        heights!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }

    /// The inner kernel: `MR` rows times `NV` vectors of output channels.
    #[inline(always)]
    unsafe fn tile<S: Simd, const MR: usize, const NV: usize>(&self) {
        let mut sums = [[S::splat(0.0); NV]; MR];
        let Multiply { mut a, mut b, mut next, stride, plan, epilogue, place: to, .. } = *self;
        let mut left = self.depth;
        while left > 0 {
            let words = left.min(S::WORDS);
            for word in 0..words {
                let mut weights = [S::splat(0.0); NV];
                for (v, weights) in weights.iter_mut().enumerate() {
                    *weights = S::load(b.add(v * S::LANES));
                }
                for line in (0..NV * S::LANES).step_by(BLOCK) {
                    S::prefetch(b.wrapping_add(16 * NV * S::LANES + line));
                }
                S::prefetch_far(next);
                next = next.wrapping_add(BLOCK);
                b = b.add(NV * S::LANES);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let multiplicand = S::splat(*a.add(row * S::WORDS + word));
                    for (sum, weights) in sums.iter_mut().zip(weights) {
                        *sum = S::dot(*sum, multiplicand, weights);
                    }
                }
            }
            a = a.wrapping_add(stride);
            left -= words;
        }
        // What follows is not unrolled for every instruction set, and what a loop indexes lies in memory: a copy, or the
        // sums would have been there all the time.
        let mut finished = [[S::splat(0.0); NV]; MR];
        for (finished, sums) in finished.iter_mut().zip(&sums) {
            finished.copy_from_slice(sums);
        }
        let mut sums = finished;
        let results = |to: &Use| self.results.wrapping_add(to.quadrant * MR * NV * S::LANES);
        for kept in plan.kept.iter().flatten() {
            let to = results(kept);
            if kept.first {
                for (row, sums) in sums.iter().enumerate() {
                    for (v, &sum) in sums.iter().enumerate() {
                        S::store(to.add((row * NV + v) * S::LANES), sum);
                    }
                }
            } else {
                let sign = S::splat(kept.sign);
                for (row, sums) in sums.iter().enumerate() {
                    for (v, &sum) in sums.iter().enumerate() {
                        let to = to.add((row * NV + v) * S::LANES);
                        S::store(to, S::mul_add(sign, sum, S::load(to)));
                    }
                }
            }
        }
        let Some(finished) = &plan.finished else { return };
        if !finished.first {
            let (from, sign) = (results(finished), S::splat(finished.sign));
            for (row, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = S::mul_add(sign, *sum, S::load(from.add((row * NV + v) * S::LANES)));
                }
            }
        }
        // In registers, where the loops are unrolled; what does not apply is skipped as a whole.
        let at = |data: *const f32, v: usize| S::load(data.add(to.channel + v * S::LANES));
        if !epilogue.bias.is_null() {
            for v in 0..NV {
                let bias = at(epilogue.bias, v);
                sums.iter_mut().for_each(|sums| sums[v] = S::add(sums[v], bias));
            }
        }
        if !epilogue.residual.is_null() {
            for (row, sums) in sums.iter_mut().enumerate() {
                if row < to.height {
                    let residual = epilogue.residual.add(to.row + row * to.stride);
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = S::add(*sum, at(residual, v));
                    }
                }
            }
        }
        if !epilogue.scale.is_null() {
            for v in 0..NV {
                let (scale, shift) = (at(epilogue.scale, v), at(epilogue.shift, v));
                sums.iter_mut().for_each(|sums| sums[v] = S::mul_add(sums[v], scale, shift));
            }
        }
        // A ReLU that is not asked for is a maximum with what is below every number.
        let floor = S::splat(if epilogue.relu { 0.0 } else { f32::NEG_INFINITY });
        let output = to.output.add(to.row + to.channel);
        for (row, sums) in sums.iter().enumerate() {
            if row < to.height {
                for (v, &sum) in sums.iter().enumerate() {
                    S::store(output.add(row * to.stride + v * S::LANES), S::max(floor, sum));
                }
            }
        }
    }
}
