//! What a run found, for machines: the content of `run.json` and `results.csv`.

use dataset::Dataset;
use dataset::labels::LabelSet;
use models::catalog::{Counted, Documented, Figure, FigureName};
use models::complexity::{FlopsRule, Layer, ParamsRule};
use models::{Catalog, Dtype, Model};
use serde::{Deserialize, Serialize};

use crate::diagnosis::diagnose;
use crate::explain::Explanation;
use crate::metrics::{Hits, percentage, wilson_interval_pct};
use crate::plan::{Plan, PlannedModel, SAMPLE};
use crate::predictions::Prediction;
use crate::provenance::Environment;
use crate::shard::Shard;
use crate::verdict::{Judgement, Verdict, judge_accuracy, judge_count};
use crate::weights::WeightsSource;

/// Version of `run.json`'s layout.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Being computed, or killed.
    Running,
    /// Stopped on request; the same command goes on.
    Interrupted,
    /// Every image has a row for every model.
    Finished,
}

/// `run.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// How far the run has come.
    pub state: State,
    /// The command line that started it.
    pub command: Vec<String>,
    /// Program and machine that started it.
    pub environment: Environment,
    /// Device name.
    pub device: String,
    /// What the device computed in. Runs before there was a choice computed in f32.
    #[serde(default)]
    pub dtype: Dtype,
    /// Every process that computed a part of it, in order: the first started the run.
    pub sessions: Vec<Session>,
    /// How far an accuracy may lie from the printed one.
    #[serde(flatten)]
    pub tolerance: AccuracyTolerance,
    /// The images.
    pub dataset: DatasetRecord,
    /// The part of them that this run is about; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The models, in the table's order.
    pub models: Vec<ModelRecord>,
}

/// How far an accuracy over all images may lie from the printed one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AccuracyTolerance {
    /// In percentage points.
    pub tolerance_pp: f64,
    /// Whether it was asked for (`--tolerance`) and so holds for every model, whatever its catalog entry says.
    #[serde(default)]
    pub tolerance_over_all: bool,
}

impl AccuracyTolerance {
    /// What was asked for, else what `catalog` says.
    pub fn new(asked_pp: Option<f64>, catalog: &Catalog) -> Self {
        Self {
            tolerance_pp: asked_pp.unwrap_or(catalog.accuracy_tolerance_pp()),
            tolerance_over_all: asked_pp.is_some(),
        }
    }

    /// For one figure of `model`, in percentage points.
    pub fn of(self, model: &Model, figure: FigureName) -> f64 {
        let own = model.tolerance.of(figure).filter(|_| !self.tolerance_over_all);
        own.unwrap_or(self.tolerance_pp)
    }
}

/// One process that computed a part of a run. A number's provenance is that of the process that
/// computed it, so going on with a run adds to the record and overwrites nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The command line.
    pub command: Vec<String>,
    /// Program and machine.
    pub environment: Environment,
    /// Images a batch.
    pub batch: usize,
    /// Threads that decoded, and on the CPU computed.
    pub threads: usize,
    /// What computed: the kernels' instruction set, or `burn` for Burn's operations, as before there were kernels.
    #[serde(default = "burn")]
    pub engine: String,
    /// When it started.
    pub started_utc: String,
    /// When it ended; absent when it was killed.
    pub ended_utc: Option<String>,
    /// Images that earlier sessions had finished for every model.
    pub images_before: usize,
    /// Models for which batches of `batch` images did not fit into memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub smaller_batches: Vec<SmallerBatch>,
}

fn burn() -> String {
    "burn".to_owned()
}

/// A model for which the batch that was asked for did not fit into memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmallerBatch {
    /// Catalog id.
    pub id: String,
    /// Images a batch, in the end.
    pub batch: usize,
}

/// The images of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// Where they lie, or `embedded sample`.
    pub path: String,
    /// How they lie there.
    pub layout: String,
    /// Where the labels come from.
    pub labels: String,
    /// By which labels predictions are scored: `original` or `real`.
    #[serde(default, with = "label_set")]
    pub label_set: LabelSet,
    /// Number of images.
    pub images: usize,
    /// SHA-256 over names, labels and sizes.
    pub fingerprint: String,
    /// Whether they are the 50,000 of the validation set with their labels.
    pub is_ilsvrc2012_val: bool,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// One model of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Catalog id.
    pub id: String,
    /// Network name.
    pub network: String,
    /// Recipe name.
    pub recipe: String,
    /// What a reader should know about the recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe_note: Option<String>,
    /// Where the weights come from.
    pub weights: WeightsSource,
    /// Images, unreadable ones included: the denominator of the accuracies.
    pub images: u64,
    /// Images that the label set has no label for; they are not among `images`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unlabelled: u64,
    /// Images without a prediction.
    pub errors: u64,
    /// Hits of the best class.
    pub top1_hits: u64,
    /// Hits among the five best classes.
    pub top5_hits: u64,
    /// Time that the device spent on the images of `timed_images`, in seconds.
    pub seconds: f64,
    /// Images that `seconds` covers: less than `images` when a process was killed before it could
    /// note its time.
    pub timed_images: u64,
    /// The figures with their verdicts.
    pub figures: Vec<FigureRecord>,
    /// What the predictions look like when they are absurd (an accuracy near chance, the same class for
    /// every image), and what to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<String>,
    /// What swapping one factor of the recipe at a time did, where that was asked for (`eval --explain`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    /// The verdict on the row.
    pub verdict: Verdict,
    /// The first images without a prediction, and why.
    pub first_errors: Vec<ImageError>,
}

