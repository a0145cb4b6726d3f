//! Why a figure is off: a few hundred images again, with one factor of the recipe swapped at a time.
//!
//! Most accuracies that cannot be reproduced were measured after another preprocessing. Which one, a
//! measurement says better than an argument: each swap changes one thing, and the flips it causes are
//! counted against the recipe's own predictions of the same images.

mod swaps;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cards::FigureName;
use dataset::guard::guarded;
use dataset::{Decoded, Normalisation, RgbImage, Warnings};
use models::{Classifier, ComputeError, Images};
use swaps::{Swap, swaps};

use crate::EvalError;
use crate::logs::digests;
use crate::metrics::{Hits, TopK, mcnemar_exact_p, percentage};
use crate::plan::{Plan, PlannedModel};
use crate::record::ModelRecord;
use crate::record::explanation::{Explanation, SwapRecord};
use crate::record::warned::WarnedImage;
use crate::run::batches::{Batches, ImageLogits};
use crate::run_dir::RunDir;
use crate::verdict::Verdict;

/// Whether a model's accuracy asks for an explanation: it has not been reproduced.
pub fn is_wanted(model: &ModelRecord) -> bool {
    let open = |figure: FigureName| {
        let found = model.figure(figure).map(|figure| figure.verdict);
        matches!(found, Some(Verdict::NotReproduced | Verdict::NotComparable))
    };
    open(FigureName::Top1Pct) || open(FigureName::Top5Pct)
}

/// Tries every swap of `planned`'s recipe on `images` images of the run, or on as many as there are.
/// `classifier` is its network; `dir` is the run's, whose predictions are to be explained. `progress` is told how many images of how many are done. When `stop`
/// is set, what is known by then is given; nothing, if that is not one image. An image that cannot be read, decoded or computed is
/// left out and counted.
///
/// # Errors
/// [`EvalError::ImageChanged`] for an image of other bytes than those that the run has a prediction of;
/// [`EvalError::DataLost`] when images cannot be read any more, [`EvalError::DeviceFailed`] and
/// [`EvalError::ComputationFailed`] when the device fails.
pub fn explain(
    plan: &Plan,
    dir: &RunDir,
    (planned, classifier): (&PlannedModel, &Classifier),
    record: &ModelRecord,
    images: usize,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Explanation>, EvalError> {
    let swaps = swaps(&planned.recipe);
    let mut tally = Tally::new(swaps.len());
    let chosen = spread(plan, images);
    let total = chosen.len();
    let mut batch = SwapBatch::new(plan, planned, classifier);
    let predicted = dir.predicted(&planned.model.id)?;
    for (done, index) in chosen.into_iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            tally.stopped_of = Some(total as u64);
            break;
        }
        progress(done, total);
        let item = &plan.dataset.items()[index];
        // The run has named and counted what cannot be read or decoded. A bug that panics on one image is no reason to lose
        // what the others say.
        let bytes = match guarded(|| plan.dataset.read(index)) {
            Ok(Err(source)) if !source.concerns_one_image() => return Err(EvalError::DataLost { source }),
            Ok(Ok(bytes)) => Some(bytes),
            _ => None,
        };
        // A file that was replaced meanwhile explains nothing of what was counted.
        if let (Some(bytes), Some(before)) = (&bytes, predicted.get(&item.name)) {
            let now = digests::of(bytes);
            if now != *before {
                return Err(dir.image_changed(&item.name, before, &now));
            }
        }
        let found = bytes.and_then(|bytes| guarded(|| inputs(planned, &swaps, &bytes)).ok().flatten());
        let Some((own, swapped, warnings)) = found else {
            tally.left_out += 1;
            continue;
        };
        let computed: Vec<SwapInput> =
            std::iter::once(&own).chain(swapped.iter().flatten()).cloned().collect();
        // What the network cannot compute is no fact about the swaps.
        let logits = batch.run(&computed, &item.name)?.into_iter().collect::<Result<Vec<_>, _>>();
        let Ok(logits) = logits else {
            tally.left_out += 1;
            continue;
        };
        tally.decoder_warnings.extend(WarnedImage::new(&item.name, &warnings));
        let mut tops = logits.iter().map(|logits| TopK::of(logits));
        let own_top = tops.next().flatten();
        let truth = plan.dataset_record.label_set.truth(&item.name, &item.label);
        let tops = swapped.iter().map(|input| input.as_ref().map(|_| tops.next().flatten()));
        tally.add(truth, own_top.as_ref(), tops);
    }
    Ok((tally.own.images > 0).then(|| tally.explanation(&swaps, record)))
}

