//! What follows from the swaps, in a sentence: which factor is the mistake, as far as the images tell.
//!
//! A wrong answer sends a person the wrong way, so that a factor is named only if every swap of another factor is told from the likeliest
//! one. What is not told apart is said to be so, the recipe as it is among it.

use super::{Explanation, LabelChange, SwapRecord};

/// Below this, divided by the number of swaps tried (Bonferroni's correction), flips are more uneven than chance makes
/// them: of twenty swaps without an effect, one has a p below 0.05.
const SIGNIFICANT_P: f64 = 0.05;

/// Swaps of one factor that are named; of the others it is said how many they are.
const NAMED: usize = 3;

/// Factors of how much of the image, and at how many pixels, the network is given. A network is often better at more pixels than it was
/// trained with.
const SIZES: [&str; 2] = ["crop", "resize"];

/// Factors that no other size of an image imitates.
const COLOURS: [&str; 2] = ["normalisation", "channels"];

impl Explanation {
    /// What follows from enough images with some hits.
    pub(super) fn finding(&self) -> String {
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
        format!("{} {}", swap.factor, self.value(swap))
    }

    /// The same without its factor.
    fn value(&self, swap: &SwapRecord) -> String {
        format!("{} ({:+.1} pp)", swap.swap, self.top1_change_pp(swap))
    }

    /// What a person who agrees tries.
    fn advice(swap: &SwapRecord) -> String {
        swap.recipe.as_ref().map(|keys| format!("; try the recipe {keys}")).unwrap_or_default()
    }

    /// Which swap moves top-1 to the documented figure, `needed` percentage points away.
    fn nearest(&self, needed: f64) -> String {
        let leads_there = |change: f64| change * needed > 0.0;
        let is_significant = |swap: &&SwapRecord| {
            self.is_beyond_chance(swap.mcnemar_p)
                || swap.label.is_some_and(|label| {
                    self.is_beyond_chance(label.p)
                        && is_no_certainty(label.mean_p)
                        && leads_there(label.mean_nats)
                })
        };
        let towards = |swap: &&SwapRecord| leads_there(self.top1_change_pp(swap));
        let mut found: Vec<&SwapRecord> = self.swaps.iter().filter(is_significant).filter(towards).collect();
        found.sort_by(|a, b| {
            let miss = |swap: &SwapRecord| (self.top1_change_pp(swap) - needed).abs();
            miss(a).total_cmp(&miss(b))
        });
        let corrected = self.corrected();
        let Some((first, others)) = found.split_first() else {
            return format!(
                "top-1 is {needed:+.3} pp short of the documented figure, and no single swap moves it there by more than \
                 chance does ({corrected}): look at the weights, the labels and the images"
            );
        };
        let others: Vec<&SwapRecord> =
            others.iter().copied().filter(|swap| swap.factor != first.factor).collect();
        let others = match self.by_factor(&others, 1) {
            others if others.is_empty() => String::new(),
            others => format!("; so do, less near, {}", others.join(", ")),
        };
        format!(
            "top-1 is {needed:+.3} pp short of the documented figure; of the swaps that move it there beyond chance ({corrected}), \
             {} comes nearest{others}{}",
            self.name(first),
            Self::advice(first)
        )
    }

    /// By how much a swap makes the labels likelier. Runs of earlier versions have only flips.
    fn gain(&self, swap: &SwapRecord) -> f64 {
        swap.label.map_or_else(|| self.top1_change_pp(swap), |label| label.mean_nats)
    }

    /// Whether it makes the labels likelier beyond chance, by the ranks, and not only because the network is more certain, of wrong classes
    /// too, by the mean.
    fn is_better(&self, swap: &SwapRecord) -> bool {
        let (p, mean_p) = swap.label.map_or((swap.mcnemar_p, None), |label| (label.p, label.mean_p));
        self.is_beyond_chance(p) && is_no_certainty(mean_p) && self.gain(swap) > 0.0
    }

