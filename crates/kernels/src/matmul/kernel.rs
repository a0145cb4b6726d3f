//! The multiplication of a tile, where nearly all of a network's time goes: sums of products in registers, and the epilogue
//! before they leave them.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the functions are unsafe for their pointers, which is all they handle"
)]

use super::Output;
use super::strassen::{Plan, Use};
use super::tiles::Tile;
use crate::epilogue::Epilogue;
use crate::simd::{BLOCK, Kernel, Simd};

/// Where a tile's results go.
#[derive(Clone, Copy)]
pub(super) struct Place {
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
    pub(super) fn of(
        output: &Output,
        tile: Tile,
        first: usize,
        height: usize,
        channels: usize,
        channel: usize,
    ) -> Self {
        let row = (output.first_row + tile.start + first) * channels;
        Self { output: output.data, row, stride: tile.together * channels, channel, height }
    }
}

/// The multiplication of a tile. Not inlined where it is used, which is in two places: it is large.
pub(super) struct Multiply<'a> {
    pub(super) height: usize,
    /// Vectors of output channels.
    pub(super) vectors: usize,
    /// Multiplicands.
    pub(super) a: *const f32,
    /// Words from a block of them to the next.
    pub(super) stride: usize,
    /// Weights.
    pub(super) b: *const f32,
    /// Words that are multiplied for an element.
    pub(super) depth: usize,
    /// Weights that are read after these, a part of which is loaded into the second-level cache meanwhile.
    pub(super) next: *const f32,
    pub(super) plan: &'a Plan,
    /// Sums that are not finished, a tile after the other; within a tile row after row.
    pub(super) results: *mut f32,
    pub(super) epilogue: &'a Epilogue,
    /// Where what is finished goes.
    pub(super) place: Place,
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