/// An image without a prediction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageError {
    /// Its name.
    pub image: String,
    /// The reason.
    pub error: String,
}

/// One figure of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FigureRecord {
    /// Which figure.
    pub figure: FigureName,
    /// As the source prints it, if it does.
    pub documented: Option<String>,
    /// As measured or counted here.
    pub reproduced: String,
    /// The count itself, for counted figures; absent in runs from before it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The counting rule, for counted figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// 95 % Wilson interval in per cent, for an accuracy over a part of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_pct: Option<[f64; 2]>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub reason: String,
}

impl FigureRecord {
    /// What was counted, in the unit that the figure is printed in; nothing for an accuracy.
    pub(crate) fn counted(&self) -> Option<f64> {
        let unit = unit(self.figure)?;
        // Without the count, its print with six decimals is the nearest there is.
        self.count.map(|count| count as f64 / unit).or_else(|| self.reproduced.parse().ok())
    }
}

/// What the print of a counted figure is a multiple of.
fn unit(figure: FigureName) -> Option<f64> {
    match figure {
        FigureName::Top1Pct | FigureName::Top5Pct => None,
        FigureName::FlopsG => Some(1e9),
        FigureName::ParamsM => Some(1e6),
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A label set by its name.
mod label_set {
    use dataset::labels::LabelSet;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(set: &LabelSet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(set.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LabelSet, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(D::Error::custom)
    }
}

/// How many errors `run.json` and `report.md` name; the prediction log names all.
const FIRST_ERRORS: usize = 20;

impl DatasetRecord {
    /// Describes `dataset`, which lies at `path`. Looks at every file's size.
    pub fn new(dataset: &Dataset, path: String, label_set: LabelSet) -> Self {
        Self {
            path,
            layout: dataset.layout().to_string(),
            labels: dataset.label_source().to_string(),
            label_set,
            images: dataset.items().len(),
            fingerprint: dataset.fingerprint(),
            is_ilsvrc2012_val: is_ilsvrc2012_val(dataset),
            warnings: dataset.warnings().to_vec(),
        }
    }
}

/// Whether these are the 50,000 images with the labels they are known to have.
fn is_ilsvrc2012_val(dataset: &Dataset) -> bool {
    dataset.is_complete_ilsvrc2012_val()
        && dataset.items().iter().all(|item| dataset::labels::val_label(&item.name) == Some(item.label))
}

/// Under which conditions a run's models are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions<'a> {
    pub(crate) dataset: &'a DatasetRecord,
    pub(crate) shard: Option<Shard>,
    pub(crate) tolerance: AccuracyTolerance,
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
    /// Counts hits in `rows` and judges every figure.
    pub fn of_plan(
        plan: &Plan,
        planned: &PlannedModel,
        rows: &[Prediction],
        seconds: f64,
        timed_images: u64,
    ) -> Self {
        let conditions =
            Conditions { dataset: &plan.dataset_record, shard: plan.shard, tolerance: plan.tolerance };
        let subject = Subject {
            model: &planned.model,
            recipe: planned.recipe.name,
            weights: &planned.weights,
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
                    figure.reason.clone_from(diagnosis);
                }
            }
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
            weights: subject.weights.clone(),
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

    /// Images a second of device time; 0 when nothing was timed.
    pub fn images_per_s(&self) -> f64 {
        if self.seconds > 0.0 { self.timed_images as f64 / self.seconds } else { 0.0 }
    }

    /// The figure called `name`.
    pub fn figure(&self, name: FigureName) -> Option<&FigureRecord> {
        self.figures.iter().find(|figure| figure.figure == name)
    }
}

fn figures(conditions: Conditions<'_>, subject: &Subject<'_>, hits: &Hits) -> Vec<FigureRecord> {
    let model = subject.model;
    let obstacle = obstacle(conditions, subject, hits.images + hits.unlabelled);
    let documented = &model.documented;
    let accuracy = |figure, count, printed: Option<&Figure>| {
        let judgement = match printed {
            Some(printed) => judge_accuracy(
                printed,
                count,
                hits.images,
                conditions.tolerance.of(model, figure),
                obstacle.as_deref(),
                model.erratum(figure),
            ),
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
    [
        counted_figure(FigureName::FlopsG, flops, flops_words, model.documented.flops_g.as_ref(), model),
        counted_figure(FigureName::ParamsM, params, params_words, model.documented.params_m.as_ref(), model),
    ]
}

fn counted_figure<R>(
    figure: FigureName,
    count: u64,
    rule: String,
    documented: Option<&Counted<R>>,
    model: &Model,
) -> FigureRecord {
    let unit = unit(figure).unwrap_or(1.0);
    let judgement = match documented {
        Some(documented) => {
            judge_count(documented, count, unit, &rule, model.tolerance.of(figure), model.erratum(figure))
        }
        None => nothing_documented(),
    };
    FigureRecord {
        figure,
        documented: documented.map(|documented| documented.figure.as_str().to_owned()),
        reproduced: format!("{:.6}", count as f64 / unit),
        count: Some(count),
        rule: Some(rule),
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
        WeightsSource::File { published: false, .. } => {
            obstacles.push("weights other than the published file".to_owned());
        }
        WeightsSource::File { published: true, .. } => {}
    }
    if subject.recipe != subject.model.recipe {
        obstacles.push(format!("recipe {} instead of {}", subject.recipe, subject.model.recipe));
    }
    if obstacles.is_empty() { None } else { Some(obstacles.join("; ")) }
}
