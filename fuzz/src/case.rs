//! One target over one file, and what was wrong with that.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::panics::{self, Panicked};
use crate::{ALLOCATOR, Outcome, Target};

/// Memory that a case may take for each byte of its file, beside what the target may take whatever the file.
const BYTES_A_BYTE: usize = 16;

/// What must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A panic that no guard made an error.
    Escaped,
    /// A panic of this project's own code that a guard made an error: the guard is for libraries.
    Own,
    /// Memory beyond what the file can ask for.
    Memory,
    /// No end.
    Hang,
    /// The process ended: a stack or an allocation that failed.
    Died,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Escaped => "escaped",
            Self::Own => "own",
            Self::Memory => "memory",
            Self::Hang => "hang",
            Self::Died => "died",
        })
    }
}

impl Kind {
    /// The kind of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let all = [Self::Escaped, Self::Own, Self::Memory, Self::Hang, Self::Died];
        all.into_iter().find(|kind| kind.to_string() == name)
    }
}

/// Something that must not happen, and where.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// Where: equal for faults of one cause.
    pub place: String,
    /// More of it, for people.
    pub words: String,
}

/// What came of a case.
#[derive(Debug)]
pub struct Tried {
    /// What the reader gave.
    pub outcome: Outcome,
    /// What must not happen and did.
    pub faults: Vec<Fault>,
    /// Panics of dependencies that were made errors.
    pub guarded: Vec<Panicked>,
    /// Memory in use at most beyond that before, in bytes.
    pub peak_bytes: usize,
}

/// Panics are noted and memory is counted for the whole process, so one case is read at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Reads `bytes` by `target`, in `folder`, which is the case's own.
pub fn read(target: &Target, folder: &Path, bytes: &[u8]) -> Tried {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut outcome = Outcome::default();
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let ended =
        panics::noting(|| catch_unwind(AssertUnwindSafe(|| (target.read)(folder, bytes, &mut outcome))));
    let peak_bytes = ALLOCATOR.peak_usage().saturating_sub(before);
    let mut faults = Vec::new();
    let mut guarded = panics::take();
    if ended.is_err() {
        // The last panic is the one that got here.
        let (place, words) = match guarded.pop() {
            Some(last) => (last.place, last.words),
            None => ("unknown".to_owned(), String::new()),
        };
        outcome.say(&place);
        faults.push(Fault { kind: Kind::Escaped, place, words });
    }
    for panic in guarded.extract_if(.., |panic| panic.is_own) {
        faults.push(Fault { kind: Kind::Own, place: panic.place, words: panic.words });
    }
    let allowed = target.memory_bytes + BYTES_A_BYTE * bytes.len();
    if peak_bytes > allowed {
        let words = format!("{peak_bytes} bytes in use, {allowed} are allowed");
        faults.push(Fault { kind: Kind::Memory, place: String::new(), words });
    }
    Tried { outcome, faults, guarded, peak_bytes }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use dataset::guard::guarded;

    use super::*;

    fn target(read: fn(&Path, &[u8], &mut Outcome)) -> Target {
        Target {
            name: "",
            about: "",
            seeds: || Ok(Vec::new()),
            words: &[],
            mend: None,
            memory_bytes: 64 << 20,
            read,
        }
    }

    fn kinds(read: fn(&Path, &[u8], &mut Outcome), bytes: &[u8]) -> Vec<Kind> {
        let tried = super::read(&target(read), Path::new(""), bytes);
        tried.faults.iter().map(|fault| fault.kind).collect()
    }

    #[test]
    fn what_must_not_happen_is_seen() {
        assert_eq!(kinds(|_, bytes, _| assert!(bytes.is_empty()), b""), []);
        assert_eq!(kinds(|_, bytes, _| assert!(bytes.is_empty()), b"x"), [Kind::Escaped]);
        assert_eq!(kinds(|_, bytes, _| drop(guarded(|| bytes[7])), b"x"), [Kind::Own]);
        // The standard library panics, on this code's behalf.
        let overflows: fn(&Path, &[u8], &mut Outcome) =
            |_, bytes, _| drop(guarded(|| Vec::<u64>::with_capacity(black_box(usize::MAX - bytes.len()))));
        assert_eq!(kinds(overflows, b"x"), [Kind::Own]);
        let takes: fn(&Path, &[u8], &mut Outcome) =
            |_, bytes, _| drop(black_box(vec![1_u8; usize::from(bytes[0]) << 20]));
        assert_eq!(kinds(takes, &[16]), []);
        assert_eq!(kinds(takes, &[128]), [Kind::Memory]);
    }
}
