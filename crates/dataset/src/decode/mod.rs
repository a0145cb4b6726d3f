//! Decodes a file once and shows it as PIL or as OpenCV would: the two disagree on CMYK and on EXIF
//! orientation, and a recipe names the one its source used.
//!
//! Follows Pillow 9.5.0 (`Image.open(f).convert("RGB")`) and OpenCV 4.5.5 (`cv2.imdecode(data, 1)`).
//! A damaged file that both let pass gives each view what its library makes of it, byte for byte, and [`Warnings`]. Where one
//! of them refuses (OpenCV fills the missing rest of a baseline JPEG with grey), it is an error here for both: an accuracy
//! measured on grey is not a measurement. What neither refuses and is not read here is an error as well, never another picture.

mod cmyk;
mod exif;
mod jpeg;
mod others;
mod png;
mod sniff;
mod warnings;
mod zune;

use std::borrow::Cow;
use std::fmt;

use memory::NoMemory;

use crate::RgbImage;
use crate::guard::guarded_or;

pub use warnings::Warnings;

/// Larger images are refused before anything is allocated, in pixels: Pillow's own limit
/// (`2 * Image.MAX_IMAGE_PIXELS`), beyond which it raises `DecompressionBombError`.
pub(crate) const MAX_PIXELS: u64 = 178_956_970;

/// Whose reading of a file a recipe wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decoder {
    /// Pillow's `convert("RGB")`: EXIF orientation is ignored, CMYK taken as Adobe's inverted CMYK.
    Pil,
    /// OpenCV's `imdecode(.., IMREAD_COLOR)`, channels put in RGB order: EXIF orientation is applied,
    /// CMYK converted in OpenCV's own way.
    OpenCv,
}

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Sequential or progressive JPEG.
    Jpeg,
    /// PNG of at most 8 bits a channel.
    Png,
    /// Lossy or lossless WebP; of an animation the first frame.
    WebP,
    /// BMP, but for 16 bits a pixel.
    Bmp,
    /// GIF; of an animation the first frame.
    Gif,
    /// TIFF of 8 bits a channel; of several pages the first.
    Tiff,
}

/// How a file stores colour, before any conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Colour {
    /// One channel (an alpha channel is not counted).
    Grey,
    /// Three channels, RGB or YCbCr.
    Rgb,
    /// Four channels, CMYK or YCCK.
    Cmyk,
    /// Colours by number: a palette.
    Palette,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
            Self::Tiff => "TIFF",
        })
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grey => "grey",
            Self::Rgb => "RGB",
            Self::Cmyk => "CMYK",
            Self::Palette => "palette",
        })
    }
}

/// Why a file gives no pixels. The messages are about the content; the caller adds the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Nothing in it.
    #[error("zero-byte file")]
    Empty,
    /// Bytes that no image format begins with.
    #[error("not an image: begins with {begins_with}")]
    NotAnImage {
        /// The first bytes, as text or in hexadecimal.
        begins_with: String,
    },
    /// An image, but of a kind that is not read.
    #[error("a {format} file; JPEG, PNG, WebP, BMP, GIF and TIFF are read")]
    OtherFormat {
        /// For people, for example `PDF`.
        format: &'static str,
    },
    /// The data end before the last row of pixels. PIL raises "image file is truncated".
    #[error("{format} file is truncated: its data end before the last row of pixels")]
    Truncated {
        /// What the file began as.
        format: Format,
    },
    /// The data contradict the format.
    #[error("corrupt {format} file: {reason}")]
    Corrupt {
        /// What the file began as.
        format: Format,
        /// The decoder's words.
        reason: String,
    },
    /// A JPEG without all the scans that its coefficients need.
    #[error(
        "JPEG file with missing scans: a part of every pixel is not there (PIL and OpenCV show what is, smoothed)"
    )]
    MissingScans,
    /// A variant that is not read, though PIL or OpenCV may.
    #[error("{format} file with {feature}, which is not read")]
    NotRead {
        /// What the file began as.
        format: Format,
        /// The variant.
        feature: String,
    },
    /// A variant that PIL and OpenCV read differently, or not at all: refused rather than guessed.
    #[error("{format} file with {feature}, which is not read: PIL and OpenCV do not agree on it")]
    Unsupported {
        /// What the file began as.
        format: Format,
        /// The variant.
        feature: String,
    },
    /// OpenCV's view of a file that it refuses, or shows in a way of its own.
    #[error("{format} file that has no view by OpenCV here: {reason}")]
    NoOpenCvView {
        /// What the file is.
        format: Format,
        /// What OpenCV does.
        reason: &'static str,
    },
    /// More pixels than Pillow allows.
    #[error("{width}x{height} pixels: more than the limit of {} (a decompression bomb?)", MAX_PIXELS)]
    TooLarge {
        /// Pixels in a row, as the header says.
        width: u64,
        /// Rows, as the header says.
        height: u64,
    },
    /// Nothing is wrong with the file: this process has no memory for its pixels.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
}

