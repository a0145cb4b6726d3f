//! `compare`: a run against the documented table, or against another run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cards::FigureName;
use dataset::labels::described;
use eval::Definitions;
use eval::metrics::percentage;
use eval::record::AccuracyTolerance;
use eval::report::Style;
use eval::stored::StoredRun;
use eval::stored::compare::{Comparison, Flips, ModelComparison, Over};
use eval::stored::gate::{Gate, GateResult};

use crate::conclusion::{require, require_comparable, show};
use crate::options::{JudgedBy, tolerance};
use crate::{EXIT_DIFFERS, EXIT_HOLDS, output};

/// What `--against` says when it names no run.
const DOCUMENTED: &str = "documented";

/// Flips and classes that are shown; `--flips` writes all.
const SHOWN: usize = 10;

/// Compares a run with the documented table, or with another run
///
/// Against the documented table, accuracies are counted from the prediction logs again and judged by the
/// cards of the day, so that another --tolerance, --card or --catalog needs no new evaluation.
///
/// Against another run, the images that changed sides are named, by top-1 and by top-5; McNemar's exact p says how likely
/// flips so uneven are if both runs are equally good. The exit code is 1 when an accuracy differs by more than
/// the tolerance, in either direction; with --max-drop or --at-least-pct-of when it falls below that, and a gain fails nothing.
/// Both runs have to be over the same images.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A run directory
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// documented, or another run directory
    #[arg(long, value_name = "documented|RUN", default_value = DOCUMENTED)]
    against: PathBuf,

    /// How far an accuracy may lie from the other, in percentage points [default: the card's]
    #[arg(long, value_name = "PP", value_parser = tolerance, allow_negative_numbers = true)]
    tolerance: Option<f64>,

    /// Against a run: how far an accuracy may drop, in percentage points; however much it gains
    #[arg(long, value_name = "PP", value_parser = tolerance, conflicts_with = "tolerance", allow_negative_numbers = true)]
    max_drop: Option<f64>,

    /// Take the images for a sample: --max-drop holds where the drop is below it with this confidence, in per cent (one-sided,
    /// paired by image; Tango's score interval). Few images show little, and fail
    #[arg(long, value_name = "C", value_parser = confidence, requires = "max_drop", allow_negative_numbers = true)]
    confidence: Option<f64>,

    /// Against a run: an accuracy has to be at least so many per cent of the other (99 is MLPerf's rule for reduced precision)
    #[arg(long, value_name = "P", value_parser = share, conflicts_with_all = ["tolerance", "max_drop"], allow_negative_numbers = true)]
    at_least_pct_of: Option<f64>,

    /// Write every image that changed sides to a CSV file; its column k is 1 where the best class did, 5 where the best five
    #[arg(long, value_name = "FILE")]
    flips: Option<PathBuf>,

    /// Compare runs over different images all the same, by the images that both have
    #[arg(long)]
    shared: bool,

    /// Exit with 1 where a documented accuracy, FLOPs or parameters could not be compared; against a run, where a model or an
    /// image is in only one of them
    #[arg(long)]
    require_comparable: bool,

    #[command(flatten)]
    judged_by: JudgedBy,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let (definitions, cards) = args.judged_by.load()?;
    let run = StoredRun::open(&args.run)?;
    if args.against == Path::new(DOCUMENTED) {
        if args.flips.is_some() {
            anyhow::bail!(
                "--flips goes with --against RUN: the documented table does not say which images are right"
            );
        }
        if args.shared {
            anyhow::bail!("--shared goes with --against RUN: the documented table is about all images");
        }
        if args.max_drop.is_some() || args.at_least_pct_of.is_some() {
            anyhow::bail!(
                "--max-drop and --at-least-pct-of go with --against RUN: they compare image by image, and the documented table \
                 has none. How far an accuracy may lie from a documented one is --tolerance"
            );
        }
        let record = run.judged(&definitions, &cards, args.tolerance)?;
        return require_comparable(args.require_comparable, &record, show(&record, "")?);
    }
    let against = StoredRun::open(&args.against)?;
    let over = if args.shared { Over::Shared } else { Over::All };
    let comparison = eval::stored::compare::compare(&run, &against, over)?;
    let of = |model| Gates::of(model, args, (&definitions, &cards));
    let gates: Vec<Gates> = comparison.models.iter().map(of).collect();
    if let Some(path) = &args.flips {
        write_flips(path, &comparison).with_context(|| format!("cannot write {}", path.display()))?;
    }
    output::print(&text(&comparison, &gates))?;
    let differs = gates.iter().any(|gates| !gates.top1.holds || !gates.top5.holds);
    require(
        args.require_comparable,
        &not_compared(&comparison),
        if differs { EXIT_DIFFERS } else { EXIT_HOLDS },
    )
}

/// What only one of the runs has.
fn not_compared(comparison: &Comparison) -> Vec<String> {
    let apart = comparison.models.iter().filter(|model| !model.over_the_same_images());
    let images = apart.map(|model| {
        let ModelComparison { id, images, against_images, shared, .. } = model;
        format!("{id}: {shared} images are in both runs, of {images} and {against_images}")
    });
    comparison.only_in_one.iter().cloned().chain(images).collect()
}

/// What the gate says of a model's accuracies.
struct Gates {
    top1: GateResult,
    top5: GateResult,
}

