//! The run: decoded images in, prediction rows out, in one pass over the data for all models.
//!
//! The prediction logs hold every image whose batch was finished, in whole lines, even after a kill. A run goes on from them,
//! image by image, and tries images without a prediction again.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use dataset::Layout;
use models::Classifier;

use crate::EvalError;
use crate::judge::SampledFigure;
use crate::logs::digests::{Digest, DigestLog};
use crate::logs::predictions::Prediction;
use crate::pixels::{Pixels, VAL_TAR_MD5, archive_md5};
use crate::plan::{Plan, PlannedModel};
use crate::provenance::utc_now;
use crate::recheck::Rechecking;
use crate::record::{ModelRecord, RunRecord, RunState, SCHEMA_VERSION, Session, SmallerBatch};
use crate::run::memory::images_at_once;
use crate::run::model_run::ModelRun;
use crate::run::networks::{LoadedModel, Networks};
use crate::run::pass::ImagePass;
use crate::run::pipeline::{ImageSource, ImageWork};
use crate::run::progress::Progress;
use crate::run::warning_log::WarningLog;
use crate::run_dir::standing::Standing;
use crate::run_dir::{Finished, RunDir};
use crate::sample::{Part, Sample};

/// How a run ended, and what it found so far.
#[derive(Debug)]
pub struct Outcome {
    /// The content of `run.json`.
    pub record: RunRecord,
}

impl Outcome {
    /// Whether the run was stopped before its end.
    pub fn interrupted(&self) -> bool {
        self.record.state != RunState::Finished
    }

    /// An error if a model has no prediction for any image: then there is nothing to report.
    ///
    /// # Errors
    /// [`EvalError::AllFailed`] with the first image's error.
    pub fn check_any_prediction(&self) -> Result<(), EvalError> {
        let failed = self.record.models.iter().find(|model| model.images > 0 && model.errors == model.images);
        match failed.and_then(|model| model.first_errors.first().map(|first| (model, first))) {
            Some((model, first)) => Err(EvalError::AllFailed {
                images: model.images as usize,
                first: format!("{}: {}", first.image, first.error),
            }),
            None => Ok(()),
        }
    }
}

