//! PNG of 1 to 8 bits a channel: grey, RGB, palette, with or without transparency, interlaced or not.
//!
//! PIL and OpenCV agree on these: grey is spread to three channels, palettes are looked up and
//! transparency is dropped, not blended. 16-bit files are refused (see [`DecodeError::Unsupported`]).

use std::io::{self, Cursor};

use png::{BitDepth, ColorType, DecodingError, Limits, Transformations};

use super::{Colour, DecodeError, Decoded, Format, MAX_PIXELS, Pixels, check_size, decode_guarded, exif};
use crate::RgbImage;

const FORMAT: Format = Format::Png;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode_guarded(FORMAT, || decode_unguarded(bytes))
}

fn decode_unguarded(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    // The library's limit counts bytes; ours counts pixels, of which it may need four bytes each.
    let limits = Limits { bytes: 4 * MAX_PIXELS as usize };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(error)?;
    let (width, height) = (header.width as usize, header.height as usize);
    let (colour_type, depth) = (header.color_type, header.bit_depth);
    check_size(width as u64, height as u64)?;
    if depth == BitDepth::Sixteen {
        let feature = "16 bits a channel".to_owned();
        return Err(DecodeError::Unsupported { format: FORMAT, feature });
    }

    let mut reader = decoder.read_info().map_err(error)?;
    let too_large = || DecodeError::TooLarge { width: width as u64, height: height as u64 };
    let size = reader.output_buffer_size().ok_or_else(too_large)?;
    let mut data = vec![0; size];
    let frame = reader.next_frame(&mut data).map_err(error)?;
    data.truncate(frame.buffer_size());

    // The orientation may follow the pixels. A fault there is none of PIL's concern, nor ours: the
    // pixels are complete.
    let _ = reader.finish();
    let orientation = reader.info().exif_metadata.as_deref().map_or(1, exif::orientation);

    let pixels = match frame.color_type {
        ColorType::Rgb => data,
        ColorType::Rgba => data.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect(),
        ColorType::Grayscale => data.iter().flat_map(|&grey| [grey; 3]).collect(),
        ColorType::GrayscaleAlpha => data.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        // Expanded above.
        ColorType::Indexed => return Err(corrupt(&"a palette image without a palette")),
    };
    let colour = match colour_type {
        ColorType::Grayscale | ColorType::GrayscaleAlpha => Colour::Grey,
        ColorType::Rgb | ColorType::Rgba => Colour::Rgb,
        ColorType::Indexed => Colour::Palette,
    };
    let pixels = Pixels::Rgb(RgbImage { width, height, pixels });
    Ok(Decoded { pixels, format: FORMAT, colour, orientation })
}

fn corrupt(reason: &impl ToString) -> DecodeError {
    DecodeError::Corrupt { format: FORMAT, reason: reason.to_string() }
}

// Taken by value, because it is what `map_err` hands over.
#[expect(clippy::needless_pass_by_value)]
fn error(error: DecodingError) -> DecodeError {
    match &error {
        DecodingError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format: FORMAT }
        }
        other => corrupt(other),
    }
}
