//! What Pillow refuses of a JPEG before libjpeg sees it. Its own reader of the header (`JpegImagePlugin.py` of Pillow 9.5.0,
//! in Python) looks at segments that libjpeg passes over, and gives up where one is shorter than it expects.

use super::stream::{TRUNCATED, corrupt};
use crate::decode::DecodeError;

fn refused(what: &str) -> DecodeError {
    corrupt(format!("PIL refuses {what}"))
}

/// Goes through the markers up to the first scan as `JpegImageFile._open` does.
pub(super) fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader { bytes, at: 3 };
    let mut state = State::default();
    let mut byte = 0xff;
    loop {
        if byte != 0xff {
            byte = reader.byte()?;
            continue;
        }
        let marker = reader.byte()?;
        match marker {
            // Padding.
            0xff => continue,
            0x00 => {}
            0x01..=0xbf => return Err(refused("its markers: no marker found")),
            // Markers that Pillow takes for being without parameters.
            0xc8 | 0xd0..=0xd9 | 0xf0..=0xfd => {}
            0xda => return reader.segment().map(drop),
            0xe0..=0xef => {
                let segment = reader.segment()?;
                state.application(marker, segment)?;
            }
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xde => {
                let segment = reader.segment()?;
                if segment.len() < 6 || segment.len() % 3 != 0 {
                    return Err(refused("its frame header: too short"));
                }
                state.profile_ends()?;
            }
            0xdb => quantisation_tables(reader.segment()?)?,
            _ => reader.segment().map(drop)?,
        }
        byte = reader.byte()?;
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = *self.bytes.get(self.at).ok_or(TRUNCATED)?;
        self.at += 1;
        Ok(byte)
    }

    /// An impossible length reads nothing.
    fn segment(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(u16::from_be_bytes([self.byte()?, self.byte()?])).saturating_sub(2);
        let segment = self.bytes.get(self.at..self.at + length).ok_or(TRUNCATED)?;
        self.at += length;
        Ok(segment)
    }
}

fn quantisation_tables(mut segment: &[u8]) -> Result<(), DecodeError> {
    while let [head, rest @ ..] = segment {
        let size = if head >> 4 == 0 { 64 } else { 128 };
        segment = rest.get(size..).ok_or_else(|| refused("its quantisation tables: too short"))?;
    }
    Ok(())
}

/// What the segments so far have said.
#[derive(Default)]
struct State<'a> {
    dots_per_inch: bool,
    exif: Option<&'a [u8]>,
    profile_is_short: bool,
}

impl<'a> State<'a> {
    fn application(&mut self, marker: u8, segment: &'a [u8]) -> Result<(), DecodeError> {
        match marker {
            0xe0 if segment.starts_with(b"JFIF") => {
                if segment.len() < 7 {
                    return Err(refused("its JFIF segment: too short"));
                }
                self.dots_per_inch |= segment.len() >= 12 && segment[7] == 1;
            }
            0xe1 if segment.starts_with(b"Exif\0") => self.exif = self.exif.or(Some(segment)),
            // The fragments are sorted, and the first one must have a count.
            0xe2 if segment.starts_with(b"ICC_PROFILE\0") => self.profile_is_short |= segment.len() < 14,
            0xed if segment.starts_with(b"Photoshop 3.0\0") => photoshop(segment)?,
            0xee if segment.starts_with(b"Adobe") && segment.len() < 7 => {
                return Err(refused("its Adobe segment: too short"));
            }
            _ => {}
        }
        // Without a resolution in JFIF, the one in EXIF is looked for, after every such segment.
        if let Some(exif) = self.exif
            && !self.dots_per_inch
        {
            resolution(exif)?;
            self.dots_per_inch = true;
        }
        Ok(())
    }

    fn profile_ends(&mut self) -> Result<(), DecodeError> {
        match std::mem::take(&mut self.profile_is_short) {
            true => Err(refused("its colour profile: too short")),
            false => Ok(()),
        }
    }
}

/// Image resource blocks. Numbers that are cut off end them without an error; a missing name does not.
fn photoshop(segment: &[u8]) -> Result<(), DecodeError> {
    let mut at = 14;
    while segment.get(at..at + 4) == Some(b"8BIM") {
        if segment.len() < at + 6 {
            return Ok(());
        }
        at += 6;
        let name = usize::from(*segment.get(at).ok_or_else(|| refused("its Photoshop segment: cut off"))?);
        at += 1 + name;
        at += at & 1;
        let Some(size) = segment.get(at..).and_then(<[u8]>::first_chunk::<4>) else { return Ok(()) };
        let size = u32::from_be_bytes(*size) as usize;
        at += 4 + size;
        at += at & 1;
    }
    Ok(())
}

/// The resolution in an EXIF segment, whose other faults are forgiven.
fn resolution(segment: &[u8]) -> Result<(), DecodeError> {
    let tiff = segment.strip_prefix(b"Exif\0\0").unwrap_or(segment);
    let big_endian = match tiff {
        [b'M', b'M', 0, b'*' | b'+', ..] | [b'M', b'M', b'*', 0, ..] => true,
        [b'I', b'I', b'*', 0, ..] | [b'I', b'I', 0, b'*', ..] => false,
        // BigTIFF, of whose header Pillow reads too little.
        [b'I', b'I', b'+', 0, ..] => {
            return Err(refused("its EXIF segment: a BigTIFF"));
        }
        _ => return Ok(()),
    };
    let number = |at: usize, size: usize| {
        let bytes = tiff.get(at..at.checked_add(size)?)?;
        let join = |sum: usize, &byte: &u8| sum << 8 | usize::from(byte);
        Some(if big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) })
    };
    let Some(directory) = number(4, 4) else {
        return Err(refused("its EXIF segment: too short"));
    };
    let entries = number(directory, 2).unwrap_or(0);
    let mut has_unit = false;
    let mut single_byte = false;
    for entry in (0..entries).map(|index| directory + 2 + 12 * index) {
        let (Some(tag), Some(kind), Some(count), Some(_)) =
            (number(entry, 2), number(entry + 2, 2), number(entry + 4, 4), number(entry + 8, 4))
        else {
            break;
        };
        let unit = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 => 8,
            _ => continue,
        };
        let size = unit * count;
        if size > 4 && number(entry + 8, 4).is_none_or(|at| tiff.len() < at + size) {
            break;
        }
        has_unit |= tag == 0x128 && size > 0;
        if tag == 0x11a && size > 0 {
            let digit = kind == 2 && tiff.get(entry + 8).is_some_and(u8::is_ascii_digit);
            single_byte = count == 1 && (matches!(kind, 1 | 7) || digit);
        }
    }
    match has_unit && single_byte {
        true => Err(refused("its EXIF segment: a resolution of one byte")),
        false => Ok(()),
    }
}
