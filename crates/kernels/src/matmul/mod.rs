//! The matrix multiplication that 93 % of the arithmetic is: rows of multiplicands, laid out for it by
//! [`crate::rows`], times weights packed once at load, with everything that comes after in the epilogue
//! (bias, residual, normalisation, ReLU), while the sums are still in registers.
//!
//! A *tile* is at most [`Simd::MR`] rows; its multiplicands lie block after block of [`BLOCK`] channels,
//! within a block row after row, so that every address in the inner loop is one pointer plus a constant.
//! Where rows are taken two by two ([`strassen`]), a tile is twice as many, the even ones and then the odd
//! ones of each block. Weights lie as [`packed`] says.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the functions are unsafe for their pointers, which is all they handle"
)]

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::map::Ahead;
use crate::simd::{BLOCK, Simd};

mod kernel;
mod packed;
pub(crate) mod strassen;
mod tiles;

use kernel::{Multiply, Place};
use packed::Unit;
use strassen::{Left, PLANS, Plan, Room};

pub(crate) use packed::Packed;
pub(crate) use tiles::{BLOCK_WORDS, Tiles};

/// Where results go: rows of as many elements as there are channels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) data: *mut f32,
    /// The first that is written.
    pub(crate) first_row: usize,
}

/// The rows of a block times some weights.
pub(crate) struct RowBlock<'a> {
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
/// The pointers must hold what [`RowBlock`] says they do.
#[inline(always)]
pub(crate) unsafe fn multiply<S: Simd>(rows: &RowBlock<'_>, weights: &Packed, units: Range<usize>) {
    let &RowBlock { multiplicands, tiles, room, epilogue, output, ahead } = rows;
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
