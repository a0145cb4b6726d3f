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

/// A tile of a block.
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
    /// The place of a row.
    #[inline(always)]
    pub(crate) fn slot(&self, row: usize) -> usize {
        row % self.together * (self.slots / 2) + row / self.together
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
