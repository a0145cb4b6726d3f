//! Memory that is asked for: where there is none, that is an error to be handled, because Rust's own answer to an
//! allocation that fails is to end the process without a word about what it was for.
//!
//! Whatever is large, or has a size that foreign bytes declare (pixels, crops, file contents, feature maps, tensors), comes
//! from here. For the rest, what libraries allocate and what is small, there is `kernels::LastWord`, the program's allocator:
//! it says why the process ends, but for allocations that are [asked for](asking), which their callers handle.
//!
//! ```
//! assert_eq!(memory::filled(0_u8, 3), Ok(vec![0; 3]));
//! let error = memory::filled(0_u8, usize::MAX / 2).expect_err("no machine has as much");
//! assert_eq!(error.bytes, usize::MAX / 2);
//! ```

use std::cell::Cell;

/// Memory that the system does not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not enough memory: {bytes} bytes more are not to be had")]
pub struct NoMemory {
    /// What was asked for; `usize::MAX` for what has no size that could be written down.
    pub bytes: usize,
}

/// An empty list with room for `len` elements.
///
/// # Errors
/// [`NoMemory`] where the system does not give it.
pub fn room<T>(len: usize) -> Result<Vec<T>, NoMemory> {
    let mut list = Vec::new();
    reserve(&mut list, len)?;
    Ok(list)
}

/// From so many bytes on, zeros are had from the system instead of written. Below, asking twice costs more than writing.
const LARGE_BYTES: usize = 1 << 20;

/// `len` times `value`. Many zeros take memory only as they are overwritten, so that what a damaged file declares costs nothing
/// before its data are read.
///
/// # Errors
/// [`NoMemory`] where the system does not give it.
pub fn filled<T: Copy>(value: T, len: usize) -> Result<Vec<T>, NoMemory> {
    let bytes = len.saturating_mul(size_of::<T>());
    if bytes < LARGE_BYTES {
        let mut list = room(len)?;
        list.resize(len, value);
        return Ok(list);
    }
    // Only the macro has zeros from the system, and it takes no refusal. If another thread takes the memory that was there just
    // now, the program's allocator has the last word.
    match can_have(bytes) {
        true => Ok(vec![value; len]),
        false => Err(NoMemory { bytes }),
    }
}

/// A copy of `values`.
///
/// # Errors
/// [`NoMemory`] where the system does not give it.
pub fn copied<T: Copy>(values: &[T]) -> Result<Vec<T>, NoMemory> {
    let mut list = room(values.len())?;
    list.extend_from_slice(values);
    Ok(list)
}

/// Room for `more` elements behind those of `list`, and no more than that.
///
/// # Errors
/// [`NoMemory`] where the system does not give it.
pub fn reserve<T>(list: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    asking(|| list.try_reserve_exact(more))
        .map_err(|_| NoMemory { bytes: more.saturating_mul(size_of::<T>()) })
}

/// Whether the process may have `bytes` more. In libraries an allocation that fails ends the process; so the bytes are asked
/// for before, and given back untouched: only an allocation shows the limits of a process (`ulimit -v`).
#[must_use]
pub fn can_have(bytes: usize) -> bool {
    room::<u8>(bytes).is_ok_and(|asked| std::hint::black_box(asked).capacity() >= bytes)
}

thread_local! {
    /// Whether whoever allocates in this thread handles a refusal.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Calls `allocate`, which gives an error where an allocation of its own fails.
pub fn asking<T>(allocate: impl FnOnce() -> T) -> T {
    /// As it was before, also when `allocate` panics.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ASKING.set(self.0);
        }
    }
    let _before = Before(ASKING.replace(true));
    allocate()
}

/// Whether this thread is [asking].
#[must_use]
pub fn is_asking() -> bool {
    // Of a thread that is ending, nobody knows any more.
    ASKING.try_with(Cell::get).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_has_is_an_error() {
        for len in [usize::MAX, usize::MAX / 2, 1 << 60] {
            assert_eq!(room::<u8>(len), Err(NoMemory { bytes: len }));
            assert_eq!(filled(0.0_f64, len), Err(NoMemory { bytes: len.saturating_mul(8) }));
            assert!(!can_have(len));
        }
        let mut list = vec![1, 2];
        assert!(reserve(&mut list, usize::MAX).is_err());
        assert_eq!(list, [1, 2]);
        assert!(can_have(1000));
        assert_eq!(filled(7_u8, 3), Ok(vec![7; 3]));
        assert_eq!(filled(7_u16, LARGE_BYTES), Ok(vec![7; LARGE_BYTES]));
        assert_eq!(copied(&list), Ok(vec![1, 2]));
        assert_eq!(room::<u16>(3).expect("a little").capacity(), 3);
    }

    #[test]
    fn a_thread_asks_only_while_it_asks() {
        let states = || [is_asking(), asking(is_asking), asking(|| asking(is_asking))];
        assert_eq!(states(), [false, true, true]);
        assert!(asking(|| {
            let inner = asking(is_asking);
            inner && is_asking() && std::thread::spawn(|| !is_asking()).join().expect("no panic")
        }));
        assert!(std::panic::catch_unwind(|| asking(|| std::panic::resume_unwind(Box::new(())))).is_err());
        assert_eq!(states(), [false, true, true]);
    }
}
