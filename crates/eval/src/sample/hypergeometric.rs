//! How many hits a sample without replacement can have: the hypergeometric distribution, its tails, and the two-sided interval for the
//! hits of the whole population, as C. J. Clopper and E. S. Pearson made theirs for the binomial one (1934), for a finite population.
//!
//! Terms come from logarithms of factorials, which are right to 1e-10; sums add them from the largest down.

use std::sync::LazyLock;

use dataset::labels::VAL_IMAGES;

/// ln k! for every k up to the size of the validation set.
static LN_FACTORIALS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let mut sum = 0.0;
    let next = |k: usize| {
        sum += libm::log(k.max(1) as f64);
        sum
    };
    (0..=VAL_IMAGES).map(next).collect()
});

fn ln_choose(of: usize, chosen: usize) -> f64 {
    LN_FACTORIALS[of] - LN_FACTORIALS[chosen] - LN_FACTORIALS[of - chosen]
}

/// A sample without replacement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw {
    /// The population, at most the 50,000 images.
    pub(crate) population: usize,
    /// How many were drawn.
    pub(crate) drawn: usize,
}

impl Draw {
    /// The probability of `hits` or fewer in the sample where the population has `all`.
    pub(crate) fn at_most(self, hits: usize, all: usize) -> f64 {
        let Self { population, drawn } = self;
        let lowest = (drawn + all).saturating_sub(population);
        let highest = drawn.min(all);
        if hits >= highest {
            return 1.0;
        }
        if hits < lowest {
            return 0.0;
        }
        // The tail beyond the mode is the small one, and exact as such.
        let mode = (drawn + 1) * (all + 1) / (population + 2);
        if hits >= mode {
            return (1.0 - self.sum_up(hits + 1, all)).max(0.0);
        }
        let mut term = self.term(hits, all);
        let mut sum = term;
        for count in (lowest..hits).rev() {
            // From `count + 1` down to `count`.
            let up = (all - count) as f64 * (drawn - count) as f64;
            let down = (count + 1) as f64 * (population + count + 1 - all - drawn) as f64;
            term *= down / up;
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        sum.min(1.0)
    }

    /// The probability of `hits` or more.
    pub(crate) fn at_least(self, hits: usize, all: usize) -> f64 {
        // Misses are the hits of the other kind.
        let misses = self.drawn - hits.min(self.drawn);
        if hits > self.drawn { 0.0 } else { self.at_most(misses, self.population - all) }
    }

    /// The sum of the terms from `hits` up, where they fall from there.
    fn sum_up(self, hits: usize, all: usize) -> f64 {
        let Self { population, drawn } = self;
        let mut term = self.term(hits, all);
        let mut sum = term;
        for count in hits..drawn.min(all) {
            let up = (all - count) as f64 * (drawn - count) as f64;
            let down = (count + 1) as f64 * (population + count + 1 - all - drawn) as f64;
            term *= up / down;
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        sum
    }

    fn term(self, hits: usize, all: usize) -> f64 {
        let Self { population, drawn } = self;
        let ln =
            ln_choose(all, hits) + ln_choose(population - all, drawn - hits) - ln_choose(population, drawn);
        libm::exp(ln)
    }

    /// The numbers of hits of the population that a sample with `hits` does not exclude, where each side may be wrong with
    /// probability `tail`: the lowest and the highest.
    pub(crate) fn interval(self, hits: usize, tail: f64) -> [usize; 2] {
        let certain = [hits, self.population - (self.drawn - hits)];
        // `at_least` rises with `all`, `at_most` falls.
        let low = first(certain, |all| self.at_least(hits, all) > tail);
        let high = first(certain, |all| self.at_most(hits, all) <= tail);
        [low, if self.at_most(hits, high) > tail { high } else { high - 1 }]
    }
}

/// The first number of a range, its ends included, for which `holds` holds, which holds for all after it; the last where there
/// is none.
fn first([mut low, mut high]: [usize; 2], holds: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By integers, for a small population.
    fn exact(draw: Draw, hits: usize, all: usize) -> f64 {
        let choose = |of: usize, chosen: usize| -> u128 {
            if chosen > of {
                0
            } else {
                (0..chosen).fold(1, |made, it| made * (of - it) as u128 / (it + 1) as u128)
            }
        };
        let ways = |count: usize| choose(all, count) * choose(draw.population - all, draw.drawn - count);
        (0..=hits).map(ways).sum::<u128>() as f64 / choose(draw.population, draw.drawn) as f64
    }

    #[test]
    fn tails_are_those_of_integers() {
        let population = 23;
        for (drawn, all) in [(1, 0), (5, 11), (12, 23), (22, 3), (23, 7), (10, 12), (17, 17)] {
            let draw = Draw { population, drawn };
            for hits in 0..=drawn {
                let expected = exact(draw, hits, all);
                let below = if hits == 0 { 0.0 } else { exact(draw, hits - 1, all) };
                let here = (draw.at_most(hits, all), draw.at_least(hits, all));
                assert!((here.0 - expected).abs() < 1e-12, "{drawn} {all} {hits}: {here:?}, {expected}");
                assert!((here.1 - (1.0 - below)).abs() < 1e-12, "{drawn} {all} {hits}: {here:?}, {below}");
            }
        }
    }

    /// Sums of exact fractions, for the validation set.
    #[test]
    fn tails_of_the_validation_set() {
        for (drawn, hits, all, at_most) in KNOWN {
            let draw = Draw { population: VAL_IMAGES, drawn };
            let here = draw.at_most(hits, all);
            assert!((here - at_most).abs() <= 1e-8 * at_most, "{drawn} {hits} {all}: {here}, not {at_most}");
        }
    }

    const KNOWN: [(usize, usize, usize, f64); 4] = [
        (500, 350, 39_525, 1.071_612_002_224_388_3e-6),
        (675, 530, 36_525, 0.999_579_784_239_780_2),
        (1000, 820, 39_525, 0.991_592_988_015_692_2),
        (200, 120, 39_525, 6.834_277_662_398_04e-10),
    ];

    #[test]
    fn an_interval_has_what_is_not_excluded() {
        for population in [1, 2, 9, 23] {
            for drawn in 1..=population {
                let draw = Draw { population, drawn };
                for hits in 0..=drawn {
                    let [low, high] = draw.interval(hits, 0.025);
                    let is_in = |all: usize| {
                        all >= hits
                            && population - all >= drawn - hits
                            && draw.at_least(hits, all) > 0.025
                            && draw.at_most(hits, all) > 0.025
                    };
                    let kept: Vec<usize> = (0..=population).filter(|&all| is_in(all)).collect();
                    assert_eq!(kept, (low..=high).collect::<Vec<_>>(), "{hits} of {drawn} of {population}");
                }
            }
        }
    }
}
