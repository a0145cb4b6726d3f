//! Whether a network is right as often as it says: a reliability diagram a model.
//!
//! C. Guo et al., "On calibration of modern neural networks" (2017): 15 bins of equal width; the expected
//! calibration error is the mean distance of confidence and accuracy, weighted by images. Of few images chance alone makes such a
//! distance, so that what is said is held against what a calibrated network would show on as many.

use std::collections::HashMap;
use std::fmt::Write as _;

use dataset::labels::LabelSet;

use super::super::escaped;
use crate::logs::predictions::Prediction;
use crate::metrics::wilson_interval_pct;

const BINS: usize = 15;

/// Of fewer images a bar is pale: one of them moves it by ten points or more.
pub(super) const FEW: u64 = 10;

/// Standard errors from which on a difference is more than chance, in 95 of 100 cases.
const BEYOND_CHANCE: f64 = 1.96;

/// How a model's confidence and accuracy go together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Calibration {
    pub(super) images: u64,
    /// Mean probability of the best class, 0 to 1.
    pub(super) confidence: f64,
    /// Share of hits, 0 to 1.
    pub(super) accuracy: f64,
    /// Expected calibration error, 0 to 1.
    pub(super) error: f64,
    /// What that would be on average, were each prediction right with the probability that it has.
    pub(super) error_by_chance: f64,
    /// The standard error of the accuracy, were it so.
    standard_error: f64,
    bins: [Bin; BINS],
}

/// Predictions of about one confidence.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Bin {
    images: u64,
    hits: u64,
    /// The sum of their probabilities.
    confidence: f64,
    /// The variance of the number of hits, were each as probable as the network says.
    variance: f64,
}

impl Bin {
    /// By how many hits it has more or less than its probabilities say.
    fn distance(&self) -> f64 {
        (self.confidence - self.hits as f64).abs()
    }

    /// The mean of that, were it chance: of a normal distribution.
    fn distance_by_chance(&self) -> f64 {
        (self.variance * std::f64::consts::FRAC_2_PI).sqrt()
    }
}

impl Calibration {
    /// Over the images that have a probability; `None` when none has.
    pub(super) fn of(rows: &[Prediction], confidences: &HashMap<String, f32>, set: LabelSet) -> Option<Self> {
        let mut bins = [Bin::default(); BINS];
        for row in rows {
            let truth = set.truth(&row.image, &row.label);
            let (Ok(top), Some(&confidence), [_, ..]) = (&row.outcome, confidences.get(&row.image), truth)
            else {
                continue;
            };
            let confidence = f64::from(confidence);
            let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
            bin.images += 1;
            bin.hits += u64::from(truth.contains(&top.classes[0]));
            bin.confidence += confidence;
            bin.variance += (confidence * (1.0 - confidence)).max(0.0);
        }
        let images: u64 = bins.iter().map(|bin| bin.images).sum();
        if images == 0 {
            return None;
        }
        let total = |part: fn(&Bin) -> f64| bins.iter().map(part).sum::<f64>();
        let mean = |part: fn(&Bin) -> f64| total(part) / images as f64;
        Some(Self {
            images,
            confidence: mean(|bin| bin.confidence),
            accuracy: mean(|bin| bin.hits as f64),
            error: mean(Bin::distance),
            error_by_chance: mean(Bin::distance_by_chance),
            standard_error: total(|bin| bin.variance).sqrt() / images as f64,
            bins,
        })
    }

    /// In a sentence.
    pub(super) fn words(&self) -> String {
        let distance = self.confidence - self.accuracy;
        let side = match distance {
            _ if distance.abs() <= BEYOND_CHANCE * self.standard_error => {
                "neither over- nor underconfident beyond chance"
            }
            0.0.. => "overconfident",
            _ => "underconfident",
        };
        format!(
            "confidence {:.1} %, accuracy {:.1} %: {side}; expected calibration error {:.1} % (a calibrated network has about {:.1} % on \
             {} images)",
            100.0 * self.confidence,
            100.0 * self.accuracy,
            100.0 * self.error,
            100.0 * self.error_by_chance,
            self.images
        )
    }

