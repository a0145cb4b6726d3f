//! Memory aligned to cache lines, which is all that the kernels compute in.

use std::alloc;
use std::ptr::NonNull;

use thiserror::Error;

use crate::simd::BLOCK;

/// Memory that the system does not give: an error, since a smaller batch may fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no memory for {bytes} bytes more")]
pub(crate) struct NoMemory {
    /// What was asked for; `usize::MAX` for what has no size that could be written down.
    pub(crate) bytes: usize,
}

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
    /// What it was allocated with.
    align: usize,
}

// SAFETY: a Buffer owns its memory, as a Vec does.
unsafe impl Send for Buffer {}
// SAFETY: as above; what is shared can only be read.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// At least `len` elements.
    ///
    /// # Errors
    /// [`NoMemory`] where the system gives none, or no address space could hold them.
    pub(crate) fn zeroed(len: usize) -> Result<Self, NoMemory> {
        let lines = len.div_ceil(BLOCK);
        if lines == 0 {
            return Ok(Self::default());
        }
        let size = lines.checked_mul(size_of::<Line>()).ok_or(NoMemory { bytes: usize::MAX })?;
        // Where memory is scarce, an allocator may have room but none at a large page.
        let aligns = [LARGE_PAGE, align_of::<Line>()];
        let aligns = if size >= LARGE_PAGE { &aligns[..] } else { &aligns[1..] };
        for layout in aligns.iter().filter_map(|&align| alloc::Layout::from_size_align(size, align).ok()) {
            // SAFETY: the layout has a size above zero.
            let data = unsafe { alloc::alloc(layout) };
            let Some(data) = NonNull::new(data.cast::<Line>()) else { continue };
            if layout.align() == LARGE_PAGE {
                ask_for_large_pages(data.as_ptr().cast(), size);
            }
            // SAFETY: the memory was just allocated for so many lines; zeros are f32.
            unsafe { data.as_ptr().write_bytes(0, lines) };
            return Ok(Self { data, lines, align: layout.align() });
        }
        Err(NoMemory { bytes: size })
    }

    /// Values of `count` channels, padded as they are in memory; zeros where there are fewer `values`.
    pub(crate) fn of_channels(values: &[f32], count: usize) -> Result<Self, NoMemory> {
        let mut buffer = Self::zeroed(padded(count))?;
        buffer.as_mut_slice()[..values.len()].copy_from_slice(values);
        Ok(buffer)
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
        Self { data: NonNull::dangling(), lines: 0, align: align_of::<Line>() }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let layout = alloc::Layout::from_size_align(self.lines * size_of::<Line>(), self.align);
        if let (true, Ok(layout)) = (self.lines > 0, layout) {
            // SAFETY: allocated in `zeroed` with this layout.
            unsafe { alloc::dealloc(self.data.as_ptr().cast(), layout) };
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
    }
}
