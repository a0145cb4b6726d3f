//! The run directory: who may write to it, whether it belongs to the evaluation at hand, and writes
//! that are whole or not there at all.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dataset::Dataset;
use models::Dtype;

use crate::EvalError;
use crate::confidences;
use crate::layout::{self, CONFIDENCES, LOCK, PREDICTIONS, RECORD, REPORTS};
use crate::lock::{Lock, NotLocked};
use crate::plan::Plan;
use crate::predictions::{self, Prediction};
use crate::provenance::Environment;
use crate::record::{DatasetRecord, ModelRecord, RunRecord, SCHEMA_VERSION, State};
use crate::report;
use crate::shard::Shard;
use crate::weights::WeightsSource;

/// What must be equal for a run to be continued: other weights, recipes, data or another device
/// would mix figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(Vec<(String, String)>);

impl Identity {
    /// The identity of a plan.
    pub fn of_plan(plan: &Plan) -> Self {
        let models = plan.models.iter().map(|planned| {
            (planned.model.id.as_str(), planned.recipe.name, planned.model.network.as_str(), &planned.weights)
        });
        let device = (plan.placement.device().name(), plan.placement.dtype());
        Self::new(&plan.dataset_record, plan.shard, device, models.collect())
    }

    /// The identity of a run on disk.
    pub(crate) fn of_record(record: &RunRecord) -> Self {
        let models = record
            .models
            .iter()
            .map(|model| (model.id.as_str(), model.recipe.as_str(), model.network.as_str(), &model.weights));
        Self::new(&record.dataset, record.shard, (&record.device, record.dtype), models.collect())
    }

    fn new(
        dataset: &DatasetRecord,
        shard: Option<Shard>,
        (device, dtype): (&str, Dtype),
        models: Vec<(&str, &str, &str, &WeightsSource)>,
    ) -> Self {
        let ids: Vec<&str> = models.iter().map(|(id, ..)| *id).collect();
        let data = format!("{} images, fingerprint {}", dataset.images, dataset.fingerprint);
        let mut facts = vec![
            ("the selected models".to_owned(), ids.join(", ")),
            ("the images or labels".to_owned(), data),
            ("the label sets".to_owned(), dataset.label_set.name().to_owned()),
            ("the devices".to_owned(), device.to_owned()),
            ("the types of numbers".to_owned(), dtype.name().to_owned()),
            (
                "the shards".to_owned(),
                shard.map_or_else(|| "all images".to_owned(), |shard| shard.to_string()),
            ),
        ];
        for (id, recipe, network, weights) in models {
            let weights = match weights {
                WeightsSource::Seeded => "seeded".to_owned(),
                WeightsSource::File { sha256, .. } => format!("sha256:{sha256}"),
            };
            facts.push((format!("the recipes of {id}"), recipe.to_owned()));
            facts.push((format!("the networks of {id}"), network.to_owned()));
            facts.push((format!("the weights of {id}"), weights));
        }
        Self(facts)
    }

    /// The first fact that differs from `now`: what it is, its value here and there.
    pub(crate) fn first_difference<'a>(&'a self, now: &'a Self) -> Option<(&'a str, &'a str, &'a str)> {
        self.0
            .iter()
            .zip(&now.0)
            .find(|(before, now)| before != now)
            .map(|(before, now)| (before.0.as_str(), before.1.as_str(), now.1.as_str()))
    }
}

/// An open run directory. Only one process holds one at a time.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    before: Option<RunRecord>,
    lock: Lock,
}

impl RunDir {
    /// Opens or creates `path` for the evaluation with this identity. `fresh` deletes what an
    /// earlier run left there.
    ///
    /// # Errors
    /// [`EvalError::OtherRun`] when the directory holds a different evaluation,
    /// [`EvalError::NotARun`] when it holds something else, [`EvalError::Locked`] when another
    /// process works there, [`EvalError::RunFile`] when it cannot be written.
    pub fn open(path: &Path, identity: &Identity, fresh: bool) -> Result<Self, EvalError> {
        Self::open_waiting(path, identity, fresh, &mut |_| false)
    }

