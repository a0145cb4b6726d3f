//! How likely a network finds what is right.

/// The logarithm of the probability that `logits` give to the classes in `truth` together; nothing where there is none, or where a
/// logit is not finite.
pub(super) fn log_probability(logits: &[f32], truth: &[u16]) -> Option<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !most.is_finite() || logits.iter().any(|logit| !logit.is_finite()) {
        return None;
    }
    let share = |logit: f32| (f64::from(logit) - f64::from(most)).exp();
    let all: f64 = logits.iter().map(|&logit| share(logit)).sum();
    let right: f64 =
        truth.iter().filter_map(|&class| logits.get(usize::from(class))).map(|&it| share(it)).sum();
    // Below what an f64 holds, a label is as good as impossible.
    (!truth.is_empty()).then(|| (right.max(f64::MIN_POSITIVE) / all).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_a_softmax() {
        let logits = [0.0, 2.0_f32.ln(), 5.0_f32.ln()];
        let of = |truth: &[u16]| log_probability(&logits, truth).unwrap().exp();
        for (truth, expected) in [(&[0][..], 0.125), (&[2], 0.625), (&[0, 1], 0.375), (&[0, 1, 2], 1.0)] {
            assert!((of(truth) - expected).abs() < 1e-6, "{truth:?}");
        }
        assert_eq!(log_probability(&logits, &[]), None);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(log_probability(&[0.0, bad], &[0]), None);
        }
        // Large logits overflow no exponential.
        assert!((log_probability(&[3e4, 3e4], &[1]).unwrap() + 2.0_f64.ln()).abs() < 1e-12);
        assert!(log_probability(&[0.0, 3e4], &[0]).unwrap() < -700.0);
    }
}
