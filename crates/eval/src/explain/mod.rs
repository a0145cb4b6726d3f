//! Why a figure is off: a few hundred images again, with one factor of the recipe swapped at a time.
//!
//! Most accuracies that cannot be reproduced were measured after another preprocessing. Which one, a
//! measurement says better than an argument: each swap changes one thing, and is held against the recipe's own predictions of the
//! same images: by the flips it causes, and by how likely the network finds the label. Of a few hundred images flips are too few to
//! tell most mistakes from chance; how likely the label is changes for every image.

mod label;
mod signed_rank;
mod swaps;
mod tally;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cards::FigureName;
use dataset::guard::guarded;
use dataset::{DecodeError, Decoded, NoMemory, Normalisation, RecipeError, RgbImage, Warnings};
use models::{Classifier, Images};
use swaps::{Swap, swaps};
use tally::{Said, Tally};

use crate::EvalError;
use crate::logs::digests;
use crate::plan::{Plan, PlannedModel};
use crate::record::ModelRecord;
use crate::record::explanation::Explanation;
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
    let own = planned.model.recipe().filter(|_| planned.onnx.is_none());
    // An ONNX file is made a network for crops of one size.
    let swaps = swaps(&planned.recipe, own, planned.onnx.is_none());
    let mut tally = Tally::new(swaps.len());
    let chosen = spread(plan, images);
    let total = chosen.len();
    let mut batch = SwapBatch::new(plan, planned, classifier)?;
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
        let found = bytes.and_then(|bytes| guarded(|| inputs(planned, &swaps, &bytes)).ok());
        let found = found.transpose().map_err(|cause| {
            let source = plan.dataset.no_memory(index, cause);
            EvalError::DataLost { source }
        })?;
        let Some((own, swapped, warnings)) = found.flatten() else {
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
        let truth = plan.dataset_record.label_set.truth(&item.name, &item.label);
        let mut said = logits.iter().map(|logits| Said::of(logits, truth));
        let own_said = said.next().flatten();
        let said = swapped.iter().map(|input| input.as_ref().map(|_| said.next().flatten()));
        tally.add(truth, own_said.as_ref(), said);
    }
    Ok((tally.own.images > 0).then(|| tally.explanation(&swaps, record)))
}

/// How many images [`explain`] tries when it is asked for `images`: those that the run has, and labels. Of a sample that grows, those that it
/// begins with.
pub fn images_tried(plan: &Plan, images: usize) -> usize {
    spread(plan, images).len()
}

/// What the network is given of an image by the recipe, by each swap where that is something else, and what the decoder
/// warns of.
type Inputs = (SwapInput, Vec<Option<SwapInput>>, Warnings);

/// The inputs of an image; `None` for one that cannot be decoded.
fn inputs(planned: &PlannedModel, swaps: &[Swap], bytes: &[u8]) -> Result<Option<Inputs>, NoMemory> {
    let decoded = match Decoded::from_bytes(bytes) {
        Err(DecodeError::NoMemory(cause)) => return Err(cause),
        Err(_) => return Ok(None),
        Ok(decoded) => decoded,
    };
    let zune = match decoded.by_zune_jpeg(bytes) {
        Err(DecodeError::NoMemory(cause)) => return Err(cause),
        zune => zune,
    };
    let crop = match planned.recipe.input(&decoded) {
        Err(RecipeError::NoMemory(cause)) => return Err(cause),
        Err(_) => return Ok(None),
        Ok(crop) => Arc::new(crop),
    };
    let own = SwapInput { crop, normalise: planned.recipe.normalise };
    let swapped = swaps.iter().map(|swap| {
        let decoded = match (&zune, swap.zune_jpeg) {
            (Ok(zune), true) => zune,
            _ => &decoded,
        };
        let crop = match swap.recipe.input(decoded) {
            Err(RecipeError::NoMemory(cause)) => return Err(cause),
            // A size too small for a swap's filter leaves the image as it is.
            crop => crop.map_or_else(|_| Arc::clone(&own.crop), Arc::new),
        };
        let input = SwapInput { crop, normalise: swap.recipe.normalise };
        Ok((input != own).then_some(input))
    });
    let swapped = swapped.collect::<Result<_, _>>()?;
    Ok(Some((own, swapped, decoded.warnings().clone())))
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
    classifier: &'a Classifier,
    batches: Batches<'a>,
    values: Vec<f32>,
}

impl<'a> SwapBatch<'a> {
    fn new(plan: &Plan, planned: &'a PlannedModel, classifier: &'a Classifier) -> Result<Self, EvalError> {
        let batches = Batches::new(plan, planned, classifier)?;
        Ok(Self { classifier, batches, values: Vec::new() })
    }

    /// The logits of each input, all made of `image`. Those of one size are computed together.
    fn run(&mut self, inputs: &[SwapInput], image: &str) -> Result<Vec<ImageLogits>, EvalError> {
        let axes = |input: &SwapInput| [input.crop.height, input.crop.width];
        let mut sizes: Vec<[usize; 2]> = inputs.iter().map(axes).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let mut logits: Vec<Option<ImageLogits>> = inputs.iter().map(|_| None).collect();
        for size in sizes {
            let of_size: Vec<usize> =
                (0..inputs.len()).filter(|&index| axes(&inputs[index]) == size).collect();
            let found = self.run_size(size, &of_size, inputs, image)?;
            of_size.into_iter().zip(found).for_each(|(index, found)| logits[index] = Some(found));
        }
        Ok(logits.into_iter().flatten().collect())
    }

    /// The logits of the inputs of `numbers`, which have `size`.
    fn run_size(
        &mut self,
        size: [usize; 2],
        numbers: &[usize],
        inputs: &[SwapInput],
        image: &str,
    ) -> Result<Vec<ImageLogits>, EvalError> {
        let Self { classifier, batches, values } = self;
        let len_of_one = 3 * size[0] * size[1];
        let start = |part: Range<usize>| {
            let len = part.len() * len_of_one;
            values.clear();
            memory::reserve(values, len)?;
            values.resize(len, 0.0);
            for (&number, out) in numbers[part].iter().zip(values.chunks_exact_mut(len_of_one)) {
                let SwapInput { crop, normalise } = &inputs[number];
                normalise.write_chw(crop, out);
            }
            classifier.start(&Images::Planar { values, channels: 3, size })
        };
        batches.run(numbers.len(), None, start, |_| (), |_| image.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
