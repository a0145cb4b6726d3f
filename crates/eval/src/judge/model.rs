//! What rows of predictions and counts of operations say about a model: hits, figures and their verdicts, claim by claim.

use cards::FigureName;
use dataset::labels;

use super::counted::Known;
use super::diagnosis::diagnose;
use super::figures::{Conditions, Predicted, Subject, claimed, figures};
use crate::definitions::shown;
use crate::logs::predictions::Prediction;
use crate::metrics::Hits;
use crate::pixels::Pixels;
use crate::plan::{Plan, PlannedModel};
use crate::recheck::RecheckRecord;
use crate::record::{FigureRecord, ImageError, ModelRecord};
use crate::sample::Part;
use crate::verdict::Verdict;
use crate::weights::WeightsSource;

/// How many errors `run.json` and `report.md` name; the prediction log names all.
const FIRST_ERRORS: usize = 20;

impl ModelRecord {
    /// Counts hits in `rows`, which `weights` have predicted, and judges every figure.
    pub(crate) fn of_plan(
        (plan, part, pixels): (&Plan, Part, &Pixels),
        planned: &PlannedModel,
        weights: &WeightsSource,
        (rows, recheck): (&[Prediction], Option<RecheckRecord>),
        (seconds, timed_images): (f64, u64),
    ) -> Self {
        let ids: Vec<&str> = plan.models.iter().map(|planned| planned.model.id.as_str()).collect();
        let conditions = Conditions {
            dataset: &plan.dataset_record,
            part,
            pixels,
            ids: &ids,
            tolerance: plan.tolerance,
            dtype: plan.placement.dtype(),
        };
        let subject = Subject {
            model: &planned.model,
            recipe: planned.recipe.as_ref().into(),
            weights,
            known: Known::Counts(&planned.counts),
            claims: plan.definitions.claims_of(&planned.model),
            selected: &plan.cards,
        };
        let record = Self::new(conditions, &subject, (rows, recheck), (seconds, timed_images));
        Self { counts: planned.counts.clone(), ..record }
    }

    pub(crate) fn new(
        conditions: Conditions<'_>,
        subject: &Subject<'_>,
        (rows, recheck): (&[Prediction], Option<RecheckRecord>),
        (seconds, timed_images): (f64, u64),
    ) -> Self {
        let mut hits = Hits::default();
        let label_set = conditions.dataset.label_set;
        for row in rows {
            hits.add(label_set.truth(&row.image, &row.label), row.outcome.as_ref().ok());
        }
        // Seeded weights have learned nothing.
        let learned = *subject.weights != WeightsSource::Seeded;
        let best = |row: &Prediction| Some((row.outcome.as_ref().ok()?.classes[0], row.label));
        let diagnosis =
            learned.then(|| diagnose(&rows.iter().filter_map(best).collect::<Vec<_>>())).flatten();
        let looks = looks(conditions, rows);
        let lacks_classes = |row: &Prediction| row.outcome.as_ref().is_ok_and(|top| !top.has_all_classes());
        let lacks_classes = rows.iter().any(lacks_classes);
        let predicted = Predicted { hits, diagnosis, lacks_classes, looks, recheck };
        let dtype = predicted.dtype_of_hits(conditions.dtype);
        let claim = shown(&subject.claims, subject.selected, &subject.recipe, dtype.name());
        let figures = figures(conditions, subject, claim, &predicted);
        let claims = subject.claims.iter().flat_map(|claim| claimed(conditions, subject, claim, &predicted));
        let claims = claims.collect();
        let Predicted { hits, diagnosis, .. } = predicted;
        let mut errors: Vec<ImageError> = rows
            .iter()
            .filter_map(|row| {
                let error = row.outcome.as_ref().err()?.clone();
                let counts = !label_set.truth(&row.image, &row.label).is_empty();
                counts.then(|| ImageError { image: row.image.clone(), error })
            })
            .collect();
        // Rows come in the order in which they were finished; the record must not depend on it.
        errors.sort_by(|a, b| a.image.cmp(&b.image));
        errors.truncate(FIRST_ERRORS);
        Self {
            id: subject.model.id.clone(),
            network: subject.model.network.clone(),
            recipe: subject.recipe.name.clone(),
            recipe_in_full: subject.recipe.in_full().map(str::to_owned),
            recipe_note: subject.model.recipe_note.clone(),
            weights: subject.weights.against(subject.model.weights.as_ref()),
            images: hits.images,
            unlabelled: hits.unlabelled,
            errors: hits.errors,
            top1_hits: hits.top1,
            top5_hits: hits.top5,
            recheck,
            // In whole microseconds: a number of so few digits is the same again when the record is read.
            seconds: (seconds * 1e6).round() / 1e6,
            timed_images,
            verdict: Verdict::of_row(&figures.iter().map(|figure| figure.verdict).collect::<Vec<_>>()),
            card: claim.map(|claim| claim.card.name.clone()),
            figures,
            claims,
            counts: Vec::new(),
            diagnosis,
            explanation: None,
            first_errors: errors,
        }
    }
}

/// Hits at each look at a random sample, by `rows` in any order; none where the run is about none. A shard says nothing of its
/// sample.
fn looks(conditions: Conditions<'_>, rows: &[Prediction]) -> Vec<Hits> {
    let Part { shard: None, .. } = conditions.part else { return Vec::new() };
    let Some(sample) = conditions.part.real_sample() else { return Vec::new() };
    let (sizes, _) = sample.looks();
    let mut looks = vec![Hits::default(); sizes.len()];
    let label_set = conditions.dataset.label_set;
    // The only look of a sample that does not grow has all rows.
    let ranks = if sizes.len() > 1 { sample.ranks() } else { Vec::new() };
    for row in rows {
        let rank = labels::val_file_number(&row.image).and_then(|number| ranks.get(number - 1).copied());
        for (look, _) in
            looks.iter_mut().zip(&sizes).filter(|(_, size)| rank.is_none_or(|rank| rank < **size))
        {
            look.add(label_set.truth(&row.image, &row.label), row.outcome.as_ref().ok());
        }
    }
    looks
}

impl ModelRecord {
    /// What could not be compared of what a gate may rest on, a line a figure: every documented figure has to be, and
    /// an accuracy has to be documented.
    pub fn not_compared(&self) -> Vec<String> {
        let is_accuracy = |it: &&FigureRecord| matches!(it.figure, FigureName::Top1Pct | FigureName::Top5Pct);
        let mut accuracies = self.figures.iter().filter(is_accuracy);
        let no_accuracy = accuracies.all(|figure| figure.documented.is_none());
        let missing = self.figures.iter().filter(|figure| {
            let wanted = figure.documented.is_some() || no_accuracy && is_accuracy(figure);
            wanted && figure.verdict == Verdict::NotComparable
        });
        missing.map(|it| format!("{} {}: {}", self.id, it.figure.name(), it.reason)).collect()
    }
}
