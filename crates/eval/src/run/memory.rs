//! How many images fit into memory. On the CPU an allocation that fails inside a library ends the process without a message, so
//! we ask first: the machine, the container, and the allocator, which knows the limit of the process (`ulimit -v`). Two cases
//! need no question, because they end in an error and are retried smaller: the kernels' own buffers, and a GPU's memory.

use std::fs;
use std::path::Path;

use dataset::Size;
use models::Classifier;

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

/// How many images are read, cropped and collected at once: as many as a batch of the plan has, unless the host has no
/// memory for so many, whatever the device; at least one.
pub(crate) fn images_at_once(plan: &Plan) -> usize {
    let bytes = |crop: Size| (crop.pixels() * 3) as u64;
    let crops: u64 = plan.recipes().iter().map(|recipe| bytes(recipe.crop)).sum();
    // Every model keeps the bytes of its batch.
    let batches: u64 = plan.models.iter().map(|planned| bytes(planned.recipe.crop)).sum();
    let image = crops + batches + FILE_BYTES;
    let aside = THREAD_BYTES * (2 + 2 * plan.placement.threads().count() as u64);
    most_that_fit(plan.batch, image, aside)
}

/// How many images fit into memory at once, where that can be told. A GPU has memory of its own and says itself what
/// does not fit. The kernels take one image a thread through the network, so that a batch needs no memory but for
/// its input.
pub(crate) fn images_that_fit(plan: &Plan, planned: &PlannedModel, classifier: &Classifier) -> Option<usize> {
    if plan.placement.device().is_gpu() || classifier.program().is_some() {
        return None;
    }
    // Of a crop that is not square, the square around it.
    let side = planned.recipe.crop.width.max(planned.recipe.crop.height);
    let largest = match &planned.onnx {
        Some(network) => network.largest_value(),
        None => planned.model.network().build().largest_value(side),
    };
    let image = bytes_of_maps(largest.ok()?);
    Some(most_that_fit(plan.batch, image, THREAD_BYTES))
}

/// Bytes of an image's maps in Burn's operations, which hold a few of the size of the largest at once.
fn bytes_of_maps(largest: u64) -> u64 {
    largest.saturating_mul(4 * LIVE_MAPS)
}

/// How many of `wanted` images fit into memory, at least one. Each takes `image` bytes, and `aside` bytes are needed beside them.
fn most_that_fit(wanted: usize, image: u64, aside: u64) -> usize {
    let image = image.max(1);
    let mut most = wanted.max(1);
    if let Some(available) = available_bytes() {
        let fit = (available / 100 * USABLE_PCT).saturating_sub(aside) / image;
        most = most.min(usize::try_from(fit).unwrap_or(usize::MAX)).max(1);
    }
    while most > 1 && !can_have((most as u64).saturating_mul(image).saturating_add(aside)) {
        most /= 2;
    }
    most
}

/// Whether the process may have `bytes` more.
fn can_have(bytes: u64) -> bool {
    usize::try_from(bytes).is_ok_and(models::weights::can_have)
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
    fn at_least_one_image_fits_and_no_more_than_wanted() {
        assert_eq!(most_that_fit(64, bytes_of_maps(u64::MAX >> 3), 0), 1);
        assert_eq!(most_that_fit(64, 1, u64::MAX), 1);
        assert_eq!(most_that_fit(3, 1, 0), 3);
        assert!(!can_have(u64::MAX) && !can_have(1 << 60) && can_have(1 << 20));
    }
}
