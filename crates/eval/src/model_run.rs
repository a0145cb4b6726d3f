//! A model at work: the batch being collected for it, the batch that the device has, and its logs.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use dataset::RgbImage;
use models::{ComputeError, Images, Pending};

use crate::EvalError;
use crate::batches::Batches;
use crate::confidences::{self, ConfidenceLog};
use crate::evaluate::Progress;
use crate::metrics::{Hits, TopK, percentage};
use crate::pipeline::Crops;
use crate::plan::{Plan, PlannedModel};
use crate::predictions::{self, Prediction, PredictionLog, in_a_line};
use crate::run_dir::RunDir;
use crate::whole::Whole;

/// Whether a model has seen to an image. At the beginning only predictions are done: errors are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageState {
    ToDo,
    Done,
}

/// A model at work: its log, and the batch being collected for it.
pub(crate) struct ModelRun<'a> {
    plan: &'a Plan,
    pub(crate) planned: &'a PlannedModel,
    /// Index of its recipe among the run's.
    recipe: usize,
    /// What each value of a pixel means to the network, a table a channel.
    tables: [[f32; 256]; 3],
    log: PredictionLog,
    confidences: ConfidenceLog,
    pub(crate) rows: Vec<Prediction>,
    /// A state an image of the data.
    pub(crate) state: Vec<ImageState>,
    /// Images that had no prediction before and are tried again, and why they had none.
    failed_before: HashMap<usize, String>,
    /// Whether something is known now that was not known before: any row but an error that an image had already.
    pub(crate) has_news: bool,
    /// The batch that is being collected.
    batch: Vec<(usize, Arc<RgbImage>)>,
    /// The batches that the device was given, the oldest first.
    computing: VecDeque<Computing>,
    /// Pixels of the batch that is handed over, kept for the next one.
    bytes: Vec<u8>,
    /// How many images are collected, which is what the host has memory for.
    at_once: usize,
    /// How many of them the device is given at once.
    pub(crate) batches: Batches<'a>,
    /// Time that the device was at work, in seconds.
    pub(crate) seconds: f64,
    pub(crate) timed_images: u64,
    hits: Hits,
}

impl<'a> ModelRun<'a> {
    /// Opens its logs in `dir` and takes over what they hold.
    pub(crate) fn open(
        plan: &'a Plan,
        planned: &'a PlannedModel,
        recipe: usize,
        at_once: usize,
        dir: &RunDir,
    ) -> Result<Self, EvalError> {
        let path = dir.predictions(&planned.model.id)?;
        let rows = predictions::read_unfinished(&path)?;
        let confidences = ConfidenceLog::open(&dir.confidences(&planned.model.id)?)?;
        let items = plan.dataset.items();
        let index_of: HashMap<&str, usize> =
            items.iter().enumerate().map(|(index, item)| (item.name.as_str(), index)).collect();
        // Images of other shards need nothing from this run.
        let here = |index: usize| plan.shard.is_none_or(|shard| shard.contains(index));
        let mut state: Vec<ImageState> = (0..items.len())
            .map(|index| if here(index) { ImageState::ToDo } else { ImageState::Done })
            .collect();
        let mut failed_before = HashMap::new();
        for row in &rows {
            let index = index_of.get(row.image.as_str()).copied();
            match index.filter(|&index| here(index) && items[index].label == row.label) {
                Some(index) => match &row.outcome {
                    Ok(_) => state[index] = ImageState::Done,
                    // It may have been mended since.
                    Err(reason) => drop(failed_before.insert(index, reason.clone())),
                },
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
        let (rows, failed): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.outcome.is_ok());
        if !failed.is_empty() {
            let mut whole = Whole::default();
            let log = predictions::whole(&rows);
            let failed = |source| EvalError::RunFile { action: "write", path: path.clone(), source };
            whole.add(&path, &log.map_err(failed)?)?;
            whole.commit()?;
        }
        let (log, _) = PredictionLog::open(&path)?;
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
            failed_before,
            has_news: false,
            tables: planned.recipe.normalise.table(),
            batch: Vec::new(),
            computing: VecDeque::new(),
            bytes: Vec::new(),
            at_once,
            batches: Batches::new(plan, planned),
            seconds: before.map_or(0.0, |before| before.seconds),
            timed_images: before.map_or(0, |before| before.timed_images),
            hits: Hits::default(),
        };
        rows.into_iter().for_each(|row| run.count(row));
        Ok(run)
    }

