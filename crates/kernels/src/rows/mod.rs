//! Where the rows of a matrix multiplication come from. A block of them, a few dozen output pixels, is
//! made in a buffer that stays in the second-level cache: pixels copied, windows unrolled, or the
//! depthwise convolution computed on the fly, so that its result never goes to memory.
//!
//! A tile of `slots` rows begins where the tiles before it end. In it, block `block` of the row in slot `slot` begins at word
//! `(block * slots + slot) * WORDS`: all that is written to a tile of `blocks` blocks a row lies in its `slots * blocks * WORDS`
//! words, and so within the words of all tiles, which each function here asserts that it was given.

use crate::activation::OnRead;
use crate::map::MapView;
use crate::matmul::Tiles;
use crate::simd::{BLOCK, Simd};

mod depthwise;

pub(crate) use depthwise::{Depthwise, DepthwiseWeights, depthwise, depthwise_map};

/// Asserts that `to` has room for `tiles`, whose rows have `blocks` blocks.
#[inline]
pub(crate) fn check_room<S: Simd>(to: &[f32], tiles: Tiles, blocks: usize) {
    let words = tiles.slots() * blocks * S::WORDS;
    assert!(words <= to.len(), "{words} words of rows in {}", to.len());
}

/// Unrolls windows, output pixel `first` and on: tap after tap, the channels of the pixel that it reads.
///
/// # Panics
/// Where channels are not padded to whole blocks, or `to` is too short.
#[inline(always)]
pub(crate) fn window<S: Simd>(
    simd: S,
    map: MapView<'_>,
    on_read: OnRead,
    first: usize,
    tiles: Tiles,
    to: &mut [f32],
) {
    let [kernel_height, kernel_width] = map.geometry().kernel;
    let width = map.geometry().output[1];
    let blocks = map.channels() / BLOCK;
    assert!(map.channels().is_multiple_of(BLOCK), "{} channels", map.channels());
    let row_blocks = kernel_height * kernel_width * blocks;
    check_room::<S>(to, tiles, row_blocks);
    let to = to.as_mut_ptr();
    if let Some(pixels) = map.same_pixels(first, tiles.rows) {
        // Pixels as they lie in the map: nothing is to be looked up.
        for tile in 0..tiles.count() {
            let tile = tiles.tile(tile);
            for row in 0..tile.rows {
                let from = pixels.as_ptr().wrapping_add((tile.start + row) * map.stride());
                let begin = (tile.start * blocks + tile.slot(row)) * S::WORDS;
                for block in 0..blocks {
                    let out = to.wrapping_add(begin + block * tile.slots * S::WORDS);
                    for lane in (0..BLOCK).step_by(S::LANES) {
                        // SAFETY: there are all channels of as many pixels as there are rows. `out` is one of the row's blocks in the tile, all
                        // of which `to` has room for.
                        unsafe {
                            let x = simd.load(from.add(block * BLOCK + lane));
                            simd.store_multiplicand(out, lane, on_read.apply(simd, x));
                        }
                    }
                }
            }
        }
        return;
    }
    for tile in 0..tiles.count() {
        let tile = tiles.tile(tile);
        for row in 0..tile.rows {
            let pixel = first + tile.start + row;
            let (oy, ox) = (pixel / width, pixel % width);
            let begin = (tile.start * row_blocks + tile.slot(row)) * S::WORDS;
            // SAFETY: the row's first block is one of the tile's, all of which `to` has room for.
            let mut out = unsafe { to.add(begin) };
            for ky in 0..kernel_height {
                for kx in 0..kernel_width {
                    let from = map.tap(oy, ox, ky, kx);
                    for block in 0..blocks {
                        for lane in (0..BLOCK).step_by(S::LANES) {
                            // SAFETY: a tap is valid for all channels, of which there are whole blocks.
                            let x = unsafe { simd.load(from.add(block * BLOCK + lane)) };
                            let x = on_read.apply(simd, x);
                            // SAFETY: `out` has gone over fewer than `row_blocks` blocks, so that it is one of the tile's.
                            unsafe { simd.store_multiplicand(out, lane, x) };
                        }
                        // After the last block, it may lie beyond `to`.
                        out = out.wrapping_add(tile.slots * S::WORDS);
                    }
                }
            }
        }
    }
}

/// Lays out pixels, output pixel `first` and on, each channel times its factor of `gate`.
///
/// # Panics
/// Where the window is more than a pixel, channels are not padded to whole blocks, or `gate` or `to` are too short.
#[inline(always)]
pub(crate) fn gated<S: Simd>(
    simd: S,
    map: MapView<'_>,
    gate: &[f32],
    first: usize,
    tiles: Tiles,
    to: &mut [f32],
) {
    let (geometry, channels) = (map.geometry(), map.channels());
    assert!(geometry.kernel == [1; 2] && geometry.output == geometry.input, "a window of a pixel");
    assert!(channels.is_multiple_of(BLOCK) && channels <= gate.len(), "{channels} channels");
    let (width, blocks) = (geometry.output[1], channels / BLOCK);
    check_room::<S>(to, tiles, blocks);
    for tile in 0..tiles.count() {
        let tile = tiles.tile(tile);
        for row in 0..tile.rows {
            let pixel = first + tile.start + row;
            let from = map.tap(pixel / width, pixel % width, 0, 0);
            let begin = (tile.start * blocks + tile.slot(row)) * S::WORDS;
            for block in 0..blocks {
                let out = to.as_mut_ptr().wrapping_add(begin + block * tile.slots * S::WORDS);
                for lane in (0..BLOCK).step_by(S::LANES) {
                    // SAFETY: a tap is valid for all channels, of which there are whole blocks, and `gate` has as many; `out` is one of the
                    // row's blocks in the tile, all of which `to` has room for.
                    unsafe {
                        let x = simd.load(from.add(block * BLOCK + lane));
                        let factor = simd.load(gate.as_ptr().add(block * BLOCK + lane));
                        simd.store_multiplicand(out, lane, simd.mul_add(x, factor, simd.splat(0.0)));
                    }
                }
            }
        }
    }
}

