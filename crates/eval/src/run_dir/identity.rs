//! What must be equal for a run to be continued: other weights, recipes, data or another device would mix figures.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use dataset::Dataset;
use models::Dtype;

use crate::EvalError;
use crate::logs::digests;
use crate::logs::predictions;
use crate::plan::{Plan, PlannedModel};
use crate::record::{DatasetRecord, RecipeId, RunRecord};
use crate::run_dir::paths::{self, DIGESTS};
use crate::sample::{Part, Sample};
use crate::weights::WeightsSource;

/// The name of the fact about the images and the sizes of their files.
const DATA: &str = "the images or labels";

/// A fact about an evaluation.
#[derive(Debug, Clone)]
struct Fact {
    what: String,
    /// A value that is not known yet differs from no other.
    value: Option<String>,
    /// A short name of the value, to be shown where the other value has another one.
    name: Option<String>,
}

/// What identifies an evaluation.
#[derive(Debug, Clone)]
pub struct RunIdentity {
    facts: Vec<Fact>,
    ids: Vec<String>,
    names_sha256: Option<String>,
    /// The images, where they are at hand.
    dataset: Option<Dataset>,
}

impl RunIdentity {
    /// The identity of a plan.
    pub fn of_plan(plan: &Plan) -> Self {
        let models = plan.models.iter().map(|PlannedModel { model, recipe, weights, .. }| {
            (
                model.id.as_str(),
                RecipeId::from(recipe.as_ref()),
                model.network.as_str(),
                weights.source(model),
            )
        });
        let device = (plan.placement.device().name(), plan.placement.dtype(), plan.recheck.is_some());
        let identity = Self::new(&plan.dataset_record, plan.part, device, models.collect());
        Self { dataset: Some(plan.dataset.clone()), ..identity }
    }

    /// The identity of a run on disk.
    pub(crate) fn of_record(record: &RunRecord) -> Self {
        let models = record.models.iter().map(|model| {
            let weights = Some(model.weights.clone());
            (model.id.as_str(), model.recipe(), model.network.as_str(), weights)
        });
        let device = (record.device.as_str(), record.dtype, record.recheck.is_some());
        Self::new(&record.dataset, record.part(), device, models.collect())
    }

    fn new(
        dataset: &DatasetRecord,
        part: Part,
        (device, dtype, rechecks): (&str, Dtype, bool),
        models: Vec<(&str, RecipeId, &str, Option<WeightsSource>)>,
    ) -> Self {
        let ids: Vec<String> = models.iter().map(|(id, ..)| (*id).to_owned()).collect();
        let data = format!("{} images, fingerprint {}", dataset.images, dataset.fingerprint);
        let sample = part.sample.map_or_else(|| "all images".to_owned(), Sample::identity);
        let shard = part.shard.map_or_else(|| "all images".to_owned(), |shard| shard.to_string());
        let known = |what: &str, value: &str| Fact {
            what: what.to_owned(),
            value: Some(value.to_owned()),
            name: None,
        };
        let mut facts = vec![
            known("the selected models", &ids.join(", ")),
            known(DATA, &data),
            known("the label sets", dataset.label_set.name()),
            known("the devices", device),
            known("the types of numbers", dtype.name()),
            known("the rechecks", if rechecks { "in f32" } else { "none" }),
            known("the samples", &sample),
            known("the shards", &shard),
        ];
        for (id, recipe, network, weights) in models {
            let weights = weights.map(|weights| match weights {
                WeightsSource::Seeded => "seeded".to_owned(),
                WeightsSource::File { sha256, .. } => format!("sha256:{sha256}"),
                WeightsSource::Elsewhere { sha256 } => format!("those that predicted sha256:{sha256}"),
            });
            let (what, name) = (format!("the recipes of {id}"), Some(recipe.name.clone()));
            facts.push(Fact { name, ..known(&what, recipe.keys()) });
            facts.push(known(&format!("the networks of {id}"), network));
            facts.push(Fact { what: format!("the weights of {id}"), value: weights, name: None });
        }
        Self { facts, ids, names_sha256: dataset.names_sha256.clone(), dataset: None }
    }

