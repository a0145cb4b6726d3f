//! Images on their way to the device, in bounded memory. An image is read and decoded once and cropped once
//! a recipe, whatever the number of models.
//!
//! * With a device of its own (a GPU), worker threads read, decode and crop ahead of it.
//! * On the CPU, the same threads decode and compute in turn: all of them decode some images, then all of them compute these. If
//!   other threads decoded meanwhile, they would interrupt a computing thread, and all the others would wait for it. Only reading
//!   runs ahead, because it waits for the disk and needs no processor. The images of a turn are a batch, or several small ones, since
//!   caches are cold after decoding.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

use dataset::guard::guarded;
use dataset::{
    Dataset, DatasetError, DecodeError, Decoded, NoMemory, Recipe, RecipeError, RgbImage, Warnings,
};
use models::{Placement, Threads};

use crate::EvalError;
use crate::logs::digests::{self, Digest};

/// An image as the recipes see it.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Its index in the data set.
    pub(crate) index: usize,
    /// The SHA-256 of its bytes; none where they could not be read.
    pub(crate) digest: Option<Digest>,
    /// What the decoder warned of.
    pub(crate) warnings: Warnings,
    /// A crop for each of the run's recipes, in their order, or why the image has none. The outer error
    /// says that the data cannot be reached, and concerns all images.
    pub(crate) crops: Result<Crops, DatasetError>,
}

/// Crops of an image for each of the run's recipes, or why there are none.
pub(crate) type Crops = Vec<Result<Arc<RgbImage>, String>>;

/// Images that the threads decode before they compute again, where a batch has not as many.
const TURN: usize = 16;

/// A file's content, or why it has none; the words of a panic, if reading it panicked.
type FileContent<'a> = Result<Result<Cow<'a, [u8]>, DatasetError>, String>;

/// What is prepared, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageWork<'env> {
    /// Where the images are.
    pub(crate) dataset: &'env Dataset,
    /// How they are cropped.
    pub(crate) recipes: &'env [Arc<Recipe>],
    /// Indices into `dataset`.
    pub(crate) images: &'env [usize],
    /// Images a batch.
    pub(crate) batch: usize,
}

impl ImageWork<'_> {
    /// Images that are prepared in turn with the computation: a batch at least, and one for every thread.
    fn turn(&self, threads: &Threads) -> usize {
        self.batch.max(threads.count()).max(TURN)
    }
}

/// Where prepared images come from.
#[derive(Debug)]
pub(crate) enum ImageSource<'env> {
    /// Workers are ahead of the device.
    Ahead(Receiver<Prepared>),
    /// The device's own threads prepare the images of a turn when they are asked for.
    InTurn {
        /// What is prepared.
        work: ImageWork<'env>,
        /// The threads.
        threads: &'env Threads,
        /// Files as they were read.
        files: Receiver<(usize, FileContent<'env>)>,
    },
}

/// What [`ImageSource::next`] gives.
#[derive(Debug)]
pub(crate) enum Next {
    /// Images, in the order in which they were finished.
    Images(Vec<Prepared>),
    /// None yet; ask again.
    NotYet,
    /// There are no more.
    End,
}

impl<'env> ImageSource<'env> {
    /// Starts threads in `scope` that prepare `work` for the device of `placement`. They stop when the source
    /// is dropped.
    ///
    /// # Errors
    /// [`EvalError::NoThread`] when the system starts none.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, 'env>,
        work: ImageWork<'env>,
        placement: &'env Placement,
    ) -> Result<Self, EvalError> {
        let threads = placement.threads();
        let workers = threads.count().min(work.images.len());
        if placement.device().is_gpu() {
            // A batch is being filled while the device has one and the next is waiting for it.
            let ahead = (2 * work.batch).max(workers).min(work.images.len());
            let prepare = move |index| prepare(work, index, guarded(|| work.dataset.read(index)));
            Ok(Self::Ahead(spawn(scope, Builder::new, work, (workers, ahead), prepare)?))
        } else {
            let ahead = work.turn(threads).min(work.images.len());
            let read = move |index| (index, guarded(|| work.dataset.read(index)));
            let files = spawn(scope, Builder::new, work, (workers, ahead), read)?;
            Ok(Self::InTurn { work, threads, files })
        }
    }

    /// Whether images are prepared while the device computes.
    pub(crate) fn is_ahead(&self) -> bool {
        matches!(self, Self::Ahead(_))
    }

    /// The next images: one that is ready, or those of a turn, made now of what is there. Waits `patience` at most for a
    /// slow disk.
    pub(crate) fn next(&self, patience: Duration) -> Next {
        match self {
            Self::Ahead(ready) => match ready.recv_timeout(patience) {
                Ok(image) => Next::Images(vec![image]),
                Err(RecvTimeoutError::Timeout) => Next::NotYet,
                Err(RecvTimeoutError::Disconnected) => Next::End,
            },
            Self::InTurn { work, threads, files } => {
                let deadline = Instant::now() + patience;
                let at_once = work.turn(threads);
                let mut read = Vec::with_capacity(at_once);
                while read.len() < at_once {
                    match files.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                        Ok(file) => read.push(file),
                        Err(_) if !read.is_empty() => break,
                        Err(RecvTimeoutError::Timeout) => return Next::NotYet,
                        Err(RecvTimeoutError::Disconnected) => return Next::End,
                    }
                }
                Next::Images(threads.map(read, |(index, file)| prepare(*work, index, file)))
            }
        }
    }
}

