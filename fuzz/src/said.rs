//! What a process that runs cases says to the one that watches it: lines on its output, files in its folder, its exit code.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::case::Fault;

/// How a process ends when a case does not.
pub const EXIT_HANG: i32 = 86;

/// What came of many cases.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// How many there were.
    pub cases: u64,
    /// Those of which something was read.
    pub with_values: u64,
    /// Ways in which they ended.
    pub outcomes: u64,
    /// The case after which no new way came.
    pub last_new: u64,
    /// The most memory that one took, in bytes.
    pub peak_bytes: u64,
    /// Panics of dependencies behind a guard, by place.
    pub guarded: BTreeMap<String, u64>,
}

/// Something that must not happen, and the file that makes it happen.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What and where.
    pub fault: Fault,
    /// The file, where it was kept: of each fault a few are.
    pub file: Option<PathBuf>,
}

/// What a process is at, in its folder, for whoever finds it dead.
pub(crate) const NUMBER: &str = "number";
pub(crate) const CURRENT: &str = "current";

/// Tells the watching process of a finding, in a line.
#[allow(clippy::print_stdout, reason = "the watching process reads it")]
pub fn tell(finding: &Finding) {
    let plain = |text: &str| text.replace(['\t', '\n', '\r'], " ");
    let Fault { kind, place, words } = &finding.fault;
    let file = finding.file.as_ref().map_or(String::new(), |file| file.display().to_string());
    println!("found\t{kind}\t{}\t{}\t{file}", plain(place), plain(words));
    // Nobody is there to be told that nobody listens.
    let _ = io::stdout().flush();
}

/// Tells the watching process what was counted.
#[allow(clippy::print_stdout, reason = "the watching process reads it")]
pub fn tell_tally(tally: &Tally) {
    for (place, count) in &tally.guarded {
        println!("guarded\t{count}\t{}", place.replace(['\t', '\n'], " "));
    }
    let Tally { cases, with_values, outcomes, last_new, peak_bytes, .. } = tally;
    println!("tally\t{cases}\t{with_values}\t{outcomes}\t{last_new}\t{peak_bytes}");
}
