//! From coefficients to the pixels of an image. The usual kinds of YCbCr files go through [`super::ycbcr`]; the others,
//! which are rare, through the loops of this file: upsampling as `jinit_upsampler` of `jdsample.c` chooses it, colour as
//! `jdcolor.c` converts it.

use memory::NoMemory;
use pulp::{Arch, NullaryFnOnce};

use super::header::{BLOCK, Component, Frame, Transform};
use super::idct;
use super::plane::{Differing, Plane};
use super::stream::corrupt;
use super::ycbcr::{self, Conversion, Subsampling};
use crate::decode::DecodeError;

struct Inverse<'c> {
    component: &'c Component,
    table: &'c [u16; BLOCK],
}

impl NullaryFnOnce for Inverse<'_> {
    type Output = Result<(Plane, Vec<Differing>), NoMemory>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let mut differing = Vec::new();
        let Self { component, table } = self;
        let stride = component.blocks_across * 8;
        let mut samples = memory::filled(0, stride * component.blocks_down * 8)?;
        let rows = samples.chunks_exact_mut(stride * 8);
        for (down, (rows, blocks)) in
            rows.zip(component.coefficients.chunks_exact(component.stride * BLOCK)).enumerate()
        {
            for (x, block) in blocks.as_chunks().0.iter().take(component.blocks_across).enumerate() {
                let (vector, c) = idct::samples(block, table);
                for (y, row) in vector.iter().enumerate() {
                    rows[y * stride + x * 8..][..8].copy_from_slice(row);
                }
                if let Some(c) = c {
                    differing.push((down * stride * 8 + x * 8, c));
                }
            }
        }
        Ok((Plane { width: component.width, height: component.height, stride, samples }, differing))
    }
}

/// The pixels of the image, three bytes each, or four where it has four components: Pillow's, and OpenCV's where damage
/// makes them differ.
pub(super) fn pixels(frame: &Frame, transform: Transform) -> Result<(Vec<u8>, Option<Vec<u8>>), DecodeError> {
    let arch = Arch::new();
    let (mut planes, mut differing) = (Vec::new(), Vec::new());
    for component in &frame.components {
        if !frame.across.is_multiple_of(component.across) || !frame.down.is_multiple_of(component.down) {
            return Err(corrupt("Fractional sampling not implemented yet"));
        }
        // A component without a scan has none; its absence is an error before this.
        let table = component.quantisation.as_ref().ok_or_else(|| corrupt("a component without a scan"))?;
        let (plane, differs) = arch.dispatch(Inverse { component, table })?;
        planes.push(plane);
        differing.push(differs);
    }
    let pil = interleaved(frame, &planes, transform, arch)?;
    if differing.iter().all(Vec::is_empty) {
        return Ok((pil, None));
    }
    let planes = planes.into_iter().zip(&differing).map(|(plane, differing)| plane.by_c_code(differing));
    let planes: Vec<Plane> = planes.collect();
    let opencv = interleaved(frame, &planes, transform, arch)?;
    Ok((pil, Some(opencv)))
}

/// The planes upsampled, made colour and put side by side.
fn interleaved(
    frame: &Frame,
    planes: &[Plane],
    transform: Transform,
    arch: Arch,
) -> Result<Vec<u8>, NoMemory> {
    let factors = frame.components.iter().map(|c| (frame.across / c.across, frame.down / c.down));
    let factors: Vec<_> = factors.collect();
    if let ([luma, blue, red], Transform::YCbCr) = (planes, transform)
        && let Some(subsampling) = Subsampling::of(&factors, frame.width)
    {
        let mut rgb = memory::room(frame.width * frame.height * 3)?;
        arch.dispatch(Conversion { luma, blue, red, subsampling, rgb: &mut rgb });
        return Ok(rgb);
    }
    rare(frame, planes, &factors, transform)
}

/// Any subsampling and any colour, row by row.
fn rare(
    frame: &Frame,
    planes: &[Plane],
    factors: &[(usize, usize)],
    transform: Transform,
) -> Result<Vec<u8>, NoMemory> {
    let channels = planes.len().max(3);
    let mut pixels = memory::room(frame.width * frame.height * channels)?;
    let mut rows: Vec<Vec<u8>> = vec![Vec::new(); planes.len()];
    for y in 0..frame.height {
        for ((row, plane), &factors) in rows.iter_mut().zip(planes).zip(factors) {
            row.clear();
            upsample(plane, factors, y, row);
        }
        match &mut rows[..] {
            [grey] => pixels.extend(grey[..frame.width].iter().flat_map(|&grey| [grey; 3])),
            rows => {
                for x in 0..frame.width {
                    let mut pixel = [rows[0][x], rows[1][x], rows[2][x]];
                    if transform == Transform::YCbCr {
                        pixel = ycbcr::rgb(pixel);
                        // YCCK is the opposite of CMYK.
                        if rows.len() == 4 {
                            pixel = pixel.map(|channel| 255 - channel);
                        }
                    }
                    pixels.extend_from_slice(&pixel);
                    pixels.extend(rows.get(3).map(|row| row[x]));
                }
            }
        }
    }
    Ok(pixels)
}

/// Appends row `y` of the image to `row`, at least as wide as the image is.
fn upsample(plane: &Plane, factors: (usize, usize), y: usize, row: &mut Vec<u8>) {
    let (across, down) = factors;
    let near = (y / down) as isize;
    let far = if y.is_multiple_of(2) { near - 1 } else { near + 1 };
    let interpolated = plane.width > 2;
    let pairs = plane.row(near).iter().zip(plane.row(far)).map(|(&n, &f)| 3 * u16::from(n) + u16::from(f));
    match (across, down) {
        (2, 1) if interpolated => {
            let samples = plane.row(near).iter().map(|&sample| u16::from(sample));
            ycbcr::widened::<2, 1, 2>(samples, row);
        }
        (2, 2) if interpolated => ycbcr::widened::<4, 8, 7>(pairs, row),
        (1, 2) => {
            let bias = if y.is_multiple_of(2) { 1 } else { 2 };
            row.extend(pairs.map(|sum| ((sum + bias) >> 2) as u8));
        }
        _ => row.extend(plane.row(near).iter().flat_map(|&sample| std::iter::repeat_n(sample, across))),
    }
}
