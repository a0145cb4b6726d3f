//! What a random sample says of a documented accuracy: it refutes it, or it excludes differences above so many points. It never
//! reproduces one, because hundreds of hits more or less would look the same.
//!
//! The promise is of the card as a whole: if all accuracies that it claims of the run's models are right (within their tolerances), the
//! chance that any of them is called "not reproduced" is at most [`ERROR_RATE`]. Each figure, each look of a growing sample and each side has
//! its equal share of that (C. E. Bonferroni).
//!
//! The law is that of a simple random sample, the hypergeometric one. This sample takes as many images of every class, whose hits
//! vary less wherever classes differ in difficulty by more than chance would have it, as they do for every trained network (W. G. Cochran, "Sampling
//! Techniques", theorem 5.8). If all classes had equally many hits, the standard error would be 1 % larger than the hypergeometric one; the
//! tests show what that costs.

use cards::{Erratum, Figure};
use dataset::labels::VAL_IMAGES;
use serde::{Deserialize, Serialize};

use crate::metrics::percentage;
use crate::sample::Sample;
use crate::sample::hypergeometric::Draw;
use crate::verdict::{Judgement, Verdict};

/// The chance that anything right is refuted.
pub const ERROR_RATE: f64 = 0.05;

/// What a sample says of an accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampledFigure {
    /// The chance of hits at least as far off if the documented figure were right within its tolerance; corrected for all figures, looks and
    /// both sides.
    pub p: f64,
    /// How far the accuracy over all images may be from the documented one, in percentage points: all else is excluded.
    pub excludes_above_pp: f64,
    /// How many accuracies share the error rate.
    pub figures: usize,
    /// How many looks share it.
    pub looks: usize,
}

impl SampledFigure {
    /// Whether the documented figure is excluded.
    pub fn is_refuted(&self) -> bool {
        self.p <= ERROR_RATE
    }
}

/// What is known of an accuracy by a sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) sample: Sample,
    /// Images and hits at each look so far.
    pub(super) looks: &'a [(usize, usize)],
    /// How many accuracies share the error rate.
    pub(super) figures: usize,
    /// How many hits may be others, of images that were not computed again in f32.
    pub(super) missed: usize,
}

impl Seen<'_> {
    /// How many chances of an error there are, each side of each figure and look by itself.
    fn chances(self) -> f64 {
        2.0 * (self.figures * self.sample.looks().1) as f64
    }

    /// The hits of the whole set that no look excludes; where looks contradict each other, as they do when one of them errs,
    /// those of the last.
    fn interval(self) -> [usize; 2] {
        let tail = ERROR_RATE / self.chances();
        let of_look = |&(drawn, hits): &(usize, usize)| {
            let draw = Draw { population: VAL_IMAGES, drawn };
            let [fewest, most] = self.may_be(drawn, hits);
            [draw.interval(fewest, tail)[0], draw.interval(most, tail)[1]]
        };
        let mut all = self.looks.iter().map(of_look);
        let [low, high] =
            all.clone().fold([0, VAL_IMAGES], |[low, high], it| [low.max(it[0]), high.min(it[1])]);
        if low <= high { [low, high] } else { all.next_back().unwrap_or([0, VAL_IMAGES]) }
    }

    /// The fewest and the most hits that a look may have.
    fn may_be(self, drawn: usize, hits: usize) -> [usize; 2] {
        [hits.saturating_sub(self.missed), hits.saturating_add(self.missed).min(drawn)]
    }

    /// The interval in per cent.
    pub(super) fn interval_pct(self) -> [f64; 2] {
        self.interval().map(|hits| percentage(hits as u64, VAL_IMAGES as u64))
    }

    /// The corrected chance of what was seen if the hits of the whole set were one of `numbers` at most far off.
    fn p(self, [low, high]: [usize; 2]) -> f64 {
        let of_look = |&(drawn, hits): &(usize, usize)| {
            let draw = Draw { population: VAL_IMAGES, drawn };
            let [fewest, most] = self.may_be(drawn, hits);
            draw.at_least(fewest, high).min(draw.at_most(most, low))
        };
        let least = self.looks.iter().map(of_look).fold(1.0, f64::min);
        (least * self.chances()).min(1.0)
    }

    /// What it says of the figure that is printed.
    fn of(self, printed: &Figure, tolerance_pp: f64) -> SampledFigure {
        let excludes_above_pp =
            self.interval_pct().map(|end| (end - printed.value()).abs()).into_iter().fold(0.0, f64::max);
        let p = self.p(allowed(printed.value(), tolerance_pp));
        SampledFigure { p, excludes_above_pp, figures: self.figures, looks: self.sample.looks().1 }
    }
}