impl Gates {
    /// The tolerance is that of the first of the cards that claims something of the model; one of which nothing is claimed has
    /// that which holds for all.
    fn of(model: &ModelComparison, args: &Args, (definitions, cards): (&Definitions, &[String])) -> Self {
        let tolerance = AccuracyTolerance::new(args.tolerance);
        let entry = definitions.catalog().get(&model.id);
        let claims = entry.map(|entry| definitions.claims_of(entry)).unwrap_or_default();
        let is_selected = |claim: &&eval::Claim<'_>| cards.is_empty() || cards.contains(&claim.card.name);
        let claim = claims.iter().find(is_selected);
        let gate = |figure| match (args.max_drop, args.at_least_pct_of) {
            (Some(drop_pp), _) => Gate::MaxDrop { drop_pp, confidence_pct: args.confidence },
            (None, Some(share_pct)) => Gate::AtLeastPctOf { share_pct },
            (None, None) => Gate::Within {
                tolerance_pp: claim.map_or(tolerance.tolerance_pp, |claim| tolerance.of(claim, figure)),
            },
        };
        Self {
            top1: gate(FigureName::Top1Pct).judge(model.top1_paired()),
            top5: gate(FigureName::Top5Pct).judge(model.top5_paired()),
        }
    }
}

/// Reads `--confidence`.
fn confidence(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (50.0..100.0).contains(&value) => Ok(value),
        _ => Err("a number of per cent from 50 to below 100 is needed, such as 95".to_owned()),
    }
}

/// Reads `--at-least-pct-of`.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 100.0 => Ok(value),
        _ => Err("a number of per cent above 0 and up to 100 is needed, such as 99".to_owned()),
    }
}

fn text(comparison: &Comparison, gates: &[Gates]) -> String {
    let header = ["model", "figure", "run", "against", "change", "flips", "McNemar's p", "gate"];
    let mut table = Style::Terminal.table(&header);
    for (model, gate) in comparison.models.iter().zip(gates) {
        let pct =
            |hits| format!("{:.3} % ({hits}/{})", percentage(hits, model.hits.images), model.hits.images);
        let flips = |flips: &Flips| {
            let (gained, lost) = flips.gained_and_lost();
            (format!("+{gained} -{lost}"), format!("{:.3}", flips.mcnemar_p()))
        };
        let (top1, top5) = (flips(&model.top1), flips(&model.top5));
        table.add_row([
            model.id.clone(),
            "top-1".to_owned(),
            pct(model.hits.top1),
            pct(model.against_hits.top1),
            format!("{:+.3} pp", model.top1_change_pp()),
            top1.0,
            top1.1,
            gate.top1.words.clone(),
        ]);
        table.add_row([
            String::new(),
            "top-5".to_owned(),
            pct(model.hits.top5),
            pct(model.against_hits.top5),
            format!("{:+.3} pp", model.top5_change_pp()),
            top5.0,
            top5.1,
            gate.top5.words.clone(),
        ]);
    }
    let mut text: String = table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect();
    for model in &comparison.models {
        describe(&mut text, model);
    }
    for note in &comparison.notes {
        let _ = writeln!(text, "{note}");
    }
    text
}

/// What changed for one model, in words.
fn describe(text: &mut String, model: &ModelComparison) {
    if model.top5_changed == 0 {
        let shared = model.shared;
        let same = "the same five classes in the same order for every image";
        let _ = writeln!(text, "{}: {same}, {shared} in all.", model.id);
        return;
    }
    let _ = writeln!(
        text,
        "{}: of {} images, another best class for {}, other five or another order for {}.",
        model.id, model.shared, model.best_class_changed, model.top5_changed
    );
    let class = |class: Option<u16>| class.map_or_else(|| "no prediction".to_owned(), described);
    for (figure, flips) in [("top-1", &model.top1.0), ("top-5", &model.top5.0)] {
        for flip in flips.iter().take(SHOWN) {
            let side = if flip.gained { "gained" } else { "lost" };
            let (image, here, there) = (&flip.image, class(flip.class), class(flip.against_class));
            let label = described(flip.label);
            let _ = writeln!(text, "  {figure} {side} {image}: {here}, was {there}; label {label}");
        }
        if flips.len() > SHOWN {
            let more = flips.len() - SHOWN;
            let _ = writeln!(text, "  and {more} more by {figure}; --flips FILE writes all");
        }
    }
    for change in model.classes.iter().take(SHOWN) {
        let difference = change.hits as i64 - change.against_hits as i64;
        let (class, images) = (described(change.class), change.images);
        let _ = writeln!(text, "  class {class}: {difference:+} of {images} images");
    }
    if model.classes.len() > SHOWN {
        let _ = writeln!(text, "  and {} more classes", model.classes.len() - SHOWN);
    }
}

fn write_flips(path: &Path, comparison: &Comparison) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(["id", "image", "label", "class", "against_class", "change", "k"])?;
    let class = |class: Option<u16>| class.map(|class| class.to_string()).unwrap_or_default();
    for model in &comparison.models {
        for (k, flips) in [("1", &model.top1), ("5", &model.top5)] {
            for flip in &flips.0 {
                writer.write_record([
                    model.id.as_str(),
                    flip.image.as_str(),
                    &flip.label.to_string(),
                    &class(flip.class),
                    &class(flip.against_class),
                    if flip.gained { "gained" } else { "lost" },
                    k,
                ])?;
            }
        }
    }
    writer.flush()?;
    Ok(())
}
