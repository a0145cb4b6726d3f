//! Images through a network, as many at once as fit into memory: what a run and an explanation have in common.

use std::ops::Range;

use models::Pending;

use crate::EvalError;
use crate::memory::{caught, images_that_fit};
use crate::plan::{Plan, PlannedModel};

/// How many images a network is given at once.
pub(crate) struct Batches<'a> {
    planned: &'a PlannedModel,
    fits: usize,
}

impl<'a> Batches<'a> {
    /// As many at once as the plan says, and as fit.
    pub(crate) fn new(plan: &Plan, planned: &'a PlannedModel) -> Self {
        let fits = plan.batch.min(images_that_fit(plan, planned).unwrap_or(usize::MAX));
        Self { planned, fits }
    }

    /// The largest batch that fits into memory, as far as is known; at most what was asked for.
    pub(crate) fn fits(&self) -> usize {
        self.fits
    }

    /// The logits of `count` images. `whole` is what the device was given of all of them before, if it was; `start`
    /// hands a part of them over. A part that fails is tried again in halves, of which `halved` is told the size.
    ///
    /// # Errors
    /// [`EvalError::DeviceFailed`] when one image alone fails.
    pub(crate) fn run(
        &mut self,
        count: usize,
        whole: Option<Result<Pending, String>>,
        mut start: impl FnMut(Range<usize>) -> Pending,
        mut halved: impl FnMut(usize),
    ) -> Result<Vec<Vec<f32>>, EvalError> {
        let mut logits: Vec<Vec<f32>> = Vec::with_capacity(count);
        let mut whole = whole.map(|pending| pending.and_then(|pending| caught(|| pending.wait())));
        while logits.len() < count {
            let done = logits.len();
            let (part, computed) = match whole.take() {
                Some(computed) => (count, computed),
                None => {
                    let part = self.fits.min(count - done);
                    (part, caught(|| start(done..done + part).wait()))
                }
            };
            match computed {
                Ok(more) => logits.extend(more),
                Err(reason) if part == 1 => {
                    return Err(EvalError::DeviceFailed { id: self.planned.model.id.clone(), reason });
                }
                Err(_) => {
                    self.fits = self.fits.min(part / 2);
                    halved(self.fits);
                }
            }
        }
        Ok(logits)
    }
}
