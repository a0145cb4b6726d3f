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
/// the tolerance, in either direction. Both runs have to be over the same images.
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
        let record = run.judged(&definitions, &cards, args.tolerance)?;
        return require_comparable(args.require_comparable, &record, show(&record, "")?);
    }
    let against = StoredRun::open(&args.against)?;
    let over = if args.shared { Over::Shared } else { Over::All };
    let comparison = eval::stored::compare::compare(&run, &against, over)?;
    let gates: Vec<Gate> = (comparison.models.iter())
        .map(|model| Gate::of(&model.id, AccuracyTolerance::new(args.tolerance), (&definitions, &cards)))
        .collect();
    if let Some(path) = &args.flips {
        write_flips(path, &comparison).with_context(|| format!("cannot write {}", path.display()))?;
    }
    output::print(&text(&comparison, &gates))?;
    let differs = comparison.models.iter().zip(&gates).any(|(model, gate)| !gate.holds(model));
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

/// How far a model's accuracies may lie from the other run's, in percentage points.
struct Gate {
    top1_pp: f64,
    top5_pp: f64,
}

impl Gate {
    /// By the first of the cards that claims something of the model; one of which nothing is claimed has the tolerance that
    /// holds for all.
    fn of(id: &str, tolerance: AccuracyTolerance, (definitions, cards): (&Definitions, &[String])) -> Self {
        let model = definitions.catalog().get(id);
        let claims = model.map(|model| definitions.claims_of(model)).unwrap_or_default();
        let is_selected = |claim: &&eval::Claim<'_>| cards.is_empty() || cards.contains(&claim.card.name);
        let claim = claims.iter().find(is_selected);
        let of = |figure| claim.map_or(tolerance.tolerance_pp, |claim| tolerance.of(claim, figure));
        Self { top1_pp: of(FigureName::Top1Pct), top5_pp: of(FigureName::Top5Pct) }
    }

    fn holds(&self, model: &ModelComparison) -> bool {
        within(model.top1_change_pp(), self.top1_pp) && within(model.top5_change_pp(), self.top5_pp)
    }
}

fn within(change_pp: f64, tolerance_pp: f64) -> bool {
    change_pp.abs() <= tolerance_pp + 1e-9
}

fn gate_words(change_pp: f64, tolerance_pp: f64) -> String {
    let side = if within(change_pp, tolerance_pp) { "within" } else { "exceeded" };
    format!("{side} {tolerance_pp} pp")
}

fn text(comparison: &Comparison, gates: &[Gate]) -> String {
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
            gate_words(model.top1_change_pp(), gate.top1_pp),
        ]);
        table.add_row([
            String::new(),
            "top-5".to_owned(),
            pct(model.hits.top5),
            pct(model.against_hits.top5),
            format!("{:+.3} pp", model.top5_change_pp()),
            top5.0,
            top5.1,
            gate_words(model.top5_change_pp(), gate.top5_pp),
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
