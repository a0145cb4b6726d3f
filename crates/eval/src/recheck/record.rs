//! What a run says of the images that it computed again, and how many hits it may have missed.

use models::Dtype;
use serde::{Deserialize, Serialize};

use crate::metrics::percentage;

/// The chance that more hits were missed than is said.
const ERROR_RATE: f64 = 0.05;

/// That images near a hit are computed again in f32.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recheck {
    /// How much of the other images is computed again, in per cent: more than 0.
    pub audit_pct: f64,
}

impl Recheck {
    /// How much is audited where nothing else was asked for: few enough to cost little.
    pub const AUDIT_PCT: f64 = 2.0;
}

/// Why all images were computed in f32 after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllAgain {
    /// Most of the first images lie nearer to a hit than the errors are large.
    MostAreNear,
    /// The audit found a hit that the threshold had missed.
    AuditFoundAFlip,
}

/// Which images of a model were computed again, and what that showed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RecheckRecord {
    /// How much of the images that are not near was audited, in per cent.
    pub audit_pct: f64,
    /// How near a label may lie to the first or fifth place, in logits, without being computed again.
    pub threshold: f32,
    /// The largest error of a margin that was learned from.
    pub largest_error: f32,
    /// Images with a prediction and a label.
    pub images: u64,
    /// Images of these that were computed in f32.
    pub again: u64,
    /// Images of these that are not near, and were computed in f32 as a random part of those.
    pub audited: u64,
    /// Images of those with a hit of f32 that is another in the reduced type: hits that the threshold missed.
    pub audit_flips: u64,
    /// Images of `again` whose hit of the best class is another.
    pub top1_flips: u64,
    /// Images of `again` whose hit of the five best is another.
    pub top5_flips: u64,
    /// Why all were computed in f32, where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_again: Option<AllAgain>,
}

impl RecheckRecord {
    /// How many hits of f32 may be others at most among the images that were not computed in f32, at 95 %.
    ///
    /// Each image that is not near was audited with the same chance f, independent of all others. If there were M such hits, the audit
    /// would have found none of them with the chance (1 - f)^M; the largest M for which that is at least 5 % is the bound. (Where it finds one,
    /// all images are computed again.)
    pub fn missed(&self) -> u64 {
        let others = self.images.saturating_sub(self.again);
        if others == 0 {
            return 0;
        }
        let share = (self.audit_pct / 100.0).clamp(0.0, 1.0);
        let most = (ERROR_RATE.ln() / (-share).ln_1p()).floor();
        // No audit: any of them. A share of 1: none of them, and `most` is -0.
        if most.is_finite() { others.min(most.max(0.0) as u64) } else { others }
    }

    /// [`Self::missed`] in percentage points of the accuracy over `images` images.
    pub fn missed_pp(&self, images: u64) -> f64 {
        percentage(self.missed(), images)
    }

    /// The least audit, in whole per cent, by which at most `pp` points of the accuracy over `images` images can be missed, if nothing is found.
    pub fn audit_for(images: u64, pp: f64) -> Option<u64> {
        let may_miss = (pp / 100.0 * images as f64).floor();
        (1..100_u64).find(|&pct| (ERROR_RATE.ln() / (-(pct as f64) / 100.0).ln_1p()).floor() <= may_miss)
    }

    /// What it says of hits that a network of the type `dtype` gave, for people; `images` is the denominator of the accuracies.
    pub fn words(&self, dtype: Dtype, images: u64) -> String {
        let Self { again, audited, top1_flips, top5_flips, .. } = *self;
        let share = format!("{:.1} %", percentage(again, self.images));
        let flips = format!("{top1_flips} top-1 and {top5_flips} top-5 hits changed by that");
        match self.all_again {
            Some(AllAgain::MostAreNear) => {
                return format!(
                    "in {dtype}, and {share} of the images again in f32, because most lie near a hit"
                );
            }
            Some(AllAgain::AuditFoundAFlip) => {
                return format!(
                    "in {dtype}, and {share} of the images again in f32, because an audit found a hit that the threshold missed; {flips}"
                );
            }
            None => {}
        }
        if self.again == self.images {
            return format!("in {dtype}, and all images again in f32; {flips}");
        }
        // Of several parts, one in which the audit found a hit was computed in f32 as a whole.
        let found = match self.audit_flips {
            0 => "found no other hit".to_owned(),
            flips => format!("found {flips} other hits, and their parts were computed in f32"),
        };
        format!(
            "in {dtype}, {share} of the images again in f32 ({flips}); an audit of {} % of the others, {audited} images, {found}: at \
             most {:.3} points are missed (95 %)",
            self.audit_pct,
            self.missed_pp(images),
        )
    }

    /// That of the parts of one evaluation together. The smallest audit counts.
    pub(crate) fn together<'a>(parts: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let add = |all: Self, part: &Self| Self {
            audit_pct: all.audit_pct.min(part.audit_pct),
            threshold: all.threshold.max(part.threshold),
            largest_error: all.largest_error.max(part.largest_error),
            images: all.images.saturating_add(part.images),
            again: all.again.saturating_add(part.again),
            audited: all.audited.saturating_add(part.audited),
            audit_flips: all.audit_flips.saturating_add(part.audit_flips),
            top1_flips: all.top1_flips.saturating_add(part.top1_flips),
            top5_flips: all.top5_flips.saturating_add(part.top5_flips),
            // Of a part that was computed again as a whole, the others are not.
            all_again: if all.all_again == part.all_again { all.all_again } else { None },
        };
        let mut parts = parts.copied();
        let first = parts.next()?;
        Some(parts.fold(first, |all, part| add(all, &part)))
    }
}
