//! The figures of a model, and what makes them not comparable with the documented ones.

use dataset::labels::LabelSet;
use models::catalog::{Figure, FigureName};
use models::{Dtype, Model};

use super::counted::nothing_documented;
use crate::metrics::{Hits, percentage, wilson_interval_pct};
use crate::record::{AccuracyTolerance, DatasetRecord, FigureRecord, RecipeId, SAMPLE};
use crate::shard::Shard;
use crate::verdict::{Judgement, Verdict, judge_accuracy};
use crate::weights::WeightsSource;

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
    pub(crate) recipe: RecipeId,
    pub(crate) weights: &'a WeightsSource,
    /// FLOPs and parameters, judged.
    pub(crate) counted: [FigureRecord; 2],
}

/// The accuracies by `hits`, judged, and the counts.
pub(super) fn figures(conditions: Conditions<'_>, subject: &Subject<'_>, hits: &Hits) -> Vec<FigureRecord> {
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
        let own = own_recipe(subject.model);
        if subject.recipe != own {
            let [here, there] = subject.recipe.told_apart(&own);
            obstacles.push(format!("recipe {here} instead of {there}"));
        }
        let documented = subject.model.documented.dtype;
        if conditions.dtype != documented {
            obstacles.push(format!("computed in {} instead of {documented}", conditions.dtype));
        }
    }
    if obstacles.is_empty() { None } else { Some(obstacles.join("; ")) }
}

/// The recipe of the weights' source.
pub(super) fn own_recipe(model: &Model) -> RecipeId {
    model.recipe().map_or_else(|| RecipeId::recorded(&model.recipe, None), |recipe| recipe.as_ref().into())
}

#[cfg(test)]
mod tests {
    use models::Catalog;

    use super::super::counted::judge_counts;
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
        Subject { model, recipe: own_recipe(model), weights, counted: judge_counts(model, [0, 0]) }
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
            let recipe = RecipeId::recorded("elsewhere", None);
            let subject = Subject { recipe, ..subject(model, &weights) };
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
}
