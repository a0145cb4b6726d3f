//! WebP, BMP, GIF and TIFF, by the decoders of the `image` crate. The validation set has none of them; copies of it that somebody
//! packed again, and other data sets, do.
//!
//! A file a format looks at the header first and lets through only the forms whose pixels were seen to be Pillow's
//! (`tests/formats.rs`): the `image` crate rounds 16-bit BMPs, JPEG inside TIFF and much else in its own way. All other forms
//! are refused by name. What OpenCV shows otherwise, or not at all, is said of its view alone ([`OpenCvView`]).

pub(super) mod bmp;
pub(super) mod gif;
pub(super) mod tiff;
pub(super) mod webp;

use std::io::{Cursor, ErrorKind};

use image::{ColorType, ImageDecoder, ImageError, ImageResult};

use super::{Colour, DecodeError, Decoded, Format, OpenCvView, Pixels, Warnings, check_size, decode_guarded};
use crate::{NoMemory, RgbImage};

/// What the `image` crate's decoder gives, 8 bits a channel.
struct Samples {
    width: usize,
    height: usize,
    channels: usize,
    samples: Vec<u8>,
}

impl Samples {
    /// By the decoder that `open` makes of the file.
    fn read<'a, D: ImageDecoder>(
        format: Format,
        bytes: &'a [u8],
        open: impl FnOnce(Cursor<&'a [u8]>) -> ImageResult<D>,
    ) -> Result<Self, DecodeError> {
        let refused = |error| refused(format, &error);
        let decoder = open(Cursor::new(bytes)).map_err(refused)?;
        let (width, height) = decoder.dimensions();
        check_size(width.into(), height.into())?;
        let (width, height) = (width as usize, height as usize);
        let channels = match decoder.color_type() {
            ColorType::L8 => 1,
            ColorType::Rgb8 => 3,
            ColorType::Rgba8 => 4,
            other => return Err(not_read(format, format!("samples of the form {other:?}"))),
        };
        let mut samples = memory::filled(0, width * height * channels)?;
        decoder.read_image(&mut samples).map_err(refused)?;
        Ok(Self { width, height, channels, samples })
    }

    /// Grey spread to three channels, alpha dropped.
    fn rgb(self) -> Result<RgbImage, NoMemory> {
        let Self { width, height, channels, samples } = self;
        if channels == 3 {
            return Ok(RgbImage { width, height, pixels: samples });
        }
        let mut pixels = memory::room(width * height * 3)?;
        match channels {
            1 => pixels.extend(samples.iter().flat_map(|&grey| [grey; 3])),
            _ => pixels.extend(samples.chunks_exact(channels).flat_map(|pixel| &pixel[..3])),
        }
        Ok(RgbImage { width, height, pixels })
    }
}

/// A file whose pixels stand as they are stored: none of these formats is turned by either library.
fn decoded(format: Format, colour: Colour, image: RgbImage, opencv: OpenCvView) -> Decoded {
    let (pixels, warnings) = (Pixels::Rgb(image), Warnings::default());
    Decoded { pixels, opencv, format, colour, orientation: 1, warnings }
}

fn refused(format: Format, error: &ImageError) -> DecodeError {
    match error {
        ImageError::IoError(cause) if cause.kind() == ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format }
        }
        ImageError::Unsupported(cause) => not_read(format, format!("a form of its own ({cause})")),
        _ => DecodeError::Corrupt { format, reason: error.to_string() },
    }
}

fn not_read(format: Format, feature: impl Into<String>) -> DecodeError {
    DecodeError::NotRead { format, feature: feature.into() }
}

/// Little-endian, of `bytes` from `at` on.
fn u16_le(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|two| u16::from_le_bytes(*two))
}

/// Little-endian, of `bytes` from `at` on.
fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}