    /// The same, but while another process works there, `wait` is asked with its name, several times a second,
    /// whether to go on waiting for it.
    ///
    /// # Errors
    /// Those of [`Self::open`]. A directory of a different evaluation is not waited for.
    pub fn open_waiting(
        path: &Path,
        identity: &Identity,
        fresh: bool,
        wait: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Self, EvalError> {
        fs::create_dir_all(path).map_err(failed("create", path))?;
        // Other files may lie there too, but nothing that is not a run's is overwritten.
        let made_by_a_run = layout::record(path).exists() || path.join(PREDICTIONS).exists();
        let strange = REPORTS.iter().map(|name| path.join(name)).find(|report| report.exists());
        if let (false, Some(strange)) = (made_by_a_run, strange) {
            return Err(EvalError::NotARun { path: path.to_owned(), strange });
        }
        let lock_path = path.join(LOCK);
        let mut other = None;
        let lock = Lock::take(&lock_path, &mut |holder| {
            // Hours of waiting should not end with a refusal that was certain from the beginning. What cannot be read may
            // be about to be written.
            let there = if fresh { Ok(None) } else { read_record(path) };
            other = there.ok().flatten().and_then(|before| other_run(path, &before, identity));
            other.is_none() && wait(holder)
        });
        let lock = match (lock, other) {
            (_, Some(other)) => return Err(other),
            (Ok(lock), None) => lock,
            (Err(NotLocked::HeldBy(holder)), None) => {
                return Err(EvalError::Locked { path: path.to_owned(), holder });
            }
            (Err(NotLocked::Failed(source)), None) => return Err(failed("create", &lock_path)(source)),
        };
        if fresh {
            clear(path)?;
        }
        let before = read_record(path)?;
        if before.is_none() && path.join(PREDICTIONS).exists() {
            return Err(EvalError::DamagedRun {
                path: layout::record(path),
                reason:
                    "it is missing, so nobody can tell which evaluation the predictions beside it belong to"
                        .to_owned(),
            });
        }
        if let Some(other) = before.as_ref().and_then(|before| other_run(path, before, identity)) {
            return Err(other);
        }
        Ok(Self { path: path.to_owned(), before, lock })
    }

    /// The newest unfinished run below `runs` with this identity, by this program on this machine, which
    /// the same command continues.
    pub fn find_unfinished(runs: &Path, identity: &Identity, environment: &Environment) -> Option<PathBuf> {
        let mut folders: Vec<PathBuf> =
            fs::read_dir(runs).ok()?.filter_map(Result::ok).map(|entry| entry.path()).collect();
        // Folders are named by their time of creation.
        folders.sort();
        folders.into_iter().rev().find(|folder| {
            read_record(folder).ok().flatten().is_some_and(|record| {
                record.state != State::Finished
                    && record.sessions.iter().all(|session| session.environment == *environment)
                    && Identity::of_record(&record) == *identity
            })
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether no other process can write there now. Where the file system has no locks, nothing keeps it away.
    pub fn is_guarded(&self) -> bool {
        self.lock.guards
    }

    /// The record of the run that is continued, if there was one.
    pub fn before(&self) -> Option<&RunRecord> {
        self.before.as_ref()
    }

    /// The prediction log of the model with this `id`; its folder is made if need be.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub fn predictions(&self, id: &str) -> Result<PathBuf, EvalError> {
        in_its_folder(layout::predictions(&self.path, id))
    }

    /// The file with the probabilities of that model's best classes; its folder is made if need be.
    pub(crate) fn confidences(&self, id: &str) -> Result<PathBuf, EvalError> {
        in_its_folder(layout::confidences(&self.path, id))
    }

    /// Writes `run.json`.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub fn write_record(&self, record: &RunRecord) -> Result<(), EvalError> {
        let mut text = serde_json::to_string_pretty(record)
            .map_err(|error| failed("write", &layout::record(&self.path))(error.into()))?;
        text.push('\n');
        self.write(RECORD, text.as_bytes())
    }

    /// Writes what is made of `record` for people and programs: `results.csv`, `report.md`, `junit.xml`,
    /// `report.html`. `rows` are the prediction rows of each of its models, `images` the data where it is at hand.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub(crate) fn write_reports(
        &self,
        record: &RunRecord,
        rows: &[&[Prediction]],
        images: Option<&Dataset>,
    ) -> Result<(), EvalError> {
        let confidences: Vec<HashMap<String, f32>> = record
            .models
            .iter()
            .map(|model| Ok(confidences::read(&self.confidences(&model.id)?)))
            .collect::<Result<_, EvalError>>()?;
        let texts = [
            report::results_csv(record),
            report::markdown(record),
            report::junit_xml(record),
            report::html(record, rows, &confidences, images),
        ];
        REPORTS.iter().zip(texts).try_for_each(|(name, text)| self.write(name, text.as_bytes()))
    }

    /// Writes the reports and `run.json` of a finished run anew, from `record` and the prediction logs.
    ///
    /// # Errors
    /// [`EvalError::RunFile`], and [`EvalError::DamagedRun`] when a log cannot be understood.
    pub fn write_reports_again(&self, record: &RunRecord, images: Option<&Dataset>) -> Result<(), EvalError> {
        let log = |model: &ModelRecord| predictions::read(&self.predictions(&model.id)?);
        let rows = record.models.iter().map(log).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<&[Prediction]> = rows.iter().map(Vec::as_slice).collect();
        self.write_reports(record, &rows, images)?;
        self.write_record(record)
    }

    /// Writes a file of the directory, whole or not at all.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), EvalError> {
        let path = self.path.join(name);
        let temporary = self.path.join(format!(".{name}.tmp"));
        let written = File::create(&temporary)
            .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, &path));
        written.map_err(|source| {
            // A half-written file is of no use to anyone; that it cannot be removed changes nothing.
            let _ = fs::remove_file(&temporary);
            failed("write", &path)(source)
        })
    }
}

