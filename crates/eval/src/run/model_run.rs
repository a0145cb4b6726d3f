//! A model at work: the batch being collected for it, its network, and its logs.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use dataset::RgbImage;
use models::{Classifier, ComputeError, Images, Pending};

use crate::EvalError;
use crate::logs::confidences::{self, ConfidenceLog};
use crate::logs::predictions::{self, Prediction, PredictionLog, in_a_line};
use crate::logs::rechecks::RecheckLog;
use crate::metrics::{Hits, TopK, percentage};
use crate::plan::{Plan, PlannedModel};
use crate::recheck::{Known, Margins, RecheckRecord, Rechecking};
use crate::run::batches::Batches;
use crate::run::networks::LoadedModel;
use crate::run::pipeline::Crops;
use crate::run::progress::Progress;
use crate::run_dir::RunDir;
use crate::run_dir::standing::{ImageState, Standing, first_labelled};
use crate::run_dir::whole::Whole;
use crate::weights::WeightsSource;

/// A model at work: its log, and the batch being collected for it.
pub(crate) struct ModelRun<'a> {
    plan: &'a Plan,
    pub(crate) planned: &'a PlannedModel,
    /// What the run records of its weights.
    pub(crate) weights: WeightsSource,
    /// Index of its recipe among the run's.
    recipe: usize,
    path: PathBuf,
    log: PredictionLog,
    confidences: ConfidenceLog,
    pub(crate) rows: Vec<Prediction>,
    /// A state an image of the data.
    states: Vec<ImageState>,
    /// Images that had no prediction before and are tried again, and why they had none.
    failed_before: HashMap<usize, String>,
    /// Whether this process has found anything new: a prediction, or an error that the image did not have before.
    pub(crate) has_news: bool,
    /// The batch that is being collected.
    batch: Vec<(usize, Arc<RgbImage>)>,
    /// What is computed again in f32, of a run that does.
    again: Option<Again<'a>>,
    /// Images to collect for a batch, limited by the host's memory.
    at_once: usize,
    /// Its network; none where nothing is left to do.
    network: Option<NetworkRun<'a>>,
    /// Time that the device was at work, in seconds.
    pub(crate) seconds: f64,
    pub(crate) timed_images: u64,
    hits: Hits,
}

impl<'a> ModelRun<'a> {
    /// Opens its logs in `dir` and takes over what they hold, which is `standing`. `loaded` is its network, where images are
    /// left to do.
    pub(crate) fn open(
        plan: &'a Plan,
        (planned, loaded): (&'a PlannedModel, Option<&'a LoadedModel>),
        standing: Standing,
        at_once: usize,
        dir: &RunDir,
    ) -> Result<Self, EvalError> {
        let id = &planned.model.id;
        let before = dir.before().and_then(|record| record.models.iter().find(|it| it.id == *id));
        let weights = match (loaded, before) {
            (Some(loaded), _) => loaded.weights.clone(),
            (None, Some(before)) => {
                planned.weights.known(&planned.model)?.with_what_loading_told(&before.weights)
            }
            (None, None) => planned.weights.known(&planned.model)?,
        };
        let recipe = plan.recipes().iter().position(|recipe| recipe.keys() == planned.recipe.keys());
        let path = dir.predictions(id)?;
        let confidences = ConfidenceLog::open(&dir.confidences(id)?)?;
        let Standing { states, rows, is_outdated, rechecking, failed: failed_before } = standing;
        if !failed_before.is_empty() || is_outdated {
            write_log(&path, &rows)?;
        }
        let (log, _) = PredictionLog::open(&path)?;
        let network = loaded.map(|loaded| NetworkRun::new(plan, planned, &loaded.classifier));
        let again = match rechecking {
            Some(rechecking) => {
                let exact = loaded.and_then(|loaded| loaded.exact.as_ref());
                let network = exact.map(|exact| NetworkRun::new(plan, planned, exact)).transpose()?;
                let log = RecheckLog::open(&dir.rechecks(id)?)?;
                Some(Again { rechecking, log, batch: Vec::new(), network })
            }
            None => None,
        };
        let mut run = Self {
            plan,
            planned,
            weights,
            recipe: recipe.expect("the plan's recipes are those of its models"),
            path,
            log,
            confidences,
            rows: Vec::with_capacity(states.len()),
            states,
            failed_before,
            has_news: false,
            batch: Vec::new(),
            again,
            at_once,
            network: network.transpose()?,
            seconds: before.map_or(0.0, |before| before.seconds),
            timed_images: before.map_or(0, |before| before.timed_images),
            hits: Hits::default(),
        };
        rows.into_iter().for_each(|row| run.count(row));
        Ok(run)
    }

