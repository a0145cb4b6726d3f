//! The boundary around readers of foreign bytes: whatever a file makes a reader do, a library's panic included, ends in a
//! value or an error. Every crate that reads files puts its readers behind [`guarded`].
//!
//! It does not hold where a process ends without a panic (an allocation that fails, a stack that overflows): a reader has to
//! bound by the file's own size what a file can ask of it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// How many [`guarded`] calls this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// What `read` gives, or the words of its panic. Nothing is printed of a panic on this thread.
///
/// Whatever `read` had half changed is dropped by the caller along with the error, so unwind safety is not asked for.
///
/// # Errors
/// The panic's message, or that it gave none.
///
/// ```
/// use dataset::guard::guarded;
///
/// assert_eq!(guarded(|| 7), Ok(7));
/// let empty: &[u8] = &[];
/// let error = guarded(|| empty[0]).unwrap_err();
/// assert_eq!(error, "index out of bounds: the len is 0 but the index is 0");
/// ```
pub fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    silence_guarded_panics();
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(read));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|panic| words(panic.as_ref()))
}

/// [`guarded`], where a panic becomes an error of the reader's own kind.
///
/// # Errors
/// What `read` returns, or what `error` makes of its panic's message.
pub fn guarded_or<T, E>(
    read: impl FnOnce() -> Result<T, E>,
    error: impl FnOnce(String) -> E,
) -> Result<T, E> {
    guarded(read).unwrap_or_else(|words| Err(error(words)))
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it gave no reason").to_owned()
}

/// Leaves other threads' panics, and those outside [`guarded`], to the hook that was there before.
fn silence_guarded_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if DEPTH.get() == 0 {
                before(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_words() {
        let message = |panic: fn()| guarded(panic).unwrap_err();
        assert_eq!(message(|| panic!("index 3")), "index 3");
        assert_eq!(message(|| panic!("index {}", 3)), "index 3");
        assert_eq!(message(|| std::panic::resume_unwind(Box::new(7))), "it gave no reason");
    }

    #[test]
    fn guards_nest() {
        let nested = guarded(|| guarded(|| panic!("inner")).unwrap_err());
        assert_eq!(nested, Ok("inner".to_owned()));
        assert_eq!(DEPTH.get(), 0);
        let passed_on = guarded(|| -> () { guarded(|| panic!("inner")).unwrap() });
        assert!(passed_on.unwrap_err().contains("inner"));
    }

    #[test]
    fn an_error_of_the_readers_own_kind() {
        let read = |bytes: &'static [u8]| guarded_or(|| Ok(bytes[0]), |words| format!("damaged: {words}"));
        assert_eq!(read(b"x"), Ok(b'x'));
        assert_eq!(
            read(b""),
            Err("damaged: index out of bounds: the len is 0 but the index is 0".to_owned())
        );
    }
}
