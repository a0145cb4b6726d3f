//! A feature map as the kernels read it: its pixels by the taps of a window.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the functions are unsafe for their pointers, which is all they handle"
)]

use std::ops::Range;

use crate::shape::Geometry;
use crate::simd::{BLOCK, Simd};

/// An image's feature map: pixels of `channels` (padded) elements.
#[derive(Clone, Copy)]
pub(crate) struct MapView {
    pub(crate) data: *const f32,
    pub(crate) channels: usize,
    pub(crate) geometry: Geometry,
    /// A pixel of zeros, which padding is.
    pub(crate) zeros: *const f32,
}

impl MapView {
    /// The rows of the map that the output pixels `pixels` are computed from.
    pub(crate) fn read_by(&self, pixels: Range<usize>) -> Ahead {
        let Geometry { input: [height, width], output, kernel, stride, dilation, pad } = self.geometry;
        if pixels.is_empty() {
            return Ahead::NOTHING;
        }
        let first = (pixels.start / output[1] * stride[0]).saturating_sub(pad[0]);
        let last = (pixels.end - 1) / output[1] * stride[0] + (kernel[0] - 1) * dilation[0] + 1;
        let rows = first.min(height)..last.saturating_sub(pad[0]).min(height);
        let row = width * self.channels;
        Ahead { data: self.data.wrapping_add(rows.start * row), len: rows.len() * row }
    }

    /// The input pixel that tap (`ky`, `kx`) of output pixel (`oy`, `ox`) reads.
    #[inline(always)]
    pub(crate) unsafe fn tap(&self, oy: usize, ox: usize, ky: usize, kx: usize) -> *const f32 {
        match self.geometry.input_pixel(oy, ox, ky, kx) {
            Some(pixel) => self.data.add(pixel * self.channels),
            None => self.zeros,
        }
    }
}

/// Memory that will be read next. It is loaded into the second-level cache bit by bit during a multiplication,
/// which leaves the way there idle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    pub(crate) data: *const f32,
    pub(crate) len: usize,
}

impl Ahead {
    pub(crate) const NOTHING: Self = Self { data: std::ptr::null(), len: 0 };

    /// Loads part `index` of `parts`.
    #[inline(always)]
    pub(crate) unsafe fn prefetch<S: Simd>(&self, index: usize, parts: usize) {
        let lines = self.len / BLOCK;
        for line in lines * index / parts..lines * (index + 1) / parts {
            S::prefetch_far(self.data.add(line * BLOCK));
        }
    }
}
