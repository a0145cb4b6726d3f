//! The matrix multiplication that 93 % of the arithmetic is: rows of multiplicands, laid out for it by
//! [`crate::rows`], times weights packed once at load, with everything that comes after in the epilogue
//! (bias, residual, normalisation, ReLU), while the sums are still in registers.
//!
//! A *tile* is at most [`Simd::MR`] rows; its multiplicands lie block after block of [`BLOCK`] channels,
//! within a block row after row, so that every address in the inner loop is one pointer plus a constant.
//! A *panel* is the weights of 32 (AVX-512) or 16 output channels, channel of input after channel of
//! input, read in one stream.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the functions are unsafe for their pointers, which is all they handle"
)]

use crate::buffer::{Buffer, padded};
use crate::isa::{Facts, Isa};
use crate::simd::{BLOCK, Simd, relu};

/// Weights of a matrix multiplication, packed for one instruction set.
#[derive(Debug)]
pub(crate) struct Packed {
    words: Buffer,
    /// Words of multiplicand a row: input channels, or pairs of them for bf16.
    pub(crate) depth_words: usize,
    /// Blocks of multiplicands a row.
    pub(crate) depth_blocks: usize,
    /// Output channels, padded.
    pub(crate) channels: usize,
    /// Output channels a panel.
    panel: usize,
}

impl Packed {
    /// Packs the weights of `depth` inputs and `channels` outputs; `weight(input, output)` gives them.
    pub(crate) fn new(isa: Isa, depth: usize, channels: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        let Facts { panel_channels: panel, block_words, .. } = isa.facts();
        let padded_channels = padded(channels);
        let pair = BLOCK / block_words;
        let depth_words = depth.div_ceil(pair);
        let mut words = Buffer::zeroed(depth_words * padded_channels);
        let at = |input, output| if input < depth && output < channels { weight(input, output) } else { 0.0 };
        let mut out = words.as_mut_slice().iter_mut();
        for first in (0..padded_channels).step_by(panel) {
            for word in 0..depth_words {
                for output in first..(first + panel).min(padded_channels) {
                    if let Some(out) = out.next() {
                        *out = match pair {
                            1 => at(word, output),
                            _ => bf16_pair(at(2 * word, output), at(2 * word + 1, output)),
                        };
                    }
                }
            }
        }
        Self { words, depth_words, depth_blocks: depth.div_ceil(BLOCK), channels: padded_channels, panel }
    }

    /// Number of panels.
    pub(crate) fn panels(&self) -> usize {
        self.channels.div_ceil(self.panel)
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.words.len() * size_of::<f32>()
    }
}

/// Two bf16 in the bits of a word, the first in the lower half; rounded to the nearest, ties to even.
fn bf16_pair(low: f32, high: f32) -> f32 {
    f32::from_bits(u32::from(bf16(low)) | u32::from(bf16(high)) << 16)
}

fn bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        // Rounding could carry into infinity.
        return (bits >> 16) as u16 | 0x40;
    }
    let up = 0x7fff + (bits >> 16 & 1);
    (bits.wrapping_add(up) >> 16) as u16
}

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
}

