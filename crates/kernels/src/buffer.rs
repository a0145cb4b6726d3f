//! Memory aligned to cache lines, which is all that the kernels compute in.

use std::alloc;
use std::ptr::NonNull;

use crate::simd::BLOCK;

/// A cache line of `f32`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; BLOCK]);

/// A buffer of `f32`, zero at first, that begins at a cache line.
///
/// A large one asks for large pages. Feature maps are read with strides of a few kilobytes, so that with pages of
/// four kilobytes nearly every access would need another translation, and no prefetcher crosses a page.
#[derive(Debug)]
pub(crate) struct Buffer {
    data: NonNull<Line>,
    lines: usize,
}

// SAFETY: a Buffer owns its memory, as a Vec does.
unsafe impl Send for Buffer {}
// SAFETY: as above; what is shared can only be read.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// At least `len` elements.
    ///
    /// # Panics
    /// Aborts where there is no memory, as a Vec does.
    pub(crate) fn zeroed(len: usize) -> Self {
        let lines = len.div_ceil(BLOCK);
        if lines == 0 {
            return Self::default();
        }
        let layout = Self::layout(lines);
        // SAFETY: the layout has a size above zero.
        let data = unsafe { alloc::alloc(layout) };
        let Some(data) = NonNull::new(data.cast::<Line>()) else { alloc::handle_alloc_error(layout) };
        if layout.align() == LARGE_PAGE {
            ask_for_large_pages(data.as_ptr().cast(), layout.size());
        }
        // SAFETY: the memory was just allocated for so many lines; zeros are f32.
        unsafe { data.as_ptr().write_bytes(0, lines) };
        Self { data, lines }
    }

    /// Values of `count` channels, padded as they are in memory; zeros where there are fewer `values`.
    pub(crate) fn of_channels(values: &[f32], count: usize) -> Self {
        let mut buffer = Self::zeroed(padded(count));
        buffer.as_mut_slice()[..values.len()].copy_from_slice(values);
        buffer
    }

    fn layout(lines: usize) -> alloc::Layout {
        let size = lines * size_of::<Line>();
        let align = if size >= LARGE_PAGE { LARGE_PAGE } else { align_of::<Line>() };
        alloc::Layout::from_size_align(size, align).expect("a buffer is smaller than the address space")
    }

    pub(crate) fn as_ptr(&self) -> *const f32 {
        self.data.as_ptr().cast()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.data.as_ptr().cast()
    }

    pub(crate) fn len(&self) -> usize {
        self.lines * BLOCK
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        // SAFETY: a Line is BLOCK f32 without padding, and that many of them are owned and initialised.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len()) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr(), self.len()) }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self { data: NonNull::dangling(), lines: 0 }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.lines > 0 {
            // SAFETY: allocated in `zeroed` with this layout.
            unsafe { alloc::dealloc(self.data.as_ptr().cast(), Self::layout(self.lines)) };
        }
    }
}

/// The size of a large page of x86-64, and the usual one of 64-bit ARM.
const LARGE_PAGE: usize = 2 << 20;

/// A wish; where the system has no large pages, nothing changes but the time.
#[cfg(target_os = "linux")]
fn ask_for_large_pages(data: *mut u8, size: usize) {
    // SAFETY: the advice changes no content, and the whole range is ours. An error is as good as an advice that is
    // not followed.
    unsafe { libc::madvise(data.cast(), size, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages(_data: *mut u8, _size: usize) {}

/// `channels` as they lie in memory: padded to whole blocks.
pub(crate) const fn padded(channels: usize) -> usize {
    channels.next_multiple_of(BLOCK)
}
