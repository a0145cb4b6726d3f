//! Why a model has no weights to be evaluated with: what was named as such, and the published ones in the cache.

use std::io;
use std::path::PathBuf;

/// A model without weights.
#[derive(Debug, thiserror::Error)]
pub enum NoWeights {
    /// What was named as weights is not there, or does not fit the selection.
    #[error("{argument}: {reason}")]
    Argument {
        /// The argument as given.
        argument: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Published weights are wanted and not at hand.
    #[error(
        "{id}: the published weights are not here. Download {url} and put it at {}, or give a file of your own",
        path.display()
    )]
    Missing {
        /// The model.
        id: String,
        /// Where they are published.
        url: String,
        /// Where they are looked for.
        path: PathBuf,
    },
    /// Published weights could not be fetched.
    #[error(
        "{id}: {reason}. Put the file at {} yourself, name a mirror with IMAGENET_EVAL_MIRROR, or give a file of your own",
        path.display()
    )]
    Fetch {
        /// The model.
        id: String,
        /// What went wrong, with the address.
        reason: String,
        /// Where the file belongs.
        path: PathBuf,
        /// Whether the cache remembers what the file was when it was first seen.
        was_seen: bool,
    },
    /// A cached file is not the published one.
    #[error("{id}: {} is not the published file: {reason}. That one is at {url}", path.display())]
    Corrupt {
        /// The model.
        id: String,
        /// The file.
        path: PathBuf,
        /// How it differs.
        reason: String,
        /// Where the right one is.
        url: String,
    },
    /// What was first seen in the cache cannot be read.
    #[error("{id}: whether its weights are the published ones cannot be told: {source}")]
    FirstSeen {
        /// The model.
        id: String,
        /// The record's file, what is wrong with it, and what to do.
        #[source]
        source: io::Error,
    },
    /// A file that the catalog cannot tell was found in the cache, and what it is cannot be noted there.
    #[error(
        "{id}: cannot record in {} what {file} is: {source}. Make the folder writable, or give a file of your own",
        cache.display()
    )]
    Unrecorded {
        /// The model.
        id: String,
        /// The file in the cache.
        file: String,
        /// The cache.
        cache: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
}
