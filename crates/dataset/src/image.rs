//! The one pixel buffer of this crate: what decoders produce, resamplers read and recipes return.

use memory::NoMemory;

/// An RGB image, 8 bits a channel, height x width x channel (HWC), rows from the top, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height * width * 3` bytes.
    pub pixels: Vec<u8>,
}

impl RgbImage {
    /// The bytes of one row, `width * 3` of them.
    ///
    /// # Panics
    /// If `y` is not below `height`.
    #[must_use]
    pub fn row(&self, y: usize) -> &[u8] {
        &self.pixels[y * self.width * 3..(y + 1) * self.width * 3]
    }

    pub(crate) fn copy(&self) -> Result<Self, NoMemory> {
        Ok(Self { pixels: memory::copied(&self.pixels)?, ..*self })
    }
}
