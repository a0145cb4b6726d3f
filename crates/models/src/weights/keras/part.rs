//! What HDF5 is read from: a file, or a part of one that is an archive.
//!
//! HDF5's structures are read a few bytes at a time, 100,000 times for a file of 300 kB, so that pages of the file are kept: a
//! page is read once, and not a system call a number.

use std::sync::{Arc, Mutex, PoisonError};

use dataset::regular::RegularFile;
use hdf5_pure::{FormatError, Source};

const PAGE_BYTES: usize = 64 << 10;

/// Pages that are kept; then the oldest makes room.
const PAGES: usize = 16;

/// A part of a file, or all of it, which HDF5 sees as all there is.
pub(super) struct Part {
    file: Arc<RegularFile>,
    start: u64,
    len: u64,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    kept: Vec<Page>,
    /// Which of them makes room next.
    next: usize,
    /// How often the file was read for one.
    reads: usize,
}

struct Page {
    offset: u64,
    bytes: Vec<u8>,
}

impl Pages {
    /// The page at `offset`, which `read` reads where it is not kept.
    fn at(
        &mut self,
        offset: u64,
        read: impl FnOnce() -> Result<Vec<u8>, FormatError>,
    ) -> Result<&[u8], FormatError> {
        let found = self.kept.iter().position(|page| page.offset == offset);
        let index = match found {
            Some(index) => index,
            None => {
                let page = Page { offset, bytes: read()? };
                self.reads += 1;
                let index = self.next;
                self.next = (index + 1) % PAGES;
                match self.kept.get_mut(index) {
                    Some(oldest) => *oldest = page,
                    None => self.kept.push(page),
                }
                index
            }
        };
        Ok(&self.kept[index].bytes)
    }
}

impl Part {
    /// `len` bytes of `file` from `start` on, which it must have.
    pub(super) fn of(file: &Arc<RegularFile>, start: u64, len: u64) -> Self {
        Self { file: Arc::clone(file), start, len, pages: Mutex::default() }
    }

    fn read_through(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
        let read = self.file.read_exact_at(buf, self.start + offset);
        read.map_err(|error| FormatError::Source(error.to_string()))
    }
}

impl Source for Part {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(FormatError::UnexpectedEof { expected: buf.len(), available: 0 });
        }
        // A tensor's values are read once.
        if buf.len() >= PAGE_BYTES {
            return self.read_through(offset, buf);
        }
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut filled = 0;
        while filled < buf.len() {
            let at = offset + filled as u64;
            let within = at % PAGE_BYTES as u64;
            let page_at = at - within;
            let page = pages.at(page_at, || {
                let mut bytes = vec![0; (self.len - page_at).min(PAGE_BYTES as u64) as usize];
                self.read_through(page_at, &mut bytes)?;
                Ok(bytes)
            })?;
            let rest = &page[within as usize..];
            let piece = &rest[..rest.len().min(buf.len() - filled)];
            buf[filled..filled + piece.len()].copy_from_slice(piece);
            filled += piece.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_those_of_the_file_and_few() {
        let content: Vec<u8> = (0..PAGE_BYTES * (PAGES + 3) + 777).map(|i| (i * 31 % 251) as u8).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, &content).expect("written");
        let file = Arc::new(RegularFile::open(&path).expect("a file"));
        let start = 5;
        let part = Part::of(&file, start as u64, (content.len() - start - 2) as u64);
        let inside = &content[start..content.len() - 2];
        let page = PAGE_BYTES;
        for (offset, len) in [
            (0, 8),
            (page - 3, 8),
            (page, 0),
            (page - 1, page - 1),
            (3, page * 2 + 1),
            (page * (PAGES + 2), page - 1),
            (inside.len() - 9, 9),
            (inside.len(), 0),
        ] {
            let mut read = vec![0; len];
            part.read_at(offset as u64, &mut read).expect("inside");
            assert_eq!(read, inside[offset..offset + len], "{len} at {offset}");
        }
        for offset in [inside.len() as u64 - 3, u64::MAX - 2] {
            assert!(part.read_at(offset, &mut [0; 4]).is_err(), "{offset}");
        }
        // Number by number, from the first to the last.
        let again = Part::of(&file, 0, content.len() as u64);
        let mut read = [0; 4];
        for offset in 0..content.len() - 4 {
            again.read_at(offset as u64, &mut read).expect("inside");
            assert_eq!(read, content[offset..offset + 4]);
        }
        let reads = again.pages.lock().expect("no thread panicked").reads;
        assert_eq!(reads, content.len().div_ceil(PAGE_BYTES));
    }
}
