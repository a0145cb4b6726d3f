//! Feature maps as the kernels read and write them: the pixels under a window, and the map that a step's result goes to.

use std::ops::Range;

use crate::buffer::Shared;
use crate::epilogue::Epilogue;
use crate::simd::{BLOCK, Simd};
use graph::Geometry;

/// An image's feature map that a window slides over: pixels of `channels` (padded) elements.
///
/// `pixels` holds every pixel of `geometry.input`, `stride` elements apart, and `zeros` one, so that whatever a tap reads is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapView<'a> {
    pixels: &'a [f32],
    channels: usize,
    /// Elements from one pixel to the next.
    stride: usize,
    geometry: Geometry,
    zeros: &'a [f32],
}

impl<'a> MapView<'a> {
    /// The map `pixels`, `[height, width, channels]` of the size that `geometry` says. `zeros` is a pixel of zeros, which padding
    /// is.
    ///
    /// # Panics
    /// Where there are fewer elements than that.
    pub(crate) fn new(pixels: &'a [f32], channels: usize, geometry: Geometry, zeros: &'a [f32]) -> Self {
        Self::among(pixels, [channels, channels], geometry, zeros)
    }

    /// [`MapView::new`] of pixels that lie `stride` elements apart, since their channels lie among those of another map.
    ///
    /// # Panics
    /// Where there are fewer elements.
    pub(crate) fn among(
        pixels: &'a [f32],
        [channels, stride]: [usize; 2],
        geometry: Geometry,
        zeros: &'a [f32],
    ) -> Self {
        let [height, width] = geometry.input;
        let len = height.checked_mul(width).and_then(|pixels| reached(pixels, [channels, stride]));
        let found = pixels.len();
        assert!(len.is_some_and(|len| len <= found), "{found} elements of {height}x{width}x{channels}");
        assert!(channels <= zeros.len(), "{} zeros for {channels} channels", zeros.len());
        assert!(channels <= stride, "{channels} channels every {stride}");
        Self { pixels, channels, stride, geometry, zeros }
    }

    /// Some of its channels, from `first` on.
    ///
    /// # Panics
    /// Where it has not so many.
    pub(crate) fn some_channels(&self, first: usize, channels: usize) -> Self {
        assert!(
            first + channels <= self.channels,
            "{channels} channels from {first} on of {}",
            self.channels
        );
        // Of a map without pixels nothing is read.
        Self { pixels: self.pixels.get(first..).unwrap_or(&[]), channels, ..*self }
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// All elements, pixel after pixel.
    ///
    /// # Panics
    /// Where it is a part of another's channels.
    pub(crate) fn pixels(&self) -> &'a [f32] {
        assert!(self.stride == self.channels, "a whole map");
        self.pixels
    }

