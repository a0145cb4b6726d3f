//! What swapping one factor at a time did, and what follows from it.

use serde::{Deserialize, Serialize};

use crate::metrics::percentage;
use crate::record::warned::{self, WarnedImage};

/// From fewer images nothing is concluded: with forty swaps, eleven flips in one direction are the fewest that are more than
/// chance, and an image of three that flips is much already.
pub const MIN_IMAGES: u64 = 30;

/// Below this, divided by the number of swaps tried (Bonferroni's correction), flips are more uneven than chance makes
/// them: of twenty swaps without an effect, one has a p below 0.05.
const SIGNIFICANT_P: f64 = 0.05;

/// What swapping one factor at a time did to a model's accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Images that were tried, evenly spread over those of the run.
    pub images: u64,
    /// Images that could not be tried; they are not among `images`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// Images among those tried that libjpeg warns of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decoder_warnings: Vec<WarnedImage>,
    /// How many were to be tried, where that was stopped before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_of: Option<u64>,
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
    /// The factor: decoder, filter, resize, crop, offset, normalisation, channels or recipe.
    pub factor: String,
    /// What was put in its place.
    pub swap: String,
    /// The recipe with it, by its keys; none where no recipe says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
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
    /// What it does to how likely the network finds the labels. Runs of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelChange>,
}

/// How a swap changes the logarithm of the label's probability, image by image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelChange {
    /// The mean change, in nats: above 0 the labels are likelier with the swap.
    pub mean_nats: f64,
    /// The p of Wilcoxon's signed-rank test of these changes.
    pub p: f64,
    /// The same of its distance from the swap with which the labels are likeliest.
    pub p_to_best: f64,
}

impl Explanation {
    /// Change of top-1 accuracy by a swap, in percentage points.
    pub fn top1_change_pp(&self, swap: &SwapRecord) -> f64 {
        percentage(swap.top1_hits, self.images) - percentage(self.top1_hits, self.images)
    }

    /// Whether `images` images were tried, as far as they could be.
    pub fn is_of(&self, images: usize) -> bool {
        self.stopped_of.is_none() && self.images + self.left_out == images as u64
    }

    /// What follows and what it is based on, in a sentence.
    pub fn conclusion(&self) -> String {
        let images = self.images;
        let mut basis = Vec::new();
        if let Some(wanted) = self.stopped_of {
            basis.push(format!("stopped after {} of {wanted} images", images + self.left_out));
        }
        if self.left_out > 0 {
            basis.push(format!("{} images could not be tried", self.left_out));
        }
        basis.extend(warned::sentence(&self.decoder_warnings));
        let basis = if basis.is_empty() { String::new() } else { format!(" ({})", basis.join("; ")) };
        if images < MIN_IMAGES {
            return format!(
                "no conclusion is drawn from {images} images, at least {MIN_IMAGES} are needed{basis}"
            );
        }
        if self.top1_hits == 0 && self.swaps.iter().all(|swap| swap.top1_hits == 0) {
            return format!(
                "no conclusion is drawn, because not one of {images} images is a hit, with the recipe or with any swap: look at \
                 the weights and the labels{basis}"
            );
        }
        self.finding() + &basis
    }

    /// What follows from enough images with some hits.
    fn finding(&self) -> String {
        match self.needed_pp {
            Some(needed) => self.nearest(needed),
            None => self.likeliest(),
        }
    }

    /// Whether `p` is less than chance gives to one of so many swaps.
    fn is_beyond_chance(&self, p: f64) -> bool {
        p * (self.swaps.len() as f64) < SIGNIFICANT_P
    }

    fn corrected(&self) -> String {
        format!("p < {SIGNIFICANT_P} corrected for {} swaps", self.swaps.len())
    }

    /// A swap by its name, and what it does to top-1.
    fn name(&self, swap: &SwapRecord) -> String {
        format!("{} {} ({:+.1} pp)", swap.factor, swap.swap, self.top1_change_pp(swap))
    }

    /// What a person who agrees tries.
    fn advice(swap: &SwapRecord) -> String {
        swap.recipe.as_ref().map(|keys| format!("; try the recipe {keys}")).unwrap_or_default()
    }

    /// Which swap moves top-1 to the documented figure, `needed` percentage points away.
    fn nearest(&self, needed: f64) -> String {
        let leads_there = |change: f64| change * needed > 0.0;
        let is_significant = |swap: &&SwapRecord| {
            let likelier =
                |label: &LabelChange| self.is_beyond_chance(label.p) && leads_there(label.mean_nats);
            self.is_beyond_chance(swap.mcnemar_p) || swap.label.as_ref().is_some_and(likelier)
        };
        let towards = |swap: &&SwapRecord| leads_there(self.top1_change_pp(swap));
        let mut found: Vec<&SwapRecord> = self.swaps.iter().filter(is_significant).filter(towards).collect();
        found.sort_by(|a, b| {
            let miss = |swap: &SwapRecord| (self.top1_change_pp(swap) - needed).abs();
            miss(a).total_cmp(&miss(b))
        });
        let corrected = self.corrected();
        match found[..] {
            [] => format!(
                "top-1 is {needed:+.3} pp short of the documented figure, and no single swap moves it there by more than \
                 chance does ({corrected}): look at the weights, the labels and the images"
            ),
            [first, ..] => format!(
                "top-1 is {needed:+.3} pp short of the documented figure; of the swaps that move it there beyond chance ({corrected}), \
                 {} comes nearest{}",
                self.name(first),
                Self::advice(first)
            ),
        }
    }

