//! What the cells of the reports' tables say, whatever the tables are written in.

use cards::FigureName;

use crate::metrics::percentage;
use crate::record::explanation::{Explanation, LabelChange, SwapRecord};
use crate::record::{FigureRecord, ModelRecord};
use crate::verdict::Verdict;

/// The columns of the table of figures.
pub(super) const FIGURES: [&str; 6] = ["model", "figure", "documented", "measured", "verdict", "why"];

/// The columns of the table with a line a model; each figure is measured, then documented.
pub(super) const SUMMARY: [&str; 6] = ["model", "verdict", "top-1, %", "top-5, %", "FLOPs, G", "params, M"];

/// The figures of that table, in its order.
const SUMMARY_FIGURES: [FigureName; 4] =
    [FigureName::Top1Pct, FigureName::Top5Pct, FigureName::FlopsG, FigureName::ParamsM];

/// The columns of the table of swaps.
pub(super) const SWAPS: [&str; 10] = [
    "factor",
    "swapped for",
    "inputs changed",
    "best class changed",
    "top-1",
    "change",
    "McNemar's p",
    "labels likelier by",
    "signed-rank p",
    "p of the mean",
];

/// A p that may be far smaller than McNemar's, and is corrected by a factor of forty.
fn small(p: f64) -> String {
    if p < 0.001 { format!("{p:.1e}") } else { format!("{p:.3}") }
}

/// A figure's name for a person, and its unit.
pub(super) fn naming(figure: FigureName) -> (&'static str, &'static str) {
    match figure {
        FigureName::Top1Pct => ("top-1", "%"),
        FigureName::Top5Pct => ("top-5", "%"),
        FigureName::FlopsG => ("FLOPs", "G"),
        FigureName::ParamsM => ("params", "M"),
    }
}

/// What is printed for a figure, with its unit.
pub(super) fn documented(figure: &FigureRecord) -> String {
    let (_, unit) = naming(figure.figure);
    figure.documented.as_ref().map_or_else(|| "-".to_owned(), |printed| format!("{printed} {unit}"))
}

/// What was measured or counted, with its unit; an accuracy with its hits.
pub(super) fn measured(model: &ModelRecord, figure: &FigureRecord) -> String {
    let (_, unit) = naming(figure.figure);
    // Predictions made elsewhere do not tell every figure.
    if figure.reproduced.is_empty() {
        return "not known".to_owned();
    }
    let hits = match figure.figure {
        FigureName::Top1Pct => model.top1_hits,
        FigureName::Top5Pct => model.top5_hits,
        FigureName::FlopsG | FigureName::ParamsM => {
            return format!("{} {unit}", figure.counted_text().as_ref().unwrap_or(&figure.reproduced));
        }
    };
    let interval =
        figure.interval_pct.map_or_else(String::new, |[low, high]| format!(" [{low:.1}, {high:.1}]"));
    format!("{} {unit} ({hits}/{}){interval}", figure.reproduced, model.images)
}

/// A figure in the table with a line a model: numbers without units.
pub(super) struct SummaryFigure {
    pub(super) measured: String,
    pub(super) documented: Option<String>,
    /// None where the model has no such figure.
    pub(super) verdict: Option<Verdict>,
}

/// A model's figures in the table with a line a model, in the order of [`SUMMARY`]'s last columns.
pub(super) fn summary(model: &ModelRecord) -> [SummaryFigure; 4] {
    SUMMARY_FIGURES.map(|name| match model.figure(name) {
        None => SummaryFigure { measured: "-".to_owned(), documented: None, verdict: None },
        Some(figure) => SummaryFigure {
            // The number that the table of figures begins with, so that both say the same; words there are no number.
            measured: (measured(model, figure).split(' ').next())
                .filter(|number| number.starts_with(|c: char| c.is_ascii_digit()))
                .unwrap_or("-")
                .to_owned(),
            documented: figure.documented.clone(),
            verdict: Some(figure.verdict),
        },
    })
}

/// The rows of the table of swaps; the first is the recipe as it is.
pub(super) fn swaps(explanation: &Explanation) -> Vec<[String; 10]> {
    let top1 =
        |hits| format!("{:.1} % ({hits}/{})", percentage(hits, explanation.images), explanation.images);
    let mut itself = <[String; 10]>::default();
    "(none)".clone_into(&mut itself[0]);
    itself[4] = top1(explanation.top1_hits);
    let row = |swap: &SwapRecord| {
        let label = |cell: fn(&LabelChange) -> String| swap.label.as_ref().map(cell).unwrap_or_default();
        [
            swap.factor.clone(),
            swap.swap.clone(),
            swap.inputs_changed.to_string(),
            swap.best_class_changed.to_string(),
            top1(swap.top1_hits),
            format!("{:+.1} pp", explanation.top1_change_pp(swap)),
            format!("{:.3}", swap.mcnemar_p),
            label(|label| format!("{:+.3} nats", label.mean_nats)),
            label(|label| small(label.p)),
            label(|label| label.mean_p.map(small).unwrap_or_default()),
        ]
    };
    std::iter::once(itself).chain(explanation.swaps.iter().map(row)).collect()
}
