//! How many images fit into memory. On the CPU an allocation that fails inside a library ends the process without a message, so
//! we ask first: the machine, the container, and the allocator, which knows the limit of the process (`ulimit -v`). Two cases
//! need no question, because they end in an error and are retried smaller: the kernels' own buffers, and a GPU's memory.

use std::fs;
use std::path::Path;

use dataset::Size;
use models::Classifier;

use crate::EvalError;
use crate::plan::{Plan, PlannedModel};

/// Feature maps of the largest size that are alive at once, and what convolutions need beside them: 3.6 were
/// measured on xception71, 3.4 on xception41p.
const LIVE_MAPS: u64 = 4;

/// The share of free memory that we use, in per cent. The rest is left to other processes.
const USABLE_PCT: u64 = 80;

/// Memory for an image's file and its decoding while it waits in a batch. ILSVRC2012's files have 110 KB on average.
const FILE_BYTES: u64 = 512 << 10;

/// Memory that a thread may need: its stack, its share of the allocator's caches, a large image while it is decoded.
const THREAD_BYTES: u64 = 48 << 20;

/// What it needs at least: with an image of the usual size, and without the caches.
const THREAD_LEAST_BYTES: u64 = 4 << 20;

/// How many images are read, cropped and collected at once: as many as a batch of the plan has, unless the host has no
/// memory for so many, whatever the device; at least one.
///
/// # Errors
/// [`EvalError::NoMemoryForOne`].
pub(crate) fn images_at_once(plan: &Plan) -> Result<usize, EvalError> {
    let bytes = |crop: Size| (crop.pixels() * 3) as u64;
    let crops: u64 = plan.recipes().iter().map(|recipe| bytes(recipe.crop)).sum();
    // Every model keeps the bytes of its batch, and of one that is computed again.
    let kept = if plan.recheck.is_some() { 3 } else { 1 };
    let batches: u64 = plan.models.iter().map(|planned| kept * bytes(planned.recipe.crop)).sum();
    let threads = threads(plan);
    // As many read, and one collects.
    most_that_fit(plan.batch, crops + batches + FILE_BYTES, 2 + 2 * threads as u64)
        .map_err(|bytes| EvalError::NoMemoryForOne { threads, bytes })
}

/// Threads that have an image to decode.
fn threads(plan: &Plan) -> usize {
    plan.placement.threads().count().min(plan.dataset.items().len())
}

/// How many images fit into memory at once, where that can be told. A GPU has memory of its own and says itself what
/// does not fit. The kernels take one image a thread through the network, so that a batch needs no memory but for
/// its input.
///
/// # Errors
/// [`EvalError::NoMemoryForOne`].
pub(crate) fn images_that_fit(
    plan: &Plan,
    planned: &PlannedModel,
    classifier: &Classifier,
) -> Result<Option<usize>, EvalError> {
    if plan.placement.device().is_gpu() || classifier.program().is_some() {
        return Ok(None);
    }
    // Of a crop that is not square, the square around it.
    let side = planned.recipe.crop.width.max(planned.recipe.crop.height);
    let largest = match &planned.onnx {
        Some(network) => network.largest_value(),
        None => planned.model.network().build().largest_value(side),
    };
    let Ok(largest) = largest else { return Ok(None) };
    let most = most_that_fit(plan.batch, bytes_of_maps(largest), 1);
    most.map(Some).map_err(|bytes| EvalError::NoMemoryForOne { threads: threads(plan), bytes })
}

/// Bytes of an image's maps in Burn's operations, which hold a few of the size of the largest at once.
fn bytes_of_maps(largest: u64) -> u64 {
    largest.saturating_mul(4 * LIVE_MAPS)
}

/// How many of `wanted` images, of `image` bytes each, fit into memory beside `threads` threads, at least one.
///
/// # Errors
/// How many bytes one image needs at least, where they are not to be had.
fn most_that_fit(wanted: usize, image: u64, threads: u64) -> Result<usize, u64> {
    let image = image.max(1);
    let aside = THREAD_BYTES.saturating_mul(threads);
    let available = available_bytes();
    let mut most = wanted.max(1);
    if let Some(available) = available {
        let fit = (available / 100 * USABLE_PCT).saturating_sub(aside) / image;
        most = most.min(usize::try_from(fit).unwrap_or(usize::MAX)).max(1);
    }
    while most > 1 && !can_have((most as u64).saturating_mul(image).saturating_add(aside)) {
        most /= 2;
    }
    let least = image.saturating_add(THREAD_LEAST_BYTES.saturating_mul(threads));
    match most > 1 || available.is_none_or(|available| least <= available) && can_have(least) {
        true => Ok(most),
        false => Err(least),
    }
}

/// Whether the process may have `bytes` more.
fn can_have(bytes: u64) -> bool {
    usize::try_from(bytes).is_ok_and(memory::can_have)
}

/// What the machine, or the container, still has. Linux only.
fn available_bytes() -> Option<u64> {
    let machine = meminfo_available(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let cgroup = Path::new("/sys/fs/cgroup");
    let number = |name: &str| fs::read_to_string(cgroup.join(name)).ok()?.trim().parse::<u64>().ok();
    // Without a limit, `memory.max` contains the word `max`.
    let container =
        number("memory.max").zip(number("memory.current")).map(|(most, used)| most.saturating_sub(used));
    Some(container.map_or(machine, |container| container.min(machine)))
}

fn meminfo_available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        let text = "MemTotal:       24659420 kB\nMemFree: 1 kB\nMemAvailable:   1048576 kB\n";
        assert_eq!(meminfo_available(text), Some(1 << 30));
        assert_eq!(meminfo_available("MemTotal: 5 kB\n"), None);
        assert_eq!(meminfo_available(&format!("MemAvailable: {} kB\n", u64::MAX)), None);
    }

    #[test]
    fn no_more_images_than_wanted_are_said_to_fit_and_none_where_one_does_not() {
        assert_eq!(most_that_fit(64, bytes_of_maps(u64::MAX >> 3), 0), Err(u64::MAX));
        assert_eq!(most_that_fit(64, 1, u64::MAX), Err(u64::MAX));
        assert_eq!(most_that_fit(3, 1, 0), Ok(3));
        // Threads that may need more than there is, and need less.
        let available = available_bytes().unwrap_or(1 << 30);
        let threads = available / THREAD_BYTES + 1;
        assert_eq!(most_that_fit(64, 1, threads), Ok(1));
        assert!(most_that_fit(64, 1, available / THREAD_LEAST_BYTES * 2).is_err());
        assert!(!can_have(u64::MAX) && !can_have(1 << 60) && can_have(1 << 20));
    }
}
