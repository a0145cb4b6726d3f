//! How likely a network finds what is right, at any certainty.
//!
//! A swap may make a network more certain of all that it says, right or wrong (a smaller crop, a sharper filter). Of a network that is too
//! uncertain that makes labels likelier, and mends nothing. So each swap, and the recipe itself, is judged at the temperature that suits it
//! best: C. Guo et al., "On calibration of modern neural networks" (2017). Ranks are those of what the network says itself, of which they see smaller changes.

/// How many temperatures are tried: from 1/4 to 4, eight to an octave.
const TEMPERATURES: usize = 33;

/// The logarithms of the probability of what is right, one for each temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LabelLogs([f64; TEMPERATURES]);

impl LabelLogs {
    /// Of the classes in `truth` together; nothing where there is none, or where a logit is not finite.
    pub(super) fn of(logits: &[f32], truth: &[u16]) -> Option<Self> {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if truth.is_empty() || !most.is_finite() || logits.iter().any(|logit| !logit.is_finite()) {
            return None;
        }
        let below = |logit: f32| f64::from(logit) - f64::from(most);
        let right: Vec<f64> =
            truth.iter().filter_map(|&class| logits.get(usize::from(class))).map(|&it| below(it)).collect();
        Some(Self(std::array::from_fn(|index| {
            let scale = sharpness(index);
            let all: f64 = logits.iter().map(|&logit| (scale * below(logit)).exp()).sum();
            let right: f64 = right.iter().map(|it| (scale * it).exp()).sum();
            // Below what an f64 holds, a label is as good as impossible.
            (right.max(f64::MIN_POSITIVE) / all).ln()
        })))
    }
}

/// What logits are multiplied by: 1 over the temperature.
fn sharpness(index: usize) -> f64 {
    2.0_f64.powf((index as f64 - (TEMPERATURES / 2) as f64) / 8.0)
}

/// The logarithms at the one temperature with which the labels of all images together are likeliest.
pub(super) fn at_best_temperature(images: &[Option<LabelLogs>]) -> Vec<Option<f64>> {
    let sum = |index: usize| images.iter().flatten().map(|logs| logs.0[index]).sum::<f64>();
    let best = (0..TEMPERATURES).max_by(|&a, &b| sum(a).total_cmp(&sum(b))).unwrap_or(TEMPERATURES / 2);
    images.iter().map(|logs| logs.map(|logs| logs.0[best])).collect()
}

/// The logarithms as the network says them.
pub(super) fn as_said(images: &[Option<LabelLogs>]) -> Vec<Option<f64>> {
    images.iter().map(|logs| logs.map(|logs| logs.0[TEMPERATURES / 2])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At temperature 1.
    fn plain(logits: &[f32], truth: &[u16]) -> Option<f64> {
        LabelLogs::of(logits, truth).map(|logs| logs.0[TEMPERATURES / 2])
    }

    #[test]
    fn probabilities_are_those_of_a_softmax() {
        let logits = [0.0, 2.0_f32.ln(), 5.0_f32.ln()];
        let of = |truth: &[u16]| plain(&logits, truth).unwrap().exp();
        for (truth, expected) in [(&[0][..], 0.125), (&[2], 0.625), (&[0, 1], 0.375), (&[0, 1, 2], 1.0)] {
            assert!((of(truth) - expected).abs() < 1e-6, "{truth:?}");
        }
        assert_eq!(plain(&logits, &[]), None);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(plain(&[0.0, bad], &[0]), None);
        }
        // Large logits overflow no exponential.
        assert!((plain(&[3e4, 3e4], &[1]).unwrap() + 2.0_f64.ln()).abs() < 1e-12);
        assert!(plain(&[0.0, 3e4], &[0]).unwrap() < -700.0);
        // Twice the logits, at half the temperature.
        let sharp = LabelLogs::of(&logits, &[2]).unwrap().0[TEMPERATURES / 2 + 8];
        assert!((sharp.exp() - 25.0 / 30.0).abs() < 1e-6);
    }

    /// A network that says the same more certainly gains nothing by that.
    #[test]
    fn certainty_alone_makes_no_label_likelier() {
        // Two labels of three are the likeliest class, the others any.
        let image = |number: usize, scale: f32| {
            let logits: Vec<f32> =
                (0..10).map(|class| scale * ((class * 7 + number * 3) % 10) as f32 / 2.0).collect();
            let label = if number.is_multiple_of(3) { number / 3 % 10 } else { (number + 7) % 10 };
            LabelLogs::of(&logits, &[label as u16])
        };
        let of =
            |scale: f32| at_best_temperature(&(0..40).map(|number| image(number, scale)).collect::<Vec<_>>());
        let (faint, plain, sharp) = (of(0.5), of(1.0), of(2.0));
        for other in [&faint, &sharp] {
            for (here, there) in plain.iter().zip(other) {
                assert!((here.unwrap() - there.unwrap()).abs() < 1e-5, "{here:?} {there:?}");
            }
        }
        // An image without a label has none, and leaves the others as they are.
        let with_none: Vec<_> = (0..40).map(|number| image(number, 1.0)).chain([None]).collect();
        assert_eq!(at_best_temperature(&with_none)[..40], plain[..]);
        assert_eq!(at_best_temperature(&with_none)[40], None);
        assert!(at_best_temperature(&[]).is_empty());
    }
}
