//! How clearly an image's label is a hit: its distance in logits from the place where the hit would be lost or gained.

use crate::metrics::TOP_K;

/// How far a label's logit lies above the rival that decides about a hit, for the best class and for the five best. A hit has a
/// positive margin; of a tie, which the lower class index wins, `0.0` is a hit and `-0.0` is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Margins {
    /// Above the best of the other classes.
    pub(crate) top1: f32,
    /// Above the fifth best of them.
    pub(crate) top5: f32,
}

impl Margins {
    /// The margins of the best label of `truth`, the right classes; none where no class is right or a logit is not finite, so that
    /// there are no hits.
    ///
    /// # Panics
    /// If there are fewer than five classes beside those (a programmer's mistake).
    pub(crate) fn of(logits: &[f32], truth: &[u16]) -> Option<Self> {
        if !logits.iter().all(|logit| logit.is_finite()) {
            return None;
        }
        let mut label: Option<(f32, usize)> = None;
        let mut rivals: Vec<(f32, usize)> = Vec::with_capacity(TOP_K + 1);
        for (class, &logit) in logits.iter().enumerate() {
            if truth.iter().any(|&right| usize::from(right) == class) {
                // Strictly greater: the first of equal ones has the lower index.
                if label.is_none_or(|(best, _)| logit > best) {
                    label = Some((logit, class));
                }
                continue;
            }
            let place = rivals.iter().position(|&(other, _)| logit > other).unwrap_or(rivals.len());
            if place < TOP_K {
                rivals.insert(place, (logit, class));
                rivals.truncate(TOP_K);
            }
        }
        assert!(rivals.len() == TOP_K, "a margin needs five other classes");
        let (logit, label) = label?;
        let above = |&(rival, class): &(f32, usize)| match logit == rival {
            true if class < label => -0.0,
            true => 0.0,
            false => logit - rival,
        };
        Some(Self { top1: above(&rivals[0]), top5: above(&rivals[TOP_K - 1]) })
    }

    /// The smaller of the two distances: the least error of a margin that changes a hit.
    pub(crate) fn least(self) -> f32 {
        self.top1.abs().min(self.top5.abs())
    }

    /// By how much the margins differ, the larger of the two.
    pub(crate) fn error(self, exact: Self) -> f32 {
        (self.top1 - exact.top1).abs().max((self.top5 - exact.top5).abs())
    }

    /// Whether the label is the best class, and whether it is one of the five best.
    pub(crate) fn hits(self) -> [bool; 2] {
        [self.top1, self.top5].map(f32::is_sign_positive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Hits, TopK};

    fn random(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    }

    /// Few different values, so that ties are many.
    #[test]
    fn margins_say_of_hits_what_the_ranking_says() {
        let mut seed = 1;
        let mut ties = 0;
        for _ in 0..20_000 {
            let logits: Vec<f32> = (0..12).map(|_| (random(&mut seed) % 5) as f32 - 2.0).collect();
            let mut truth: Vec<u16> =
                (0..1 + random(&mut seed) % 3).map(|_| (random(&mut seed) % 12) as u16).collect();
            truth.dedup();
            let mut hits = Hits::default();
            hits.add(&truth, TopK::of(&logits).as_ref());
            let margins = Margins::of(&logits, &truth).unwrap();
            ties += usize::from(margins.least() == 0.0);
            // Five right classes of several may push each other out of the five, and one of them is there all the same.
            assert_eq!(margins.hits(), [hits.top1 == 1, hits.top5 == 1], "{logits:?} {truth:?}");
        }
        assert!(ties > 1000, "{ties}");
    }

    #[test]
    fn margins_are_distances_from_the_rivals() {
        let logits = [5.0, 4.0, 3.0, 2.5, 1.0, 0.5, 0.0];
        let of = |truth: &[u16]| Margins::of(&logits, truth).unwrap();
        assert_eq!(of(&[0]), Margins { top1: 1.0, top5: 4.5 });
        assert_eq!(of(&[6]), Margins { top1: -5.0, top5: -1.0 });
        assert_eq!(of(&[6, 1]), Margins { top1: -1.0, top5: 3.5 });
        assert_eq!(of(&[6]).least(), 1.0);
        assert_eq!(of(&[0]).error(Margins { top1: 1.25, top5: 4.0 }), 0.5);
        assert_eq!(Margins::of(&logits, &[]), None);
        assert_eq!(Margins::of(&[f32::NAN, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1]), None);
    }
}
