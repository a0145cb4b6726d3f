//! Top-k and accuracy. Hits are integers; percentages exist only in print.

/// How many of the best classes are kept.
pub const TOP_K: usize = 5;

/// The best classes of one image and their logits, the best first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TopK {
    /// Class indices.
    pub classes: [u16; TOP_K],
    /// Their logits.
    pub logits: [f32; TOP_K],
}

impl TopK {
    /// What stands for a class that nobody knows: of predictions made elsewhere there may be fewer than five.
    pub(crate) const UNKNOWN: u16 = u16::MAX;

    /// The best classes as another program ranked them; their logits are not known, which is no number.
    pub(crate) fn of_ranked(ranked: &[u16]) -> Self {
        let mut classes = [Self::UNKNOWN; TOP_K];
        classes.iter_mut().zip(ranked).for_each(|(class, &ranked)| *class = ranked);
        Self { classes, logits: [f32::NAN; TOP_K] }
    }

    /// Whether all five classes are known.
    pub(crate) fn has_all_classes(&self) -> bool {
        !self.classes.contains(&Self::UNKNOWN)
    }

    /// The five best of `logits`; the lower class index wins a tie, as in PyTorch and NumPy.
    ///
    /// ```
    /// use eval::metrics::TopK;
    ///
    /// let top = TopK::of(&[0.0, 3.0, 1.0, 3.0, 2.0, -1.0]).expect("every logit is finite");
    /// assert_eq!(top.classes, [1, 3, 4, 2, 0]);
    /// ```
    ///
    /// `None` when a logit is not finite: such an output ranks nothing, and counting it as wrong
    /// would hide a broken network behind a low accuracy.
    ///
    /// # Panics
    /// If there are fewer than five logits (a programmer's mistake).
    pub fn of(logits: &[f32]) -> Option<Self> {
        assert!(logits.len() >= TOP_K, "top-5 needs at least five classes");
        let mut best = Self { classes: [u16::MAX; TOP_K], logits: [f32::NEG_INFINITY; TOP_K] };
        for (class, &logit) in logits.iter().enumerate() {
            if !logit.is_finite() {
                return None;
            }
            // Strictly greater: an equal logit of a higher class stays behind.
            let Some(rank) = best.logits.iter().position(|&other| logit > other) else { continue };
            best.classes.copy_within(rank..TOP_K - 1, rank + 1);
            best.logits.copy_within(rank..TOP_K - 1, rank + 1);
            best.classes[rank] = class as u16;
            best.logits[rank] = logit;
        }
        Some(best)
    }
}

/// What an evaluation counted. Images that could not be read stay in the denominator; images for which
/// no class is right (ReaL has such) are outside it.
///
/// ```
/// use eval::metrics::{Hits, TopK, percentage};
///
/// let top = TopK::of(&[0.0, 1.0, 2.0, 3.0, 4.0, 0.5]);
/// let mut hits = Hits::default();
/// hits.add(&[4], top.as_ref());
/// hits.add(&[3], top.as_ref());
/// hits.add(&[3], None);
/// assert_eq!((hits.images, hits.errors, hits.top1, hits.top5), (3, 1, 1, 2));
/// assert_eq!(format!("{:.3}", percentage(hits.top1, hits.images)), "33.333");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hits {
    /// All images for which some class is right, unreadable ones included: the denominator.
    pub images: u64,
    /// Images for which no class is right. They are nowhere else.
    pub unlabelled: u64,
    /// Images without a prediction.
    pub errors: u64,
    /// Images whose best class is right.
    pub top1: u64,
    /// Images with a right one among the five best classes.
    pub top5: u64,
}

impl Hits {
    /// Counts one image, for which the classes in `truth` are right.
    pub fn add(&mut self, truth: &[u16], prediction: Option<&TopK>) {
        self.add_ranked(truth, prediction.map(|top| &top.classes[..]));
    }

    /// The same of classes of which there may be more or fewer than five, the best first.
    pub(crate) fn add_ranked(&mut self, truth: &[u16], classes: Option<&[u16]>) {
        if truth.is_empty() {
            self.unlabelled += 1;
            return;
        }
        self.images += 1;
        match classes {
            None => self.errors += 1,
            Some(classes) => {
                let mut right = classes.iter().take(TOP_K).map(|class| truth.contains(class));
                let best = right.next().unwrap_or_default();
                self.top1 += u64::from(best);
                self.top5 += u64::from(best || right.any(|right| right));
            }
        }
    }
}