    /// Which swap makes the labels likeliest, where no figure says what is wanted.
    fn likeliest(&self) -> String {
        // Runs of earlier versions have only flips.
        let gain = |swap: &SwapRecord| match &swap.label {
            Some(label) => label.mean_nats,
            None => self.top1_change_pp(swap),
        };
        let is_better = |swap: &&SwapRecord| {
            let p = swap.label.as_ref().map_or(swap.mcnemar_p, |label| label.p);
            self.is_beyond_chance(p) && gain(swap) > 0.0
        };
        let better: Vec<&SwapRecord> = self.swaps.iter().filter(is_better).collect();
        let best_of = |is_meant: &dyn Fn(&SwapRecord) -> bool| {
            let meant = better.iter().copied().filter(|swap| is_meant(swap));
            meant.max_by(|a, b| gain(a).total_cmp(&gain(b)))
        };
        let Some(best) = best_of(&|_| true) else {
            return format!(
                "not distinguishable from chance: no swap makes the labels likelier on {} images ({}), so that a mistake among these \
                 factors, if there is one, costs little; more images show smaller effects; if an accuracy is off by much, look at the \
                 weights, the labels and the images",
                self.images,
                self.corrected()
            );
        };
        // A size that helps is no proof, so that another factor that helps comes before it.
        let told = match best.is_of_size() {
            true => best_of(&|swap| !swap.is_of_size()).unwrap_or(best),
            false => best,
        };
        // One that loses hits is no candidate, however likely it makes some labels.
        let is_alike = |swap: &&&SwapRecord| {
            !std::ptr::eq(**swap, best)
                && self.top1_change_pp(swap) >= 0.0
                && swap.label.as_ref().is_none_or(|label| !self.is_beyond_chance(label.p_to_best))
        };
        let finding = if std::ptr::eq(told, best) {
            let alike: Vec<String> = better.iter().filter(is_alike).map(|swap| self.name(swap)).collect();
            let alike = match &alike[..] {
                [] => String::new(),
                alike => format!("; not told apart from it: {}", alike.join(", ")),
            };
            let (told, corrected) = (self.name(told), self.corrected());
            format!("the labels are likeliest with {told} instead, beyond chance ({corrected}){alike}")
        } else {
            format!(
                "the labels are likelier with {} instead, beyond chance ({}); they are likeliest with {}, but more pixels often help \
                 where nothing is wrong",
                self.name(told),
                self.corrected(),
                self.name(best)
            )
        };
        // A recipe changes several factors: which of them matters.
        let single = best_of(&|swap| told.factor == RECIPE && swap.factor != RECIPE)
            .map(|swap| format!("; of the factors alone, {} does most", self.name(swap)));
        // A network is often better at more pixels than it was trained with.
        let caveat = match told.is_of_size() {
            true => "; more pixels often help where nothing is wrong, so that this is no proof",
            false => "",
        };
        format!("{finding}{}{caveat}{}", single.unwrap_or_default(), Self::advice(told))
    }
}

/// The factor of swaps that are whole recipes.
const RECIPE: &str = "recipe";

