//! The figures of a model, and what makes them not comparable with those that a card claims.

use cards::{Card, FigureName};
use dataset::labels::LabelSet;
use models::{Dtype, Model};

use super::counted::{Known, judge_counts, nothing_documented};
use super::sampled::{Seen, judge_sample};
use crate::definitions::{Claim, own_recipe};
use crate::metrics::{Hits, percentage, wilson_interval_pct};
use crate::pixels::Pixels;
use crate::recheck::RecheckRecord;
use crate::record::{
    AccuracyTolerance, ClaimRecord, DatasetRecord, ELSEWHERE, FigureRecord, RecipeId, SAMPLE,
};
use crate::sample::Part;
use crate::verdict::{Judgement, Verdict, judge_accuracy};
use crate::weights::WeightsSource;

/// Under which conditions a run's models are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions<'a> {
    pub(crate) dataset: &'a DatasetRecord,
    pub(crate) part: Part,
    /// What is known of the images' bytes.
    pub(crate) pixels: &'a Pixels,
    /// The run's models, whose accuracies share the error rate of a sample.
    pub(crate) ids: &'a [&'a str],
    pub(crate) tolerance: AccuracyTolerance,
    /// The type of numbers that the device computes in.
    pub(crate) dtype: Dtype,
}

/// A model as it is measured, and what is claimed of it.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) model: &'a Model,
    pub(crate) recipe: RecipeId,
    pub(crate) weights: &'a WeightsSource,
    /// Its FLOPs and parameters.
    pub(crate) known: Known<'a>,
    /// All that is claimed of it.
    pub(crate) claims: Vec<Claim<'a>>,
    /// The cards that were selected; none means that the first card counts that claims anything.
    pub(crate) selected: &'a [String],
}

/// What the predictions of a model say.
#[derive(Debug, Default)]
pub(super) struct Predicted {
    pub(super) hits: Hits,
    /// What they look like when they are absurd.
    pub(super) diagnosis: Option<String>,
    /// Whether some have fewer than five classes.
    pub(super) lacks_classes: bool,
    /// Hits at each look at a random sample.
    pub(super) looks: Vec<Hits>,
    /// Which images were computed again in f32, and what that showed.
    pub(super) recheck: Option<RecheckRecord>,
}

impl Predicted {
    /// The type of numbers that the hits are those of, where the device computes in `dtype`.
    pub(super) fn dtype_of_hits(&self, dtype: Dtype) -> Dtype {
        if self.recheck.is_some() { Dtype::F32 } else { dtype }
    }
}

/// How many accuracies `card` claims of the models `ids`, each once.
fn figures_of(card: &Card, ids: &[&str]) -> usize {
    let claimed = |id: &str, figure| card.rows_of(id).any(|row| row.printed(figure).is_some());
    let of_model = |id: &&str| ACCURACIES.into_iter().filter(|&figure| claimed(id, figure)).count();
    ids.iter().map(of_model).sum::<usize>().max(1)
}

/// The figures that a sample can say something of.
const ACCURACIES: [FigureName; 2] = [FigureName::Top1Pct, FigureName::Top5Pct];

