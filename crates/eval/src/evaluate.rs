//! The run: decoded images in, prediction rows out, in one pass over the data for all models.
//!
//! Whatever happens in between, the prediction logs are whole lines and hold every image whose batch
//! was finished; a run goes on from them, image by image. Images without a prediction are tried again.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::EvalError;
use crate::digests::Digests;
use crate::memory::images_at_once;
use crate::model_run::{DeviceClock, ImageState, ModelRun};
use crate::pipeline::{Next, Source, Work};
use crate::plan::Plan;
use crate::predictions::Prediction;
use crate::provenance::utc_now;
use crate::record::{ModelRecord, RunRecord, SCHEMA_VERSION, Session, SmallerBatch, State};
use crate::run_dir::{Finished, RunDir};
use crate::warned::WarningLog;

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
    let at_once = images_at_once(plan);
    let mut digests = Digests::open(&dir.digests())?;
    let mut runs = plan
        .models
        .iter()
        .map(|planned| {
            let recipe = recipes.iter().position(|recipe| recipe.name == planned.recipe.name);
            let recipe = recipe.expect("the plan's recipes are those of its models");
            ModelRun::open(plan, planned, recipe, at_once, dir)
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
    for run in runs.iter().filter(|run| run.batches.fits() < plan.batch && !todo.is_empty()) {
        progress.smaller_batches(&run.planned.model.id, run.batches.fits());
    }
    let finished = std::thread::scope(|scope| {
        let work = Work { dataset: &plan.dataset, recipes: &recipes, images: &todo, batch: at_once };
        let source = Source::start(scope, work, &plan.placement)?;
        let mut warnings = WarningLog::new(dir, &mut record);
        run_through(plan, &mut runs, &mut digests, &mut warnings, &source, stop, progress)
    });
    progress.finish();

    // An error must not keep what is known from being written.
    record.models = runs
        .iter()
        .map(|run| ModelRecord::of_plan(plan, run.planned, &run.rows, run.seconds, run.timed_images))
        .collect();
    for (model, run) in record.models.iter_mut().zip(&runs) {
        // Swaps were tried once the images were done; doing them again would change nothing, unless the images are others.
        if run.has_news {
            continue;
        }
        let before = dir.before().and_then(|before| before.models.iter().find(|it| it.id == model.id));
        model.explanation = before.and_then(|before| before.explanation.clone());
    }
    if let (false, Some(session)) = (todo.is_empty(), record.sessions.last_mut()) {
        session.ended_utc = Some(utc_now());
        let smaller = runs.iter().filter(|run| run.batches.fits() < plan.batch);
        session.smaller_batches = smaller
            .map(|run| SmallerBatch { id: run.planned.model.id.clone(), batch: run.batches.fits() })
            .collect();
    }
    if !matches!(finished, Ok(true)) {
        record.state = State::Interrupted;
        dir.write_record(&record)?;
        return finished.map(|_| Outcome { record });
    }
    // Errors that are errors still have been computed by nobody.
    let was_finished = dir.before().filter(|before| before.state == State::Finished);
    if let Some(before) = was_finished.filter(|_| !runs.iter().any(|run| run.has_news)) {
        record.sessions.clone_from(&before.sessions);
        for (model, before) in record.models.iter_mut().zip(&before.models) {
            (model.seconds, model.timed_images) = (before.seconds, before.timed_images);
        }
    }
    record.state = State::Finished;
    runs.iter_mut().for_each(ModelRun::sort_rows);
    let rows: Vec<&[Prediction]> = runs.iter().map(|run| run.rows.as_slice()).collect();
    let confidences: Vec<HashMap<String, f32>> =
        rows.iter().zip(&record.models).map(|(rows, model)| dir.confidences_of(&model.id, rows)).collect();
    let names: Vec<&str> = plan.dataset.items().iter().map(|item| item.name.as_str()).collect();
    let finished = Finished {
        record: &record,
        rows: &rows,
        confidences: &confidences,
        digests: Some((&names, digests.known())),
        images: Some(&plan.dataset),
    };
    dir.stage_finished(&finished)?.commit()?;
    Ok(Outcome { record })
}

/// The record of the run so far: that of the directory, or a new one.
fn first_record(plan: &Plan, dir: &RunDir) -> RunRecord {
    if let Some(before) = dir.before() {
        let mut record = before.clone();
        record.state = State::Running;
        record.tolerance = plan.tolerance;
        if dir.is_mended() {
            record.dataset.fingerprint.clone_from(&plan.dataset_record.fingerprint);
        }
        return record;
    }
    RunRecord {
        schema_version: SCHEMA_VERSION,
        state: State::Running,
        command: plan.command.clone(),
        environment: plan.environment.clone(),
        device: plan.placement.device().name().to_owned(),
        dtype: plan.placement.dtype(),
        sessions: Vec::new(),
        tolerance: plan.tolerance,
        dataset: plan.dataset_record.clone(),
        shard: plan.shard,
        decoder_warnings: Vec::new(),
        models: plan.models.iter().map(|planned| ModelRecord::of_plan(plan, planned, &[], 0.0, 0)).collect(),
    }
}

fn session(plan: &Plan, images_before: usize) -> Session {
    Session {
        shard: None,
        command: plan.command.clone(),
        environment: plan.environment.clone(),
        batch: plan.batch,
        threads: plan.placement.threads().count(),
        engine: engine(plan),
        started_utc: utc_now(),
        ended_utc: None,
        images_before,
        smaller_batches: Vec::new(),
    }
}

/// What computes, as the record names it: one name where all models have the same.
fn engine(plan: &Plan) -> String {
    let mut engines: Vec<String> = plan.models.iter().map(|planned| planned.classifier.engine()).collect();
    engines.dedup();
    engines.join(", ")
}

/// Feeds images to the models as they come. True when all were seen to, false when stopped.
fn run_through(
    plan: &Plan,
    runs: &mut [ModelRun<'_>],
    digests: &mut Digests,
    warnings: &mut WarningLog<'_>,
    source: &Source<'_>,
    stop: &AtomicBool,
    progress: &mut dyn Progress,
) -> Result<bool, EvalError> {
    let mut queue =
        Queue { works_ahead: source.is_ahead(), in_flight: VecDeque::new(), clock: DeviceClock::default() };
    // Images that some models have still to finish.
    let mut open: HashMap<usize, usize> = HashMap::new();
    while !stop.load(Ordering::Relaxed) {
        let idle = queue.in_flight.is_empty();
        let images = match source.next(if idle { STOP_CHECK_INTERVAL } else { Duration::ZERO }) {
            Next::Images(images) => images,
            // A slow disk; a stop must be noticed all the same. And where the device has worked ahead of the
            // decoder, its results can be taken now without holding it up.
            Next::NotYet => {
                while queue.collect(runs, &mut open, progress)? {}
                continue;
            }
            Next::End => break,
        };
        let read: Vec<_> = (images.iter())
            .filter_map(|image| {
                let index = image.index;
                // Of one image all models see the same bytes.
                let done = runs.iter().any(|run| run.has_prediction(index));
                Some((plan.dataset.items()[index].name.as_str(), image.digest?, done))
            })
            .collect();
        digests.add(&read)?;
        for image in images.iter().filter(|image| image.digest.is_some()) {
            warnings.add(&plan.dataset.items()[image.index].name, &image.warnings)?;
        }
        for image in images {
            let crops = image.crops.map_err(|source| EvalError::DataLost { source })?;
            let waiting = runs.iter().filter(|run| run.state[image.index] == ImageState::ToDo).count();
            open.insert(image.index, waiting);
            for model in 0..runs.len() {
                let finished = runs[model].take(image.index, &crops, progress)?;
                close(&mut open, &finished, runs, progress);
                if runs[model].is_full() {
                    queue.launch(model, runs, &mut open, progress)?;
                }
            }
        }
    }
    // What a device has begun is kept; what waits for a full batch is left to the next run if this one is stopped.
    if !stop.load(Ordering::Relaxed) {
        for model in 0..runs.len() {
            queue.launch(model, runs, &mut open, progress)?;
        }
    }
    while queue.collect(runs, &mut open, progress)? {}
    let all_done = !runs.iter().any(|run| run.state.contains(&ImageState::ToDo));
    // An image that was lost on the way must not pass for one that a stop has left.
    assert!(all_done || stop.load(Ordering::Relaxed), "every image has a row at the images' end");
    Ok(all_done)
}

/// The batches that the device has, by their models, the oldest first.
struct Queue {
    /// Whether the device computes while this thread goes on.
    works_ahead: bool,
    in_flight: VecDeque<usize>,
    clock: DeviceClock,
}

impl Queue {
    /// Hands a model's batch over, and then takes the result of the one before: a device that works ahead
    /// always has something to do.
    fn launch(
        &mut self,
        model: usize,
        runs: &mut [ModelRun<'_>],
        open: &mut HashMap<usize, usize>,
        progress: &mut dyn Progress,
    ) -> Result<(), EvalError> {
        if runs[model].launch() {
            self.in_flight.push_back(model);
        }
        while self.in_flight.len() > usize::from(self.works_ahead) {
            self.collect(runs, open, progress)?;
        }
        Ok(())
    }

    /// Takes the result of the oldest batch. False if there is none.
    fn collect(
        &mut self,
        runs: &mut [ModelRun<'_>],
        open: &mut HashMap<usize, usize>,
        progress: &mut dyn Progress,
    ) -> Result<bool, EvalError> {
        let Some(model) = self.in_flight.pop_front() else { return Ok(false) };
        let finished = runs[model].collect(&mut self.clock, progress)?;
        close(open, &finished, runs, progress);
        Ok(true)
    }
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
