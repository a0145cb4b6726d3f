//! `score`: accuracy of predictions made elsewhere.

use std::path::{Path, PathBuf};

use anyhow::bail;
use cards::FigureName;
use dataset::labels::LabelSet;
use dataset::{Dataset, KnownLabels};
use eval::Remedy;
use eval::metrics::wilson_interval_pct;
use eval::pixels::TarDigests;
use eval::record::AccuracyTolerance;
use eval::report::visible;
use eval::score::run::ScoreRun;
use eval::score::{Inputs, Judged, Score};
use eval::verdict::{Judgement, Verdict};

use crate::conclusion::require;
use crate::options::{JudgedBy, tolerance};
use crate::process::invocation;
use crate::{EXIT_DIFFERS, EXIT_HOLDS, output, remedy};

/// Scores predictions that another program made
///
/// FILE is a prediction log of this program; a CSV file of image,class rows (five classes a row, the
/// best first, give top-5), or one whose heading names its columns (image, label, prediction or class1 to class5); or
/// the five lines an image that VastModelZOO's eval_topk.py prints. Classes are
/// indices 0..999 in sorted WNID order, or WNIDs; class names are never looked at, since they are not
/// unique.
///
/// Images named ILSVRC2012_val_NNNNNNNN have known labels; others need --labels, --data, or a column with them. Labels
/// that are given have to be there for every image.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The predictions
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// A list of labels with names: `name label` lines
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// The images, in any layout that eval takes: labels come from there
    #[arg(long, value_name = "PATH", conflicts_with = "labels")]
    data: Option<PathBuf>,

    /// The manifest of `prepare`, or its folder: the predictions have to be of its images, all of them, the tensors beside it those that were
    /// prepared, and its recipe that of the documented accuracies
    #[arg(long, value_name = "MANIFEST", conflicts_with_all = ["labels", "data"])]
    manifest: Option<PathBuf>,

    /// Labels to score by: original, or real (ReaL, several right classes an image)
    #[arg(long, value_name = "SET", default_value_t)]
    label_set: LabelSet,

    /// Judge by what this model is documented with
    #[arg(long, value_name = "ID")]
    model: Option<String>,

    /// How far an accuracy may lie from the documented one, in percentage points [default: the card's]
    #[arg(long, value_name = "PP", value_parser = tolerance, allow_negative_numbers = true, requires = "model")]
    tolerance: Option<f64>,

    /// Exit with 1 where an accuracy that the model is documented with could not be compared
    #[arg(long)]
    require_comparable: bool,

    /// A run directory to write, as eval does: the predictions, results.csv and reports, for `compare`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Start over, deleting what an earlier run left in --out
    #[arg(long, requires = "out")]
    fresh: bool,

    #[command(flatten)]
    judged_by: JudgedBy,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let (definitions, cards) = args.judged_by.load()?;
    let of_card = match &args.model {
        Some(id) => eval::onnx::of_card(&definitions, &cards, id)?,
        None => None,
    };
    let documented = match &args.model {
        None => None,
        Some(_) if of_card.is_some() => of_card.as_ref(),
        Some(id) => match definitions.catalog().select(id)?[..] {
            [model] => Some(model),
            _ => bail!("--model {id}: the predictions are of one model; name exactly one"),
        },
    };
    let label_set = args.label_set;
    let mut predictions = eval::score::read(&args.file)?;
    let inputs = match &args.manifest {
        Some(manifest) => {
            Some(Inputs::open(manifest, &mut predictions, TarDigests::at_hand(None)?.as_ref())?)
        }
        None => None,
    };
    let known = known_labels(args.labels.as_deref(), args.data.as_deref())?;
    let score = eval::score::score(&predictions, known.as_ref(), label_set)?;

    let mut text = format!(
        "{} ({})\n",
        visible(&predictions.path.display().to_string()),
        visible(&predictions.format.name())
    );
    let labels = match inputs {
        Some(_) => "those of the manifest".to_owned(),
        None => eval::score::label_source(&predictions, known.is_some()),
    };
    text += &format!("labels: {labels}\n");
    text += &inputs.as_ref().map(made_from).unwrap_or_default();
    text += &lines(&score);
    if let Some(diagnosis) = &score.diagnosis {
        text += &format!("{diagnosis}\n");
    }
    let mut differs = false;
    let mut missing = Score::not_compared(None, None, &[]);
    missing.iter_mut().for_each(|line| *line = remedy::with(line, Some(&Remedy::PredictedModel)));
    if let Some(model) = documented {
        let claims = definitions.claims_of(model);
        let is_selected = |claim: &&eval::Claim<'_>| cards.is_empty() || cards.contains(&claim.card.name);
        let claim = claims.iter().find(is_selected);
        let tolerance = AccuracyTolerance::new(args.tolerance);
        let judged = claim.map(|claim| score.judged(claim, tolerance, inputs.as_ref())).unwrap_or_default();
        missing = Score::not_compared(Some(&model.id), claim, &judged);
        if judged.is_empty() && !args.require_comparable {
            bail!("{}: no card claims an accuracy that these predictions have", model.id);
        }
        for Judged { figure, documented, judgement: Judgement { verdict, reason } } in judged {
            let name = if figure == FigureName::Top1Pct { "top-1" } else { "top-5" };
            text +=
                &format!("{} {name}, documented {} %: {verdict} ({reason})\n", model.id, documented.as_str());
            differs |= verdict == Verdict::NotReproduced;
        }
    }
    if let Some(out) = &args.out {
        let run = ScoreRun {
            inputs: inputs.as_ref(),
            known: known.as_ref(),
            label_set,
            model: documented,
            definitions: &definitions,
            cards: &cards,
            tolerance: AccuracyTolerance::new(args.tolerance),
            out,
            fresh: args.fresh,
            invocation: invocation(),
        };
        eval::score::run::write(&predictions, &run)?;
        text += &format!("Run directory: {}\n", out.display());
    }
    output::print(&text)?;
    require(args.require_comparable, &missing, if differs { EXIT_DIFFERS } else { EXIT_HOLDS })
}

