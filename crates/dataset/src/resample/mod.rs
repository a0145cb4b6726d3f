//! The resamplers of the two libraries that the sources use, reproduced bit for bit.
//!
//! Three algorithms, not one a recipe: [`pil`] (any of Pillow's convolution filters, and nearest),
//! [`opencv`] (`INTER_LINEAR`) and [`opencv_cubic`] (`INTER_CUBIC`, which OpenCV hands to Intel's
//! IPP). Each computes only the [`Window`] of the resized image that a crop keeps; that is exact,
//! because every output pixel depends on source pixels alone.

pub(crate) mod opencv;
pub(crate) mod opencv_cubic;
pub(crate) mod pil;

use crate::RgbImage;

/// The part of a resized image that is wanted, in pixels of the resized image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Window {
    pub(crate) fn columns(self) -> std::ops::Range<usize> {
        self.left..self.left + self.width
    }

    pub(crate) fn rows(self) -> std::ops::Range<usize> {
        self.top..self.top + self.height
    }
}

/// Cuts the window out of an image that needs no resizing.
pub(crate) fn crop(image: &RgbImage, window: Window) -> RgbImage {
    let mut pixels = Vec::with_capacity(window.width * window.height * 3);
    for y in window.rows() {
        pixels.extend_from_slice(&image.row(y)[window.left * 3..][..window.width * 3]);
    }
    RgbImage { width: window.width, height: window.height, pixels }
}
