//! `eval`: the main job, from files on disk to a table with verdicts.

mod plan;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use clap::value_parser;
use dataset::labels::LabelSet;
use eval::pixels::TarDigests;
use eval::plan::{RecipeArg, Request};
use eval::record::RunRecord;
use eval::record::explanation::Explanation;
use eval::run_dir::{RunDir, RunIdentity};
use eval::sample::FIRST_LOOK;
use eval::weights::WeightsArg;
use eval::{EvalError, Networks, Plan, Recheck, Sample, Shard, evaluate, explain, provenance};
use models::{DeviceName, Dtype, Isa};

use crate::conclusion::{conclude, require_comparable};
use crate::options::{CatalogArgs, tolerance};
use crate::output::note;
use crate::process::{checkout, invocation, processors, stop_on_signal};
use crate::progress::{Count, Watch};
use crate::{EXIT_HOLDS, EXIT_INTERRUPTED, output};

/// Evaluates models and compares every figure with the documented one
///
/// Without --data, the embedded sample of 24 drawn images is evaluated with seeded weights: that
/// exercises everything and checks FLOPs and parameters, but says nothing about accuracies. With
/// --data, published weights are used unless --weights says otherwise.
///
/// A run that was interrupted, or killed, goes on where it stopped when the same command is given
/// again.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("select").required(true).multiple(true))]
pub(crate) struct Args {
    /// All models of the documented table (the card xception), and of --catalog; others are named, such as timm/resnet18
    #[arg(long, group = "select", conflicts_with_all = ["model", "card", "onnx"])]
    all: bool,

    /// A model by id or glob, such as timm/xception or 'timm/*'; may be repeated
    #[arg(long, value_name = "ID_OR_GLOB", group = "select", conflicts_with = "card")]
    model: Vec<String>,

    /// The models that a card has rows of, judged by it: its name (`card list`) or its file (docs/cards.md); may be repeated.
    /// Rows of models that are not here are named as not measured
    #[arg(long, value_name = "NAME_OR_FILE", group = "select")]
    card: Vec<String>,

    /// An ONNX file with the 1000 classes of ILSVRC2012, or a folder of them; may be repeated. Its id is onnx/<stem>, its recipe
    /// --recipe, else that in <stem>.toml beside it (docs/onnx.md)
    #[arg(long, value_name = "PATH", group = "select", conflicts_with = "card")]
    onnx: Vec<PathBuf>,

    /// ILSVRC2012 validation images: a flat folder, a folder a class (WNID or class index), Kaggle's
    /// tree, ILSVRC2012_img_val.tar or Hugging Face's parquet files (read in place), or a list file
    /// [default: the environment variable IMAGENET_DATA, else the embedded sample]
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,

    /// A list of labels to use instead of what is found with the images: `name label` lines, one label
    /// a line in the order of file names, or the development kit's ground truth
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// Digests of the images of ILSVRC2012_img_val.tar, from `dataset check TAR --write-digests FILE`: whether the images are those by their bytes is
    /// part of a verdict [default: what `dataset check TAR` left in the cache]
    #[arg(long, value_name = "FILE")]
    digests: Option<PathBuf>,

    /// Labels to score by: original, or real (ReaL, several right classes an image; images without one
    /// leave the denominator)
    #[arg(long, value_name = "SET", default_value_t)]
    label_set: LabelSet,

    /// pretrained, seeded, a file, a folder with a file a model, or ID=FILE; may be repeated
    /// [default: pretrained with --data, seeded on the sample]
    #[arg(long, value_name = "WEIGHTS")]
    weights: Vec<WeightsArg>,

    /// source (each model's own, or that of the card's row), card (the one that the selected card's page states for all its rows;
    /// without --card the table's, 342 pixels, bilinear), or one for all models: a recipe's name (docs/recipes.md, or
    /// one of --catalog), its keys, as in
    /// resize=short:256,filter=pil-bilinear,crop=224,mean=imagenet,std=imagenet, or a file that states one: timm's
    /// config.json, Hugging Face's preprocessor_config.json, VastModelZOO's *-vdsp_params.json, or keys in TOML
    #[arg(long, value_name = "RECIPE", default_value = "source")]
    recipe: String,

