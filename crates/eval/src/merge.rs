//! Makes one run of the shards of an evaluation, as if it had been computed in one piece.
//!
//! Nothing is believed of the shards' figures but counts of networks: accuracies are computed from the
//! prediction logs again, over all images.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use models::Catalog;

use crate::EvalError;
use crate::confidences::ConfidenceLog;
use crate::merge_images;
use crate::predictions::{Prediction, PredictionLog};
use crate::provenance::Environment;
use crate::record::{RunRecord, Session, State};
use crate::run_dir::{Identity, RunDir};
use crate::shard::Shard;
use crate::stored::StoredRun;

/// A shard's run.
#[derive(Debug)]
struct Part {
    run: StoredRun,
    shard: Shard,
}

impl Part {
    /// Its sessions as those of the merged run.
    fn sessions(&self) -> impl Iterator<Item = Session> {
        self.run.record.sessions.iter().map(|session| Session { shard: Some(self.shard), ..session.clone() })
    }
}

/// Merges `runs`, all the shards of one evaluation in any order, into the run directory `out`. `catalog`
/// is where their models are documented; `data` is where the images lie, which the report shows some of; `command` is for
/// the record.
///
/// # Errors
/// [`EvalError::UnfinishedRun`]; [`EvalError::Merge`] when a run is no shard, when the runs are of different evaluations,
/// a shard is missing or there twice, or the images at `data` are others; [`EvalError::DamagedStoredRun`] when a prediction log lacks images.
pub fn merge(
    runs: &[PathBuf],
    out: &Path,
    fresh: bool,
    catalog: &Catalog,
    data: Option<&Path>,
    command: Vec<String>,
) -> Result<RunRecord, EvalError> {
    let mut parts = runs.iter().map(|path| part(path)).collect::<Result<Vec<_>, _>>()?;
    parts.sort_by_key(|part| part.shard.index());
    check_same_evaluation(&parts)?;
    check_complete(&parts)?;
    let Some(first) = parts.first().map(|part| &part.run.record) else {
        return Err(refused(out, "no runs were given".to_owned()));
    };
    let mut record = RunRecord {
        command,
        environment: Environment::current(),
        sessions: parts.iter().flat_map(Part::sessions).collect(),
        shard: None,
        models: Vec::new(),
        ..first.clone()
    };
    let mut logs = Vec::new();
    for (index, model) in first.models.iter().enumerate() {
        let entry = parts[0].run.catalogued(catalog, model)?;
        let rows = rows(&parts, &model.id)?;
        let of_parts = || parts.iter().map(|part| &part.run.record.models[index]);
        let times = (of_parts().map(|it| it.seconds).sum(), of_parts().map(|it| it.timed_images).sum());
        let judged = parts[0].run.judge(&record, model, entry, &rows, times)?;
        record.models.push(judged);
        let mut confidences: BTreeMap<String, f32> = BTreeMap::new();
        parts.iter().for_each(|part| confidences.extend(part.run.confidences(&model.id)));
        logs.push((&model.id, rows, confidences));
    }
    let images = merge_images::images(&record.dataset, data, logs.first().map_or(&[], |(_, rows, _)| rows))?;
    let dir = RunDir::open(out, &Identity::of_record(&record), fresh)?;
    // The record comes first, as in an evaluation; until it says finished, the rest is not whole.
    dir.write_record(&RunRecord { state: State::Running, ..record.clone() })?;
    for (id, rows, confidences) in &logs {
        let path = dir.predictions(id)?;
        remove(&path)?;
        PredictionLog::open(&path)?.0.append(rows)?;
        let path = dir.confidences(id)?;
        remove(&path)?;
        let confidences = confidences.iter().map(|(image, probability)| (image.as_str(), *probability));
        ConfidenceLog::open(&path)?.append(confidences)?;
    }
    let rows: Vec<&[Prediction]> = logs.iter().map(|(_, rows, _)| rows.as_slice()).collect();
    dir.write_reports(&record, &rows, images.as_ref())?;
    dir.write_record(&record)?;
    Ok(record)
}

fn refused(path: &Path, reason: String) -> EvalError {
    EvalError::Merge { path: path.to_owned(), reason }
}

fn remove(path: &Path) -> Result<(), EvalError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(EvalError::RunFile { action: "replace", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn part(path: &Path) -> Result<Part, EvalError> {
    let run = StoredRun::open(path)?;
    match run.record.shard {
        Some(shard) => Ok(Part { run, shard }),
        None => Err(refused(path, "it is a run of all images, not a shard (eval --shard I/N)".to_owned())),
    }
}

fn check_same_evaluation(parts: &[Part]) -> Result<(), EvalError> {
    let whole = |part: &Part| Identity::of_record(&RunRecord { shard: None, ..part.run.record.clone() });
    for pair in parts.windows(2) {
        let (one, other) = (&pair[0], &pair[1]);
        if let Some((what, there, here)) = whole(one).first_difference(&whole(other)) {
            let there = format!("{what} differ ({there} in {}, {here} here)", one.run.path.display());
            return Err(refused(
                &other.run.path,
                format!("it is of another evaluation than the others: {there}"),
            ));
        }
        if one.run.record.tolerance != other.run.record.tolerance {
            return Err(refused(&other.run.path, "its --tolerance is another than the others'".to_owned()));
        }
    }
    Ok(())
}

/// Whether every shard is there, once.
fn check_complete(parts: &[Part]) -> Result<(), EvalError> {
    let Some(first) = parts.first() else { return Ok(()) };
    let count = first.shard.count();
    for pair in parts.windows(2) {
        if pair[0].shard.count() != pair[1].shard.count() {
            let reason =
                format!("it is shard {}, {} is {}", pair[1].shard, pair[0].run.path.display(), pair[0].shard);
            return Err(refused(&pair[1].run.path, format!("{reason}: not of one division")));
        }
        if pair[0].shard == pair[1].shard {
            let reason =
                format!("shard {} is there twice, also in {}", pair[1].shard, pair[0].run.path.display());
            return Err(refused(&pair[1].run.path, reason));
        }
    }
    let missing: Vec<String> = (1..=count)
        .filter(|index| parts.iter().all(|part| part.shard.index() != *index))
        .map(|index| format!("{index}/{count}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(refused(
        &first.run.path,
        format!("shards {} are missing; give every shard's run", missing.join(", ")),
    ))
}

/// The rows of all shards in the order of the images' names, each image once.
fn rows(parts: &[Part], id: &str) -> Result<Vec<Prediction>, EvalError> {
    let mut all = Vec::new();
    for part in parts {
        all.extend(part.run.rows(id)?);
    }
    all.sort_by(|a, b| a.image.cmp(&b.image));
    if let Some(pair) = all.windows(2).find(|pair| pair[0].image == pair[1].image) {
        let reason = format!("{} is in two shards of {id}", pair[0].image);
        return Err(refused(&parts[0].run.path, reason));
    }
    Ok(all)
}
