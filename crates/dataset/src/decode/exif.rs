//! EXIF orientation, read and applied as OpenCV 4.5.5 does (`imgcodecs/src/exif.cpp`, `loadsave.cpp`).
//!
//! OpenCV stops at the first entry it cannot follow and keeps what it had read until then: an
//! unreadable camera make *before* the orientation loses the rotation, one after it does not. Since
//! an image is or is not rotated by this, the order is reproduced, tag by tag.

use memory::NoMemory;

use crate::RgbImage;

const ORIENTATION: u16 = 0x112;

/// The orientation, 1..=8, in a TIFF structure (what follows `Exif\0\0`); 1 where there is none.
pub(super) fn orientation(tiff: &[u8]) -> u8 {
    match Tiff::new(tiff).and_then(Tiff::orientation) {
        Some(value @ 1..=8) => value as u8,
        _ => 1,
    }
}

#[derive(Clone, Copy)]
struct Tiff<'a> {
    bytes: &'a [u8],
    little_endian: bool,
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        // Anything but "II" is read as big-endian, even nonsense: the mark after it decides.
        let tiff = Self { bytes, little_endian: bytes.starts_with(b"II") };
        (tiff.u16(2)? == 42).then_some(tiff)
    }

    fn orientation(self) -> Option<u16> {
        let directory = self.u32(4)?;
        let entries = usize::from(self.u16(directory)?);
        for index in 0..entries {
            let entry = directory + 2 + 12 * index;
            let tag = self.u16(entry)?;
            if tag == ORIENTATION {
                // The type is not looked at: a big-endian 32-bit value reads as 0.
                return self.u16(entry + 8);
            }
            self.follow(tag, entry)?;
        }
        None
    }

    /// Reads what OpenCV reads of an entry other than the orientation; `None` where that fails.
    fn follow(self, tag: u16, entry: usize) -> Option<()> {
        // Description, make, model, software, date, copyright.
        const STRINGS: [u16; 6] = [0x10e, 0x10f, 0x110, 0x131, 0x132, 0x8298];
        // Tags of 8-byte rationals and how many: resolutions, white point, primaries, YCbCr, black-white.
        const RATIONALS: [(u16, usize); 6] =
            [(0x11a, 1), (0x11b, 1), (0x13e, 2), (0x13f, 6), (0x211, 3), (0x214, 6)];
        // Resolution unit, YCbCr positioning.
        const SHORTS: [u16; 2] = [0x128, 0x213];

        if STRINGS.contains(&tag) {
            let length = self.u32(entry + 4)?;
            let start = if length > 4 { self.u32(entry + 8)? } else { 8 };
            self.bytes.get(start..start.checked_add(length)?)?;
        } else if let Some((_, count)) = RATIONALS.iter().find(|(t, _)| *t == tag) {
            let start = self.u32(entry + 8)?;
            self.bytes.get(start..start.checked_add(8 * count)?)?;
        } else if SHORTS.contains(&tag) {
            self.u16(entry + 8)?;
        }
        Some(())
    }

    fn u16(self, at: usize) -> Option<u16> {
        let two = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little_endian { u16::from_le_bytes(two) } else { u16::from_be_bytes(two) })
    }

    fn u32(self, at: usize) -> Option<usize> {
        let four = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        let value = if self.little_endian { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) };
        usize::try_from(value).ok()
    }
}

/// The image turned upright from EXIF `orientation`, 1..=8.
pub(super) fn orient(image: &RgbImage, orientation: u8) -> Result<RgbImage, NoMemory> {
    let (w, h) = (image.width, image.height);
    let (width, height) = if orientation >= 5 { (h, w) } else { (w, h) };
    let mut pixels = memory::room(image.pixels.len())?;
    for y in 0..height {
        for x in 0..width {
            // Where the pixel comes from: column, row.
            let (column, row) = match orientation {
                2 => (w - 1 - x, y),
                3 => (w - 1 - x, h - 1 - y),
                4 => (x, h - 1 - y),
                5 => (y, x),
                6 => (y, h - 1 - x),
                7 => (w - 1 - y, h - 1 - x),
                8 => (w - 1 - y, x),
                _ => (x, y),
            };
            let at = (row * w + column) * 3;
            pixels.extend_from_slice(&image.pixels[at..at + 3]);
        }
    }
    Ok(RgbImage { width, height, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entry = (u16, u16, u32, [u8; 4]);
    const SIX: Entry = (ORIENTATION, 3, 1, [6, 0, 0, 0]);

    fn little_endian(entries: &[Entry]) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0".to_vec();
        tiff.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, count, value) in entries {
            tiff.extend(tag.to_le_bytes());
            tiff.extend(kind.to_le_bytes());
            tiff.extend(count.to_le_bytes());
            tiff.extend(value);
        }
        tiff
    }

    #[test]
    fn reads_both_byte_orders() {
        assert_eq!(orientation(&little_endian(&[SIX])), 6);
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0";
        assert_eq!(orientation(big), 6);
    }

    // Every expectation below was seen in OpenCV 4.5.5.
    #[test]
    fn malformed_entries_are_treated_as_opencv_does() {
        let far = 5000u32.to_le_bytes();
        let bad_make = (0x10f, 2, 1000, far);
        assert_eq!(orientation(&little_endian(&[bad_make, SIX])), 1);
        assert_eq!(orientation(&little_endian(&[SIX, bad_make])), 6);
        assert_eq!(orientation(&little_endian(&[(0x11a, 5, 1, far), SIX])), 1);
        assert_eq!(orientation(&little_endian(&[(0x9999, 2, 1000, far), SIX])), 6);
        assert_eq!(orientation(&little_endian(&[(ORIENTATION, 3, 1, [1, 0, 0, 0]), SIX])), 1);
        assert_eq!(orientation(&little_endian(&[(ORIENTATION, 1, 1, [6, 0, 0, 0])])), 6);
        assert_eq!(orientation(&little_endian(&[(ORIENTATION, 3, 1, [9, 0, 0, 0])])), 1);
        assert_eq!(orientation(&little_endian(&[(ORIENTATION, 3, 1, [0, 0, 0, 0])])), 1);
        let mut no_mark = little_endian(&[SIX]);
        no_mark[2] = 43;
        assert_eq!(orientation(&no_mark), 1);
        let mut many = little_endian(&[SIX]);
        many[8] = 50;
        assert_eq!(orientation(&many), 6);
        let whole = little_endian(&[SIX]);
        for end in 0..whole.len() - 2 {
            assert_eq!(orientation(&whole[..end]), 1, "cut at {end}");
        }
    }

    #[test]
    fn turns() {
        // 3 wide, 2 high: a b c / d e f, as grey levels.
        let image =
            RgbImage { width: 3, height: 2, pixels: b"abcdef".iter().flat_map(|&b| [b; 3]).collect() };
        let turned = |orientation| {
            let out = orient(&image, orientation).unwrap();
            let grey: Vec<u8> = out.pixels.chunks_exact(3).map(|p| p[0]).collect();
            (out.width, String::from_utf8(grey).unwrap())
        };
        let expected = [
            (3, "abcdef"),
            (3, "cbafed"),
            (3, "fedcba"),
            (3, "defabc"),
            (2, "adbecf"),
            (2, "daebfc"),
            (2, "fcebda"),
            (2, "cfbead"),
        ];
        for (orientation, (width, grey)) in (1..=8).zip(expected) {
            assert_eq!(turned(orientation), (width, grey.to_owned()), "orientation {orientation}");
        }
    }
}
