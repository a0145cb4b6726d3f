//! A run watched from outside: its process may overflow its stack, fail to allocate, or never end. It is then started
//! again behind the case that it died of.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Target;
use crate::case::{Fault, Kind};
use crate::said::{CURRENT, EXIT_HANG, Finding, NUMBER, Tally};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// The program of this crate, which the cases run in.
    pub program: PathBuf,
    /// Which cases.
    pub seed: u64,
    /// How many.
    pub cases: u64,
    /// How long at most.
    pub at_most: Option<Duration>,
    /// More files to start from.
    pub corpus: Option<PathBuf>,
    /// Where files are kept with which something is wrong.
    pub found: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The target's name.
    pub target: &'static str,
    /// What was counted.
    pub tally: Tally,
    /// What must not happen and did.
    pub findings: Vec<Finding>,
    /// How long it took.
    pub took: Duration,
}

/// How often a process is started again at most.
const DEATHS: usize = 50;

/// Runs `target` as `order` says.
///
/// # Errors
/// When the process cannot be started, or ends before its first case.
pub fn supervise(target: &'static Target, order: &Order) -> io::Result<Report> {
    let started = Instant::now();
    let folder = scratch()?;
    let mut report =
        Report { target: target.name, tally: Tally::default(), findings: Vec::new(), took: Duration::ZERO };
    let mut first = 0;
    for _ in 0..=DEATHS {
        let left = order.at_most.map(|limit| limit.saturating_sub(started.elapsed()));
        let mut command = Command::new(&order.program);
        command.arg("--child").arg(folder.path()).args(["--target", target.name]);
        command.args(["--seed", &order.seed.to_string(), "--first", &first.to_string()]);
        command.args(["--cases", &order.cases.to_string()]).arg("--found").arg(&order.found);
        if let Some(left) = left {
            command.args([OsString::from("--seconds"), left.as_secs().to_string().into()]);
        }
        if let Some(corpus) = &order.corpus {
            command.arg("--corpus").arg(corpus);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| report.hear(&line));
        }
        let status = child.wait()?;
        if status.success() {
            break;
        }
        let died_of = number(folder.path()).ok_or_else(|| {
            io::Error::other(format!("{}: the process ended before its first case, {status}", target.name))
        })?;
        if status.code() != Some(EXIT_HANG) {
            let file = order.found.join(format!("{}-{}-{died_of}", target.name, order.seed));
            fs::create_dir_all(&order.found)?;
            let kept = fs::copy(folder.path().join(CURRENT), &file).is_ok();
            let fault =
                Fault { kind: Kind::Died, place: status.to_string(), words: format!("case {died_of}") };
            report.findings.push(Finding { fault, file: kept.then_some(file) });
        }
        // Those of a process that died are not told.
        report.tally.cases += died_of + 1 - first;
        first = died_of + 1;
    }
    report.took = started.elapsed();
    Ok(report)
}

/// A folder in memory, where there is one: each case writes a file.
fn scratch() -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("fuzz-");
    let memory = Path::new("/dev/shm");
    builder.tempdir_in(memory).or_else(|_| builder.tempdir())
}

fn number(folder: &Path) -> Option<u64> {
    fs::read_to_string(folder.join(NUMBER)).ok()?.parse().ok()
}

impl Report {
    /// Takes in a line of [`crate::said::tell`] or [`crate::said::tell_tally`].
    fn hear(&mut self, line: &str) {
        let cells: Vec<&str> = line.split('\t').collect();
        let count = |cell: &str| cell.parse::<u64>().unwrap_or_default();
        match cells[..] {
            ["found", kind, place, words, file] => {
                let Some(kind) = Kind::by_name(kind) else { return };
                let fault = Fault { kind, place: place.to_owned(), words: words.to_owned() };
                self.findings.push(Finding { fault, file: (!file.is_empty()).then(|| file.into()) });
            }
            ["guarded", times, place] => {
                *self.tally.guarded.entry(place.to_owned()).or_default() += count(times);
            }
            ["tally", cases, with_values, outcomes, last_new, peak_bytes] => {
                self.tally.cases += count(cases);
                self.tally.with_values += count(with_values);
                self.tally.outcomes += count(outcomes);
                self.tally.last_new = count(last_new);
                self.tally.peak_bytes = self.tally.peak_bytes.max(count(peak_bytes));
            }
            _ => {}
        }
    }

    /// The report in lines: what was counted, then each fault once, with how often and a file that shows it.
    #[must_use]
    pub fn text(&self) -> String {
        let Tally { cases, with_values, outcomes, last_new, peak_bytes, guarded } = &self.tally;
        let mut text = format!(
            "{:<14} {cases:>9} cases, {with_values:>9} read, {outcomes:>4} outcomes, the last new one at {last_new:>8}, \
             {:>4} MiB, {:>5.0} s, {} faults\n",
            self.target,
            peak_bytes >> 20,
            self.took.as_secs_f64(),
            self.findings.len(),
        );
        for (place, count) in guarded {
            // Writing to a string does not fail.
            let _ = writeln!(text, "    guarded {count} times: {place}");
        }
        let mut causes: Vec<(&Fault, usize, Vec<String>)> = Vec::new();
        for Finding { fault, file } in &self.findings {
            let file = file.as_ref().map(|file| file.display().to_string());
            match causes.iter_mut().find(|(it, ..)| (it.kind, &it.place) == (fault.kind, &fault.place)) {
                Some((_, times, files)) => {
                    *times += 1;
                    files.extend(file);
                }
                None => causes.push((fault, 1, file.into_iter().collect())),
            }
        }
        for (Fault { kind, place, words }, times, files) in causes {
            let _ = writeln!(text, "    {kind} {times} times: {place} {words} ({})", files.join(", "));
        }
        text
    }
}
