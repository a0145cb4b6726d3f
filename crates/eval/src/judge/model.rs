//! What rows of predictions and counts of layers say about a model: hits, figures and their verdicts.

use dataset::labels::LabelSet;
use models::catalog::{Counted, Documented, Figure, FigureName};
use models::complexity::{CountingRule, FlopsRule, Layer, ParamsRule};
use models::{Dtype, Model};

use crate::judge::diagnosis::diagnose;
use crate::logs::predictions::Prediction;
use crate::metrics::{Hits, percentage, wilson_interval_pct};
use crate::plan::{Plan, PlannedModel};
use crate::record::{AccuracyTolerance, DatasetRecord, FigureRecord, ImageError, ModelRecord, SAMPLE};
use crate::shard::Shard;
use crate::verdict::{Judgement, Verdict, judge_accuracy, judge_count};
use crate::weights::WeightsSource;

/// How many errors `run.json` and `report.md` name; the prediction log names all.
const FIRST_ERRORS: usize = 20;

/// Under which conditions a run's models are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions<'a> {
    pub(crate) dataset: &'a DatasetRecord,
    pub(crate) shard: Option<Shard>,
    pub(crate) tolerance: AccuracyTolerance,
    /// The type of numbers that the device computes in.
    pub(crate) dtype: Dtype,
}

/// A model as it is measured.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) model: &'a Model,
    pub(crate) recipe: &'a str,
    pub(crate) weights: &'a WeightsSource,
    /// FLOPs and parameters, judged.
    pub(crate) counted: [FigureRecord; 2],
}

impl ModelRecord {
    /// Counts hits in `rows`, which `weights` have predicted, and judges every figure.
    pub(crate) fn of_plan(
        plan: &Plan,
        planned: &PlannedModel,
        weights: &WeightsSource,
        rows: &[Prediction],
        (seconds, timed_images): (f64, u64),
    ) -> Self {
        let conditions = Conditions {
            dataset: &plan.dataset_record,
            shard: plan.shard,
            tolerance: plan.tolerance,
            dtype: plan.placement.dtype(),
        };
        let subject = Subject {
            model: &planned.model,
            recipe: planned.recipe.name,
            weights,
            counted: complexity_figures(&planned.model, &planned.layers),
        };
        Self::new(conditions, &subject, rows, seconds, timed_images)
    }

    pub(crate) fn new(
        conditions: Conditions<'_>,
        subject: &Subject<'_>,
        rows: &[Prediction],
        seconds: f64,
        timed_images: u64,
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
        let mut figures = figures(conditions, subject, &hits);
        if let Some(diagnosis) = &diagnosis {
            for figure in figures.iter_mut().filter(|figure| figure.verdict == Verdict::NotReproduced) {
                if matches!(figure.figure, FigureName::Top1Pct | FigureName::Top5Pct) {
                    // What an erratum or the type of numbers has to do with it is in the reason that is there.
                    figure.reason = format!("{diagnosis}; {}", figure.reason);
                }
            }
        }
        let lacks_classes = |row: &Prediction| row.outcome.as_ref().is_ok_and(|top| !top.has_all_classes());
        if rows.iter().any(lacks_classes) {
            figures.iter_mut().filter(|figure| figure.figure == FigureName::Top5Pct).for_each(not_known);
        }
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
            recipe: subject.recipe.to_owned(),
            recipe_note: subject.model.recipe_note.clone(),
            weights: subject.weights.against(subject.model.weights.as_ref()),
            images: hits.images,
            unlabelled: hits.unlabelled,
            errors: hits.errors,
            top1_hits: hits.top1,
            top5_hits: hits.top5,
            seconds,
            timed_images,
            verdict: Verdict::of_row(&figures.iter().map(|figure| figure.verdict).collect::<Vec<_>>()),
            figures,
            diagnosis,
            explanation: None,
            first_errors: errors,
        }
    }
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