/// A file decoded once; every recipe's view of it comes from here.
#[derive(Debug, Clone)]
pub struct Decoded {
    pixels: Pixels,
    opencv: OpenCvView,
    format: Format,
    colour: Colour,
    orientation: u8,
    warnings: Warnings,
}

/// What OpenCV makes of a file.
#[derive(Debug, Clone)]
enum OpenCvView {
    /// What PIL makes of it.
    Same,
    /// Something else, of a damaged one.
    Other(Pixels),
    /// Nothing, or nothing that is computed here: what it does instead.
    Refused(&'static str),
}

impl OpenCvView {
    fn copy(&self) -> Result<Self, NoMemory> {
        Ok(match self {
            Self::Same => Self::Same,
            Self::Other(pixels) => Self::Other(pixels.copy()?),
            Self::Refused(reason) => Self::Refused(reason),
        })
    }
}

/// Four-channel files stay as they were stored, because the two views convert them differently.
#[derive(Debug, Clone)]
enum Pixels {
    Rgb(RgbImage),
    Cmyk { width: usize, height: usize, cmyk: Vec<u8> },
}

impl Pixels {
    fn copy(&self) -> Result<Self, NoMemory> {
        Ok(match self {
            Self::Rgb(image) => Self::Rgb(image.copy()?),
            Self::Cmyk { width, height, cmyk } => {
                Self::Cmyk { width: *width, height: *height, cmyk: memory::copied(cmyk)? }
            }
        })
    }
}

impl Decoded {
    /// Decodes a whole file, recognised by its content, never by its name.
    ///
    /// # Errors
    /// [`DecodeError`], which says what the bytes are or where they break. Never panics, whatever the
    /// bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        match sniff::sniff(bytes)? {
            Format::Jpeg => jpeg::decode(bytes),
            Format::Png => png::decode(bytes),
            Format::WebP => others::webp::decode(bytes),
            Format::Bmp => others::bmp::decode(bytes),
            Format::Gif => others::gif::decode(bytes),
            Format::Tiff => others::tiff::decode(bytes),
        }
    }

    /// The same file by another decoder, zune-jpeg, whose pixels differ by a level here and there. Four-channel
    /// JPEG and all other formats stay as they are. `bytes` are those that `self` was decoded from.
    ///
    /// # Errors
    /// [`DecodeError::Corrupt`] in that decoder's words; [`DecodeError::NoMemory`].
    pub fn by_zune_jpeg(&self, bytes: &[u8]) -> Result<Self, DecodeError> {
        let (pixels, opencv) = match (self.format, &self.pixels) {
            (Format::Jpeg, Pixels::Rgb(_)) => {
                let decode = || zune::decode(bytes, self.colour);
                let corrupt = |reason| DecodeError::Corrupt { format: Format::Jpeg, reason };
                (Pixels::Rgb(guarded_or(decode, corrupt)?), OpenCvView::Same)
            }
            _ => (self.pixels.copy()?, self.opencv.copy()?),
        };
        Ok(Self { pixels, opencv, warnings: self.warnings.clone(), ..*self })
    }

    /// The pixels as `decoder` shows them, RGB. Borrowed where no conversion is needed.
    ///
    /// # Errors
    /// [`DecodeError::NoOpenCvView`]; [`DecodeError::NoMemory`] for the pixels of a conversion.
    pub fn view(&self, decoder: Decoder) -> Result<Cow<'_, RgbImage>, DecodeError> {
        let pixels = match (decoder, &self.opencv) {
            (Decoder::Pil, _) | (Decoder::OpenCv, OpenCvView::Same) => &self.pixels,
            (Decoder::OpenCv, OpenCvView::Other(pixels)) => pixels,
            (Decoder::OpenCv, &OpenCvView::Refused(reason)) => {
                return Err(DecodeError::NoOpenCvView { format: self.format, reason });
            }
        };
        let upright = match pixels {
            Pixels::Rgb(image) => Cow::Borrowed(image),
            Pixels::Cmyk { width, height, cmyk } => {
                let pixels = match decoder {
                    Decoder::Pil => cmyk::pil_rgb(cmyk)?,
                    Decoder::OpenCv => cmyk::opencv_rgb(cmyk)?,
                };
                Cow::Owned(RgbImage { width: *width, height: *height, pixels })
            }
        };
        Ok(match decoder {
            Decoder::OpenCv if self.orientation != 1 => Cow::Owned(exif::orient(&upright, self.orientation)?),
            _ => upright,
        })
    }

    /// Pixels in a row and rows, as stored (before any EXIF rotation).
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        match &self.pixels {
            Pixels::Rgb(image) => (image.width, image.height),
            Pixels::Cmyk { width, height, .. } => (*width, *height),
        }
    }

    /// What the file is.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// How the file stores colour.
    #[must_use]
    pub fn colour(&self) -> Colour {
        self.colour
    }

    /// What libjpeg warns of as it decodes the file, in its words: damage that it read on over. None for other formats.
    #[must_use]
    pub fn warnings(&self) -> &Warnings {
        &self.warnings
    }

    /// The EXIF orientation that OpenCV applies, 1..=8; 1, upright, where there is none.
    #[must_use]
    pub fn orientation(&self) -> u8 {
        self.orientation
    }
}

