//! `validate`: everything CI checks, cheapest first. The list of steps is in `steps.rs`.

use std::io::{self, ErrorKind};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cli::{EXIT_DIFFERS, EXIT_HOLDS, EXIT_INTERRUPTED, EXIT_WRONG, checkout, note, print, stop_on_signal};
use eval::report::Style;

use crate::steps::{Name, STEPS, Step, Tool};
use crate::tidy::{self, Tree};

/// Checks everything that CI checks, cheapest first
///
/// Stops at the first step that fails. The tools typos and cargo-deny are skipped where they are not installed.
/// The exit code is 1 when a check fails, and 2 when a command cannot be started.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this step; may be repeated
    #[arg(long, value_name = "STEP", conflicts_with = "skip")]
    only: Vec<Name>,

    /// Not this step; may be repeated
    #[arg(long, value_name = "STEP")]
    skip: Vec<Name>,

    /// Run the other steps too when one fails
    #[arg(long)]
    keep_going: bool,

    /// A tool that is not installed is an error, as in CI
    #[arg(long)]
    strict: bool,
}

/// What became of a step.
enum StepOutcome {
    Holds,
    /// How it ended.
    Fails(String),
    /// The tool that is not installed.
    Lacks(&'static Tool),
    CannotStart(io::Error),
    Interrupted,
}

/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(50);

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let stop = stop_on_signal("Stopping.")?;
    let chosen = STEPS.iter().filter(|step| {
        (args.only.is_empty() || args.only.contains(&step.name)) && !args.skip.contains(&step.name)
    });
    let mut table = Style::Terminal.table(&["step", "result", "time", "command"]);
    let mut code = EXIT_HOLDS;
    for step in chosen {
        note(&format!("{}: {}", step.label(), step.shown()));
        let started = Instant::now();
        let outcome = outcome(step, &stop)?;
        let time = format!("{:.1} s", started.elapsed().as_secs_f64());
        let (result, of_step) = match outcome {
            StepOutcome::Holds => ("ok".to_owned(), EXIT_HOLDS),
            StepOutcome::Fails(how) => (format!("failed ({how})"), EXIT_DIFFERS),
            StepOutcome::Lacks(tool) => {
                let (result, code) =
                    if args.strict { ("missing", EXIT_WRONG) } else { ("skipped", EXIT_HOLDS) };
                (format!("{result}: {} is not installed ({})", tool.program, tool.install()), code)
            }
            StepOutcome::CannotStart(error) => (format!("cannot be started: {error}"), EXIT_WRONG),
            StepOutcome::Interrupted => {
                note("Interrupted.");
                return Ok(EXIT_INTERRUPTED);
            }
        };
        note(&format!("{}: {result}, {time}", step.label()));
        if of_step == EXIT_DIFFERS {
            note(&format!("{}: {}", step.label(), step.remedy));
        }
        table.add_row([step.label(), result, time, step.shown()]);
        code = code.max(of_step);
        if code != EXIT_HOLDS && !args.keep_going {
            break;
        }
    }
    print(&format!("{table}\n"))?;
    Ok(code)
}

fn outcome(step: &'static Step, stop: &AtomicBool) -> anyhow::Result<StepOutcome> {
    let Some(command) = step.command else {
        let findings = tidy::findings(&Tree::open(&checkout())?);
        findings.iter().for_each(|finding| note(finding));
        return Ok(match findings.len() {
            0 => StepOutcome::Holds,
            1 => StepOutcome::Fails("1 finding".to_owned()),
            count => StepOutcome::Fails(format!("{count} findings")),
        });
    };
    if let Some(tool) = &step.tool {
        let mut asked = Command::new(tool.program);
        asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        if asked.status().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(StepOutcome::Lacks(tool));
        }
    }
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).envs(step.variable).current_dir(checkout());
    Ok(match command.spawn().and_then(|child| wait(child, stop)) {
        Err(error) => StepOutcome::CannotStart(error),
        Ok(None) => StepOutcome::Interrupted,
        Ok(Some(status)) if status.success() => StepOutcome::Holds,
        Ok(Some(status)) => StepOutcome::Fails(status.to_string()),
    })
}

/// Waits for the end of `child`, and ends it when `stop` is set; then there is no status.
fn wait(mut child: Child, stop: &AtomicBool) -> io::Result<Option<ExitStatus>> {
    loop {
        let status = child.try_wait()?;
        if status.is_none_or(|status| !status.success()) {
            // Ctrl-C reaches the command as well, perhaps before this process hears of it.
            thread::sleep(POLL);
        }
        if stop.load(Ordering::Relaxed) {
            // An error means that it has ended already.
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        if status.is_some() {
            return Ok(status);
        }
    }
}
