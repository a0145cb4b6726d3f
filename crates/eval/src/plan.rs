//! What was asked for, resolved and checked: models, cards, recipes, weights, data, device. No network is loaded here, so that a plan
//! costs little more than the hashes of its files. What is wrong with the command or the files shows here, except for tensors
//! that are not the network's, which show when it is loaded ([`crate::run::networks`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataset::labels::{self, LabelSet, VAL_IMAGES};
use dataset::{Dataset, Recipe};
use models::onnx::OnnxNetwork;
use models::{DeviceName, Dtype, Isa, Model, Placement};

use crate::definitions::Definitions;
use crate::judge::counts::{CountRecord, counts, counts_of, sizes};
use crate::onnx::{self, OnnxModel};
use crate::pixels::TarDigests;
use crate::provenance::{Environment, Invocation};
use crate::recheck::Recheck;
use crate::record::{AccuracyTolerance, DatasetRecord, RunRecord, SAMPLE};
use crate::sample::{Part, Sample, Shard};
use crate::weights::{self, Cache, ResolvedWeights, WeightsArg};
use crate::{EvalError, EvidenceError};

/// `--recipe`: how images are prepared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RecipeArg {
    /// Each model's own; with a card, that of its row.
    #[default]
    Source,
    /// The one that the card's page states for all its rows.
    Card,
    /// One by its name, or by its keys (`key=value,key=value`), for all.
    Stated(String),
}

impl RecipeArg {
    fn for_model(
        &self,
        definitions: &Definitions,
        cards: &[String],
        model: &Model,
    ) -> Result<Arc<Recipe>, EvalError> {
        let of = |text: &str| definitions.catalog().recipe(text);
        let recipe = match (self.stated(definitions, cards)?, definitions.stated_recipe(cards, &model.id)) {
            (Some(stated), _) => Ok(stated),
            (None, Some(of_row)) => of_row,
            (None, None) => of(&model.recipe),
        };
        recipe.map_err(|fault| EvalError::Recipe { fault })
    }

    /// The one for all models; none where each has its own.
    pub(crate) fn stated(
        &self,
        definitions: &Definitions,
        cards: &[String],
    ) -> Result<Option<Arc<Recipe>>, EvalError> {
        let text = match self {
            Self::Source => return Ok(None),
            Self::Card => definitions.card_recipe(cards)?,
            Self::Stated(text) => text,
        };
        definitions.catalog().recipe(text).map(Some).map_err(|fault| EvalError::Recipe { fault })
    }
}

/// One model of a run.
pub struct PlannedModel {
    /// Its catalog entry.
    pub model: Model,
    /// The recipe it is evaluated with.
    pub recipe: Arc<Recipe>,
    /// Which weights it is evaluated with.
    pub weights: ResolvedWeights,
    /// What its network counts by every rule, at its own size and at those that are claimed.
    pub counts: Vec<CountRecord>,
    /// The network, where the model is an ONNX file; else it is the catalog entry's.
    pub onnx: Option<OnnxNetwork>,
}

impl PlannedModel {
    /// An ONNX file, whose hash is taken now.
    fn of_onnx(OnnxModel { model, recipe, file, network }: OnnxModel) -> Result<Self, EvalError> {
        let weights = ResolvedWeights::of_onnx(&model, &file)?;
        let costs = network.costs().map_err(EvalError::shape(&model.id))?;
        let counts = counts_of(&costs, Some(model.input_size));
        Ok(Self { model, recipe, weights, counts, onnx: Some(network) })
    }
}

/// A run as it was resolved: what will be computed, nothing of it loaded yet.
pub struct Plan {
    /// The images.
    pub dataset: Dataset,
    /// What they are, for the record; looked at once, when the run begins.
    pub dataset_record: DatasetRecord,
    /// The part of them that is evaluated. A sample that grows has the size with which a new run begins.
    pub part: Part,
    /// The digests of the verified tar's images, where they are at hand.
    pub tar_digests: Option<TarDigests>,
    /// Program and machine, as the run begins.
    pub environment: Environment,
    /// The models.
    pub models: Vec<PlannedModel>,
    /// The device, and the threads that decode, and on the CPU compute.
    pub placement: Placement,
    /// That images near a hit are computed again in f32, if they are.
    pub recheck: Option<Recheck>,
    /// Images a batch.
    pub batch: usize,
    /// How far an accuracy may lie from the printed one.
    pub tolerance: AccuracyTolerance,
    /// What is claimed of the models.
    pub definitions: Definitions,
    /// The cards that were selected; none where models were.
    pub cards: Vec<String>,
    /// The command line, for the record.
    pub command: Vec<String>,
}

