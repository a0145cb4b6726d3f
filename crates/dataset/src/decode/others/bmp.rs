//! BMP of 1, 4, 8, 24 and 32 bits, from the bottom or from the top, run-length encoded too. Both libraries drop alpha.
//!
//! Refused: 16 bits (each library rounds in its own way), channels in an order of their own, palettes that lack a colour, runs
//! that leave pixels out, and grey palettes that make Pillow misread the pixels.

use image::codecs::bmp::BmpDecoder;

use super::{
    Colour, DecodeError, Decoded, Format, OpenCvView, Samples, check_size, decode_guarded, decoded, not_read,
    u16_le, u32_le,
};

const FORMAT: Format = Format::Bmp;
const TRUNCATED: DecodeError = DecodeError::Truncated { format: FORMAT };

/// Of the file's own header, before the one that describes the pixels.
const FILE_HEADER: usize = 14;

struct Header {
    width: usize,
    height: usize,
    bits: usize,
    compression: Compression,
    /// Where pixels begin.
    start: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    /// Runs of 8-bit pixels.
    Rle8,
    /// Runs of 4-bit pixels.
    Rle4,
}

pub(in crate::decode) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode_guarded(FORMAT, || {
        let header = header(bytes)?;
        let colour = match header.bits {
            1..=8 => {
                check_palette(bytes, &header)?;
                Colour::Palette
            }
            _ => Colour::Rgb,
        };
        if header.compression != Compression::None {
            check_runs(&header, &bytes[header.start..])?;
        }
        let samples = Samples::read(FORMAT, bytes, BmpDecoder::new)?;
        Ok(decoded(FORMAT, colour, samples.rgb()?, OpenCvView::Same))
    })
}

fn header(bytes: &[u8]) -> Result<Header, DecodeError> {
    /// Blue, green and red as everybody stores them, and alpha or nothing.
    const MASKS: [u32; 3] = [0xff_0000, 0xff00, 0xff];
    let word = |at: usize| u16_le(bytes, at).ok_or(TRUNCATED);
    let double = |at: usize| u32_le(bytes, at).ok_or(TRUNCATED);
    let (start, size) = (double(10)? as usize, double(14)? as usize);
    let (width, height, planes, bits, compression) = match size {
        12 => (word(18)?.into(), i32::from(word(20)?), word(22)?, word(24)?, 0),
        40 | 108 | 124 => (double(18)?, double(22)? as i32, word(26)?, word(28)?, double(30)?),
        _ => return Err(not_read(FORMAT, format!("a header of {size} bytes"))),
    };
    let is_top_down = height < 0;
    let height = height.unsigned_abs();
    if width == 0 || height == 0 || width > i32::MAX as u32 || planes != 1 {
        return Err(not_read(FORMAT, "a header that makes no sense"));
    }
    check_size(width.into(), height.into())?;
    let compression = match (compression, bits) {
        (0, 1 | 4 | 8 | 24 | 32) => Compression::None,
        (1, 8) if !is_top_down => Compression::Rle8,
        (2, 4) if !is_top_down => Compression::Rle4,
        (3, 32) => {
            let masks = [double(54)?, double(58)?, double(62)?];
            let alpha = if size == 40 { 0 } else { double(66)? };
            if masks != MASKS || !matches!(alpha, 0 | 0xff00_0000) {
                return Err(not_read(FORMAT, "channels in an order of its own"));
            }
            Compression::None
        }
        (0 | 3, 16) => return Err(not_read(FORMAT, "16 bits a pixel")),
        _ => {
            return Err(not_read(FORMAT, format!("{bits} bits a pixel, compressed by method {compression}")));
        }
    };
    let (width, height, bits) = (width as usize, height as usize, usize::from(bits));
    let header = Header { width, height, bits, compression, start };
    let before = FILE_HEADER + size;
    if start < before || start > bytes.len() {
        return Err(not_read(FORMAT, "pixels that do not follow its header"));
    }
    if compression == Compression::None && bytes.len() - start < header.row() * height {
        return Err(TRUNCATED);
    }
    Ok(header)
}

impl Header {
    /// Bytes of a row, which end on a multiple of four.
    fn row(&self) -> usize {
        (self.width * self.bits).div_ceil(32) * 4
    }
}

/// Refuses pixels that the palette has no colour for (grey in PIL, black in OpenCV), and palettes of greys by which PIL takes
/// the pixels for ones of another size.
fn check_palette(bytes: &[u8], header: &Header) -> Result<(), DecodeError> {
    let size = u32_le(bytes, 14).ok_or(TRUNCATED)? as usize;
    let (used, entry) = match size {
        12 => (0, 3),
        _ => (u32_le(bytes, 46).ok_or(TRUNCATED)? as usize, 4),
    };
    let most = 1 << header.bits;
    let colours = if used == 0 { most } else { used };
    let palette = FILE_HEADER + size;
    if colours > most || palette + colours * entry > header.start {
        return Err(not_read(FORMAT, "a palette that does not fit"));
    }
    let palette = &bytes[palette..palette + colours * entry];
    let is_grey = palette.chunks_exact(entry).enumerate().all(|(index, colour)| {
        let level = if colours == 2 { 255 * index } else { index };
        colour[..3].iter().all(|&channel| usize::from(channel) == level)
    });
    let is_misread = match header.bits {
        1 => colours != 2,
        8 => colours == 2,
        _ => true,
    };
    if is_grey && is_misread {
        return Err(not_read(FORMAT, "a palette that is grey by its numbers"));
    }
    if colours == most {
        return Ok(());
    }
    const LACKING: &str = "colours that its palette lacks";
    if header.compression != Compression::None {
        return Err(not_read(FORMAT, LACKING));
    }
    let (bits, each) = (header.bits, 8 / header.bits);
    for row in bytes[header.start..].chunks_exact(header.row()).take(header.height) {
        for x in 0..header.width {
            let index = row[x / each] >> (8 - bits - x % each * bits) & (most - 1) as u8;
            if usize::from(index) >= colours {
                return Err(not_read(FORMAT, LACKING));
            }
        }
    }
    Ok(())
}

/// Lets through only runs that fill every row and end with the last one: the libraries disagree on what is left out.
fn check_runs(header: &Header, runs: &[u8]) -> Result<(), DecodeError> {
    let left_out = || not_read(FORMAT, "runs that leave pixels out");
    let mut runs = runs.iter().copied();
    for y in 1..=header.height {
        let mut x = 0;
        loop {
            match (runs.next().ok_or(TRUNCATED)?, runs.next().ok_or(TRUNCATED)?) {
                (0, 0) if x == header.width && y < header.height => break,
                // The last row may end, and then the image.
                (0, 0) if x == header.width => match (runs.next(), runs.next()) {
                    (Some(0), Some(1)) => return Ok(()),
                    _ => return Err(left_out()),
                },
                (0, 1) if x == header.width && y == header.height => return Ok(()),
                (0, 0..=2) => return Err(left_out()),
                (0, count) => {
                    let stored = match header.compression {
                        Compression::Rle4 => usize::from(count).div_ceil(2),
                        _ => usize::from(count),
                    };
                    runs.nth(stored.next_multiple_of(2) - 1).ok_or(TRUNCATED)?;
                    x += usize::from(count);
                }
                (count, _) => x += usize::from(count),
            }
            if x > header.width {
                return Err(left_out());
            }
        }
    }
    Ok(())
}
