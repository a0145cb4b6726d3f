//! Reads the pickles that Paddle writes without executing them.
//!
//! A pickle is a program: it may name any Python function and call it. Here it runs on a machine that
//! knows dictionaries, tuples, numbers, text, and how numpy takes an array apart; whatever else a file
//! names is an error. Arrays are not copied: their place in the file is noted, and read when the tensor
//! is wanted. Whatever the bytes say, memory stays within a small multiple of the file's size: declared
//! lengths are checked against the bytes left, and the number of objects is bounded.

mod numpy;
mod object;

use std::collections::HashMap;
use std::io::{self, BufRead, Read, Seek};

pub(super) use object::{Array, Id, Object, PickleError, Span};
use object::{Result, malformed, refused};

/// Objects that a file of weights may hold. A network of a thousand tensors has some 20,000.
const MAX_OBJECTS: usize = 1 << 18;

/// Longest text that is taken for a name.
const MAX_NAME: u64 = 1024;

/// A parsed pickle.
#[derive(Debug)]
pub(super) struct Pickle<R> {
    input: R,
    position: u64,
    size: u64,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack at each open mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<R: BufRead + Seek> Pickle<R> {
    /// Runs the pickle at the start of `input`, of `size` bytes, and gives its outermost object.
    pub(super) fn parse(input: R, size: u64) -> Result<(Self, Id)> {
        let mut pickle = Self {
            input,
            position: 0,
            size,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        // Each step reads a byte at least, so the loop ends with the file; the number of steps is
        // bounded as well, since a step may grow the stack without making an object.
        for _ in 0..4 * MAX_OBJECTS {
            let op = pickle.byte()?;
            if op == b'.' {
                let root = pickle.pop()?;
                return Ok((pickle, root));
            }
            pickle.step(op)?;
        }
        refused("it holds more objects than any file of weights".to_owned())
    }

    pub(super) fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    /// The text of a name, `None` if the object is no text or longer than a name.
    pub(super) fn name(&mut self, id: Id) -> Result<Option<String>> {
        let (Object::Text(span) | Object::String(span)) = *self.object(id) else { return Ok(None) };
        if span.len > MAX_NAME {
            return Ok(None);
        }
        self.input.seek(io::SeekFrom::Start(span.offset))?;
        let mut bytes = vec![0; span.len as usize];
        self.input.read_exact(&mut bytes)?;
        self.input.seek(io::SeekFrom::Start(self.position))?;
        String::from_utf8(bytes).map(Some).or_else(|_| malformed("a name is not UTF-8"))
    }

    fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.position += N as u64;
        Ok(bytes)
    }

    /// Notes `len` bytes and goes on after them.
    fn span(&mut self, len: u64) -> Result<Span> {
        let span = Span { offset: self.position, len, latin1: false };
        if len > self.size.saturating_sub(self.position) {
            return malformed("it declares more bytes than it has, so it is cut off");
        }
        self.position += len;
        // What the size allows fits i64. Within the buffer this costs nothing.
        self.input.seek_relative(len as i64)?;
        Ok(span)
    }

    fn line(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(MAX_NAME).read_until(b'\n', &mut bytes)?;
        self.position += read as u64;
        if bytes.pop() != Some(b'\n') {
            return malformed("a name does not end");
        }
        String::from_utf8(bytes).or_else(|_| malformed("a name is not UTF-8"))
    }

    fn push(&mut self, object: Object) -> Result<()> {
        if self.objects.len() >= MAX_OBJECTS {
            return refused("it holds more objects than any file of weights".to_owned());
        }
        self.stack.push(self.objects.len() as Id);
        self.objects.push(object);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        // What lies below an open mark belongs to whoever set it.
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.pop() {
            Some(id) if self.stack.len() >= floor => Ok(id),
            _ => malformed("it takes more from the stack than is there"),
        }
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().map_or_else(|| malformed("its stack is empty"), Ok)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => malformed("it closes what it has not opened"),
        }
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<Id>>>()?;
        items.reverse();
        Ok(items)
    }

