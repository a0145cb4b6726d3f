//! The weights of a matrix multiplication, packed once at load in the order in which [`super::multiply`] reads them.
//!
//! A *panel* is the weights of 32 (AVX-512) or 16 output channels, input channel after input channel, read in one
//! stream. Where [`strassen`] saves time, two panels that lie side by side are packed as the right
//! operands of its seven products instead: a *pair*, 7/8 of the arithmetic and 7/4 of the memory.

use std::ops::Range;

use memory::NoMemory;

use super::strassen::{self, PRODUCTS, Room};
use crate::buffer::{Buffer, padded};
use crate::isa::{Facts, Isa};
use crate::simd::BLOCK;

/// Weights of a matrix multiplication, packed for one instruction set.
#[derive(Debug)]
pub(crate) struct Packed {
    words: Buffer,
    /// Words of multiplicand a row: input channels, or pairs of them for bf16.
    depth_words: usize,
    /// Blocks of multiplicands a row.
    pub(crate) depth_blocks: usize,
    /// Words of a row that lie one behind the other, after which a block begins: all of them, mostly.
    pub(crate) run: usize,
    /// Output channels, padded.
    pub(crate) channels: usize,
    /// Output channels a panel.
    panel: usize,
    /// Panels that are packed two by two: the first ones.
    pairs: usize,
}