/// Starts `workers` threads in `scope` that `make` something of each image, or as many as the system has memory for. At most
/// `ahead` wait in the channel.
fn spawn<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    builder: impl Fn() -> Builder,
    work: ImageWork<'env>,
    (workers, ahead): (usize, usize),
    make: impl Fn(usize) -> T + Send + Clone + 'scope,
) -> Result<Receiver<T>, EvalError> {
    let (sender, receiver) = sync_channel(ahead);
    let next = Arc::new(AtomicUsize::new(0));
    for number in 0..workers {
        let (sender, next, make): (SyncSender<T>, _, _) = (sender.clone(), Arc::clone(&next), make.clone());
        let worker = move || {
            while let Some(&index) = work.images.get(next.fetch_add(1, Ordering::Relaxed)) {
                if sender.send(make(index)).is_err() {
                    break;
                }
            }
        };
        match builder().spawn_scoped(scope, worker) {
            Err(source) if number == 0 => return Err(EvalError::NoThread { source }),
            // Those that there are do it as well.
            Err(_) => break,
            Ok(_) => {}
        }
    }
    Ok(receiver)
}

/// Crops an image. If a bug panics on it, that is the image's error, and the run goes on.
fn prepare(work: ImageWork<'_>, index: usize, file: FileContent<'_>) -> Prepared {
    let internal = |words| format!("internal error ({words}), please report the image");
    let for_all = |reason: String| vec![Err(reason); work.recipes.len()];
    let without = |crops| Prepared { index, digest: None, warnings: Warnings::default(), crops };
    let bytes = match file {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) if error.concerns_one_image() => return without(Ok(for_all(error.to_string()))),
        Ok(Err(error)) => return without(Err(error)),
        Err(words) => return without(Ok(for_all(internal(words)))),
    };
    let (crops, warnings) = match guarded(|| crops(work.recipes, &bytes)) {
        Ok(Ok(found)) => found,
        // An image does not count as wrong because memory is short.
        Ok(Err(cause)) => return without(Err(work.dataset.no_memory(index, cause))),
        Err(words) => (for_all(internal(words)), Warnings::default()),
    };
    Prepared { index, digest: Some(digests::of(&bytes)), warnings, crops: Ok(crops) }
}

fn crops(recipes: &[Arc<Recipe>], bytes: &[u8]) -> Result<(Crops, Warnings), NoMemory> {
    let decoded = match Decoded::from_bytes(bytes) {
        Err(DecodeError::NoMemory(cause)) => return Err(cause),
        Err(error) => {
            return Ok((vec![Err(error.to_string()); recipes.len()], Warnings::default()));
        }
        Ok(decoded) => decoded,
    };
    let crop = |recipe: &Arc<Recipe>| match recipe.input(&decoded) {
        Err(RecipeError::NoMemory(cause)) => Err(cause),
        crop => Ok(crop.map(Arc::new).map_err(|error| error.to_string())),
    };
    let crops = recipes.iter().map(crop).collect::<Result<_, _>>()?;
    Ok((crops, decoded.warnings().clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{DeviceName, Dtype};

    /// Images that come, by the number that came at once.
    fn batches(batch: usize, threads: usize) -> (Vec<usize>, Vec<usize>) {
        let dataset = Dataset::sample();
        let recipes = [Arc::clone(dataset::RECIPES[0].recipe())];
        let images: Vec<usize> = (3..23).collect();
        let placement = Placement::new(DeviceName::Flex, Dtype::F32, threads).unwrap();
        let work = ImageWork { dataset: &dataset, recipes: &recipes, images: &images, batch };
        let (mut seen, mut sizes) = (Vec::new(), Vec::new());
        std::thread::scope(|scope| {
            let source = ImageSource::start(scope, work, &placement).unwrap();
            loop {
                match source.next(Duration::from_secs(1)) {
                    Next::Images(images) => {
                        sizes.push(images.len());
                        seen.extend(images.iter().map(|image| image.index));
                        assert!(images.iter().all(|image| image.crops.as_ref().unwrap()[0].is_ok()));
                        let digest = |index| Some(digests::of(&dataset.read(index).unwrap()));
                        assert!(images.iter().all(|image| image.digest == digest(image.index)));
                    }
                    Next::NotYet => {}
                    Next::End => break,
                }
            }
        });
        seen.sort_unstable();
        (seen, sizes)
    }

    #[test]
    fn every_image_comes_once_whatever_the_batch() {
        for batch in [1, 4, 17, 30] {
            for threads in [1, 3] {
                let (seen, sizes) = batches(batch, threads);
                assert_eq!(seen, (3..23).collect::<Vec<_>>(), "batches of {batch}, {threads} threads");
                let most = batch.max(TURN);
                assert!(sizes.iter().all(|&size| size <= most), "{sizes:?} at most {most}");
            }
        }
    }

    #[test]
    fn threads_that_do_not_start_are_an_error_or_not_missed() {
        let dataset = Dataset::sample();
        let images: Vec<usize> = (0..5).collect();
        let work = ImageWork { dataset: &dataset, recipes: &[], images: &images, batch: 2 };
        // No machine has such a stack.
        let impossible = || Builder::new().stack_size(1 << 60);
        std::thread::scope(|scope| {
            let none = spawn(scope, impossible, work, (2, 2), |index| index);
            assert!(matches!(none, Err(EvalError::NoThread { .. })));
            let started = AtomicUsize::new(0);
            let first_only = || match started.fetch_add(1, Ordering::Relaxed) {
                0 => Builder::new(),
                _ => impossible(),
            };
            let one = spawn(scope, first_only, work, (3, 2), |index| index).unwrap();
            assert_eq!(one.iter().collect::<Vec<_>>(), images);
        });
    }
}