/// Says of a top-5 accuracy that predictions of fewer classes do not tell it.
fn not_known(top5: &mut FigureRecord) {
    top5.reproduced.clear();
    top5.interval_pct = None;
    top5.verdict = Verdict::NotComparable;
    "fewer than five classes an image are known".clone_into(&mut top5.reason);
}

fn figures(conditions: Conditions<'_>, subject: &Subject<'_>, hits: &Hits) -> Vec<FigureRecord> {
    let model = subject.model;
    let obstacle = obstacle(conditions, subject, hits.images + hits.unlabelled);
    let documented = &model.documented;
    let accuracy = |figure, count, printed: Option<&Figure>| {
        let judgement = match printed {
            Some(printed) => {
                let tolerance_pp = conditions.tolerance.of(model, figure);
                let (obstacle, erratum) = (obstacle.as_deref(), model.erratum(figure));
                let judged = judge_accuracy(printed, count, hits.images, tolerance_pp, obstacle, erratum);
                in_type(judged, conditions.dtype)
            }
            None => nothing_documented(),
        };
        FigureRecord {
            figure,
            documented: printed.map(|printed| printed.as_str().to_owned()),
            reproduced: format!("{:.3}", percentage(count, hits.images)),
            count: None,
            rule: None,
            interval_pct: obstacle.is_some().then(|| wilson_interval_pct(count, hits.images)),
            verdict: judgement.verdict,
            reason: judgement.reason,
        }
    };
    let mut records = vec![
        accuracy(FigureName::Top1Pct, hits.top1, documented.top1_pct.as_ref()),
        accuracy(FigureName::Top5Pct, hits.top5, documented.top5_pct.as_ref()),
    ];
    records.extend(subject.counted.clone());
    records
}

/// `judged`, which says the type of numbers where it is not the usual one.
fn in_type(judged: Judgement, dtype: Dtype) -> Judgement {
    if dtype == Dtype::default() || judged.verdict == Verdict::NotComparable {
        return judged;
    }
    Judgement { reason: format!("{}; in {dtype}", judged.reason), ..judged }
}

/// FLOPs and parameters by the documented rules, with verdicts. `layers` are those at the size that
/// the documented FLOPs were counted at. Without documented figures: 2 x MACs, and trainable
/// parameters.
pub fn complexity_figures(model: &Model, layers: &[Layer]) -> [FigureRecord; 2] {
    let (flops, params) = rules(model);
    judge_counts(model, [flops.count(layers), params.count(layers)])
}

/// FLOPs and parameters as a run `counted` them, judged anew by what the catalog documents of `model`.
pub(crate) fn judge_counts_again(model: &Model, counted: [&FigureRecord; 2]) -> [FigureRecord; 2] {
    let mut figures = judge_counts(model, counted.map(|there| there.count.unwrap_or_default()));
    for (figure, there) in figures.iter_mut().zip(counted) {
        if there.count.is_none() {
            // A run from before counts were stored. Its print has lost digits that a verdict may hang on, so the
            // verdict that it was given stands.
            figure.clone_from(there);
        } else if figure.rule != there.rule {
            let counted_by = there.rule.as_deref().unwrap_or("another rule");
            figure.verdict = Verdict::NotComparable;
            figure.reason =
                format!("counted by {counted_by}; the catalog's rule is another now, so evaluate again");
            figure.rule.clone_from(&there.rule);
        }
    }
    figures
}

/// By which rules a model's FLOPs and parameters are counted.
fn rules(model: &Model) -> (FlopsRule, ParamsRule) {
    let Documented { flops_g, params_m, .. } = &model.documented;
    (
        flops_g.as_ref().map_or(FlopsRule::Flops, |flops| flops.rule),
        params_m.as_ref().map_or(ParamsRule::Trainable, |params| params.rule),
    )
}

/// FLOPs and parameters, counted by the rules that the catalog has for `model`.
fn judge_counts(model: &Model, [flops, params]: [u64; 2]) -> [FigureRecord; 2] {
    let (size, (flops_rule, params_rule)) = (model.counted_at(), rules(model));
    let flops_words = format!("{} at {size}x{size}", flops_rule.meaning());
    let params_words = params_rule.meaning().to_owned();
    let Documented { flops_g, params_m, .. } = &model.documented;
    [
        counted_figure(FigureName::FlopsG, flops, (flops_rule, flops_words), flops_g.as_ref(), model),
        counted_figure(FigureName::ParamsM, params, (params_rule, params_words), params_m.as_ref(), model),
    ]
}