impl SwapRecord {
    /// Whether it changes how much of the image, and at how many pixels, the network is given.
    fn is_of_size(&self) -> bool {
        ["crop", "resize"].contains(&self.factor.as_str())
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation(needed_pp: Option<f64>, hits: &[(u64, f64)]) -> Explanation {
        let swap = |(number, (top1_hits, mcnemar_p)): (usize, &(u64, f64))| SwapRecord {
            factor: "size".to_owned(),
            swap: format!("number {number}"),
            inputs_changed: 200,
            best_class_changed: 9,
            top1_hits: *top1_hits,
            top5_hits: *top1_hits,
            mcnemar_p: *mcnemar_p,
            recipe: None,
            label: None,
        };
        let swaps = hits.iter().enumerate().map(swap).collect();
        Explanation {
            images: 200,
            left_out: 0,
            decoder_warnings: Vec::new(),
            stopped_of: None,
            top1_hits: 140,
            top5_hits: 180,
            needed_pp,
            swaps,
        }
    }

    #[test]
    fn nothing_is_concluded_from_too_little() {
        let few =
            Explanation { images: 2, top1_hits: 0, stopped_of: Some(200), ..explanation(None, &[(2, 1e-9)]) };
        assert_eq!(
            few.conclusion(),
            "no conclusion is drawn from 2 images, at least 30 are needed (stopped after 2 of 200 images)"
        );
        for needed_pp in [None, Some(70.0)] {
            let none = Explanation { top1_hits: 0, ..explanation(needed_pp, &[(0, 1.0), (0, 1.0)]) };
            let words = none.conclusion();
            assert!(
                words.starts_with("no conclusion is drawn, because not one of 200 images is a hit"),
                "{words}"
            );
            // A swap that hits where the recipe never does says much.
            let one = Explanation { top1_hits: 0, ..explanation(needed_pp, &[(140, 1e-9)]) };
            assert!(one.conclusion().contains("size number 0 (+70.0 pp)"), "{}", one.conclusion());
        }
        let stopped =
            Explanation { stopped_of: Some(400), left_out: 3, ..explanation(Some(4.5), &[(150, 0.001)]) };
        let words = stopped.conclusion();
        assert!(
            words.ends_with(" comes nearest (stopped after 203 of 400 images; 3 images could not be tried)")
        );
        assert!(!stopped.is_of(203) && Explanation { stopped_of: None, ..stopped }.is_of(203));
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
            "the labels are likeliest with size number 2 (+10.0 pp) instead, beyond chance (p < 0.05 corrected for 4 swaps); not told \
             apart from it: size number 1 (+5.0 pp)"
        );
        let words = explanation(None, &hits[..1]).conclusion();
        assert!(
            words.starts_with("not distinguishable from chance: no swap makes the labels likelier"),
            "{words}"
        );
        assert!(explanation(None, &hits[3..]).conclusion().starts_with("not distinguishable from chance"));

        // Of twenty swaps one has such a p by chance.
        let twenty = [(150, 0.01); 20];
        let words = explanation(Some(4.5), &twenty).conclusion();
        assert!(words.contains("no single swap moves it there"), "{words}");
    }
    /// The flips of the first are chance, and what the labels say is not.
    #[test]
    fn labels_say_more_than_flips() {
        let label = |mean_nats, p, p_to_best| Some(LabelChange { mean_nats, p, p_to_best });
        let mut found = explanation(None, &[(148, 0.06), (139, 0.9), (146, 0.1), (141, 1.0)]);
        found.swaps[0].label = label(0.3, 1e-9, 1.0);
        found.swaps[0].recipe = Some("resize=none,crop=224".to_owned());
        found.swaps[1].label = label(-0.3, 1e-9, 1e-12);
        found.swaps[2].label = label(0.28, 1e-8, 0.4);
        found.swaps[3].label = label(0.1, 1e-4, 1e-6);
        let words = found.conclusion();
        assert_eq!(
            words,
            "the labels are likeliest with size number 0 (+4.0 pp) instead, beyond chance (p < 0.05 corrected for 4 swaps); not told \
             apart from it: size number 2 (+3.0 pp); try the recipe resize=none,crop=224"
        );
        // One that loses hits is not named beside it.
        let before = std::mem::replace(&mut found.swaps[1].label, label(0.29, 1e-9, 0.5));
        assert_eq!(found.conclusion(), words);
        found.swaps[1].label = before;
        found.swaps[0].factor = "crop".to_owned();
        let other = std::mem::take(&mut found.swaps[2].label);
        found.swaps[2].mcnemar_p = 1.0;
        found.swaps[3].label = None;
        assert!(found.conclusion().contains("this is no proof; try"), "{}", found.conclusion());
        found.swaps[2].label = other;
        // A factor that is no size comes before a size, which may help where nothing is wrong.
        found.swaps[2].recipe = Some("resize=none,crop=192".to_owned());
        assert_eq!(
            found.conclusion(),
            "the labels are likelier with size number 2 (+3.0 pp) instead, beyond chance (p < 0.05 corrected for 4 swaps); they are \
             likeliest with crop number 0 (+4.0 pp), but more pixels often help where nothing is wrong; try the recipe \
             resize=none,crop=192"
        );
        // Of a recipe it is said which of its factors matters.
        found.swaps[0].factor = "recipe".to_owned();
        found.swaps[2].label = label(0.28, 1e-8, 1e-9);
        assert_eq!(
            found.conclusion(),
            "the labels are likeliest with recipe number 0 (+4.0 pp) instead, beyond chance (p < 0.05 corrected for 4 swaps); of the \
             factors alone, size number 2 (+3.0 pp) does most; try the recipe resize=none,crop=224"
        );
        found.swaps.iter_mut().for_each(|swap| swap.label = label(0.3, 0.02, 1.0));
        assert!(found.conclusion().starts_with("not distinguishable from chance"), "{}", found.conclusion());

        found.swaps[2].label = label(0.28, 1e-8, 0.4);
        let words = Explanation { needed_pp: Some(3.5), ..found.clone() }.conclusion();
        assert!(words.contains("size number 2 (+3.0 pp) comes nearest; try"), "{words}");
        let words = Explanation { needed_pp: Some(-3.5), ..found }.conclusion();
        assert!(words.contains("no single swap moves it there"), "{words}");
    }
}
