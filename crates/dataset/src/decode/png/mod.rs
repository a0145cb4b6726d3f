//! PNG of 1 to 8 bits a channel: grey, RGB, palette, with or without transparency, interlaced or not.
//!
//! PIL and OpenCV agree on these: grey is spread to three channels, palettes are looked up and transparency is dropped, not
//! blended. They disagree on colours that a palette lacks: grey in PIL, black in OpenCV. 16-bit files are refused (see
//! [`DecodeError::Unsupported`]), and so is what either of the two refuses: an end that is missing, a wrong checksum, chunks
//! out of place ([`chunks`]).

mod chunks;
mod pixels;

use memory::NoMemory;

use super::{
    Colour, DecodeError, Decoded, Format, OpenCvView, Pixels, Warnings, check_size, decode_guarded, exif,
};
use crate::RgbImage;

const FORMAT: Format = Format::Png;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode_guarded(FORMAT, || decode_unguarded(bytes))
}

fn decode_unguarded(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let chunks = chunks::read(bytes)?;
    let storage = chunks.storage;
    let (width, height) = (storage.width, storage.height);
    check_size(width as u64, height as u64)?;
    if storage.depth == 16 {
        let feature = "16 bits a channel".to_owned();
        return Err(DecodeError::Unsupported { format: FORMAT, feature });
    }
    let samples = storage.samples(&chunks.pixels)?;

    let image = |pixels| Pixels::Rgb(RgbImage { width, height, pixels });
    let mut opencv = OpenCvView::Same;
    let (pixels, colour) = match chunks.colour {
        chunks::ColourType::Rgb if storage.channels == 3 => (samples, Colour::Rgb),
        chunks::ColourType::Rgb => {
            let mut rgb = memory::room(width * height * 3)?;
            rgb.extend(samples.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]));
            (rgb, Colour::Rgb)
        }
        chunks::ColourType::Grey => {
            let white = (255 / ((1_u16 << storage.depth) - 1)) as u8;
            let grey = samples.iter().step_by(storage.channels);
            let mut rgb = memory::room(width * height * 3)?;
            rgb.extend(grey.flat_map(|grey| [grey * white; 3]));
            (rgb, Colour::Grey)
        }
        chunks::ColourType::Palette => {
            let colours = chunks.palette.len() / 3;
            if samples.iter().any(|&index| usize::from(index) >= colours) {
                opencv = OpenCvView::Other(image(looked_up(&samples, chunks.palette, |_| 0)?));
            }
            (looked_up(&samples, chunks.palette, |index| index)?, Colour::Palette)
        }
    };
    let orientation = chunks.exif.map_or(1, exif::orientation);
    let (pixels, warnings) = (image(pixels), Warnings::default());
    Ok(Decoded { pixels, opencv, format: FORMAT, colour, orientation, warnings })
}

/// The colours of `indices`; one that the palette lacks is the grey that `missing` gives for its index.
fn looked_up(indices: &[u8], palette: &[u8], missing: impl Fn(u8) -> u8) -> Result<Vec<u8>, NoMemory> {
    let mut colours = [[0; 3]; 256];
    for (index, colour) in (0..=255).zip(&mut colours) {
        *colour = [missing(index); 3];
    }
    for (colour, given) in colours.iter_mut().zip(palette.chunks_exact(3)) {
        colour.copy_from_slice(given);
    }
    let mut rgb = memory::room(indices.len() * 3)?;
    rgb.extend(indices.iter().flat_map(|&index| colours[usize::from(index)]));
    Ok(rgb)
}

fn corrupt(reason: &impl ToString) -> DecodeError {
    DecodeError::Corrupt { format: FORMAT, reason: reason.to_string() }
}
