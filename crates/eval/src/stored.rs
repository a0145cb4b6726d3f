//! A run read back from its directory, to be merged, judged again, or compared with another.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use models::{Catalog, Model};

use crate::EvalError;
use crate::confidences;
use crate::predictions::{self, Prediction};
use crate::run_dir::read_record;
use crate::summary::{AccuracyTolerance, Conditions, ModelRecord, RunRecord, State, Subject};

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
        if record.state != State::Finished {
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
        let path = self.path.join("predictions").join(format!("{}.csv", id.replace('/', "-")));
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
        confidences::read(&self.path.join("confidences").join(format!("{}.csv", id.replace('/', "-"))))
    }

    /// The run's record with its accuracies counted from the prediction logs and judged anew by what
    /// `catalog` documents, and by `tolerance_pp` if there is one.
    ///
    /// # Errors
    /// [`EvalError::NotInCatalog`] and those of [`Self::rows`].
    pub fn judged(&self, catalog: &Catalog, tolerance_pp: Option<f64>) -> Result<RunRecord, EvalError> {
        let mut record = self.record.clone();
        if tolerance_pp.is_some() {
            record.tolerance = AccuracyTolerance::new(tolerance_pp, catalog);
        }
        let models = self.record.models.iter().map(|there| {
            let model = catalogued(catalog, &there.id)?;
            let times = (there.seconds, there.timed_images);
            self.judge(&record, there, model, &self.rows(&there.id)?, times)
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
        // What follows from the network alone needs no prediction.
        let [.., flops, params] = &there.figures[..] else {
            let reason = format!("{} lacks figures", there.id);
            return Err(EvalError::DamagedStoredRun { path: self.path.join("run.json"), reason });
        };
        let conditions =
            Conditions { dataset: &record.dataset, shard: record.shard, tolerance: record.tolerance };
        let counted = [flops.clone(), params.clone()];
        let subject = Subject { model, recipe: &there.recipe, weights: &there.weights, counted };
        Ok(ModelRecord::new(conditions, &subject, rows, seconds, timed_images))
    }
}

/// The catalog's entry of a model that a run has.
pub(crate) fn catalogued<'a>(catalog: &'a Catalog, id: &str) -> Result<&'a Model, EvalError> {
    let entry = catalog.models().iter().find(|entry| entry.id == id);
    entry.ok_or_else(|| EvalError::NotInCatalog { id: id.to_owned() })
}
