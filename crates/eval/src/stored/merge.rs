//! Makes one run of the shards of an evaluation, as if it had been computed in one piece.
//!
//! Nothing is believed of the shards' figures but counts of networks: accuracies are computed from the
//! prediction logs again, over all images.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::definitions::Definitions;
use crate::logs::digests::{self, Digest};
use crate::logs::predictions::Prediction;
use crate::logs::rechecks;
use crate::pixels::Pixels;
use crate::provenance::{Environment, Invocation};
use crate::recheck::RecheckRecord;
use crate::record::{RunRecord, Session};
use crate::run_dir::paths::{self, DIGESTS, FOLDERS};
use crate::run_dir::{Finished, RunDir, RunIdentity};
use crate::sample::Shard;
use crate::stored::merge_images;
use crate::stored::stored_run::StoredRun;
use crate::{EvalError, Remedy};

/// A shard's run.
#[derive(Debug)]
struct ShardRun {
    run: StoredRun,
    shard: Shard,
}

impl ShardRun {
    /// Its sessions as those of the merged run.
    fn sessions(&self) -> impl Iterator<Item = Session> {
        self.run.record.sessions.iter().map(|session| Session { shard: Some(self.shard), ..session.clone() })
    }
}

/// Merges `runs`, all the shards of one evaluation in any order, into the run directory `out`. `definitions`
/// is where their models are and what is claimed of them, `cards` are selected by name (without any, those that the shards were made
/// with); `data` is where the images lie, which the report shows some of; `command` is for
/// the record.
///
/// # Errors
/// [`EvalError::UnfinishedRun`]; [`EvalError::Merge`] when `out` is one of the runs, when a run is no shard, when the runs are of
/// different evaluations, a shard is missing or there twice, or the images at `data` are others;
/// [`EvalError::DamagedStoredRun`] when a prediction log lacks images.
pub fn merge(
    runs: &[PathBuf],
    out: &Path,
    fresh: bool,
    (definitions, cards): (&Definitions, &[String]),
    data: Option<&Path>,
    invocation: Invocation,
) -> Result<RunRecord, EvalError> {
    check_apart(runs, out)?;
    let mut parts = runs.iter().map(|path| part(path)).collect::<Result<Vec<_>, _>>()?;
    parts.sort_by_key(|part| part.shard.index());
    check_same_evaluation(&parts)?;
    check_complete(&parts)?;
    let Some(first) = parts.first().map(|part| &part.run.record) else {
        return Err(refused(out, "no runs were given".to_owned()));
    };
    let mut record = RunRecord {
        environment: Environment::of(&invocation.git_revision),
        command: invocation.command,
        sessions: parts.iter().flat_map(ShardRun::sessions).collect(),
        shard: None,
        // The smallest audit counts, as in what models say.
        recheck: parts
            .iter()
            .filter_map(|part| part.run.record.recheck)
            .min_by(|a, b| a.audit_pct.total_cmp(&b.audit_pct)),
        pixels: Pixels::together(parts.iter().map(|part| &part.run.record.pixels)),
        models: Vec::new(),
        decoder_warnings: parts.iter().flat_map(|part| part.run.record.decoder_warnings.clone()).collect(),
        ..first.clone()
    };
    record.decoder_warnings.sort_by(|a, b| a.image.cmp(&b.image));
    parts[0].run.select_cards(&mut record, definitions, cards)?;
    let mut rows = Vec::new();
    let mut confidences = Vec::new();
    let mut of_rechecks = Vec::new();
    for (index, model) in first.models.iter().enumerate() {
        let entry = parts[0].run.catalogued(definitions, model)?;
        let of_model = rows_of(&parts, &model.id)?;
        let of_parts = || parts.iter().map(|part| &part.run.record.models[index]);
        let timed = of_parts().fold(0_u64, |sum, it| sum.saturating_add(it.timed_images));
        let times = (of_parts().map(|it| it.seconds).sum(), timed);
        let recheck = RecheckRecord::together(of_parts().filter_map(|it| it.recheck.as_ref()));
        let seen = (of_model.as_slice(), recheck);
        let judged = parts[0].run.judge(&record, model, (definitions, &entry), seen, times)?;
        record.models.push(judged);
        let mut of_images: HashMap<String, f32> = HashMap::new();
        parts.iter().for_each(|part| of_images.extend(part.run.confidences(&model.id)));
        let predicted = of_model.iter().filter(|row| row.outcome.is_ok());
        if recheck.is_some() {
            let mut known = HashMap::new();
            for part in &parts {
                known.extend(rechecks::read(&paths::rechecks(&part.run.path, &model.id))?);
            }
            of_rechecks.push(known);
        }
        confidences.push(predicted.filter_map(|row| of_images.remove_entry(&row.image)).collect());
        rows.push(of_model);
    }
    let shown = merge_images::images(&record.dataset, data, rows.first().map_or(&[], Vec::as_slice))?;
    let images: Vec<&str> = rows.first().into_iter().flatten().map(|row| row.image.as_str()).collect();
    let known = digests_of(&parts, &images)?;
    let rows: Vec<&[Prediction]> = rows.iter().map(Vec::as_slice).collect();
    let mut dir = RunDir::open_waiting(out, &RunIdentity::of_record(&record), fresh, &mut |_| false)?;
    let finished = Finished {
        record: &record,
        rows: &rows,
        confidences: &confidences,
        rechecks: &of_rechecks,
        digests: known.as_ref().map(|known| (images.as_slice(), known)),
        images: shown.as_ref(),
    };
    // What is there stays until the disk has taken all of the new.
    dir.stage_finished(&finished)?.commit()?;
    dir.delete_outdated(record.models.iter().map(|model| model.id.as_str()))?;
    drop(dir);
    Ok(record)
}

