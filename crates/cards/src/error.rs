//! What can be wrong with a card, said so that a person knows which line to change.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// What can be wrong with a card or a choice of one.
#[derive(Debug, Error)]
pub enum CardError {
    /// The file could not be read.
    #[error("cannot read the card {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML, or has keys that there are not.
    #[error("the card {origin} is not valid: {source}")]
    Syntax {
        /// The file.
        origin: String,
        /// Line, column and reason.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value outside the rows is not what its key takes.
    #[error("the card {origin}: {reason}")]
    Key {
        /// The file.
        origin: String,
        /// The key, what is wrong and what would be right.
        reason: String,
    },
    /// A row contradicts itself or another, or is not possible.
    #[error("the card {origin}, {row}: {reason}")]
    Row {
        /// The file.
        origin: String,
        /// Which: ``row `timm/xception` ``, or ``model `mine/x` `` where a model's own entry is the row.
        row: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A tolerance that would let everything or nothing through.
    #[error(
        "the card {origin}: accuracy_tolerance_pp is {tolerance}; it must be a number of percentage points from 0 to 100"
    )]
    Tolerance {
        /// The file.
        origin: String,
        /// What it says.
        tolerance: f64,
    },
    /// No card is called so.
    #[error("there is no card `{name}`; there are {}{}", known.join(", "), nearest.as_ref().map_or_else(String::new, |nearest| format!(" (did you mean {nearest}?)")))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The card whose name resembles it, if one does.
        nearest: Option<String>,
        /// Cards there are.
        known: Vec<String>,
    },
    /// A table of others that nothing can be read from.
    #[error("cannot read a card from {}: {reason}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
