//! What is wrong with a parquet file, in the words of who has to get another.

use parquet::errors::ParquetError;

use crate::open::Remedy;

/// Why a file is not what is needed.
pub(super) struct Reason {
    /// What is appended to its path.
    pub(super) words: String,
    /// What to give, where something can be given.
    pub(super) remedy: Option<Remedy>,
}

impl Reason {
    pub(super) fn new(words: String) -> Self {
        Self { words, remedy: None }
    }

    pub(super) fn damaged(words: &str) -> Self {
        Self::new(format!("{words} (is it cut off, or damaged? get it again)"))
    }
}

impl From<ParquetError> for Reason {
    fn from(error: ParquetError) -> Self {
        Self::damaged(error.to_string().trim_start_matches("Parquet error: "))
    }
}
