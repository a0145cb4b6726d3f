//! An allocator that lets a program say why it ends. Where memory is refused, Rust's own answer is to abort, and what was asked
//! for in libraries, or is small, cannot be asked for by `memory`. Here because it is `unsafe` to be an allocator.

use std::alloc::{GlobalAlloc, Layout};

/// Another allocator, and what the program does when that one has no more memory. What is asked for by `memory` is refused as
/// usual, because whoever asks handles it.
#[derive(Debug)]
pub struct LastWord<A> {
    allocator: A,
    refused: fn(usize) -> !,
}

impl<A> LastWord<A> {
    /// `refused` is given the bytes that were asked for. It must not allocate, and it runs in whichever thread asked.
    pub const fn new(allocator: A, refused: fn(usize) -> !) -> Self {
        Self { allocator, refused }
    }

    #[inline]
    fn checked(&self, data: *mut u8, bytes: usize) -> *mut u8 {
        if data.is_null() && !memory::is_asking() {
            (self.refused)(bytes);
        }
        data
    }
}

// SAFETY: all four functions do what those of `allocator` do, which is one. They do not unwind: `refused` does not return, and
// a panic of its own cannot leave an allocator, since Rust aborts there.
unsafe impl<A: GlobalAlloc> GlobalAlloc for LastWord<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises of `layout` what `allocator` asks for.
        self.checked(unsafe { self.allocator.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        self.checked(unsafe { self.allocator.alloc_zeroed(layout) }, layout.size())
    }

    #[inline]
    unsafe fn realloc(&self, data: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: `data` came from `allocator`, by this `layout`; the caller promises the rest.
        self.checked(unsafe { self.allocator.realloc(data, layout, bytes) }, bytes)
    }

    #[inline]
    unsafe fn dealloc(&self, data: *mut u8, layout: Layout) {
        // SAFETY: as in `realloc`.
        unsafe { self.allocator.dealloc(data, layout) }
    }
}
