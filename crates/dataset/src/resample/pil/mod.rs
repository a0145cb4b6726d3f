//! Pillow's 8-bit resampler, after `libImaging/Resample.c` of Pillow 9.5 (unchanged up to 12), and its
//! nearest neighbour, after `ImagingScaleAffine` of `libImaging/Geometry.c`.
//!
//! Two passes, horizontal then vertical, rounded and clipped to u8 after each. The filter is widened
//! when shrinking (antialiasing). Coefficients are computed and normalised in f64, then rounded to
//! fixed point; sums are exact 32-bit integers, so their order is free, and vectorised code gives the
//! same bytes.

mod horizontal;
mod taps;
mod vertical;

use std::ops::Range;

use memory::NoMemory;

pub(crate) use taps::ConvolutionFilter;
use taps::Taps;

use super::{Region, pick};
use crate::RgbImage;

/// The region of `image` resized to `width` x `height`.
pub(crate) fn resize(
    image: &RgbImage,
    filter: ConvolutionFilter,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    // Like Pillow: a pass is left out where the length does not change.
    let horizontal = (width != image.width).then(|| Taps::new(filter, image.width, width, region.columns()));
    let vertical = (height != image.height).then(|| Taps::new(filter, image.height, height, region.rows()));
    let rows = vertical.as_ref().map_or(region.rows(), Taps::source);
    let narrowed = match &horizontal {
        Some(taps) => horizontal::resize_rows(image, taps, rows)?,
        None => PaddedRows::copy_of(image, region.columns(), rows)?,
    };
    let mut pixels = region.room()?;
    match &vertical {
        Some(taps) => vertical::resize_columns(&narrowed, taps, &mut pixels),
        None => region.rows().for_each(|y| pixels.extend_from_slice(narrowed.row(y))),
    }
    Ok(RgbImage { width: region.width, height: region.height, pixels })
}

/// Some rows of an image between the two passes, numbered as in the image. Each is padded, so that
/// whole vectors can be read at its end and a byte too many written, and there are some rows too many,
/// so that a whole group of rows can be written at the end.
struct PaddedRows {
    first: usize,
    width_bytes: usize,
    stride: usize,
    bytes: Vec<u8>,
}

impl PaddedRows {
    fn new(width_bytes: usize, rows: Range<usize>) -> Result<Self, NoMemory> {
        let stride = (width_bytes + 1).next_multiple_of(vertical::BLOCK);
        let bytes = memory::filled(0, stride * rows.len().next_multiple_of(horizontal::GROUP))?;
        Ok(Self { first: rows.start, width_bytes, stride, bytes })
    }

    fn copy_of(image: &RgbImage, columns: Range<usize>, rows: Range<usize>) -> Result<Self, NoMemory> {
        let mut copy = Self::new(columns.len() * 3, rows.clone())?;
        for y in rows {
            copy.row_mut(y).copy_from_slice(&image.row(y)[columns.start * 3..columns.end * 3]);
        }
        Ok(copy)
    }

    /// Bytes of a row, without padding.
    fn width(&self) -> usize {
        self.width_bytes
    }

    /// Bytes from one row to the next.
    fn stride(&self) -> usize {
        self.stride
    }

    fn row(&self, y: usize) -> &[u8] {
        &self.rows(y, 1)[..self.width_bytes]
    }

    fn row_mut(&mut self, y: usize) -> &mut [u8] {
        let width = self.width_bytes;
        &mut self.rows_mut(y, 1)[..width]
    }

    /// `count` rows from `y` on, padding and all.
    fn rows(&self, y: usize, count: usize) -> &[u8] {
        &self.bytes[(y - self.first) * self.stride..][..count * self.stride]
    }

    fn rows_mut(&mut self, y: usize, count: usize) -> &mut [u8] {
        &mut self.bytes[(y - self.first) * self.stride..][..count * self.stride]
    }
}

/// The region of `image` resized to `width` x `height` by Pillow's `NEAREST`.
pub(crate) fn nearest(
    image: &RgbImage,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    let columns = nearest_positions(image.width, width, region.columns());
    pick(image, &columns, &nearest_positions(image.height, height, region.rows()))
}

fn nearest_positions(input: usize, output: usize, wanted: Range<usize>) -> Vec<usize> {
    let step = input as f64 / output as f64;
    // Added up step by step, because Pillow does: the rounding error is part of the answer. Pillow
    // leaves positions that come out past the end black; with errors this small none does.
    let mut at = step * 0.5;
    let positions = (0..wanted.end).map(|_| {
        let position = (at as usize).min(input - 1);
        at += step;
        position
    });
    positions.skip(wanted.start).collect()
}

#[cfg(test)]
mod tests {
    use super::super::crop;
    use super::*;

    pub(super) fn noise(width: usize, height: usize) -> RgbImage {
        // Runs of black and white among it: only they reach the ends of the fixed-point range.
        let pixel = |i: usize| match i / 50 % 4 {
            0 => (i / 7 % 2 * 255) as u8,
            _ => (i * i * 31 % 251) as u8,
        };
        RgbImage { width, height, pixels: (0..width * height * 3).map(pixel).collect() }
    }

    #[test]
    fn a_window_is_a_part_of_the_whole() {
        let image = noise(41, 29);
        for (width, height) in [(61, 23), (41, 23), (61, 29), (34, 70)] {
            let whole_region = Region { left: 0, top: 0, width, height };
            let whole = resize(&image, ConvolutionFilter::Bicubic, width, height, whole_region).unwrap();
            let region = Region { left: 11, top: 3, width: 22, height: 17 };
            assert_eq!(
                resize(&image, ConvolutionFilter::Bicubic, width, height, region),
                crop(&whole, region)
            );
        }
    }

    #[test]
    fn nearest_takes_pixel_centres() {
        assert_eq!(nearest_positions(4, 2, 0..2), [1, 3]);
        assert_eq!(nearest_positions(2, 4, 0..4), [0, 0, 1, 1]);
        assert_eq!(nearest_positions(5, 3, 1..3), [2, 4]);
    }
}
