//! Strassen's algorithm, one level of it: seven products of halves where the definition has eight, an eighth less
//! arithmetic for the multiplications that nearly all of a network's time goes to.
//!
//! Rows, input channels and output channels are cut in halves. Of rows, every other one belongs to the second half, so
//! that what a row is computed with depends on its place in the image alone, and neither on the threads nor on the
//! batch. Input channels are halved in the middle; of output channels, a panel and the next are the halves.
//!
//! As in "Strassen's Algorithm Reloaded" (Huang, Smith, Henry and van de Geijn, 2016), nothing goes to memory for it
//! that would not anyway: sums of weights are packed at load, sums of rows are made in the block of rows that stays in the
//! second-level cache, and products are added to the results while they are still in registers.
//!
//! Sums of halves round once more. The error is bounded relative to the largest elements of a pair of rows,
//! not to each element's own: in the networks at hand it is that of the plain sums (docs/performance.md has the figures).
//! What is not a number in a row reaches its partner, too.

use super::tiles::{BLOCK_WORDS, Tiles};
use crate::isa::Isa;
use crate::simd::{BLOCK, Simd};

/// A product of halves. What is listed are the signs of the quadrants `[11, 12, 21, 22]`: rows' half first for the
/// left operand and the result, input channels' half first for the right one.
pub(crate) struct Product {
    /// Sum of quadrants of the rows.
    left: [i8; 4],
    /// Sum of quadrants of the weights.
    right: [i8; 4],
    /// Quadrants of the result that it is added to.
    result: [i8; 4],
}

/// The products, in the order in which the results need the fewest accesses to memory.
pub(crate) const PRODUCTS: [Product; 7] = [
    Product { left: [1, 0, 0, 1], right: [1, 0, 0, 1], result: [1, 0, 0, 1] },
    Product { left: [0, 0, 1, 1], right: [1, 0, 0, 0], result: [0, 0, 1, -1] },
    Product { left: [1, 0, 0, 0], right: [0, 1, 0, -1], result: [0, 1, 0, 1] },
    Product { left: [-1, 0, 1, 0], right: [1, 1, 0, 0], result: [0, 0, 0, 1] },
    Product { left: [0, 0, 0, 1], right: [-1, 0, 1, 0], result: [1, 0, 1, 0] },
    Product { left: [1, 1, 0, 0], right: [0, 0, 0, 1], result: [-1, 1, 0, 0] },
    Product { left: [0, 1, 0, -1], right: [0, 0, 1, 1], result: [1, 0, 0, 0] },
];

/// Sums of two quadrants of the rows that the products need; the others take a quadrant as it is.
const SUMS: usize = 5;

/// The left operand of a product.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Left {
    /// A quadrant.
    Quadrant(usize),
    /// The sum of so many.
    Sum(usize),
}

/// What a product is for a quadrant of the result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    pub(crate) quadrant: usize,
    /// 1 or -1.
    pub(crate) sign: f32,
    /// No product was added before.
    pub(crate) first: bool,
    /// None is added after it.
    pub(crate) last: bool,
}

/// The quadrants that have a sign.
fn terms(signs: &[i8; 4]) -> impl Iterator<Item = (usize, i8)> {
    signs.iter().copied().enumerate().filter(|&(_, sign)| sign != 0)
}

impl Product {
    /// Words that are multiplied for an element, of `whole` words, of which `half` are in the first half: the second
    /// half is shorter, where channels are padded to whole blocks.
    pub(crate) fn depth(&self, half: usize, whole: usize) -> usize {
        let [a11, _, a21, _] = self.left;
        let [b11, b12, _, _] = self.right;
        // Where one of the operands is of the second half alone, the rest of it is zeros.
        let needs_first = [a11, a21] != [0, 0] && [b11, b12] != [0, 0];
        if needs_first { half } else { whole - half }
    }

    /// Its left operand.
    const fn left(index: usize) -> Left {
        let mut sums = 0;
        let mut before = 0;
        while before < index {
            sums += PRODUCTS[before].is_of_sum() as usize;
            before += 1;
        }
        if PRODUCTS[index].is_of_sum() {
            return Left::Sum(sums);
        }
        let mut quadrant = 0;
        while PRODUCTS[index].left[quadrant] == 0 {
            quadrant += 1;
        }
        Left::Quadrant(quadrant)
    }

    const fn is_of_sum(&self) -> bool {
        let [a11, a12, a21, a22] = self.left;
        (a11 != 0) as u8 + (a12 != 0) as u8 + (a21 != 0) as u8 + (a22 != 0) as u8 > 1
    }

    /// What product `index` is for a quadrant of the result.
    const fn used(index: usize, quadrant: usize) -> Option<Use> {
        let sign = PRODUCTS[index].result[quadrant];
        if sign == 0 {
            return None;
        }
        let (mut first, mut last) = (true, true);
        let mut other = 0;
        while other < PRODUCTS.len() {
            let takes = PRODUCTS[other].result[quadrant] != 0;
            first = first && !(takes && other < index);
            last = last && !(takes && other > index);
            other += 1;
        }
        Some(Use { quadrant, sign: sign as f32, first, last })
    }
}

