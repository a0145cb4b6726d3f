//! Printing that survives a closed pipe (`... | head`), which the standard macros do not, and in which names of
//! files and messages from elsewhere are text: no command to a terminal, nor to the runner of a GitHub job.

use std::io::{ErrorKind, Write};

use anyhow::Context;
use eval::report::visible;

use crate::remedy;

/// Prints to standard output.
///
/// # Errors
/// When standard output cannot be written for another reason than that nobody reads it any more.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(inert(text).as_bytes()).and_then(|()| stdout.flush()) {
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
/// disk is full, is no reason to end an evaluation. Further lines are moved in, so that each that is not is ours.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", inert(line).replace('\n', "\n  "));
}

/// Prints an error with its causes. Library errors name their cause themselves, so a cause that has
/// been said is left out.
pub(crate) fn error(error: &anyhow::Error) {
    let mut text = remedy::worded(error);
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    note(&format!("error: {text}"));
}

/// `text` with everything but its ends of lines made visible. This program prints no command itself: whatever is one came
/// with a name, a message or a note.
fn inert(text: &str) -> String {
    text.split('\n').map(inert_line).collect::<Vec<_>>().join("\n")
}

fn inert_line(line: &str) -> String {
    let shown = visible(line);
    let start = shown.len() - shown.trim_start().len();
    // What a line begins with that GitHub's runner takes for a command: `::add-mask::`, `##[group]`.
    for command in ["::", "##["] {
        if let Some(rest) = shown[start..].strip_prefix(command) {
            let (first, more) = command.split_at(1);
            return format!("{}{}{more}{rest}", &shown[..start], first.escape_unicode());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printed_is_a_command() {
        assert_eq!(inert("a\n\u{1b}[31mb\u{9b}2J\u{202e}\n"), "a\n\\u{1b}[31mb\\u{9b}2J\\u{202e}\n");
        assert_eq!(inert("  ::error::x\n##[group]y\na::b"), "  \\u{3a}:error::x\n\\u{23}#[group]y\na::b");
        assert_eq!(inert("\u{2502} plain \u{2500}"), "\u{2502} plain \u{2500}");
    }
}
