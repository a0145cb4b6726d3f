//! Gates between two runs over the same images: how far an accuracy may move, and in which direction.

/// What an accuracy of a run has to hold against that of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gate {
    /// It lies at most so many percentage points from the other, above or below.
    Within {
        /// Percentage points.
        tolerance_pp: f64,
    },
    /// It drops by at most so many percentage points; however much it gains.
    MaxDrop {
        /// Percentage points.
        drop_pp: f64,
        /// In per cent: with it the images are taken as a sample of all that could have been measured, and the one-sided
        /// upper bound of the drop counts instead of the drop on these images.
        confidence_pct: Option<f64>,
    },
    /// It is at least so many per cent of the other: MLPerf's rule for types of numbers of less precision.
    AtLeastPctOf {
        /// Per cent.
        share_pct: f64,
    },
}

/// What a gate says of one figure.
#[derive(Debug, Clone, PartialEq)]
pub struct GateResult {
    /// Whether it holds.
    pub holds: bool,
    /// What was compared with what, in words.
    pub words: String,
}

/// One figure of both runs: the images that count, how many each has right, and which changed sides.
#[derive(Debug, Clone, Copy)]
pub struct Paired {
    /// Images.
    pub images: u64,
    /// Hits of the run.
    pub hits: u64,
    /// Hits of the run that it is compared with.
    pub against_hits: u64,
    /// Images that the run alone has right.
    pub gained: u64,
    /// Images that the other alone has right.
    pub lost: u64,
}

impl Gate {
    /// Judges one figure of a run.
    pub fn judge(self, figure: Paired) -> GateResult {
        let Paired { images, hits, against_hits, gained, lost } = figure;
        let drop_pp = 100.0 * (against_hits as f64 - hits as f64) / images as f64;
        let (holds, limit) = match self {
            Self::Within { tolerance_pp } => {
                (at_most(drop_pp.abs(), tolerance_pp), format!("{tolerance_pp} pp"))
            }
            Self::MaxDrop { drop_pp: most, confidence_pct: None } => {
                (at_most(drop_pp, most), format!("a drop of {most} pp"))
            }
            Self::MaxDrop { drop_pp: most, confidence_pct: Some(confidence) } => {
                let bound = 100.0 * drop_upper_bound(lost, gained, images, confidence / 100.0);
                let words = format!("a drop of {most} pp (at {confidence} % confidence below {bound:.3} pp)");
                (at_most(bound, most), words)
            }
            Self::AtLeastPctOf { share_pct } => {
                let share = 100.0 * hits as f64 / against_hits as f64;
                let words = match against_hits {
                    0 => format!("{share_pct} % of nothing right"),
                    _ => format!("{share_pct} % of it ({share:.3} %)"),
                };
                // Of no hits at all, any number is enough.
                (against_hits == 0 || at_most(share_pct, share), words)
            }
        };
        let side = match (self, holds) {
            (Self::AtLeastPctOf { .. }, true) => "at least",
            (Self::AtLeastPctOf { .. }, false) => "below",
            (_, true) => "within",
            (_, false) => "exceeded",
        };
        GateResult { holds, words: format!("{side} {limit}") }
    }
}

/// Whether `value` is at most `limit`, but for what f64 rounds.
fn at_most(value: f64, limit: f64) -> bool {
    value <= limit + 1e-9
}

/// The one-sided upper bound of how much larger the share of `lost` is than that of `gained`, of `images` pairs: the score
/// interval of T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
/// design" (1998), which holds its level with few flips and with none.
fn drop_upper_bound(lost: u64, gained: u64, images: u64, confidence: f64) -> f64 {
    let (lost, gained, n) = (lost as f64, gained as f64, images as f64);
    let quantile = normal_quantile(confidence);
    // The score, which falls as the difference that is supposed grows.
    let score = |difference: f64| {
        let a = 2.0 * n;
        let b = (2.0 * n - lost + gained) * difference - lost - gained;
        let c = -gained * difference * (1.0 - difference);
        // The likeliest share of gains if that is the difference.
        let gains = ((b * b - 4.0 * a * c).max(0.0).sqrt() - b) / (2.0 * a);
        let variance = n * (2.0 * gains + difference * (1.0 - difference));
        (lost - gained - n * difference) / variance.max(f64::MIN_POSITIVE).sqrt()
    };
    let observed = (lost - gained) / n;
    bisect(observed, 1.0, |difference| score(difference) > -quantile)
}

