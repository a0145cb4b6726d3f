//! What can be wrong with a catalog, said so that a person knows which line to change.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// What can be wrong with a catalog or a selection from it.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// The file could not be read.
    #[error("cannot read the catalog {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// The file is not a catalog.
    #[error("the catalog {origin} is not valid: {source}")]
    Syntax {
        /// The file, or `built in`.
        origin: String,
        /// Line, column and reason.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value outside the entries is not what its key takes.
    #[error("the catalog {origin}: {reason}")]
    Key {
        /// The file, or `built in`.
        origin: String,
        /// The key, what is wrong and what would be right.
        reason: String,
    },
    /// An entry contradicts itself or another.
    #[error("the catalog {origin}, model `{id}`: {reason}")]
    Entry {
        /// The file, or `built in`.
        origin: String,
        /// The entry.
        id: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// An entry of `[[recipes]]` is no recipe.
    #[error("the catalog {origin}, recipe `{name}`: {reason}")]
    Recipe {
        /// The file, or `built in`.
        origin: String,
        /// The entry.
        name: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Nothing matches what was asked for.
    #[error("no model matches `{pattern}`; the nearest are {}", nearest.join(", "))]
    UnknownModel {
        /// What was asked for.
        pattern: String,
        /// Ids that resemble it.
        nearest: Vec<String>,
    },
    /// The pattern is not a glob.
    #[error(
        "`{pattern}` is no pattern: {reason}; use an id such as timm/xception or a glob such as 'timm/*'"
    )]
    Pattern {
        /// What was asked for.
        pattern: String,
        /// Why it cannot be understood.
        reason: String,
    },
}
