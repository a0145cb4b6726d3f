//! A run read back from its directory, to be merged, judged again, or compared with another.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use models::Model;
use models::catalog::ONNX_NETWORK;

use crate::EvalError;
use crate::definitions::Definitions;
use crate::judge::{Conditions, Known, Subject};
use crate::logs::confidences;
use crate::logs::predictions::{self, Prediction};
use crate::recheck::RecheckRecord;
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
        let expected = self.record.images();
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
    /// the cards of `definitions` claim, and by `tolerance_pp` if there is one. `cards` are selected by name; without any,
    /// those that the run was made with.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use eval::stored::StoredRun;
    /// use eval::verdict::Verdict;
    ///
    /// let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reports/sample");
    /// let run = StoredRun::open(&sample)?;
    /// let record = run.judged(&eval::Definitions::built_in(), &[], None)?;
    /// assert!(record.models.iter().all(|model| model.verdict == Verdict::NotComparable));
    /// # Ok::<(), eval::EvalError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Self::rows`]; [`EvalError::NoSuchCard`], [`EvalError::NotInCatalog`], [`EvalError::NoModelNamed`], or [`EvalError::OtherNetwork`] when the catalog has a
    /// model of that name with another network.
    pub fn judged(
        &self,
        definitions: &Definitions,
        cards: &[String],
        tolerance_pp: Option<f64>,
    ) -> Result<RunRecord, EvalError> {
        let mut record = self.record.clone();
        record.tolerance = AccuracyTolerance::new(tolerance_pp);
        self.select_cards(&mut record, definitions, cards)?;
        let models = self.record.models.iter().map(|there| {
            let model = self.catalogued(definitions, there)?;
            let times = (there.seconds, there.timed_images);
            let rows = self.rows(&there.id)?;
            self.judge(&record, there, (definitions, &model), (&rows, there.recheck), times)
        });
        record.models = models.collect::<Result<_, _>>()?;
        Ok(record)
    }

    /// Makes `cards` those that `record` is judged by; without any, those that it was made with stay.
    ///
    /// # Errors
    /// [`EvalError::NoSuchCard`] when one of these is not known.
    pub(crate) fn select_cards(
        &self,
        record: &mut RunRecord,
        definitions: &Definitions,
        cards: &[String],
    ) -> Result<(), EvalError> {
        if !cards.is_empty() {
            record.cards = cards.to_vec();
        }
        let unknown = record.cards.iter().find(|name| definitions.cards().get(name).is_err());
        if let Some(card) = unknown {
            return Err(EvalError::NoSuchCard { path: self.path.clone(), card: card.clone() });
        }
        record.not_measured = definitions.not_measured(&record.cards);
        Ok(())
    }

    /// `there`, a model of this run, judged by `rows` under the conditions of `record`.
    pub(crate) fn judge(
        &self,
        record: &RunRecord,
        there: &ModelRecord,
        (definitions, model): (&Definitions, &Model),
        (rows, recheck): (&[Prediction], Option<RecheckRecord>),
        times: (f64, u64),
    ) -> Result<ModelRecord, EvalError> {
        let [.., flops, params] = &there.figures[..] else {
            let reason = format!("{} lacks figures", there.id);
            return Err(EvalError::DamagedStoredRun { path: paths::record(&self.path), reason });
        };
        let ids: Vec<&str> = self.record.models.iter().map(|model| model.id.as_str()).collect();
        let conditions = Conditions {
            dataset: &record.dataset,
            part: record.part(),
            pixels: &record.pixels,
            ids: &ids,
            tolerance: record.tolerance,
            dtype: record.dtype,
        };
        let known = match &there.counts[..] {
            [] => Known::Figures([flops, params]),
            counts => Known::Counts(counts),
        };
        let subject = Subject {
            model,
            recipe: there.recipe(),
            weights: &there.weights,
            known,
            claims: definitions.claims_of(model),
            selected: &record.cards,
        };
        let judged = ModelRecord::new(conditions, &subject, (rows, recheck), times);
        Ok(ModelRecord { counts: there.counts.clone(), ..judged })
    }

    /// The catalog's entry of `there`, a model of this run: the network is still the one that was evaluated. An ONNX file has none,
    /// nor needs one.
    pub(crate) fn catalogued<'a>(
        &self,
        definitions: &'a Definitions,
        there: &ModelRecord,
    ) -> Result<Cow<'a, Model>, EvalError> {
        let id = || there.id.clone();
        if there.network == ONNX_NETWORK {
            let recipe = definitions.catalog().recipe(there.recipe().keys());
            let recipe = recipe.map_err(|fault| EvalError::DamagedStoredRun {
                path: paths::record(&self.path),
                reason: fault.to_string(),
            })?;
            return Ok(Cow::Owned(Model::onnx(id(), recipe)));
        }
        let entry = definitions.catalog().get(&there.id);
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
