//! `cargo xtask VERB`: the program's verbs (crates/cli), and what only this repository needs.

mod steps;
mod tidy;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cli::{Program, Verb};

/// Measures image classifiers on the ILSVRC2012 validation set and says, figure by figure, whether a
/// documented accuracy table holds.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version = cli::VERSION, after_help = cli::EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    verb: Own,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, once")]
enum Own {
    #[command(flatten)]
    Shared(Verb),
    Validate(validate::Args),
}

fn main() -> ExitCode {
    cli::main(Program::Xtask, || match Arguments::parse().verb {
        Own::Shared(verb) => verb.run(),
        Own::Validate(args) => validate::run(&args),
    })
}
