//! The tables of a run, for a terminal or for Markdown: a line a model, then a line a figure, documented beside measured.

use dataset::labels::VAL_IMAGES;

use super::cells;
use super::grid::TextTable;
use super::style::Style;
use crate::judge::{ERROR_RATE, SampledFigure};
use crate::record::builds::differing_builds;
use crate::record::explanation::Explanation;
use crate::record::{ClaimRecord, ModelRecord, RunRecord};
use crate::verdict::Verdict;

/// A line a model: the verdict on its row, and its figures. Where a line has no room for them, those documented are left to
/// the table of figures, which has both.
pub fn summary_table(models: &[ModelRecord], style: Style) -> String {
    let both = summary(models, style, true);
    match style {
        Style::Markdown => lines(&both),
        Style::Terminal if both.fits() => format!("Measured / documented:\n{both}\n"),
        Style::Terminal => format!("Measured:\n{}\n", summary(models, style, false)),
    }
}

/// That table with what was measured, and where `documented` is true what is documented.
pub(super) fn summary(models: &[ModelRecord], style: Style, documented: bool) -> TextTable {
    let mut table = style.table(&cells::SUMMARY).right(2..cells::SUMMARY.len());
    for model in models {
        let figures = cells::summary(model).into_iter().map(|figure| match figure.documented {
            Some(printed) if documented => format!("{} / {printed}", figure.measured),
            _ => figure.measured,
        });
        table.add_row([model.id.clone(), model.verdict.to_string()].into_iter().chain(figures));
    }
    table
}

/// A line a figure of every model.
pub fn figures_table(models: &[ModelRecord], style: Style) -> String {
    let mut table = style.table(&cells::FIGURES).right(2..4);
    for model in models {
        for (index, figure) in model.figures.iter().enumerate() {
            table.add_row([
                // Once a model, so that the eye finds where it begins.
                if index == 0 { model.id.clone() } else { String::new() },
                cells::naming(figure.figure).0.to_owned(),
                cells::documented(figure),
                cells::measured(model, figure),
                figure.verdict.to_string(),
                figure.reason.clone(),
            ]);
        }
    }
    lines(&table)
}

/// What each swap of `eval --explain` did, a line a swap; the first line is the recipe as it is.
pub fn explanation_table(explanation: &Explanation, style: Style) -> String {
    let mut table = style.table(&cells::SWAPS).right(2..cells::SWAPS.len());
    for row in cells::swaps(explanation) {
        table.add_row(row);
    }
    lines(&table)
}

fn lines(table: &TextTable) -> String {
    format!("{table}\n")
}

