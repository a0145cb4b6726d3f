//! The wire format of Protocol Buffers (<https://protobuf.dev/programming-guides/encoding>), read in place: a message is a range
//! of a file, and whatever is long stays there until it is asked for. No length is believed beyond the message that it is in,
//! so that nothing is allocated that the file does not hold.

use std::cell::{Cell, RefCell};

use dataset::regular::RegularFile;

/// A file of messages, and the part of it that was looked at last.
#[derive(Debug)]
pub(super) struct Source<'a> {
    file: &'a RegularFile,
    window: RefCell<Window>,
    /// Parts that were kept in memory.
    parts: Cell<usize>,
}

#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

/// Bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) len: u64,
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: u64,
    pub(super) what: &'static str,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Varint(u64),
    /// Four bytes, which are in the file at this span.
    Fixed32(Span),
    /// Eight bytes.
    Fixed64(Span),
    /// A message, a text, or many numbers.
    Bytes(Span),
}

impl<'a> Source<'a> {
    /// Bytes read at once.
    const WINDOW_BYTES: u64 = 1 << 16;

    pub(super) fn new(file: &'a RegularFile) -> Self {
        Self { file, window: RefCell::default(), parts: Cell::new(0) }
    }

    /// More parts than any classifier has: in memory each takes many times what it does in the file.
    const MOST_PARTS: usize = 1 << 20;

    /// Counts a part that is kept: a node, a name, an attribute.
    pub(super) fn count(&self, at: &Fields<'_>) -> Result<(), Fault> {
        self.parts.set(self.parts.get() + 1);
        if self.parts.get() > Self::MOST_PARTS {
            return Err(at.fault("it has more parts than any classifier"));
        }
        Ok(())
    }

    /// The whole file as a message.
    pub(super) fn fields(&self) -> Fields<'_> {
        self.message(Span { start: 0, len: self.file.size_bytes() })
    }

    /// The message at `span`.
    pub(super) fn message(&self, span: Span) -> Fields<'_> {
        Fields { source: self, at: span.start, end: span.start + span.len }
    }

    /// The bytes at `span`, which is within the file.
    pub(super) fn bytes(&self, span: Span) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; span.len as usize];
        self.file
            .read_exact_at(&mut bytes, span.start)
            .map_err(|_| Fault { at: span.start, what: "it ends early" })?;
        Ok(bytes)
    }

    /// The text at `span`.
    pub(super) fn text(&self, span: Span) -> Result<String, Fault> {
        String::from_utf8(self.bytes(span)?)
            .map_err(|_| Fault { at: span.start, what: "a text is not UTF-8" })
    }

    fn byte(&self, at: u64) -> Result<u8, Fault> {
        let mut window = self.window.borrow_mut();
        if at < window.start || at >= window.start + window.bytes.len() as u64 {
            let there = self.file.size_bytes().saturating_sub(at).min(Self::WINDOW_BYTES);
            window.start = at;
            window.bytes.resize(there as usize, 0);
            self.file
                .read_exact_at(&mut window.bytes, at)
                .map_err(|_| Fault { at, what: "it ends early" })?;
        }
        window.bytes.get((at - window.start) as usize).copied().ok_or(Fault { at, what: "it ends early" })
    }
}

/// The fields of a message, one after the other.
pub(super) struct Fields<'a> {
    source: &'a Source<'a>,
    at: u64,
    end: u64,
}

impl<'a> Fields<'a> {
    /// The next field's number and what it holds.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Held)>, Fault> {
        if self.at >= self.end {
            return Ok(None);
        }
        let tag = self.varint()?;
        let held = match tag & 7 {
            0 => Held::Varint(self.varint()?),
            1 => Held::Fixed64(self.span(8)?),
            2 => {
                let len = self.varint()?;
                Held::Bytes(self.span(len)?)
            }
            5 => Held::Fixed32(self.span(4)?),
            _ => return Err(Fault { at: self.at, what: "a field is of no known kind" }),
        };
        Ok(Some((tag >> 3, held)))
    }

    /// Where in the file the next field begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }

    /// Whether all was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            if self.at >= self.end {
                return Err(Fault { at: self.at, what: "a number ends early" });
            }
            let byte = self.source.byte(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault { at: self.at, what: "a number is longer than any" })
    }

    fn span(&mut self, len: u64) -> Result<Span, Fault> {
        let start = self.at;
        if len > self.end - start {
            return Err(Fault { at: start, what: "a field is longer than what holds it" });
        }
        self.at = start + len;
        Ok(Span { start, len })
    }
}
