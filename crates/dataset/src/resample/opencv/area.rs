//! OpenCV's `INTER_AREA`: the mean of the source pixels that an output pixel covers.
//!
//! Where both sides shrink by whole numbers, sums are integers and one f32 factor follows; for a half of both, the factor is
//! a shift, which rounds ties up instead of to even. Where both shrink otherwise, everything is f32: rows first, in the order of the source pixels,
//! then columns. Where a side does not shrink, it is a linear filter (`linear.rs`).

use std::ops::Range;

use memory::NoMemory;
use pulp::{Arch, NullaryFnOnce};

use super::{linear, scale, whole_scale};
use crate::RgbImage;
use crate::resample::Region;

/// The region of `image` resized to `width` x `height`.
pub(crate) fn area(
    image: &RgbImage,
    width: usize,
    height: usize,
    region: Region,
) -> Result<RgbImage, NoMemory> {
    if scale(image.width, width) < 1.0 || scale(image.height, height) < 1.0 {
        return linear::area_enlarging(image, width, height, region);
    }
    match (whole_scale(image.width, width), whole_scale(image.height, height)) {
        (Some(2), Some(2)) => whole(image, [2, 2], region, |sum| ((sum + 2) >> 2) as u8),
        (Some(across), Some(down)) => {
            let factor = 1.0 / (across * down) as f32;
            whole(image, [across, down], region, |sum| saturated(sum as f32 * factor))
        }
        _ => {
            let columns = cells(image.width, width, region.columns());
            let rows = cells(image.height, height, region.rows());
            let mut pixels = region.room()?;
            Arch::new().dispatch(Pass { image, columns: &columns, rows: &rows, pixels: &mut pixels });
            Ok(RgbImage { width: region.width, height: region.height, pixels })
        }
    }
}

/// As OpenCV rounds an f32 to a byte.
#[inline(always)]
fn saturated(value: f32) -> u8 {
    value.round_ties_even().clamp(0.0, 255.0) as u8
}

/// Blocks of `across` x `down` pixels to one, by the sum of their values.
fn whole(
    image: &RgbImage,
    [across, down]: [usize; 2],
    region: Region,
    mean: impl Fn(u32) -> u8,
) -> Result<RgbImage, NoMemory> {
    let mut pixels = region.room()?;
    let mut sums = vec![[0_u32; 3]; region.width];
    for y in region.rows() {
        sums.fill([0; 3]);
        for y in y * down..(y + 1) * down {
            let row = &image.row(y)[region.left * across * 3..];
            for (sum, block) in sums.iter_mut().zip(row.chunks_exact(across * 3)) {
                for pixel in block.chunks_exact(3) {
                    for (sum, &value) in sum.iter_mut().zip(pixel) {
                        *sum += u32::from(value);
                    }
                }
            }
        }
        pixels.extend(sums.iter().flatten().map(|&sum| mean(sum)));
    }
    Ok(RgbImage { width: region.width, height: region.height, pixels })
}

/// What an output position covers: the first source position, and the share of it and those that follow.
struct Cell {
    start: usize,
    shares: Vec<f32>,
}

/// OpenCV's `computeResizeAreaTab`.
fn cells(input: usize, output: usize, wanted: Range<usize>) -> Vec<Cell> {
    /// A share of a pixel up to this is none.
    const LEAST: f64 = 1e-3;
    let scale = scale(input, output);
    let cell = |position: usize| {
        let from = position as f64 * scale;
        let to = from + scale;
        let width = scale.min(input as f64 - from);
        let last = (to.floor() as usize).min(input - 1);
        let first = (from.ceil() as usize).min(last);
        let (before, after) = (first as f64 - from, to - last as f64);
        let mut start = first;
        let mut shares = Vec::with_capacity(last + 2 - first);
        if before > LEAST {
            start -= 1;
            shares.push((before / width) as f32);
        }
        shares.extend((first..last).map(|_| (1.0 / width) as f32));
        if after > LEAST {
            shares.push((after.min(1.0).min(width) / width) as f32);
        }
        Cell { start, shares }
    };
    wanted.map(cell).collect()
}

/// Both passes, compiled for each instruction set. Products and sums are rounded one by one.
struct Pass<'a> {
    image: &'a RgbImage,
    columns: &'a [Cell],
    rows: &'a [Cell],
    pixels: &'a mut Vec<u8>,
}

impl NullaryFnOnce for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { image, columns, rows, pixels } = self;
        let mut narrowed = vec![0.0_f32; columns.len() * 3];
        let mut sums = vec![0.0_f32; columns.len() * 3];
        for row in rows {
            for (at, &share) in row.shares.iter().enumerate() {
                narrow(image.row(row.start + at), columns, &mut narrowed);
                // The first product is not added to a zero, which is the same.
                if at == 0 {
                    sums.fill(0.0);
                }
                for (sum, &value) in sums.iter_mut().zip(&narrowed) {
                    *sum += share * value;
                }
            }
            pixels.extend(sums.iter().map(|&sum| saturated(sum)));
        }
    }
}

#[inline(always)]
fn narrow(row: &[u8], columns: &[Cell], out: &mut [f32]) {
    for (cell, out) in columns.iter().zip(out.chunks_exact_mut(3)) {
        let mut sums = [0.0_f32; 3];
        for (pixel, &share) in row[cell.start * 3..].chunks_exact(3).zip(&cell.shares) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += f32::from(value) * share;
            }
        }
        out.copy_from_slice(&sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_size_is_the_mean_of_four() {
        let image = RgbImage { width: 2, height: 2, pixels: vec![0, 1, 2, 0, 1, 2, 1, 1, 2, 1, 2, 2] };
        let all = Region { left: 0, top: 0, width: 1, height: 1 };
        assert_eq!(area(&image, 1, 1, all).unwrap().pixels, [1, 1, 2]);
    }

    #[test]
    fn shares_add_up_to_one() {
        for (input, output) in [(10, 7), (500, 299), (3, 2), (1000, 3), (7, 7), (8, 1)] {
            for cell in cells(input, output, 0..output) {
                let sum: f32 = cell.shares.iter().sum();
                assert!((sum - 1.0).abs() < 1e-3, "{input} {output}: {sum}");
                assert!(cell.start + cell.shares.len() <= input);
            }
        }
    }
}