/// Evaluates `plan` into `dir`, going on from what is there, until every image has a row for every
/// model or `stop` is set. Either way `run.json` says how far it came; the reports are written once
/// everything is known. A network is loaded where images are left for it, unless `networks` has it.
///
/// # Errors
/// [`EvalError`] when a network cannot be loaded, before anything is written or deleted; when a file of the run cannot be written
/// or understood. Rows written before stay.
pub fn evaluate(
    plan: &Plan,
    dir: &mut RunDir,
    networks: &mut Networks<'_>,
    stop: &AtomicBool,
    progress: &mut dyn Progress,
) -> Result<Outcome, EvalError> {
    let mut part = plan.part_in(dir.before());
    let standings = Standing::of_run(plan, part, dir.path(), dir.before().is_some())?;
    let may_grow = growth_is_open(plan, part, &standings, dir)?;
    for index in (0..standings.len()).filter(|&index| may_grow || standings[index].left() > 0) {
        networks.load(index)?;
    }
    let networks = &*networks;
    let models = || plan.models.iter().enumerate().map(|(index, planned)| (planned, networks.get(index)));
    models().for_each(|(planned, loaded)| progress.model(planned, loaded));
    dir.delete_outdated(std::iter::empty())?;
    let dir = &*dir;

    let mut record = first_record(plan, part, models(), dir)?;
    // A run that is finished stays so until its files are replaced, whatever ends this process before.
    let was_finished = dir.before().is_some_and(|before| before.state == RunState::Finished);
    let is_settled = was_finished && !may_grow && standings.iter().all(|standing| standing.left() == 0);
    let digests = dir.before().map(|_| DigestLog::open(&dir.digests())).transpose()?;
    // In a new folder the record comes first: it is what makes it a run directory that can be continued.
    if !is_settled {
        dir.write_record(&record)?;
    }
    let at_once = images_at_once(plan)?;
    let mut digests = match digests {
        Some(digests) => digests,
        None => DigestLog::open(&dir.digests())?,
    };
    let runs = models().zip(standings);
    let runs = runs.map(|(model, standing)| ModelRun::open(plan, model, standing, at_once, dir));
    let mut runs = runs.collect::<Result<Vec<_>, _>>()?;

    let images = plan.dataset.items().len();
    let recipes = plan.recipes();
    let mut is_session = false;
    let finished = loop {
        let total = part.size(images);
        let mut todo: Vec<usize> =
            (0..images).filter(|&index| runs.iter().any(|run| !run.is_done(index))).collect();
        todo.sort_by_cached_key(|&index| plan.dataset.stored_at(index));
        if !todo.is_empty() {
            if !is_session {
                record.sessions.push(session(plan, networks, total - todo.len()));
                is_session = true;
            }
            // Of a sample that grows, its new size is written before any of its images.
            dir.write_record(&record)?;
        }
        progress.start(total - todo.len(), total);
        if at_once < plan.batch && !todo.is_empty() {
            progress.fewer_at_once(at_once, plan.placement.threads().count());
        }
        let smaller = runs.iter().filter_map(|run| Some((run, run.smaller_batch()?)));
        for (run, batch) in smaller.filter(|&(_, batch)| batch < at_once) {
            progress.smaller_batches(&run.planned.model.id, batch);
        }
        let finished = std::thread::scope(|scope| {
            let work = ImageWork { dataset: &plan.dataset, recipes: &recipes, images: &todo, batch: at_once };
            let source = ImageSource::start(scope, work, &plan.placement)?;
            let warnings = WarningLog::new(dir, &mut record);
            ImagePass::new(plan, &mut runs, &mut digests, warnings, progress).go(&source, stop)
        });
        progress.finish();
        if matches!(finished, Ok(true)) {
            let mut is_any_left = false;
            for run in &mut runs {
                is_any_left |= run.take_back()?;
            }
            if is_any_left {
                continue;
            }
        }

        // What is known is written even after an error.
        if matches!(finished, Ok(true)) {
            let is_new = runs.iter().any(|run| run.has_news);
            let before = dir.before().filter(|_| !is_new).map(|before| &before.pixels);
            record.pixels = pixels(plan, part, digests.known(), before, stop, progress);
        }
        let judge = |run: &ModelRun<'_>| {
            let times = (run.seconds, run.timed_images);
            let seen = (run.rows.as_slice(), run.recheck());
            ModelRecord::of_plan((plan, part, &record.pixels), run.planned, &run.weights, seen, times)
        };
        record.models = runs.iter().map(judge).collect();
        let grown = part.sample.filter(|sample| is_open(*sample, &record.models)).and_then(Sample::grown);
        match (&finished, grown) {
            (Ok(true), Some(grown)) => {
                let before = part.members(plan.dataset.items());
                part.sample = Some(grown);
                let members = part.members(plan.dataset.items());
                runs.iter_mut().for_each(|run| run.grow(&before, &members));
                record.sample = part.sample;
            }
            _ => break finished,
        }
    };
    for (model, run) in record.models.iter_mut().zip(&runs) {
        // An explanation stays valid as long as the predictions are the same.
        if run.has_news {
            continue;
        }
        let before = dir.before().and_then(|before| before.models.iter().find(|it| it.id == model.id));
        model.explanation = before.and_then(|before| before.explanation.clone());
    }
    if let (true, Some(session)) = (is_session, record.sessions.last_mut()) {
        session.ended_utc = Some(utc_now());
        let smaller = |run: &ModelRun<'_>| Some((run.planned.model.id.clone(), run.smaller_batch()?));
        let smaller = runs.iter().filter_map(smaller);
        session.smaller_batches = smaller.map(|(id, batch)| SmallerBatch { id, batch }).collect();
    }
    if !matches!(finished, Ok(true)) {
        record.state = RunState::Interrupted;
        if !is_settled {
            dir.write_record(&record)?;
        }
        return finished.map(|_| Outcome { record });
    }
    // If nothing new is known, this process computed nothing, and the record keeps the sessions and times of those before.
    let was_finished = dir.before().filter(|before| before.state == RunState::Finished);
    if let Some(before) = was_finished.filter(|_| !runs.iter().any(|run| run.has_news)) {
        record.sessions.clone_from(&before.sessions);
        for (model, before) in record.models.iter_mut().zip(&before.models) {
            (model.seconds, model.timed_images) = (before.seconds, before.timed_images);
        }
    }
    record.state = RunState::Finished;
    runs.iter_mut().for_each(ModelRun::sort_rows);
    let rows: Vec<&[Prediction]> = runs.iter().map(|run| run.rows.as_slice()).collect();
    let confidences: Vec<HashMap<String, f32>> =
        rows.iter().zip(&record.models).map(|(rows, model)| dir.confidences_of(&model.id, rows)).collect();
    let rechecks: Vec<_> = runs.iter().filter_map(ModelRun::known).collect();
    let names: Vec<&str> = plan.dataset.items().iter().map(|item| item.name.as_str()).collect();
    let finished = Finished {
        record: &record,
        rows: &rows,
        confidences: &confidences,
        rechecks: &rechecks,
        digests: Some((&names, digests.known())),
        images: Some(&plan.dataset),
    };
    dir.stage_finished(&finished)?.commit()?;
    Ok(Outcome { record })
}

