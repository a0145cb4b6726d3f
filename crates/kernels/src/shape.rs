//! Sizes of feature maps: which pixels an output pixel reads.

use thiserror::Error;

/// Images of a size that a network cannot take.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SizeError {
    /// A window is larger than the map that it slides over.
    #[error("images of {height}x{width} pixels are too small for the network")]
    TooSmall {
        /// Rows of the images.
        height: usize,
        /// Their columns.
        width: usize,
    },
    /// Maps that are added have different heights or widths.
    #[error("maps of {a:?} and {b:?} pixels cannot be added")]
    Unequal {
        /// Height and width of one map.
        a: [usize; 2],
        /// Those of the other.
        b: [usize; 2],
    },
}

/// Padding of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// So many zeros at the top, left, bottom and right.
    Explicit([usize; 4]),
    /// TensorFlow's `same`: the output has `ceil(size / stride)` pixels, and of an odd number of zeros the
    /// larger part goes to the bottom and the right.
    Same,
}

/// A sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Step down and to the right.
    pub stride: [usize; 2],
    /// Distance of its taps.
    pub dilation: [usize; 2],
    /// What is around the map.
    pub padding: Padding,
}

impl Window {
    /// One pixel at a time.
    pub const PIXEL: Self =
        Self { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], padding: Padding::Explicit([0; 4]) };

    /// Height and width of what it makes of a map of `input` pixels; `None` where the map is smaller than the window.
    pub fn output(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        self.on(input).map(|geometry| geometry.output)
    }

    /// On a map of `input` pixels; `None` where the map is smaller than the window.
    pub(crate) fn on(&self, input: [usize; 2]) -> Option<Geometry> {
        let mut pad = [0; 2];
        let mut output = [0; 2];
        for axis in 0..2 {
            let (size, stride) = (input[axis], self.stride[axis]);
            let extent = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            if size == 0 {
                return None;
            }
            (pad[axis], output[axis]) = match self.padding {
                Padding::Explicit(pads) => {
                    let padded = size + pads[axis] + pads[axis + 2];
                    (pads[axis], padded.checked_sub(extent)? / stride + 1)
                }
                Padding::Same => {
                    let output = size.div_ceil(stride);
                    let total = ((output - 1) * stride + extent).saturating_sub(size);
                    (total / 2, output)
                }
            };
        }
        Some(Geometry {
            input,
            output,
            kernel: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            pad,
        })
    }
}

/// A window on a map of known size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
    /// Zeros at the top and left.
    pub(crate) pad: [usize; 2],
}

impl Geometry {
    /// Output pixels.
    pub(crate) fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Index of the pixel that a tap reads; `None` in the padding.
    #[inline(always)]
    pub(crate) fn input_pixel(&self, oy: usize, ox: usize, ky: usize, kx: usize) -> Option<usize> {
        let y = (oy * self.stride[0] + ky * self.dilation[0]).wrapping_sub(self.pad[0]);
        let x = (ox * self.stride[1] + kx * self.dilation[1]).wrapping_sub(self.pad[1]);
        // What wrapped is larger than any map.
        (y < self.input[0] && x < self.input[1]).then(|| y * self.input[1] + x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_pads_more_at_the_end() {
        let window = Window { kernel: [3; 2], stride: [2; 2], dilation: [1; 2], padding: Padding::Same };
        let even = window.on([10, 9]).unwrap();
        assert_eq!((even.output, even.pad), ([5, 5], [0, 1]));
        assert_eq!(window.on([0, 1]).map(|g| g.output), None);
    }

    #[test]
    fn a_map_smaller_than_the_window_has_no_output() {
        let window = Window { kernel: [3; 2], ..Window::PIXEL };
        assert_eq!(window.on([2, 5]), None);
        assert_eq!(window.on([3, 5]).map(|g| g.output), Some([1, 3]));
    }
}
