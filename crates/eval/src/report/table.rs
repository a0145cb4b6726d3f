//! The table with verdicts, for a terminal or for Markdown: a line a figure, documented beside
//! measured.

use comfy_table::{CellAlignment, Table, presets};
use models::catalog::FigureName;

use crate::explain::Explanation;
use crate::metrics::percentage;
use crate::record::{FigureRecord, ModelRecord, RunRecord};
use crate::verdict::Verdict;

/// Where a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// In a terminal.
    Terminal,
    /// In a Markdown file.
    Markdown,
}

impl Style {
    /// An empty table with this header.
    pub fn table(self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_preset(match self {
            Self::Terminal => presets::UTF8_BORDERS_ONLY,
            Self::Markdown => presets::ASCII_MARKDOWN,
        });
        table.set_header(header);
        table
    }
}

/// A line a figure of every model.
pub fn figures_table(models: &[ModelRecord], style: Style) -> String {
    let mut table = style.table(&["model", "figure", "documented", "measured", "verdict", "why"]);
    for model in models {
        for (index, figure) in model.figures.iter().enumerate() {
            let (name, unit, _) = naming(figure.figure);
            table.add_row([
                // Once a model, so that the eye finds where it begins.
                if index == 0 { model.id.clone() } else { String::new() },
                name.to_owned(),
                figure
                    .documented
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |printed| format!("{printed} {unit}")),
                measured(model, figure),
                figure.verdict.to_string(),
                figure.reason.clone(),
            ]);
        }
    }
    for column in [2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    // A trailing space a line is what the presets leave.
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A figure's name for a person, its unit, and the decimals that are shown.
pub(super) fn naming(figure: FigureName) -> (&'static str, &'static str, usize) {
    match figure {
        FigureName::Top1Pct => ("top-1", "%", 3),
        FigureName::Top5Pct => ("top-5", "%", 3),
        FigureName::FlopsG => ("FLOPs", "G", 3),
        FigureName::ParamsM => ("params", "M", 3),
    }
}

pub(super) fn measured(model: &ModelRecord, figure: &FigureRecord) -> String {
    let (_, unit, decimals) = naming(figure.figure);
    let hits = match figure.figure {
        FigureName::Top1Pct => model.top1_hits,
        FigureName::Top5Pct => model.top5_hits,
        FigureName::FlopsG | FigureName::ParamsM => {
            let counted = figure.counted().map(|value| format!("{value:.decimals$}"));
            return format!("{} {unit}", counted.as_deref().unwrap_or(&figure.reproduced));
        }
    };
    let interval =
        figure.interval_pct.map_or_else(String::new, |[low, high]| format!(" [{low:.1}, {high:.1}]"));
    format!("{} {unit} ({hits}/{}){interval}", figure.reproduced, model.images)
}

/// What each swap of `eval --explain` did, a line a swap; the first line is the recipe as it is.
pub fn explanation_table(explanation: &Explanation, style: Style) -> String {
    let header =
        ["factor", "swapped for", "inputs changed", "best class changed", "top-1", "change", "McNemar's p"];
    let mut table = style.table(&header);
    let top1 =
        |hits| format!("{:.1} % ({hits}/{})", percentage(hits, explanation.images), explanation.images);
    table.add_row(["(none)", "", "", "", &top1(explanation.top1_hits)]);
    for swap in &explanation.swaps {
        table.add_row([
            swap.factor.clone(),
            swap.swap.clone(),
            swap.inputs_changed.to_string(),
            swap.best_class_changed.to_string(),
            top1(swap.top1_hits),
            format!("{:+.1} pp", explanation.top1_change_pp(swap)),
            format!("{:.3}", swap.mcnemar_p),
        ]);
    }
    for column in 2..header.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// What a reader must know beside the table, a sentence each.
pub fn summary_lines(record: &RunRecord) -> Vec<String> {
    let mut lines = Vec::new();
    let all = || record.models.iter();
    let seeded = all().any(|model| model.weights == crate::weights::WeightsSource::Seeded);
    let sample = record.dataset.path == crate::plan::SAMPLE;
    match (sample, seeded) {
        (true, true) => lines.push(
            "This run used the embedded sample and seeded weights, so its accuracies are not comparable with the documented ones; FLOPs and parameters are."
                .to_owned(),
        ),
        (true, false) => lines.push(
            "This run used the embedded sample of drawn images, so its accuracies are not comparable with the documented ones; FLOPs and parameters are."
                .to_owned(),
        ),
        (false, true) => lines.push(
            "This run used seeded weights, so its accuracies are not comparable with the documented ones; FLOPs and parameters are."
                .to_owned(),
        ),
        (false, false) => {}
    }
    let judged =
        |verdict| all().flat_map(|model| &model.figures).filter(|figure| figure.verdict == verdict).count();
    let counts: Vec<String> =
        [Verdict::Reproduced, Verdict::NotReproduced, Verdict::Erratum, Verdict::NotComparable]
            .into_iter()
            .filter(|verdict| judged(*verdict) > 0)
            .map(|verdict| format!("{} {verdict}", judged(verdict)))
            .collect();
    lines.push(format!("Figures: {}.", counts.join(", ")));
    if record.sessions.windows(2).any(|pair| pair[0].environment != pair[1].environment) {
        lines.push(
            "Parts of this run were computed by different programs or machines; run.json tells which."
                .to_owned(),
        );
    }
    for smaller in record.sessions.iter().flat_map(|session| &session.smaller_batches) {
        lines.push(format!(
            "{}: the batch that was asked for did not fit into memory; {} images at once were computed.",
            smaller.id, smaller.batch
        ));
    }
    if let Some(shard) = record.shard {
        lines.push(format!(
            "This is shard {shard}; `cargo xtask merge` makes one run of all {} shards.",
            shard.count()
        ));
    }
    if let Some(model) = all().find(|model| model.unlabelled > 0) {
        lines.push(format!(
            "ReaL labels: {} of {} images have none and are left out of the accuracies.",
            model.unlabelled,
            model.unlabelled + model.images
        ));
    }
    for model in all() {
        if let Some(diagnosis) = &model.diagnosis {
            lines.push(format!("{}: {diagnosis}.", model.id));
        }
    }
    for (model, explanation) in all().filter_map(|model| Some((model, model.explanation.as_ref()?))) {
        lines.push(format!("{}: {}.", model.id, explanation.conclusion()));
    }
    for model in all().filter(|model| model.errors > 0) {
        let first = model.first_errors.iter().take(3);
        let named: Vec<String> = first.map(|error| format!("{} ({})", error.image, error.error)).collect();
        let more = model.errors as usize - named.len().min(model.errors as usize);
        let more =
            if more > 0 { format!(" and {more} more, all in the prediction log") } else { String::new() };
        lines.push(format!(
            "{}: {} of {} images have no prediction and count as wrong: {}{more}.",
            model.id,
            model.errors,
            model.images,
            named.join("; ")
        ));
    }
    for model in all() {
        if let Some(note) = &model.recipe_note {
            lines.push(format!("{}: {note}.", model.id));
        }
    }
    lines.extend(record.dataset.warnings.iter().map(|warning| format!("Data: {warning}")));
    lines
}
