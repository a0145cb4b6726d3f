//! The run: decoded images in, prediction rows out, in one pass over the data for all models.
//!
//! Whatever happens in between, the prediction logs are whole lines and hold every image whose batch
//! was finished; a run goes on from them, image by image.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use dataset::RgbImage;

use crate::EvalError;
use crate::confidences::{self, ConfidenceLog};
use crate::explain::logits;
use crate::memory::images_that_fit;
use crate::metrics::{Hits, TopK, percentage};
use crate::pipeline::{self, Prepared};
use crate::plan::{Plan, PlannedModel};
use crate::predictions::{Prediction, PredictionLog};
use crate::provenance::utc_now;
use crate::run_dir::RunDir;
use crate::summary::{ModelRecord, RunRecord, SCHEMA_VERSION, Session, SmallerBatch, State};

/// How often a request to stop is looked for while no image comes.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Told how a run advances; a progress bar, say.
pub trait Progress {
    /// `done` of `total` images need no work any more: an earlier run saw to them.
    fn start(&mut self, done: usize, total: usize);
    /// One more image is finished for every model. `top1_pct` is the first model's accuracy so far.
    fn image(&mut self, top1_pct: f64);
    /// An image has no prediction.
    fn error(&mut self, image: &str, error: &str);
    /// Batches of `batch` images did not fit into memory for a model; smaller ones are used.
    fn smaller_batches(&mut self, id: &str, batch: usize);
    /// No more images will come.
    fn finish(&mut self);
}

/// How a run ended, and what it found so far.
#[derive(Debug)]
pub struct Outcome {
    /// The content of `run.json`.
    pub record: RunRecord,
}

