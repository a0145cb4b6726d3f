//! Decoding ahead of the device: worker threads read, decode and crop, and hand crops over through a
//! channel whose capacity bounds the memory.
//!
//! An image is decoded once and cropped once a recipe, whatever the number of models.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use dataset::{Dataset, Decoded, Recipe, RgbImage};

/// An image as the recipes see it.
#[derive(Debug)]
pub struct Prepared {
    /// Its index in the data set.
    pub index: usize,
    /// A crop for each of the run's recipes, in their order, or why there is none.
    pub crops: Vec<Result<Arc<RgbImage>, String>>,
}

/// Starts `threads` workers in `scope` that prepare `images` (indices into `dataset`).
///
/// Images come in the order in which they are finished. At most `ahead` wait in the channel; the
/// workers stop when the receiver is dropped.
pub fn spawn<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    dataset: &'env Dataset,
    recipes: &'env [&'static Recipe],
    images: &'env [usize],
    threads: usize,
    ahead: usize,
) -> Receiver<Prepared> {
    let (sender, receiver) = sync_channel(ahead);
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..threads {
        let (sender, next): (SyncSender<Prepared>, _) = (sender.clone(), Arc::clone(&next));
        scope.spawn(move || {
            while let Some(&index) = images.get(next.fetch_add(1, Ordering::Relaxed)) {
                let prepared = Prepared { index, crops: prepare(dataset, recipes, index) };
                if sender.send(prepared).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

fn prepare(dataset: &Dataset, recipes: &[&Recipe], index: usize) -> Vec<Result<Arc<RgbImage>, String>> {
    let decoded = dataset
        .read(index)
        .map_err(|error| error.to_string())
        .and_then(|bytes| Decoded::from_bytes(&bytes).map_err(|error| error.to_string()));
    recipes
        .iter()
        .map(|recipe| {
            let decoded = decoded.as_ref().map_err(Clone::clone)?;
            recipe.crop(decoded).map(Arc::new).map_err(|error| error.to_string())
        })
        .collect()
}
