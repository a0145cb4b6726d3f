//! Images and maps of a size that the kernels cannot take.

use memory::NoMemory;
use thiserror::Error;

/// Images of a size that a network cannot take.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum SizeError {
    /// A window is larger than the map that it slides over.
    #[error("images of {height}x{width} pixels are too small for the network")]
    TooSmall {
        /// Rows of the images.
        height: usize,
        /// Their columns.
        width: usize,
    },
    /// The network's shapes were computed for images of another size.
    #[error("images of {found:?} pixels were given to a network that was made for {expected:?}")]
    OtherSize {
        /// Height and width that it was made for.
        expected: [usize; 2],
        /// Those that were given.
        found: [usize; 2],
    },
    /// Maps that are added have different heights or widths.
    #[error("maps of {a:?} and {b:?} pixels cannot be added")]
    Unequal {
        /// Height and width of one map.
        a: [usize; 2],
        /// Those of the other.
        b: [usize; 2],
    },
    /// The images or the maps made of them have more elements than can be counted.
    #[error("images of {height}x{width} pixels are too large for the network")]
    TooLarge {
        /// Rows of the images.
        height: usize,
        /// Their columns.
        width: usize,
    },
    /// The images have another number of channels than the network takes.
    #[error("images of {found} channels were given to a network that takes {expected}")]
    Channels {
        /// What the network takes.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// The values are not those of whole images.
    #[error("{values} values are not whole images of {height}x{width} pixels and {channels} channels")]
    Partial {
        /// How many values.
        values: usize,
        /// Rows of an image.
        height: usize,
        /// Its columns.
        width: usize,
        /// Its channels.
        channels: usize,
    },
    /// What computes a part of the network gave up.
    #[error("{reason}")]
    Elsewhere {
        /// In its words.
        reason: String,
    },
    /// The system has no memory for so many images at once.
    #[error("out of memory: {bytes} bytes more were asked for")]
    OutOfMemory {
        /// What was asked for last.
        bytes: usize,
    },
}

impl From<NoMemory> for SizeError {
    fn from(NoMemory { bytes }: NoMemory) -> Self {
        Self::OutOfMemory { bytes }
    }
}

/// Elements of a map or an image of `size` pixels; `None` where they cannot be counted.
pub(crate) fn elements([height, width]: [usize; 2], channels: usize) -> Option<usize> {
    // No memory holds more bytes than a signed number counts.
    let elements = height.checked_mul(width)?.checked_mul(channels)?;
    (elements <= isize::MAX as usize / size_of::<f32>()).then_some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_no_memory_holds_are_not_counted() {
        assert_eq!(elements([1 << 32, 1 << 32], 1), None);
        assert_eq!(elements([1 << 31, 1 << 31], 4), None);
        assert_eq!(elements([299, 299], 3), Some(268_203));
    }
}