/// The accuracies and the counts of `subject`, held against `claim`.
pub(super) fn figures(
    conditions: Conditions<'_>,
    subject: &Subject<'_>,
    claim: Option<&Claim<'_>>,
    predicted: &Predicted,
) -> Vec<FigureRecord> {
    let hits = &predicted.hits;
    let dtype_of_hits = predicted.dtype_of_hits(conditions.dtype);
    let missed = predicted.recheck.map_or(0, |recheck| recheck.missed());
    let seen_images = hits.images + hits.unlabelled;
    let obstacle = obstacle(conditions, subject, claim, seen_images, dtype_of_hits);
    // A sample that is one of other things than the claim says is judged as little as any part.
    let sample = conditions.part.real_sample().filter(|_| obstacle.is_none());
    let accuracy = |figure, hits_of: fn(&Hits) -> u64| {
        let count = hits_of(hits);
        let printed = claim.and_then(|claim| Some((claim, claim.row.printed(figure)?)));
        let looks: Vec<(usize, usize)> =
            predicted.looks.iter().map(|look| (look.images as usize, hits_of(look) as usize)).collect();
        let seen = sample.map(|sample| {
            let figures = claim.map_or(1, |claim| figures_of(claim.card, conditions.ids));
            Seen { sample, looks: &looks, figures, missed: missed as usize }
        });
        let mut sampled = None;
        let judgement = match printed {
            Some((claim, printed)) => {
                let tolerance_pp = conditions.tolerance.of(claim, figure);
                let (against, erratum) = (obstacle.as_deref(), claim.row.erratum(figure));
                let judged = match seen {
                    Some(seen) => {
                        let (judged, found) = judge_sample(printed, seen, tolerance_pp, erratum);
                        sampled = Some(found);
                        judged
                    }
                    None => {
                        let judge = |count| {
                            judge_accuracy(printed, count, hits.images, tolerance_pp, against, erratum)
                        };
                        surely(judge, count, hits.images, missed, tolerance_pp)
                    }
                };
                let judged = match &predicted.recheck {
                    // What stands in the way says nothing of how hits were computed.
                    Some(recheck) if obstacle.is_none() => {
                        let words = recheck.words(conditions.dtype, hits.images);
                        Judgement { reason: format!("{}; {words}", judged.reason), ..judged }
                    }
                    Some(_) => judged,
                    None => in_type(judged, conditions.dtype),
                };
                match &obstacle {
                    None => with_pixels(judged, conditions.pixels),
                    Some(_) => judged,
                }
            }
            None => nothing_documented(),
        };
        let interval_pct = match seen {
            Some(seen) => Some(seen.interval_pct()),
            None => obstacle.is_some().then(|| wilson_interval_pct(count, hits.images)),
        };
        let reason = match &predicted.diagnosis {
            // What an erratum or the type of numbers has to do with it is in the reason that is there.
            Some(diagnosis) if judgement.verdict == Verdict::NotReproduced => {
                format!("{diagnosis}; {}", judgement.reason)
            }
            _ => judgement.reason,
        };
        FigureRecord {
            figure,
            documented: printed.map(|(_, printed)| printed.as_str().to_owned()),
            reproduced: format!("{:.3}", percentage(count, hits.images)),
            count: None,
            rule: None,
            interval_pct,
            sampled,
            verdict: judgement.verdict,
            reason,
        }
    };
    let (top1, mut top5) =
        (accuracy(FigureName::Top1Pct, |hits| hits.top1), accuracy(FigureName::Top5Pct, |hits| hits.top5));
    if predicted.lacks_classes {
        not_known(&mut top5);
    }
    [top1, top5].into_iter().chain(judge_counts(subject.model, claim, subject.known)).collect()
}

/// Every figure that `claim` is about, as it is judged.
pub(super) fn claimed(
    conditions: Conditions<'_>,
    subject: &Subject<'_>,
    claim: &Claim<'_>,
    predicted: &Predicted,
) -> impl Iterator<Item = ClaimRecord> {
    let figures = figures(conditions, subject, Some(claim), predicted).into_iter();
    let (card, model) = (claim.card.name.clone(), claim.row.model.clone());
    let recipe = claim.recipe.name.clone();
    let rules = FigureName::ALL.map(|figure| claim.row.rule(figure));
    figures.zip(rules).filter_map(move |(figure, rule)| {
        Some(ClaimRecord {
            card: card.clone(),
            model: model.clone(),
            recipe: recipe.clone(),
            figure: figure.figure,
            documented: figure.documented?,
            measured: figure.reproduced,
            rule: rule.map(str::to_owned),
            verdict: figure.verdict,
            reason: figure.reason,
        })
    })
}

