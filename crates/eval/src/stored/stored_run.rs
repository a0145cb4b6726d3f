//! A run read back from its directory, to be merged, judged again, or compared with another.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use models::catalog::ONNX_NETWORK;
use models::{Catalog, Model};

use crate::EvalError;
use crate::judge::{Conditions, Subject, judge_counts_again};
use crate::logs::confidences;
use crate::logs::predictions::{self, Prediction};
use crate::record::{AccuracyTolerance, ModelRecord, RunRecord, RunState};
use crate::run_dir::paths;
use crate::run_dir::read_record;
use crate::weights::WeightsSource;

/// A finished run on disk.
#[derive(Debug)]
pub struct StoredRun {
    /// Its directory.
    pub path: PathBuf,
    /// Its `run.json`.
    pub record: RunRecord,
}

impl StoredRun {
    /// Opens the run directory `path`.
    ///
    /// # Errors
    /// [`EvalError::NoRun`] when it is none, [`EvalError::UnfinishedRun`] when images are left to do,
    /// [`EvalError::DamagedStoredRun`] when its record cannot be understood.
    pub fn open(path: &Path) -> Result<Self, EvalError> {
        let Some(record) = read_record(path).map_err(EvalError::when_only_reading)? else {
            return Err(EvalError::NoRun { path: path.to_owned() });
        };
        if record.state != RunState::Finished {
            let command = record.command.join(" ");
            return Err(EvalError::UnfinishedRun { path: path.to_owned(), command });
        }
        Ok(Self { path: path.to_owned(), record })
    }

    /// The prediction rows of the model with this `id`, as many as the run has images.
    ///
    /// # Errors
    /// [`EvalError::Unreadable`] and [`EvalError::DamagedStoredRun`].
    pub fn rows(&self, id: &str) -> Result<Vec<Prediction>, EvalError> {
        let path = paths::predictions(&self.path, id);
        let rows = predictions::read(&path)?;
        let images = self.record.dataset.images;
        let expected = self.record.shard.map_or(images, |shard| shard.size(images));
        if rows.len() == expected {
            return Ok(rows);
        }
        let reason = format!("it has {} rows for {expected} images", rows.len());
        Err(EvalError::DamagedStoredRun { path, reason })
    }

    /// The probabilities of the best classes of the model with this `id`, as far as the run has them.
    pub(crate) fn confidences(&self, id: &str) -> HashMap<String, f32> {
        confidences::read(&paths::confidences(&self.path, id))
    }

    /// The run's record with its accuracies counted from the prediction logs and every figure judged anew by what
    /// `catalog` documents, and by `tolerance_pp` if there is one.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use eval::stored::StoredRun;
    /// use eval::verdict::Verdict;
    ///
    /// let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reports/sample");
    /// let run = StoredRun::open(&sample)?;
    /// let record = run.judged(&models::Catalog::built_in(), None)?;
    /// assert!(record.models.iter().all(|model| model.verdict == Verdict::NotComparable));
    /// # Ok::<(), eval::EvalError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Self::rows`]; [`EvalError::NotInCatalog`], [`EvalError::NoModelNamed`], or [`EvalError::OtherNetwork`] when the catalog has a
    /// model of that name with another network.
    pub fn judged(&self, catalog: &Catalog, tolerance_pp: Option<f64>) -> Result<RunRecord, EvalError> {
        let mut record = self.record.clone();
        record.tolerance = AccuracyTolerance::new(tolerance_pp, catalog);
        let models = self.record.models.iter().map(|there| {
            let model = self.catalogued(catalog, there)?;
            let times = (there.seconds, there.timed_images);
            self.judge(&record, there, &model, &self.rows(&there.id)?, times)
        });
        record.models = models.collect::<Result<_, _>>()?;
        Ok(record)
    }

    /// `there`, a model of this run, judged by `rows` under the conditions of `record`.
    pub(crate) fn judge(
        &self,
        record: &RunRecord,
        there: &ModelRecord,
        model: &Model,
        rows: &[Prediction],
        (seconds, timed_images): (f64, u64),
    ) -> Result<ModelRecord, EvalError> {
        let [.., flops, params] = &there.figures[..] else {
            let reason = format!("{} lacks figures", there.id);
            return Err(EvalError::DamagedStoredRun { path: paths::record(&self.path), reason });
        };
        let conditions = Conditions {
            dataset: &record.dataset,
            shard: record.shard,
            tolerance: record.tolerance,
            dtype: record.dtype,
        };
        let counted = judge_counts_again(model, [flops, params]);
        let subject = Subject { model, recipe: there.recipe(), weights: &there.weights, counted };
        Ok(ModelRecord::new(conditions, &subject, rows, seconds, timed_images))
    }

    /// The catalog's entry of `there`, a model of this run: the network is still the one that was evaluated. An ONNX file has none, nor
    /// needs one.
    pub(crate) fn catalogued<'a>(
        &self,
        catalog: &'a Catalog,
        there: &ModelRecord,
    ) -> Result<Cow<'a, Model>, EvalError> {
        let id = || there.id.clone();
        if there.network == ONNX_NETWORK {
            let keys = there.recipe();
            let recipe = catalog.recipe(keys.keys()).map_err(|fault| EvalError::DamagedStoredRun {
                path: paths::record(&self.path),
                reason: fault.to_string(),
            })?;
            return Ok(Cow::Owned(Model::onnx(id(), recipe, catalog)));
        }
        let entry = catalog.models().iter().find(|entry| entry.id == there.id);
        let entry = entry.ok_or_else(|| match there.weights {
            WeightsSource::Elsewhere { .. } => EvalError::NoModelNamed { path: self.path.clone() },
            _ => EvalError::NotInCatalog { id: id() },
        })?;
        if entry.network == there.network {
            return Ok(Cow::Borrowed(entry));
        }
        Err(EvalError::OtherNetwork {
            path: self.path.clone(),
            id: id(),
            network: there.network.clone(),
            now: entry.network.clone(),
        })
    }
}
