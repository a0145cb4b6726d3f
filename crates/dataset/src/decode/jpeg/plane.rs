//! A component's samples, before they are upsampled: what the inverse transform writes and the conversion to colour reads.

use super::idct::Samples;

/// A block that libjpeg's C code computes differently: its first sample, and all of them.
pub(super) type Differing = (usize, Samples);

/// The samples of a component.
#[derive(Clone)]
pub(super) struct Plane {
    /// Samples in a row that are part of the image.
    pub(super) width: usize,
    /// Rows that are part of the image.
    pub(super) height: usize,
    /// Samples from one row to the next: whole blocks.
    pub(super) stride: usize,
    pub(super) samples: Vec<u8>,
}

impl Plane {
    /// A row, or the first or last one where `y` lies beyond it.
    #[inline(always)]
    pub(super) fn row(&self, y: isize) -> &[u8] {
        let y = y.clamp(0, self.height as isize - 1).unsigned_abs();
        &self.samples[y * self.stride..][..self.width]
    }

    /// With the blocks that the C code computes differently.
    pub(super) fn by_c_code(mut self, differing: &[Differing]) -> Self {
        for (at, samples) in differing {
            for (y, row) in samples.iter().enumerate() {
                self.samples[at + y * self.stride..][..8].copy_from_slice(row);
            }
        }
        self
    }
}