/// Says of a top-5 accuracy that predictions of fewer classes do not tell it.
fn not_known(top5: &mut FigureRecord) {
    top5.reproduced.clear();
    top5.interval_pct = None;
    top5.sampled = None;
    top5.verdict = Verdict::NotComparable;
    "fewer than five classes an image are known".clone_into(&mut top5.reason);
}

/// What `judge` says of `count` hits of `images`, of which up to `missed` may be more or fewer: a verdict only where all of these have it.
fn surely(
    judge: impl Fn(u64) -> Judgement,
    count: u64,
    images: u64,
    missed: u64,
    tolerance_pp: f64,
) -> Judgement {
    let judged = judge(count);
    if missed == 0 || judged.verdict == Verdict::NotComparable {
        return judged;
    }
    let (fewest, most) = (count.saturating_sub(missed), count.saturating_add(missed).min(images));
    let is_sure = (fewest..=most).all(|count| judge(count).verdict == judged.verdict);
    if is_sure {
        return judged;
    }
    let pp = percentage(missed, images);
    let larger = match RecheckRecord::audit_for(images, tolerance_pp) {
        Some(pct) => format!("an audit of {pct} % or more may tell"),
        None => "hits that are all computed in f32 tell".to_owned(),
    };
    let reason = format!(
        "{}, undecided, because up to {missed} hits ({pp:.3} pp) may be missed by computing only some images again: {larger}",
        judged.reason
    );
    Judgement { verdict: Verdict::NotComparable, reason }
}

/// `judged`, which says the type of numbers where it is not the usual one.
fn in_type(judged: Judgement, dtype: Dtype) -> Judgement {
    if dtype == Dtype::default() || judged.verdict == Verdict::NotComparable {
        return judged;
    }
    Judgement { reason: format!("{}; in {dtype}", judged.reason), ..judged }
}

/// `judged`, which says what is known of the images' bytes.
pub(crate) fn with_pixels(mut judged: Judgement, pixels: &Pixels) -> Judgement {
    judged.reason = format!("{}; {}", judged.reason, pixels.words());
    judged
}

