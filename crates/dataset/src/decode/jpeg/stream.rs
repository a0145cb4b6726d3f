//! The bytes of a JPEG as libjpeg reads them: markers, and what it warns of. Follows `jdmarker.c` of libjpeg-turbo 2.1.

use crate::decode::{DecodeError, Format, Warnings};

/// Start of image.
pub(super) const SOI: u8 = 0xd8;
/// End of image.
pub(super) const EOI: u8 = 0xd9;
/// Start of scan.
pub(super) const SOS: u8 = 0xda;
/// The first of eight restart markers.
pub(super) const RST0: u8 = 0xd0;

/// A damaged file, in libjpeg's words.
pub(super) fn corrupt(reason: impl Into<String>) -> DecodeError {
    DecodeError::Corrupt { format: Format::Jpeg, reason: reason.into() }
}

pub(super) const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::Jpeg };

/// A file on its way, and a marker that was found and not yet acted on.
pub(super) struct Stream<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// The marker before `at` that waits to be processed; 0 where there is none.
    pub(super) marker: u8,
    /// Bytes that were passed over since the last marker.
    pub(super) discarded: usize,
    /// The bits of a scan were asked for beyond the end of the file.
    pub(super) ran_out: bool,
    /// Bytes before `at` whose bits the last scan left unused.
    pub(super) ahead: usize,
    pub(super) warnings: Warnings,
}

impl<'a> Stream<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            marker: 0,
            discarded: 0,
            ran_out: false,
            ahead: 0,
            warnings: Warnings::default(),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = *self.bytes.get(self.at).ok_or(TRUNCATED)?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn word(&mut self) -> Result<usize, DecodeError> {
        Ok(usize::from(self.byte()?) << 8 | usize::from(self.byte()?))
    }

    /// The content of a marker's segment. One that goes beyond the end of the file is an error.
    pub(super) fn segment(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.word()?.checked_sub(2).ok_or_else(|| corrupt("Bogus marker length"))?;
        let segment = self.bytes.get(self.at..self.at + length).ok_or(TRUNCATED)?;
        self.at += length;
        Ok(segment)
    }

    /// The content of an application's segment or a comment: none where its length is impossible, and what is there of one
    /// that goes beyond the end of the file.
    pub(super) fn optional_segment(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        let Some(length) = self.word()?.checked_sub(2) else { return Ok(None) };
        let end = (self.at + length).min(self.bytes.len());
        let segment = &self.bytes[self.at..end];
        self.at = end;
        Ok(Some(segment))
    }

    /// `next_marker`: goes on to the next marker and leaves it unread.
    pub(super) fn next_marker(&mut self) -> Result<(), DecodeError> {
        let marker = loop {
            while self.byte()? != 0xff {
                self.discarded += 1;
            }
            let code = loop {
                match self.byte()? {
                    0xff => {}
                    code => break code,
                }
            };
            if code != 0 {
                break code;
            }
            self.discarded += 2;
        };
        if self.discarded != 0 {
            let discarded = self.discarded;
            self.warnings.add(|| {
                format!("Corrupt JPEG data: {discarded} extraneous bytes before marker 0x{marker:02x}")
            });
            self.discarded = 0;
        }
        self.marker = marker;
        Ok(())
    }

    /// `read_restart_marker`: passes the restart marker `number`, or finds a way around its absence.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), DecodeError> {
        if self.marker == 0 {
            self.next_marker()?;
        }
        if self.marker == RST0 + number {
            self.marker = 0;
            return Ok(());
        }
        self.resync(number)
    }

    /// `jpeg_resync_to_restart`.
    fn resync(&mut self, desired: u8) -> Result<(), DecodeError> {
        let found = self.marker;
        self.warnings
            .add(|| format!("Corrupt JPEG data: found marker 0x{found:02x} instead of RST{desired}"));
        loop {
            // How far the found restart marker is ahead of the desired one, from 0 to 7.
            let ahead = self.marker.wrapping_sub(RST0).wrapping_sub(desired) & 7;
            match self.marker {
                // Not a marker at all: look for the next one.
                0..0xc0 => self.next_marker()?,
                // The next segment was lost: this one is taken for empty, and the marker is read again.
                RST0..SOI if matches!(ahead, 1 | 2) => return Ok(()),
                RST0..SOI if matches!(ahead, 6 | 7) => self.next_marker()?,
                RST0..SOI => {
                    self.marker = 0;
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }
}
