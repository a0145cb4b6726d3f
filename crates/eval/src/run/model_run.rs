//! A model at work: the batch being collected for it, its network, and its logs.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use dataset::RgbImage;
use models::{Classifier, ComputeError, Images, Pending};

use crate::EvalError;
use crate::logs::confidences::{self, ConfidenceLog};
use crate::logs::predictions::{self, Prediction, PredictionLog, in_a_line};
use crate::metrics::{Hits, TopK, percentage};
use crate::plan::{Plan, PlannedModel};
use crate::run::batches::Batches;
use crate::run::networks::LoadedModel;
use crate::run::pipeline::Crops;
use crate::run::progress::Progress;
use crate::run_dir::RunDir;
use crate::run_dir::standing::{ImageState, Standing};
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
        let Standing { states, rows, failed: failed_before } = standing;
        if !failed_before.is_empty() {
            let mut whole = Whole::default();
            let log = predictions::whole(&rows);
            let failed = |source| EvalError::RunFile { action: "write", path: path.clone(), source };
            whole.add(&path, &log.map_err(failed)?)?;
            whole.commit()?;
        }
        let (log, _) = PredictionLog::open(&path)?;
        let network = loaded.map(|loaded| NetworkRun::new(plan, planned, &loaded.classifier));
        let mut run = Self {
            plan,
            planned,
            weights,
            recipe: recipe.expect("the plan's recipes are those of its models"),
            log,
            confidences,
            rows: Vec::with_capacity(states.len()),
            states,
            failed_before,
            has_news: false,
            batch: Vec::new(),
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
            Ok(crop) => self.batch.push((index, Arc::clone(crop))),
            Err(error) => self.log(vec![(index, Err(error.clone()))], progress)?,
        }
        Ok(())
    }

    /// Whether it has seen to an image.
    pub(crate) fn is_done(&self, index: usize) -> bool {
        self.states[index] == ImageState::Done
    }

    /// Takes images in that it had not to do before: those of `members` that have neither a prediction nor an error.
    pub(crate) fn grow(&mut self, before: &[bool], members: &[bool]) {
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
        self.batch.len() >= self.at_once
    }

    /// The largest batch that fits into memory, where that is less than what was asked for.
    pub(crate) fn smaller_batch(&self) -> Option<usize> {
        let fits = self.network.as_ref()?.batches.fits();
        (fits < self.plan.batch).then_some(fits)
    }

    /// Hands the collected batch to the device; none if nothing was collected.
    pub(crate) fn launch(&mut self) -> Option<Batch> {
        let images = std::mem::take(&mut self.batch);
        let network = self.network.as_mut().filter(|_| !images.is_empty())?;
        let started = Instant::now();
        // A batch that is known not to fit is split later, when it is computed.
        let fits = images.len() <= network.batches.fits();
        let pending = fits.then(|| network.input.hand_over(&images));
        Some(Batch { images, pending, started })
    }

    /// Waits for `batch`, which the device was given, and logs it. Where it does not fit into memory it is tried again in
    /// smaller parts, and `let_go` is to let go of what was begun behind it. Gives its images.
    pub(crate) fn collect(
        &mut self,
        batch: Batch,
        mut let_go: impl FnMut(),
        clock: &mut DeviceClock,
        progress: &mut dyn Progress,
    ) -> Result<Vec<usize>, EvalError> {
        let Batch { images, pending, started } = batch;
        let Some(NetworkRun { batches, input }) = &mut self.network else { return Ok(Vec::new()) };
        let start = |part: Range<usize>| input.hand_over(&images[part]);
        let halved = |fits| {
            progress.smaller_batches(&self.planned.model.id, fits);
            let_go();
        };
        let items = self.plan.dataset.items();
        let name = |at: usize| items[images[at].0].name.clone();
        let logits = batches.run(images.len(), pending, start, halved, name)?;
        self.seconds += clock.seconds_since(started);
        self.timed_images += images.len() as u64;
        let confident = images.iter().zip(&logits).filter_map(|((index, _), logits)| {
            Some((items[*index].name.as_str(), confidences::of(logits.as_ref().ok()?)))
        });
        self.confidences.append(confident)?;
        let top = |logits: Vec<f32>| {
            TopK::of(&logits).ok_or_else(|| "the network's output is not finite".to_owned())
        };
        let outcomes = images.iter().zip(logits).map(|((index, _), logits)| (*index, logits.and_then(top)));
        self.log(outcomes.collect(), progress)?;
        Ok(images.into_iter().map(|(index, _)| index).collect())
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

    /// Puts its rows in the order of the data, as if the images had been finished in it.
    pub(crate) fn sort_rows(&mut self) {
        self.rows.sort_by(|a, b| a.image.cmp(&b.image));
    }

    /// Top-1 accuracy so far, in per cent.
    pub(crate) fn top1_pct(&self) -> f64 {
        percentage(self.hits.top1, self.hits.images)
    }
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
        Ok(Self { batches: Batches::new(plan, planned, classifier)?, input })
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