/// What a [`Plan`] is made from.
#[derive(Debug)]
pub struct Request<'a> {
    /// Where models and claims come from.
    pub definitions: &'a Definitions,
    /// The cards whose models are measured, by name; empty selects by `patterns`.
    pub cards: &'a [String],
    /// Ids and globs; without any, and without ONNX files, the table.
    pub patterns: &'a [String],
    /// ONNX files, and folders of them.
    pub onnx: &'a [PathBuf],
    /// How images are prepared.
    pub recipe: RecipeArg,
    /// `--weights` arguments; empty means published weights, or seeded ones on the sample.
    pub weights: &'a [WeightsArg],
    /// Whether published weights may be absent from the cache, as in a plan that is only shown, or of which they are
    /// fetched yet. Such a plan cannot be run.
    pub weights_may_be_absent: bool,
    /// Where the images lie; the embedded sample without it.
    pub data: Option<&'a Path>,
    /// The digests of the verified tar's images, where they are at hand.
    pub tar_digests: Option<TarDigests>,
    /// A list of labels to use instead of what is found with the images.
    pub labels: Option<&'a Path>,
    /// Only the first so many images.
    pub limit: Option<usize>,
    /// By which labels predictions are scored.
    pub label_set: LabelSet,
    /// Only a random sample of the whole validation set.
    pub sample: Option<Sample>,
    /// Only this part of the images, or of the sample.
    pub shard: Option<Shard>,
    /// The device.
    pub device: DeviceName,
    /// What it computes in.
    pub dtype: Dtype,
    /// The instructions of the kernels; the fastest of this CPU without it.
    pub isa: Option<Isa>,
    /// Whether images near a hit are computed again in f32, where it computes in another type.
    pub recheck: Option<Recheck>,
    /// Images a batch.
    pub batch: usize,
    /// Threads that decode, and on the CPU compute.
    pub threads: usize,
    /// Tolerance over the cards', in percentage points.
    pub tolerance_pp: Option<f64>,
    /// Program and command line, for the record.
    pub invocation: Invocation,
}

impl Plan {
    /// Resolves a request. Weight files are hashed and stay open; no network is loaded.
    ///
    /// # Errors
    /// [`EvalError`] for whatever is wrong with the selection, the recipe, the device or a file.
    pub fn new(request: Request<'_>) -> Result<Self, EvalError> {
        let Request { definitions, cards, patterns, weights, .. } = request;
        // What costs nothing to check comes first: names, then files.
        let selected = match cards {
            [] if patterns.is_empty() && !request.onnx.is_empty() => Vec::new(),
            [] => definitions.select(patterns)?,
            cards => definitions.select_cards(cards)?,
        };
        let files = onnx::files(&[request.onnx, &definitions.onnx_files(cards)].concat())?;
        onnx::check_beside(&files, selected.iter().map(|model| model.id.as_str()))?;
        let recipes = selected.iter().map(|model| request.recipe.for_model(definitions, cards, model));
        let recipes = recipes.collect::<Result<Vec<_>, _>>()?;
        if request.recheck.is_some() && request.dtype == Dtype::F32 {
            return Err(EvalError::NothingToRecheck);
        }
        let mut placement = Placement::new(request.device, request.dtype, request.threads)?;
        if let Some(isa) = request.isa {
            placement = placement.with_isa(isa)?;
        }
        let (mut dataset, data) = match request.data {
            Some(path) => (Dataset::open(path, request.labels)?, absolute(path)),
            None => (Dataset::sample(), SAMPLE.to_owned()),
        };
        if request.sample.is_some() {
            check_whole(&dataset, &data)?;
        }
        dataset.truncate(request.limit.unwrap_or(usize::MAX));
        check_label_set(request.label_set, dataset.items().iter().map(|item| item.name.as_str()))?;
        let files = files.iter().map(|path| OnnxModel::open(path, &request.recipe, definitions, cards));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let seeded = [WeightsArg::Seeded];
        let weights = if weights.is_empty() && dataset.is_sample() { &seeded } else { weights };
        let located = weights::locate(weights, &selected, request.weights_may_be_absent)?;
        let opened = selected.iter().zip(&located).map(|(model, located)| located.open(model));
        let opened = opened.collect::<Result<Vec<_>, _>>()?;
        let cache = Cache::from_environment();
        // A file is a hundred megabytes, which take a while to hash.
        let pairs = selected.iter().zip(opened).collect();
        let resolved = placement.threads().map(pairs, |(model, opened)| opened.identify(&cache, model));
        let resolved = resolved.into_iter().collect::<Result<Vec<_>, _>>()?;
        // That a file is not the published one says more than that it is no checkpoint.
        let readable = selected.iter().zip(&resolved).try_for_each(|(model, weights)| weights.check(model));
        readable?;
        let parts = selected.iter().zip(recipes).zip(resolved);
        let models = parts.map(|((model, recipe), weights)| {
            let sizes = sizes(model.input_size, &definitions.claims_of(model));
            let counts = counts(&model.network().build(), &sizes).map_err(EvalError::shape(&model.id))?;
            model.check_crop(recipe.crop).map_err(EvalError::shape(&model.id))?;
            Ok(PlannedModel { model: (*model).clone(), recipe, weights, counts, onnx: None })
        });
        let models = models.chain(placement.threads().map(files, PlannedModel::of_onnx));
        let models = models.collect::<Result<Vec<_>, EvalError>>()?;
        Ok(Self {
            dataset_record: DatasetRecord::new(&dataset, data, request.label_set),
            tar_digests: request.tar_digests,
            part: Part { sample: request.sample, shard: request.shard },
            environment: Environment::of(&request.invocation.git_revision),
            dataset,
            models,
            placement,
            recheck: request.recheck,
            batch: request.batch,
            tolerance: AccuracyTolerance::new(request.tolerance_pp),
            definitions: definitions.clone(),
            cards: cards.to_vec(),
            command: request.invocation.command,
        })
    }