    /// Where to compute: flex; ndarray, wgpu, vulkan or cuda, where they are built in
    #[arg(long, value_name = "NAME", default_value_t = DeviceName::Flex)]
    device: DeviceName,

    /// What to compute in: f32, or where the device has it f16 (GPUs) and bf16 (GPUs, CPUs with AVX512-BF16).
    /// Accuracies move a little with the others: `compare RUN --against RUN` counts the images that flip
    #[arg(long, value_name = "TYPE", default_value_t = Dtype::F32)]
    dtype: Dtype,

    /// With --dtype bf16 or f16: hits of f32 at a lower price. Images whose label lies near the first or fifth place are computed again in
    /// f32, and so is a random part of the others, which tells how many hits may be missed (docs/recheck.md)
    #[arg(long)]
    recheck: bool,

    /// With --recheck: how much of the other images is computed again, in per cent. A finished run goes on with a larger one
    #[arg(long, value_name = "PCT", value_parser = audit, allow_negative_numbers = true, default_value_t = Recheck::AUDIT_PCT, requires = "recheck")]
    audit: f64,

    /// The instructions of the kernels on the CPU: avx512, avx512bf16 (for --dtype bf16), avx2, neon, portable [default: the
    /// fastest that this CPU has]
    #[arg(long, value_name = "NAME")]
    isa: Option<Isa>,

    /// Images a batch
    #[arg(long, value_name = "N", default_value = "8", value_parser = value_parser!(u16).range(1..=1024))]
    batch: u16,

    /// Threads that decode images, and on the CPU compute as well [default: one a processor]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Only the first N images, in the order of their names: in folders a class, those of the first classes. Of all classes
    /// are those of --shard 1/N
    #[arg(long, value_name = "N")]
    limit: Option<NonZero<usize>>,

    /// Only a random sample of N of the 50,000 images, as many of each class, the same on every machine for a SEED [default: 0].
    /// It can refute an accuracy, and never reproduces one (docs/samples.md). --data has to be the whole set
    #[arg(long, value_name = "N[:SEED]", conflicts_with = "limit")]
    sample: Option<Sample>,

    /// `decided`: a random sample that grows by half at a time until each model has an accuracy that is refuted, or all 50,000 images were
    /// evaluated. It begins with --sample, else with 200 images of seed 0
    #[arg(long, value_name = "WHAT", value_parser = ["decided"], conflicts_with_all = ["limit", "shard"])]
    until: Option<String>,

    /// With --until: it is enough to exclude differences above so many percentage points
    #[arg(long, value_name = "PP", value_parser = tolerance, allow_negative_numbers = true, requires = "until")]
    precision: Option<f64>,

    /// Only part I of N of the images, counted from 1: every N-th, of a --sample every N-th of that. `merge` makes one run of all parts
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// The run directory [default: reports/runs/YYYYMMDDThhmmssZ]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Start over, deleting what an earlier run left in --out
    #[arg(long)]
    fresh: bool,

    /// While another process writes to --out, wait for it instead of ending with an error. A requeued job may stand beside
    /// one that a lost node still computes
    #[arg(long)]
    wait: bool,

    /// Never use the network: published weights that are not cached are an error instead of a download
    #[arg(long)]
    offline: bool,

    /// For each model whose accuracy is not reproduced or not comparable, try N images [default: 200] again with one factor of the
    /// recipe swapped at a time (decoder, filter, resize, crop, offset, normalisation, channels, other recipes), and show
    /// what each moves
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "200")]
    explain: Option<NonZero<usize>>,

    /// How far an accuracy over all 50,000 images may lie from the printed one, in percentage points
    /// [default: the card's]
    #[arg(long, value_name = "PP", value_parser = tolerance, allow_negative_numbers = true)]
    tolerance: Option<f64>,

    /// Exit with 1 where a documented figure could not be compared, or a model has no documented accuracy: a gate must
    /// not be green because nothing was measured
    #[arg(long)]
    require_comparable: bool,

    /// Resolve everything, print what would run, and end: nothing is computed, downloaded, made or changed. What is wrong is
    /// said as it would be by the run itself (exit code 2). No lock is taken: whether another process is writing to --out does not show
    #[arg(long)]
    plan: bool,

    #[command(flatten)]
    catalog: CatalogArgs,
}

