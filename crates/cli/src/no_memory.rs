//! The last words of a process that has no memory left and did not ask for it by `memory`: in a library, or for something small.

use std::io::Write as _;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::EXIT_WRONG;

/// Says that `bytes` bytes were refused and what to do, and ends the process. Allocates nothing.
pub(crate) fn end(bytes: usize) -> ! {
    static IS_SAID: AtomicBool = AtomicBool::new(false);
    // Threads lack memory together, and one speaks.
    while IS_SAID.swap(true, Ordering::Relaxed) {
        thread::sleep(Duration::from_secs(1));
    }
    let mut text = [0; 512];
    let mut left = &mut text[..];
    // On a line of its own: a progress bar may be in this one.
    let _ = writeln!(
        left,
        "\nerror: not enough memory: the system refuses this process {bytes} bytes more. Give it more (ulimit -v, the \
         container's limit), or ask for less (fewer --threads, a smaller --batch). What a run has finished is kept, and the \
         same command goes on from there."
    );
    let unused = left.len();
    let _ = std::io::stderr().write_all(&text[..text.len() - unused]);
    process::exit(EXIT_WRONG.into())
}