    /// The rows of the map that the output pixels `pixels` are computed from.
    pub(crate) fn read_by(&self, pixels: Range<usize>) -> Ahead<'a> {
        let Geometry { input: [height, width], output, kernel, stride, dilation, pad } = self.geometry;
        if pixels.is_empty() {
            return Ahead::NOTHING;
        }
        let first = (pixels.start / output[1] * stride[0]).saturating_sub(pad[0]);
        let last = (pixels.end - 1) / output[1] * stride[0] + (kernel[0] - 1) * dilation[0] + 1;
        let row = width * self.stride;
        // Of the last pixel there may be its own channels only.
        let end = |rows: usize| (rows.min(height) * row).min(self.pixels.len());
        Ahead(&self.pixels[end(first)..end(last.saturating_sub(pad[0]))])
    }

    /// The input pixel that tap (`ky`, `kx`) of output pixel (`oy`, `ox`) reads; `None` in the padding. The pointer is valid for
    /// reads of all channels.
    #[inline(always)]
    pub(crate) fn pixel(&self, oy: usize, ox: usize, ky: usize, kx: usize) -> Option<*const f32> {
        let pixel = self.geometry.input_pixel(oy, ox, ky, kx)?;
        // SAFETY: `input_pixel` gives none beyond the last of `geometry.input`, all of which `pixels` holds, as `new` has seen; of some
        // channels `pixels` begins with the first of these, and their number is what is left of a pixel at most.
        Some(unsafe { self.pixels.as_ptr().add(pixel * self.stride) })
    }

    /// Where each output pixel reads the input pixel of the same number and nothing else, the elements from pixel `first` on, of which there
    /// are `pixels` pixels at least; `None` where more or others are read.
    ///
    /// # Panics
    /// Where there are fewer.
    #[inline(always)]
    pub(crate) fn same_pixels(&self, first: usize, pixels: usize) -> Option<&'a [f32]> {
        let Geometry { input, output, kernel, stride, pad, .. } = self.geometry;
        let is_same = kernel == [1; 2] && stride == [1; 2] && pad == [0; 2] && input == output;
        let end = if pixels == 0 { 0 } else { (first + pixels - 1) * self.stride + self.channels };
        is_same.then(|| &self.pixels[(first * self.stride).min(end)..end])
    }

    /// Elements from one pixel to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The elements from the input pixel of tap (`ky`, `kx`) on to the end of the map, and whether so many pixels are in its row.
    #[inline(always)]
    pub(crate) fn line(&self, oy: usize, ox: usize, ky: usize, pixels: usize) -> Option<&'a [f32]> {
        let first = self.geometry.input_pixel(oy, ox, ky, 0)?;
        let x = first % self.geometry.input[1].max(1);
        (x + pixels <= self.geometry.input[1]).then(|| &self.pixels[first * self.stride..])
    }

    /// [`MapView::pixel`], or the pixel of zeros in the padding.
    #[inline(always)]
    pub(crate) fn tap(&self, oy: usize, ox: usize, ky: usize, kx: usize) -> *const f32 {
        self.pixel(oy, ox, ky, kx).unwrap_or(self.zeros.as_ptr())
    }
}

/// Memory that will be read next. It is loaded into the second-level cache bit by bit during a multiplication,
/// which leaves the way there idle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead<'a>(&'a [f32]);

impl Ahead<'_> {
    pub(crate) const NOTHING: Self = Self(&[]);

    /// Loads part `index` of `parts`.
    #[inline(always)]
    pub(crate) fn prefetch<S: Simd>(&self, simd: S, index: usize, parts: usize) {
        let lines = self.0.len() / BLOCK;
        for line in lines * index / parts..lines * (index + 1) / parts {
            simd.prefetch_far(self.0.as_ptr().wrapping_add(line * BLOCK));
        }
    }
}

/// Elements up to the last channel of the last of `pixels` pixels of so many channels, so far apart.
fn reached(pixels: usize, [channels, stride]: [usize; 2]) -> Option<usize> {
    match pixels.checked_sub(1) {
        None => Some(0),
        Some(last) => last.checked_mul(stride)?.checked_add(channels),
    }
}

/// The map that a step's result goes to, of which an item of the step writes some pixels, or some channels of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output<'a> {
    elements: Shared<'a>,
    channels: usize,
    /// Elements from one pixel to the next.
    stride: usize,
}

impl<'a> Output<'a> {
    /// The map in `elements`, pixels of `channels` (padded) elements.
    ///
    /// # Safety
    /// Until the last use of this value, nobody else may read or write those channels of those pixels that the kernels are
    /// told to compute into it.
    ///
    /// # Panics
    /// Where channels are not padded to whole blocks.
    pub(crate) unsafe fn new(elements: Shared<'a>, channels: usize) -> Self {
        // SAFETY: that of the caller.
        unsafe { Self::among(elements, [channels, channels]) }
    }

    /// [`Output::new`] of pixels that lie `stride` elements apart, since their channels lie among those of another map.
    ///
    /// # Safety
    /// As for [`Output::new`].
    ///
    /// # Panics
    /// Where channels are not padded to whole blocks, or are more than that.
    pub(crate) unsafe fn among(elements: Shared<'a>, [channels, stride]: [usize; 2]) -> Self {
        assert!(channels.is_multiple_of(BLOCK), "{channels} channels");
        assert!(channels <= stride, "{channels} channels every {stride}");
        Self { elements, channels, stride }
    }

