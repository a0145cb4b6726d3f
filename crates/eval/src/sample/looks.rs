//! The sizes at which a growing sample is looked at. They are fixed before the first image, so that each look can be given its
//! share of the error rate: the chance that any look refutes a right figure is at most the sum of the shares, whenever the run stops. No other
//! bound is needed for that, nor anything assumed of how the looks hang together.

use dataset::labels::VAL_IMAGES;

/// How many images a growing sample begins with, where nobody says it.
pub const FIRST_LOOK: usize = 200;

/// Half as many again at each look, and the whole set at the last.
pub(crate) fn sizes(first: usize) -> Vec<usize> {
    let mut sizes = vec![first.clamp(1, VAL_IMAGES)];
    while let Some(&size) = sizes.last().filter(|&&size| size < VAL_IMAGES) {
        sizes.push((size + size.div_ceil(2)).min(VAL_IMAGES));
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_by_half() {
        let sizes = sizes(FIRST_LOOK);
        assert_eq!(sizes[..6], [200, 300, 450, 675, 1013, 1520]);
        assert_eq!(sizes.last(), Some(&VAL_IMAGES));
        assert_eq!(super::sizes(1)[..4], [1, 2, 3, 5]);
        assert_eq!(super::sizes(VAL_IMAGES), [VAL_IMAGES]);
    }
}
