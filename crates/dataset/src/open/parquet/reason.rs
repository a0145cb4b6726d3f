//! What is wrong with a parquet file, in the words of who has to get another.

use parquet::errors::ParquetError;

/// Why a file is not what is needed; what is appended to its path.
pub(super) struct Reason(pub(super) String);

impl Reason {
    pub(super) fn damaged(words: &str) -> Self {
        Self(format!("{words} (is it cut off, or damaged? get it again)"))
    }
}

impl From<ParquetError> for Reason {
    fn from(error: ParquetError) -> Self {
        Self::damaged(error.to_string().trim_start_matches("Parquet error: "))
    }
}
