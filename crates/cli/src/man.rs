//! `man`: manual pages, made of the same text as `--help`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Command;
use clap_mangen::Man;
use cli::{EXIT_HOLDS, print};

/// Prints the manual page, or writes one a verb into a folder
///
/// For example: imagenet-eval man --out ~/.local/share/man/man1
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write imagenet-eval.1 and a page a verb into this folder, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, mut command: Command) -> anyhow::Result<u8> {
    command.build();
    match &args.out {
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            print(&String::from_utf8(page)?)?;
        }
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
            let name = command.get_name().to_owned();
            write_pages(&command, &name, folder)?;
        }
    }
    Ok(EXIT_HOLDS)
}

/// A page of `command`, and one of each of its verbs, by the names that `man` looks for.
fn write_pages(command: &Command, name: &str, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    Man::new(command.clone().display_name(name.to_owned())).title(name).render(&mut page)?;
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        write_pages(verb, &format!("{name}-{}", verb.get_name()), folder)?;
    }
    Ok(())
}
