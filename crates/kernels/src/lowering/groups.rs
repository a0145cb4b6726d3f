//! A convolution of groups: so many groups at a time as fill the lanes of a block, each set of them a convolution over its own
//! channels alone, whose weights between groups are zero. The channels are put together again where the epilogue is done.

use std::ops::Range;

use graph::operations::Convolution;

use crate::simd::BLOCK;

/// The sets of groups of `convolution` that are computed together.
pub(super) fn sets(convolution: &Convolution) -> Vec<Range<usize>> {
    let [from, _] = convolution.channels();
    let groups = convolution.groups;
    let of_group = (from / groups).max(1);
    // Few enough that weights of zero are no more than lanes that would be idle.
    let together = (1..=groups).find(|&count| groups.is_multiple_of(count) && count * of_group >= BLOCK);
    let together = together.unwrap_or(groups);
    (0..groups / together).map(|set| set * together..(set + 1) * together).collect()
}
