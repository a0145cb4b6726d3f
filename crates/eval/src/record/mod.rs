//! What a run found, for machines: the content of `run.json`, as types. Runs from before a field was added stay
//! readable.

pub mod builds;
pub mod explanation;
mod recipe_id;
pub mod warned;

use cards::{ACCURACY_TOLERANCE_PP, FigureName};
use dataset::Dataset;
use dataset::labels::LabelSet;
use models::Dtype;
use models::complexity::{CountingRule, FlopsRule, ParamsRule};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::definitions::Claim;
use crate::judge::SampledFigure;
use crate::judge::counts::CountRecord;
use crate::logs::digests;
use crate::pixels::Pixels;
use crate::provenance::Environment;
use crate::recheck::{Recheck, RecheckRecord};
use crate::record::explanation::Explanation;
pub(crate) use crate::record::recipe_id::RecipeId;
use crate::record::warned::WarnedImage;
use crate::sample::{Part, Sample, Shard};
use crate::verdict::Verdict;
use crate::weights::WeightsSource;

/// What a run on the embedded sample names as its data.
pub(crate) const SAMPLE: &str = "embedded sample";

/// What stands for a device or a recipe that nobody knows: the predictions were made elsewhere.
pub(crate) const ELSEWHERE: &str = "elsewhere";

/// Version of `run.json`'s layout.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
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
    /// Version of the layout.
    pub schema_version: u32,
    /// How far the run has come.
    pub state: RunState,
    /// The command line that started it.
    pub command: Vec<String>,
    /// Program and machine that started it.
    pub environment: Environment,
    /// Device name.
    pub device: String,
    /// What the device computed in. Runs before there was a choice computed in f32.
    #[serde(default)]
    pub dtype: Dtype,
    /// That images near a hit were computed again in f32, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck: Option<Recheck>,
    /// Every process that computed a part of it, in order: the first started the run.
    pub sessions: Vec<Session>,
    /// How far an accuracy may lie from the printed one.
    #[serde(flatten)]
    pub tolerance: AccuracyTolerance,
    /// The images.
    pub dataset: DatasetRecord,
    /// What is known of their bytes.
    #[serde(default, skip_serializing_if = "Pixels::is_unverified")]
    pub pixels: Pixels,
    /// The random sample of them that this run is about; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    /// The part of them, or of the sample, that this run is about; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Images that decode and that libjpeg warns of, by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decoder_warnings: Vec<WarnedImage>,
    /// The cards that were selected; none where models were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<String>,
    /// The models, in the table's order.
    pub models: Vec<ModelRecord>,
    /// What the selected cards claim of models that were not measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_measured: Vec<ClaimRecord>,
}

impl RunRecord {
    /// The part of the images that this run is about.
    pub fn part(&self) -> Part {
        Part { sample: self.sample, shard: self.shard }
    }

    /// The type of numbers that hits are those of, and the one that the device computed in where it is another.
    pub(crate) fn numbers(&self) -> String {
        match self.recheck {
            Some(recheck) => format!(
                "{} (again in f32: images near a hit, and {} % of the others)",
                self.dtype, recheck.audit_pct
            ),
            None => self.dtype.to_string(),
        }
    }

    /// The type of numbers that hits are those of.
    pub(crate) fn dtype_of_hits(&self) -> Dtype {
        if self.recheck.is_some() { Dtype::F32 } else { self.dtype }
    }

    /// How many images this run is about.
    pub fn images(&self) -> usize {
        self.part().size(self.dataset.images)
    }

    /// All that is claimed of what was measured, and what the selected cards claim of other models.
    pub fn claims(&self) -> impl Iterator<Item = &ClaimRecord> {
        self.models.iter().flat_map(|model| &model.claims).chain(&self.not_measured)
    }

