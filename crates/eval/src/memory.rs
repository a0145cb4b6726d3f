//! Whether a batch fits into memory. An allocation that fails ends a process that computes on the CPU, without
//! a word, so it is asked before; a device of its own refuses, which can be caught and retried.

use std::fs;
use std::path::Path;

use dataset::guard::guarded;
use models::complexity::Layer;

use crate::plan::{Plan, PlannedModel};

/// Feature maps of the largest size that are alive at once, and what convolutions need beside them: 3.6 were
/// measured on xception71, 3.4 on xception41p.
const LIVE_MAPS: u64 = 4;

/// A share of what is free is left to others, in per cent.
const USABLE_PCT: u64 = 80;

/// How many images fit into memory at once, where that can be told. A GPU has memory of its own and says itself what
/// does not fit. The kernels take one image a thread through the network, so that a batch needs no memory but for
/// its input.
pub(crate) fn images_that_fit(plan: &Plan, planned: &PlannedModel) -> Option<usize> {
    if plan.placement.device().is_gpu() || planned.classifier.program().is_some() {
        return None;
    }
    that_fit(&planned.layers, planned.model.counted_at(), planned.recipe.size)
}

/// What `compute` gives, or the words of its panic: a device that gives up, most often for want of memory, panics.
pub(crate) fn caught<T>(compute: impl FnOnce() -> T) -> Result<T, String> {
    guarded(compute)
}

/// How many images of a network fit into memory at once, at least one; `None` where that cannot be told.
/// `layers` are counted at `counted_size` pixels, images have `size`.
fn that_fit(layers: &[Layer], counted_size: usize, size: usize) -> Option<usize> {
    let largest = layers.iter().filter_map(|layer| match layer {
        Layer::BatchNorm { elements, .. } => Some(*elements),
        _ => None,
    });
    let elements = largest.max()? as f64 * (size as f64 / counted_size as f64).powi(2);
    let bytes = LIVE_MAPS * 4 * elements as u64;
    let fit = available_bytes()? / 100 * USABLE_PCT / bytes.max(1);
    Some(usize::try_from(fit).unwrap_or(usize::MAX).max(1))
}

/// What the machine, or the container, still has. Linux only.
fn available_bytes() -> Option<u64> {
    let machine = meminfo_available(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let cgroup = Path::new("/sys/fs/cgroup");
    let number = |name: &str| fs::read_to_string(cgroup.join(name)).ok()?.trim().parse::<u64>().ok();
    // `memory.max` is the word max where there is no limit.
    let container =
        number("memory.max").zip(number("memory.current")).map(|(most, used)| most.saturating_sub(used));
    Some(container.map_or(machine, |container| container.min(machine)))
}

fn meminfo_available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        let text = "MemTotal:       24659420 kB\nMemFree: 1 kB\nMemAvailable:   1048576 kB\n";
        assert_eq!(meminfo_available(text), Some(1 << 30));
        assert_eq!(meminfo_available("MemTotal: 5 kB\n"), None);
    }

    #[test]
    fn at_least_one_image_fits() {
        let layers = [Layer::BatchNorm { elements: u64::MAX >> 8, channels: 1, with_activation: false }];
        assert!(that_fit(&layers, 224, 299).is_none_or(|fit| fit == 1));
        assert_eq!(that_fit(&[], 224, 299), None);
    }
}
