//! Whether a network is right as often as it says: a reliability diagram a model.
//!
//! C. Guo et al., "On calibration of modern neural networks" (2017): 15 bins of equal width; the expected
//! calibration error is the mean distance of confidence and accuracy, weighted by images.

use std::collections::HashMap;
use std::fmt::Write as _;

use dataset::labels::LabelSet;

use super::super::escaped;
use crate::logs::predictions::Prediction;

const BINS: usize = 15;

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
    /// Images, mean confidence and accuracy of each bin.
    bins: [(u64, f64, f64); BINS],
}

impl Calibration {
    /// Over the images that have a probability; `None` when none has.
    pub(super) fn of(rows: &[Prediction], confidences: &HashMap<String, f32>, set: LabelSet) -> Option<Self> {
        let mut bins = [(0_u64, 0.0, 0.0); BINS];
        for row in rows {
            let truth = set.truth(&row.image, &row.label);
            let (Ok(top), Some(&confidence), [_, ..]) = (&row.outcome, confidences.get(&row.image), truth)
            else {
                continue;
            };
            let (images, sum, hits) =
                &mut bins[((f64::from(confidence) * BINS as f64) as usize).min(BINS - 1)];
            *images += 1;
            *sum += f64::from(confidence);
            *hits += f64::from(u8::from(truth.contains(&top.classes[0])));
        }
        let images: u64 = bins.iter().map(|bin| bin.0).sum();
        if images == 0 {
            return None;
        }
        let total = |part: fn(&(u64, f64, f64)) -> f64| bins.iter().map(part).sum::<f64>() / images as f64;
        let (confidence, accuracy) = (total(|bin| bin.1), total(|bin| bin.2));
        let error = total(|bin| (bin.1 - bin.2).abs());
        let bins = bins.map(|(images, sum, hits)| {
            let share = |value: f64| if images == 0 { 0.0 } else { value / images as f64 };
            (images, share(sum), share(hits))
        });
        Some(Self { images, confidence, accuracy, error, bins })
    }

    /// In a sentence.
    pub(super) fn words(&self) -> String {
        let side = if self.confidence > self.accuracy { "overconfident" } else { "underconfident" };
        format!(
            "confidence {:.1} %, accuracy {:.1} %: {side}; expected calibration error {:.1} %",
            100.0 * self.confidence,
            100.0 * self.accuracy,
            100.0 * self.error
        )
    }

    /// The reliability diagram: a bar a bin, its height the accuracy, the diagonal what it should be.
    pub(super) fn diagram(&self, name: &str) -> String {
        const SIDE: f64 = 200.0;
        const MARGIN: f64 = 30.0;
        let at = |share: f64| MARGIN + share * SIDE;
        let up = |share: f64| MARGIN / 2.0 + (1.0 - share) * SIDE;
        let (size, title) = (SIDE + 2.0 * MARGIN, format!("Calibration of {name}: {}", self.words()));
        let mut svg = format!(
            "<svg viewBox=\"0 0 {size} {size}\" role=\"img\" aria-label=\"{0}\"><title>{0}</title>\n",
            escaped(&title)
        );
        for tick in [0.0, 0.5, 1.0] {
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{MARGIN}\" x2=\"{}\" y1=\"{1}\" y2=\"{1}\"/><text class=\"tick\" x=\"{2}\" y=\"{3}\" text-anchor=\"end\">{4:.0}</text><text class=\"tick\" x=\"{5}\" y=\"{6}\" text-anchor=\"middle\">{4:.0}</text>",
                at(1.0),
                up(tick),
                MARGIN - 4.0,
                up(tick) + 4.0,
                100.0 * tick,
                at(tick),
                up(0.0) + 14.0
            );
        }
        let width = SIDE / BINS as f64;
        for (index, (images, confidence, accuracy)) in
            self.bins.iter().enumerate().filter(|(_, bin)| bin.0 > 0)
        {
            let _ = writeln!(
                svg,
                "<rect class=\"measured\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{images} images: confidence {:.1} %, accuracy {:.1} %</title></rect>",
                at(index as f64 / BINS as f64) + 1.0,
                up(*accuracy),
                width - 2.0,
                accuracy * SIDE,
                100.0 * confidence,
                100.0 * accuracy
            );
        }
        let _ = writeln!(
            svg,
            "<line class=\"ideal\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/><text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">confidence, %; bars: accuracy, %</text>\n</svg>",
            at(0.0),
            up(0.0),
            at(1.0),
            up(1.0),
            at(0.5),
            up(0.0) + 30.0
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
        assert!(
            found.words().contains("confidence 71.5 %, accuracy 75.0 %: underconfident"),
            "{}",
            found.words()
        );
        assert_eq!(found.diagram("m").matches("<rect").count(), 2);
        assert_eq!(Calibration::of(&rows, &HashMap::new(), LabelSet::Original), None);
    }
}
