//! What a decoder noticed of a file that it decoded all the same.

use std::fmt;

/// How many warnings there were, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warnings {
    count: usize,
    first: String,
}

impl Warnings {
    /// How many there were; 0 for an image without fault.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first one, in the decoder's words; empty where there is none.
    #[must_use]
    pub fn first(&self) -> &str {
        &self.first
    }

    /// Counts a warning; `words` is asked only for the first.
    #[cold]
    pub(super) fn add(&mut self, words: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = words();
        }
        self.count += 1;
    }
}

impl fmt::Display for Warnings {
    /// For example `3 warnings, the first: Corrupt JPEG data: bad Huffman code`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 => f.write_str("no warnings"),
            1 => write!(f, "1 warning: {}", self.first),
            count => write!(f, "{count} warnings, the first: {}", self.first),
        }
    }
}