    /// Takes an image, if it has still to do it. One without a crop is finished by that.
    pub(crate) fn take(
        &mut self,
        index: usize,
        crops: &Crops,
        progress: &mut dyn Progress,
    ) -> Result<(), EvalError> {
        if self.is_done(index) {
            return Ok(());
        }
        match &crops[self.recipe] {
            Ok(crop) => match self.again.as_mut().filter(|again| again.rechecking.is_all_again()) {
                Some(again) => again.batch.push(Candidate { index, crop: Arc::clone(crop), reduced: None }),
                None => self.batch.push((index, Arc::clone(crop))),
            },
            Err(error) => {
                let done = vec![Done { index, outcome: Err(error.clone()), known: Known::default() }];
                self.log(done, progress)?;
            }
        }
        Ok(())
    }

    /// Whether it has seen to an image.
    pub(crate) fn is_done(&self, index: usize) -> bool {
        self.states[index] == ImageState::Done
    }

    /// Takes images in that it had not to do before: those of `members` that have neither a prediction nor an error.
    pub(crate) fn grow(&mut self, before: &[bool], members: &[bool]) {
        if let Some(again) = &mut self.again {
            again.rechecking.begin_with(&first_labelled(self.plan, members));
        }
        let new = before.iter().zip(members).map(|(before, now)| *now && !*before);
        for (state, _) in self.states.iter_mut().zip(new).filter(|(_, is_new)| *is_new) {
            *state = ImageState::ToDo;
        }
    }

    /// Whether it has images left to do.
    pub(crate) fn is_left(&self) -> bool {
        self.states.contains(&ImageState::ToDo)
    }

    /// Whether a batch is complete.
    pub(crate) fn is_full(&self) -> bool {
        // A batch that is too large for the device is split later, when it is computed.
        self.batch.len() >= self.at_once || self.again_is_full()
    }

    fn again_is_full(&self) -> bool {
        self.again.as_ref().is_some_and(|again| again.batch.len() >= self.at_once)
    }

    /// The largest batch that fits into memory, where that is less than what was asked for.
    pub(crate) fn smaller_batch(&self) -> Option<usize> {
        let again = self.again.as_ref().and_then(|again| again.network.as_ref());
        let fits = self.network.as_ref()?.batches.fits();
        let fits = again.map_or(fits, |again| again.batches.fits().min(fits));
        (fits < self.plan.batch).then_some(fits)
    }

    /// Hands a collected batch to the device: the one of the run's type of numbers, then the one that is computed again in f32. None if
    /// neither is complete; with `all`, the images that there are.
    pub(crate) fn launch(&mut self, all: bool) -> Option<Batch> {
        let is_wanted = |images: usize| images >= if all { 1 } else { self.at_once };
        if is_wanted(self.batch.len()) {
            let network = self.network.as_mut()?;
            let images = std::mem::take(&mut self.batch);
            return Some(network.launch(images, None));
        }
        let again = self.again.as_mut().filter(|again| is_wanted(again.batch.len()))?;
        let network = again.network.as_mut()?;
        let (images, reduced) =
            std::mem::take(&mut again.batch).into_iter().map(|it| ((it.index, it.crop), it.reduced)).unzip();
        Some(network.launch(images, Some(reduced)))
    }