/// The error that says in what `before`, the record at `path`, differs from the evaluation at hand, if it does.
fn other_run(path: &Path, before: &RunRecord, identity: &Identity) -> Option<EvalError> {
    let before = Identity::of_record(before);
    let (what, before, now) = before.first_difference(identity)?;
    let (what, before, now) = (what.to_owned(), before.to_owned(), now.to_owned());
    Some(EvalError::OtherRun { path: path.to_owned(), what, before, now })
}

/// `file`, once its folder is there.
fn in_its_folder(file: PathBuf) -> Result<PathBuf, EvalError> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
    }
    Ok(file)
}

pub(crate) fn read_record(path: &Path) -> Result<Option<RunRecord>, EvalError> {
    let path = layout::record(path);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed("read", &path)(error)),
    };
    let damaged = |reason| EvalError::DamagedRun { path: path.clone(), reason };
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    let version = &value["schema_version"];
    if *version != SCHEMA_VERSION {
        return Err(damaged(format!(
            "its schema_version is {version}, this program writes {SCHEMA_VERSION}"
        )));
    }
    serde_json::from_value(value).map(Some).map_err(|error| damaged(error.to_string()))
}

/// Deletes what a run writes, and nothing else that a person may have put beside it.
fn clear(path: &Path) -> Result<(), EvalError> {
    for name in [PREDICTIONS, CONFIDENCES].into_iter().chain(REPORTS).chain([RECORD]) {
        let path = path.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("delete", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EvalError {
    let path = path.to_owned();
    move |source| EvalError::RunFile { action, path, source }
}
