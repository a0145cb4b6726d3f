//! The verbs of imagenet-eval. Thin: each is a file that reads its options, calls a library and prints. Two programs are made
//! of them: `imagenet-eval` (this crate's), and `cargo xtask`, which adds what only its repository needs.

mod card;
mod compare;
mod complexity;
mod conclusion;
mod dataset;
mod eval;
mod inspect;
mod merge;
mod no_memory;
mod options;
mod output;
mod parity;
mod prepare;
mod process;
mod program;
mod progress;
mod remedy;
mod score;
mod weights;

use std::process::ExitCode;

use clap::Subcommand;

pub use self::output::{note, print};
pub use self::process::{checkout, stop_on_signal};
pub use self::program::{Program, VERSION};

/// The system's allocator spends a third of an evaluation in page faults: feature maps of tens of
/// megabytes come and go with every layer. Where there is no memory, the process ends with a sentence.
#[global_allocator]
static ALLOCATOR: kernels::LastWord<mimalloc::MiMalloc> =
    kernels::LastWord::new(mimalloc::MiMalloc, no_memory::end);

/// What a verb's exit code says, for `--help`.
pub const EXIT_CODES: &str = "Exit codes: 0 all verdicts hold; 1 a figure is not reproduced or a check fails; 2 the command, \
a file or the data is wrong; 130 interrupted.";

/// Exit code: all verdicts hold.
pub const EXIT_HOLDS: u8 = 0;
/// Exit code: a figure is not reproduced, or a check fails.
pub const EXIT_DIFFERS: u8 = 1;
/// Exit code: the command, a file or the data is wrong.
pub const EXIT_WRONG: u8 = 2;
/// Exit code: stopped by a signal.
pub const EXIT_INTERRUPTED: u8 = 130;

/// A verb with its options, which `--help` explains.
#[derive(Subcommand)]
#[allow(missing_docs, reason = "what is said of a verb is its help, and stands with its options")]
#[allow(private_interfaces, reason = "a verb is parsed and run, and nothing else can be done with it")]
pub enum Verb {
    Eval(eval::Args),
    Parity(parity::Args),
    Prepare(prepare::Args),
    Complexity(complexity::Args),
    Inspect(inspect::Args),
    Card(card::Args),
    Compare(compare::Args),
    Dataset(dataset::Args),
    Merge(merge::Args),
    Score(score::Args),
    Weights(weights::Args),
}

impl Verb {
    /// Runs it and gives its exit code.
    ///
    /// # Errors
    /// What is wrong with the command, a file or the data: [`EXIT_WRONG`].
    pub fn run(self) -> anyhow::Result<u8> {
        match self {
            Self::Eval(args) => eval::run(args),
            Self::Parity(args) => parity::run(&args),
            Self::Prepare(args) => prepare::run(&args),
            Self::Complexity(args) => complexity::run(&args),
            Self::Inspect(args) => inspect::run(&args),
            Self::Score(args) => score::run(&args),
            Self::Dataset(args) => dataset::run(&args),
            Self::Card(args) => card::run(&args),
            Self::Compare(args) => compare::run(&args),
            Self::Merge(args) => merge::run(&args),
            Self::Weights(args) => weights::run(&args),
        }
    }
}

/// What a program does: `run` reads the command line and gives the exit code; its error is printed.
pub fn main(program: Program, run: impl FnOnce() -> anyhow::Result<u8>) -> ExitCode {
    program.is_running();
    run()
        .unwrap_or_else(|error| {
            output::error(&error);
            EXIT_WRONG
        })
        .into()
}
