//! `merge`: the shards of one evaluation into one run.

use std::path::PathBuf;

use crate::conclusion::conclude;
use crate::options::CatalogArgs;
use crate::process::command_line;

/// Makes one run of the shards of an evaluation
///
/// Give the run directory of every shard, in any order. Accuracies are computed from their prediction
/// logs again; results.csv is, but for the times, what one run over all images writes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The run directories of all shards (eval --shard I/N --out RUN)
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,

    /// The run directory to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Start over, deleting what an earlier run left in --out
    #[arg(long)]
    fresh: bool,

    #[command(flatten)]
    catalog: CatalogArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let catalog = args.catalog.load()?;
    let command = command_line();
    let record = eval::merge::merge(&args.runs, &args.out, args.fresh, &catalog, command)?;
    conclude(&eval::Outcome { record }, &args.out)
}
