//! Whether paired differences lean to one side: Wilcoxon's signed-rank test, and that of their mean. Of a network's certainty of the label
//! they see far smaller changes than flips of the best class show.
//!
//! The two ask different questions. What makes a network more certain of nearly all images (a smaller crop, a sharper filter) makes most
//! labels a little likelier and a few far less likely: ranks call that a gain, the mean does not. A few images that change by much are a gain
//! of the mean, and none of ranks.
//!
//! F. Wilcoxon, "Individual comparisons by ranking methods" (1945); by the normal distribution, with the correction for ties.

use std::f64::consts::FRAC_1_SQRT_2;

/// Below so many differences the normal distribution is no approximation, and nothing is concluded.
const MIN_DIFFERENCES: usize = 10;

/// The two-sided p-value: the probability of ranks at least as uneven as these, if each difference had either sign with probability one
/// half. Zeros say nothing and are left out.
pub(super) fn signed_rank_p(differences: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = differences.iter().copied().filter(|it| it.is_finite() && *it != 0.0).collect();
    if sizes.len() < MIN_DIFFERENCES {
        return 1.0;
    }
    sizes.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let n = sizes.len() as f64;
    let (mut positive, mut ties) = (0.0, 0.0);
    let mut rank = 0.0;
    for tied in sizes.chunk_by(|a, b| a.abs() == b.abs()) {
        let count = tied.len() as f64;
        // The mean of the ranks that they share.
        let mean = rank + (count + 1.0) / 2.0;
        positive += mean * tied.iter().filter(|it| **it > 0.0).count() as f64;
        ties += count * (count * count - 1.0);
        rank += count;
    }
    let expected = n * (n + 1.0) / 4.0;
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
    // A sum of ranks moves in steps of one.
    let distance = ((positive - expected).abs() - 0.5).max(0.0);
    libm::erfc(distance / variance.sqrt() * FRAC_1_SQRT_2).min(1.0)
}

/// The two-sided p-value of the mean, were the true one zero: by the normal distribution, which of some dozens of differences is near
/// Student's. Zeros count.
pub(super) fn mean_p(differences: &[f64]) -> f64 {
    let n = differences.len() as f64;
    if differences.len() < MIN_DIFFERENCES || differences.iter().any(|it| !it.is_finite()) {
        return 1.0;
    }
    let mean = differences.iter().sum::<f64>() / n;
    let variance = differences.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / (n - 1.0);
    if variance == 0.0 {
        return if mean == 0.0 { 1.0 } else { 0.0 };
    }
    libm::erfc(mean.abs() / (variance / n).sqrt() * FRAC_1_SQRT_2).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_and_the_ranks_ask_different_questions() {
        // 1 to 20: mean 10.5, variance 35, standard error sqrt(1.75): z = 7.9373.
        let rising: Vec<f64> = (1..=20).map(f64::from).collect();
        assert!((mean_p(&rising) / 2.07e-15 - 1.0).abs() < 0.01, "{}", mean_p(&rising));
        assert_eq!(mean_p(&rising), mean_p(&rising.iter().map(|it| -it).collect::<Vec<_>>()));
        // Most a little up, a few far down.
        let certain: Vec<f64> = (0..200).map(|n| if n % 10 == 0 { -0.9 } else { 0.1 }).collect();
        assert!(signed_rank_p(&certain) < 1e-6 && mean_p(&certain) > 0.5, "{}", mean_p(&certain));
        assert_eq!((mean_p(&[1.0; 9]), mean_p(&[0.0; 20]), mean_p(&[1.0; 20])), (1.0, 1.0, 0.0));
        assert_eq!(mean_p(&[f64::NAN; 20]), 1.0);
    }

    #[test]
    fn ranks_on_one_side_are_no_chance() {
        let leaning: Vec<f64> =
            (1..=30).map(|n| f64::from(n) * if n % 6 == 0 { -1.0 } else { 1.0 }).collect();
        // Sum of the negative ranks 6 + 12 + ... + 30 = 90; expected 232.5, deviation sqrt(2363.75): z = 142 / 48.618.
        assert!((signed_rank_p(&leaning) - 0.003_492_4).abs() < 1e-6, "{}", signed_rank_p(&leaning));
        let mirrored: Vec<f64> = leaning.iter().map(|it| -it).collect();
        assert_eq!(signed_rank_p(&leaning), signed_rank_p(&mirrored));
        let even: Vec<f64> = (1..=30).map(|n| f64::from(n) * if n % 2 == 0 { -1.0 } else { 1.0 }).collect();
        assert!(signed_rank_p(&even) > 0.7);
    }

    #[test]
    fn ties_share_their_ranks_and_zeros_have_none() {
        let mut tied = vec![1.0; 12];
        tied[0] = -1.0;
        // Every rank is 6.5: positive 71.5, expected 39, variance 162.5 - 12 * 143 / 48 = 126.75.
        let z: f64 = 32.0 / 126.75_f64.sqrt();
        assert!((signed_rank_p(&tied) - libm::erfc(z * FRAC_1_SQRT_2)).abs() < 1e-12);
        let p = signed_rank_p(&tied);
        tied.extend([0.0; 50]);
        assert_eq!(signed_rank_p(&tied), p);
    }

    #[test]
    fn too_few_say_nothing() {
        assert_eq!(signed_rank_p(&[1.0; 9]), 1.0);
        assert_eq!(signed_rank_p(&[]), 1.0);
        assert_eq!(signed_rank_p(&[f64::NAN; 30]), 1.0);
        assert!(signed_rank_p(&[1.0; 10]) < 0.005);
    }
}
