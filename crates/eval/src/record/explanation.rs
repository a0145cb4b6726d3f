//! What swapping one factor at a time did, and what follows from it.

mod finding;

use serde::{Deserialize, Serialize};

use crate::metrics::percentage;
use crate::record::warned::{self, WarnedImage};

/// From fewer images nothing is concluded: with forty swaps, eleven flips in one direction are the fewest that are more than
/// chance, and an image of three that flips is much already.
pub const MIN_IMAGES: u64 = 30;

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
    /// The factors that a whole recipe changes. Of any other swap it is `factor`, and not stated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// Whether it makes the recipe that of the model's source.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_own: bool,
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

/// How a swap changes the logarithm of the label's probability, image by image. Means are at the temperature with which all labels together
/// are likeliest, so that being more certain alone is no gain; ranks are of what the network says. Runs of earlier versions have both at
/// temperature 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelChange {
    /// The mean change, in nats: above 0 the labels are likelier with the swap.
    pub mean_nats: f64,
    /// The p of Wilcoxon's signed-rank test; 1 where ranks and mean lean to different sides.
    pub p: f64,
    /// The p of the mean. Runs of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_p: Option<f64>,
    /// As `p`, of its distance from the swap with which the labels are likeliest.
    pub p_to_best: f64,
    /// As `mean_p`, of that distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_p_to_best: Option<f64>,
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
}

fn is_false(whether: &bool) -> bool {
    !*whether
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests;
