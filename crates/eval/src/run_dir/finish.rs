//! The files of a finished run: the logs in the order of the images, the reports, and last the record, which says that all of
//! them are there. Either all are replaced or none.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use dataset::Dataset;

use super::opened::RunDir;
use super::own::failed;
use super::paths::{self, REPORTS};
use super::whole::Whole;
use crate::EvalError;
use crate::logs::confidences;
use crate::logs::digests::{self, Digest};
use crate::logs::predictions::{self, Prediction};
use crate::logs::rechecks;
use crate::recheck::Known;
use crate::record::{ModelRecord, RunRecord, RunState};
use crate::report;

impl RunDir {
    /// Writes `run.json`.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub fn write_record(&self, record: &RunRecord) -> Result<(), EvalError> {
        let mut whole = Whole::default();
        self.stage_record(&mut whole, record)?;
        whole.commit()
    }

    fn stage_record(&self, whole: &mut Whole, record: &RunRecord) -> Result<(), EvalError> {
        let path = paths::record(&self.path);
        let mut text =
            serde_json::to_string_pretty(record).map_err(|error| failed("write", &path)(error.into()))?;
        text.push('\n');
        whole.add(&path, text.as_bytes())
    }

    /// Writes everything of a finished run beside its places: logs, confidences and digests in the order of the images, what
    /// is made of `record` for people and programs, and `record` itself last, so that a run that is called finished has
    /// everything.
    ///
    /// # Errors
    /// [`EvalError::RunFile`], and [`EvalError::DataLost`] where there is no memory for the report's pictures.
    pub(crate) fn stage_finished(&self, finished: &Finished<'_>) -> Result<Whole, EvalError> {
        let Finished { record, rows, confidences, rechecks, digests, images } = *finished;
        let mut whole = Whole::default();
        // The record must not say `finished` before all files are in place.
        self.stage_record(&mut whole, &RunRecord { state: RunState::Running, ..record.clone() })?;
        let mut stage = |path: PathBuf, content: io::Result<Vec<u8>>| {
            let content = content.map_err(failed("write", &path))?;
            whole.add(&path, &content)
        };
        for ((model, rows), known) in record.models.iter().zip(rows).zip(confidences) {
            let names = || rows.iter().map(|row| row.image.as_str());
            stage(paths::predictions(&self.path, &model.id), predictions::whole(rows))?;
            stage(paths::confidences(&self.path, &model.id), confidences::whole(names(), known))?;
        }
        for ((model, rows), known) in record.models.iter().zip(rows).zip(rechecks) {
            let names = rows.iter().map(|row| row.image.as_str());
            stage(paths::rechecks(&self.path, &model.id), rechecks::whole(names, known))?;
        }
        if let Some((names, known)) = digests {
            stage(self.digests(), digests::whole(names.iter().copied(), known))?;
        }
        for (name, text) in reports(record, rows, confidences, images)? {
            stage(self.path.join(name), Ok(text.into_bytes()))?;
        }
        self.stage_record(&mut whole, record)?;
        Ok(whole)
    }

    /// Writes the reports and `run.json` of a finished run anew, from `record` and the prediction logs.
    ///
    /// # Errors
    /// [`EvalError::RunFile`], [`EvalError::DamagedRun`] when a log cannot be understood, and [`EvalError::DataLost`] where
    /// there is no memory for the report's pictures.
    pub fn write_reports_again(&self, record: &RunRecord, images: Option<&Dataset>) -> Result<(), EvalError> {
        let log = |model: &ModelRecord| predictions::read(&paths::predictions(&self.path, &model.id));
        let rows = record.models.iter().map(log).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<&[Prediction]> = rows.iter().map(Vec::as_slice).collect();
        let confidences = |model: &ModelRecord| confidences::read(&paths::confidences(&self.path, &model.id));
        let confidences: Vec<HashMap<String, f32>> = record.models.iter().map(confidences).collect();
        let mut whole = Whole::default();
        for (name, text) in reports(record, &rows, &confidences, images)? {
            whole.add(&self.path.join(name), text.as_bytes())?;
        }
        self.stage_record(&mut whole, record)?;
        whole.commit()
    }

    /// Writes a file of the directory, whole or not at all.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), EvalError> {
        let mut whole = Whole::default();
        whole.add(&self.path.join(name), content)?;
        whole.commit()
    }
}

/// What a finished run writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished<'a> {
    /// What is known.
    pub(crate) record: &'a RunRecord,
    /// The rows of each model, in the order of the images.
    pub(crate) rows: &'a [&'a [Prediction]],
    /// The probabilities of each model's best classes, by image.
    pub(crate) confidences: &'a [HashMap<String, f32>],
    /// What is known of each model's images before and after they were computed again, by image; empty of a run that computed none again.
    pub(crate) rechecks: &'a [HashMap<String, Known>],
    /// The images in their order, and the digests that are known of them; a run of predictions made elsewhere has read none.
    pub(crate) digests: Option<(&'a [&'a str], &'a HashMap<String, Digest>)>,
    /// The data, where they are at hand.
    pub(crate) images: Option<&'a Dataset>,
}

/// The reports of `record`, each with its file name.
fn reports(
    record: &RunRecord,
    rows: &[&[Prediction]],
    confidences: &[HashMap<String, f32>],
    images: Option<&Dataset>,
) -> Result<impl Iterator<Item = (&'static str, String)>, EvalError> {
    let texts = [
        report::results_csv(record),
        report::claims_csv(record),
        report::markdown(record),
        report::junit_xml(record),
        report::html(record, rows, confidences, images).map_err(|source| EvalError::DataLost { source })?,
    ];
    Ok(REPORTS.into_iter().zip(texts))
}
