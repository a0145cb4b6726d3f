//! Printing that survives a closed pipe (`cargo xtask ... | head`), which the standard macros do not.

use std::io::{ErrorKind, Write};

use anyhow::Context;

/// Prints to standard output.
///
/// # Errors
/// When standard output cannot be written for another reason than that nobody reads it any more.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Adds `report`, in Markdown, to the summary of a GitHub job, where `GITHUB_STEP_SUMMARY` names the file.
/// A summary that cannot be written is said, and no reason to fail: the run directory has the report.
pub(crate) fn step_summary(report: &str) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    if let Err(error) = file.and_then(|mut file| file.write_all(report.as_bytes())) {
        note(&format!("warning: cannot write the step summary {}: {error}", path.display()));
    }
}

/// Prints a line to standard error, where all goes that is not a result. That nobody reads it, or its
/// disk is full, is no reason to end an evaluation.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
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
    note(&format!("error: {text}"));
}