/// How many images [`explain`] tries when it is asked for `images`: those that the run has, and labels. Of a sample that grows, those that it
/// begins with.
pub fn images_tried(plan: &Plan, images: usize) -> usize {
    spread(plan, images).len()
}

/// What the network is given of an image by the recipe, and by each swap where that is something else; `None` for an
/// image that cannot be decoded. And what the decoder warns of.
fn inputs(
    planned: &PlannedModel,
    swaps: &[Swap],
    bytes: &[u8],
) -> Option<(SwapInput, Vec<Option<SwapInput>>, Warnings)> {
    let decoded = Decoded::from_bytes(bytes).ok()?;
    let zune = decoded.by_zune_jpeg(bytes);
    let crop = Arc::new(planned.recipe.input(&decoded).ok()?);
    let own = SwapInput { crop, normalise: planned.recipe.normalise };
    let swapped = swaps.iter().map(|swap| {
        let decoded = match (&zune, swap.zune_jpeg) {
            (Ok(zune), true) => zune,
            _ => &decoded,
        };
        // A size too small for a swap's filter leaves the image as it is.
        let crop = swap.recipe.input(decoded).unwrap_or_else(|_| own.crop.as_ref().clone());
        let input = SwapInput { crop: Arc::new(crop), normalise: swap.recipe.normalise };
        (input != own).then_some(input)
    });
    let swapped = swapped.collect();
    Some((own, swapped, decoded.warnings().clone()))
}

/// Indices of `images` images, evenly spread over those of the run. Those that come first are spread as well, so that a
/// stop leaves images of all classes.
fn spread(plan: &Plan, images: usize) -> Vec<usize> {
    let labelled = |index: &usize| {
        let item = &plan.dataset.items()[*index];
        !plan.dataset_record.label_set.truth(&item.name, &item.label).is_empty()
    };
    let members = plan.part.members(plan.dataset.items());
    let here = |index: &usize| members[*index];
    let all: Vec<usize> = (0..plan.dataset.items().len()).filter(here).filter(labelled).collect();
    let wanted = images.min(all.len());
    in_halves(wanted).map(|number| all[number * all.len() / wanted]).collect()
}

/// The numbers below `count`, each once: the bits of a counter, the lowest first, so that every next one halves a gap.
fn in_halves(count: usize) -> impl Iterator<Item = usize> {
    let bits = count.next_power_of_two().trailing_zeros();
    let reversed = move |number: usize| number.reverse_bits().checked_shr(usize::BITS - bits).unwrap_or(0);
    (0..count.next_power_of_two()).map(reversed).filter(move |&number| number < count)
}

/// What a network is given.
#[derive(Debug, Clone, PartialEq)]
struct SwapInput {
    crop: Arc<RgbImage>,
    normalise: Normalisation,
}

/// Runs inputs through the network, as many at once as the run does and as fit into memory.
struct SwapBatch<'a> {
    planned: &'a PlannedModel,
    classifier: &'a Classifier,
    batches: Batches<'a>,
    values: Vec<f32>,
}

impl<'a> SwapBatch<'a> {
    fn new(plan: &Plan, planned: &'a PlannedModel, classifier: &'a Classifier) -> Self {
        let batches = Batches::new(plan, planned, classifier);
        Self { planned, classifier, batches, values: Vec::new() }
    }

    /// The logits of each input, all made of `image`.
    fn run(&mut self, inputs: &[SwapInput], image: &str) -> Result<Vec<ImageLogits>, EvalError> {
        let Self { planned, classifier, batches, values } = self;
        let size = planned.recipe.crop.axes();
        let len_of_one = 3 * planned.recipe.crop.pixels();
        let start = |part: Range<usize>| {
            let len = part.len() * len_of_one;
            values.clear();
            values.try_reserve_exact(len).map_err(|_| ComputeError::OutOfMemory {
                reason: format!("out of memory: {len} numbers were asked for"),
            })?;
            values.resize(len, 0.0);
            for (input, out) in inputs[part].iter().zip(values.chunks_exact_mut(len_of_one)) {
                input.normalise.write_chw(&input.crop, out);
            }
            classifier.start(&Images::Planar { values, channels: 3, size })
        };
        batches.run(inputs.len(), None, start, |_| (), |_| image.to_owned())
    }
}

