//! Sliding windows: which pixels an output pixel reads.

use crate::shape::Misfit;

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

    /// Whether anything may be around the map.
    pub fn has_padding(&self) -> bool {
        self.padding != Padding::Explicit([0; 4])
    }

    /// Height and width of what it makes of a map of `input` pixels; `None` where the map is smaller than the window.
    pub fn output(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        self.on(input).map(|geometry| geometry.output)
    }

    /// [`Window::output`] where sizes are rounded up, as PyTorch's `ceil_mode` does: a last window that ends beyond the padded
    /// map counts where it begins on the map or in the padding before it.
    pub fn output_rounded_up(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        let geometry = self.on(input)?;
        let mut output = geometry.output;
        if let Padding::Explicit(pads) = self.padding {
            for axis in 0..2 {
                let padded = input[axis] + pads[axis] + pads[axis + 2];
                let more = !(padded - self.extent(axis)?).is_multiple_of(self.stride[axis]);
                let begin = output[axis].checked_mul(self.stride[axis])?;
                output[axis] += usize::from(more && begin < input[axis] + pads[axis]);
            }
        }
        Some(output)
    }

    /// What is to be said where it has no output.
    pub(crate) fn misfit(&self, found: [usize; 2]) -> Misfit {
        Misfit::Window { kernel: self.kernel, dilation: self.dilation, found }
    }

    /// Whether it is one: every number is there, and none leads beyond what can be counted.
    pub fn is_sound(&self) -> bool {
        let pads = match self.padding {
            Padding::Explicit(pads) => pads,
            Padding::Same => [0; 4],
        };
        // Padding that is wider than any map is a mistake; bounded, it can be added to any map's size.
        let bounded = pads.iter().all(|&pad| u32::try_from(pad).is_ok());
        let positive = [self.kernel, self.stride, self.dilation].concat().iter().all(|&number| number > 0);
        let taps = self.kernel[0].checked_mul(self.kernel[1]);
        bounded && positive && taps.is_some() && (0..2).all(|axis| self.extent(axis).is_some())
    }

    /// Pixels from the first tap to the last along an axis.
    fn extent(&self, axis: usize) -> Option<usize> {
        self.kernel[axis].checked_sub(1)?.checked_mul(self.dilation[axis])?.checked_add(1)
    }

    /// On a map of `input` pixels; `None` where the map is smaller than the window, or the window is not sound.
    pub fn on(&self, input: [usize; 2]) -> Option<Geometry> {
        if !self.is_sound() {
            return None;
        }
        let mut pad = [0; 2];
        let mut output = [0; 2];
        for axis in 0..2 {
            let (size, stride) = (input[axis], self.stride[axis]);
            let extent = self.extent(axis)?;
            if size == 0 {
                return None;
            }
            (pad[axis], output[axis]) = match self.padding {
                Padding::Explicit(pads) => {
                    let padded = size.checked_add(pads[axis])?.checked_add(pads[axis + 2])?;
                    (pads[axis], padded.checked_sub(extent)? / stride + 1)
                }
                Padding::Same => {
                    let output = size.div_ceil(stride);
                    let reached = (output - 1).checked_mul(stride)?.checked_add(extent)?;
                    (reached.saturating_sub(size) / 2, output)
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
pub struct Geometry {
    /// Height and width of the map.
    pub input: [usize; 2],
    /// Height and width of what comes out.
    pub output: [usize; 2],
    /// The window's, as the next two.
    pub kernel: [usize; 2],
    /// Step down and to the right.
    pub stride: [usize; 2],
    /// Distance of its taps.
    pub dilation: [usize; 2],
    /// Zeros at the top and left.
    pub pad: [usize; 2],
}

impl Geometry {
    /// Output pixels.
    pub fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Index of the pixel that a tap reads; `None` in the padding.
    #[inline(always)]
    pub fn input_pixel(&self, oy: usize, ox: usize, ky: usize, kx: usize) -> Option<usize> {
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
    fn a_window_without_sense_has_no_output() {
        let most = usize::MAX;
        for window in [
            Window { kernel: [0, 1], ..Window::PIXEL },
            Window { kernel: [1, most], dilation: [1, 3], ..Window::PIXEL },
            Window { kernel: [1 << 40, 1 << 40], ..Window::PIXEL },
            Window { stride: [1, 0], ..Window::PIXEL },
            Window { dilation: [0, 1], ..Window::PIXEL },
            Window { padding: Padding::Explicit([0, 0, most, 0]), ..Window::PIXEL },
        ] {
            assert!(!window.is_sound(), "{window:?}");
            assert_eq!(window.output([9, 9]), None, "{window:?}");
        }
    }

    #[test]
    fn a_map_smaller_than_the_window_has_no_output() {
        let window = Window { kernel: [3; 2], ..Window::PIXEL };
        assert_eq!(window.on([2, 5]), None);
        assert_eq!(window.on([3, 5]).map(|g| g.output), Some([1, 3]));
    }
}