/// `hits` of `images` in per cent; 0 for no images.
pub fn percentage(hits: u64, images: u64) -> f64 {
    if images == 0 { 0.0 } else { 100.0 * hits as f64 / images as f64 }
}

/// The 95 % Wilson score interval of an accuracy measured on a sample, in per cent.
///
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
pub fn wilson_interval_pct(hits: u64, images: u64) -> [f64; 2] {
    if images == 0 {
        return [0.0, 100.0];
    }
    const Z: f64 = 1.959_963_984_540_054;
    let n = images as f64;
    let p = hits as f64 / n;
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 100.0 / (1.0 + Z * Z / n);
    [(centre - spread) * scale, (centre + spread) * scale].map(|bound| bound.clamp(0.0, 100.0))
}

/// The two-sided p-value of McNemar's exact test: the probability of a split of `gained + lost` flips at
/// least as uneven as this one, if each flip went either way with probability one half.
///
/// Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
/// percentages" (1947); exact by the binomial distribution.
pub(crate) fn mcnemar_exact_p(gained: u64, lost: u64) -> f64 {
    let flips = gained + lost;
    // Terms of the binomial distribution by their logarithms: 2^-50000 is no f64.
    let mut log_term = -(flips as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for count in 0..=gained.min(lost) {
        tail += log_term.exp();
        log_term += ((flips - count) as f64 / (count + 1) as f64).ln();
    }
    // Both tails overlap in the middle when the split is even.
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_k_is_ordered_and_ties_go_to_the_lower_class() {
        let top = TopK::of(&[0.0, 3.0, 1.0, 3.0, 2.0, 1.0, -1.0]).unwrap();
        assert_eq!(top.classes, [1, 3, 4, 2, 5]);
        assert_eq!(top.logits, [3.0, 3.0, 2.0, 1.0, 1.0]);
    }

    #[test]
    fn top_k_of_very_negative_logits_is_complete() {
        let top = TopK::of(&[f32::MIN; 6]).unwrap();
        assert_eq!(top.classes, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn an_output_that_is_not_finite_ranks_nothing() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(TopK::of(&[0.0, 1.0, 2.0, 3.0, 4.0, bad]), None);
        }
    }

    #[test]
    fn an_unreadable_image_stays_in_the_denominator() {
        let mut hits = Hits::default();
        hits.add(&[4], TopK::of(&[0.0, 1.0, 2.0, 3.0, 4.0, 0.5]).as_ref());
        hits.add(&[0], TopK::of(&[0.0, 1.0, 2.0, 3.0, 4.0, 0.5]).as_ref());
        hits.add(&[3], TopK::of(&[0.0, 1.0, 2.0, 3.0, 4.0, 0.5]).as_ref());
        hits.add(&[4], None);
        assert_eq!(hits, Hits { images: 4, errors: 1, top1: 1, top5: 2, unlabelled: 0 });
    }

    #[test]
    fn any_of_several_labels_is_right_and_an_image_without_one_does_not_count() {
        let top = TopK::of(&[0.0, 1.0, 2.0, 3.0, 4.0, 0.5]);
        let mut hits = Hits::default();
        hits.add(&[9, 4], top.as_ref());
        hits.add(&[9, 1], top.as_ref());
        hits.add(&[], top.as_ref());
        hits.add(&[], None);
        assert_eq!(hits, Hits { images: 2, errors: 0, top1: 1, top5: 2, unlabelled: 2 });
    }

    #[test]
    fn mcnemar_agrees_with_the_binomial_distribution() {
        // From sums of exact integers. The first terms of the last are below the smallest f64.
        for (gained, lost, p) in [
            (0, 0, 1.0),
            (1, 0, 1.0),
            (3, 3, 1.0),
            (10, 2, 0.038_574_218_75),
            (2, 10, 0.038_574_218_75),
            (59, 16, 6.114_156_572_5e-7),
            (600, 500, 0.002_819_544_991_4),
            (25_400, 24_600, 0.000_352_501_457_998),
        ] {
            let here = mcnemar_exact_p(gained, lost);
            assert!((here - p).abs() <= 1e-6 * p, "{gained} and {lost}: {here}, not {p}");
        }
    }

    #[test]
    fn wilson_interval_agrees_with_a_published_example() {
        // 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, table I, method 3).
        let [low, high] = wilson_interval_pct(81, 263);
        assert!((low - 25.53).abs() < 0.005 && (high - 36.62).abs() < 0.005, "{low} {high}");
        assert_eq!(wilson_interval_pct(0, 0), [0.0, 100.0]);
    }
}
