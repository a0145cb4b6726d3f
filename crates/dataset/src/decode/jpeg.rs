//! JPEG, through mozjpeg's libjpeg: slow integer IDCT and fancy upsampling, bit for bit what Pillow
//! and OpenCV (both libjpeg-turbo) decode.
//!
//! Two things are ours. libjpeg pretends that a file that ends early ends well, and fills in grey;
//! [`Tail`] notices that more bytes were asked for than there are, which is where Pillow raises
//! "image file is truncated". And libjpeg reports fatal errors by unwinding (silently: mozjpeg uses
//! `resume_unwind`), which stops here and becomes a [`DecodeError`].
//!
//! Where coded data are damaged and still decode to something, there is no one right answer: libjpeg's
//! C and SIMD code overflow differently, and Pillow and OpenCV do not agree with each other either.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use mozjpeg::{ColorSpace, Decompress, Marker};

use super::{Colour, DecodeError, Decoded, Format, Pixels, check_size, exif, guarded};
use crate::RgbImage;

const FORMAT: Format = Format::Jpeg;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let ran_out = Cell::new(false);
    let outcome = guarded(FORMAT, || decode_unguarded(bytes, &ran_out));
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
    let mut started = header.to_colorspace(stored).map_err(|e| corrupt(&e))?;
    let data: Vec<u8> = started.read_scanlines().map_err(|e| corrupt(&e))?;
    // `finish` is left out on purpose: it reads on to the end-of-image marker, which Pillow does not
    // need either once every row is there.

    let pixels = if colour == Colour::Cmyk {
        Pixels::Cmyk { width, height, cmyk: data }
    } else {
        Pixels::Rgb(RgbImage { width, height, pixels: data })
    };
    Ok(Decoded { pixels, format: FORMAT, colour, orientation })
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
