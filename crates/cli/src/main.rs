//! `imagenet-eval`: the program alone, which needs no checkout. Beside the verbs it writes completions for a shell and manual
//! pages.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use cli::{Program, Verb};

mod completions;
mod man;

/// Measures image classifiers on the ILSVRC2012 validation set and says, figure by figure, whether a
/// documented accuracy table holds.
#[derive(Parser)]
#[command(name = "imagenet-eval", version = cli::VERSION, after_help = cli::EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    verb: Own,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, once")]
enum Own {
    #[command(flatten)]
    Shared(Verb),
    Completions(completions::Args),
    Man(man::Args),
}

fn main() -> ExitCode {
    cli::main(Program::Alone, || match Arguments::parse().verb {
        Own::Shared(verb) => verb.run(),
        Own::Completions(args) => completions::run(&args, Arguments::command()),
        Own::Man(args) => man::run(&args, Arguments::command()),
    })
}
