//! A part of a network that the kernels lack: whoever has its operations computes it, of one image at a time, between two steps.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use graph::Geometry;
use memory::NoMemory;

use crate::simd::BLOCK;

/// What computes a part of a network elsewhere.
///
/// An image's logits must not depend on others or on threads: `compute` gets the values of one image, and what it gives has to follow from
/// them alone. Threads call it at once, each for its own image.
pub trait Elsewhere: fmt::Debug + Send + Sync {
    /// The values that the part puts out, each with the last axis fastest, of those that it reads, by their places.
    ///
    /// # Errors
    /// Why they cannot be had, in words.
    fn compute(&self, inputs: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>, String>;
}

/// Which axis of a value the channels of its pixels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channels {
    /// The first: a map's.
    First,
    /// The last.
    Last,
}

/// A value as pixels of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) size: [usize; 2],
    pub(crate) width: usize,
    pub(crate) channels: Channels,
}

impl Held {
    fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    pub(crate) fn elements(&self) -> usize {
        self.pixels() * self.width
    }

    /// The elements in the order of the value's axes, of pixels that are `stride` apart.
    ///
    /// # Panics
    /// Where `from` has fewer.
    fn in_order(&self, from: &[f32], stride: usize) -> Result<Vec<f32>, NoMemory> {
        let mut values = memory::room(self.elements())?;
        let pixels = || from.chunks_exact(stride).take(self.pixels());
        match self.channels {
            Channels::Last => pixels().for_each(|pixel| values.extend_from_slice(&pixel[..self.width])),
            Channels::First => {
                (0..self.width).for_each(|channel| values.extend(pixels().map(|pixel| pixel[channel])));
            }
        }
        assert_eq!(values.len(), self.elements(), "elements of a value");
        Ok(values)
    }

    /// Puts `pixels` of the value whose elements are `from`, in the order of its axes, to `to`, which has room for them and no more:
    /// `channels` (padded) elements each.
    ///
    /// # Panics
    /// Where `from` has fewer.
    pub(crate) fn copy(&self, from: &[f32], pixels: Range<usize>, (channels, to): (usize, &mut [f32])) {
        let (count, width) = (self.pixels(), self.width);
        for (pixel, to) in pixels.zip(to.chunks_exact_mut(channels)) {
            let (to, beyond) = to.split_at_mut(width);
            match self.channels {
                Channels::Last => to.copy_from_slice(&from[pixel * width..][..width]),
                Channels::First => {
                    to.iter_mut().enumerate().for_each(|(channel, to)| *to = from[channel * count + pixel]);
                }
            }
            beyond.fill(0.0);
        }
    }
}

/// What makes a map of `output` pixels of one of `input`, in an order of its own.
pub(crate) fn to_size(input: [usize; 2], output: [usize; 2]) -> Geometry {
    let one = [1; 2];
    Geometry { input, output, kernel: one, stride: one, dilation: one, pad: [0; 2] }
}

/// The call of a part. Its result is the elements of all values that the part puts out, one after the other, in pixels of a block each.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) part: Arc<dyn Elsewhere>,
    /// Values of the program that it reads.
    pub(crate) reads: Vec<(usize, Held)>,
    /// Elements of what it puts out.
    pub(crate) lengths: Vec<usize>,
}

impl Call {
    /// Its result in pixels of a block.
    pub(crate) fn geometry(&self, input: [usize; 2]) -> Geometry {
        let blocks = self.lengths.iter().sum::<usize>().div_ceil(BLOCK);
        to_size(input, [1, blocks])
    }

    /// Computes the part; `read` gives the elements of a value and how many a pixel of it has.
    ///
    /// # Errors
    /// The part's words, or what is wrong with what it gave.
    pub(crate) fn run<'a>(
        &self,
        read: impl Fn(usize) -> (&'a [f32], usize),
        to: &mut [f32],
    ) -> Result<(), String> {
        let in_order = |&(value, held): &(usize, Held)| {
            let (from, stride) = read(value);
            held.in_order(from, stride)
        };
        let inputs = self.reads.iter().map(in_order).collect::<Result<Vec<_>, NoMemory>>();
        let outputs = self.part.compute(inputs.map_err(|error| error.to_string())?)?;
        let found: Vec<usize> = outputs.iter().map(Vec::len).collect();
        if found != self.lengths {
            return Err(format!("a part of the network puts out {found:?} elements, not {:?}", self.lengths));
        }
        let mut rest = to;
        for output in &outputs {
            let (to, after) = rest.split_at_mut(output.len());
            to.copy_from_slice(output);
            rest = after;
        }
        rest.fill(0.0);
        Ok(())
    }
}
