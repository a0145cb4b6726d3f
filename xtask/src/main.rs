//! The command line of imagenet-eval: `cargo xtask VERB`. Thin: each verb is a file that reads its
//! options, calls a library and prints.

mod compare;
mod complexity;
mod conclusion;
mod dataset;
mod eval;
mod merge;
mod no_memory;
mod options;
mod output;
mod parity;
mod process;
mod progress;
mod score;
mod steps;
mod tidy;
mod validate;
mod weights;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The system's allocator spends a third of an evaluation in page faults: feature maps of tens of
/// megabytes come and go with every layer. Where there is no memory, the process ends with a sentence.
#[global_allocator]
static ALLOCATOR: kernels::LastWord<mimalloc::MiMalloc> =
    kernels::LastWord::new(mimalloc::MiMalloc, no_memory::end);

/// Measures image classifiers on the ILSVRC2012 validation set and says, figure by figure, whether a
/// documented accuracy table holds.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 all verdicts hold; 1 a figure is not reproduced or a check fails; 2 the command, \
a file or the data is wrong; 130 interrupted.";

#[derive(Subcommand)]
enum Verb {
    Eval(eval::Args),
    Parity(parity::Args),
    Complexity(complexity::Args),
    Compare(compare::Args),
    Dataset(dataset::Args),
    Merge(merge::Args),
    Score(score::Args),
    Weights(weights::Args),
    Validate(validate::Args),
}

/// All verdicts hold.
const EXIT_HOLDS: u8 = 0;
/// A figure is not reproduced, or a check fails.
const EXIT_DIFFERS: u8 = 1;
/// The command, a file or the data is wrong.
const EXIT_WRONG: u8 = 2;
/// Stopped by a signal.
const EXIT_INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Eval(args) => eval::run(args),
        Verb::Parity(args) => parity::run(&args),
        Verb::Complexity(args) => complexity::run(&args),
        Verb::Score(args) => score::run(&args),
        Verb::Dataset(args) => dataset::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Merge(args) => merge::run(&args),
        Verb::Weights(args) => weights::run(&args),
        Verb::Validate(args) => validate::run(&args),
    };
    result
        .unwrap_or_else(|error| {
            output::error(&error);
            EXIT_WRONG
        })
        .into()
}
