//! Runs targets for as long as is wanted: `tools/fuzz.sh` calls it. Without options: 10,000 cases of every target.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use fuzz::run::{Work, run};
use fuzz::said::{tell, tell_tally};
use fuzz::supervise::{Order, supervise};
use fuzz::{TARGETS, Target, by_name, case};

/// Tries readers of foreign bytes with damaged files
#[derive(Parser)]
struct Options {
    /// Which readers, by name; all without it
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,

    /// Names the readers, and what they read
    #[arg(long)]
    list: bool,

    /// Cases of each
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    cases: u64,

    /// Which cases: another seed gives others
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// How long each may take
    #[arg(long, value_name = "T")]
    seconds: Option<u64>,

    /// Where files are kept with which something is wrong
    #[arg(long, value_name = "DIR", default_value = "fuzz/found")]
    found: PathBuf,

    /// More files to start from, such as those that a coverage-guided fuzzer kept
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,

    /// Reads these files instead, in this process
    #[arg(long, value_name = "PATH", num_args = 1..)]
    file: Vec<PathBuf>,

    /// Writes the targets' seeds into a folder, for another fuzzer
    #[arg(long, value_name = "DIR")]
    write_seeds: Option<PathBuf>,

    /// The process that reads; its folder
    #[arg(long, hide = true)]
    child: Option<PathBuf>,

    /// The first case of that process
    #[arg(long, hide = true, default_value_t = 0)]
    first: u64,
}

fn main() -> ExitCode {
    match main_of(Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error}\n"));
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was found.
fn main_of(options: Options) -> std::io::Result<bool> {
    let named = |name: &String| {
        by_name(name).ok_or_else(|| std::io::Error::other(format!("no target is called {name}; see --list")))
    };
    let mut targets: Vec<&'static Target> = options.target.iter().map(named).collect::<Result<_, _>>()?;
    if targets.is_empty() {
        targets = TARGETS.iter().collect();
    }
    if options.list {
        targets.iter().for_each(|target| say(&format!("{:<14} {}\n", target.name, target.about)));
        return Ok(true);
    }
    if let Some(folder) = options.write_seeds {
        std::fs::create_dir_all(&folder)?;
        for target in targets {
            for (number, seed) in (target.seeds)()?.iter().enumerate() {
                std::fs::write(folder.join(format!("{}-{number}", target.name)), seed)?;
            }
        }
        return Ok(true);
    }
    if let Some(folder) = options.child {
        let work = Work {
            seed: options.seed,
            first: options.first,
            cases: options.cases,
            until: options.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
            corpus: options.corpus,
            folder,
            found: options.found,
        };
        // On a thread, whose stack is as small as those of the program's threads.
        let target = targets[0];
        let ended = std::thread::spawn(move || run(target, &work, tell)).join();
        tell_tally(&ended.map_err(|_| std::io::Error::other("the fuzzer itself panicked"))??);
        return Ok(true);
    }
    if !options.file.is_empty() {
        return replay(&targets, &options.file);
    }
    let order = Order {
        program: std::env::current_exe()?,
        seed: options.seed,
        cases: options.cases,
        at_most: options.seconds.map(Duration::from_secs),
        corpus: options.corpus,
        found: options.found,
    };
    let mut is_clean = true;
    for target in targets {
        let report = supervise(target, &order)?;
        say(&report.text());
        is_clean &= report.findings.is_empty();
    }
    Ok(is_clean)
}

fn replay(targets: &[&'static Target], files: &[PathBuf]) -> std::io::Result<bool> {
    let folder = tempfile::tempdir()?;
    let mut is_clean = true;
    for path in files {
        let bytes = std::fs::read(path)?;
        for target in targets {
            let started = Instant::now();
            let tried = case::read(target, folder.path(), &bytes);
            let read = if tried.outcome.has_values() { "read" } else { "refused" };
            let (mib, ms) = (tried.peak_bytes >> 20, started.elapsed().as_millis());
            say(&format!("{}: {} {read}, {mib} MiB, {ms} ms\n", path.display(), target.name));
            for panic in tried.guarded {
                say(&format!("    guarded: {} {}\n", panic.place, panic.words));
            }
            for fault in &tried.faults {
                say(&format!("    {}: {} {}\n", fault.kind, fault.place, fault.words));
            }
            is_clean &= tried.faults.is_empty();
        }
    }
    Ok(is_clean)
}

fn say(text: &str) {
    // A closed pipe is no reason to stop: files are kept all the same.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
