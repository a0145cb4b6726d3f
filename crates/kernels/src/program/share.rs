//! How a step is cut into items that threads take.

use std::ops::Range;

use crate::isa::{Facts, Isa};
use crate::matmul::{BLOCK_WORDS, Packed};
use crate::simd::BLOCK;
use crate::step::{Grouped, Multiplication, Step, StepKind};

/// Tiles a block has at most, so that there are enough blocks to share.
const BLOCK_TILES: usize = 16;

/// Rows of the largest block of a multiplication.
pub(crate) fn most_rows(weights: &Packed, isa: Isa) -> usize {
    let Facts { tile_rows, block_words, .. } = isa.facts();
    let rows = tile_rows * together(weights);
    let tiles = BLOCK_WORDS / (weights.depth_blocks * block_words * rows);
    tiles.clamp(1, BLOCK_TILES / together(weights)) * rows
}

/// Rows that belong together, because they are computed from one another's sums.
pub(super) fn together(weights: &Packed) -> usize {
    if weights.has_pairs() { 2 } else { 1 }
}

/// Words that a thread needs for an item of a step.
pub(crate) fn room(step: &Step, isa: Isa) -> usize {
    match &step.kind {
        StepKind::Multiply(Multiplication { weights, .. }) => room_of_rows(weights, isa),
        StepKind::Grouped(Grouped { sets, .. }) => {
            sets.iter().map(|weights| room_of_rows(weights, isa)).max().unwrap_or(0)
        }
        StepKind::Winograd(winograd) => winograd.room(isa),
        _ => 0,
    }
}

/// Words that a thread needs for a block of a multiplication.
fn room_of_rows(weights: &Packed, isa: Isa) -> usize {
    let rows = most_rows(weights, isa);
    let more = weights.room(rows);
    // One more row for the image's windows.
    (rows + 1) * weights.depth_blocks * BLOCK + more.sums() + more.results()
}

/// How a step is cut into items: blocks of pixels, and parts of the weights' units where there are too few rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pixels: usize,
    /// Pixels that stay together.
    together: usize,
    blocks: usize,
    units: usize,
    splits: usize,
}

impl Share {
    pub(crate) fn of(step: &Step, pixels: usize, members: usize, isa: Isa) -> Self {
        let (most, units, together) = match &step.kind {
            StepKind::Multiply(Multiplication { weights, .. }) => {
                (most_rows(weights, isa), weights.units(), together(weights))
            }
            StepKind::Grouped(Grouped { sets, .. }) => {
                let most = sets.iter().map(|weights| most_rows(weights, isa)).min().unwrap_or(1);
                // Rows are taken two by two where a set asks for it.
                let together = sets.iter().map(together).max().unwrap_or(1);
                ((most / together).max(1) * together, sets.len(), together)
            }
            StepKind::Winograd(winograd) => (winograd.most_patches(isa), winograd.units(), 1),
            _ => (BLOCK_WORDS / 4 / step.channels.max(1) + 1, 1, 1),
        };
        let mut blocks = pixels.div_ceil(most);
        let mut splits = 1;
        if members > 1 {
            let even = blocks.next_multiple_of(members);
            if pixels / even >= isa.facts().tile_rows || units == 1 {
                blocks = even.min(pixels.div_ceil(together));
            } else {
                splits = members.div_ceil(blocks).min(units);
            }
        }
        Self { pixels, together, blocks, units, splits }
    }

    /// Of a multiplication of `rows` rows, whose weights all threads take a part of.
    pub(crate) fn by_units(weights: &Packed, rows: usize, members: usize, isa: Isa) -> Self {
        let units = weights.units();
        Self {
            pixels: rows,
            together: together(weights),
            blocks: rows.div_ceil(most_rows(weights, isa)),
            units,
            splits: members.min(units),
        }
    }

    pub(crate) fn items(&self) -> usize {
        self.blocks * self.splits
    }

    pub(crate) fn item(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let (block, split) = (index / self.splits, index % self.splits);
        // Of as many pixels as memory holds, the product may be larger than a word.
        let start = |whole: usize, parts: usize, index: usize| {
            (whole as u128 * index as u128 / parts as u128) as usize
        };
        let sets = self.pixels.div_ceil(self.together);
        let pixel = |block| (start(sets, self.blocks, block) * self.together).min(self.pixels);
        let units = start(self.units, self.splits, split)..start(self.units, self.splits, split + 1);
        (pixel(block)..pixel(block + 1), units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_share_no_element_leave_none_out_and_fit_into_the_room() {
        for isa in Isa::available() {
            for (depth, channels) in [(3, 5), (40, 370), (312, 601), (2048, 1000)] {
                let weights = Packed::new(isa, depth, channels, |_| |_| 1.0).unwrap();
                let most = most_rows(&weights, isa);
                for (pixels, members) in [(0, 2), (1, 1), (1, 5), (17, 2), (361, 3), (5000, 2), (5001, 7)] {
                    let share = Share::by_units(&weights, pixels, members, isa);
                    let mut seen = vec![0; pixels * weights.units()];
                    for (pixels, units) in (0..share.items()).map(|item| share.item(item)) {
                        assert!(pixels.len() <= most, "{share:?}");
                        for pixel in pixels {
                            units.clone().for_each(|unit| seen[pixel * weights.units() + unit] += 1);
                        }
                    }
                    assert!(seen.iter().all(|&times| times == 1), "{share:?}");
                }
            }
        }
    }
}
