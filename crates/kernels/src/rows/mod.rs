//! Where the rows of a matrix multiplication come from. A block of them, a few dozen output pixels, is
//! made in a buffer that stays in the second-level cache: pixels copied, windows unrolled, or the
//! depthwise convolution computed on the fly, so that its result never goes to memory.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the functions are unsafe for their pointers, which is all they handle"
)]

use crate::map::MapView;
use crate::matmul::Tiles;
use crate::simd::{BLOCK, Simd, relu};

mod depthwise;

pub(crate) use depthwise::{Depthwise, DepthwiseWeights, depthwise, depthwise_map};

/// Unrolls windows: tap after tap, the channels of the pixel that it reads.
#[inline(always)]
pub(crate) unsafe fn window<S: Simd>(
    map: MapView,
    with_relu: bool,
    first: usize,
    tiles: Tiles,
    to: *mut f32,
) {
    let geometry = map.geometry;
    let blocks = map.channels / BLOCK;
    let [kernel_height, kernel_width] = geometry.kernel;
    let row_words = kernel_height * kernel_width * blocks * S::WORDS;
    for tile in 0..tiles.count() {
        let tile = tiles.tile(tile);
        for row in 0..tile.rows {
            let pixel = first + tile.start + row;
            let (oy, ox) = (pixel / geometry.output[1], pixel % geometry.output[1]);
            let mut out = to.add(tile.start * row_words + tile.slot(row) * S::WORDS);
            for ky in 0..kernel_height {
                for kx in 0..kernel_width {
                    let from = map.tap(oy, ox, ky, kx);
                    for block in 0..blocks {
                        for lane in (0..BLOCK).step_by(S::LANES) {
                            let mut x = S::load(from.add(block * BLOCK + lane));
                            if with_relu {
                                x = relu::<S>(x);
                            }
                            S::store_multiplicand(out, lane, x);
                        }
                        out = out.wrapping_add(tile.slots * S::WORDS);
                    }
                }
            }
        }
    }
}

/// Unrolls windows of an image whose pixels have `map.channels` elements, not padded, so that few
/// channels do not become sixteen. `scratch` holds a row.
#[inline(always)]
pub(crate) unsafe fn image_window<S: Simd>(
    map: MapView,
    first: usize,
    tiles: Tiles,
    to: *mut f32,
    scratch: *mut f32,
) {
    let geometry = map.geometry;
    let [kernel_height, kernel_width] = geometry.kernel;
    let blocks = (kernel_height * kernel_width * map.channels).div_ceil(BLOCK);
    for tile in 0..tiles.count() {
        let tile = tiles.tile(tile);
        for row in 0..tile.rows {
            let pixel = first + tile.start + row;
            let (oy, ox) = (pixel / geometry.output[1], pixel % geometry.output[1]);
            let mut at = 0;
            for ky in 0..kernel_height {
                for kx in 0..kernel_width {
                    let from = map.tap(oy, ox, ky, kx);
                    for channel in 0..map.channels {
                        *scratch.add(at) = *from.add(channel);
                        at += 1;
                    }
                }
            }
            for rest in at..blocks * BLOCK {
                // What a row before left there need not be a number, which no weight of zero would mend.
                *scratch.add(rest) = 0.0;
            }
            for block in 0..blocks {
                let out = to.add((tile.start * blocks + block * tile.slots + tile.slot(row)) * S::WORDS);
                for lane in (0..BLOCK).step_by(S::LANES) {
                    S::store_multiplicand(out, lane, S::load(scratch.add(block * BLOCK + lane)));
                }
            }
        }
    }
}
