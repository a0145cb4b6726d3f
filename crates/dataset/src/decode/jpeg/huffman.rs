//! Huffman codes and the bits of a scan. Follows `jdhuff.c` and `jdhuff.h` of libjpeg-turbo 2.1, how far it reads ahead
//! included, because the end of a file and a marker in the data are noticed by that.

use super::stream::{EOI, Stream, corrupt};
use crate::decode::DecodeError;

/// Bits that are looked up at once.
const LOOKAHEAD: u32 = 8;

/// A code as a file defines it.
#[derive(Clone)]
pub(super) struct Code {
    /// How many codes of 1 to 16 bits there are.
    lengths: [u8; 16],
    values: [u8; 256],
}

impl Code {
    /// `lengths` has 16 numbers, `values` as many as their sum, at most 256.
    pub(super) fn new(lengths: &[u8], values: &[u8]) -> Self {
        let mut code = Self { lengths: [0; 16], values: [0; 256] };
        code.lengths.copy_from_slice(lengths);
        code.values[..values.len()].copy_from_slice(values);
        code
    }
}

/// A code ready for decoding.
pub(super) struct Table {
    /// For the next eight bits, the length of the code times 256 and its value; the length is 9 for longer codes.
    lookup: [u16; 256],
    /// The largest code of a length, -1 where there is none; of 17 bits one that ends every search.
    largest: [i32; 18],
    /// What to add to a code of a length to get its place among the values.
    offset: [i32; 18],
    values: [u8; 256],
}

impl Table {
    /// `jpeg_make_d_derived_tbl`.
    pub(super) fn new(code: Option<&Code>, index: u8, is_dc: bool) -> Result<Self, DecodeError> {
        let missing = || corrupt(format!("Huffman table 0x{index:02x} was not defined"));
        let Code { lengths, values } = code.ok_or_else(missing)?;
        let bogus = || corrupt("Bogus Huffman table definition");
        let mut table = Self {
            lookup: [(LOOKAHEAD as u16 + 1) << 8; 256],
            largest: [-1; 18],
            offset: [0; 18],
            values: *values,
        };
        let (mut next, mut place) = (0_i32, 0_usize);
        for (length, &count) in (1_u32..).zip(lengths) {
            let first = next;
            for _ in 0..count {
                if length <= LOOKAHEAD {
                    let free = LOOKAHEAD - length;
                    let from = (next as usize) << free;
                    let entry = (length as u16) << 8 | u16::from(values[place]);
                    table.lookup.get_mut(from..from + (1 << free)).ok_or_else(bogus)?.fill(entry);
                }
                next += 1;
                place += 1;
            }
            // No code is all ones.
            if count > 0 && next >= 1 << length {
                return Err(bogus());
            }
            if count > 0 {
                table.offset[length as usize] = (place - usize::from(count)) as i32 - first;
                table.largest[length as usize] = next - 1;
            }
            next <<= 1;
        }
        table.largest[17] = 0xf_ffff;
        if is_dc && values[..place].iter().any(|&value| value > 15) {
            return Err(bogus());
        }
        Ok(table)
    }
}

/// A number of `size` bits in which small values stand for negative numbers.
#[inline(always)]
pub(super) fn extend(value: i32, size: u32) -> i32 {
    let negative = (value - (1 << (size - 1))) >> 31;
    value + (negative & ((-1 << size) + 1))
}

/// Bits read and not yet used.
#[derive(Default)]
pub(super) struct Bits {
    /// The lowest `left` bits are the next ones.
    buffer: u64,
    pub(super) left: u32,
    /// A marker came where data were needed: what follows is zeros.
    pub(super) insufficient: bool,
    /// There was a byte of data in front of which another 0xff stood.
    pub(super) padded: bool,
    /// libjpeg does not warn of bad codes here.
    pub(super) quiet: bool,
    /// Bad codes that were not warned of.
    pub(super) unreported: usize,
}

