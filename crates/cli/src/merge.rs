//! `merge`: the shards of one evaluation into one run.

use std::path::PathBuf;

use anyhow::anyhow;
use eval::EvalError;
use eval::record::builds::differing_builds;
use eval::stored::StoredRun;

use crate::conclusion::conclude;
use crate::options::JudgedBy;
use crate::output::note;
use crate::process::invocation;

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

    /// The images that the shards were computed from, which need not lie where they did then: the report shows some. Without
    /// it, it has none
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,

    #[command(flatten)]
    judged_by: JudgedBy,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let (definitions, cards) = args.judged_by.load()?;
    check_all(&args.runs)?;
    let record = eval::stored::merge::merge(
        &args.runs,
        &args.out,
        args.fresh,
        (&definitions, &cards),
        args.data.as_deref(),
        invocation(),
    )?;
    if let Some(builds) = differing_builds(&record.sessions) {
        note(&format!("warning: {builds}"));
    }
    conclude(&eval::Outcome { record }, &args.out)
}

/// Whether every run is there and finished. What stands in the way is said of all of them at once: of a hundred shards,
/// some more are often to be evaluated again.
fn check_all(runs: &[PathBuf]) -> anyhow::Result<()> {
    let mut errors: Vec<EvalError> = runs.iter().filter_map(|run| StoredRun::open(run).err()).collect();
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0).into()),
        count => {
            let lines: String = errors.iter().map(|error| format!("\n  {error}")).collect();
            Err(anyhow!("{count} of {} runs cannot be merged:{lines}", runs.len()))
        }
    }
}
