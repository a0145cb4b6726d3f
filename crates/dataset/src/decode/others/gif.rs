//! GIF: the first frame, as Pillow shows it. OpenCV 4.5.5 has no decoder of GIF.
//!
//! Transparent pixels have the colour that the palette has for them, and what a smaller frame leaves free has the transparent
//! colour, else the palette's first one.

use image::codecs::gif::GifDecoder;

use super::{
    Colour, DecodeError, Decoded, Format, OpenCvView, Samples, check_size, decode_guarded, decoded, not_read,
    u16_le,
};

const FORMAT: Format = Format::Gif;

/// LZW makes fewer pixels than this of a byte: codes of 12 bits, and a code for 4,096 pixels at most.
const MOST_FROM_A_BYTE: u64 = 4096;

/// What is stated of the first frame.
struct Frame {
    /// Columns and rows of the canvas that it covers.
    columns: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
    /// The colour that the palette has for transparent pixels, if there are such.
    transparent: Option<[u8; 3]>,
    /// What lies around the frame.
    around: [u8; 3],
    /// Whether pixels can have a colour that the palette lacks.
    may_lack_colours: bool,
}

pub(in crate::decode) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode_guarded(FORMAT, || {
        let frame = first_frame(bytes)?;
        let mut image = Samples::read(FORMAT, bytes, GifDecoder::new)?;
        // The decoder leaves such pixels black and transparent.
        let lacks = |pixel: &[u8]| pixel == [0; 4] && frame.transparent != Some([0; 3]);
        for (y, row) in image.samples.chunks_exact_mut(image.width * 4).enumerate() {
            for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
                if !frame.columns.contains(&x) || !frame.rows.contains(&y) {
                    pixel[..3].copy_from_slice(&frame.around);
                } else if frame.may_lack_colours && lacks(pixel) {
                    return Err(not_read(FORMAT, "colours that its palette lacks"));
                }
            }
        }
        let opencv = OpenCvView::Refused("it has no decoder of GIF");
        Ok(decoded(FORMAT, Colour::Palette, image.rgb()?, opencv))
    })
}

/// The canvas, then blocks until the first image.
fn first_frame(bytes: &[u8]) -> Result<Frame, DecodeError> {
    const TRUNCATED: DecodeError = DecodeError::Truncated { format: FORMAT };
    let byte = |at: usize| bytes.get(at).copied().ok_or(TRUNCATED);
    let word = |at: usize| u16_le(bytes, at).map(usize::from).ok_or(TRUNCATED);
    let colours = |flags: u8| if flags & 0x80 != 0 { 2_usize << (flags & 7) } else { 0 };
    let (width, height, flags) = (word(6)?, word(8)?, byte(10)?);
    let mut at = 13;
    let mut palette = (at, colours(flags));
    at += 3 * palette.1;
    let mut transparent = None;
    loop {
        match byte(at)? {
            0x21 => {
                // A control extension, of four bytes.
                if byte(at + 1)? == 0xf9 {
                    if byte(at + 2)? != 4 {
                        return Err(not_read(FORMAT, "a control extension of another size"));
                    }
                    transparent = (byte(at + 3)? & 1 == 1).then_some(byte(at + 6)?);
                }
                at += 2;
                while byte(at)? != 0 {
                    at += 1 + usize::from(byte(at)?);
                }
                at += 1;
            }
            0x2c => break,
            _ => return Err(not_read(FORMAT, "no image after its header")),
        }
    }
    let (left, top, columns, rows) = (word(at + 1)?, word(at + 3)?, word(at + 5)?, word(at + 7)?);
    let flags = byte(at + 9)?;
    at += 10;
    if flags & 0x80 != 0 {
        palette = (at, colours(flags));
        at += 3 * palette.1;
    }
    let code_bits = byte(at)?;
    if width == 0 || height == 0 || columns == 0 || rows == 0 {
        return Err(not_read(FORMAT, "an image without pixels"));
    }
    if left + columns > width || top + rows > height {
        return Err(not_read(FORMAT, "a first frame that is larger than its canvas"));
    }
    if palette.1 == 0 {
        return Err(not_read(FORMAT, "a first frame without a palette"));
    }
    if !(1..=8).contains(&code_bits) {
        return Err(not_read(FORMAT, "pixels of an impossible size"));
    }
    check_size(width as u64, height as u64)?;
    if (width * height) as u64 > bytes.len() as u64 * MOST_FROM_A_BYTE {
        return Err(TRUNCATED);
    }
    let colour = |index: u8| -> Option<[u8; 3]> {
        let at = palette.0 + 3 * usize::from(index);
        (usize::from(index) < palette.1).then(|| bytes.get(at..)?.first_chunk().copied()).flatten()
    };
    let around = colour(transparent.unwrap_or(0));
    let is_whole = columns == width && rows == height;
    if around.is_none() && !is_whole {
        return Err(not_read(FORMAT, "a transparent colour that its palette lacks"));
    }
    Ok(Frame {
        columns: left..left + columns,
        rows: top..top + rows,
        transparent: transparent.and_then(colour),
        around: around.unwrap_or_default(),
        may_lack_colours: palette.1 < 1 << code_bits,
    })
}
