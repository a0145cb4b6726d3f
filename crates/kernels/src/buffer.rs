//! Memory aligned to cache lines, which is all that the kernels compute in.

use std::alloc;
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use memory::NoMemory;

use crate::simd::BLOCK;

/// A cache line of `f32`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; BLOCK]);

/// A buffer of `f32`, zero at first, that begins at a cache line.
///
/// A large one asks for large pages. Feature maps are read with strides of a few kilobytes, so that with pages of
/// four kilobytes nearly every access would need another translation, and no prefetcher crosses a page. Those that are kept,
/// a network's weights, lie together in large pages ([`Buffer::kept`]).
///
/// `data` is valid for reads and writes of `lines` lines, all of them initialised, and nobody else has it.
#[derive(Debug)]
pub(crate) struct Buffer {
    data: NonNull<Line>,
    lines: usize,
    memory: Memory,
}

/// Whose memory a buffer is.
#[derive(Debug)]
enum Memory {
    /// Its own, with this alignment; nobody's where there are no lines.
    Own { align: usize },
    /// That of a chunk, which is kept as long as any of its buffers.
    Chunk { _chunk: Arc<Buffer> },
}

/// Lines of the smallest chunk, a large page, and of the largest. Each is twice as large as the one before, so that a small network takes
/// little.
const CHUNK_LINES: [usize; 2] = [LARGE_PAGE / size_of::<Line>(), 16 * LARGE_PAGE / size_of::<Line>()];

/// The chunk that kept buffers come from, while any of its buffers is there, and how many of its lines are taken.
static CHUNK: Mutex<(Weak<Buffer>, usize)> = Mutex::new((Weak::new(), 0));

// SAFETY: a `Buffer` owns its memory as a `Vec<f32>` does, and nothing in it belongs to a thread.
unsafe impl Send for Buffer {}
// SAFETY: through a shared reference, elements can only be read.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// At least `len` elements.
    ///
    /// # Errors
    /// [`NoMemory`] where the system gives none, or no address space could hold them.
    pub(crate) fn zeroed(len: usize) -> Result<Self, NoMemory> {
        let mut buffer = Self::untouched(len.div_ceil(BLOCK))?;
        // So that the system clears its pages now, and not while a network's time is counted.
        buffer.as_mut_slice().fill(0.0);
        Ok(buffer)
    }

    /// So many lines of zeros, which take memory only where they are written.
    fn untouched(lines: usize) -> Result<Self, NoMemory> {
        if lines == 0 {
            return Ok(Self::default());
        }
        let size = lines.checked_mul(size_of::<Line>()).ok_or(NoMemory { bytes: usize::MAX })?;
        // Where memory is scarce, an allocator may have room but none at a large page.
        let aligns = [LARGE_PAGE, align_of::<Line>()];
        let aligns = if size >= LARGE_PAGE { &aligns[..] } else { &aligns[1..] };
        for layout in aligns.iter().filter_map(|&align| alloc::Layout::from_size_align(size, align).ok()) {
            // SAFETY: the layout's size is above zero, because there is a line at least. Bytes of zero are `f32`.
            let data = memory::asking(|| unsafe { alloc::alloc_zeroed(layout) });
            let Some(data) = NonNull::new(data.cast::<Line>()) else { continue };
            if layout.align() == LARGE_PAGE {
                ask_for_large_pages(data, lines);
            }
            return Ok(Self { data, lines, memory: Memory::Own { align: layout.align() } });
        }
        Err(NoMemory { bytes: size })
    }

    /// [`Buffer::zeroed`], of what is kept while many others like it are: it shares large pages with them, so that none of it lies in small
    /// ones.
    pub(crate) fn kept(len: usize) -> Result<Self, NoMemory> {
        let lines = len.div_ceil(BLOCK);
        let [smallest, largest] = CHUNK_LINES;
        if lines == 0 || lines > largest / 2 {
            return Self::zeroed(len);
        }
        let mut chunk = CHUNK.lock().unwrap_or_else(PoisonError::into_inner);
        let (shared, taken) = &mut *chunk;
        let before = shared.upgrade();
        let larger = 2 * before.as_ref().map_or(0, |before| before.lines);
        let chunk_lines = larger.max(4 * lines).next_multiple_of(smallest).min(largest);
        let owner = match before {
            Some(there) if there.lines - *taken >= lines => there,
            // Where memory is scarce, there may be enough for the buffer alone.
            _ => match Self::untouched(chunk_lines) {
                Ok(new) => {
                    let new = Arc::new(new);
                    (*shared, *taken) = (Arc::downgrade(&new), 0);
                    new
                }
                Err(NoMemory { .. }) => return Self::zeroed(len),
            },
        };
        // SAFETY: the chunk has as many lines behind those that are taken, which nobody else has or had: they are given once, under the lock.
        let data = unsafe { owner.data.add(*taken) };
        *taken += lines;
        Ok(Self { data, lines, memory: Memory::Chunk { _chunk: owner } })
    }

    /// Values of `count` channels, padded as they are in memory; zeros where there are fewer `values`. They are [kept](Buffer::kept).
    pub(crate) fn of_channels(values: &[f32], count: usize) -> Result<Self, NoMemory> {
        let mut buffer = Self::kept(padded(count))?;
        buffer.as_mut_slice()[..values.len()].copy_from_slice(values);
        Ok(buffer)
    }

    pub(crate) fn len(&self) -> usize {
        self.lines * BLOCK
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        // SAFETY: a `Line` is `BLOCK` `f32` without padding. `lines` of them are owned and initialised (none at a dangling but
        // aligned pointer), and while `self` is borrowed nobody writes them.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr().cast(), self.len()) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as in `as_slice`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr().cast(), self.len()) }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self { data: NonNull::dangling(), lines: 0, memory: Memory::Own { align: align_of::<Line>() } }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Memory::Own { align } = self.memory else { return };
        let layout = alloc::Layout::from_size_align(self.lines * size_of::<Line>(), align);
        if let (true, Ok(layout)) = (self.lines > 0, layout) {
            // SAFETY: a buffer with lines of its own got them in `untouched` from the same allocator, by this size and this alignment.
            unsafe { alloc::dealloc(self.data.as_ptr().cast(), layout) };
        }
    }
}

