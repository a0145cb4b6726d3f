//! `score`: accuracy of predictions made elsewhere.

use std::path::{Path, PathBuf};

use anyhow::bail;
use dataset::labels::{LabelSet, VAL_IMAGES};
use dataset::{Dataset, KnownLabels};
use eval::metrics::wilson_interval_pct;
use eval::score::Score;
use eval::summary::AccuracyTolerance;
use eval::verdict::{Verdict, judge_accuracy};
use models::catalog::{Figure, FigureName};

use crate::eval::tolerance;
use crate::selection::CatalogArgs;
use crate::{EXIT_DIFFERS, EXIT_HOLDS, output};

/// Scores predictions that another program made
///
/// FILE is a prediction log of this program; a CSV file of image,class rows (more classes a row, the
/// best first, give top-5); or the five lines an image that VastModelZOO's eval_topk.py prints. Classes are
/// indices 0..999 in sorted WNID order, or WNIDs; class names are never looked at, since they are not
/// unique.
///
/// Images named ILSVRC2012_val_NNNNNNNN have known labels; others need --labels, or --data.
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

    /// Labels to score by: original, or real (ReaL, several right classes an image)
    #[arg(long, value_name = "SET", default_value_t)]
    label_set: LabelSet,

    /// Judge by what this model is documented with
    #[arg(long, value_name = "ID")]
    model: Option<String>,

    /// How far an accuracy may lie from the documented one, in percentage points [default: the catalog's]
    #[arg(long, value_name = "PP", value_parser = tolerance, allow_negative_numbers = true, requires = "model")]
    tolerance: Option<f64>,

    #[command(flatten)]
    catalog: CatalogArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let catalog = args.catalog.load()?;
    let documented = match &args.model {
        None => None,
        Some(id) => match catalog.select(id)?[..] {
            [model] => Some(model),
            _ => bail!("--model {id}: the predictions are of one model; name exactly one"),
        },
    };
    let label_set = args.label_set;
    let predictions = eval::score::read(&args.file)?;
    let known = known_labels(args.labels.as_deref(), args.data.as_deref())?;
    let score = eval::score::score(&predictions, known.as_ref(), label_set)?;

    let complete = is_complete(predictions.images.iter().map(|it| it.image.as_str()));
    let mut text = format!("{} ({})\n", predictions.path.display(), predictions.format.name());
    text += &lines(&score, complete);
    if let Some(diagnosis) = &score.diagnosis {
        text += &format!("{diagnosis}\n");
    }
    let mut verdicts = Vec::new();
    if let Some(model) = documented {
        let obstacle = match (complete, label_set) {
            (_, LabelSet::Real) => Some("ReaL labels instead of the original ones".to_owned()),
            (false, _) => Some(format!("{} images, not the 50,000", score.images)),
            (true, LabelSet::Original) => None,
        };
        let figures = model.documented.as_ref().map(|it| (&it.top1_pct, &it.top5_pct));
        let Some((top1, top5)) = figures else { bail!("{}: no accuracies are documented", model.id) };
        let judge = |name, figure: &Figure, hits| {
            let tolerance_pp = AccuracyTolerance::new(args.tolerance, &catalog).of(model, name);
            judge_accuracy(figure, hits, score.images, tolerance_pp, obstacle.as_deref(), model.erratum(name))
        };
        let mut judged = vec![("top-1", top1, judge(FigureName::Top1Pct, top1, score.top1_hits))];
        judged.extend(score.top5_hits.map(|hits| ("top-5", top5, judge(FigureName::Top5Pct, top5, hits))));
        for (name, figure, judgement) in judged {
            let (verdict, reason) = (judgement.verdict, judgement.reason);
            text += &format!("{} {name}, documented {} %: {verdict} ({reason})\n", model.id, figure.as_str());
            verdicts.push(verdict);
        }
    }
    output::print(&text)?;
    Ok(if verdicts.contains(&Verdict::NotReproduced) { EXIT_DIFFERS } else { EXIT_HOLDS })
}

fn lines(score: &Score, complete: bool) -> String {
    let interval = |hits| {
        let [low, high] = wilson_interval_pct(hits, score.images);
        if complete { String::new() } else { format!(", 95 % interval {low:.2} to {high:.2}") }
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
    if !complete {
        text += "These are not the 50,000 validation images, each once.\n";
    }
    text
}

/// Whether they are the whole validation set, each image once.
fn is_complete<'a>(images: impl Iterator<Item = &'a str>) -> bool {
    let mut seen = vec![false; VAL_IMAGES];
    let mut count = 0;
    for image in images {
        count += 1;
        match dataset::labels::val_file_number(image) {
            Some(number) if !seen[number - 1] => seen[number - 1] = true,
            _ => return false,
        }
    }
    count == VAL_IMAGES
}

fn known_labels(list: Option<&Path>, data: Option<&Path>) -> anyhow::Result<Option<KnownLabels>> {
    Ok(match (list, data) {
        (Some(list), _) => Some(KnownLabels::from_list(list)?),
        (None, Some(data)) => Some(KnownLabels::from_dataset(&Dataset::open(data, None)?)),
        (None, None) => None,
    })
}
