//! `card`: what is claimed of models: the cards that are known, tables of others made into cards, and measured figures written
//! back into the form of such tables.

mod foreign;
mod show;

use std::path::PathBuf;

use crate::options::CatalogArgs;

/// Cards: tables of what is claimed of models
///
/// A card is a TOML file (docs/cards.md). eval --card measures the models of one, and claims.csv has what is to be said of every
/// claim.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// The cards that are known: names, titles, and how many of their rows can be measured here
    List(ListArgs),
    /// What a card claims, row by row, with its rules and errata, and of what it cannot be measured
    Show(ShowArgs),
    /// Makes a card of a table of others: Markdown as VastModelZOO's pages, timm's results-imagenet.csv, mmpretrain's metafile.yml
    ///
    /// What cannot be read is said by line. No such table says by which rule it counted FLOPs and parameters: --flops-rule and
    /// --params-rule do, or the rules are "unstated" and the figures not comparable.
    ///
    /// Exit codes: 0 everything was read, 1 some rows or figures were not, 2 nothing was.
    Read(foreign::ReadArgs),
    /// Writes the measured figures of a run in the form of a table of others, with where they are from
    ///
    /// Accuracies of seeded weights and of the embedded sample are left out, and FLOPs and parameters that no card claims by a
    /// rule: what is left out is said.
    Write(foreign::WriteArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    catalog: CatalogArgs,
}

#[derive(clap::Args)]
struct ShowArgs {
    /// A card's name, or its file
    #[arg(value_name = "NAME_OR_FILE")]
    card: String,

    #[command(flatten)]
    catalog: CatalogArgs,
}

/// Where a text goes: a file, or standard output.
#[derive(clap::Args)]
struct Out {
    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    match &args.action {
        Action::List(args) => show::list(&args.catalog.load()?),
        Action::Show(args) => {
            let (definitions, names) = args.catalog.load_with(std::slice::from_ref(&args.card))?;
            show::show(&definitions, &names)
        }
        Action::Read(args) => foreign::read(args),
        Action::Write(args) => foreign::write(args),
    }
}
