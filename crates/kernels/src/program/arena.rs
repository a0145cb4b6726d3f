//! Where feature maps lie: all in one buffer, at places ([`super::slots`]) that are used again once nobody reads a map any more.

use std::ops::Range;

use graph::Geometry;

use super::Tail;
use super::among::{Among, is_done, is_there};
use super::slots::{Slots, Taken};
use crate::shape::{SizeError, elements};
use crate::simd::BLOCK;
use crate::step::{Step, StepKind};

/// The places of a program's values for images of one size.
#[derive(Debug)]
pub(crate) struct ArenaLayout {
    sizes: Vec<[usize; 2]>,
    geometries: Vec<Geometry>,
    /// Elements of the arena. What a step writes overlaps nothing that it reads.
    places: Vec<Range<usize>>,
    /// Where the sums of the lines of a map that is averaged lie.
    sums: Range<usize>,
    arena_len: usize,
}

impl ArenaLayout {
    /// For images of `image` pixels and `image_channels` channels, on which `steps` compute; `by_bands` says which of them may compute what
    /// they read by bands, `among` which values lie among the channels of others, and `tail` follows them.
    pub(super) fn new(
        image: [usize; 2],
        image_channels: usize,
        steps: &[Step],
        (by_bands, among): (&[bool], &[Option<Among>]),
        tail: &Tail,
    ) -> Result<Self, SizeError> {
        let too_large = || SizeError::TooLarge { height: image[0], width: image[1] };
        let mut sizes = vec![image];
        let mut geometries = Vec::with_capacity(steps.len());
        for step in steps {
            let geometry = step
                .geometry(sizes[step.input])
                .ok_or(SizeError::TooSmall { height: image[0], width: image[1] })?;
            if let Some(residual) = step.residuals().find(|&residual| sizes[residual] != geometry.output) {
                return Err(SizeError::Unequal { a: geometry.output, b: sizes[residual] });
            }
            let pixels = |[height, width]: [usize; 2]| height * width;
            if let Some((read, size)) =
                step.others().find(|&(read, size)| pixels(sizes[read]) != pixels(size))
            {
                return Err(SizeError::Unequal { a: size, b: sizes[read] });
            }
            if let Some(gate) = step.gates().find(|&gate| sizes[gate] != [1; 2]) {
                return Err(SizeError::Unequal { a: [1; 2], b: sizes[gate] });
            }
            sizes.push(geometry.output);
            geometries.push(geometry);
        }
        let mut until = vec![0; sizes.len()];
        // What a map is computed from by bands is read when that is, by the last of the steps that follow one another.
        let mut done = steps.len();
        for (index, step) in steps.iter().enumerate().rev() {
            if by_bands.get(index + 1) != Some(&true) {
                done = index;
            }
            step.reads().for_each(|read| until[read] = until[read].max(done));
        }
        until[tail.input] = steps.len();
        // What is only called otherwise lies where it lay, as long as either is read.
        let renamed = |value: usize| match value.checked_sub(1).map(|step| &steps[step]) {
            Some(Step { kind: StepKind::Renamed(_), input, .. }) => Some(*input),
            _ => None,
        };
        for value in (0..sizes.len()).rev() {
            let whole = renamed(value).or(among[value].map(|among| among.of));
            if let Some(whole) = whole {
                until[whole] = until[whole].max(until[value]);
            }
        }

        let channels_of =
            |value: usize| value.checked_sub(1).map_or(image_channels, |step| steps[step].channels);
        // Every access to a map is within this product, so it must not wrap.
        let len_of = |value: usize| {
            let len = elements(sizes[value], channels_of(value));
            len.and_then(|len| len.checked_next_multiple_of(BLOCK)).ok_or_else(too_large)
        };
        let mut slots = Slots::default();
        // The values that have a place of their own: maps of which some channels are written before the step that puts them together
        // take theirs then.
        let mut taken: Vec<Option<Taken>> = vec![None; sizes.len()];
        for (value, &[height, width]) in sizes.iter().enumerate() {
            let len = len_of(value)?;
            if let Some(before) = renamed(value) {
                if len_of(before)? != len {
                    return Err(SizeError::Unequal { a: [height, width], b: sizes[before] });
                }
                continue;
            }
            let owner = among[value].map_or(value, |among| among.of);
            if taken[owner].is_some() {
                continue;
            }
            let len = len_of(owner)?;
            let [height, width] = sizes[owner];
            // Of the image whole lines, of which each thread writes some.
            let pixels = if owner == 0 { height / 2 * width } else { height * width / 2 };
            let first = pixels * channels_of(owner) / BLOCK * BLOCK;
            // The value is written by the step before it; the image by none.
            taken[owner] = Some(slots.take([first, len - first], value, until[owner] + 1));
        }
        let (middles, arena_len) = slots.middles().ok_or_else(too_large)?;
        let mut places: Vec<Range<usize>> = Vec::with_capacity(sizes.len());
        for value in 0..sizes.len() {
            // What is called otherwise lies where it lay, whatever that is called.
            if let Some(before) = renamed(value) {
                places.push(places[before].clone());
                continue;
            }
            let (owner, first) = among[value].map_or((value, 0), |among| (among.of, among.first));
            let start = taken[owner].map_or(0, |taken| taken.start(&middles));
            places.push(start + first..start + len_of(owner)?);
        }
        for (index, step) in steps.iter().enumerate() {
            let written = &places[index + 1];
            if renamed(index + 1).is_some() || is_done(step, index + 1, among) {
                continue;
            }
            for read in step.reads().filter(|&read| !is_there(read, index + 1, among)) {
                let read = &places[read];
                let apart = written.end <= read.start || read.end <= written.start;
                assert!(apart, "step {index} writes {written:?} and reads {read:?}");
            }
        }
        // Behind all values; one mean is taken at a time.
        let averaged =
            steps.iter().filter(|step| matches!(step.kind, StepKind::Average(_))).map(|step| step.input);
        let averaged = averaged.chain(tail.mean.map(|_| tail.input));
        let mut sums = 0;
        for value in averaged {
            sums = sums.max(elements([sizes[value][0], 1], channels_of(value)).ok_or_else(too_large)?);
        }
        let sums = arena_len..arena_len.checked_add(sums).ok_or_else(too_large)?;
        Ok(Self { sizes, geometries, places, arena_len: sums.end, sums })
    }

    /// Height and width of a value; value 0 is the image.
    pub(crate) fn size(&self, value: usize) -> [usize; 2] {
        self.sizes[value]
    }

    /// The window of a step.
    pub(crate) fn geometry(&self, step: usize) -> Geometry {
        self.geometries[step]
    }

    /// The elements of the arena that hold a value.
    pub(crate) fn place(&self, value: usize) -> Range<usize> {
        self.places[value].clone()
    }

    /// The elements of the arena that hold the sums of the lines of a map that is averaged.
    pub(crate) fn sums(&self) -> Range<usize> {
        self.sums.clone()
    }

    /// Elements that an image needs.
    pub(crate) fn arena_len(&self) -> usize {
        self.arena_len
    }
}
