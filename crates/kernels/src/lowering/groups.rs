//! A convolution of groups: so many groups at a time as fill the lanes of a block, each set of them a convolution over its own
//! channels alone, whose weights between groups are zero. Where the channels of each set are whole blocks, all sets are one step, which reads
//! and writes them where they lie; else they are copied, and put together again where the epilogue is done.

use std::ops::Range;

use graph::operations::Convolution;

use crate::simd::BLOCK;

/// Groups that a convolution has at most: each set of them is a step.
pub(super) const MOST: usize = 1 << 14;

/// Whether all sets of groups of `convolution` but the last read and write whole blocks of channels.
pub(super) fn are_whole_blocks(convolution: &Convolution) -> bool {
    let together = sets(convolution).first().map_or(1, ExactSizeIterator::len);
    let of_group = convolution.channels().map(|channels| channels / convolution.groups);
    of_group.iter().all(|&channels| (channels * together).is_multiple_of(BLOCK))
}

/// The sets of groups of `convolution` that are computed together.
pub(super) fn sets(convolution: &Convolution) -> Vec<Range<usize>> {
    let [from, _] = convolution.channels();
    let groups = convolution.groups;
    let of_group = (from / groups).max(1);
    // Few enough that weights of zero are no more than lanes that would be idle.
    let together = BLOCK.div_ceil(of_group);
    (0..groups).step_by(together).map(|first| first..(first + together).min(groups)).collect()
}