/// What a reader must know beside the table, a sentence each.
pub fn summary_lines(record: &RunRecord) -> Vec<String> {
    let mut lines = Vec::new();
    let all = || record.models.iter();
    let seeded = all().any(|model| model.weights == crate::weights::WeightsSource::Seeded);
    let sample = record.dataset.path == crate::record::SAMPLE;
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
    lines.extend(of_sample(record));
    lines.extend(other_cards(record));
    lines.extend(differing_builds(&record.sessions));
    if record.sessions.windows(2).any(|pair| !pair[0].environment.is_same_machine(&pair[1].environment)) {
        lines.push("Parts of this run were computed on different machines; run.json tells which.".to_owned());
    }
    for smaller in record.sessions.iter().flat_map(|session| &session.smaller_batches) {
        lines.push(format!(
            "{}: the batch that was asked for did not fit into memory; {} images at once were computed.",
            smaller.id, smaller.batch
        ));
    }
    if let Some(shard) = record.shard {
        lines.push(format!("This is shard {shard}; merged, all {} shards make one run.", shard.count()));
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
    lines.extend(crate::record::warned::sentence(&record.decoder_warnings).map(|sentence| sentence + "."));
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
    lines.extend(of_recipes(&record.models));
    lines.extend(record.dataset.warnings.iter().map(|warning| format!("Data: {warning}")));
    lines
}

/// What is to be known of recipes, each once with the models that it concerns.
fn of_recipes(models: &[ModelRecord]) -> Vec<String> {
    let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
    for model in models {
        // Runs from before recipes were recorded in full keep their reports.
        let recipe = model.recipe_in_full.as_ref().and_then(|_| model.recipe().recipe());
        let caveat = recipe.and_then(|recipe| recipe.caveat()).map(str::to_owned);
        for note in model.recipe_note.clone().into_iter().chain(caveat) {
            match notes.iter_mut().find(|(known, _)| *known == note) {
                Some((_, models)) => models.push(&model.id),
                None => notes.push((note, vec![&model.id])),
            }
        }
    }
    notes.into_iter().map(|(note, models)| format!("{}: {note}.", models.join(", "))).collect()
}

/// What a random sample can say, and how one came to its size.
fn of_sample(record: &RunRecord) -> Vec<String> {
    let Some(sample) = record.sample else { return Vec::new() };
    let mut lines = Vec::new();
    if !sample.is_whole() {
        lines.push(format!(
            "This is a random sample, {} of the {VAL_IMAGES} images (seed {}, as many of each class): it can refute an accuracy, and never \
             reproduce one.",
            sample.images, sample.seed
        ));
    }
    let Some(until) = sample.until else { return lines };
    let (looks, all) = sample.looks();
    let mut sampled =
        record.models.iter().flat_map(|model| &model.figures).filter_map(|it| it.sampled.as_ref());
    let why = match (sample.is_whole(), sampled.clone().any(SampledFigure::is_refuted), until.precision_pp) {
        (true, ..) => "it has become the whole set, which is judged as such".to_owned(),
        _ if sampled.next().is_none() => "no accuracy of it can be judged".to_owned(),
        (_, true, None) => "each model has an accuracy that is refuted".to_owned(),
        (_, true, Some(pp)) => {
            format!("of each model, an accuracy is refuted or differences above {pp} points are excluded")
        }
        (_, false, Some(pp)) => format!("differences above {pp} points are excluded"),
        (_, false, None) => "it was stopped".to_owned(),
    };
    lines.push(format!(
        "The sample began with {} images and grew by half at a time to {}, look {} of {all}: {why}. Each look is judged by a hypergeometric interval \
         with its share of the error rate, {} % / {all}, so that the promise holds whenever it stops.",
        until.first,
        sample.images,
        looks.len(),
        100.0 * ERROR_RATE
    ));
    lines
}

/// What is to be said of the claims that the tables do not show, a sentence a card, and of models that were not measured.
fn other_cards(record: &RunRecord) -> Vec<String> {
    let mut cards: Vec<(&str, Vec<&ClaimRecord>)> = Vec::new();
    for model in &record.models {
        for claim in model.claims.iter().filter(|claim| Some(&claim.card) != model.card.as_ref()) {
            match cards.iter_mut().find(|(card, _)| *card == claim.card) {
                Some((_, claims)) => claims.push(claim),
                None => cards.push((&claim.card, vec![claim])),
            }
        }
    }
    let of_card = |(card, claims): (&str, Vec<&ClaimRecord>)| {
        let all = [Verdict::Reproduced, Verdict::NotReproduced, Verdict::Erratum, Verdict::NotComparable];
        let count = |verdict| claims.iter().filter(|claim| claim.verdict == verdict).count();
        let counts = all.into_iter().filter(|verdict| count(*verdict) > 0);
        let counts: Vec<String> = counts.map(|verdict| format!("{} {verdict}", count(verdict))).collect();
        format!("Also claimed by the card {card}: {}; claims.csv has each.", counts.join(", "))
    };
    let mut lines: Vec<String> = cards.into_iter().map(of_card).collect();
    let mut absent: Vec<&str> = record.not_measured.iter().map(|claim| claim.model.as_str()).collect();
    absent.dedup();
    if !absent.is_empty() {
        lines.push(format!("Not measured, because there is no such model here: {}.", absent.join(", ")));
    }
    lines
}