/// The size of a large page of x86-64, and the usual one of 64-bit ARM.
const LARGE_PAGE: usize = 2 << 20;

/// Elements of a large page.
pub(crate) const LARGE_PAGE_ELEMENTS: usize = LARGE_PAGE / size_of::<f32>();

/// A wish; where the system has no large pages, nothing changes but the time.
#[cfg(target_os = "linux")]
fn ask_for_large_pages(data: NonNull<Line>, lines: usize) {
    // SAFETY: `madvise` reads and writes no memory of ours, and this advice changes no content, whatever the range. An error
    // is as good as an advice that is not followed.
    unsafe { libc::madvise(data.as_ptr().cast(), lines * size_of::<Line>(), libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages(_data: NonNull<Line>, _lines: usize) {}

/// Elements that threads share: some of them read what others write, in turn, or each writes elements of its own. Who turns
/// it into a slice or writes through its pointer says why no other thread is in the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared<'a> {
    /// Valid for reads and writes of `len` initialised elements as long as `'a` lasts.
    data: *mut f32,
    len: usize,
    buffer: PhantomData<&'a mut [f32]>,
}

// SAFETY: what is behind the pointer is borrowed for `'a`, and safe code cannot access it through this type.
unsafe impl Send for Shared<'_> {}
// SAFETY: as for `Send`: a shared reference gives a pointer and a length, no more.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(elements: &'a mut [f32]) -> Self {
        Self { data: elements.as_mut_ptr(), len: elements.len(), buffer: PhantomData }
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }

    pub(crate) fn as_mut_ptr(self) -> *mut f32 {
        self.data
    }

    /// Some of the elements.
    ///
    /// # Panics
    /// Where they are not all there.
    pub(crate) fn part(self, range: Range<usize>) -> Self {
        let Range { start, end } = range;
        assert!(start <= end && end <= self.len, "elements {start} to {end} of {}", self.len);
        // SAFETY: `start` is at most `len`, so that the pointer stays within what `data` is valid for, or one past it.
        let data = unsafe { self.data.add(start) };
        Self { data, len: end - start, ..self }
    }

    /// To read.
    ///
    /// # Safety
    /// As long as the slice is used, no thread may write any of the elements.
    pub(crate) unsafe fn as_slice(self) -> &'a [f32] {
        // SAFETY: `data` is valid for `len` initialised elements throughout `'a`; that nobody writes them is the caller's promise.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }

    /// To write.
    ///
    /// # Safety
    /// As long as the slice is used, nobody else may read or write any of the elements.
    pub(crate) unsafe fn as_mut_slice(self) -> &'a mut [f32] {
        // SAFETY: `data` is valid for `len` initialised elements throughout `'a`; that nobody else accesses them is the caller's
        // promise.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.len) }
    }
}

/// `channels` as they lie in memory: padded to whole blocks. As many as there are weights for, so that this cannot wrap.
pub(crate) const fn padded(channels: usize) -> usize {
    channels.next_multiple_of(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_memory_can_hold_is_an_error() {
        for len in [usize::MAX, usize::MAX / 4, usize::MAX / 8, 1 << 58] {
            let error = Buffer::zeroed(len).unwrap_err();
            assert!(error.bytes >= len, "{len}: {error}");
        }
        assert_eq!(Buffer::zeroed(17).unwrap().as_slice(), [0.0; 32]);
        assert_eq!(Buffer::zeroed(0).unwrap().as_slice(), [0.0; 0]);
    }

    #[test]
    fn kept_buffers_share_no_line_and_outlive_one_another() {
        let lens = [1, 16, 17, 1000, 300_000, 500_000, 700_000, 4_000_000, 5_000_000];
        let mut buffers: Vec<Buffer> =
            (0..40).map(|at| Buffer::kept(lens[at % lens.len()]).unwrap()).collect();
        for (at, buffer) in buffers.iter_mut().enumerate() {
            assert!(buffer.as_slice().iter().all(|&x| x == 0.0), "buffer {at}");
            assert!(buffer.len() >= lens[at % lens.len()] && buffer.data.is_aligned());
            buffer.as_mut_slice().fill(at as f32);
        }
        let mut at = 0;
        buffers.retain(|_| {
            at += 1;
            at % 3 == 0
        });
        for (at, buffer) in buffers.iter().enumerate() {
            assert!(buffer.as_slice().iter().all(|&x| x == (3 * at + 2) as f32), "buffer {at}");
        }
        assert_eq!(Buffer::kept(0).unwrap().len(), 0);
        assert!(Buffer::kept(usize::MAX).is_err());
    }

    #[test]
    fn a_part_lies_within_the_whole() {
        let mut buffer = Buffer::zeroed(32).unwrap();
        let whole = Shared::new(buffer.as_mut_slice());
        assert_eq!(whole.part(16..32).part(3..16).len(), 13);
        assert_eq!(whole.part(32..32).len(), 0);
        #[expect(clippy::reversed_empty_ranges, reason = "a mistake that is refused")]
        for range in [0..33, 33..33, 16..15, 0..usize::MAX] {
            let beyond = std::panic::catch_unwind(|| whole.part(range.clone()).len());
            assert!(beyond.is_err(), "{range:?}");
        }
    }
}