/// libjpeg fills its buffer of 64 bits while it has fewer than this.
const ENOUGH: u32 = 57;

impl Bits {
    /// `jpeg_fill_bit_buffer`.
    fn fill(&mut self, stream: &mut Stream, wanted: u32) {
        if stream.marker == 0 {
            if let Some(next) = stream.bytes.get(stream.at..).and_then(<[u8]>::first_chunk::<8>) {
                let next = u64::from_be_bytes(*next);
                // No byte is 0xff.
                if (!next).wrapping_sub(0x0101_0101_0101_0101) & next & 0x8080_8080_8080_8080 == 0 {
                    let count = (64 - self.left) / 8;
                    self.buffer = self.buffer.checked_shl(8 * count).unwrap_or(0) | next >> (64 - 8 * count);
                    self.left += 8 * count;
                    stream.at += count as usize;
                    return;
                }
            }
            self.fill_by_bytes(stream);
        }
        if wanted > self.left {
            if !self.insufficient {
                stream.warnings.add(|| "Corrupt JPEG data: premature end of data segment".to_owned());
                self.insufficient = true;
            }
            self.buffer <<= ENOUGH - self.left;
            self.left = ENOUGH;
        }
    }

    /// Up to a marker, or the end of the file, which is taken for the marker that ends the image.
    fn fill_by_bytes(&mut self, stream: &mut Stream) {
        let mut next = || {
            let byte = stream.bytes.get(stream.at).copied();
            stream.at += usize::from(byte.is_some());
            byte
        };
        while self.left < ENOUGH {
            let mut padded = false;
            let byte = match next() {
                // Any number of these in front of a zero is one byte of data.
                Some(0xff) => loop {
                    match next() {
                        Some(0xff) => padded = true,
                        Some(0) => {
                            self.padded |= padded;
                            break Some(0xff);
                        }
                        Some(marker) => {
                            stream.marker = marker;
                            return;
                        }
                        None => break None,
                    }
                },
                byte => byte,
            };
            let Some(byte) = byte else {
                stream.ran_out = true;
                stream.marker = EOI;
                return;
            };
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.left += 8;
        }
    }

    /// The next `count` bits, at most 16.
    #[inline(always)]
    pub(super) fn take(&mut self, stream: &mut Stream, count: u32) -> i32 {
        if self.left < count {
            self.fill(stream, count);
        }
        self.left -= count;
        (self.buffer >> self.left) as i32 & ((1 << count) - 1)
    }

    /// The value of the next code.
    #[inline(always)]
    pub(super) fn symbol(&mut self, stream: &mut Stream, table: &Table) -> u8 {
        if self.left < LOOKAHEAD {
            self.fill(stream, 0);
            if self.left < LOOKAHEAD {
                return self.long_symbol(stream, table, 1);
            }
        }
        let entry = table.lookup[usize::from((self.buffer >> (self.left - LOOKAHEAD)) as u8)];
        let length = u32::from(entry >> 8);
        if length <= LOOKAHEAD {
            self.left -= length;
            return entry as u8;
        }
        self.long_symbol(stream, table, length)
    }

    /// `jpeg_huff_decode`: a code of at least `length` bits, a bit at a time.
    #[inline(never)]
    fn long_symbol(&mut self, stream: &mut Stream, table: &Table, mut length: u32) -> u8 {
        let mut code = self.take(stream, length);
        while code > table.largest[length as usize] {
            code = code << 1 | self.take(stream, 1);
            length += 1;
        }
        if length > 16 {
            if self.quiet {
                self.unreported += 1;
            } else {
                self.warn_of_bad_code(stream);
            }
            return 0;
        }
        table.values[(code + table.offset[length as usize]) as usize & 0xff]
    }

    pub(super) fn warn_of_bad_code(&self, stream: &mut Stream) {
        stream.warnings.add(|| "Corrupt JPEG data: bad Huffman code".to_owned());
    }
}