/// What is to be done with a product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProductPlan {
    pub(crate) left: Left,
    /// Uses that others follow; two at most.
    pub(crate) kept: [Option<Use>; 2],
    /// The quadrant that it finishes; one at most.
    pub(crate) finished: Option<Use>,
}

impl ProductPlan {
    /// Of sums that are made at once.
    pub(crate) const PLAIN: Self = Self {
        left: Left::Quadrant(0),
        kept: [None; 2],
        finished: Some(Use { quadrant: 0, sign: 1.0, first: true, last: true }),
    };

    /// Whether it adds to results that are not finished, or finishes such.
    #[inline(always)]
    pub(crate) fn keeps(&self) -> bool {
        self.kept.iter().flatten().next().is_some() || self.finished.is_some_and(|to| !to.first)
    }
}

/// What is to be done with each of [`PRODUCTS`].
pub(crate) const PLANS: [ProductPlan; PRODUCTS.len()] = {
    let mut plans = [ProductPlan { left: Left::Sum(0), kept: [None; 2], finished: None }; PRODUCTS.len()];
    let mut index = 0;
    while index < plans.len() {
        plans[index].left = Product::left(index);
        let (mut quadrant, mut kept) = (0, 0);
        while quadrant < 4 {
            match Product::used(index, quadrant) {
                Some(used) if used.last => {
                    assert!(plans[index].finished.is_none(), "a product finishes one quadrant");
                    plans[index].finished = Some(used);
                }
                Some(used) => {
                    plans[index].kept[kept] = Some(used);
                    kept += 1;
                }
                None => {}
            }
            quadrant += 1;
        }
        index += 1;
    }
    plans
};

/// Words of the first half of a row's multiplicands, whole blocks.
pub(crate) fn half_depth(depth_blocks: usize) -> usize {
    depth_blocks / 2 * BLOCK
}

/// Whether a multiplication of `depth` inputs and `channels` outputs is faster by it. Sums of rows cost accesses to the
/// second-level cache for every input channel, whatever the number of outputs, and each product costs some
/// to the results, whatever the depth. With bf16 the sums would be rounded to eight bits.
pub(crate) fn pays(isa: Isa, depth: usize, channels: usize) -> bool {
    let halves = depth.div_ceil(BLOCK).is_multiple_of(2);
    let fits = 2 * isa.facts().tile_rows * depth <= BLOCK_WORDS;
    let large = depth.min(channels) >= LEAST_CHANNELS && depth * channels >= LEAST_WEIGHTS;
    !isa.rounds_to_bf16() && halves && fits && large
}

/// See [`pays`]. Measured, one core of a Zen 4: 256 to 728 channels and 384 to 384 are 5 to 7 % faster, 256 to 256 and 128
/// to 256 are not, 128 to 128 are 15 % slower.
const LEAST_CHANNELS: usize = 256;
const LEAST_WEIGHTS: usize = 512 * 256;

/// Adds the right operands of all products of two panels, `[depth, width]` each, whose first `half` elements are those of the first
/// half of the depth, to the zeros `to`. Rows that are zeros in every summand are left out.
pub(crate) fn pack(left: &[f32], right: &[f32], half: usize, to: &mut [f32]) {
    let quadrants = [&left[..half], &right[..half], &left[half..], &right[half..]];
    let mut rest = to;
    for product in &PRODUCTS {
        let (to, after) = rest.split_at_mut(product.depth(half, left.len()));
        for (quadrant, sign) in terms(&product.right) {
            let sign = f32::from(sign);
            to.iter_mut().zip(quadrants[quadrant]).for_each(|(to, x)| *to += sign * x);
        }
        rest = after;
    }
}

/// Where a thread keeps what a block of rows needs: the sums of rows, then the results that are not finished. Each lies tile
/// after tile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    rows: usize,
    half_words: usize,
    panel: usize,
}

impl Room {
    /// What weights need that are not taken two panels at a time.
    pub(crate) const NONE: Self = Self { rows: 0, half_words: 0, panel: 0 };

    /// For a block of `rows` rows of `depth_blocks` blocks, and panels of `panel` channels.
    pub(crate) fn new(rows: usize, depth_blocks: usize, panel: usize) -> Self {
        Self { rows: rows.next_multiple_of(2), half_words: half_depth(depth_blocks), panel }
    }

    /// Words of the sums.
    pub(crate) fn sums(&self) -> usize {
        self.rows / 2 * SUMS * self.half_words
    }

    /// Words of the results.
    pub(crate) fn results(&self) -> usize {
        self.result(self.rows)
    }

    /// Where sum `sum` of the rows of the tile begins whose rows are `start` and on, in `half_rows` pairs.
    pub(crate) fn sum(&self, start: usize, half_rows: usize, sum: usize) -> usize {
        (start / 2 * SUMS + sum * half_rows) * self.half_words
    }