    /// The models whose published weights have to be fetched before this can be run.
    pub fn absent(&self) -> impl Iterator<Item = &Model> {
        let absent = |planned: &&PlannedModel| matches!(planned.weights, ResolvedWeights::Absent { .. });
        self.models.iter().filter(absent).map(|planned| &planned.model)
    }

    /// The part of the images that a run is about which was begun as `before`: a sample that grows has grown there.
    pub fn part_in(&self, before: Option<&RunRecord>) -> Part {
        let there = before.and_then(|before| before.sample).map(|sample| sample.images);
        let size = |sample: Sample| match (sample.until, there) {
            (Some(_), Some(images)) => Sample { images, ..sample },
            _ => sample,
        };
        Part { sample: self.part.sample.map(size), ..self.part }
    }

    /// The recipes of the run, each once.
    pub fn recipes(&self) -> Vec<Arc<Recipe>> {
        let mut recipes: Vec<Arc<Recipe>> = Vec::new();
        for planned in &self.models {
            if !recipes.iter().any(|recipe| recipe.keys() == planned.recipe.keys()) {
                recipes.push(Arc::clone(&planned.recipe));
            }
        }
        recipes
    }
}

/// A random sample is one of the whole set: of a part of it nobody knows what else it would be a sample of.
fn check_whole(dataset: &Dataset, data: &str) -> Result<(), EvalError> {
    if dataset.is_complete_ilsvrc2012_val() {
        return Ok(());
    }
    let mut absent = vec![true; VAL_IMAGES];
    let numbers = dataset.items().iter().filter_map(|item| labels::val_file_number(&item.name));
    numbers.for_each(|number| absent[number - 1] = false);
    let missing = absent.iter().filter(|&&absent| absent).count();
    let first =
        absent.iter().position(|&absent| absent).map(|index| format!("ILSVRC2012_val_{:08}", index + 1));
    let images = dataset.items().len();
    Err(EvidenceError::NotTheWholeSet { data: data.to_owned(), images, missing, first }.into())
}

/// ReaL labels are known for the validation files, by their numbers: whether `set` has labels for images of these
/// `names`.
pub(crate) fn check_label_set<'a>(
    set: LabelSet,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), EvalError> {
    let mut others = names.clone().filter(|name| labels::val_file_number(name).is_none());
    match (set, others.next()) {
        (LabelSet::Real, Some(first)) => Err(EvalError::NoRealLabels {
            count: 1 + others.count(),
            total: names.count(),
            first: first.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
