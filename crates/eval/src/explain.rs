//! Why a figure is off: a few hundred images again, with one factor of the recipe swapped at a time.
//!
//! Most accuracies that cannot be reproduced were measured after another preprocessing. Which one, a
//! measurement says better than an argument: each swap changes one thing, and the flips it causes are
//! counted against the recipe's own predictions of the same images.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dataset::{
    CropOffset, Decoded, Decoder, Interpolation, Normalisation, RECIPES, Recipe, Resize, RgbImage,
};
use models::Images;
use models::catalog::FigureName;
use serde::{Deserialize, Serialize};

use crate::EvalError;
use crate::metrics::{Hits, TopK, mcnemar_exact_p, percentage};
use crate::plan::{Plan, PlannedModel};
use crate::summary::ModelRecord;
use crate::verdict::Verdict;

/// How many images a swap is tried on when nothing else is said.
pub const IMAGES: usize = 200;

/// Below this, flips are more uneven than chance makes them.
const SIGNIFICANT_P: f64 = 0.05;

/// What swapping one factor at a time did to a model's accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Images that were tried, evenly spread over those of the run, unreadable ones left out.
    pub images: u64,
    /// Top-1 hits with the recipe as it is.
    pub top1_hits: u64,
    /// Top-5 hits with the recipe as it is.
    pub top5_hits: u64,
    /// By how many percentage points top-1 would have to move to be the documented one, where the run can
    /// be compared with it.
    pub needed_pp: Option<f64>,
    /// The swaps, in a fixed order.
    pub swaps: Vec<SwapRecord>,
}

/// What one swap did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SwapRecord {
    /// The factor: decoder, resampler, size, crop, normalisation, channels or recipe.
    pub factor: String,
    /// What was put in its place.
    pub swap: String,
    /// Images whose network input the swap changed.
    pub inputs_changed: u64,
    /// Images whose best class it changed.
    pub best_class_changed: u64,
    /// Top-1 hits with it.
    pub top1_hits: u64,
    /// Top-5 hits with it.
    pub top5_hits: u64,
    /// McNemar's exact p of the top-1 flips.
    pub mcnemar_p: f64,
}

impl Explanation {
    /// Change of top-1 accuracy by a swap, in percentage points.
    pub fn top1_change_pp(&self, swap: &SwapRecord) -> f64 {
        percentage(swap.top1_hits, self.images) - percentage(self.top1_hits, self.images)
    }

    /// What follows, in a sentence.
    pub fn conclusion(&self) -> String {
        let significant = |swap: &&SwapRecord| swap.mcnemar_p < SIGNIFICANT_P;
        let name = |swap: &SwapRecord| {
            format!("{} {} ({:+.1} pp)", swap.factor, swap.swap, self.top1_change_pp(swap))
        };
        let Some(needed) = self.needed_pp else {
            let found: Vec<&SwapRecord> = self.swaps.iter().filter(significant).collect();
            if found.is_empty() {
                return "no swap changes top-1 by more than chance does".to_owned();
            }
            let counted = format!("{} of {} swaps change it beyond chance", found.len(), self.swaps.len());
            let change = |swap: &&SwapRecord| self.top1_change_pp(swap);
            let best = found.into_iter().max_by(|a, b| change(a).total_cmp(&change(b)));
            return match best.filter(|best| change(best) > 0.0) {
                Some(best) => format!("top-1 gains most by {}; {counted}", name(best)),
                None => format!("no swap raises top-1 by more than chance does; {counted}"),
            };
        };
        let towards = |swap: &&SwapRecord| self.top1_change_pp(swap) * needed > 0.0;
        let mut found: Vec<&SwapRecord> = self.swaps.iter().filter(significant).filter(towards).collect();
        found.sort_by(|a, b| {
            let miss = |swap: &SwapRecord| (self.top1_change_pp(swap) - needed).abs();
            miss(a).total_cmp(&miss(b))
        });
        match found[..] {
            [] => format!(
                "top-1 is {needed:+.3} pp short of the documented figure, and no single swap moves it there by more than \
                 chance does: look at the weights, the labels and the images"
            ),
            [first, ..] => format!(
                "top-1 is {needed:+.3} pp short of the documented figure; of the swaps that move it there beyond chance, \
                 {} comes nearest",
                name(first)
            ),
        }
    }
}

/// A recipe with one factor changed.
#[derive(Debug, Clone, PartialEq)]
struct Swap {
    factor: &'static str,
    name: String,
    recipe: Recipe,
    zune_jpeg: bool,
    bgr: bool,
}