    /// Takes an image that it has still to do. Gives the image if it is finished by that: it has no crop.
    pub(crate) fn take(
        &mut self,
        index: usize,
        crops: &Crops,
        progress: &mut dyn Progress,
    ) -> Result<Vec<usize>, EvalError> {
        if self.state[index] == ImageState::Done {
            return Ok(Vec::new());
        }
        match &crops[self.recipe] {
            Ok(crop) => {
                self.batch.push((index, Arc::clone(crop)));
                Ok(Vec::new())
            }
            Err(error) => {
                self.log(vec![(index, Err(error.clone()))], progress)?;
                Ok(vec![index])
            }
        }
    }

    /// Whether it has a prediction of an image that some model still has to do: an image is read once a process.
    pub(crate) fn has_prediction(&self, index: usize) -> bool {
        self.state[index] == ImageState::Done
    }

    /// Whether a batch is complete.
    pub(crate) fn is_full(&self) -> bool {
        // Not what fits the device: that is cut up when its turn comes.
        self.batch.len() >= self.at_once
    }

    /// Hands the collected batch to the device. False if there is none.
    pub(crate) fn launch(&mut self) -> bool {
        let images = std::mem::take(&mut self.batch);
        if images.is_empty() {
            return false;
        }
        let started = Instant::now();
        // A batch larger than what is known to fit is cut up when its turn comes.
        let Self { planned, tables, bytes, batches, .. } = self;
        let fits = images.len() <= batches.fits();
        let pending = fits.then(|| hand_over(planned, tables, bytes, &images));
        self.computing.push_back(Computing { images, pending, started });
        true
    }

    /// Waits for the oldest batch that the device was given, if there is one, and logs it. A batch that fails is
    /// tried again in smaller parts. Gives its images.
    pub(crate) fn collect(
        &mut self,
        clock: &mut DeviceClock,
        progress: &mut dyn Progress,
    ) -> Result<Vec<usize>, EvalError> {
        let Some(Computing { images, pending, started }) = self.computing.pop_front() else {
            return Ok(Vec::new());
        };
        let Self { planned, tables, bytes, batches, computing, .. } = self;
        let start = |part: Range<usize>| hand_over(planned, tables, bytes, &images[part]);
        let halved = |fits| {
            progress.smaller_batches(&planned.model.id, fits);
            // What was begun behind it holds memory too, and would fail or make this fail again.
            computing.iter_mut().for_each(|behind| behind.pending = None);
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

    /// Puts its rows in the order of the data, as if the images had been finished in it.
    pub(crate) fn sort_rows(&mut self) {
        self.rows.sort_by(|a, b| a.image.cmp(&b.image));
    }

    /// Top-1 accuracy so far, in per cent.
    pub(crate) fn top1_pct(&self) -> f64 {
        percentage(self.hits.top1, self.hits.images)
    }
}

/// How long the device was at work. Batches overlap on a device that works ahead: their time counts once.
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

/// Hands images to the device. Their bytes are the only memory that a batch needs on the way to the kernels.
fn hand_over(
    planned: &PlannedModel,
    tables: &[[f32; 256]; 3],
    bytes: &mut Vec<u8>,
    images: &[(usize, Arc<RgbImage>)],
) -> Result<Pending, ComputeError> {
    let size = planned.recipe.size;
    bytes.clear();
    let len = images.iter().map(|(_, crop)| crop.pixels.len()).sum();
    if bytes.try_reserve_exact(len).is_err() {
        // What there is may do for a smaller batch, and other buffers may need it.
        *bytes = Vec::new();
        let reason = format!("out of memory: {len} bytes were asked for");
        return Err(ComputeError::OutOfMemory { reason });
    }
    images.iter().for_each(|(_, crop)| bytes.extend_from_slice(&crop.pixels));
    planned.classifier.start(&Images::Bytes { values: bytes, tables, size: [size; 2] })
}

/// A batch that the device was given.
struct Computing {
    images: Vec<(usize, Arc<RgbImage>)>,
    /// Nothing where it has to be cut up first.
    pending: Option<Result<Pending, ComputeError>>,
    started: Instant,
}
