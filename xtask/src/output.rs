//! Printing that survives a closed pipe (`cargo xtask ... | head`).

use std::io::{ErrorKind, Write};

/// Prints to standard output.
///
/// # Errors
/// When standard output cannot be written for another reason than that nobody reads it any more.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints an error with its causes. Library errors name their cause themselves, so a cause that has
/// been said is left out.
pub(crate) fn error(error: &anyhow::Error) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    // There is nobody left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "error: {text}");
}