/// What the predictions were made from.
fn made_from(inputs: &Inputs) -> String {
    let beside = match inputs.beside {
        0 => "none of them lies beside it".to_owned(),
        count => format!("{count} of them beside it, as they were prepared"),
    };
    format!(
        "made from: {}\n  recipe {}\n  {} images, {} tensors, {beside}; {}\n",
        visible(&inputs.path.display().to_string()),
        visible(inputs.recipe_in_full()),
        inputs.images,
        inputs.tensors,
        visible(&inputs.pixels.words())
    )
}

fn lines(score: &Score) -> String {
    let interval = |hits| {
        let [low, high] = wilson_interval_pct(hits, score.images);
        if score.obstacle.is_none() {
            String::new()
        } else {
            format!(", 95 % interval {low:.2} to {high:.2}")
        }
    };
    let mut text = format!(
        "top-1: {:.3} % ({}/{}{})\n",
        score.top1_pct(),
        score.top1_hits,
        score.images,
        interval(score.top1_hits)
    );
    text += &match (score.top5_pct(), score.top5_hits) {
        (Some(pct), Some(hits)) => format!("top-5: {pct:.3} % ({hits}/{}{})\n", score.images, interval(hits)),
        _ => "top-5: not known, the file has fewer than five classes an image\n".to_owned(),
    };
    if score.errors > 0 {
        text += &format!("{} images have no prediction and count as wrong\n", score.errors);
    }
    if score.unlabelled > 0 {
        text += &format!("{} images have no ReaL label and are left out\n", score.unlabelled);
    }
    if let Some(obstacle) = &score.obstacle {
        text += &format!("Not comparable with documented accuracies: {obstacle}.\n");
    }
    text
}

fn known_labels(list: Option<&Path>, data: Option<&Path>) -> anyhow::Result<Option<KnownLabels>> {
    Ok(match (list, data) {
        (Some(list), _) => Some(KnownLabels::from_list(list)?),
        (None, Some(data)) => Some(KnownLabels::from_dataset(&Dataset::open(data, None)?)),
        (None, None) => None,
    })
}