/// What makes the accuracy over `images` images not comparable with the one that `claim` is about.
fn obstacle(
    conditions: Conditions<'_>,
    subject: &Subject<'_>,
    claim: Option<&Claim<'_>>,
    images: u64,
    dtype_of_hits: Dtype,
) -> Option<String> {
    let mut obstacles = Vec::new();
    let dataset = conditions.dataset;
    let part = conditions.part;
    let all = part.size(dataset.images);
    if images < all as u64 {
        obstacles.push(format!("unfinished, {images} of {all} images so far"));
    }
    if let Some(shard) = part.shard {
        let of = Part { shard: None, ..part }.size(dataset.images);
        obstacles.push(format!("shard {shard}, {all} of {of} images"));
    }
    if dataset.path == SAMPLE {
        obstacles.push("embedded sample".to_owned());
    } else if !dataset.is_ilsvrc2012_val {
        obstacles.push(format!("{} images, not the 50,000 with their labels", dataset.images));
    }
    if matches!(conditions.pixels, Pixels::Other { .. }) {
        obstacles.push(conditions.pixels.words());
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
    let is_elsewhere = matches!(subject.weights, WeightsSource::Elsewhere { .. });
    // A manifest tells the recipe of predictions made elsewhere.
    if !is_elsewhere || subject.recipe.name != ELSEWHERE {
        let claimed = claim.map_or_else(|| own_recipe(subject.model), |claim| claim.recipe.clone());
        if subject.recipe != claimed {
            let [here, there] = subject.recipe.told_apart(&claimed);
            obstacles.push(format!("recipe {here} instead of {there}"));
        } else if let Some(other) = claim.and_then(|claim| other_side(claim, &subject.recipe)) {
            obstacles.push(other);
        }
    }
    if !is_elsewhere {
        let precision = claim.map(|claim| claim.row.precision).unwrap_or_default();
        if dtype_of_hits.name() != precision.name() {
            let again = if dtype_of_hits == conditions.dtype { "" } else { " again" };
            obstacles.push(format!("computed{again} in {dtype_of_hits} instead of {precision}"));
        }
    }
    if obstacles.is_empty() {
        return None;
    }
    // A sample by itself stands in the way of nothing: it is judged as one.
    obstacles.extend(part.real_sample().map(|sample| format!("sample {sample} of {}", dataset.images)));
    Some(obstacles.join("; "))
}

/// What stands against `claim` where its row prints another side of the input than `recipe` crops.
fn other_side(claim: &Claim<'_>, recipe: &RecipeId) -> Option<String> {
    let (side, crop) = (claim.row.input_size?, recipe.recipe()?.crop);
    let is_other = dataset::Size::square(side) != crop;
    is_other.then(|| format!("inputs of {crop} pixels instead of {side}x{side}, which the card prints"))
}

#[cfg(test)]
mod tests {
    use cards::Precision;

    use super::*;
    use crate::Definitions;

    fn whole_set() -> DatasetRecord {
        let sample = dataset::Dataset::sample();
        let dataset = DatasetRecord::new(&sample, "val".to_owned(), LabelSet::Original);
        DatasetRecord { images: 50_000, is_ilsvrc2012_val: true, ..dataset }
    }

    fn conditions(dataset: &DatasetRecord, dtype: Dtype) -> Conditions<'_> {
        let tolerance = AccuracyTolerance::new(None);
        Conditions { dataset, part: Part::default(), pixels: &Pixels::Unverified, ids: &[], tolerance, dtype }
    }

    fn own_file() -> WeightsSource {
        WeightsSource::File {
            path: "own.pth".into(),
            sha256: "0".repeat(64),
            published: false,
            evidence: crate::weights::Evidence::default(),
        }
    }

    /// Xception without claims, and the table's claim, in this type of numbers.
    fn xception(precision: Precision) -> (Model, Definitions) {
        let mut definitions = Definitions::built_in();
        let model = definitions.catalog().get("timm/xception").unwrap().clone();
        let text = "[card]\nname = \"typed\"\n[[rows]]\nmodel = \"timm/xception\"\ntop1_pct = \"79.050\"\n";
        definitions.add_text(&format!("{text}dtype = \"{precision}\"\n"), "typed.toml").unwrap();
        (model, definitions)
    }

    fn subject<'a>(model: &'a Model, weights: &'a WeightsSource) -> Subject<'a> {
        let (recipe, known) = (own_recipe(model), Known::Counts(&[]));
        Subject { model, recipe, weights, known, claims: Vec::new(), selected: &[] }
    }

    #[test]
    fn an_entry_without_a_published_file_documents_the_file_that_is_given() {
        let (dataset, weights, (mut model, _)) = (whole_set(), own_file(), xception(Precision::F32));
        let found = |model: &Model| {
            obstacle(conditions(&dataset, Dtype::F32), &subject(model, &weights), None, 50_000, Dtype::F32)
        };
        assert_eq!(found(&model).as_deref(), Some("weights other than the published file"));
        model.weights = None;
        assert_eq!(found(&model), None);
    }

    /// What they were computed with is not known, so none of it is held against them: the screen of `score` and the run that it
    /// writes say one thing.
    #[test]
    fn predictions_made_elsewhere_are_compared_over_the_whole_set() {
        let dataset = whole_set();
        let weights = WeightsSource::Elsewhere { sha256: "0".repeat(64) };
        let found = |precision, images| {
            let (model, definitions) = xception(precision);
            let recipe = RecipeId::recorded("elsewhere", None);
            let subject = Subject { recipe, ..subject(&model, &weights) };
            let claims = definitions.claims_of(&model);
            obstacle(conditions(&dataset, Dtype::F32), &subject, claims.last(), images, Dtype::F32)
        };
        assert_eq!(found(Precision::F32, 50_000), None);
        assert_eq!(found(Precision::Bf16, 50_000), None);
        assert_eq!(found(Precision::F32, 7).as_deref(), Some("unfinished, 7 of 50000 images so far"));
    }

    #[test]
    fn accuracies_are_compared_in_the_documented_type_of_numbers_only() {
        let (dataset, weights) = (whole_set(), own_file());
        let judged = |precision, dtype| {
            let (mut model, definitions) = xception(precision);
            model.weights = None;
            let hits = Hits { images: 50_000, top1: 39_525, top5: 47_196, ..Hits::default() };
            let predicted = Predicted { hits, ..Predicted::default() };
            let claims = definitions.claims_of(&model);
            let subject = subject(&model, &weights);
            let figures = figures(conditions(&dataset, dtype), &subject, claims.last(), &predicted);
            (figures[0].verdict, figures[0].reason.clone())
        };
        let said = |verdict, reason: &str| (verdict, reason.to_owned());
        let exact = "+0.000 pp, tolerance 0.05 pp";
        let unverified = format!("{exact}; unverified pixels");
        assert_eq!(judged(Precision::F32, Dtype::F32), said(Verdict::Reproduced, &unverified));
        let other = said(Verdict::NotComparable, "computed in bf16 instead of f32");
        assert_eq!(judged(Precision::F32, Dtype::Bf16), other);
        let in_bf16 = said(Verdict::Reproduced, &format!("{exact}; in bf16; unverified pixels"));
        assert_eq!(judged(Precision::Bf16, Dtype::Bf16), in_bf16);
        for dtype in [Dtype::F32, Dtype::F16] {
            let other = said(Verdict::NotComparable, &format!("computed in {dtype} instead of bf16"));
            assert_eq!(judged(Precision::Bf16, dtype), other);
        }
        // A card may claim what this program does not compute in.
        let other = said(Verdict::NotComparable, "computed in f32 instead of int8");
        assert_eq!(judged(Precision::Int8, Dtype::F32), other);
    }

    /// Hits that may be missed are part of a verdict: it stands only where it would with any of them.
    #[test]
    fn a_recheck_has_a_verdict_only_where_missed_hits_cannot_change_it() {
        let (dataset, weights) = (whole_set(), own_file());
        let (mut model, definitions) = xception(Precision::F32);
        model.weights = None;
        let judged = |top1, audit_pct, again| {
            let hits = Hits { images: 50_000, top1, top5: 47_196, ..Hits::default() };
            let recheck = RecheckRecord { audit_pct, images: 50_000, again, ..RecheckRecord::default() };
            let predicted = Predicted { hits, recheck: Some(recheck), ..Predicted::default() };
            let claims = definitions.claims_of(&model);
            let conditions = conditions(&dataset, Dtype::Bf16);
            let figures = figures(conditions, &subject(&model, &weights), claims.last(), &predicted);
            (figures[0].verdict, figures[0].reason.clone())
        };
        // 79.05 % are 39,525 hits, and 25 more or fewer reproduce it.
        let (verdict, reason) = judged(39_525, 12.0, 12_000);
        assert_eq!(verdict, Verdict::Reproduced, "{reason}");
        assert!(reason.contains("in bf16, 24.0 % of the images again in f32"), "{reason}");
        assert!(reason.contains("at most 0.046 points are missed (95 %)"), "{reason}");
        for (top1, audit_pct) in [(39_525, 2.0), (39_530, 12.0), (39_560, 12.0), (39_700, 0.5)] {
            let (verdict, reason) = judged(top1, audit_pct, 12_000);
            assert_eq!(verdict, Verdict::NotComparable, "{top1} {audit_pct}: {reason}");
            assert!(reason.contains("undecided, because up to "), "{reason}");
        }
        assert!(judged(39_525, 2.0, 12_000).1.contains("an audit of 11 % or more may tell"));
        assert_eq!(judged(40_000, 2.0, 12_000).0, Verdict::NotReproduced);
        assert_eq!(judged(39_550, 2.0, 50_000).0, Verdict::Reproduced);
    }
}