    fn step(&mut self, op: u8) -> Result<()> {
        match op {
            // PROTO, FRAME
            0x80 => self.array::<1>().map(|_| ()),
            0x95 => self.array::<8>().map(|_| ()),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(|_| ()),
            b'N' => self.push(Object::None),
            0x88 => self.push(Object::Bool(true)),
            0x89 => self.push(Object::Bool(false)),
            b'J' => {
                let int = i32::from_le_bytes(self.array()?);
                self.push(Object::Int(int.into()))
            }
            b'K' => {
                let int = self.byte()?;
                self.push(Object::Int(int.into()))
            }
            b'M' => {
                let int = u16::from_le_bytes(self.array()?);
                self.push(Object::Int(int.into()))
            }
            0x8a => self.long(),
            b'G' => {
                self.array::<8>()?;
                self.push(Object::Float)
            }
            // Text: BINUNICODE, SHORT_, 8. Bytes: BINBYTES, SHORT_, 8, BYTEARRAY8. Either: Python 2's
            // BINSTRING and SHORT_.
            b'X' | 0x8c | 0x8d => {
                let span = self.counted(op)?;
                self.push(Object::Text(span))
            }
            b'B' | b'C' | 0x8e | 0x96 => {
                let span = self.counted(op)?;
                self.push(Object::Bytes(span))
            }
            b'T' | b'U' => {
                let span = self.counted(op)?;
                self.push(Object::String(span))
            }
            b'}' => self.push(Object::Dict(Vec::new())),
            b']' => self.push(Object::List(Vec::new())),
            b')' => self.push(Object::Tuple(Vec::new())),
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(op - 0x84))?;
                self.push(Object::Tuple(items))
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Object::Tuple(items))
            }
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Object::List(items))
            }
            b'd' => {
                self.push_below_mark(Object::Dict(Vec::new()))?;
                self.set_items()
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.insert(&items)
            }
            b'u' => self.set_items(),
            b'a' => {
                let items = self.pop_many(1)?;
                self.extend(items)
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.extend(items)
            }
            b'q' => {
                let slot = self.byte()?;
                self.memoize(slot.into())
            }
            b'r' => {
                let slot = u32::from_le_bytes(self.array()?);
                self.memoize(slot)
            }
            0x94 => self.memoize(self.memo.len() as u32),
            b'h' => {
                let slot = self.byte()?;
                self.recall(slot.into())
            }
            b'j' => {
                let slot = u32::from_le_bytes(self.array()?);
                self.recall(slot)
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(&module, &name)
            }
            0x93 => {
                let parts = self.pop_many(2)?;
                match (self.name(parts[0])?, self.name(parts[1])?) {
                    (Some(module), Some(name)) => self.global(&module, &name),
                    _ => malformed("it names a global by something that is no text"),
                }
            }
            b'R' => self.reduce(),
            b'b' => self.build(),
            op => refused(format!("it uses the pickle instruction {op:#04x}, which no array needs")),
        }
    }

    /// A span whose length stands before it, in the width that the instruction implies.
    fn counted(&mut self, op: u8) -> Result<Span> {
        let len = match op {
            0x8c | b'C' | b'U' => self.byte()?.into(),
            // BINSTRING's is signed; a negative one is longer than any file here.
            b'X' | b'B' | b'T' => u32::from_le_bytes(self.array()?).into(),
            _ => u64::from_le_bytes(self.array()?),
        };
        self.span(len)
    }

    /// LONG1: an integer of up to 255 bytes, of which eight are enough for any size.
    fn long(&mut self) -> Result<()> {
        let len = usize::from(self.byte()?);
        if len > 8 {
            return refused("it holds an integer of more than 64 bits".to_owned());
        }
        let mut bytes = [0; 8];
        for byte in &mut bytes[..len] {
            *byte = self.byte()?;
        }
        let negative = len > 0 && bytes[len - 1] & 0x80 != 0;
        if negative {
            bytes[len..].fill(0xff);
        }
        self.push(Object::Int(i64::from_le_bytes(bytes)))
    }

    fn push_below_mark(&mut self, object: Object) -> Result<()> {
        self.push(object)?;
        let id = self.stack.pop().unwrap_or_default();
        match self.marks.last_mut() {
            Some(mark) if *mark <= self.stack.len() => {
                self.stack.insert(*mark, id);
                *mark += 1;
                Ok(())
            }
            _ => malformed("it closes what it has not opened"),
        }
    }

    fn set_items(&mut self) -> Result<()> {
        let items = self.pop_to_mark()?;
        self.insert(&items)
    }

    fn insert(&mut self, items: &[Id]) -> Result<()> {
        let (pairs, rest) = items.as_chunks::<2>();
        let id = self.top()?;
        match &mut self.objects[id as usize] {
            Object::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            _ => malformed("it sets items of what is no dictionary"),
        }
    }

    fn extend(&mut self, items: Vec<Id>) -> Result<()> {
        let id = self.top()?;
        match &mut self.objects[id as usize] {
            Object::List(list) => {
                list.extend(items);
                Ok(())
            }
            _ => malformed("it appends to what is no list"),
        }
    }

    fn memoize(&mut self, slot: u32) -> Result<()> {
        let id = self.top()?;
        self.memo.insert(slot, id);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<()> {
        match self.memo.get(&slot) {
            Some(&id) => {
                self.stack.push(id);
                Ok(())
            }
            None => malformed("it recalls what it has not stored"),
        }
    }
}