fn refused(path: &Path, reason: String) -> EvalError {
    EvalError::Merge { path: path.to_owned(), reason, remedy: None }
}

/// Whether `out` is none of `runs` nor within one, whatever it is called and through whatever links: merging would
/// overwrite what is merged.
fn check_apart(runs: &[PathBuf], out: &Path) -> Result<(), EvalError> {
    let is = |run: &Path, folder: &Path| same_folder(run, folder);
    // What does not exist yet lies in the first folder that does; and what is left by `..` may not exist yet.
    let absolute = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    let mut straight = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(straight.pop()),
            part => straight.push(part),
        }
    }
    let existing = |path: &Path| path.ancestors().find_map(|folder| fs::canonicalize(folder).ok());
    let places = [existing(&absolute), existing(&straight)];
    // Links below it may lead into a run as well.
    let below = FOLDERS.map(|name| fs::canonicalize(out.join(name)).ok());
    for place in places.into_iter().chain(below).flatten() {
        if let Some(run) = runs.iter().find(|run| place.ancestors().any(|folder| is(run, folder))) {
            let reason = format!(
                "{} is this run, or lies within it, and would overwrite it. Choose another folder",
                out.display()
            );
            return Err(EvalError::Merge { path: run.clone(), reason, remedy: Some(Remedy::OtherFolder) });
        }
    }
    Ok(())
}

/// Whether two paths name one folder, through links and mounts.
fn same_folder(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) {
            return (one.dev(), one.ino()) == (other.dev(), other.ino());
        }
    }
    fs::canonicalize(one).is_ok_and(|one| fs::canonicalize(other).is_ok_and(|other| one == other))
}

/// The digests of `images` in all shards; none where the shards are from before there were any. Only those that belong to a
/// shard are taken from it.
fn digests_of(parts: &[ShardRun], images: &[&str]) -> Result<Option<HashMap<String, Digest>>, EvalError> {
    let mut all: HashMap<String, Digest> = HashMap::new();
    let mut is_any = false;
    for part in parts {
        let path = part.run.path.join(DIGESTS);
        is_any |= path.exists();
        let known = digests::read(&path)?;
        for (image, digest) in known {
            if images.binary_search(&image.as_str()).is_err() {
                let reason = format!("{image} has a digest in {} and is none of its images", path.display());
                return Err(refused(&part.run.path, reason));
            }
            if let Some(before) = all.insert(image.clone(), digest).filter(|before| *before != digest) {
                let (before, now) = (digests::hex(before), digests::hex(digest));
                let reason = format!(
                    "{image} was read as other bytes than in another shard (SHA-256 {now} here, {before} there): the \
                     shards are not of one set of images"
                );
                return Err(refused(&part.run.path, reason));
            }
        }
    }
    Ok(is_any.then_some(all))
}

fn part(path: &Path) -> Result<ShardRun, EvalError> {
    let run = StoredRun::open(path)?;
    match run.record.shard {
        Some(shard) => Ok(ShardRun { run, shard }),
        None => {
            let reason = "it is a run of all images, not a shard".to_owned();
            Err(EvalError::Merge { path: path.to_owned(), reason, remedy: Some(Remedy::Shard) })
        }
    }
}

fn check_same_evaluation(parts: &[ShardRun]) -> Result<(), EvalError> {
    let whole =
        |part: &ShardRun| RunIdentity::of_record(&RunRecord { shard: None, ..part.run.record.clone() });
    for pair in parts.windows(2) {
        let (one, other) = (&pair[0], &pair[1]);
        let (before, now) = (whole(one), whole(other));
        if let Some((what, there, here)) = before.first_difference(&now) {
            if before.has_the_names_of(&now)
                && one.run.record.dataset.fingerprint != other.run.record.dataset.fingerprint
            {
                let reason = format!(
                    "files have changed between its run and that of {}. Where damaged images were mended in between, give the \
                     command of every shard again, which computes only what has no prediction; then merge",
                    one.run.path.display()
                );
                return Err(refused(&other.run.path, reason));
            }
            let there = format!("{what} differ ({there} in {}, {here} here)", one.run.path.display());
            return Err(refused(
                &other.run.path,
                format!("it is of another evaluation than the others: {there}"),
            ));
        }
        if one.run.record.tolerance != other.run.record.tolerance {
            return Err(refused(&other.run.path, "its tolerance is another than the others'".to_owned()));
        }
    }
    Ok(())
}

/// Whether every shard is there, once.
fn check_complete(parts: &[ShardRun]) -> Result<(), EvalError> {
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
    // A record may claim any number of shards, so that none may be counted one by one. Each that is here is here once.
    let lacking = count - parts.len().min(count);
    if lacking == 0 {
        return Ok(());
    }
    let is_here = |index: usize| parts.binary_search_by_key(&index, |part| part.shard.index()).is_ok();
    let missing = (1..=count).filter(|&index| !is_here(index)).take(MISSING_NAMED);
    let mut missing: Vec<String> = missing.map(|index| format!("{index}/{count}")).collect();
    if lacking > missing.len() {
        missing.push(format!("and {} more", lacking - missing.len()));
    }
    Err(refused(
        &first.run.path,
        format!("shards {} are missing; give every shard's run", missing.join(", ")),
    ))
}

/// How many missing shards are named.
const MISSING_NAMED: usize = 20;

/// The rows of all shards in the order of the images' names, each image once.
fn rows_of(parts: &[ShardRun], id: &str) -> Result<Vec<Prediction>, EvalError> {
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