/// What is known of the bytes of the images of `part`, all of which were read. The tar is read once more for its MD5, which costs seconds
/// where the run took an hour; of a sample that would be much. `before` is what was known when nothing has changed since.
fn pixels(
    plan: &Plan,
    part: Part,
    digests: &HashMap<String, Digest>,
    before: Option<&Pixels>,
    stop: &AtomicBool,
    progress: &mut dyn Progress,
) -> Pixels {
    if !plan.dataset_record.is_ilsvrc2012_val {
        return Pixels::Unverified;
    }
    if let Some(tar @ Pixels::Tar { .. }) = before {
        return tar.clone();
    }
    if let Some(tar) = &plan.tar_digests {
        let items = plan.dataset.items();
        let members = part.members(items);
        let here =
            items.iter().zip(members).filter(|(_, is_here)| *is_here).map(|(item, _)| item.name.as_str());
        return tar.check(here.map(|name| (name, digests.get(name).copied())));
    }
    if part.real_sample().is_some() || !matches!(plan.dataset.layout(), Layout::Tar { .. }) {
        return Pixels::Unverified;
    }
    progress.verifying();
    match archive_md5(&plan.dataset, stop, |_| ()) {
        Some(md5) if md5 == VAL_TAR_MD5 => Pixels::Tar { md5 },
        _ => Pixels::Unverified,
    }
}

/// Whether a sample that grows has more images to take in: an accuracy of `models` is neither refuted nor known to the precision that
/// was asked for. A model of which one figure is refuted is decided.
fn is_open(sample: Sample, models: &[ModelRecord]) -> bool {
    let Some(until) = sample.until else { return false };
    let is_precise =
        |it: &&SampledFigure| until.precision_pp.is_some_and(|most| it.excludes_above_pp <= most);
    models.iter().any(|model| {
        let mut sampled = model.figures.iter().filter_map(|figure| figure.sampled.as_ref());
        !sampled.clone().any(SampledFigure::is_refuted) && sampled.any(|it| !is_precise(&it))
    })
}

