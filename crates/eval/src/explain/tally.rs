//! What the network says to each swap's input, as it comes, and what that amounts to.

use cards::FigureName;

use super::label::{LabelLogs, as_said, at_best_temperature};
use super::signed_rank::{mean_p, signed_rank_p};
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
    /// How likely what is right is; nothing where nothing is.
    label: Option<LabelLogs>,
}

impl Said {
    pub(super) fn of(logits: &[f32], truth: &[u16]) -> Option<Self> {
        Some(Self { top: TopK::of(logits)?, label: LabelLogs::of(logits, truth) })
    }
}

/// Hits as they come.
pub(super) struct Tally {
    pub(super) own: Hits,
    /// How likely the labels are with the recipe as it is, an image each.
    own_labels: Vec<Option<LabelLogs>>,
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
    /// How likely the labels are with it, an image each.
    labels: Vec<Option<LabelLogs>>,
}

impl Tally {
    pub(super) fn new(swaps: usize) -> Self {
        let swaps = vec![SwapTally::default(); swaps];
        Self {
            own: Hits::default(),
            own_labels: Vec::new(),
            swaps,
            left_out: 0,
            decoder_warnings: Vec::new(),
            stopped_of: None,
        }
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
        self.own.add(truth, own.map(|said| &said.top));
        self.own_labels.push(own.and_then(|said| said.label));
        for (tally, other) in self.swaps.iter_mut().zip(said) {
            tally.inputs_changed += u64::from(other.is_some());
            let other = other.unwrap_or(own.copied());
            let other = other.as_ref();
            tally.hits.add(truth, other.map(|said| &said.top));
            tally.best_class_changed += u64::from(best(own) != best(other));
            tally.gained += u64::from(right(other) && !right(own));
            tally.lost += u64::from(right(own) && !right(other));
            tally.labels.push(other.and_then(|said| said.label));
        }
    }

    /// By how much each swap changes the logarithm of the label's probability, an image each, so that two swaps can be compared image by
    /// image: of the logarithms that `of` makes of what was said. What cannot be said changes nothing.
    fn label_changes(&self, of: fn(&[Option<LabelLogs>]) -> Vec<Option<f64>>) -> Vec<Vec<f64>> {
        let own = of(&self.own_labels);
        let change =
            |(here, own): (Option<f64>, &Option<f64>)| here.zip(*own).map_or(0.0, |(here, own)| here - own);
        let changes = |swap: &SwapTally| of(&swap.labels).into_iter().zip(&own).map(change).collect();
        self.swaps.iter().map(changes).collect()
    }

    /// What the swaps amount to; `record` is the model's.
    pub(super) fn explanation(&self, swaps: &[Swap], record: &ModelRecord) -> Explanation {
        let top1 = record.figure(FigureName::Top1Pct).filter(|top1| top1.verdict == Verdict::NotReproduced);
        let documented = top1.and_then(|top1| top1.documented.as_ref()?.parse::<f64>().ok());
        let mut decoder_warnings = self.decoder_warnings.clone();
        decoder_warnings.sort_by(|a, b| a.image.cmp(&b.image));
        let at_best = self.label_changes(at_best_temperature);
        let said = self.label_changes(as_said);
        let changes = at_best.iter().zip(&said).map(|(at_best, said)| Changes { at_best, said });
        let changes: Vec<Changes<'_>> = changes.collect();
        let best = changes.iter().max_by(|a, b| mean(a.at_best).total_cmp(&mean(b.at_best)));
        let record_of = |((swap, tally), changes): ((&Swap, &SwapTally), &Changes<'_>)| {
            let distance = |best: &[f64], here: &[f64]| -> Vec<f64> {
                best.iter().zip(here).map(|(best, here)| best - here).collect()
            };
            let best = best.unwrap_or(changes);
            let to_best = distance(best.at_best, changes.at_best);
            let to_best_said = distance(best.said, changes.said);
            SwapRecord {
                factor: swap.factor.to_owned(),
                swap: swap.name.clone(),
                changes: match swap.changes[..] {
                    [one] if one == swap.factor => Vec::new(),
                    ref changes => changes.iter().map(|&factor| factor.to_owned()).collect(),
                },
                is_own: swap.is_own,
                recipe: Some(swap.recipe.keys()).filter(|_| !swap.zune_jpeg),
                inputs_changed: tally.inputs_changed,
                best_class_changed: tally.best_class_changed,
                top1_hits: tally.hits.top1,
                top5_hits: tally.hits.top5,
                mcnemar_p: mcnemar_exact_p(tally.gained, tally.lost),
                label: Some(LabelChange {
                    mean_nats: mean(changes.at_best),
                    p: rank_p(changes.said, changes.at_best),
                    mean_p: Some(mean_p(changes.at_best)),
                    p_to_best: rank_p(&to_best_said, &to_best),
                    mean_p_to_best: Some(mean_p(&to_best)),
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
            swaps: swaps.iter().zip(&self.swaps).zip(&changes).map(record_of).collect(),
        }
    }
}

/// By how much a swap changes the logarithms of the labels' probability, an image each: at the best temperatures, and as the network says them.
struct Changes<'a> {
    at_best: &'a [f64],
    said: &'a [f64],
}

fn mean(changes: &[f64]) -> f64 {
    changes.iter().sum::<f64>() / changes.len().max(1) as f64
}

/// The p of the ranks of what the network says itself; 1 where that leans to the other side than at the best temperatures.
fn rank_p(said: &[f64], at_best: &[f64]) -> f64 {
    if mean(said) * mean(at_best) < 0.0 { 1.0 } else { signed_rank_p(said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Class `best`, and class 7 with a probability of a third or so.
    fn said(best: u16, label: f32) -> Said {
        let mut logits = [0.0; 10];
        logits[usize::from(best)] = 3.0;
        logits[7] += label;
        Said::of(&logits, &[7]).unwrap()
    }

    #[test]
    fn ranks_that_lean_to_the_other_side_than_the_mean_say_nothing() {
        let (likelier, less): (Vec<f64>, Vec<f64>) = (1..40).map(|n| (f64::from(n), -f64::from(n))).unzip();
        assert!(rank_p(&likelier, &likelier) < 1e-6);
        assert!((rank_p(&likelier, &less) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_said_is_counted_against_the_recipe_s_own() {
        let mut tally = Tally::new(2);
        for image in 0..10 {
            // Right with the first swap always, with the recipe four times; the second changes nothing.
            let own = said(if image < 4 { 7 } else { 8 }, 1.0);
            tally.add(&[7], Some(&own), [Some(Some(said(7, 1.5))), None].into_iter());
        }
        assert_eq!((tally.own.top1, tally.swaps[0].hits.top1, tally.swaps[1].hits.top1), (4, 10, 4));
        assert_eq!((tally.swaps[0].gained, tally.swaps[0].lost), (6, 0));
        assert_eq!((tally.swaps[0].inputs_changed, tally.swaps[1].inputs_changed), (10, 0));
        assert_eq!((tally.swaps[0].best_class_changed, tally.swaps[1].best_class_changed), (6, 0));
        let changes = tally.label_changes(at_best_temperature);
        assert!(changes[0].iter().all(|change| *change > 0.0), "{:?}", changes[0]);
        assert_eq!(changes[1], [0.0; 10]);
        // What cannot be said changes nothing.
        tally.add(&[7], None, [Some(None), Some(Some(said(7, -9.0)))].into_iter());
        let changes = tally.label_changes(at_best_temperature);
        assert_eq!((changes[0].len(), changes[0][10], changes[1][10]), (11, 0.0, 0.0));
    }
}
