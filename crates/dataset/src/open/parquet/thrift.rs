//! Thrift's compact protocol, as far as it takes to see what a parquet file declares before the library believes it.
//!
//! After <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use std::io::Read;

/// What is wrong with the bytes.
pub(super) type Damage = String;

/// Types of fields.
pub(super) const I32: u8 = 5;
pub(super) const I64: u8 = 6;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// Structs in structs; parquet's go eight deep.
const MAX_DEPTH: usize = 32;

/// Reads structs from `from`, of which it takes no more than `left` bytes.
pub(super) struct Thrift<R> {
    from: R,
    left: u64,
    depth: usize,
}

impl<R: Read> Thrift<R> {
    pub(super) fn new(from: R, left: u64) -> Self {
        Self { from, left, depth: 0 }
    }

    /// How many bytes there are yet.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Reads a struct. `field` is called for each of its fields with the number and the type, and says whether it has
    /// read the value; what it leaves is passed over.
    pub(super) fn fields(
        &mut self,
        mut field: impl FnMut(&mut Self, i16, u8) -> Result<bool, Damage>,
    ) -> Result<(), Damage> {
        self.deeper()?;
        let mut last = 0_i16;
        loop {
            let byte = self.byte()?;
            let kind = byte & 0xf;
            if kind == 0 {
                self.depth -= 1;
                return Ok(());
            }
            last = match byte >> 4 {
                0 => i16::try_from(self.zigzag()?).map_err(|_| "a field number is too large")?,
                more => last.checked_add(i16::from(more)).ok_or("a field number is too large")?,
            };
            if !field(self, last, kind)? {
                self.pass_over(kind)?;
            }
        }
    }

    /// The type and length of a list; its elements follow.
    pub(super) fn list(&mut self) -> Result<(u8, u64), Damage> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.varint()?,
            few => u64::from(few),
        };
        // An element takes a byte at least.
        if count > self.left {
            return Err(format!("it declares a list of {count} elements in {} bytes", self.left));
        }
        Ok((byte & 0xf, count))
    }

    pub(super) fn i32(&mut self) -> Result<i32, Damage> {
        i32::try_from(self.zigzag()?).map_err(|_| "a number in it is too large".to_owned())
    }

    fn pass_over(&mut self, kind: u8) -> Result<(), Damage> {
        match kind {
            // As a field, a boolean is its type alone.
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=I64 => self.varint().map(drop),
            7 => self.bytes(8),
            BINARY => {
                let length = self.varint()?;
                self.bytes(length)
            }
            LIST | 10 => {
                let (kind, count) = self.list()?;
                // Parquet has no lists of booleans here; their elements, without bytes of their own, would be work
                // without end.
                if matches!(kind, 1 | 2) && count > 0 {
                    return Err("it has a list that parquet files do not have".to_owned());
                }
                self.deeper()?;
                (0..count).try_for_each(|_| self.pass_over(kind))?;
                self.depth -= 1;
                Ok(())
            }
            STRUCT => self.fields(|_, _, _| Ok(false)),
            _ => Err(format!("it has a value of type {kind}, which parquet files do not have")),
        }
    }

    fn deeper(&mut self) -> Result<(), Damage> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err("its structures are nested too deep".to_owned()) } else { Ok(()) }
    }

    fn byte(&mut self) -> Result<u8, Damage> {
        let mut byte = [0];
        self.take(1)?;
        self.from.read_exact(&mut byte).map_err(|error| error.to_string())?;
        Ok(byte[0])
    }

    fn bytes(&mut self, count: u64) -> Result<(), Damage> {
        self.take(count)?;
        let passed = std::io::copy(&mut self.from.by_ref().take(count), &mut std::io::sink());
        match passed {
            Ok(passed) if passed == count => Ok(()),
            Ok(_) => Err("it ends too early".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn take(&mut self, count: u64) -> Result<(), Damage> {
        self.left = self.left.checked_sub(count).ok_or("it ends too early")?;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number in it is too long".to_owned())
    }

    fn zigzag(&mut self) -> Result<i64, Damage> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(bytes: &[u8]) -> Result<Vec<(i16, u8)>, Damage> {
        let mut seen = Vec::new();
        let mut thrift = Thrift::new(bytes, bytes.len() as u64);
        thrift.fields(|_, number, kind| {
            seen.push((number, kind));
            Ok(false)
        })?;
        Ok(seen)
    }

    #[test]
    fn structs_are_walked() {
        // i32 -1; binary "ab"; list of two structs, empty and {1: true}; field number 300 in full.
        let bytes =
            [0x15, 0x01, 0x18, 2, b'a', b'b', 0x19, 0x2c, 0x00, 0x11, 0x00, 0x05, 0xd8, 0x04, 0x02, 0];
        assert_eq!(walked(&bytes).expect("whole"), [(1, I32), (2, BINARY), (3, LIST), (300, I32)]);
        for length in 0..bytes.len() {
            assert!(walked(&bytes[..length]).is_err(), "{length}");
        }
        let mut thrift = Thrift::new(&[0x01_u8][..], 1);
        assert_eq!(thrift.i32(), Ok(-1));
    }

    #[test]
    fn what_declares_more_than_there_is_ends_at_once() {
        // A list of 2^31 - 1 structs, one of booleans, a text of 2^40 bytes, a number without end.
        for bytes in [
            &[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0][..],
            &[0x19, 0x21, 0, 0, 0],
            &[0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0],
            &[0x15, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
            &[0x1c; 10_000],
            &[0x19; 10_000],
        ] {
            assert!(walked(bytes).is_err(), "{bytes:?}");
        }
    }
}
