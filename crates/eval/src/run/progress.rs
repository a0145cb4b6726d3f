//! What a run tells whoever watches it.

use crate::plan::PlannedModel;
use crate::run::networks::LoadedModel;

/// Told how a run advances; a progress bar, say.
pub trait Progress {
    /// A model takes part, by the network that was loaded for it; by none where nothing is left to do.
    fn model(&mut self, planned: &PlannedModel, loaded: Option<&LoadedModel>);
    /// `done` of `total` images need no work any more: an earlier run saw to them.
    fn start(&mut self, done: usize, total: usize);
    /// One more image is finished for every model. `top1_pct` is the first model's accuracy so far.
    fn image(&mut self, top1_pct: f64);
    /// An image has no prediction.
    fn error(&mut self, image: &str, error: &str);
    /// Batches of `batch` images did not fit into memory for a model; smaller ones are used.
    fn smaller_batches(&mut self, id: &str, batch: usize);
    /// No batch has more than `images` images, fewer than were asked for, because no more fit into memory beside what
    /// `threads` threads may need.
    fn fewer_at_once(&mut self, images: usize, threads: usize);
    /// The archive of the images is read once more, for its MD5.
    fn verifying(&mut self) {}
    /// No more images will come.
    fn finish(&mut self);
}
