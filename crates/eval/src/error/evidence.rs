//! What a verdict cannot rest on: samples of other sets, digests of other tars. Apart from [`super::EvalError`], which is long.

use std::path::PathBuf;

use thiserror::Error;

/// Evidence that is none.
#[derive(Debug, Error)]
pub enum EvidenceError {
    /// A random sample is wanted of images that are not the whole validation set.
    #[error(
        "a random sample is drawn from all 50,000 images of the validation set, and {data} has not all of them by name, or others beside \
         them ({images} images; {missing} of the 50,000 are missing{}); give the whole set, or take a part that promises nothing",
        first.as_ref().map_or_else(String::new, |first| format!(", {first} first"))
    )]
    NotTheWholeSet {
        /// Where the images are.
        data: String,
        /// How many there are.
        images: usize,
        /// How many of the 50,000 are not there.
        missing: usize,
        /// The first of those.
        first: Option<String>,
    },
    /// A file that should hold the digests of the verified tar's images does not.
    #[error(
        "{} holds no digests of ILSVRC2012_img_val.tar: {reason}; make it of the verified tar",
        path.display()
    )]
    TarDigests {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