/// The number that a normal variable stays below with `probability`.
fn normal_quantile(probability: f64) -> f64 {
    bisect(-40.0, 40.0, |x| libm::erfc(-x / std::f64::consts::SQRT_2) / 2.0 < probability)
}

/// Where `is_below` turns false between `low` and `high`, to the last bit that halving gives.
fn bisect(mut low: f64, mut high: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(gate: Gate, images: u64, hits: u64, [gained, lost]: [u64; 2]) -> (bool, String) {
        let against_hits = hits + lost - gained;
        let GateResult { holds, words } = gate.judge(Paired { images, hits, against_hits, gained, lost });
        (holds, words)
    }

    #[test]
    fn a_drop_counts_and_a_gain_does_not() {
        let gate = |drop_pp| Gate::MaxDrop { drop_pp, confidence_pct: None };
        assert_eq!(judged(gate(0.5), 1000, 700, [3, 8]), (true, "within a drop of 0.5 pp".to_owned()));
        assert_eq!(judged(gate(0.4), 1000, 700, [3, 8]), (false, "exceeded a drop of 0.4 pp".to_owned()));
        assert!(judged(gate(0.0), 1000, 700, [80, 3]).0);
        assert!(judged(gate(0.0), 1000, 700, [3, 3]).0);
        // The same gain is as far off as a drop for who asks for equal accuracies.
        assert!(!judged(Gate::Within { tolerance_pp: 0.5 }, 1000, 700, [80, 3]).0);
        assert_eq!(
            judged(Gate::Within { tolerance_pp: 0.5 }, 1000, 700, [3, 8]),
            (true, "within 0.5 pp".to_owned())
        );
    }

    #[test]
    fn mlperfs_rule_is_a_share_of_the_other_accuracy() {
        let gate = Gate::AtLeastPctOf { share_pct: 99.0 };
        assert_eq!(judged(gate, 1000, 693, [0, 7]), (true, "at least 99 % of it (99.000 %)".to_owned()));
        assert_eq!(judged(gate, 1000, 692, [0, 8]), (false, "below 99 % of it (98.857 %)".to_owned()));
        assert!(judged(gate, 1000, 900, [100, 0]).0);
        assert_eq!(judged(gate, 10, 0, [0, 0]), (true, "at least 99 % of nothing right".to_owned()));
    }

    #[test]
    fn a_sample_has_to_be_large_enough_to_show_it() {
        let gate = |confidence| Gate::MaxDrop { drop_pp: 1.0, confidence_pct: Some(confidence) };
        // No flip among so few images says little: about three of them may be flips.
        let (holds, words) = judged(gate(95.0), 100, 70, [0, 0]);
        assert!(
            !holds && words.starts_with("exceeded a drop of 1 pp (at 95 % confidence below 2.634 pp)"),
            "{words}"
        );
        assert!(judged(gate(95.0), 1000, 700, [0, 0]).0);
        assert!(judged(gate(95.0), 1000, 700, [5, 5]).0);
        assert!(!judged(gate(99.9), 1000, 700, [5, 5]).0);
    }

    #[test]
    fn bounds_where_they_are_known() {
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-12);
        assert!((normal_quantile(0.95) - 1.644_853_626_951_472_7).abs() < 1e-12);
        // Without flips: z^2 / (n + z^2).
        let squared = normal_quantile(0.95).powi(2);
        assert!((drop_upper_bound(0, 0, 100, 0.95) - squared / (100.0 + squared)).abs() < 1e-9);
    }

    /// Pairs of which 6 % flip, drawn so that the drop is exactly what the gate allows: it may pass in 5 % of the cases.
    #[test]
    fn the_error_rate_is_the_one_that_is_promised() {
        let (images, rounds, drop, gains) = (400_u64, 4000, 0.02, 0.02);
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut passed = 0;
        for _ in 0..rounds {
            let (mut gained, mut lost) = (0, 0);
            for _ in 0..images {
                let at = uniform();
                gained += u64::from(at < gains);
                lost += u64::from((gains..2.0 * gains + drop).contains(&at));
            }
            passed += usize::from(drop_upper_bound(lost, gained, images, 0.95) <= drop);
        }
        let rate = passed as f64 / f64::from(rounds);
        assert!((0.035..0.06).contains(&rate), "{rate}");
    }
}
