//! What follows when an image is one row: its layers are computed of all images of a batch at once, so that their weights, which are half
//! of those of many networks, are read once a batch.

use memory::NoMemory;

use super::item::{Item, Part};
use super::share::Share;
use super::shared;
use crate::activation::OnRead;
use crate::buffer::{Buffer, Shared};
use crate::epilogue::Epilogue;
use crate::isa::Isa;
use crate::map::{Ahead, MapView, Output};
use crate::matmul::Packed;
use crate::shape::SizeError;
use crate::simd::BLOCK;
use crate::step::{Multiplication, Rows, Step, StepKind};
use crate::threads::{Scratch, Team, Threads};
use graph::{Geometry, Window};

/// What logits are made of when all steps are done.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The value of the program that is left of an image.
    pub(crate) input: usize,
    /// What is read is the mean over its pixels times this factor, where it is not the value itself.
    pub(crate) mean: Option<(OnRead, f32)>,
    /// Multiplications after one another, of which each reads what the one before puts out and nothing else. Their rows are images, so
    /// that none may be computed by halves.
    pub(crate) layers: Vec<Step>,
    pub(crate) classes: usize,
}

impl Tail {
    /// The multiplications.
    fn multiplications(&self) -> impl Iterator<Item = &Multiplication> {
        self.layers.iter().filter_map(|layer| match &layer.kind {
            StepKind::Multiply(multiplication) => Some(multiplication),
            _ => None,
        })
    }

    /// The packed matrices.
    pub(crate) fn packed(&self) -> impl Iterator<Item = &Packed> {
        self.multiplications().map(|multiplication| &multiplication.weights)
    }

    /// Elements of each image: those that are left of it, where a pixel has `channels`, and what every layer puts out. The last are logits.
    pub(super) fn widths(&self, channels: usize) -> Vec<usize> {
        let left = self.packed().next().map_or(channels, |weights| weights.depth_blocks * BLOCK);
        [left].into_iter().chain(self.layers.iter().map(|layer| layer.channels)).collect()
    }

    /// Whether an image of `size` is left as the first layer wants it.
    ///
    /// # Errors
    /// [`SizeError::TooSmall`] where `left`, the height and width of what is left, are other pixels.
    pub(super) fn check(&self, [height, width]: [usize; 2], left: [usize; 2]) -> Result<(), SizeError> {
        let fits =
            self.mean.is_some() || left[0] * left[1] == self.multiplications().next().map_or(1, pixels);
        if fits { Ok(()) } else { Err(SizeError::TooSmall { height, width }) }
    }

    /// Makes room for so many images in `rows`, a buffer for each of [`Tail::widths`].
    pub(super) fn make_room(
        &self,
        rows: &mut Vec<Buffer>,
        images: usize,
        channels: usize,
    ) -> Result<(), NoMemory> {
        let widths = self.widths(channels);
        rows.resize_with(widths.len(), Buffer::default);
        for (buffer, width) in rows.iter_mut().zip(widths) {
            let len = images.checked_mul(width).ok_or(NoMemory { bytes: usize::MAX })?;
            if buffer.len() < len {
                *buffer = Buffer::zeroed(len)?;
            }
        }
        Ok(())
    }

    /// Computes all layers of `images` images, whose rows are the first of `rows`.
    pub(super) fn run(
        &self,
        (rows, zeros): (&mut [Buffer], &[f32]),
        scratch: &mut Scratch,
        images: usize,
        (isa, threads): (Isa, &Threads),
    ) {
        let mut rest = rows;
        for (layer, multiplication) in self.layers.iter().zip(self.multiplications()) {
            let [from, to, ..] = rest else { unreachable!("a buffer a layer and one before") };
            let pixels = pixels(multiplication);
            // An image is a line of pixels, which the window covers.
            let geometry = Geometry {
                input: [images, pixels],
                output: [images, 1],
                kernel: [1, pixels],
                ..Window::PIXEL.on([images, 1]).expect("run has seen that there are images")
            };
            let channels = multiplication.weights.depth_blocks * BLOCK / pixels;
            let map = MapView::new(from.as_slice(), channels, geometry, zeros);
            let epilogue = Epilogue::of(layer.epilogue.iter().map(|finish| {
                finish.with(|value| unreachable!("a layer reads no value beside the one before: {value}"))
            }));
            let workspaces = shared(&mut scratch.workspaces);
            // SAFETY: nobody reads what a layer puts out before all threads are done. Of two items either the images or the units, and with
            // these the channels, are others, and each item is taken once.
            let output = unsafe { Output::new(Shared::new(to.as_mut_slice()), layer.channels) };
            let share = Share::by_units(&multiplication.weights, images, threads.count(), isa);
            let team = Team::new(threads.count());
            threads.run(|thread| {
                for item in team.join(thread).items(share.items()) {
                    let (pixels, units) = share.item(item);
                    // SAFETY: the block is this thread's alone, and no item before this one uses it any more.
                    let block = unsafe { workspaces[thread].as_mut_slice() };
                    let (other, ahead) = (&[][..], Ahead::NOTHING);
                    let part = Part { map, other, epilogue, pixels, units, output, block, ahead };
                    isa.run(Item { kind: &layer.kind, part });
                }
            });
            rest = &mut rest[1..];
        }
    }
}

/// Pixels of an image that are a row of the multiplication.
fn pixels(multiplication: &Multiplication) -> usize {
    match multiplication.rows {
        Rows::Whole { pixels, .. } => pixels,
        _ => 1,
    }
}