/// Decimals of a count in its printed unit, where its rule's source has no fewer.
const COUNT_DECIMALS: u32 = 6;

fn counted_figure<R: CountingRule>(
    figure: FigureName,
    count: u64,
    (rule, words): (R, String),
    documented: Option<&Counted<R>>,
    model: &Model,
) -> FigureRecord {
    let unit = R::UNIT as f64;
    let judgement = match documented {
        Some(documented) => {
            judge_count(documented, count, unit, &words, model.tolerance.of(figure), model.erratum(figure))
        }
        None => nothing_documented(),
    };
    let source = rule.figure(count);
    let decimals = source.decimals.unwrap_or(COUNT_DECIMALS) as usize;
    FigureRecord {
        figure,
        documented: documented.map(|documented| documented.figure.as_str().to_owned()),
        reproduced: format!("{:.decimals$}", source.count as f64 / unit),
        count: Some(count),
        rule: Some(words),
        interval_pct: None,
        verdict: judgement.verdict,
        reason: judgement.reason,
    }
}

fn nothing_documented() -> Judgement {
    Judgement { verdict: Verdict::NotComparable, reason: "nothing documented".to_owned() }
}

/// What makes the accuracy over `images` images not comparable with the documented one.
fn obstacle(conditions: Conditions<'_>, subject: &Subject<'_>, images: u64) -> Option<String> {
    let mut obstacles = Vec::new();
    let dataset = conditions.dataset;
    let all = conditions.shard.map_or(dataset.images, |shard| shard.size(dataset.images));
    if images < all as u64 {
        obstacles.push(format!("unfinished, {images} of {all} images so far"));
    }
    if let Some(shard) = conditions.shard {
        obstacles.push(format!("shard {shard}, {all} of {} images", dataset.images));
    }
    if dataset.path == SAMPLE {
        obstacles.push("embedded sample".to_owned());
    } else if !dataset.is_ilsvrc2012_val {
        obstacles.push(format!("{} images, not the 50,000 with their labels", dataset.images));
    }
    if dataset.label_set == LabelSet::Real {
        obstacles.push("ReaL labels instead of the original ones".to_owned());
    }
    match subject.weights {
        WeightsSource::Seeded => obstacles.push("seeded weights".to_owned()),
        // By the catalog at hand, whatever a stored run was told by its own. An entry that names no published file, such as
        // that of one's own checkpoint, documents the file that is given.
        weights @ WeightsSource::File { .. } => {
            let published = subject.model.weights.as_ref();
            if published.is_some() && !weights.is_published(published) {
                obstacles.push("weights other than the published file".to_owned());
            }
        }
        // Weights, recipe and type of numbers are what whoever made the predictions says they are.
        WeightsSource::Elsewhere { .. } => {}
    }
    if !matches!(subject.weights, WeightsSource::Elsewhere { .. }) {
        if subject.recipe != subject.model.recipe {
            obstacles.push(format!("recipe {} instead of {}", subject.recipe, subject.model.recipe));
        }
        let documented = subject.model.documented.dtype;
        if conditions.dtype != documented {
            obstacles.push(format!("computed in {} instead of {documented}", conditions.dtype));
        }
    }
    if obstacles.is_empty() { None } else { Some(obstacles.join("; ")) }
}

#[cfg(test)]
mod tests {
    use models::Catalog;

    use super::*;

    fn whole_set() -> DatasetRecord {
        let sample = dataset::Dataset::sample();
        let dataset = DatasetRecord::new(&sample, "val".to_owned(), LabelSet::Original);
        DatasetRecord { images: 50_000, is_ilsvrc2012_val: true, ..dataset }
    }

