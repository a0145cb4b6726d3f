//! What is wrong with a recipe's text, and why an image gives no crop.

use memory::NoMemory;

use super::{KEYS, Size, nearest};
use crate::DecodeError;

/// What is wrong with the text of a recipe: what, where, and what is possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeKeyError {
    /// A part of an inline recipe without `=`.
    #[error("`{part}` is not key=value; a recipe is written like {example}", example = super::Recipe::EXAMPLE)]
    NotAPair {
        /// The part between two commas.
        part: String,
    },
    /// There is no such key.
    #[error("{}", nearest::unknown("key", key, &KEYS.map(|key| key.name)))]
    UnknownKey {
        /// As it was written.
        key: String,
    },
    /// A key twice.
    #[error("`{key}` is there twice")]
    Repeated {
        /// The key.
        key: String,
    },
    /// A key that a recipe needs.
    #[error("`{key}` is missing; write {example}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What it looks like.
        example: &'static str,
    },
    /// A value that the key does not take.
    #[error("{key}={value}: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// As it was written.
        value: String,
        /// What is wrong, and what is possible.
        reason: String,
    },
    /// Two keys that do not go together.
    #[error("{reason}")]
    Conflict {
        /// Which, why, and what to write.
        reason: String,
    },
    /// A name that cannot be one.
    #[error("`{name}` cannot be a recipe's name: {reason}")]
    Name {
        /// As it was written.
        name: String,
        /// Why.
        reason: &'static str,
    },
}

impl RecipeKeyError {
    pub(super) fn value(key: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self::Value { key, value: value.to_owned(), reason: reason.into() }
    }
}

/// Why an image that was decoded still gives no crop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The resized image is smaller than the crop.
    #[error(
        "recipe {recipe}: a {width}x{height} image becomes {resized_width}x{resized_height}, too small for its \
         crop of {}x{} (pad=zero would fill it up with black, as torchvision's CenterCrop)",
        crop.width, crop.height
    )]
    CropDoesNotFit {
        /// The recipe's name.
        recipe: String,
        /// Pixels in a row of the decoded image.
        width: usize,
        /// Rows of the decoded image.
        height: usize,
        /// Pixels in a row after resizing.
        resized_width: usize,
        /// Rows after resizing.
        resized_height: usize,
        /// The crop.
        crop: Size,
    },
    /// The crop before the resize has no pixel.
    #[error("recipe {recipe}: of a {width}x{height} image crop-first leaves no pixel")]
    NothingLeft {
        /// The recipe's name.
        recipe: String,
        /// Pixels in a row of the decoded image.
        width: usize,
        /// Rows of the decoded image.
        height: usize,
    },
    /// The recipe's decoder has no view of the file.
    #[error(transparent)]
    View(DecodeError),
    /// Nothing is wrong with the image: this process has no memory for its crop.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
}

impl From<DecodeError> for RecipeError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::NoMemory(cause) => Self::NoMemory(cause),
            error => Self::View(error),
        }
    }
}
