//! What the network says to each swap's input, as it comes, and what that amounts to.

use cards::FigureName;

use super::label::log_probability;
use super::signed_rank::signed_rank_p;
use super::swaps::Swap;
use crate::metrics::{Hits, TopK, mcnemar_exact_p, percentage};
use crate::record::ModelRecord;
use crate::record::explanation::{Explanation, LabelChange, SwapRecord};
use crate::record::warned::WarnedImage;
use crate::verdict::Verdict;

/// What the network says to one input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    top: TopK,
    /// The logarithm of the probability of what is right; nothing where nothing is.
    label: Option<f64>,
}

impl Said {
    pub(super) fn of(logits: &[f32], truth: &[u16]) -> Option<Self> {
        Some(Self { top: TopK::of(logits)?, label: log_probability(logits, truth) })
    }
}

/// Hits as they come.
pub(super) struct Tally {
    pub(super) own: Hits,
    swaps: Vec<SwapTally>,
    /// Images that could not be tried.
    pub(super) left_out: u64,
    /// Images that were, and that libjpeg warns of.
    pub(super) decoder_warnings: Vec<WarnedImage>,
    /// How many were to be tried, once that is stopped.
    pub(super) stopped_of: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct SwapTally {
    hits: Hits,
    inputs_changed: u64,
    best_class_changed: u64,
    gained: u64,
    lost: u64,
    /// By how much the logarithm of the label's probability changes, an image each.
    label_changes: Vec<f64>,
}

impl SwapTally {
    fn mean_label_change(&self) -> f64 {
        self.label_changes.iter().sum::<f64>() / self.label_changes.len().max(1) as f64
    }
}

impl Tally {
    pub(super) fn new(swaps: usize) -> Self {
        let swaps = vec![SwapTally::default(); swaps];
        Self { own: Hits::default(), swaps, left_out: 0, decoder_warnings: Vec::new(), stopped_of: None }
    }

    /// `said` has, for each swap, what the network says to another input; `None` where it is the same.
    pub(super) fn add(
        &mut self,
        truth: &[u16],
        own: Option<&Said>,
        said: impl Iterator<Item = Option<Option<Said>>>,
    ) {
        let best = |said: Option<&Said>| said.map(|said| said.top.classes[0]);
        let right = |said: Option<&Said>| best(said).is_some_and(|class| truth.contains(&class));
        let label = |said: Option<&Said>| said.and_then(|said| said.label);
        self.own.add(truth, own.map(|said| &said.top));
        for (tally, other) in self.swaps.iter_mut().zip(said) {
            tally.inputs_changed += u64::from(other.is_some());
            let other = other.unwrap_or(own.copied());
            let other = other.as_ref();
            tally.hits.add(truth, other.map(|said| &said.top));
            tally.best_class_changed += u64::from(best(own) != best(other));
            tally.gained += u64::from(right(other) && !right(own));
            tally.lost += u64::from(right(own) && !right(other));
            // An image for each swap, so that two swaps can be compared image by image.
            let change = label(other).zip(label(own)).map_or(0.0, |(other, own)| other - own);
            tally.label_changes.push(change);
        }
    }

    /// What the swaps amount to; `record` is the model's.
    pub(super) fn explanation(&self, swaps: &[Swap], record: &ModelRecord) -> Explanation {
        let top1 = record.figure(FigureName::Top1Pct).filter(|top1| top1.verdict == Verdict::NotReproduced);
        let documented = top1.and_then(|top1| top1.documented.as_ref()?.parse::<f64>().ok());
        let mut decoder_warnings = self.decoder_warnings.clone();
        decoder_warnings.sort_by(|a, b| a.image.cmp(&b.image));
        let best = self.swaps.iter().max_by(|a, b| a.mean_label_change().total_cmp(&b.mean_label_change()));
        let record_of = |(swap, tally): (&Swap, &SwapTally)| {
            let to_best =
                best.into_iter().flat_map(|best| best.label_changes.iter().zip(&tally.label_changes));
            let to_best: Vec<f64> = to_best.map(|(best, own)| best - own).collect();
            SwapRecord {
                factor: swap.factor.to_owned(),
                swap: swap.name.clone(),
                recipe: Some(swap.recipe.keys()).filter(|_| !swap.zune_jpeg),
                inputs_changed: tally.inputs_changed,
                best_class_changed: tally.best_class_changed,
                top1_hits: tally.hits.top1,
                top5_hits: tally.hits.top5,
                mcnemar_p: mcnemar_exact_p(tally.gained, tally.lost),
                label: Some(LabelChange {
                    mean_nats: tally.mean_label_change(),
                    p: signed_rank_p(&tally.label_changes),
                    p_to_best: signed_rank_p(&to_best),
                }),
            }
        };
        Explanation {
            images: self.own.images,
            left_out: self.left_out,
            decoder_warnings,
            stopped_of: self.stopped_of,
            top1_hits: self.own.top1,
            top5_hits: self.own.top5,
            needed_pp: documented.map(|printed| printed - percentage(record.top1_hits, record.images)),
            swaps: swaps.iter().zip(&self.swaps).map(record_of).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(best: u16, label: f64) -> Said {
        let top = TopK { classes: [best, 995, 996, 997, 998], logits: [5.0, 4.0, 3.0, 2.0, 1.0] };
        Said { top, label: Some(label) }
    }

    #[test]
    fn what_is_said_is_counted_against_the_recipe_s_own() {
        let mut tally = Tally::new(2);
        for image in 0..10 {
            // Right with the first swap always, with the recipe four times; the second changes nothing.
            let own = said(if image < 4 { 7 } else { 8 }, -1.0);
            tally.add(&[7], Some(&own), [Some(Some(said(7, -0.5))), None].into_iter());
        }
        assert_eq!((tally.own.top1, tally.swaps[0].hits.top1, tally.swaps[1].hits.top1), (4, 10, 4));
        assert_eq!((tally.swaps[0].gained, tally.swaps[0].lost), (6, 0));
        assert_eq!((tally.swaps[0].inputs_changed, tally.swaps[1].inputs_changed), (10, 0));
        assert_eq!((tally.swaps[0].best_class_changed, tally.swaps[1].best_class_changed), (6, 0));
        assert_eq!((tally.swaps[0].mean_label_change(), tally.swaps[1].mean_label_change()), (0.5, 0.0));
        // What cannot be said changes nothing.
        tally.add(&[7], None, [Some(None), Some(Some(said(7, -9.0)))].into_iter());
        assert_eq!(tally.swaps[0].label_changes.len(), 11);
        assert_eq!(tally.swaps[1].label_changes.last(), Some(&0.0));
    }
}