    /// Elements from one pixel to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn len(&self) -> usize {
        self.elements.len()
    }

    pub(crate) fn as_mut_ptr(&self) -> *mut f32 {
        self.elements.as_mut_ptr()
    }

    /// Asserts that the map has the pixels `pixels`, and `epilogue` all that it needs to finish them: then element
    /// `pixel * stride + channel` of the map is there for every pixel of `pixels` and every channel.
    #[inline]
    pub(crate) fn check(&self, pixels: &Range<usize>, epilogue: &Epilogue<'_>) {
        let Range { start, end } = *pixels;
        let reached = reached(end, [self.channels, self.stride]);
        let reached = reached.filter(|&reached| start <= end && reached <= self.elements.len());
        let Some(reached) = reached else {
            panic!("pixels {start} to {end} of {} in {} elements", self.channels, self.elements.len());
        };
        epilogue.check(self.channels, reached);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use graph::{Activation, Padding, Window};

    use super::*;
    use crate::epilogue::Finish;

    fn panics<R>(work: impl FnOnce() -> R) -> bool {
        catch_unwind(AssertUnwindSafe(work)).is_err()
    }

    #[test]
    fn a_view_of_fewer_elements_than_the_map_has_is_refused() {
        let geometry = Window::PIXEL.on([2, 3]).unwrap();
        let (values, zeros) = ([1.0; 96], [0.0; 16]);
        let view = |len: usize, zeros| MapView::new(&values[..len], 16, geometry, zeros);
        let whole = view(96, &zeros);
        // SAFETY: the last pixel has 16 channels.
        assert_eq!(whole.pixel(1, 2, 0, 0).map(|pixel| unsafe { *pixel.add(15) }), Some(1.0));
        assert_eq!(whole.tap(2, 0, 0, 0), zeros.as_ptr());
        assert!(panics(|| view(95, &zeros)));
        assert!(panics(|| view(96, &zeros[1..])));
        let endless = Window::PIXEL.on([usize::MAX, 2]).unwrap();
        assert!(panics(|| MapView::new(&values, 16, endless, &zeros)));
    }

    #[test]
    fn what_is_read_ahead_lies_within_the_map() {
        let values = vec![0.0; 7 * 5 * 16];
        for (kernel, stride, padding) in [(1, 1, 0), (3, 1, 1), (3, 2, 1), (5, 3, 4), (1, 2, 3)] {
            let padding = Padding::Explicit([padding; 4]);
            let window = Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1, 1], padding };
            let map = MapView::new(&values, 16, window.on([7, 5]).unwrap(), &values);
            let pixels = map.geometry().pixels();
            for first in 0..pixels {
                for end in first..=pixels {
                    assert!(map.read_by(first..end).0.len() <= values.len());
                }
            }
        }
    }

    #[test]
    fn an_output_or_an_epilogue_that_is_too_short_is_refused() {
        let mut values = [0.0; 96];
        // SAFETY: nobody writes it.
        let output = unsafe { Output::new(Shared::new(&mut values), 16) };
        let (channels, map) = ([1.0; 16], [1.0; 96]);
        let whole = [
            Finish::Bias(&channels),
            Finish::Residual(&map),
            Finish::Affine([&channels; 2]),
            Finish::Activation(Activation::Relu),
        ];
        let epilogue = Epilogue::of(whole);
        output.check(&(0..6), &epilogue);
        output.check(&(6..6), &epilogue);
        #[expect(clippy::reversed_empty_ranges, reason = "a mistake that is refused")]
        for pixels in [0..7, 7..7, 2..1, 0..usize::MAX] {
            assert!(panics(|| output.check(&pixels, &epilogue)), "{pixels:?}");
        }
        let short = &channels[1..];
        for wrong in [
            Finish::Bias(short),
            Finish::Residual(&map[1..]),
            Finish::Affine([short, &channels]),
            Finish::Affine([&channels, short]),
        ] {
            let epilogue = Epilogue::of(whole.into_iter().chain([wrong]));
            assert!(panics(|| output.check(&(0..6), &epilogue)), "{epilogue:?}");
        }
    }
}