    /// Waits for `batch`, which the device was given, and logs it. Where it does not fit into memory it is tried again in
    /// smaller parts, and `let_go` is to let go of what was begun behind it. Gives the images that are finished by that.
    pub(crate) fn collect(
        &mut self,
        batch: Batch,
        mut let_go: impl FnMut(),
        clock: &mut DeviceClock,
        progress: &mut dyn Progress,
    ) -> Result<Vec<usize>, EvalError> {
        let Batch { images, again, pending, started } = batch;
        let network = match &again {
            None => self.network.as_mut(),
            Some(_) => self.again.as_mut().and_then(|again| again.network.as_mut()),
        };
        let Some(NetworkRun { batches, input }) = network else { return Ok(Vec::new()) };
        let start = |part: Range<usize>| input.hand_over(&images[part]);
        let halved = |fits| {
            progress.smaller_batches(&self.planned.model.id, fits);
            let_go();
        };
        let items = self.plan.dataset.items();
        let name = |at: usize| items[images[at].0].name.clone();
        let logits = batches.run(images.len(), pending, start, halved, name)?;
        self.seconds += clock.seconds_since(started);
        let mut finished = Vec::with_capacity(images.len());
        let mut confident = Vec::with_capacity(images.len());
        for (at, ((index, crop), logits)) in images.into_iter().zip(logits).enumerate() {
            let item = &items[index];
            let known = match (&mut self.again, &logits, &again) {
                (Some(_), Ok(logits), Some(reduced)) => {
                    let truth = self.plan.dataset_record.label_set.truth(&item.name, &item.label);
                    Known { reduced: reduced[at], exact: Margins::of(logits, truth) }
                }
                (Some(again), Ok(logits), None) => {
                    let truth = self.plan.dataset_record.label_set.truth(&item.name, &item.label);
                    let reduced = Margins::of(logits, truth);
                    if again.rechecking.wants(index, reduced, !truth.is_empty()) {
                        again.batch.push(Candidate { index, crop, reduced });
                        continue;
                    }
                    Known { reduced, exact: None }
                }
                _ => Known::default(),
            };
            if let Ok(logits) = &logits {
                confident.push((item.name.as_str(), confidences::of(logits)));
            }
            let top = |logits: Vec<f32>| {
                TopK::of(&logits).ok_or_else(|| "the network's output is not finite".to_owned())
            };
            finished.push(Done { index, outcome: logits.and_then(top), known });
        }
        self.timed_images += finished.len() as u64;
        self.confidences.append(confident.into_iter())?;
        let indices = finished.iter().map(|done| done.index).collect();
        self.log(finished, progress)?;
        Ok(indices)
    }

    fn log(&mut self, done: Vec<Done>, progress: &mut dyn Progress) -> Result<(), EvalError> {
        let items = self.plan.dataset.items();
        if let Some(again) = &mut self.again {
            let predicted = done.iter().filter(|done| done.outcome.is_ok());
            again.log.append(predicted.map(|done| (items[done.index].name.as_str(), done.known)))?;
            done.iter().for_each(|done| again.rechecking.note(done.index, done.known));
        }
        let mut rows = Vec::with_capacity(done.len());
        for Done { index, outcome, .. } in done {
            let item = &items[index];
            if let Err(error) = &outcome {
                progress.error(&item.name, error);
            }
            let error = outcome.as_ref().err().map(|error| in_a_line(error));
            self.has_news |= error.is_none() || error.as_ref() != self.failed_before.get(&index);
            self.states[index] = ImageState::Done;
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

    /// Once every image was computed: takes back the predictions of images that have to be computed again after all, by what was learned
    /// since. Whether there are any.
    pub(crate) fn take_back(&mut self) -> Result<bool, EvalError> {
        let Some(again) = &mut self.again else { return Ok(false) };
        let left = again.rechecking.left();
        if left.is_empty() {
            return Ok(false);
        }
        let items = self.plan.dataset.items();
        let names: HashSet<&str> = left.iter().map(|&index| items[index].name.as_str()).collect();
        let (kept, taken): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.rows).into_iter().partition(|row| !names.contains(row.image.as_str()));
        write_log(&self.path, &kept)?;
        (self.log, _) = PredictionLog::open(&self.path)?;
        left.iter().for_each(|&index| self.states[index] = ImageState::ToDo);
        self.timed_images = self.timed_images.saturating_sub(taken.len() as u64);
        self.hits = Hits::default();
        kept.into_iter().for_each(|row| self.count(row));
        Ok(true)
    }

    /// What it computed again, of a run that does.
    pub(crate) fn recheck(&self) -> Option<RecheckRecord> {
        self.again.as_ref().map(|again| again.rechecking.record())
    }

    /// What it knows of its images' margins, by name.
    pub(crate) fn known(&self) -> Option<HashMap<String, Known>> {
        let rechecking = &self.again.as_ref()?.rechecking;
        let items = self.plan.dataset.items().iter().enumerate();
        let known = items.filter_map(|(index, item)| Some((item.name.clone(), rechecking.known(index)?)));
        Some(known.collect())
    }

    /// Puts its rows in the order of the data, as if the images had been finished in it.
    pub(crate) fn sort_rows(&mut self) {
        self.rows.sort_by(|a, b| a.image.cmp(&b.image));
    }

    /// Top-1 accuracy so far, in per cent.
    pub(crate) fn top1_pct(&self) -> f64 {
        percentage(self.hits.top1, self.hits.images)
    }
}

/// Writes the prediction log at `path` anew, with these rows alone.
fn write_log(path: &Path, rows: &[Prediction]) -> Result<(), EvalError> {
    let failed = |source| EvalError::RunFile { action: "write", path: path.to_owned(), source };
    let mut whole = Whole::default();
    whole.add(path, &predictions::whole(rows).map_err(failed)?)?;
    whole.commit()
}

/// An image that a model is done with.
struct Done {
    index: usize,
    outcome: Result<TopK, String>,
    /// What is known of its margins.
    known: Known,
}

/// An image that waits to be computed in f32.
struct Candidate {
    index: usize,
    crop: Arc<RgbImage>,
    reduced: Option<Margins>,
}

/// What is computed again in f32.
struct Again<'a> {
    rechecking: Rechecking,
    log: RecheckLog,
    /// The batch that is being collected.
    batch: Vec<Candidate>,
    /// The network in f32; none where nothing is left to do.
    network: Option<NetworkRun<'a>>,
}

