//! TIFF of 8 bits a channel: grey and RGB, in strips or tiles, uncompressed or by LZW, Deflate or PackBits. The first of
//! several pages.
//!
//! The tags are read here first, because a tag that is not looked at may turn the picture, invert it or say that its channels
//! are multiplied by an alpha.

use image::codecs::tiff::TiffDecoder;

use super::{
    Colour, DecodeError, Decoded, Format, OpenCvView, Samples, check_size, decode_guarded, decoded, not_read,
};

const FORMAT: Format = Format::Tiff;
const TRUNCATED: DecodeError = DecodeError::Truncated { format: FORMAT };

/// None of the compressions makes more of a byte: LZW has codes of up to 12 bits.
const MOST_FROM_A_BYTE: u64 = 4096;

/// Tags that change no pixel of what is let through: kinds of page, texts, resolutions, dates, profiles, EXIF, thumbnails.
const HARMLESS: [u16; 29] = [
    254, 255, 269, 270, 271, 272, 280, 281, 282, 283, 285, 286, 287, 296, 297, 305, 306, 315, 316, 318, 319,
    330, 700, 33432, 33723, 34377, 34665, 34675, 34853,
];

pub(in crate::decode) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode_guarded(FORMAT, || {
        let (colour, opencv) = look(bytes)?;
        let samples = Samples::read(FORMAT, bytes, TiffDecoder::new)?;
        Ok(decoded(FORMAT, colour, samples.rgb()?, opencv))
    })
}

#[derive(Clone, Copy)]
struct File<'a> {
    bytes: &'a [u8],
    is_little_endian: bool,
}

impl File<'_> {
    fn u16(self, at: usize) -> Result<u16, DecodeError> {
        let two = self.bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(TRUNCATED)?;
        Ok(if self.is_little_endian { u16::from_le_bytes(*two) } else { u16::from_be_bytes(*two) })
    }

    fn u32(self, at: usize) -> Result<u32, DecodeError> {
        let four = self.bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(TRUNCATED)?;
        Ok(if self.is_little_endian { u32::from_le_bytes(*four) } else { u32::from_be_bytes(*four) })
    }

    /// The values of the entry at `at`: 16 or 32 bits each.
    fn values(self, at: usize) -> Result<Vec<u32>, DecodeError> {
        let (tag, kind, count) = (self.u16(at)?, self.u16(at + 2)?, self.u32(at + 4)? as usize);
        let size = match kind {
            3 => 2,
            4 => 4,
            _ => return Err(not_read(FORMAT, format!("values of type {kind} in tag {tag}"))),
        };
        if count == 0 || count > self.bytes.len() / size {
            return Err(TRUNCATED);
        }
        let start = if count * size <= 4 { at + 8 } else { self.u32(at + 8)? as usize };
        let value = |index: usize| match size {
            2 => self.u16(start + 2 * index).map(u32::from),
            _ => self.u32(start + 4 * index),
        };
        (0..count).map(value).collect()
    }
}

/// What the tags say, refused where it is not read.
fn look(bytes: &[u8]) -> Result<(Colour, OpenCvView), DecodeError> {
    let file = File { bytes, is_little_endian: bytes.starts_with(b"II") };
    let directory = file.u32(4)? as usize;
    let (mut size, mut bits, mut extra) = ([0_u32; 2], vec![1], Vec::new());
    let (mut compression, mut photometric, mut predictor, mut last) = (1, None, 1, 0);
    let mut channels = 1;
    let (mut strip_rows, mut tile, mut offsets, mut lengths) = (u32::MAX, None, Vec::new(), Vec::new());
    for index in 0..usize::from(file.u16(directory)?) {
        let at = directory + 2 + 12 * index;
        let tag = file.u16(at)?;
        if tag <= last {
            return Err(not_read(FORMAT, "tags out of order"));
        }
        last = tag;
        if HARMLESS.contains(&tag) {
            continue;
        }
        let values = file.values(at)?;
        let first = values[0];
        match tag {
            256 | 257 => size[usize::from(tag - 256)] = first,
            258 => bits = values,
            259 => compression = first,
            262 => photometric = Some(first),
            273 | 324 => offsets = values,
            279 | 325 => lengths = values,
            278 => strip_rows = first,
            322 => tile = Some([first, 0]),
            323 => tile = tile.map(|[width, _]| [width, first]),
            277 => channels = first as usize,
            317 => predictor = first,
            338 => extra = values,
            // Order of bits, orientation, planes.
            266 | 274 | 284 if values == [1] => {}
            266 => return Err(not_read(FORMAT, "bits in another order")),
            274 => return Err(not_read(FORMAT, format!("orientation {first}"))),
            284 => return Err(not_read(FORMAT, "channels in planes")),
            339 if values.iter().all(|&value| value == 1) => {}
            339 => return Err(not_read(FORMAT, "samples that are no unsigned integers")),
            _ => return Err(not_read(FORMAT, format!("tag {tag}"))),
        }
    }
    let [width, height] = size;
    check_size(width.into(), height.into())?;
    if bits.len() != channels || bits.iter().any(|&bits| bits != 8) {
        let bits: Vec<String> = bits.iter().map(u32::to_string).collect();
        return Err(not_read(FORMAT, format!("{} bits for {channels} channels", bits.join("/"))));
    }
    if u64::from(width) * u64::from(height) > bytes.len() as u64 * MOST_FROM_A_BYTE {
        return Err(TRUNCATED);
    }
    let [part_width, part_height] = tile.unwrap_or([width, strip_rows.min(height)]);
    if [width, height, part_width, part_height].contains(&0) {
        return Err(not_read(FORMAT, "an image without pixels"));
    }
    let parts = (width.div_ceil(part_width) as usize).saturating_mul(height.div_ceil(part_height) as usize);
    if offsets.len() != parts || lengths.len() != parts {
        return Err(not_read(FORMAT, "more or fewer strips or tiles than its size asks for"));
    }
    for (number, (&offset, &length)) in (0_u32..).zip(offsets.iter().zip(&lengths)) {
        // The last strip may have fewer rows.
        let rows = if tile.is_some() { part_height } else { part_height.min(height - number * part_height) };
        let whole = u64::from(part_width) * u64::from(rows) * channels as u64;
        let is_short = compression == 1 && u64::from(length) < whole;
        if u64::from(offset) + u64::from(length) > bytes.len() as u64 || is_short {
            return Err(TRUNCATED);
        }
    }
    if !matches!(compression, 1 | 5 | 8 | 32773 | 32946) {
        return Err(not_read(FORMAT, format!("compression {compression}")));
    }
    if predictor != 1 && !(predictor == 2 && matches!(compression, 5 | 8 | 32946)) {
        return Err(not_read(FORMAT, format!("predictor {predictor}")));
    }
    match (photometric, channels, &extra[..]) {
        (Some(0 | 1), 1, []) => Ok((Colour::Grey, OpenCvView::Same)),
        (Some(2), 3, []) | (Some(2), 4, [] | [0]) => Ok((Colour::Rgb, OpenCvView::Same)),
        // OpenCV multiplies by it.
        (Some(2), 4, [2]) => Ok((Colour::Rgb, OpenCvView::Refused("it multiplies colours by alpha"))),
        // The decoder rounds in its own way.
        (Some(5), ..) => Err(not_read(FORMAT, "CMYK")),
        (Some(2), 4, [1]) => Err(not_read(FORMAT, "colours that are multiplied by alpha")),
        (Some(3), ..) => Err(not_read(FORMAT, "a palette")),
        _ => Err(not_read(FORMAT, format!("{channels} channels of another kind"))),
    }
}