    /// The reliability diagram: a bar a bin, its height the accuracy with its interval, the diagonal what it should be; below it how many
    /// images each has.
    pub(super) fn diagram(&self, name: &str) -> String {
        const SIDE: f64 = 200.0;
        const MARGIN: f64 = 30.0;
        /// Left of the diagram: numbers, and what they are.
        const LEFT: f64 = 46.0;
        /// The height of the largest bin below the diagram.
        const STRIP: f64 = 24.0;
        let at = |share: f64| LEFT + share * SIDE;
        let up = |share: f64| MARGIN / 2.0 + (1.0 - share) * SIDE;
        let (width, height) = (LEFT + SIDE + MARGIN / 2.0, SIDE + 2.0 * MARGIN + STRIP + 8.0);
        let title = format!("Calibration of {name}: {}", self.words());
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{0}\"><title>{0}</title>\n",
            escaped(&title)
        );
        for tick in [0.0, 0.5, 1.0] {
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{1}\" y2=\"{1}\"/><text class=\"tick\" x=\"{2}\" y=\"{3}\" text-anchor=\"end\">{4:.0}</text><text class=\"tick\" x=\"{5}\" y=\"{6}\" text-anchor=\"middle\">{4:.0}</text>",
                at(1.0),
                up(tick),
                LEFT - 4.0,
                up(tick) + 4.0,
                100.0 * tick,
                at(tick),
                up(0.0) + 14.0
            );
        }
        let most = self.bins.iter().map(|bin| bin.images).max().unwrap_or(1);
        let bar = SIDE / BINS as f64;
        // Below the ticks' numbers.
        let floor = up(0.0) + 20.0 + STRIP;
        for (index, bin) in self.bins.iter().enumerate().filter(|(_, bin)| bin.images > 0) {
            let Bin { images, hits, confidence, .. } = *bin;
            let accuracy = hits as f64 / images as f64;
            let [low, high] = wilson_interval_pct(hits, images);
            let left = at(index as f64 / BINS as f64) + 1.0;
            let share = STRIP * images as f64 / most as f64;
            let few = if images < FEW { " few" } else { "" };
            let _ = writeln!(
                svg,
                "<g class=\"bin{few}\"><title>{images} images: confidence {0:.1} %, accuracy {1:.1} % [{low:.1}, {high:.1}]</title><rect class=\"measured\" x=\"{left:.1}\" y=\"{2:.1}\" width=\"{3:.1}\" height=\"{4:.1}\"/><line class=\"measured\" x1=\"{5:.1}\" x2=\"{5:.1}\" y1=\"{6:.1}\" y2=\"{7:.1}\"/><rect class=\"images\" x=\"{left:.1}\" y=\"{8:.1}\" width=\"{3:.1}\" height=\"{9:.1}\"/></g>",
                100.0 * confidence / images as f64,
                100.0 * accuracy,
                up(accuracy),
                bar - 2.0,
                accuracy * SIDE,
                left + bar / 2.0 - 1.0,
                up(low / 100.0),
                up(high / 100.0),
                floor - share,
                share
            );
        }
        let _ = writeln!(
            svg,
            "<line class=\"ideal\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/><text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">confidence, %</text><text class=\"axis\" x=\"12\" y=\"{6}\" text-anchor=\"middle\" transform=\"rotate(-90 12 {6})\">accuracy, %</text>\n</svg>",
            at(0.0),
            up(0.0),
            at(1.0),
            up(1.0),
            at(0.5),
            floor + 14.0,
            up(0.5)
        );
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TopK;

    #[test]
    fn the_error_is_the_distance_weighted_by_images() {
        let row = |image: &str, best: u16| {
            let top = TopK { classes: [best, 995, 996, 997, 998], logits: [5.0, 4.0, 3.0, 2.0, 1.0] };
            Prediction { image: image.to_owned(), label: 1, outcome: Ok(top) }
        };
        let rows = [row("a", 1), row("b", 1), row("c", 2), row("d", 1), row("without", 1)];
        let confidences = [("a", 0.91), ("b", 0.92), ("c", 0.93), ("d", 0.1)];
        let confidences = confidences.map(|(image, value)| (image.to_owned(), value)).into();
        let found = Calibration::of(&rows, &confidences, LabelSet::Original).unwrap();
        assert_eq!((found.images, found.accuracy), (4, 0.75));
        // |2.76 - 2| and |0.1 - 1|, of four images.
        assert!((found.error - (0.76 + 0.9) / 4.0).abs() < 1e-6, "{}", found.error);
        // 3.5 points are nothing of four images.
        assert_eq!(
            found.words(),
            "confidence 71.5 %, accuracy 75.0 %: neither over- nor underconfident beyond chance; expected calibration error 41.5 % (a \
             calibrated network has about 15.4 % on 4 images)"
        );
        // sqrt(2 / pi) of the deviation of each bin, of four images.
        let deviations = (0.91_f64 * 0.09 + 0.92 * 0.08 + 0.93 * 0.07).sqrt() + (0.1_f64 * 0.9).sqrt();
        let by_chance = std::f64::consts::FRAC_2_PI.sqrt() * deviations / 4.0;
        assert!((found.error_by_chance - by_chance).abs() < 1e-6, "{}", found.error_by_chance);
        let diagram = found.diagram("m");
        assert_eq!(diagram.matches("<rect class=\"measured\"").count(), 2);
        assert_eq!(diagram.matches("class=\"bin few\"").count(), 2);
        assert!(diagram.contains("3 images: confidence 92.0 %, accuracy 66.7 % [20.8, 93.9]"), "{diagram}");
        assert_eq!(Calibration::of(&rows, &HashMap::new(), LabelSet::Original), None);
    }

    #[test]
    fn a_side_is_named_beyond_chance_only() {
        // Of 400 predictions with probability 0.8 chance makes 310 to 330 right, or so.
        for (hits, expected) in [
            (300, ": overconfident;"),
            (310, "beyond chance;"),
            (330, "beyond chance;"),
            (345, ": underconfident;"),
        ] {
            let row = |number: u16| {
                let top = TopK {
                    classes: [u16::from(number < hits), 995, 996, 997, 998],
                    logits: [5.0, 4.0, 3.0, 2.0, 1.0],
                };
                Prediction { image: number.to_string(), label: 1, outcome: Ok(top) }
            };
            let rows: Vec<Prediction> = (0..400).map(row).collect();
            let confidences = rows.iter().map(|row| (row.image.clone(), 0.8)).collect();
            let found = Calibration::of(&rows, &confidences, LabelSet::Original).unwrap();
            assert!(found.words().contains(expected), "{hits}: {}", found.words());
        }
    }
}