/// Every swap for `base`, one factor each.
fn swaps(base: &Recipe) -> Vec<Swap> {
    let mut swaps = Vec::new();
    let mut add = |factor, name: &str, recipe: Recipe| {
        if recipe != *base {
            swaps.push(Swap { factor, name: name.to_owned(), recipe, zune_jpeg: false, bgr: false });
        }
    };
    for (name, decoder) in [("as PIL reads it", Decoder::Pil), ("as OpenCV reads it", Decoder::OpenCv)] {
        add("decoder", name, Recipe { decoder, ..*base });
    }
    for (name, interpolation) in [
        ("PIL nearest", Interpolation::PilNearest),
        ("PIL bilinear", Interpolation::PilBilinear),
        ("PIL bicubic", Interpolation::PilBicubic),
        ("OpenCV linear", Interpolation::OpenCvLinear),
        ("OpenCV cubic", Interpolation::OpenCvCubic),
    ] {
        add("resampler", name, Recipe { interpolation, ..*base });
    }
    let own = match base.resize {
        Resize::ShortSideTruncate(short) | Resize::ShortSideRound(short) => Some(short),
        Resize::Stretch => None,
    };
    // The whole image's middle, the usual crop of 0.875, and what lies between.
    for short in [base.size, base.size * 100 / 94, base.size * 8 / 7] {
        // A few pixels more or less are no other size.
        if own.is_none_or(|own| own.abs_diff(short) > 4) {
            let resize = Resize::ShortSideTruncate(short);
            add("size", &format!("short side {short}"), Recipe { resize, ..*base });
        }
    }
    add("size", "stretched, no crop", Recipe { resize: Resize::Stretch, ..*base });
    for (name, offset) in [
        ("offset rounded down", CropOffset::Floor),
        ("offset rounded half to even", CropOffset::RoundHalfEven),
    ] {
        add("crop", name, Recipe { offset, ..*base });
    }
    for (name, normalise) in [
        ("to [-1, 1]", Normalisation::HALF),
        ("ImageNet statistics", Normalisation::IMAGENET),
        ("to [0, 1]", Normalisation { mean: [0.0; 3], std: [1.0; 3] }),
        ("none, 0 to 255", Normalisation { mean: [0.0; 3], std: [1.0 / 255.0; 3] }),
    ] {
        add("normalisation", name, Recipe { normalise, ..*base });
    }
    for recipe in RECIPES.iter().filter(|recipe| recipe.size == base.size && recipe.name != base.name) {
        add("recipe", recipe.name, *recipe);
    }
    let itself = Swap { factor: "decoder", name: String::new(), recipe: *base, zune_jpeg: false, bgr: false };
    let zune = Swap { name: "zune-jpeg (the `image` crate's)".to_owned(), zune_jpeg: true, ..itself.clone() };
    swaps.insert(0, zune);
    let bgr = Swap { factor: "channels", name: "BGR".to_owned(), bgr: true, ..itself };
    let recipes = swaps.iter().position(|swap| swap.factor == "recipe").unwrap_or(swaps.len());
    swaps.insert(recipes, bgr);
    swaps
}

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
/// [`EvalError::DataLost`] when images cannot be read any more.
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
    let mut batch = Batch { plan, planned, values: Vec::new() };
    for (done, index) in chosen.into_iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        progress(done, total);
        let item = &plan.dataset.items()[index];
        let bytes = plan.dataset.read(index).map_err(|source| EvalError::DataLost { source })?;
        // The run has named and counted what cannot be decoded.
        let Ok(decoded) = Decoded::from_bytes(&bytes) else { continue };
        let Ok(own) = planned.recipe.crop(&decoded).map(Arc::new) else { continue };
        let zune = decoded.by_zune_jpeg(&bytes);
        let own_input = Input { crop: own, normalise: planned.recipe.normalise };
        let mut inputs = Vec::with_capacity(swaps.len());
        for swap in &swaps {
            let decoded = match (&zune, swap.zune_jpeg) {
                (Ok(zune), true) => zune,
                _ => &decoded,
            };
            // A size too small for a swap's filter leaves the image as it is.
            let crop = swap.recipe.crop(decoded).unwrap_or_else(|_| own_input.crop.as_ref().clone());
            let crop = if swap.bgr { reversed(&crop) } else { crop };
            let input = Input { crop: Arc::new(crop), normalise: swap.recipe.normalise };
            inputs.push((input != own_input).then_some(input));
        }
        let own_top = batch.run(std::slice::from_ref(&own_input)).pop().flatten();
        let changed: Vec<Input> = inputs.iter().flatten().cloned().collect();
        let mut tops = batch.run(&changed).into_iter();
        let truth = plan.dataset_record.label_set.truth(&item.name, &item.label);
        let tops = inputs.iter().map(|input| input.as_ref().map(|_| tops.next().flatten()));
        tally.add(truth, own_top.as_ref(), tops);
    }
    Ok((tally.own.images > 0).then(|| tally.explanation(&swaps, record)))
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