/// How long the device was at work. Time that two batches share, on a device that works ahead, counts once.
#[derive(Debug, Default)]
pub(crate) struct DeviceClock {
    counted_until: Option<Instant>,
}

impl DeviceClock {
    /// Seconds from `started`, or from what was counted before, until now.
    fn seconds_since(&mut self, started: Instant) -> f64 {
        let now = Instant::now();
        let begun = self.counted_until.map_or(started, |before| before.max(started));
        self.counted_until = Some(now);
        now.saturating_duration_since(begun).as_secs_f64()
    }
}

/// A model's network as a run uses it.
struct NetworkRun<'a> {
    /// How many images it is given at once.
    batches: Batches<'a>,
    input: DeviceInput<'a>,
}

impl<'a> NetworkRun<'a> {
    fn new(plan: &Plan, planned: &'a PlannedModel, classifier: &'a Classifier) -> Result<Self, EvalError> {
        let tables = planned.recipe.normalise.table();
        let input = DeviceInput { classifier, size: planned.recipe.crop.axes(), tables, bytes: Vec::new() };
        let batches = Batches::new(plan, planned, classifier)?;
        // Before the network's time is counted. What cannot be had is asked for again by a batch, and then in halves.
        drop(classifier.reserve(input.size, batches.fits().min(plan.batch)));
        Ok(Self { batches, input })
    }

    /// Hands `images` to the device.
    fn launch(&mut self, images: Vec<(usize, Arc<RgbImage>)>, again: Option<Vec<Option<Margins>>>) -> Batch {
        let started = Instant::now();
        // A batch that is known not to fit is split later, when it is computed.
        let fits = images.len() <= self.batches.fits();
        let pending = fits.then(|| self.input.hand_over(&images));
        Batch { images, again, pending, started }
    }
}

/// The way from crops to the device.
struct DeviceInput<'a> {
    classifier: &'a Classifier,
    /// Height and width.
    size: [usize; 2],
    /// What each value of a pixel means to the network, a table a channel.
    tables: [[f32; 256]; 3],
    /// Pixels of the batch that is handed over, kept for the next one.
    bytes: Vec<u8>,
}

impl DeviceInput<'_> {
    /// Hands images to the device. On the way to the kernels a batch needs no memory but that of its bytes.
    fn hand_over(&mut self, images: &[(usize, Arc<RgbImage>)]) -> Result<Pending, ComputeError> {
        let Self { classifier, size, tables, bytes } = self;
        bytes.clear();
        let len = images.iter().map(|(_, crop)| crop.pixels.len()).sum();
        if let Err(error) = memory::reserve(bytes, len) {
            // Free this buffer, because a smaller batch or another buffer may need its memory.
            *bytes = Vec::new();
            return Err(error.into());
        }
        images.iter().for_each(|(_, crop)| bytes.extend_from_slice(&crop.pixels));
        classifier.start(&Images::Bytes { values: bytes, tables, size: *size })
    }
}

/// A batch that the device was given.
pub(crate) struct Batch {
    images: Vec<(usize, Arc<RgbImage>)>,
    /// Of a batch that is computed again: the images' margins in the run's type of numbers, where they were computed in it.
    again: Option<Vec<Option<Margins>>>,
    /// None where the batch has to be split first.
    pending: Option<Result<Pending, ComputeError>>,
    started: Instant,
}

impl Batch {
    /// Drops what the device computes of it, because another batch needs the memory. It is computed again later.
    pub(crate) fn let_go(&mut self) {
        self.pending = None;
    }
}
