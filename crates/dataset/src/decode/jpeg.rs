//! JPEG, through mozjpeg's libjpeg: slow integer IDCT and fancy upsampling, bit for bit what Pillow
//! and OpenCV (both libjpeg-turbo) decode.
//!
//! Three things are ours. Upsampling and colour conversion of the usual kinds of file are done by
//! [`super::ycbcr`], for speed. libjpeg pretends that a file that ends early ends well, and fills in grey;
//! [`Tail`] notices that more bytes were asked for than there are, which is where Pillow raises
//! "image file is truncated". And libjpeg reports fatal errors by unwinding (silently: mozjpeg uses
//! `resume_unwind`), which stops here and becomes a [`DecodeError`].
//!
//! Where coded data are damaged and still decode to something, there is no one right answer: libjpeg's
//! C and SIMD code overflow differently, and Pillow and OpenCV do not agree with each other either.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use mozjpeg::{ColorSpace, Decompress, Marker};

use super::ycbcr::{Planes, Subsampling};
use super::{Colour, DecodeError, Decoded, Format, Pixels, check_size, decode_guarded, exif};
use crate::RgbImage;

const FORMAT: Format = Format::Jpeg;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let ran_out = Cell::new(false);
    let outcome = decode_guarded(FORMAT, || decode_unguarded(bytes, &ran_out));
    // Whatever else happened, a file that was read past its end is truncated first of all.
    if ran_out.get() {
        return Err(DecodeError::Truncated { format: FORMAT });
    }
    outcome
}

fn corrupt(reason: &impl ToString) -> DecodeError {
    DecodeError::Corrupt { format: FORMAT, reason: reason.to_string() }
}

fn decode_unguarded(bytes: &[u8], ran_out: &Cell<bool>) -> Result<Decoded, DecodeError> {
    let header = Decompress::builder()
        .with_markers(&[Marker::APP(1)])
        .from_reader(Tail { bytes, ran_out })
        .map_err(|e| corrupt(&e))?;
    let (width, height) = header.size();
    check_size(width as u64, height as u64)?;

    // Only the first APP1 segment counts, whatever it holds, and its first six bytes are not looked
    // at: that is how OpenCV finds EXIF (an XMP segment in front hides the orientation).
    let app1 = header.markers().next().map(|marker| marker.data);
    let orientation = app1.and_then(|data| data.get(6..)).map_or(1, exif::orientation);

    let (stored, colour) = match header.components().len() {
        1 => (ColorSpace::JCS_RGB, Colour::Grey),
        3 => (ColorSpace::JCS_RGB, Colour::Rgb),
        4 => (ColorSpace::JCS_CMYK, Colour::Cmyk),
        n => {
            let feature = format!("{n} colour components");
            return Err(DecodeError::Unsupported { format: FORMAT, feature });
        }
    };
    // `finish` is left out on purpose: it reads on to the end-of-image marker, which Pillow does not
    // need either once every row is there.
    let data = match Subsampling::of(header.components(), header.color_space(), width) {
        Some(subsampling) => read_planes(header, subsampling)?,
        None => read_scanlines(header, stored)?,
    };

    let pixels = if colour == Colour::Cmyk {
        Pixels::Cmyk { width, height, cmyk: data }
    } else {
        Pixels::Rgb(RgbImage { width, height, pixels: data })
    };
    Ok(Decoded { pixels, format: FORMAT, colour, orientation })
}

/// Lets libjpeg do everything.
fn read_scanlines<R>(header: Decompress<R>, stored: ColorSpace) -> Result<Vec<u8>, DecodeError> {
    let mut started = header.to_colorspace(stored).map_err(|e| corrupt(&e))?;
    started.read_scanlines().map_err(|e| corrupt(&e))
}

