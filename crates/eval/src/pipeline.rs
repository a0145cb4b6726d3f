//! Decoding ahead of the device: worker threads read, decode and crop, and hand crops over through a
//! channel whose capacity bounds the memory.
//!
//! An image is decoded once and cropped once a recipe, whatever the number of models.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use dataset::{Dataset, DatasetError, Decoded, Recipe, RgbImage};

/// An image as the recipes see it.
#[derive(Debug)]
pub struct Prepared {
    /// Its index in the data set.
    pub index: usize,
    /// A crop for each of the run's recipes, in their order, or why the image has none. An error
    /// outside means that the data cannot be reached, which is no property of the image.
    pub crops: Result<Vec<Result<Arc<RgbImage>, String>>, DatasetError>,
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
                // A bug that panics on one image is that image's error, not the end of the run.
                let crops = catch_unwind(AssertUnwindSafe(|| prepare(dataset, recipes, index)));
                let internal = || "internal error (a panic), please report the image".to_owned();
                let crops = crops.unwrap_or_else(|_| Ok(vec![Err(internal()); recipes.len()]));
                let prepared = Prepared { index, crops };
                if sender.send(prepared).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

fn prepare(
    dataset: &Dataset,
    recipes: &[&Recipe],
    index: usize,
) -> Result<Vec<Result<Arc<RgbImage>, String>>, DatasetError> {
    let decoded = match dataset.read(index) {
        Ok(bytes) => Decoded::from_bytes(&bytes).map_err(|error| error.to_string()),
        Err(error) if concerns_one_image(&error) => Err(error.to_string()),
        Err(error) => return Err(error),
    };
    let crop = |recipe: &&Recipe| {
        let decoded = decoded.as_ref().map_err(Clone::clone)?;
        recipe.crop(decoded).map(Arc::new).map_err(|error| error.to_string())
    };
    Ok(recipes.iter().map(crop).collect())
}

/// Whether a file is the only one that cannot be read. A file that was there when the run began and is
/// gone, or a disk that fails, would turn image after image into a wrong answer that no later run
/// corrects.
fn concerns_one_image(error: &DatasetError) -> bool {
    match error {
        DatasetError::NotAFile { .. } => true,
        DatasetError::Unreadable { cause, .. } => {
            matches!(cause.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidData)
        }
        _ => false,
    }
}
