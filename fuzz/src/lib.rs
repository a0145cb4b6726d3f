//! Every reader of foreign bytes, tried with damaged files: whatever the bytes, it ends in a value or an error, without a
//! panic that escapes, without a panic of our own code that a guard hides, without a hang, and in bounded memory.
//!
//! A [`Target`] is a name, seeds (the fixtures of this repository) and a function of bytes. The same targets serve
//! the short run among the tests (`tests/short.rs`), long runs (`tools/fuzz.sh`) and a coverage-guided fuzzer
//! (`fuzz/guided`, a Cargo project of its own).
//!
//! * [`mutate`]: damages a seed, from a seeded generator, so that a run is its arguments and nothing else;
//! * [`checksums`]: what makes a damaged file consistent again, so that damage gets past the first check;
//! * [`panics`]: who panicked: a dependency behind the guard, or this project;
//! * [`case`]: one target over one file, and what was wrong with that;
//! * [`run`]: many cases in one process; [`supervise`]: that process watched from outside, for it may die; [`said`]: what
//!   the one says to the other.

pub mod case;
pub mod checksums;
pub mod mutate;
pub mod panics;
mod random;
pub mod run;
pub mod said;
pub mod supervise;
pub mod target;
mod targets;

pub use target::{Outcome, Target};
pub use targets::{TARGETS, by_name};

/// Counts what is in use, so that a case's peak is known. Single-threaded targets alone are measured exactly.
#[global_allocator]
pub(crate) static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