    /// Where the results of the tile begin, among all results, whose first row is `start`: four quadrants.
    pub(crate) fn result(&self, start: usize) -> usize {
        start * 2 * self.panel
    }
}

/// Sums the rows at `multiplicands`, which lie in the paired tiles `tiles`, into `sums`, as `room` says. A row that has no partner
/// gets one of zeros.
///
/// # Panics
/// Where either slice is shorter than that.
#[inline(always)]
pub(crate) fn sum_rows<S: Simd>(
    simd: S,
    multiplicands: &mut [f32],
    tiles: Tiles,
    room: Room,
    sums: &mut [f32],
) {
    // A tile's rows have two halves of `half_blocks` blocks, its sums one; together the tiles have `slots` rows.
    let half_blocks = room.half_words / BLOCK;
    let slots = tiles.slots();
    assert!(S::WORDS == BLOCK && slots.is_multiple_of(2), "pairs of rows of whole words");
    assert!(slots * 2 * room.half_words <= multiplicands.len(), "{slots} rows in {}", multiplicands.len());
    assert!(slots == room.rows && room.sums() <= sums.len(), "sums of {slots} rows in {}", sums.len());
    let (multiplicands, sums) = (multiplicands.as_mut_ptr(), sums.as_mut_ptr());
    for index in 0..tiles.count() {
        let tile = tiles.tile(index);
        let half_rows = tile.slots / 2;
        let (half, block) = (half_rows * BLOCK, tile.slots * BLOCK);
        // SAFETY: the tiles before this one have `start` rows, each of two halves; all of `slots` rows are there.
        let rows = unsafe { multiplicands.add(tile.start * 2 * room.half_words) };
        if tile.rows < tile.slots {
            for row in 0..2 * half_blocks {
                for lane in (0..BLOCK).step_by(S::LANES) {
                    // SAFETY: the last row of block `row` of the tile, which has `2 * half_blocks` of them.
                    unsafe { simd.store(rows.add(row * block + block - BLOCK + lane), simd.splat(0.0)) };
                }
            }
        }
        for at in 0..half_blocks {
            let quadrants = [0, half_blocks * block, half, half_blocks * block + half];
            let mut sum = 0;
            for product in &PRODUCTS {
                let mut summands = terms(&product.left);
                let (Some((i, first)), Some((j, second))) = (summands.next(), summands.next()) else {
                    continue;
                };
                let to = room.sum(tile.start, half_rows, sum) + at * half;
                sum += 1;
                let [x, y] = [i, j].map(|quadrant| at * block + quadrants[quadrant]);
                // One of the two is positive: the sum is `positive + sign * other`.
                let (positive, other, sign) = if first > 0 { (x, y, second) } else { (y, x, first) };
                let sign = simd.splat(f32::from(sign));
                for lane in (0..half).step_by(S::LANES) {
                    // SAFETY: both operands are one half, the even or the odd rows, of block `at` or `half_blocks + at` of the
                    // tile; the result is block `at` of one of the tile's `SUMS` sums, `half_rows` times `half_words` words
                    // each. `half` is a multiple of `BLOCK`, and so of `LANES`.
                    unsafe {
                        let (other, positive) =
                            (simd.load(rows.add(other + lane)), simd.load(rows.add(positive + lane)));
                        simd.store(sums.add(to + lane), simd.mul_add(sign, other, positive));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_products_add_up_to_the_definition() {
        // Quadrant (row, column) of the result is the sum over k of (row, k) times (k, column), and nothing else.
        for (quadrant, [row, column]) in [[0, 0], [0, 1], [1, 0], [1, 1]].into_iter().enumerate() {
            for a in 0..4 {
                for b in 0..4 {
                    let found: i32 = PRODUCTS
                        .iter()
                        .map(|p| i32::from(p.result[quadrant]) * i32::from(p.left[a]) * i32::from(p.right[b]))
                        .sum();
                    let expected = a / 2 == row && b % 2 == column && a % 2 == b / 2;
                    assert_eq!(found, i32::from(expected), "A{a} B{b} in C{quadrant}");
                }
            }
        }
    }

    #[test]
    fn each_quadrant_is_begun_once_and_finished_once() {
        for quadrant in 0..4 {
            let of_it: Vec<Use> =
                (0..PRODUCTS.len()).filter_map(|index| Product::used(index, quadrant)).collect();
            assert!(of_it.len() > 1);
            for (index, of) in of_it.iter().enumerate() {
                assert_eq!((of.first, of.last), (index == 0, index + 1 == of_it.len()), "{of:?}");
                // What is begun is stored as it is.
                assert!(!of.first || of.sign > 0.0, "{of:?}");
            }
        }
        assert_eq!(PRODUCTS.iter().filter(|product| product.is_of_sum()).count(), SUMS);
    }
}
