//! This process and its surroundings: how it is stopped, how it was called, where the checkout is, how many
//! processors there are.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use eval::provenance::Invocation;

use crate::EXIT_INTERRUPTED;
use crate::output::note;
use crate::program::{Program, REVISION};

/// The first signal asks for a stop, which `message` says; the second ends the process, which loses the
/// batch at hand and nothing else.
///
/// # Errors
/// Where the system lets nobody watch for signals.
pub fn stop_on_signal(message: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(EXIT_INTERRUPTED));
        }
        note(message);
    })
    .context(
        "cannot watch for Ctrl-C, which takes a thread; give the process more memory or threads (ulimit -v, ulimit -u)",
    )?;
    Ok(stop)
}

/// This program, and the command as a person gave it.
pub(crate) fn invocation() -> Invocation {
    let words = Program::running().words().iter().map(|&word| word.to_owned());
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    Invocation { command: words.chain(arguments).collect(), git_revision: REVISION.to_owned() }
}

/// The folder in which `reports/runs` is: for `cargo xtask` the checkout, since cargo tells where the manifest is, whatever
/// folder the command is given in; for the program alone the current folder.
pub fn checkout() -> PathBuf {
    // Another package's manifest, where the program is called by a Cargo command of its own, says nothing of this one.
    let manifest = match Program::running() {
        Program::Xtask => std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
        Program::Alone => None,
    };
    manifest.as_deref().and_then(Path::parent).unwrap_or(Path::new(".")).to_owned()
}

/// Processors that this process may use; 1 where the system does not say.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