/// What is computed at a time: all rows of a block with these weights.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit<'a> {
    /// A panel of `width` channels: `[depth, width]`.
    Panel { channel: usize, width: usize, depth: usize, weights: &'a [f32] },
    /// Two panels of `width` channels each: the right operands of [`PRODUCTS`], one after the other.
    Pair { channel: usize, width: usize, weights: &'a [f32] },
}

impl Packed {
    /// Packs the weights of `depth` inputs and `channels` outputs; `weights(input)` gives a function of the output, since where an input's
    /// weights lie takes divisions to find out. By Strassen's algorithm where that pays.
    pub(crate) fn new<W: Fn(usize) -> f32>(
        isa: Isa,
        depth: usize,
        channels: usize,
        weights: impl Fn(usize) -> W,
    ) -> Result<Self, NoMemory> {
        let panels = padded(channels) / isa.facts().panel_channels;
        let pairs = if strassen::pays(isa, depth, channels) { panels / 2 } else { 0 };
        Self::with_pairs(isa, depth, channels, pairs, weights)
    }

    /// [`Packed::new`], never by Strassen's algorithm, because rows have to be independent: those of the fully connected layer are
    /// images.
    pub(crate) fn plain<W: Fn(usize) -> f32>(
        isa: Isa,
        depth: usize,
        channels: usize,
        weights: impl Fn(usize) -> W,
    ) -> Result<Self, NoMemory> {
        Self::with_pairs(isa, depth, channels, 0, weights)
    }

    /// [`Packed::plain`], of rows whose inputs lie in `runs` runs of `run` each, of which every one begins with a block.
    pub(crate) fn in_runs<W: Fn(usize) -> f32>(
        isa: Isa,
        [runs, run]: [usize; 2],
        channels: usize,
        weights: impl Fn(usize) -> W,
    ) -> Result<Self, NoMemory> {
        let of_word = BLOCK / isa.facts().block_words;
        let words = run.div_ceil(of_word);
        // Where a word has two inputs, a run's last may have none beside it.
        let weights = |input: usize| {
            let (of, at) = (input / (words * of_word), input % (words * of_word));
            let there = (at < run).then(|| weights(of * run + at));
            move |output: usize| there.as_ref().map_or(0.0, |weights| weights(output))
        };
        let packed = Self::plain(isa, runs * words * of_word, channels, weights)?;
        Ok(Self { depth_blocks: runs * run.div_ceil(BLOCK), run: words, ..packed })
    }

    fn with_pairs<W: Fn(usize) -> f32>(
        isa: Isa,
        depth: usize,
        channels: usize,
        pairs: usize,
        weights: impl Fn(usize) -> W,
    ) -> Result<Self, NoMemory> {
        let Facts { panel_channels: panel, block_words, .. } = isa.facts();
        let depth_words = depth.div_ceil(BLOCK / block_words);
        let depth_blocks = depth.div_ceil(BLOCK);
        let mut packed = Self {
            words: Buffer::default(),
            depth_words,
            depth_blocks,
            run: depth_words,
            channels: padded(channels),
            panel,
            pairs,
        };
        packed.words = Buffer::kept(packed.panel_offset(packed.panels()))?;
        let of_input = |input: usize| (input < depth).then(|| weights(input));
        let of = |weights: &Option<W>, output: usize| match weights {
            Some(weights) if output < channels => weights(output),
            _ => 0.0,
        };
        let fill = |to: &mut [f32], panel: Range<usize>| {
            for (word, row) in to.chunks_exact_mut(panel.len()).enumerate() {
                let outputs = row.iter_mut().zip(panel.clone());
                if block_words == BLOCK {
                    let weights = of_input(word);
                    outputs.for_each(|(to, output)| *to = of(&weights, output));
                } else {
                    let [low, high] = [2 * word, 2 * word + 1].map(of_input);
                    outputs.for_each(|(to, output)| *to = bf16_pair(of(&low, output), of(&high, output)));
                }
            }
        };
        let mut both = if pairs > 0 { vec![0.0; 2 * depth_words * panel] } else { Vec::new() };
        for pair in 0..pairs {
            let (left, right) = both.split_at_mut(depth_words * panel);
            let channel = 2 * pair * panel;
            fill(left, channel..channel + panel);
            fill(right, channel + panel..channel + 2 * panel);
            let at = pair * packed.pair_words();
            let to = &mut packed.words.as_mut_slice()[at..];
            strassen::pack(left, right, strassen::half_depth(depth_blocks) * panel, to);
        }
        for index in 2 * pairs..packed.panels() {
            let (at, width) = (packed.panel_offset(index), packed.panel_width(index));
            let to = &mut packed.words.as_mut_slice()[at..at + depth_words * width];
            fill(to, index * panel..index * panel + width);
        }
        Ok(packed)
    }

    fn panels(&self) -> usize {
        self.channels.div_ceil(self.panel)
    }

    fn panel_width(&self, panel: usize) -> usize {
        (self.channels - panel * self.panel).min(self.panel)
    }

    /// Words of a pair of panels; 0 where there is none, because words of bf16 cannot be halved.
    fn pair_words(&self) -> usize {
        if !self.has_pairs() {
            return 0;
        }
        (0..PRODUCTS.len()).map(|product| self.product_depth(product)).sum::<usize>() * self.panel
    }

    /// Where a panel begins that is not one of a pair; the end of all words for the one after the last.
    fn panel_offset(&self, panel: usize) -> usize {
        let before = (panel * self.panel).min(self.channels) - 2 * self.pairs * self.panel;
        self.pairs * self.pair_words() + before * self.depth_words
    }

    /// Words that are multiplied for an element of product `product` of a pair.
    pub(crate) fn product_depth(&self, product: usize) -> usize {
        PRODUCTS[product].depth(strassen::half_depth(self.depth_blocks), self.depth_words)
    }

    /// Whether rows are taken two by two.
    pub(crate) fn has_pairs(&self) -> bool {
        self.pairs > 0
    }

    /// Number of units.
    pub(crate) fn units(&self) -> usize {
        self.panels() - self.pairs
    }

    /// Unit `index`; pairs come first.
    pub(crate) fn unit(&self, index: usize) -> Unit<'_> {
        let words = |offset: usize, len: usize| &self.words.as_slice()[offset..offset + len];
        match index.checked_sub(self.pairs) {
            None => Unit::Pair {
                channel: 2 * index * self.panel,
                width: self.panel,
                weights: words(index * self.pair_words(), self.pair_words()),
            },
            Some(rest) => {
                let panel = 2 * self.pairs + rest;
                let (width, depth) = (self.panel_width(panel), self.depth_words);
                Unit::Panel {
                    channel: panel * self.panel,
                    width,
                    depth,
                    weights: words(self.panel_offset(panel), depth * width),
                }
            }
        }
    }

    /// The room that a thread needs for the multiplication of `rows` rows besides the rows themselves.
    pub(crate) fn room(&self, rows: usize) -> Room {
        if self.has_pairs() { Room::new(rows, self.depth_blocks, self.panel) } else { Room::NONE }
    }

    /// Words that it takes.
    pub(crate) fn words(&self) -> usize {
        self.words.len()
    }
}

/// Two bf16 in the bits of a word, the first in the lower half; rounded to the nearest, ties to even.
fn bf16_pair(low: f32, high: f32) -> f32 {
    f32::from_bits(u32::from(bf16(low)) | u32::from(bf16(high)) << 16)
}

fn bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        // Rounding could carry into infinity.
        return (bits >> 16) as u16 | 0x40;
    }
    let up = 0x7fff + (bits >> 16 & 1);
    (bits.wrapping_add(up) >> 16) as u16
}
