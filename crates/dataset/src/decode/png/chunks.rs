//! The chunks of a PNG, and which of them make Pillow or OpenCV refuse it: both are strict, each about other things.
//! Pillow's rules are those of `PngImagePlugin.py` (9.5.0), OpenCV's those of libpng 1.6.37. Checksums are checked in all
//! chunks, which neither does: Pillow not after the pixels, libpng not in those that it could do without.

use flate2::Crc;

use super::corrupt;
use super::pixels::Storage;
use crate::decode::{DecodeError, Format};

const SIGNATURE: usize = 8;
/// libpng refuses longer chunks, pixels excepted (`PNG_USER_CHUNK_MALLOC_MAX`).
const LONGEST_CHUNK: usize = 8_000_000;
/// libpng refuses images that are wider or higher (`PNG_USER_WIDTH_MAX`).
const LONGEST_SIDE: u32 = 1_000_000;

/// What the samples of an image mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ColourType {
    /// Grey, maybe with alpha.
    Grey,
    /// RGB, maybe with alpha.
    Rgb,
    /// An index into the palette.
    Palette,
}

/// What of the chunks matters for the pixels.
pub(super) struct Chunks<'a> {
    pub(super) storage: Storage,
    pub(super) colour: ColourType,
    /// The content of the `IDAT` chunks.
    pub(super) pixels: Vec<u8>,
    /// Three bytes for each colour.
    pub(super) palette: &'a [u8],
    /// The TIFF structure that libpng finds.
    pub(super) exif: Option<&'a [u8]>,
}

fn refused(name: &str, what: &str) -> DecodeError {
    corrupt(&format!("chunk {name}: {what}"))
}

/// Goes through a whole file.
pub(super) fn read(bytes: &[u8]) -> Result<Chunks<'_>, DecodeError> {
    let mut chunks: Option<Chunks> = None;
    let mut order = Order::default();
    let mut at = SIGNATURE;
    loop {
        let header = bytes.get(at..at + 8).ok_or(DecodeError::Truncated { format: Format::Png })?;
        let (length, name) = header.split_at(4);
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let end = (at + 12).saturating_add(length);
        if end > bytes.len() {
            return Err(DecodeError::Truncated { format: Format::Png });
        }
        if !name.iter().all(u8::is_ascii_alphabetic) {
            return Err(corrupt(&format!("a chunk's name is {:?}", name.escape_ascii().to_string())));
        }
        let name = std::str::from_utf8(name).unwrap_or_default();
        let (data, checksum) = bytes[at + 8..end].split_at(length);
        let mut crc = Crc::new();
        crc.update(&bytes[at + 4..at + 8 + length]);
        if crc.sum().to_be_bytes() != checksum {
            return Err(refused(name, "its checksum is wrong"));
        }
        let Some(chunks) = &mut chunks else {
            chunks = Some(order.header(name, data)?);
            at = end;
            continue;
        };
        order.next(name, data, chunks.colour)?;
        match name {
            "IEND" => break,
            "IDAT" => {
                // All of them are together no longer than what is left of the file.
                if chunks.pixels.capacity() == 0 {
                    chunks.pixels = memory::room(bytes.len() - at)?;
                }
                chunks.pixels.extend_from_slice(data);
            }
            "PLTE" => chunks.palette = data,
            "eXIf" if chunks.exif.is_none() && data.len() > 1 => {
                // libpng looks at the two letters in this way, and loses its place where they are others.
                if !matches!(data[1], b'M' | b'I') && data[0] != data[1] {
                    return Err(refused(name, "OpenCV refuses its byte order"));
                }
                chunks.exif = Some(data);
            }
            _ => {}
        }
        at = end;
    }
    chunks.ok_or_else(|| refused("IEND", "comes before the header"))
}

/// What has come so far.
#[derive(Default)]
struct Order {
    /// How many bytes of pixels libpng takes in a chunk.
    longest_pixels: usize,
    /// Without a palette or alpha.
    opaque: bool,
    palette: bool,
    pixels: bool,
    after_pixels: bool,
    text: usize,
}