/// Whether the sample of a run that has nothing left to do has to grow: of a finished run that is given again, only where the cards at
/// hand, or another precision, leave something open. While images are left, all their networks are loaded anyway.
fn growth_is_open(plan: &Plan, part: Part, standings: &[Standing], dir: &RunDir) -> Result<bool, EvalError> {
    let Some(sample) = part.sample.filter(|sample| sample.grown().is_some()) else { return Ok(false) };
    if standings.iter().any(|standing| standing.left() > 0) {
        return Ok(true);
    }
    let before = dir.before().map_or(&[][..], |before| &before.models);
    let pixels = dir.before().map_or(&Pixels::Unverified, |before| &before.pixels);
    let judge = |(planned, standing): (&PlannedModel, &Standing)| {
        let known = planned.weights.known(&planned.model)?;
        let weights = match before.iter().find(|model| model.id == planned.model.id) {
            Some(before) => known.with_what_loading_told(&before.weights),
            None => known,
        };
        let recheck = standing.rechecking.as_ref().map(Rechecking::record);
        let seen = (standing.rows.as_slice(), recheck);
        Ok(ModelRecord::of_plan((plan, part, pixels), planned, &weights, seen, (0.0, 0)))
    };
    let models = plan.models.iter().zip(standings).map(judge).collect::<Result<Vec<_>, EvalError>>()?;
    Ok(is_open(sample, &models))
}

/// The record of the run so far: that of the directory, or a new one.
fn first_record<'a>(
    plan: &Plan,
    part: Part,
    models: impl Iterator<Item = (&'a PlannedModel, Option<&'a LoadedModel>)>,
    dir: &RunDir,
) -> Result<RunRecord, EvalError> {
    if let Some(before) = dir.before() {
        let mut record = before.clone();
        record.state = RunState::Running;
        record.tolerance = plan.tolerance;
        record.recheck = plan.recheck;
        record.sample = part.sample;
        record.cards.clone_from(&plan.cards);
        record.not_measured = plan.definitions.not_measured(&plan.cards);
        if dir.is_mended() {
            record.dataset.fingerprint.clone_from(&plan.dataset_record.fingerprint);
        }
        return Ok(record);
    }
    let model = |(planned, loaded): (&PlannedModel, Option<&LoadedModel>)| {
        let weights = match loaded {
            Some(loaded) => loaded.weights.clone(),
            None => planned.weights.known(&planned.model)?,
        };
        Ok(ModelRecord::of_plan((plan, part, &Pixels::Unverified), planned, &weights, (&[], None), (0.0, 0)))
    };
    Ok(RunRecord {
        schema_version: SCHEMA_VERSION,
        state: RunState::Running,
        command: plan.command.clone(),
        environment: plan.environment.clone(),
        device: plan.placement.device().name().to_owned(),
        dtype: plan.placement.dtype(),
        recheck: plan.recheck,
        sessions: Vec::new(),
        tolerance: plan.tolerance,
        dataset: plan.dataset_record.clone(),
        pixels: Pixels::default(),
        sample: part.sample,
        shard: part.shard,
        decoder_warnings: Vec::new(),
        cards: plan.cards.clone(),
        not_measured: plan.definitions.not_measured(&plan.cards),
        models: models.map(model).collect::<Result<_, EvalError>>()?,
    })
}

fn session(plan: &Plan, networks: &Networks<'_>, images_before: usize) -> Session {
    Session {
        shard: None,
        command: plan.command.clone(),
        environment: plan.environment.clone(),
        batch: plan.batch,
        threads: plan.placement.threads().count(),
        engine: engine(plan, networks),
        started_utc: utc_now(),
        ended_utc: None,
        images_before,
        smaller_batches: Vec::new(),
    }
}

/// What computes, as the record names it: one name where all models have the same.
fn engine(plan: &Plan, networks: &Networks<'_>) -> String {
    let loaded = (0..plan.models.len()).filter_map(|index| networks.get(index));
    let networks = loaded.flat_map(|loaded| [Some(&loaded.classifier), loaded.exact.as_ref()]);
    let mut engines: Vec<String> = networks.flatten().map(Classifier::engine).collect();
    engines.sort();
    engines.dedup();
    engines.join(", ")
}