/// Runs inputs through the network, as many at once as the run does.
struct Batch<'a> {
    plan: &'a Plan,
    planned: &'a PlannedModel,
    values: Vec<f32>,
}

impl Batch<'_> {
    fn run(&mut self, inputs: &[Input]) -> Vec<Option<TopK>> {
        let mut tops = Vec::with_capacity(inputs.len());
        for inputs in inputs.chunks(self.plan.batch) {
            let size = self.planned.recipe.size;
            self.values.resize(inputs.len() * 3 * size * size, 0.0);
            for (input, out) in inputs.iter().zip(self.values.chunks_exact_mut(3 * size * size)) {
                input.normalise.write_chw(&input.crop, out);
            }
            let images = Images::Planar { values: &self.values, channels: 3, size: [size; 2] };
            let logits = self.planned.classifier.logits(&images);
            tops.extend(logits.iter().map(|logits| TopK::of(logits)));
        }
        tops
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

    fn names(base: &str) -> Vec<String> {
        let swaps = swaps(Recipe::by_name(base).unwrap());
        swaps.iter().map(|swap| format!("{}: {}", swap.factor, swap.name)).collect()
    }

    #[test]
    fn every_factor_is_swapped_and_none_for_itself() {
        for base in RECIPES {
            let swaps = swaps(base);
            for factor in ["decoder", "resampler", "size", "crop", "normalisation", "channels"] {
                assert!(swaps.iter().any(|swap| swap.factor == factor), "{}: {factor}", base.name);
            }
            let same = |swap: &&Swap| swap.recipe == *base && !swap.zune_jpeg && !swap.bgr;
            assert_eq!(swaps.iter().find(same), None);
            let others = RECIPES.iter().filter(|other| other.size == base.size && other.name != base.name);
            assert_eq!(swaps.iter().filter(|swap| swap.factor == "recipe").count(), others.count());
        }
        let names = names("timm-333-bicubic");
        assert_eq!(names.len(), 21, "{names:?}");
        assert!(!names.contains(&"resampler: PIL bicubic".to_owned()));
        assert!(names.contains(&"size: short side 341".to_owned()));
    }

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

    fn explanation(needed_pp: Option<f64>, hits: &[(u64, f64)]) -> Explanation {
        let swap = |(number, (top1_hits, mcnemar_p)): (usize, &(u64, f64))| SwapRecord {
            factor: "size".to_owned(),
            swap: format!("number {number}"),
            inputs_changed: 200,
            best_class_changed: 9,
            top1_hits: *top1_hits,
            top5_hits: *top1_hits,
            mcnemar_p: *mcnemar_p,
        };
        let swaps = hits.iter().enumerate().map(swap).collect();
        Explanation { images: 200, top1_hits: 140, top5_hits: 180, needed_pp, swaps }
    }

    #[test]
    fn the_conclusion_names_the_swap_that_comes_nearest() {
        let hits = [(100, 1e-6), (150, 0.01), (160, 0.001), (147, 0.2)];
        let words = explanation(Some(4.5), &hits).conclusion();
        assert!(words.ends_with("size number 1 (+5.0 pp) comes nearest"), "{words}");
        let words = explanation(Some(-19.0), &hits).conclusion();
        assert!(words.ends_with("size number 0 (-20.0 pp) comes nearest"), "{words}");
        let words = explanation(Some(-1.0), &hits[1..]).conclusion();
        assert!(words.contains("no single swap moves it there"), "{words}");
        let words = explanation(None, &hits).conclusion();
        assert_eq!(
            words,
            "top-1 gains most by size number 2 (+10.0 pp); 3 of 4 swaps change it beyond chance"
        );
        let words = explanation(None, &hits[..1]).conclusion();
        assert_eq!(
            words,
            "no swap raises top-1 by more than chance does; 1 of 1 swaps change it beyond chance"
        );
        assert_eq!(
            explanation(None, &hits[3..]).conclusion(),
            "no swap changes top-1 by more than chance does"
        );
    }
}