impl Order {
    fn next(&mut self, name: &str, data: &[u8], colour: ColourType) -> Result<(), DecodeError> {
        self.after_pixels |= self.pixels && name != "IDAT";
        if data.len() > LONGEST_CHUNK.max(if name == "IDAT" { self.longest_pixels } else { 0 }) {
            return Err(refused(name, "too long"));
        }
        match name {
            "IHDR" => return Err(refused(name, "there are two")),
            "PLTE" => {
                let bad_size = data.is_empty() || data.len() > 768 || !data.len().is_multiple_of(3);
                if self.palette || self.pixels || bad_size {
                    return Err(refused(name, "out of place, or of a wrong size"));
                }
                self.palette = true;
            }
            "IDAT" => {
                if self.after_pixels {
                    return Err(refused(name, "the pixels are interrupted by another chunk"));
                }
                if colour == ColourType::Palette && !self.palette {
                    return Err(refused(name, "comes before the palette"));
                }
                self.pixels = true;
            }
            "IEND" if !self.pixels || !data.is_empty() => return Err(refused(name, "out of place")),
            "IEND" => {}
            "acTL" | "fcTL" | "fdAT" => {
                let feature = "an animation".to_owned();
                return Err(DecodeError::NotRead { format: Format::Png, feature });
            }
            _ if name.starts_with(|letter: char| letter.is_ascii_uppercase()) => {
                return Err(refused(name, "not known, and marked as necessary"));
            }
            _ => self.ancillary(name, data, colour)?,
        }
        Ok(())
    }

    fn header<'a>(&mut self, name: &str, data: &[u8]) -> Result<Chunks<'a>, DecodeError> {
        if name != "IHDR" {
            return Err(refused(name, "comes before the header"));
        }
        let &[w3, w2, w1, w0, h3, h2, h1, h0, depth, kind, compression, filter, interlace] = data else {
            return Err(refused("IHDR", "of a wrong size"));
        };
        let (width, height) = (u32::from_be_bytes([w3, w2, w1, w0]), u32::from_be_bytes([h3, h2, h1, h0]));
        let (channels, colour) = match (kind, depth) {
            (0, 1 | 2 | 4 | 8 | 16) => (1, ColourType::Grey),
            (2, 8 | 16) => (3, ColourType::Rgb),
            (3, 1 | 2 | 4 | 8) => (1, ColourType::Palette),
            (4, 8 | 16) => (2, ColourType::Grey),
            (6, 8 | 16) => (4, ColourType::Rgb),
            _ => return Err(refused("IHDR", "there is no such kind of image")),
        };
        if width == 0 || height == 0 || compression != 0 || filter != 0 || interlace > 1 {
            return Err(refused("IHDR", "there is no such kind of image"));
        }
        if width > LONGEST_SIDE || height > LONGEST_SIDE {
            return Err(DecodeError::TooLarge { width: width.into(), height: height.into() });
        }
        // `png_check_chunk_length`.
        let row = width as usize * channels * if depth > 8 { 2 } else { 1 } + 1 + 6 * usize::from(interlace);
        let row = row.min(32_566);
        let pixels = height as usize * row;
        self.longest_pixels = pixels + 6 + 5 * (pixels / row + 1);
        self.opaque = matches!(kind, 0 | 2);
        let (width, height) = (width as usize, height as usize);
        let storage = Storage { width, height, channels, depth: depth.into(), interlaced: interlace == 1 };
        Ok(Chunks { storage, colour, pixels: Vec::new(), palette: &[], exif: None })
    }

    /// What Pillow refuses of chunks that it could do without.
    fn ancillary(&mut self, name: &str, data: &[u8], colour: ColourType) -> Result<(), DecodeError> {
        /// Pillow keeps no more text than this.
        const MOST_TEXT: usize = 64 << 20;
        let length = data.len();
        let keyword_end = data.iter().position(|&byte| byte == 0);
        let short = match name {
            "tRNS" if self.opaque => length < if colour == ColourType::Grey { 2 } else { 6 },
            "gAMA" => length < 4,
            "cHRM" => !length.is_multiple_of(4),
            "sRGB" => length < 1,
            "pHYs" => length < 9,
            "iCCP" => keyword_end.is_none(),
            _ => false,
        };
        if short {
            return Err(refused(name, "PIL refuses its size"));
        }
        if matches!(name, "tEXt" | "zTXt" | "iTXt") {
            let keyword = &data[..keyword_end.unwrap_or(length)];
            // Pillow keeps texts beside what it knows of the image, under their own names.
            if matches!(keyword, b"bbox" | b"interlace" | b"transparency") {
                return Err(refused(name, "its keyword changes how PIL reads the image"));
            }
            let method = keyword_end.and_then(|end| data.get(end + 1)).copied().unwrap_or(0);
            if name == "zTXt" && method != 0 {
                return Err(refused(name, "PIL does not know its compression"));
            }
            self.text += length;
            if self.text > MOST_TEXT {
                return Err(refused(name, "PIL refuses so much text"));
            }
        }
        Ok(())
    }
}