impl Tiles {
    pub(crate) fn new(rows: usize, most: usize) -> Self {
        Self { rows, count: rows.div_ceil(most) }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// First row of tile `index`; the number of rows for the index after the last.
    pub(crate) fn start(&self, index: usize) -> usize {
        let (height, higher) = (self.rows / self.count, self.rows % self.count);
        index * height + index.min(higher)
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

/// Multiplies the rows at `multiplicands` with the panels `panels` of `weights` into rows of `output`.
///
/// # Safety
/// `multiplicands` must hold the tiles of `tiles`, `output` and the epilogue's pointers what they say.
#[inline(always)]
pub(crate) unsafe fn multiply<S: Simd>(
    multiplicands: *const f32,
    tiles: Tiles,
    weights: &Packed,
    panels: std::ops::Range<usize>,
    epilogue: &Epilogue,
    output: Output,
    ahead: Ahead,
) {
    let parts = panels.len() * tiles.count();
    let mut part = 0;
    let row_words = weights.depth_blocks * S::WORDS;
    for panel in panels {
        let channel = panel * weights.panel;
        let b = weights.words.as_ptr().add(channel * weights.depth_words);
        let vectors = (weights.channels - channel).min(weights.panel) / S::LANES;
        for index in 0..tiles.count() {
            let start = tiles.start(index);
            let height = tiles.start(index + 1) - start;
            let a = multiplicands.add(start * row_words);
            let to = Place {
                output: output.data,
                row: (output.first_row + start) * weights.channels,
                stride: weights.channels,
                channel,
            };
            ahead.prefetch::<S>(part, parts);
            part += 1;
            if !epilogue.residual.is_null() {
                for row in 0..height {
                    for line in 0..vectors * S::LANES / BLOCK {
                        S::prefetch(epilogue.residual.add(to.row + row * to.stride + channel + line * BLOCK));
                    }
                }
            }
            by_vectors::<S>(height, vectors, a, b, weights.depth_words, epilogue, to);
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
}

#[inline(always)]
unsafe fn by_vectors<S: Simd>(
    height: usize,
    vectors: usize,
    a: *const f32,
    b: *const f32,
    depth: usize,
    epilogue: &Epilogue,
    to: Place,
) {
    match vectors {
        4 if S::NV >= 4 => by_height::<S, 4>(height, a, b, depth, epilogue, to),
        2 if S::NV >= 2 => by_height::<S, 2>(height, a, b, depth, epilogue, to),
        1 if S::NV == 2 && S::LANES == BLOCK => by_height::<S, 1>(height, a, b, depth, epilogue, to),
        _ => unreachable!("panels are whole, or a block where that is one vector"),
    }
}

#[inline(always)]
unsafe fn by_height<S: Simd, const NV: usize>(
    height: usize,
    a: *const f32,
    b: *const f32,
    depth: usize,
    epilogue: &Epilogue,
    to: Place,
) {
    macro_rules! heights {
        ($($rows:literal)*) => {
            match height {
                $($rows if S::MR >= $rows => tile::<S, $rows, NV>(a, b, depth, epilogue, to),)*
                _ => unreachable!("a tile has at most S::MR rows"),
            }
        };
    }
    heights!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// The inner kernel: `MR` rows times `NV` vectors of output channels.
#[inline(always)]
unsafe fn tile<S: Simd, const MR: usize, const NV: usize>(
    a: *const f32,
    b: *const f32,
    depth: usize,
    epilogue: &Epilogue,
    to: Place,
) {
    let mut sums = [[S::splat(0.0); NV]; MR];
    let (mut a, mut b) = (a, b);
    let mut left = depth;
    while left > 0 {
        let words = left.min(S::WORDS);
        for word in 0..words {
            let mut weights = [S::splat(0.0); NV];
            for (v, weights) in weights.iter_mut().enumerate() {
                *weights = S::load(b.add(v * S::LANES));
            }
            for v in 0..NV {
                S::prefetch(b.wrapping_add((16 * NV + v) * S::LANES));
            }
            b = b.add(NV * S::LANES);
            for (row, sums) in sums.iter_mut().enumerate() {
                let multiplicand = S::splat(*a.add(row * S::WORDS + word));
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = S::dot(*sum, multiplicand, weights);
                }
            }
        }
        a = a.add(MR * S::WORDS);
        left -= words;
    }
    if epilogue.residual.is_null() && epilogue.scale.is_null() && !epilogue.bias.is_null() {
        // What most steps need, straight from the registers.
        let floor = S::splat(if epilogue.relu { 0.0 } else { f32::NEG_INFINITY });
        let mut bias = [S::splat(0.0); NV];
        for (v, bias) in bias.iter_mut().enumerate() {
            *bias = S::load(epilogue.bias.add(to.channel + v * S::LANES));
        }
        let output = to.output.add(to.row + to.channel);
        for (row, sums) in sums.iter().enumerate() {
            for (v, (&sum, &bias)) in sums.iter().zip(&bias).enumerate() {
                S::store(output.add(row * to.stride + v * S::LANES), S::max(floor, S::add(sum, bias)));
            }
        }
        return;
    }
    // The loop below is not unrolled, so that what it reads lies in memory: a copy, or the sums would have to be
    // there all the time.
    let mut finished = [[S::splat(0.0); NV]; MR];
    for (finished, sums) in finished.iter_mut().zip(&sums) {
        finished.copy_from_slice(sums);
    }
    for (row, sums) in finished.iter().enumerate() {
        let begin = to.row + row * to.stride;
        for (v, &sum) in sums.iter().enumerate() {
            let channel = to.channel + v * S::LANES;
            S::store(to.output.add(begin + channel), epilogue.finish::<S>(sum, begin, channel));
        }
    }
}
