//! Who panicked. A guard makes every panic inside a reader an error, which is right for a library's panic and hides
//! one of this project's own; so each is noted where it happens.

use std::backtrace::Backtrace;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

/// A panic, caught or not.
#[derive(Debug)]
pub struct Panicked {
    /// File and line: of a dependency from its crate's folder on, of this project from its root on.
    pub place: String,
    /// Whether that is this project's code.
    pub is_own: bool,
    /// Its message.
    pub words: String,
}

/// What is noted when a panic happens. Who is to blame is found out later: names for a stack's addresses take much memory,
/// which is not the case's.
struct Raw {
    raised: String,
    words: String,
    stack: Option<Backtrace>,
}

static SEEN: Mutex<Vec<Raw>> = Mutex::new(Vec::new());

/// Whether a case is being read, whose panics are meant.
static NOTING: AtomicBool = AtomicBool::new(false);

/// Calls `read`, whose panics, on all threads, are noted for [`take`] and not printed.
pub fn noting<T>(read: impl FnOnce() -> T) -> T {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The guard sets its own hook when it is first used, which must not come after this one.
        let _ = dataset::guard::guarded(|| ());
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if NOTING.load(Ordering::SeqCst) {
                let raw = raw(panic);
                SEEN.lock().unwrap_or_else(PoisonError::into_inner).push(raw);
            } else {
                before(panic);
            }
        }));
    });
    NOTING.store(true, Ordering::SeqCst);
    let value = read();
    NOTING.store(false, Ordering::SeqCst);
    value
}

/// The panics since this was last asked.
pub fn take() -> Vec<Panicked> {
    let seen = std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner));
    seen.into_iter().map(noted).collect()
}

fn raw(panic: &PanicHookInfo<'_>) -> Raw {
    let words = panic.payload_as_str().unwrap_or_default().chars().take(200).collect();
    let raised = panic.location().map_or(String::new(), |at| format!("{}:{}", at.file(), at.line()));
    // The standard library panics for its caller, whom only the stack names.
    let stack = is_std(&raised).then(Backtrace::force_capture);
    Raw { raised, words, stack }
}

fn noted(raw: Raw) -> Panicked {
    let place = raw.stack.and_then(|stack| caller(&stack.to_string())).unwrap_or(raw.raised);
    let (place, is_own) = classified(&place);
    Panicked { place, is_own, words: raw.words }
}

fn is_std(place: &str) -> bool {
    place.is_empty() || place.contains("/rustc/") || place.contains("/library/")
}

/// The first line of a backtrace that lies neither in the standard library nor here.
fn caller(trace: &str) -> Option<String> {
    let places = trace.lines().filter_map(|line| line.trim().strip_prefix("at "));
    let foreign = places.filter(|place| !is_std(place) && !place.contains("fuzz/src/panics.rs"));
    foreign.map(str::to_owned).next()
}

/// A place for people, and whether it is in this project. Dependencies lie in Cargo's folders.
fn classified(place: &str) -> (String, bool) {
    let place = place.replace('\\', "/");
    for folder in ["/registry/src/", "/git/checkouts/"] {
        if let Some((_, rest)) = place.split_once(folder) {
            return (rest.split_once('/').map_or(rest, |(_, rest)| rest).to_owned(), false);
        }
    }
    if is_std(&place) {
        return (place, false);
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let root = root.strip_suffix("fuzz/").unwrap_or(root);
    (place.strip_prefix(root).unwrap_or(&place).trim_start_matches("./").to_owned(), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_tells_whose_code_it_is() {
        let dependency = "/h/.cargo/registry/src/index.crates.io-1/parquet-60.0.0/src/page.rs:7";
        assert_eq!(classified(dependency), ("parquet-60.0.0/src/page.rs:7".to_owned(), false));
        assert_eq!(classified("crates/a/src/b.rs:1"), ("crates/a/src/b.rs:1".to_owned(), true));
        let trace = "  0: x\n   at /rustc/1/library/core/src/panicking.rs:1:2\n  1: y\n   at ./crates/a/src/b.rs:3:4\n";
        assert_eq!(caller(trace).as_deref(), Some("./crates/a/src/b.rs:3:4"));
    }
}
