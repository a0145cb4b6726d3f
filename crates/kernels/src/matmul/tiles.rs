//! How rows are cut: into blocks that the second-level cache holds, and a block into tiles.

/// Words of multiplicands that a block of rows may take: half of a small second-level cache.
pub(crate) const BLOCK_WORDS: usize = 64 * 1024;

/// How the rows of a block are cut into tiles: as evenly as can be, because a tile of few rows does not
/// fill the pipeline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiles {
    pub(crate) rows: usize,
    count: usize,
    /// Rows that belong together: 1, or 2 where they are taken two by two.
    together: usize,
    /// Sets of rows that belong together, of each tile.
    height: usize,
    /// Tiles that have one more: the first ones.
    higher: usize,
}

/// A tile of a block. Tiles lie one behind the other: the next one's `start` is this one's plus its `slots`, and the last one ends
/// with [`Tiles::slots`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tile {
    /// Its first row in the block.
    pub(crate) start: usize,
    pub(crate) rows: usize,
    /// Places for rows that it has: one more than rows where the last row has no partner.
    pub(crate) slots: usize,
    /// Rows that belong together.
    pub(crate) together: usize,
}

impl Tile {
    /// The place of a row, below `slots`.
    #[inline(always)]
    pub(crate) fn slot(&self, row: usize) -> usize {
        // 0 or 1, which takes no division.
        let pairs = self.together - 1;
        (row & pairs) * (self.slots / 2) + (row >> pairs)
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

    /// Places for rows that all tiles have together.
    pub(crate) fn slots(&self) -> usize {
        self.rows.next_multiple_of(self.together)
    }

    /// Tile `index`.
    #[inline(always)]
    pub(crate) fn tile(&self, index: usize) -> Tile {
        let start = |index: usize| (index * self.height + index.min(self.higher)) * self.together;
        let (start, end) = (start(index), start(index + 1));
        Tile { start, rows: end.min(self.rows) - start, slots: end - start, together: self.together }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_lie_one_behind_the_other_and_give_each_row_a_place() {
        for (most, together) in [(1, 1), (2, 1), (6, 1), (14, 1), (1, 2), (2, 2), (6, 2), (14, 2)] {
            for rows in 0..100 {
                let tiles = Tiles::new(rows, most, together);
                let (mut start, mut seen) = (0, 0);
                for tile in (0..tiles.count()).map(|index| tiles.tile(index)) {
                    assert_eq!(tile.start, start, "{tiles:?}");
                    assert!(tile.slots <= most * together && tile.rows <= tile.slots, "{tiles:?}");
                    assert!(tile.rows + together > tile.slots && tile.rows > 0, "{tiles:?}");
                    let mut places: Vec<usize> = (0..tile.rows).map(|row| tile.slot(row)).collect();
                    places.sort_unstable();
                    places.dedup();
                    assert_eq!(places.len(), tile.rows, "{tiles:?}");
                    assert!(places.iter().all(|&place| place < tile.slots), "{tiles:?}");
                    (start, seen) = (start + tile.slots, seen + tile.rows);
                }
                assert_eq!((start, seen), (tiles.slots(), rows), "{tiles:?}");
            }
        }
    }
}