    fn conditions(dataset: &DatasetRecord, dtype: Dtype) -> Conditions<'_> {
        let tolerance = AccuracyTolerance::new(None, &Catalog::built_in());
        Conditions { dataset, shard: None, tolerance, dtype }
    }

    fn own_file() -> WeightsSource {
        WeightsSource::File {
            path: "own.pth".into(),
            sha256: "0".repeat(64),
            published: false,
            evidence: crate::weights::Evidence::default(),
        }
    }

    fn subject<'a>(model: &'a Model, weights: &'a WeightsSource) -> Subject<'a> {
        Subject { model, recipe: &model.recipe, weights, counted: judge_counts(model, [0, 0]) }
    }

    fn xception() -> Model {
        Catalog::built_in().select("timm/xception").unwrap()[0].clone()
    }

    #[test]
    fn an_entry_without_a_published_file_documents_the_file_that_is_given() {
        let (dataset, weights, mut model) = (whole_set(), own_file(), xception());
        let found =
            |model: &Model| obstacle(conditions(&dataset, Dtype::F32), &subject(model, &weights), 50_000);
        assert_eq!(found(&model).as_deref(), Some("weights other than the published file"));
        model.weights = None;
        assert_eq!(found(&model), None);
    }

    /// What they were computed with is not known, so none of it is held against them: the screen of `score` and the run that it
    /// writes say one thing.
    #[test]
    fn predictions_made_elsewhere_are_compared_over_the_whole_set() {
        let (dataset, mut model) = (whole_set(), xception());
        let weights = WeightsSource::Elsewhere { sha256: "0".repeat(64) };
        let found = |model: &Model, images| {
            let subject = Subject { recipe: "elsewhere", ..subject(model, &weights) };
            obstacle(conditions(&dataset, Dtype::F32), &subject, images)
        };
        assert_eq!(found(&model, 50_000), None);
        model.documented.dtype = Dtype::Bf16;
        assert_eq!(found(&model, 50_000), None);
        assert_eq!(found(&model, 7).as_deref(), Some("unfinished, 7 of 50000 images so far"));
    }

    #[test]
    fn accuracies_are_compared_in_the_documented_type_of_numbers_only() {
        let (dataset, weights, mut model) = (whole_set(), own_file(), xception());
        model.weights = None;
        let judged = |model: &Model, dtype| {
            let hits = Hits { images: 50_000, top1: 39_525, top5: 47_196, ..Hits::default() };
            let figures = figures(conditions(&dataset, dtype), &subject(model, &weights), &hits);
            (figures[0].verdict, figures[0].reason.clone())
        };
        let said = |verdict, reason: &str| (verdict, reason.to_owned());
        let exact = "+0.000 pp, tolerance 0.05 pp";
        assert_eq!(judged(&model, Dtype::F32), said(Verdict::Reproduced, exact));
        let other = said(Verdict::NotComparable, "computed in bf16 instead of f32");
        assert_eq!(judged(&model, Dtype::Bf16), other);
        model.documented.dtype = Dtype::Bf16;
        assert_eq!(judged(&model, Dtype::Bf16), said(Verdict::Reproduced, &format!("{exact}; in bf16")));
        for dtype in [Dtype::F32, Dtype::F16] {
            let other = said(Verdict::NotComparable, &format!("computed in {dtype} instead of bf16"));
            assert_eq!(judged(&model, dtype), other);
        }
    }

    #[test]
    fn figures_agree_in_every_file_where_a_rule_rounds_on_its_way() {
        let figures = judge_counts(&xception(), [9_198_849_216, 22_855_952]);
        assert_eq!(figures.each_ref().map(|it| it.reproduced.as_str()), ["9.198", "22.855952"]);
        assert_eq!(figures.each_ref().map(|it| it.count), [Some(9_198_849_216), Some(22_855_952)]);
        assert_eq!(figures.each_ref().map(FigureRecord::counted), [Some(9.198), Some(22.855952)]);
        assert_eq!(figures[0].reason, "2 x thop MACs at 224x224, rounded before doubling");
    }
}