pub(crate) fn run(args: Args) -> anyhow::Result<u8> {
    let (definitions, cards) = args.catalog.load_with(&args.card)?;
    let data = args.data.or_else(data_from_environment);
    if data.is_none() && args.labels.is_some() {
        bail!("--labels goes with --data: the embedded sample has its labels");
    }
    let sample = match (&args.until, args.sample) {
        (Some(_), sample) => {
            let first = sample.map_or_else(|| Sample::new(FIRST_LOOK, 0), Ok).map_err(anyhow::Error::msg)?;
            Some(first.growing(args.precision))
        }
        (None, sample) => sample,
    };
    let tar_digests = TarDigests::at_hand(args.digests.as_deref())?;
    let resolve = |weights_may_be_absent| {
        Plan::new(Request {
            definitions: &definitions,
            cards: &cards,
            patterns: &args.model,
            onnx: &args.onnx,
            recipe: match args.recipe.as_str() {
                "source" => RecipeArg::Source,
                "card" => RecipeArg::Card,
                text => RecipeArg::Stated(text.to_owned()),
            },
            weights: &args.weights,
            weights_may_be_absent,
            data: data.as_deref(),
            labels: args.labels.as_deref(),
            tar_digests: tar_digests.clone(),
            limit: args.limit.map(NonZero::get),
            sample,
            label_set: args.label_set,
            shard: args.shard,
            device: args.device,
            dtype: args.dtype,
            isa: args.isa,
            recheck: args.recheck.then_some(Recheck { audit_pct: args.audit }),
            batch: args.batch.into(),
            threads: args.threads.map_or_else(processors, usize::from),
            tolerance_pp: args.tolerance,
            invocation: invocation(),
        })
    };
    let runs = checkout().join("reports").join("runs");
    // Shards often start in the same second.
    let shard = args.shard.map(|shard| format!("-shard-{}-of-{}", shard.index(), shard.count()));
    let place = |plan: &Plan, time: &str| {
        let identity = RunIdentity::of_plan(plan);
        let unfinished = || RunDir::find_unfinished(&runs, &identity, &plan.environment);
        let known = args.out.clone().or_else(|| if args.fresh { None } else { unfinished() });
        let new = || runs.join(time.to_owned() + shard.as_deref().unwrap_or_default());
        (known.unwrap_or_else(new), identity)
    };
    let mut plan = resolve(!args.offline)?;
    if args.plan {
        let (path, identity) = place(&plan, "<UTC time>");
        let out = plan::Out { path, fresh: args.fresh };
        let explain = args.explain.map(NonZero::get);
        output::print(&plan::text(&plan, &identity, &out, explain)?)?;
        return Ok(EXIT_HOLDS);
    }
    let time = provenance::utc_folder_name();
    if plan.absent().next().is_some() {
        // Nobody should wait for a gigabyte to read that something else is wrong.
        let (path, identity) = place(&plan, &time);
        RunDir::look(&path, &identity, args.fresh)?;
        plan.absent().try_for_each(crate::weights::fetch)?;
        plan = resolve(false)?;
    }
    let (path, identity) = place(&plan, &time);
    let stop = stop_on_signal("Stopping after the batch at hand; once more to stop at once.")?;
    let Some(mut dir) = open(&path, &identity, args.fresh, args.wait, &stop)? else {
        return Ok(EXIT_INTERRUPTED);
    };
    introduce(&plan);

    let mut networks = Networks::of(&plan);
    let mut outcome = evaluate(&plan, &mut dir, &mut networks, &stop, &mut Watch::new(&plan.placement))?;
    let mut explained = true;
    if let (Some(images), false) = (args.explain, outcome.interrupted()) {
        explained = explain_all((&plan, &mut networks), &dir, &mut outcome.record, images.get(), &stop)?;
    }
    let code = conclude(&outcome, dir.path())?;
    let code = require_comparable(args.require_comparable, &outcome.record, code)?;
    Ok(if explained { code } else { EXIT_INTERRUPTED })
}