    /// Whether it is told from the swap with which the labels are likeliest, by both as well. Runs of earlier versions do not tell.
    fn is_told_from_best(&self, swap: &SwapRecord) -> bool {
        swap.label.is_some_and(|label| {
            self.is_beyond_chance(label.p_to_best) && is_no_certainty(label.mean_p_to_best)
        })
    }

    /// Whether it makes something worse, so that it mends nothing. For this no correction is made: it is asked of one swap.
    fn is_worse(&self, swap: &SwapRecord) -> bool {
        let loses_hits = swap.mcnemar_p < SIGNIFICANT_P && self.top1_change_pp(swap) < 0.0;
        let is_unlikelier = |label: LabelChange| {
            label.mean_nats < 0.0 && label.p.min(label.mean_p.unwrap_or(1.0)) < SIGNIFICANT_P
        };
        loses_hits || swap.label.is_some_and(is_unlikelier)
    }

    /// The likeliest of `swaps`.
    fn best_of<'a>(&self, swaps: impl Iterator<Item = &'a SwapRecord>) -> Option<&'a SwapRecord> {
        swaps.max_by(|a, b| self.gain(a).total_cmp(&self.gain(b)))
    }

    /// `swaps` in words, those of a factor together, `most` of each, the likeliest first.
    fn by_factor(&self, swaps: &[&SwapRecord], most: usize) -> Vec<String> {
        let mut left: Vec<&SwapRecord> = swaps.to_vec();
        // The source's own recipe stands first: nothing else is as likely before any measurement.
        left.sort_by(|a, b| b.is_own.cmp(&a.is_own).then(self.gain(b).total_cmp(&self.gain(a))));
        let mut words = Vec::new();
        while let Some(&first) = left.first() {
            let factor = &first.factor;
            let (same, others): (Vec<&SwapRecord>, Vec<&SwapRecord>) =
                left.into_iter().partition(|swap| swap.factor == *factor);
            let mut named: Vec<String> = same.iter().take(most).map(|swap| self.value(swap)).collect();
            if same.len() > most {
                named.push(format!("{} more", same.len() - most));
            }
            words.push(format!("{factor} {}", named.join(" / ")));
            left = others;
        }
        words
    }

    /// Which swap makes the labels likeliest, where no figure says what is wanted.
    fn likeliest(&self) -> String {
        let own = self.swaps.iter().find(|swap| swap.is_own);
        let better: Vec<&SwapRecord> = self.swaps.iter().filter(|swap| self.is_better(swap)).collect();
        let Some(best) = self.best_of(self.swaps.iter()).filter(|_| !better.is_empty()) else {
            return format!(
                "not distinguishable from chance: no swap makes the labels likelier on {} images ({}), so that a mistake among these \
                 factors, if there is one, costs little{}; more images show smaller effects; if an accuracy is off by much, look at \
                 the weights, the labels and the images",
                self.images,
                self.corrected(),
                own.map(|own| self.own_differs(own)).unwrap_or_default()
            );
        };
        // What is not told from the likeliest may be what is right as well as it. What changes no input is the recipe as it is.
        let is_candidate = |swap: &&SwapRecord| {
            let may_be_right = swap.inputs_changed > 0 && !self.is_worse(swap);
            std::ptr::eq(*swap, best) || (may_be_right && !self.is_told_from_best(swap))
        };
        let candidates: Vec<&SwapRecord> = self.swaps.iter().filter(is_candidate).collect();
        let is_common = |factor: &&str| candidates.iter().all(|swap| swap.changed().contains(factor));
        let common: Vec<&str> = best.changed().into_iter().filter(is_common).collect();
        let may_be_none = !self.is_better(best);
        if common.is_empty() || may_be_none {
            return self.not_told(&candidates, may_be_none);
        }
        let told = own.filter(|own| self.is_better(own) && is_candidate(own)).unwrap_or(best);
        let is_size = common.iter().all(|factor| SIZES.contains(factor));
        let colour = |swap: &&SwapRecord| swap.changed().iter().all(|factor| COLOURS.contains(factor));
        let colour = self.best_of(better.iter().copied().filter(colour));
        if let (true, false, Some(colour)) = (is_size, told.is_own, colour) {
            return format!(
                "the labels are likelier with {} instead, beyond chance ({}); they are likeliest with {}, but more pixels often help \
                 where nothing is wrong{}{}",
                self.name(colour),
                self.corrected(),
                self.name(best),
                own.map(|own| self.own_differs(own)).unwrap_or_default(),
                Self::advice(colour)
            );
        }
        let most = if std::ptr::eq(told, best) { "likeliest" } else { "likelier" };
        let mut words = format!(
            "the labels are {most} with {} instead, beyond chance ({})",
            self.name(told),
            self.corrected()
        );
        let factors = told.changed();
        if factors.len() > 1 {
            let known = if common.len() == factors.len() {
                String::new()
            } else {
                format!(", of which only the {} is told from chance", common.join(" and the "))
            };
            words += &format!("; it changes the {}{known}", factors.join(" and the "));
        }
        let alike: Vec<&SwapRecord> =
            candidates.iter().copied().filter(|swap| !std::ptr::eq(*swap, told)).collect();
        if !alike.is_empty() {
            words += &format!("; not told apart from it: {}", self.by_factor(&alike, NAMED).join(", "));
        }
        if let Some(own) = own.filter(|own| !is_candidate(own)) {
            words += &self.own_differs(own);
        }
        if is_size && !told.is_own {
            words += "; more pixels often help where nothing is wrong, so that this is no proof";
        }
        words + &Self::advice(told)
    }

    /// Swaps of several factors, and with `may_be_none` the recipe as it is, that the images do not tell apart.
    fn not_told(&self, candidates: &[&SwapRecord], may_be_none: bool) -> String {
        let which = self.by_factor(candidates, 1).join(", ");
        let none = if may_be_none { ", or the recipe as it is" } else { "" };
        let own = self.swaps.iter().find(|swap| swap.is_own);
        let advice = match own {
            Some(own) if candidates.iter().any(|swap| std::ptr::eq(*swap, own)) => format!(
                "; the model's own recipe, which has another {}, is among them, so begin there{}",
                own.changed().join(" and another "),
                Self::advice(own)
            ),
            _ => format!(
                "{}; hold these keys of the recipe against what the weights' source says, or try more images",
                own.map(|own| self.own_differs(own)).unwrap_or_default()
            ),
        };
        format!(
            "not distinguishable: some swaps make the labels likelier beyond chance ({}), but {} images do not tell which of these is right: {which}\
             {none}{advice}",
            self.corrected(),
            self.images
        )
    }

    /// That the recipe is not the model's own, and what that costs on these images.
    fn own_differs(&self, own: &SwapRecord) -> String {
        let what = own.changed().join(" and another ");
        let costs = if own.inputs_changed == 0 {
            "which changes the input of none of these images".to_owned()
        } else {
            let evidence = if self.is_better(own) {
                "beyond chance"
            } else if self.is_worse(own) {
                "and the labels are less likely"
            } else {
                "no more than chance"
            };
            format!("with which top-1 is {:+.1} pp, {evidence}", self.top1_change_pp(own))
        };
        format!("; the model's own recipe has another {what}, {costs}")
    }
}

/// Whether the mean at the best temperatures says so too. It is asked of what the ranks have found, so that no correction is made.
fn is_no_certainty(mean_p: Option<f64>) -> bool {
    mean_p.is_none_or(|p| p < SIGNIFICANT_P)
}

impl SwapRecord {
    /// The factors that it changes.
    fn changed(&self) -> Vec<&str> {
        match &self.changes[..] {
            [] => vec![&self.factor],
            changes => changes.iter().map(String::as_str).collect(),
        }
    }
}