/// Makes a panic of a decoder, which only a damaged file can cause, an error like others.
fn decode_guarded(
    format: Format,
    decode: impl FnOnce() -> Result<Decoded, DecodeError>,
) -> Result<Decoded, DecodeError> {
    guarded_or(decode, |words| {
        let reason = words.trim_start_matches("libjpeg fatal error: ").to_owned();
        DecodeError::Corrupt { format, reason }
    })
}

/// Refuses a header that announces more than [`MAX_PIXELS`].
fn check_size(width: u64, height: u64) -> Result<(), DecodeError> {
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(DecodeError::TooLarge { width, height });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_corrupt_file() {
        let message = |decode: fn() -> Result<Decoded, DecodeError>| {
            decode_guarded(Format::Png, decode).expect_err("a panic").to_string()
        };
        // `resume_unwind` keeps the test's output quiet.
        let panicked = message(|| std::panic::resume_unwind(Box::new("out of bounds")));
        assert_eq!(panicked, "corrupt PNG file: out of bounds");
        let panicked = message(|| std::panic::resume_unwind(Box::new("index 3".to_owned())));
        assert_eq!(panicked, "corrupt PNG file: index 3");
        let panicked = message(|| std::panic::resume_unwind(Box::new(7)));
        assert_eq!(panicked, "corrupt PNG file: it gave no reason");
    }
}