/// Unrolls windows of an image whose pixels have few channels, not padded: the lines of a window, of which each begins with a block, because
/// its taps lie next to each other. What is beyond a line in its last block is whatever follows, which no word of the weights is for, or is
/// zero where it shares a word with what is not.
///
/// # Panics
/// Where taps do not lie next to each other, or `to` is too short.
#[inline(always)]
pub(crate) fn image_lines<S: Simd>(simd: S, map: MapView<'_>, first: usize, tiles: Tiles, to: &mut [f32]) {
    let [kernel_height, kernel_width] = map.geometry().kernel;
    let channels = map.channels();
    assert!(map.geometry().dilation[1] == 1, "taps next to each other");
    let (width, line) = (map.geometry().output[1], kernel_width * channels);
    let of_line = line.div_ceil(BLOCK);
    check_room::<S>(to, tiles, kernel_height * of_line);
    let to = to.as_mut_ptr();
    let mut gathered = [0.0; BLOCK];
    for tile in 0..tiles.count() {
        let tile = tiles.tile(tile);
        for row in 0..tile.rows {
            let pixel = first + tile.start + row;
            let (oy, ox) = (pixel / width, pixel % width);
            for ky in 0..kernel_height {
                let begin = tile.start * kernel_height * of_line + ky * of_line * tile.slots + tile.slot(row);
                // SAFETY: the blocks are those of the row in the tile, all of which `to` has room for.
                let out = |block: usize| unsafe { to.add((begin + block * tile.slots) * S::WORDS) };
                match map.line(oy, ox, ky, kernel_width) {
                    Some(from) if from.len() >= of_line * BLOCK => {
                        for at in (0..of_line * BLOCK).step_by(S::LANES) {
                            // SAFETY: there are as many elements from the first tap on, and the block is there.
                            unsafe {
                                let x = simd.load(from.as_ptr().add(at));
                                simd.store_multiplicand(out(at / BLOCK), at % BLOCK, x);
                            }
                        }
                    }
                    // At the border, and where the image ends.
                    _ => {
                        for block in 0..of_line {
                            for (at, value) in (block * BLOCK..line).zip(&mut gathered) {
                                // SAFETY: a tap is valid for all channels.
                                *value = unsafe { *map.tap(oy, ox, ky, at / channels).add(at % channels) };
                            }
                            for at in (0..BLOCK).step_by(S::LANES) {
                                // SAFETY: the values are a block, and the block is there.
                                unsafe {
                                    let x = simd.load(gathered.as_ptr().add(at));
                                    simd.store_multiplicand(out(block), at, x);
                                }
                            }
                        }
                    }
                }
                // Where a word has two elements, the last one's other is none of the line's.
                if S::WORDS < BLOCK && !line.is_multiple_of(2) {
                    // SAFETY: the last block is there, and has an element behind the line's.
                    unsafe { out(of_line - 1).cast::<u16>().add(line % BLOCK).write(0) };
                }
            }
        }
    }
}

/// Unrolls windows of an image whose pixels have few channels, not padded, so that three do not become sixteen.
/// `scratch` holds a row.
///
/// # Panics
/// Where `to` or `scratch` is too short.
#[inline(always)]
pub(crate) fn image_window<S: Simd>(
    simd: S,
    map: MapView<'_>,
    first: usize,
    tiles: Tiles,
    to: &mut [f32],
    scratch: &mut [f32],
) {
    let [kernel_height, kernel_width] = map.geometry().kernel;
    let width = map.geometry().output[1];
    let blocks = (kernel_height * kernel_width * map.channels()).div_ceil(BLOCK);
    check_room::<S>(to, tiles, blocks);
    let scratch = &mut scratch[..blocks * BLOCK];
    // A row's windows are shorter than its blocks: what is beyond them is multiplied by weights of zero, which mends no NaN.
    scratch[kernel_height * kernel_width * map.channels()..].fill(0.0);
    let (to, scratch) = (to.as_mut_ptr(), scratch.as_mut_ptr());
    for tile in 0..tiles.count() {
        let tile = tiles.tile(tile);
        for row in 0..tile.rows {
            let pixel = first + tile.start + row;
            let (oy, ox) = (pixel / width, pixel % width);
            let mut at = 0;
            for ky in 0..kernel_height {
                for kx in 0..kernel_width {
                    let from = map.tap(oy, ox, ky, kx);
                    for channel in 0..map.channels() {
                        // SAFETY: a tap is valid for all channels; `at` counts the channels of all taps, which the blocks hold.
                        unsafe { *scratch.add(at) = *from.add(channel) };
                        at += 1;
                    }
                }
            }
            for block in 0..blocks {
                let begin = (tile.start * blocks + block * tile.slots + tile.slot(row)) * S::WORDS;
                for lane in (0..BLOCK).step_by(S::LANES) {
                    // SAFETY: `scratch` has so many blocks, and the block at `begin` is one of the tile's, all of which `to` has
                    // room for.
                    unsafe {
                        let x = simd.load(scratch.add(block * BLOCK + lane));
                        simd.store_multiplicand(to.add(begin), lane, x);
                    }
                }
            }
        }
    }
}