    /// Whether a figure is not reproduced: one of those that models are shown with, or any that a selected card claims.
    pub fn differs(&self) -> bool {
        let is_off = |verdict| verdict == Verdict::NotReproduced;
        let selected = self.claims().filter(|claim| self.cards.contains(&claim.card));
        self.models.iter().any(|model| is_off(model.verdict))
            || selected.into_iter().any(|claim| is_off(claim.verdict))
    }
}

impl RunRecord {
    /// What could not be compared of what a gate may rest on, a line a figure: what each model is shown with, and all that
    /// selected cards claim.
    pub fn not_compared(&self) -> Vec<String> {
        let shown = self.models.iter().flat_map(ModelRecord::not_compared);
        let is_shown = |claim: &ClaimRecord| {
            self.models
                .iter()
                .any(|model| model.id == claim.model && model.card.as_ref() == Some(&claim.card))
        };
        let others = self.claims().filter(|claim| self.cards.contains(&claim.card) && !is_shown(claim));
        let others = others.filter(|claim| claim.verdict == Verdict::NotComparable);
        let line = |it: &ClaimRecord| {
            format!("{} {} of card {}: {}", it.model, it.figure.name(), it.card, it.reason)
        };
        shown.chain(others.map(line)).collect()
    }
}

/// A figure that a card claims, and what is to be said of it: a row of `claims.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// The card.
    pub card: String,
    /// The model, as the card calls it.
    pub model: String,
    /// The recipe that the claim is about.
    pub recipe: String,
    /// Which figure.
    pub figure: FigureName,
    /// As printed.
    pub documented: String,
    /// As measured or counted here, by the claim's rule; empty where it was not.
    pub measured: String,
    /// The name of the rule of a counted figure, if the card says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub reason: String,
}

/// How far an accuracy over all images may lie from the printed one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AccuracyTolerance {
    /// In percentage points.
    pub tolerance_pp: f64,
    /// Whether it was asked for (`--tolerance`) and so holds for every model, whatever a card says.
    #[serde(default)]
    pub tolerance_over_all: bool,
}

impl AccuracyTolerance {
    /// What was asked for, else what holds where a card says nothing.
    pub fn new(asked_pp: Option<f64>) -> Self {
        Self {
            tolerance_pp: asked_pp.unwrap_or(ACCURACY_TOLERANCE_PP),
            tolerance_over_all: asked_pp.is_some(),
        }
    }

    /// For one accuracy of `claim`, in percentage points: what was asked for, else what its row says, else its card.
    pub fn of(self, claim: &Claim<'_>, figure: FigureName) -> f64 {
        let of_card = || claim.card.tolerance_of(claim.row, figure);
        let own = if self.tolerance_over_all { None } else { of_card() };
        own.unwrap_or(self.tolerance_pp)
    }
}

/// One process that computed a part of a run. A number's provenance is that of the process that
/// computed it, so going on with a run adds to the record and overwrites nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The shard that it computed, where the run was merged from shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
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
    /// SHA-256 over names and labels, which stay when a damaged file is replaced; absent in runs from before it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names_sha256: Option<String>,
    /// Whether they are the 50,000 of the validation set with their labels.
    pub is_ilsvrc2012_val: bool,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

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
            names_sha256: Some(names_sha256(dataset)),
            is_ilsvrc2012_val: is_ilsvrc2012_val(dataset),
            warnings: dataset.warnings().to_vec(),
        }
    }
}

/// SHA-256 over a line an item in their order: its name, a zero byte, its label, a newline.
fn names_sha256(dataset: &Dataset) -> String {
    let mut hash = Sha256::new();
    dataset.items().iter().for_each(|item| hash.update(format!("{}\0{}\n", item.name, item.label)));
    digests::hex(hash.finalize())
}

/// Whether these are the 50,000 images with the labels they are known to have.
fn is_ilsvrc2012_val(dataset: &Dataset) -> bool {
    dataset.is_complete_ilsvrc2012_val()
        && dataset.items().iter().all(|item| dataset::labels::val_label(&item.name) == Some(item.label))
}