impl Outcome {
    /// Whether the run was stopped before its end.
    pub fn interrupted(&self) -> bool {
        self.record.state != State::Finished
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
/// everything is known.
///
/// # Errors
/// [`EvalError`] when a file of the run cannot be written or understood. Rows written before stay.
pub fn evaluate(
    plan: &Plan,
    dir: &RunDir,
    stop: &AtomicBool,
    progress: &mut dyn Progress,
) -> Result<Outcome, EvalError> {
    let mut record = first_record(plan, dir);
    // The record comes first: it is what makes the folder a run directory that can be continued.
    dir.write_record(&record)?;
    let recipes = plan.recipes();
    let mut runs = plan
        .models
        .iter()
        .map(|planned| {
            let recipe = recipes.iter().position(|recipe| recipe.name == planned.recipe.name);
            ModelRun::open(plan, planned, recipe.unwrap_or_default(), dir)
        })
        .collect::<Result<Vec<_>, _>>()?;

    let images = plan.dataset.items().len();
    let total = plan.shard.map_or(images, |shard| shard.size(images));
    let mut todo: Vec<usize> =
        (0..images).filter(|&index| runs.iter().any(|run| run.state[index] == ImageState::ToDo)).collect();
    todo.sort_by_cached_key(|&index| plan.dataset.stored_at(index));
    if !todo.is_empty() {
        record.sessions.push(session(plan, total - todo.len()));
        dir.write_record(&record)?;
    }
    progress.start(total - todo.len(), total);
    for run in runs.iter().filter(|run| run.fits < plan.batch && !todo.is_empty()) {
        progress.smaller_batches(&run.planned.model.id, run.fits);
    }
    let finished = std::thread::scope(|scope| {
        let threads = plan.threads.min(todo.len());
        // Enough ahead to fill the next batch while the device works on one.
        let ahead = plan.batch.max(threads).min(todo.len());
        let prepared = pipeline::spawn(scope, &plan.dataset, &recipes, &todo, threads, ahead);
        work(&mut runs, &prepared, stop, progress)
    });
    progress.finish();

    // An error must not keep what is known from being written.
    record.models = runs
        .iter()
        .map(|run| ModelRecord::of_plan(plan, run.planned, &run.rows, run.seconds, run.timed_images))
        .collect();
    for model in &mut record.models {
        // Swaps were tried once the images were done; doing them again would change nothing.
        let before = dir.before().and_then(|before| before.models.iter().find(|it| it.id == model.id));
        model.explanation = before.and_then(|before| before.explanation.clone());
    }
    if let (false, Some(session)) = (todo.is_empty(), record.sessions.last_mut()) {
        session.ended_utc = Some(utc_now());
        let smaller = runs.iter().filter(|run| run.fits < plan.batch);
        session.smaller_batches =
            smaller.map(|run| SmallerBatch { id: run.planned.model.id.clone(), batch: run.fits }).collect();
    }
    if !matches!(finished, Ok(true)) {
        record.state = State::Interrupted;
        dir.write_record(&record)?;
        return finished.map(|_| Outcome { record });
    }
    record.state = State::Finished;
    let rows: Vec<&[Prediction]> = runs.iter().map(|run| run.rows.as_slice()).collect();
    dir.write_reports(&record, &rows, Some(&plan.dataset))?;
    // Last, so that a run that is called finished has everything.
    dir.write_record(&record)?;
    Ok(Outcome { record })
}

/// The record of the run so far: that of the directory, or a new one.
fn first_record(plan: &Plan, dir: &RunDir) -> RunRecord {
    if let Some(before) = dir.before() {
        let mut record = before.clone();
        record.state = State::Running;
        record.tolerance = plan.tolerance;
        record.without_network.clone_from(&plan.without_network);
        return record;
    }
    RunRecord {
        schema_version: SCHEMA_VERSION,
        state: State::Running,
        command: plan.command.clone(),
        environment: plan.environment.clone(),
        device: plan.device_name.name().to_owned(),
        sessions: Vec::new(),
        tolerance: plan.tolerance,
        dataset: plan.dataset_record.clone(),
        shard: plan.shard,
        models: plan.models.iter().map(|planned| ModelRecord::of_plan(plan, planned, &[], 0.0, 0)).collect(),
        without_network: plan.without_network.clone(),
    }
}

fn session(plan: &Plan, images_before: usize) -> Session {
    Session {
        command: plan.command.clone(),
        environment: plan.environment.clone(),
        batch: plan.batch,
        threads: plan.threads,
        started_utc: utc_now(),
        ended_utc: None,
        images_before,
        smaller_batches: Vec::new(),
    }
}

/// Feeds images to the models as they come. True when all were seen to, false when stopped.
fn work(
    runs: &mut [ModelRun<'_>],
    prepared: &Receiver<Prepared>,
    stop: &AtomicBool,
    progress: &mut dyn Progress,
) -> Result<bool, EvalError> {
    // Images that some models have still to finish.
    let mut open: HashMap<usize, usize> = HashMap::new();
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let image = match prepared.recv_timeout(STOP_CHECK_INTERVAL) {
            Ok(image) => image,
            // A slow disk; a stop must be noticed all the same.
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let crops = image.crops.map_err(|source| EvalError::DataLost { source })?;
        let waiting = runs.iter().filter(|run| run.state[image.index] == ImageState::ToDo).count();
        open.insert(image.index, waiting);
        for model in 0..runs.len() {
            let finished = runs[model].take(image.index, &crops, progress)?;
            close(&mut open, &finished, runs, progress);
        }
    }
    for model in 0..runs.len() {
        let finished = runs[model].flush(progress)?;
        close(&mut open, &finished, runs, progress);
    }
    Ok(true)
}

fn close(
    open: &mut HashMap<usize, usize>,
    finished: &[usize],
    runs: &[ModelRun<'_>],
    progress: &mut dyn Progress,
) {
    for index in finished {
        if let Some(models) = open.get_mut(index) {
            *models -= 1;
            if *models == 0 {
                open.remove(index);
                progress.image(runs[0].top1_pct());
            }
        }
    }
}

/// How many images fit into memory at once, where that can be told.
fn fits(planned: &PlannedModel) -> Option<usize> {
    let counted_at = planned.model.documented.as_ref().and_then(|documented| documented.flops_g.input_size);
    let size = planned.recipe.size;
    images_that_fit(&planned.layers, counted_at.unwrap_or(planned.model.input_size), size)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ImageState {
    ToDo,
    Done,
}

/// A model at work: its log, and the batch being collected for it.
struct ModelRun<'a> {
    plan: &'a Plan,
    planned: &'a PlannedModel,
    /// Index of its recipe among the run's.
    recipe: usize,
    log: PredictionLog,
    confidences: ConfidenceLog,
    rows: Vec<Prediction>,
    state: Vec<ImageState>,
    batch: Vec<(usize, Arc<RgbImage>)>,
    /// The largest batch that fits into memory, as far as is known; at most what was asked for.
    fits: usize,
    seconds: f64,
    timed_images: u64,
    hits: Hits,
}

impl<'a> ModelRun<'a> {
    fn open(
        plan: &'a Plan,
        planned: &'a PlannedModel,
        recipe: usize,
        dir: &RunDir,
    ) -> Result<Self, EvalError> {
        let path = dir.predictions(&planned.model.file_stem())?;
        let (log, rows) = PredictionLog::open(&path)?;
        let confidences = ConfidenceLog::open(&dir.confidences(&planned.model.file_stem())?)?;
        let items = plan.dataset.items();
        let index_of: HashMap<&str, usize> =
            items.iter().enumerate().map(|(index, item)| (item.name.as_str(), index)).collect();
        // Images of other shards need nothing from this run.
        let here = |index: usize| plan.shard.is_none_or(|shard| shard.contains(index));
        let mut state: Vec<ImageState> = (0..items.len())
            .map(|index| if here(index) { ImageState::ToDo } else { ImageState::Done })
            .collect();
        for row in &rows {
            let index = index_of.get(row.image.as_str()).copied();
            match index.filter(|&index| here(index) && items[index].label == row.label) {
                Some(index) => state[index] = ImageState::Done,
                None => {
                    return Err(EvalError::DamagedRun {
                        path,
                        reason: format!(
                            "{} with label {} is not in the data, or not in this shard",
                            row.image, row.label
                        ),
                    });
                }
            }
        }
        let before =
            dir.before().and_then(|record| record.models.iter().find(|it| it.id == planned.model.id));
        let mut run = Self {
            plan,
            planned,
            recipe,
            log,
            confidences,
            rows: Vec::with_capacity(items.len()),
            state,
            batch: Vec::new(),
            fits: plan.batch.min(fits(planned).unwrap_or(usize::MAX)),
            seconds: before.map_or(0.0, |before| before.seconds),
            timed_images: before.map_or(0, |before| before.timed_images),
            hits: Hits::default(),
        };
        rows.into_iter().for_each(|row| run.count(row));
        Ok(run)
    }

    /// Takes an image that it has still to do. Gives the images that were finished by that.
    fn take(
        &mut self,
        index: usize,
        crops: &[Result<Arc<RgbImage>, String>],
        progress: &mut dyn Progress,
    ) -> Result<Vec<usize>, EvalError> {
        if self.state[index] == ImageState::Done {
            return Ok(Vec::new());
        }
        match &crops[self.recipe] {
            Ok(crop) => {
                self.batch.push((index, Arc::clone(crop)));
                if self.batch.len() == self.plan.batch { self.flush(progress) } else { Ok(Vec::new()) }
            }
            Err(error) => {
                self.log(vec![(index, Err(error.clone()))], progress)?;
                Ok(vec![index])
            }
        }
    }

    /// Runs the collected batch, if there is one. Gives the images in it.
    fn flush(&mut self, progress: &mut dyn Progress) -> Result<Vec<usize>, EvalError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let started = Instant::now();
        let mut logits = Vec::with_capacity(batch.len());
        while let rest @ [_, ..] = &batch[logits.len()..] {
            match self.forward(&rest[..self.fits.min(rest.len())]) {
                Ok(more) => logits.extend(more),
                Err(reason) if self.fits.min(rest.len()) == 1 => {
                    return Err(EvalError::DeviceFailed { id: self.planned.model.id.clone(), reason });
                }
                Err(_) => {
                    self.fits = self.fits.min(rest.len()) / 2;
                    progress.smaller_batches(&self.planned.model.id, self.fits);
                }
            }
        }
        self.seconds += started.elapsed().as_secs_f64();
        self.timed_images += batch.len() as u64;
        let items = self.plan.dataset.items();
        let confident = batch
            .iter()
            .zip(&logits)
            .map(|((index, _), logits)| (items[*index].name.as_str(), confidences::of(logits)));
        self.confidences.append(confident)?;
        let outcomes = batch.iter().zip(logits).map(|((index, _), logits)| {
            let top = TopK::of(&logits).ok_or_else(|| "the network's output is not finite".to_owned());
            (*index, top)
        });
        self.log(outcomes.collect(), progress)?;
        Ok(batch.into_iter().map(|(index, _)| index).collect())
    }

    /// Logits of each image. A device that gives up, most often for want of memory, panics; its words are
    /// the error.
    fn forward(&self, batch: &[(usize, Arc<RgbImage>)]) -> Result<Vec<Vec<f32>>, String> {
        let size = self.planned.recipe.size;
        let mut input = vec![0.0; batch.len() * 3 * size * size];
        for ((_, crop), image) in batch.iter().zip(input.chunks_exact_mut(3 * size * size)) {
            self.planned.recipe.normalise.write_chw(crop, image);
        }
        let forward = || logits(self.planned, &input, batch.len(), &self.plan.device);
        catch_unwind(AssertUnwindSafe(forward)).map_err(|panic| {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it gave no reason").to_owned()
        })
    }

    fn log(
        &mut self,
        outcomes: Vec<(usize, Result<TopK, String>)>,
        progress: &mut dyn Progress,
    ) -> Result<(), EvalError> {
        let mut rows = Vec::with_capacity(outcomes.len());
        for (index, outcome) in outcomes {
            let item = &self.plan.dataset.items()[index];
            if let Err(error) = &outcome {
                progress.error(&item.name, error);
            }
            self.state[index] = ImageState::Done;
            rows.push(Prediction { image: item.name.clone(), label: item.label, outcome });
        }
        self.log.append(&rows)?;
        rows.into_iter().for_each(|row| self.count(row));
        Ok(())
    }

    fn count(&mut self, row: Prediction) {
        let truth = self.plan.dataset_record.label_set.truth(&row.image, &row.label);
        self.hits.add(truth, row.outcome.as_ref().ok());
        self.rows.push(row);
    }

    fn top1_pct(&self) -> f64 {
        percentage(self.hits.top1, self.hits.images)
    }
}