/// The numbers of hits of the whole set that reproduce `pct` per cent: the lowest and the highest. Where none does, the two around
/// it.
fn allowed(pct: f64, tolerance_pp: f64) -> [usize; 2] {
    /// What the arithmetic of f64 may be off, in hits.
    const ROUNDING: f64 = 1e-6;
    let hits = |pct: f64| (pct / 100.0 * VAL_IMAGES as f64).clamp(0.0, VAL_IMAGES as f64);
    let low = (hits(pct - tolerance_pp) - ROUNDING).ceil() as usize;
    let high = (hits(pct + tolerance_pp) + ROUNDING).floor() as usize;
    [low.min(high), high.max(low)]
}

/// Judges an accuracy by a sample.
pub(super) fn judge_sample(
    documented: &Figure,
    seen: Seen<'_>,
    tolerance_pp: f64,
    erratum: Option<&Erratum>,
) -> (Judgement, SampledFigure) {
    let found = seen.of(documented, tolerance_pp);
    let (images, hits) = seen.looks.last().copied().unwrap_or_default();
    let difference_pp = percentage(hits as u64, images as u64) - documented.value();
    let shares = shares(&found);
    let of = format!("sample {} of {VAL_IMAGES}", seen.sample);
    if !found.is_refuted() {
        let points = up(found.excludes_above_pp);
        let reason = format!("consistent; excludes differences above {points} points ({of}, 95 % {shares})");
        return (Judgement { verdict: Verdict::NotComparable, reason }, found);
    }
    let words = format!(
        "{difference_pp:+.3} pp, tolerance {tolerance_pp} pp; {} ({of}, {shares})",
        probability(found.p)
    );
    let judged = match erratum {
        None => Judgement { verdict: Verdict::NotReproduced, reason: words },
        Some(erratum) => {
            let corrected = seen.of(&erratum.corrected, tolerance_pp);
            let (figure, why) = (erratum.corrected.as_str(), &erratum.reason);
            if corrected.is_refuted() {
                let p = probability(corrected.p);
                let reason = format!(
                    "{words}; nor is {figure} consistent, to which an erratum corrects it ({why}): {p}"
                );
                Judgement { verdict: Verdict::NotReproduced, reason }
            } else {
                let points = up(corrected.excludes_above_pp);
                let reason = format!(
                    "{why}; {figure}, as corrected, is consistent; excludes differences above {points} points from that \
                     ({of}, 95 % {shares})"
                );
                Judgement { verdict: Verdict::NotComparable, reason }
            }
        }
    };
    (judged, found)
}

/// Over what the error rate is shared.
fn shares(found: &SampledFigure) -> String {
    let figures = match found.figures {
        1 => "for 1 figure".to_owned(),
        count => format!("for {count} figures together"),
    };
    match found.looks {
        1 => figures,
        looks => format!("{figures}, at {looks} looks"),
    }
}

/// Points with two digits, never less than they are.
fn up(points: f64) -> String {
    format!("{:.2}", (points * 100.0 - 1e-9).ceil() / 100.0)
}

/// A probability with two digits that mean something. One below all that a number holds is none the less not 0.
fn probability(p: f64) -> String {
    match p {
        0.001.. => format!("p = {p:.4}"),
        f64::MIN_POSITIVE.. => format!("p = {p:.1e}"),
        _ => "p < 1e-307".to_owned(),
    }
}

#[cfg(test)]
mod tests;
