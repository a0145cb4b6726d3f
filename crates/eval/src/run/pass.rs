//! The one pass over the images that are left: every image goes to every model that has it to do, batches go to the device and
//! come back in their order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::EvalError;
use crate::logs::digests::DigestLog;
use crate::plan::Plan;
use crate::run::model_run::{Batch, DeviceClock, ModelRun};
use crate::run::pipeline::{ImageSource, Next, Prepared};
use crate::run::progress::Progress;
use crate::run::warning_log::WarningLog;

/// How often a request to stop is looked for while no image comes.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// A pass over images.
pub(crate) struct ImagePass<'a, 'p> {
    plan: &'a Plan,
    runs: &'p mut [ModelRun<'a>],
    digests: &'p mut DigestLog,
    warnings: WarningLog<'p>,
    /// The batches that the device has, each with its model's index, the oldest first.
    in_flight: VecDeque<(usize, Batch)>,
    clock: DeviceClock,
    progress: &'p mut dyn Progress,
}

impl<'a, 'p> ImagePass<'a, 'p> {
    /// A pass that writes what it finds to the logs of `runs`, to `digests` and to `warnings`.
    pub(crate) fn new(
        plan: &'a Plan,
        runs: &'p mut [ModelRun<'a>],
        digests: &'p mut DigestLog,
        warnings: WarningLog<'p>,
        progress: &'p mut dyn Progress,
    ) -> Self {
        let (in_flight, clock) = (VecDeque::new(), DeviceClock::default());
        Self { plan, runs, digests, warnings, in_flight, clock, progress }
    }

    /// Feeds the images of `source` to the models as they come. True when all were seen to, false when stopped.
    ///
    /// # Errors
    /// [`EvalError`] when images or a device are lost, or a file of the run cannot be written.
    pub(crate) fn go(mut self, source: &ImageSource<'_>, stop: &AtomicBool) -> Result<bool, EvalError> {
        // A device that works ahead computes one batch while the next is on its way to it.
        let ahead = usize::from(source.is_ahead());
        while !stop.load(Ordering::Relaxed) {
            let patience = if self.in_flight.is_empty() { STOP_CHECK_INTERVAL } else { Duration::ZERO };
            match source.next(patience) {
                Next::Images(images) => {
                    // A turn may be many small batches, between which a stop is looked for as between turns.
                    let mut left = images.into_iter().peekable();
                    while left.peek().is_some() && !stop.load(Ordering::Relaxed) {
                        self.take(left.by_ref().take(self.plan.batch).collect(), ahead)?;
                    }
                }
                // A slow disk; a stop must be noticed all the same. And where the device has worked ahead of the
                // decoder, its results can be taken now without holding it up.
                Next::NotYet => self.collect_down_to(0)?,
                Next::End => break,
            }
        }
        // What a device has begun is kept; what waits for a full batch is left to the next run if this one is stopped.
        if !stop.load(Ordering::Relaxed) {
            for model in 0..self.runs.len() {
                // What comes of the last batch may have to be computed again.
                while self.launch(model, true, 0)? {}
            }
        }
        self.collect_down_to(0)?;
        let all_done = !self.runs.iter().any(ModelRun::is_left);
        // An image that was lost on the way must not pass for one that a stop has left.
        assert!(all_done || stop.load(Ordering::Relaxed), "every image has a row at the images' end");
        Ok(all_done)
    }

    /// Gives each of `images` to the models that have it to do, and full batches to the device.
    fn take(&mut self, images: Vec<Prepared>, ahead: usize) -> Result<(), EvalError> {
        let items = self.plan.dataset.items();
        let read: Vec<_> = (images.iter())
            .filter_map(|image| {
                // Of one image all models see the same bytes.
                let done = self.runs.iter().any(|run| run.is_done(image.index));
                Some((items[image.index].name.as_str(), image.digest?, done))
            })
            .collect();
        self.digests.add(&read)?;
        for image in images.iter().filter(|image| image.digest.is_some()) {
            self.warnings.add(&items[image.index].name, &image.warnings)?;
        }
        for image in images {
            let crops = image.crops.map_err(|source| EvalError::DataLost { source })?;
            for model in 0..self.runs.len() {
                let run = &mut self.runs[model];
                let was_done = run.is_done(image.index);
                run.take(image.index, &crops, self.progress)?;
                let is_full = run.is_full();
                if !was_done && run.is_done(image.index) {
                    self.tell(image.index);
                }
                while is_full && self.launch(model, false, ahead)? {}
            }
        }
        Ok(())
    }

    /// Hands a model's batch over, a complete one unless it is to be `all` that there is, and then takes the results of those before but for
    /// `ahead`: a device that works ahead always has something to do. Whether there was such a batch.
    fn launch(&mut self, model: usize, all: bool, ahead: usize) -> Result<bool, EvalError> {
        let batch = self.runs[model].launch(all);
        let is_any = batch.is_some();
        self.in_flight.extend(batch.map(|batch| (model, batch)));
        self.collect_down_to(ahead)?;
        Ok(is_any)
    }

    /// Takes the results of the oldest batches, until the device has no more than `left`.
    fn collect_down_to(&mut self, left: usize) -> Result<(), EvalError> {
        while self.in_flight.len() > left {
            let Some((model, batch)) = self.in_flight.pop_front() else { break };
            let behind = &mut self.in_flight;
            // What was begun behind it holds memory too, and would fail or make this fail again.
            let let_go = || {
                behind.iter_mut().filter(|(other, _)| *other == model).for_each(|(_, batch)| batch.let_go());
            };
            let run = &mut self.runs[model];
            let finished = run.collect(batch, let_go, &mut self.clock, self.progress)?;
            finished.into_iter().for_each(|index| self.tell(index));
        }
        Ok(())
    }

    /// Tells of an image that a model has just finished, once all have.
    fn tell(&mut self, index: usize) {
        if self.runs.iter().all(|run| run.is_done(index)) {
            self.progress.image(self.runs[0].top1_pct());
        }
    }
}