/// Opens the run directory; with `wait`, once the process that writes there has ended. None when it was stopped while it
/// waited.
fn open(
    path: &Path,
    identity: &RunIdentity,
    fresh: bool,
    wait: bool,
    stop: &AtomicBool,
) -> anyhow::Result<Option<RunDir>> {
    let mut waited_for = String::new();
    let opened = RunDir::open_waiting(path, identity, fresh, &mut |holder| {
        if wait && waited_for != holder {
            note(&format!(
                "Waiting for another evaluation that is writing to {} ({holder}). Ctrl-C ends the waiting.",
                path.display()
            ));
            holder.clone_into(&mut waited_for);
        }
        wait && !stop.load(Ordering::Relaxed)
    });
    match opened {
        Err(EvalError::Locked { .. }) if wait && stop.load(Ordering::Relaxed) => {
            note("Interrupted while waiting; nothing was begun.");
            Ok(None)
        }
        opened => {
            let dir = opened?;
            if !waited_for.is_empty() {
                note(&format!("{} is free; going on.", path.display()));
            }
            if wait && !dir.is_guarded() {
                note(&format!(
                    "warning: the file system of {} has no locks, so --wait does not notice another evaluation there",
                    path.display()
                ));
            }
            Ok(Some(dir))
        }
    }
}

/// Tries swaps for each model that is off, and writes what they did into the run's record and reports. False
/// when it was stopped before the end.
fn explain_all(
    (plan, networks): (&Plan, &mut Networks<'_>),
    dir: &RunDir,
    record: &mut RunRecord,
    images: usize,
    stop: &AtomicBool,
) -> anyhow::Result<bool> {
    for (index, planned) in plan.models.iter().enumerate() {
        let model = &record.models[index];
        if !explain::is_wanted(model) {
            continue;
        }
        let images = explain::images_tried(plan, images);
        // What was tried before stays.
        if model.explanation.as_ref().is_some_and(|explanation| explanation.is_of(images)) {
            continue;
        }
        note(&format!("{}: swapping one factor of recipe {} at a time", model.id, model.recipe));
        let mut count = Count::new(images);
        let network = (planned, &networks.load(index)?.classifier);
        let found = explain::explain(plan, dir, network, model, images, stop, &mut |_, _| count.image())?;
        count.finish();
        // Of two that came to no end the one with more images says more.
        let tried = |explanation: &Option<Explanation>| {
            explanation.as_ref().map_or(0, |it| if it.stopped_of.is_some() { it.images } else { u64::MAX })
        };
        if tried(&found) >= tried(&model.explanation) && found.is_some() {
            record.models[index].explanation = found;
            // Each is written as it comes: the next may fail, and costs as much.
            dir.write_reports_again(record, Some(&plan.dataset))?;
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(!stop.load(Ordering::Relaxed))
}

/// Says on what images models are about to be measured, on standard error like all that is not a result. Of each model
/// [`Watch`] says it, once its network is loaded.
fn introduce(plan: &Plan) {
    let images = plan.dataset.items().len();
    if plan.dataset.is_sample() {
        note(&format!("{images} images of the embedded sample (no --data and no IMAGENET_DATA)"));
    } else {
        let (layout, labels) = (plan.dataset.layout(), plan.dataset.label_source());
        note(&format!("{images} images from {} ({layout}; labels: {labels})", plan.dataset_record.path));
    }
    match plan.part.to_string() {
        part if part.is_empty() => {}
        part => note(&format!("{part}: {} of them", plan.part.size(images))),
    }
    if let Some(until) = plan.part.sample.and_then(|sample| sample.until) {
        let precise = until.precision_pp.map(|pp| format!(", or differences above {pp} points are excluded"));
        note(&format!("the sample grows until accuracies are refuted{}", precise.unwrap_or_default()));
    }
    for warning in plan.dataset.warnings() {
        note(&format!("warning: {warning}"));
    }
}

/// A part in per cent, more than none.
fn audit(text: &str) -> Result<f64, String> {
    let pct = text.parse().ok().filter(|pct| *pct > 0.0 && *pct <= 100.0);
    pct.ok_or_else(|| "a number above 0, of 100 at most, is needed: a part in per cent".to_owned())
}

/// `IMAGENET_DATA`, where an empty value is as good as none: CI systems set variables that are not.
fn data_from_environment() -> Option<PathBuf> {
    std::env::var_os("IMAGENET_DATA").filter(|value| !value.is_empty()).map(PathBuf::from)
}
