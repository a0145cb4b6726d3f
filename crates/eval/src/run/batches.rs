//! Gives images to a network, as many at once as fit into memory. Runs and explanations both use it.
//!
//! Smaller batches help only where memory is lacking. After any other failure each image of the batch is computed once more by
//! itself: an image that fails alone gets its own error, the others get their logits.

use std::ops::Range;

use models::{Classifier, ComputeError, Pending};

use crate::EvalError;
use crate::plan::{Plan, PlannedModel};
use crate::run::memory::{images_at_once, images_that_fit};

/// After this many images in a row have failed alone, the network is at fault and not the images.
const BROKEN_AFTER: usize = 3;

/// An image's logits, or why it has none.
pub(crate) type ImageLogits = Result<Vec<f32>, String>;

/// How many images a network is given at once.
pub(crate) struct Batches<'a> {
    planned: &'a PlannedModel,
    fits: usize,
    /// Images that failed alone since the last one that did not.
    failed_in_a_row: usize,
}

impl<'a> Batches<'a> {
    /// Starts with the plan's batch, or with as many images as fit into memory.
    ///
    /// # Errors
    /// [`EvalError::NoMemoryForOne`].
    pub(crate) fn new(
        plan: &Plan,
        planned: &'a PlannedModel,
        classifier: &Classifier,
    ) -> Result<Self, EvalError> {
        let fits = images_that_fit(plan, planned, classifier)?.unwrap_or(usize::MAX);
        let fits = images_at_once(plan)?.min(fits);
        Ok(Self { planned, fits, failed_in_a_row: 0 })
    }

    /// The largest batch that fits into memory, as far as is known; at most what was asked for.
    pub(crate) fn fits(&self) -> usize {
        self.fits
    }

    /// The logits of `count` images. `whole` is what the device was given of all of them before, if it was; `start`
    /// hands a part of them over, and `name` names one. A part for which memory is lacking is tried again in halves, of which
    /// `halved` is told the size.
    ///
    /// # Errors
    /// [`EvalError::DeviceFailed`] when there is no memory for one image alone, [`EvalError::ComputationFailed`] when not one
    /// image can be computed any more.
    pub(crate) fn run(
        &mut self,
        count: usize,
        whole: Option<Result<Pending, ComputeError>>,
        mut start: impl FnMut(Range<usize>) -> Result<Pending, ComputeError>,
        mut halved: impl FnMut(usize),
        name: impl Fn(usize) -> String,
    ) -> Result<Vec<ImageLogits>, EvalError> {
        let mut logits: Vec<ImageLogits> = Vec::with_capacity(count);
        let mut whole = whole.map(|pending| pending.and_then(Pending::wait));
        while logits.len() < count {
            let done = logits.len();
            let (part, computed) = match whole.take() {
                Some(computed) => (count, computed),
                None => {
                    let part = self.fits.min(count - done);
                    (part, start(done..done + part).and_then(Pending::wait))
                }
            };
            match computed {
                Ok(more) => {
                    self.failed_in_a_row = 0;
                    logits.extend(more.into_iter().map(Ok));
                }
                Err(ComputeError::OutOfMemory { reason }) if part == 1 => return Err(self.no_memory(reason)),
                Err(ComputeError::OutOfMemory { .. }) => {
                    self.fits = self.fits.min(part / 2);
                    halved(self.fits);
                }
                Err(ComputeError::Failed { reason }) => {
                    let images = done..done + part;
                    let alone = self.one_by_one(images.clone(), reason, &mut start)?;
                    if let (true, Some(Err(reason))) =
                        (self.failed_in_a_row >= BROKEN_AFTER, alone.last().cloned())
                    {
                        let (first, last) = (name(images.start), name(images.end - 1));
                        let images = if first == last { first } else { format!("{first} to {last}") };
                        let id = self.planned.model.id.clone();
                        return Err(EvalError::ComputationFailed { id, images, reason });
                    }
                    logits.extend(alone);
                }
            }
        }
        Ok(logits)
    }

    /// Computes each of `images` by itself, after all of them together have failed for `reason`.
    fn one_by_one(
        &mut self,
        images: Range<usize>,
        reason: String,
        start: &mut impl FnMut(Range<usize>) -> Result<Pending, ComputeError>,
    ) -> Result<Vec<ImageLogits>, EvalError> {
        let internal =
            |reason: String| format!("internal error of the network, please report the image: {reason}");
        if images.len() == 1 {
            self.failed_in_a_row += 1;
            return Ok(vec![Err(internal(reason))]);
        }
        let mut alone = Vec::with_capacity(images.len());
        for image in images {
            match start(image..image + 1).and_then(Pending::wait) {
                Ok(logits) => {
                    self.failed_in_a_row = 0;
                    alone.extend(logits.into_iter().map(Ok));
                }
                Err(ComputeError::OutOfMemory { reason }) => return Err(self.no_memory(reason)),
                Err(ComputeError::Failed { reason }) => {
                    self.failed_in_a_row += 1;
                    alone.push(Err(internal(reason)));
                }
            }
        }
        // The network works, because one image of this batch did not fail.
        if alone.iter().any(Result::is_ok) {
            self.failed_in_a_row = 0;
        }
        Ok(alone)
    }

    fn no_memory(&self, reason: String) -> EvalError {
        EvalError::DeviceFailed { id: self.planned.model.id.clone(), reason }
    }
}
