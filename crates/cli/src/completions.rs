//! `completions`: what a shell needs to complete verbs and options.

use clap::Command;
use clap_complete::{Shell, generate};
use cli::{EXIT_HOLDS, print};

/// Prints completions of verbs and options for a shell
///
/// For example: imagenet-eval completions bash > ~/.local/share/bash-completion/completions/imagenet-eval
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(args: &Args, mut command: Command) -> anyhow::Result<u8> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(args.shell, &mut command, name, &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(EXIT_HOLDS)
}
