//! A run from its start to its files: what it writes, how it goes on after any interruption, what it
//! refuses. Real images and the real network; few images, since one takes a while in a test build.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Tensor;
use cards::FigureName;
use dataset::labels::LabelSet;
use eval::logs::predictions::{self, Prediction};
use eval::metrics::TopK;
use eval::pixels::{Pixels, TarDigests, VAL_TAR_MD5};
use eval::plan::{RecipeArg, Request};
use eval::provenance::Invocation;
use eval::record::{RunRecord, RunState};
use eval::run_dir::{RunDir, RunIdentity};
use eval::stored::StoredRun;
use eval::verdict::Verdict;
use eval::weights::WeightsArg;
use eval::weights::WeightsSource;
use eval::{
    Definitions, EvalError, LoadedModel, Networks, Outcome, Plan, PlannedModel, Progress, Remedy, Sample,
    Shard, Standing, evaluate, explain,
};
use models::{Classifier, DeviceName, Dtype, Executable, Forward, Isa, Products};

mod directories;
mod explanation;
mod finished;
mod memory;
mod mending;
mod phases;
mod photographs;
mod recheck;
mod recipes;
mod results;
mod resumption;
mod sample;
mod shards;
mod stored;
mod warnings;

const MODEL: &str = "timm/xception";
const IMAGES: usize = 5;

/// What a test varies.
#[derive(Default)]
struct Options<'a> {
    data: Option<&'a Path>,
    labels: Option<&'a Path>,
    weights: Vec<WeightsArg>,
    card: bool,
    /// A recipe by its keys.
    keys: Option<&'a str>,
    batch: Option<usize>,
    limit: Option<usize>,
    dtype: Dtype,
    label_set: LabelSet,
    tar_digests: Option<TarDigests>,
    sample: Option<Sample>,
    shard: Option<Shard>,
    tolerance_pp: Option<f64>,
}

fn plan(options: &Options<'_>) -> Result<Plan, EvalError> {
    plan_of(&Definitions::built_in(), MODEL, options)
}

fn plan_of(definitions: &Definitions, model: &str, options: &Options<'_>) -> Result<Plan, EvalError> {
    Plan::new(Request {
        definitions,
        cards: &[],
        patterns: &[model.to_owned()],
        onnx: &[],
        recipe: match options.keys {
            Some(keys) => RecipeArg::Stated(keys.to_owned()),
            None if options.card => RecipeArg::Card,
            None => RecipeArg::Source,
        },
        weights: &options.weights,
        weights_may_be_absent: false,
        data: options.data,
        labels: options.labels,
        limit: options.limit.or(options.sample.is_none().then_some(IMAGES)),
        label_set: options.label_set,
        tar_digests: options.tar_digests.clone(),
        sample: options.sample,
        shard: options.shard,
        device: DeviceName::Flex,
        dtype: options.dtype,
        isa: None,
        recheck: None,
        batch: options.batch.unwrap_or(2),
        threads: 2,
        tolerance_pp: options.tolerance_pp,
        invocation: invocation(),
    })
}

fn invocation() -> Invocation {
    Invocation { command: vec!["test".to_owned()], git_revision: "abcdef0123456789".to_owned() }
}

/// Stops a run after a number of images, as Ctrl-C would.
struct StopAfter<'a> {
    images: usize,
    stop: &'a AtomicBool,
    errors: Vec<String>,
}

impl Progress for StopAfter<'_> {
    fn model(&mut self, _planned: &PlannedModel, _loaded: Option<&LoadedModel>) {}

    fn start(&mut self, _done: usize, _total: usize) {}

    fn image(&mut self, _top1_pct: f64) {
        self.images = self.images.saturating_sub(1);
        if self.images == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn error(&mut self, image: &str, error: &str) {
        self.errors.push(format!("{image}: {error}"));
    }

    fn smaller_batches(&mut self, id: &str, batch: usize) {
        self.errors.push(format!("{id}: batches of {batch}"));
    }

    fn fewer_at_once(&mut self, images: usize, threads: usize) {
        self.errors.push(format!("{images} at once beside {threads} threads"));
    }

    fn finish(&mut self) {}
}

fn run_until(plan: &Plan, path: &Path, images: usize) -> Result<Outcome, EvalError> {
    run_with(plan, &mut Networks::of(plan), path, images)
}

fn run_with(
    plan: &Plan,
    networks: &mut Networks<'_>,
    path: &Path,
    images: usize,
) -> Result<Outcome, EvalError> {
    let mut dir = RunDir::open(path, &RunIdentity::of_plan(plan), false)?;
    let stop = AtomicBool::new(false);
    evaluate(plan, &mut dir, networks, &stop, &mut StopAfter { images, stop: &stop, errors: Vec::new() })
}

/// A run that starts over in `path` and is stopped before its first image.
fn started_over(plan: &Plan, path: &Path) -> Result<Outcome, EvalError> {
    let mut dir = RunDir::open(path, &RunIdentity::of_plan(plan), true)?;
    let stop = AtomicBool::new(true);
    let mut progress = StopAfter { images: usize::MAX, stop: &stop, errors: Vec::new() };
    evaluate(plan, &mut dir, &mut Networks::of(plan), &stop, &mut progress)
}

fn run(plan: &Plan, path: &Path) -> Result<Outcome, EvalError> {
    run_until(plan, path, usize::MAX)
}

fn log(path: &Path) -> Vec<Prediction> {
    predictions::read(&path.join("predictions/timm-xception.csv")).unwrap()
}

/// `results.csv` without its two columns of times.
fn results(path: &Path) -> String {
    let text = fs::read_to_string(path.join("results.csv")).unwrap();
    let untimed = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let (seconds, verdict) = (cells.len() - 3, cells.len() - 1);
        [&cells[..seconds], &cells[verdict..]].concat().join(",")
    };
    text.lines().map(untimed).collect::<Vec<_>>().join("\n")
}

/// The embedded sample as files, named like ILSVRC2012's so that their labels are known.
fn sample_as_files(folder: &Path, images: usize) {
    let sample = dataset::Dataset::sample();
    fs::create_dir_all(folder).unwrap();
    for index in 0..images {
        let name = format!("ILSVRC2012_val_{:08}.JPEG", index + 1);
        fs::write(folder.join(name), sample.read(index).unwrap()).unwrap();
    }
}
