//! Why a figure is off: a few hundred images again, with one factor of the recipe swapped at a time.
//!
//! Most accuracies that cannot be reproduced were measured after another preprocessing. Which one, a
//! measurement says better than an argument: each swap changes one thing, and the flips it causes are
//! counted against the recipe's own predictions of the same images.

mod explanation;
mod swaps;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dataset::{Decoded, Normalisation, RgbImage};
pub use explanation::{Explanation, SwapRecord};
use models::Images;
use models::catalog::FigureName;
use swaps::{Swap, swaps};

use crate::EvalError;
use crate::batches::Batches;
use crate::memory::caught;
use crate::metrics::{Hits, TopK, mcnemar_exact_p, percentage};
use crate::plan::{Plan, PlannedModel};
use crate::record::ModelRecord;
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
/// `progress` is told how many images of how many are done. When `stop` is set, what is known by then is
/// given; nothing, if that is not one image.
///
/// # Errors
/// [`EvalError::DataLost`] when images cannot be read any more, [`EvalError::DeviceFailed`] when the device fails on
/// one image.
pub fn explain(
    plan: &Plan,
    planned: &PlannedModel,
    record: &ModelRecord,
    images: usize,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Explanation>, EvalError> {
    let swaps = swaps(planned.recipe);
    let mut tally = Tally::new(swaps.len());
    let chosen = spread(plan, images);
    let total = chosen.len();
    let mut batch = Batch::new(plan, planned);
    for (done, index) in chosen.into_iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        progress(done, total);
        let item = &plan.dataset.items()[index];
        let bytes = plan.dataset.read(index).map_err(|source| EvalError::DataLost { source })?;
        // The run has named and counted what cannot be decoded. A bug that panics on one image is no reason to lose
        // what the others say.
        let Ok(Some((own_input, inputs))) = caught(|| inputs(planned, &swaps, &bytes)) else { continue };
        let own_top = batch.run(std::slice::from_ref(&own_input))?.pop().flatten();
        let changed: Vec<Input> = inputs.iter().flatten().cloned().collect();
        let mut tops = batch.run(&changed)?.into_iter();
        let truth = plan.dataset_record.label_set.truth(&item.name, &item.label);
        let tops = inputs.iter().map(|input| input.as_ref().map(|_| tops.next().flatten()));
        tally.add(truth, own_top.as_ref(), tops);
    }
    Ok((tally.own.images > 0).then(|| tally.explanation(&swaps, record)))
}

/// What the network is given of an image by the recipe, and by each swap where that is something else; `None` for an
/// image that cannot be decoded.
fn inputs(planned: &PlannedModel, swaps: &[Swap], bytes: &[u8]) -> Option<(Input, Vec<Option<Input>>)> {
    let decoded = Decoded::from_bytes(bytes).ok()?;
    let zune = decoded.by_zune_jpeg(bytes);
    let crop = Arc::new(planned.recipe.crop(&decoded).ok()?);
    let own = Input { crop, normalise: planned.recipe.normalise };
    let swapped = swaps.iter().map(|swap| {
        let decoded = match (&zune, swap.zune_jpeg) {
            (Ok(zune), true) => zune,
            _ => &decoded,
        };
        // A size too small for a swap's filter leaves the image as it is.
        let crop = swap.recipe.crop(decoded).unwrap_or_else(|_| own.crop.as_ref().clone());
        let crop = if swap.bgr { reversed(&crop) } else { crop };
        let input = Input { crop: Arc::new(crop), normalise: swap.recipe.normalise };
        (input != own).then_some(input)
    });
    let swapped = swapped.collect();
    Some((own, swapped))
}

/// Indices of `images` images, evenly spread over those of the run.
fn spread(plan: &Plan, images: usize) -> Vec<usize> {
    let labelled = |index: &usize| {
        let item = &plan.dataset.items()[*index];
        !plan.dataset_record.label_set.truth(&item.name, &item.label).is_empty()
    };
    let here = |index: &usize| plan.shard.is_none_or(|shard| shard.contains(*index));
    let all: Vec<usize> = (0..plan.dataset.items().len()).filter(here).filter(labelled).collect();
    let wanted = images.min(all.len());
    (0..wanted).map(|number| all[number * all.len() / wanted]).collect()
}

fn reversed(crop: &RgbImage) -> RgbImage {
    let pixels = crop.pixels.chunks_exact(3).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
    RgbImage { pixels, ..*crop }
}

/// What a network is given.
#[derive(Debug, Clone, PartialEq)]
struct Input {
    crop: Arc<RgbImage>,
    normalise: Normalisation,
}

/// Runs inputs through the network, as many at once as the run does and as fit into memory.
struct Batch<'a> {
    planned: &'a PlannedModel,
    batches: Batches<'a>,
    values: Vec<f32>,
}

impl<'a> Batch<'a> {
    fn new(plan: &Plan, planned: &'a PlannedModel) -> Self {
        Self { planned, batches: Batches::new(plan, planned), values: Vec::new() }
    }

    /// What the network says to each input; `None` where that is not finite.
    fn run(&mut self, inputs: &[Input]) -> Result<Vec<Option<TopK>>, EvalError> {
        let Self { planned, batches, values } = self;
        let size = planned.recipe.size;
        let start = |part: Range<usize>| {
            values.resize(part.len() * 3 * size * size, 0.0);
            for (input, out) in inputs[part].iter().zip(values.chunks_exact_mut(3 * size * size)) {
                input.normalise.write_chw(&input.crop, out);
            }
            planned.classifier.start(&Images::Planar { values, channels: 3, size: [size; 2] })
        };
        let logits = batches.run(inputs.len(), None, start, |_| ())?;
        Ok(logits.iter().map(|logits| TopK::of(logits)).collect())
    }
}

/// Hits as they come.
struct Tally {
    own: Hits,
    swaps: Vec<SwapTally>,
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
        Self { own: Hits::default(), swaps: vec![SwapTally::default(); swaps] }
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
        Explanation {
            images: self.own.images,
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