/// One model of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Catalog id.
    pub id: String,
    /// Network name.
    pub network: String,
    /// Recipe name; of a recipe that was stated on the command line, its keys.
    pub recipe: String,
    /// The recipe in full: its keys, as `--recipe` takes them. Runs from before it was stored used recipes that are known by
    /// their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe_in_full: Option<String>,
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
    /// Which images were computed again in f32, and what that showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck: Option<RecheckRecord>,
    /// Time that the device spent on the images of `timed_images`, in seconds.
    pub seconds: f64,
    /// Images that `seconds` covers: less than `images` when a process was killed before it could
    /// note its time.
    pub timed_images: u64,
    /// The card whose figures those below are held against, if one claims any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// The figures with their verdicts.
    pub figures: Vec<FigureRecord>,
    /// All that cards claim of the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimRecord>,
    /// What its network counts by every rule; absent in runs from before they were stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<CountRecord>,
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

impl ModelRecord {
    /// Images a second of device time; 0 when nothing was timed.
    pub fn images_per_s(&self) -> f64 {
        if self.seconds > 0.0 { self.timed_images as f64 / self.seconds } else { 0.0 }
    }

    /// The recipe, by name and in full.
    pub(crate) fn recipe(&self) -> RecipeId {
        RecipeId::recorded(&self.recipe, self.recipe_in_full.as_deref())
    }

    /// The figure called `name`.
    pub fn figure(&self, name: FigureName) -> Option<&FigureRecord> {
        self.figures.iter().find(|figure| figure.figure == name)
    }
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
    /// As measured or counted here; by a rule that rounds on its way, with the decimals that it leaves.
    pub reproduced: String,
    /// The count itself, for counted figures; absent in runs from before it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The counting rule, for counted figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// For an accuracy over a part of the data, in per cent: the 95 % Wilson interval; of a random sample that is judged, the hypergeometric
    /// one, corrected as `sampled` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_pct: Option<[f64; 2]>,
    /// What a random sample says of a documented accuracy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<SampledFigure>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub reason: String,
}

/// Decimals of a counted figure in a table: so many at least, and at most.
const DECIMALS: (usize, usize) = (3, 6);

impl FigureRecord {
    /// The figure as its rule's source has it, in the unit that it is printed in; nothing for an accuracy.
    pub fn counted(&self) -> Option<f64> {
        self.exact().or_else(|| self.rounded())
    }

    /// That figure as text: with as many decimals as the documented one has, or without one so many that a small network shows three
    /// digits.
    pub fn counted_text(&self) -> Option<String> {
        let (least, most) = DECIMALS;
        let Some(exact) = self.exact() else { return Some(format!("{:.least$}", self.rounded()?)) };
        let printed = self.documented.as_ref().and_then(|text| Some(text.split_once('.')?.1.len()));
        let zeros = if exact > 0.0 { (-exact.log10()).ceil().max(0.0) as usize } else { 0 };
        let decimals = printed.unwrap_or(zeros + least - 1).clamp(least, most);
        Some(format!("{exact:.decimals$}"))
    }

    /// The count in the printed unit. Where the print is the count's, the count has more digits; else the rule rounds on its way.
    fn exact(&self) -> Option<f64> {
        let exact = self.count? as f64 / self.unit()?;
        (format!("{exact:.6}") == self.reproduced).then_some(exact)
    }

    /// What the rule's source prints.
    fn rounded(&self) -> Option<f64> {
        self.unit().and_then(|_| self.reproduced.parse().ok())
    }

    /// What the printed figure counts in; nothing for an accuracy.
    fn unit(&self) -> Option<f64> {
        match self.figure {
            FigureName::Top1Pct | FigureName::Top5Pct => None,
            FigureName::FlopsG => Some(FlopsRule::UNIT as f64),
            FigureName::ParamsM => Some(ParamsRule::UNIT as f64),
        }
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
