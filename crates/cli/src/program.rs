//! Which program the verbs are run by, since what it says has to be what its user can type; and which source it was built of.

use std::sync::OnceLock;

/// The version, with the revision that was built.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("IMAGENET_EVAL_REVISION"), ")");

/// The Git revision that was built, `-dirty` with changes, `unknown` where no checkout could be asked (build.rs).
pub(crate) const REVISION: &str = env!("IMAGENET_EVAL_REVISION");

/// A program that runs the verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `imagenet-eval`, installed.
    Alone,
    /// `cargo xtask`, in a checkout.
    Xtask,
}

static RUNNING: OnceLock<Program> = OnceLock::new();

impl Program {
    /// Says that this process is this program. The first that says so is right.
    pub(crate) fn is_running(self) {
        let _ = RUNNING.set(self);
    }

    /// The program of this process.
    pub(crate) fn running() -> Self {
        *RUNNING.get().unwrap_or(&Self::Alone)
    }

    /// The words that a command of it begins with.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Alone => &["imagenet-eval"],
            Self::Xtask => &["cargo", "xtask"],
        }
    }
}

/// `verb`, with its arguments, as a command of this program.
pub(crate) fn command(verb: &str) -> String {
    format!("{} {verb}", Program::running().words().join(" "))
}