    /// The models.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// The first fact that differs from `now`: what it is, its value here and there.
    pub(crate) fn first_difference<'a>(&'a self, now: &'a Self) -> Option<(&'a str, &'a str, &'a str)> {
        self.differences(now).next()
    }

    /// The facts that differ from `now`.
    fn differences<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        self.facts.iter().zip(&now.facts).filter_map(|(before, now)| {
            let values = (before.value.as_deref()?, now.value.as_deref()?);
            let differs = before.what != now.what || values.0 != values.1;
            let (here, there) = match (&before.name, &now.name) {
                (Some(before), Some(now)) if before != now => (before.as_str(), now.as_str()),
                _ => values,
            };
            differs.then_some((before.what.as_str(), here, there))
        })
    }

    /// Whether the images and labels of both are the same by name, whatever the sizes of the files.
    pub(crate) fn has_the_names_of(&self, other: &Self) -> bool {
        self.names_sha256.is_some() && self.names_sha256 == other.names_sha256
    }

    /// The error for a run `before`, in the directory `path`, of another evaluation; None if it is of this one. Changed image
    /// files alone make no other evaluation.
    pub(crate) fn other_evaluation(&self, before: &RunRecord, path: &Path) -> Option<EvalError> {
        let there = Self::of_record(before);
        let may_be_mended = self.dataset.is_some() && there.has_the_names_of(self);
        let mut different = there.differences(self).filter(|&(what, ..)| !(may_be_mended && what == DATA));
        different.next().map(|(what, before, now)| EvalError::OtherRun {
            path: path.to_owned(),
            what: what.to_owned(),
            before: before.to_owned(),
            now: now.to_owned(),
        })
    }

    /// Whether files of images without a prediction were replaced since the run of `before` in the directory `path`, with
    /// which this evaluation goes on: whoever mends an image changes its size, and so the fingerprint.
    ///
    /// # Errors
    /// [`EvalError::OtherRun`] where it is another evaluation; [`EvalError::ImageChanged`] where a file was replaced that the
    /// run has a prediction of.
    pub(crate) fn continues(&self, before: &RunRecord, path: &Path) -> Result<bool, EvalError> {
        if let Some(other) = self.other_evaluation(before, path) {
            return Err(other);
        }
        let is_as_it_was = Self::of_record(before).first_difference(self).is_none();
        match &self.dataset {
            Some(dataset) if !is_as_it_was => check_predicted(dataset, before, path).map(|()| true),
            _ => Ok(false),
        }
    }
}

/// Reads every image again of which the run of `record` in `path` has a prediction: its bytes must be those that were read
/// then.
fn check_predicted(dataset: &Dataset, record: &RunRecord, path: &Path) -> Result<(), EvalError> {
    let known = digests::read(&path.join(DIGESTS))?;
    let mut predicted: HashSet<String> = HashSet::new();
    for model in &record.models {
        let rows = predictions::read_unfinished(&paths::predictions(path, &model.id))?;
        predicted.extend(rows.into_iter().filter(|row| row.outcome.is_ok()).map(|row| row.image));
    }
    let items = dataset.items();
    let mut images: Vec<usize> = (0..items.len()).filter(|&at| predicted.contains(&items[at].name)).collect();
    images.sort_by_cached_key(|&index| dataset.stored_at(index));
    let next = AtomicUsize::new(0);
    let changed = || -> Result<(), EvalError> {
        while let Some(&index) = images.get(next.fetch_add(1, Ordering::Relaxed)) {
            let image = &items[index].name;
            let before = known.get(image);
            let now = dataset.read(index).map(|bytes| digests::of(&bytes));
            if !matches!((&now, before), (Ok(now), Some(before)) if now == before) {
                return Err(EvalError::ImageChanged {
                    path: path.join(DIGESTS),
                    image: image.clone(),
                    before: before.map_or_else(|| "not known".to_owned(), digests::hex),
                    now: now.map_or_else(|error| error.to_string(), digests::hex),
                });
            }
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        // If the system starts no other thread, this one does all the work.
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, changed).ok();
        let handles: Vec<_> = (1..workers).filter_map(start).collect();
        let own = changed();
        let join = |handle: std::thread::ScopedJoinHandle<'_, _>| {
            handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        handles.into_iter().map(join).fold(own, Result::and)
    })
}