/// Hits as they come.
struct Tally {
    own: Hits,
    swaps: Vec<SwapTally>,
    /// Images that could not be tried.
    left_out: u64,
    /// Images that were, and that libjpeg warns of.
    decoder_warnings: Vec<WarnedImage>,
    /// How many were to be tried, once that is stopped.
    stopped_of: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct SwapTally {
    hits: Hits,
    inputs_changed: u64,
    best_class_changed: u64,
    gained: u64,
    lost: u64,
}

impl Tally {
    fn new(swaps: usize) -> Self {
        let swaps = vec![SwapTally::default(); swaps];
        Self { own: Hits::default(), swaps, left_out: 0, decoder_warnings: Vec::new(), stopped_of: None }
    }

    /// `tops` has, for each swap, what the network says to another input; `None` where it is the same.
    fn add(&mut self, truth: &[u16], own: Option<&TopK>, tops: impl Iterator<Item = Option<Option<TopK>>>) {
        let best = |top: Option<&TopK>| top.map(|top| top.classes[0]);
        let right = |top: Option<&TopK>| best(top).is_some_and(|class| truth.contains(&class));
        self.own.add(truth, own);
        for (tally, top) in self.swaps.iter_mut().zip(tops) {
            tally.inputs_changed += u64::from(top.is_some());
            let top = top.unwrap_or(own.copied());
            let top = top.as_ref();
            tally.hits.add(truth, top);
            tally.best_class_changed += u64::from(best(own) != best(top));
            tally.gained += u64::from(right(top) && !right(own));
            tally.lost += u64::from(right(own) && !right(top));
        }
    }

    fn explanation(&self, swaps: &[Swap], record: &ModelRecord) -> Explanation {
        let top1 = record.figure(FigureName::Top1Pct).filter(|top1| top1.verdict == Verdict::NotReproduced);
        let documented = top1.and_then(|top1| top1.documented.as_ref()?.parse::<f64>().ok());
        let mut decoder_warnings = self.decoder_warnings.clone();
        decoder_warnings.sort_by(|a, b| a.image.cmp(&b.image));
        Explanation {
            images: self.own.images,
            left_out: self.left_out,
            decoder_warnings,
            stopped_of: self.stopped_of,
            top1_hits: self.own.top1,
            top5_hits: self.own.top5,
            needed_pp: documented.map(|printed| printed - percentage(record.top1_hits, record.images)),
            swaps: (swaps.iter().zip(&self.swaps))
                .map(|(swap, tally)| SwapRecord {
                    factor: swap.factor.to_owned(),
                    swap: swap.name.clone(),
                    inputs_changed: tally.inputs_changed,
                    best_class_changed: tally.best_class_changed,
                    top1_hits: tally.hits.top1,
                    top5_hits: tally.hits.top5,
                    mcnemar_p: mcnemar_exact_p(tally.gained, tally.lost),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(best: u16) -> TopK {
        TopK { classes: [best, 995, 996, 997, 998], logits: [5.0, 4.0, 3.0, 2.0, 1.0] }
    }

    #[test]
    fn images_are_spread_whenever_it_is_stopped() {
        for count in [0, 1, 2, 3, 7, 8, 200] {
            let mut numbers: Vec<usize> = in_halves(count).collect();
            if count == 8 {
                assert_eq!(numbers, [0, 4, 2, 6, 1, 5, 3, 7]);
            }
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..count), "{count}");
        }
    }

    #[test]
    fn flips_are_counted_against_the_recipe_s_own_predictions() {
        let mut tally = Tally::new(2);
        for image in 0..10 {
            // Right with the first swap always, with the recipe four times; the second changes nothing.
            let own = top(if image < 4 { 7 } else { 8 });
            tally.add(&[7], Some(&own), [Some(Some(top(7))), None].into_iter());
        }
        assert_eq!((tally.own.top1, tally.swaps[0].hits.top1, tally.swaps[1].hits.top1), (4, 10, 4));
        assert_eq!((tally.swaps[0].gained, tally.swaps[0].lost), (6, 0));
        assert_eq!((tally.swaps[0].inputs_changed, tally.swaps[1].inputs_changed), (10, 0));
        assert_eq!((tally.swaps[0].best_class_changed, tally.swaps[1].best_class_changed), (6, 0));
    }
}