/// Lets libjpeg stop before upsampling and colour conversion, and does both here.
fn read_planes<R>(header: Decompress<R>, subsampling: Subsampling) -> Result<Vec<u8>, DecodeError> {
    let mut planes = Planes::new(header.width(), header.height(), subsampling);
    let mut started = header.raw().map_err(|e| corrupt(&e))?;
    started.read_raw_data(&mut planes.samples_mut());
    Ok(planes.to_rgb())
}

/// The bytes that libjpeg has not seen yet; remembers being asked for more than there are.
struct Tail<'a> {
    bytes: &'a [u8],
    ran_out: &'a Cell<bool>,
}

impl Read for Tail<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(out)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Tail<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.bytes.is_empty() {
            self.ran_out.set(true);
        }
        Ok(self.bytes)
    }

    fn consume(&mut self, n: usize) {
        self.bytes = self.bytes.get(n..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use mozjpeg::Compress;

    use super::*;

    /// Noise, which has every step from one colour to another.
    fn encode(width: usize, height: usize, chroma: (u8, u8), progressive: bool) -> Vec<u8> {
        let pixels: Vec<u8> = (0..width * height * 3).map(|i| (i * i * 31 % 251) as u8).collect();
        let mut encoder = Compress::new(ColorSpace::JCS_RGB);
        encoder.set_size(width, height);
        encoder.set_quality(90.0);
        encoder.set_chroma_sampling_pixel_sizes(chroma, chroma);
        if progressive {
            encoder.set_progressive_mode();
        }
        let mut started = encoder.start_compress(Vec::new()).unwrap();
        started.write_scanlines(&pixels).unwrap();
        started.finish().unwrap()
    }

    /// By planes, where that is possible, and by libjpeg alone. `None` for an error.
    fn both(jpeg: &[u8]) -> (Option<Subsampling>, [Option<Vec<u8>>; 2]) {
        let header = || Decompress::new_mem(jpeg).unwrap();
        let width = header().width();
        let subsampling = Subsampling::of(header().components(), header().color_space(), width);
        let attempt = |planes: bool| {
            let read = || match subsampling {
                Some(subsampling) if planes => read_planes(header(), subsampling).ok(),
                _ => read_scanlines(header(), ColorSpace::JCS_RGB).ok(),
            };
            std::panic::catch_unwind(read).ok().flatten()
        };
        (subsampling, [attempt(true), attempt(false)])
    }

    #[test]
    fn planes_equal_libjpegs_scanlines() {
        let ratios = [
            ((1, 1), Some(Subsampling::None)),
            ((2, 1), Some(Subsampling::Wide)),
            ((2, 2), Some(Subsampling::Both)),
            ((1, 2), None),
            ((4, 1), None),
        ];
        for (chroma, expected) in ratios {
            for width in (1..=35).chain([64, 500]) {
                for height in [1, 2, 3, 4, 12, 15, 16, 17, 33] {
                    let jpeg = encode(width, height, chroma, width % 2 == 0);
                    let (subsampling, [planes, scanlines]) = both(&jpeg);
                    // libjpeg does not interpolate what is at most two samples wide.
                    let narrow = expected != Some(Subsampling::None) && width <= 4;
                    assert_eq!(subsampling, expected.filter(|_| !narrow), "{chroma:?} {width}");
                    assert_eq!(planes.as_ref().map(Vec::len), Some(width * height * 3));
                    assert!(planes == scanlines, "{chroma:?} {width}x{height}");
                }
            }
        }
    }

    #[test]
    fn damaged_planes_equal_damaged_scanlines() {
        for progressive in [false, true] {
            let whole = encode(100, 80, (2, 2), progressive);
            for at in (700..whole.len()).step_by(97) {
                let mut damaged = whole.clone();
                damaged[at] ^= 0x55;
                for jpeg in [&damaged[..], &whole[..at]] {
                    let (subsampling, [planes, scanlines]) = both(jpeg);
                    assert!(subsampling.is_some() && planes == scanlines, "byte {at}");
                }
            }
        }
    }
}
