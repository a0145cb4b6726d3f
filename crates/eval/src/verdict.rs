//! What a measurement says about a documented figure.

use std::fmt;

use models::catalog::{Counted, Erratum, Figure};
use serde::{Deserialize, Serialize};

use crate::metrics::percentage;

/// The verdict on one figure, or on a model's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Equal at the documented digits; an accuracy within the tolerance.
    #[serde(rename = "reproduced")]
    Reproduced,
    /// Measured under the documented conditions, and different.
    #[serde(rename = "not reproduced")]
    NotReproduced,
    /// Different, and catalogued as a misprint.
    #[serde(rename = "erratum")]
    Erratum,
    /// Measured under other conditions, so that neither can be said.
    #[serde(rename = "not comparable")]
    NotComparable,
}

impl Verdict {
    /// The word in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::NotReproduced => "not reproduced",
            Self::Erratum => "erratum",
            Self::NotComparable => "not comparable",
        }
    }

    /// The verdict on a row: the first of these that one of its figures has.
    pub(crate) fn of_row(figures: &[Self]) -> Self {
        [Self::NotReproduced, Self::NotComparable, Self::Erratum]
            .into_iter()
            .find(|verdict| figures.contains(verdict))
            .unwrap_or(Self::Reproduced)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A verdict and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason, in a few words.
    pub reason: String,
}

/// Judges a counted figure (FLOPs or parameters). `count` is in the figure's base unit and
/// `unit` is what the print is a multiple of (1e9 or 1e6).
///
/// A count reproduces a print that it gives when it is rounded, or truncated, to the printed digits:
/// sources do either. Where the catalog has a `tolerance`, in the print's unit, that is enough, too.
pub fn judge_count<R>(
    documented: &Counted<R>,
    count: u64,
    unit: f64,
    rule: &str,
    tolerance: Option<f64>,
    erratum: Option<&Erratum>,
) -> Judgement {
    let difference = count as f64 / unit - documented.figure.value();
    if let Some(tolerance) = tolerance.filter(|tolerance| difference.abs() <= *tolerance) {
        let reason = format!("{rule}; {difference:+.3}, tolerance {tolerance}");
        return Judgement { verdict: Verdict::Reproduced, reason };
    }
    let scale = 10f64.powi(documented.decimals() as i32);
    let (scaled, printed) = (count as f64 / unit * scale, (documented.figure.value() * scale).round());
    let (rounded, truncated) = (scaled.round() == printed, scaled.trunc() == printed);
    match (rounded || truncated, erratum) {
        (true, _) => {
            let how = if rounded { "" } else { ", printed truncated" };
            Judgement { verdict: Verdict::Reproduced, reason: format!("{rule}{how}") }
        }
        (false, Some(erratum)) => {
            Judgement { verdict: Verdict::Erratum, reason: format!("{} ({rule})", erratum.reason) }
        }
        (false, None) => Judgement { verdict: Verdict::NotReproduced, reason: rule.to_owned() },
    }
}

/// Judges an accuracy over `images` images. `obstacle` says what makes the run not comparable with
/// the documented evaluation, if anything does.
///
/// ```
/// use eval::verdict::{Verdict, judge_accuracy};
/// use models::catalog::Figure;
///
/// let documented = Figure::try_from("79.050".to_owned())?;
/// let judged = judge_accuracy(&documented, 39_500, 50_000, 0.05, None, None);
/// assert_eq!((judged.verdict, judged.reason.as_str()), (Verdict::Reproduced, "-0.050 pp, tolerance 0.05 pp"));
/// let judged = judge_accuracy(&documented, 9, 24, 0.05, Some("embedded sample"), None);
/// assert_eq!(judged.verdict, Verdict::NotComparable);
/// # Ok::<(), String>(())
/// ```
pub fn judge_accuracy(
    documented: &Figure,
    hits: u64,
    images: u64,
    tolerance_pp: f64,
    obstacle: Option<&str>,
    erratum: Option<&Erratum>,
) -> Judgement {
    if let Some(obstacle) = obstacle {
        return Judgement { verdict: Verdict::NotComparable, reason: obstacle.to_owned() };
    }
    let difference_pp = percentage(hits, images) - documented.value();
    let reason = format!("{difference_pp:+.3} pp, tolerance {tolerance_pp} pp");
    match (difference_pp.abs() <= tolerance_pp + 1e-9, erratum) {
        (true, _) => Judgement { verdict: Verdict::Reproduced, reason },
        (false, Some(erratum)) => {
            Judgement { verdict: Verdict::Erratum, reason: format!("{}; {reason}", erratum.reason) }
        }
        (false, None) => Judgement { verdict: Verdict::NotReproduced, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::complexity::FlopsRule;

    fn counted(figure: &str) -> Counted<FlopsRule> {
        let figure = Figure::try_from(figure.to_owned()).unwrap();
        Counted { figure, rule: FlopsRule::ThopFlops, input_size: Some(224), decimals: None }
    }

    #[test]
    fn a_truncated_print_is_reproduced_and_transposed_digits_are_not() {
        let judge = |print: &str, count, erratum| {
            judge_count(&counted(print), count, 1e9, "rule", None, erratum).verdict
        };
        assert_eq!(judge("9.198", 9_198_849_216, None), Verdict::Reproduced);
        assert_eq!(judge("9.199", 9_198_849_216, None), Verdict::Reproduced);
        assert_eq!(judge("9.197", 9_198_849_216, None), Verdict::NotReproduced);
        assert_eq!(judge("9.200", 9_198_849_216, None), Verdict::NotReproduced);
        // Less than a unit of the last digit away, yet neither rounding nor truncation gives it.
        assert_eq!(judge("9.198", 9_197_010_000, None), Verdict::NotReproduced);
        assert_eq!(judge("15.241", 15_214_405_696, None), Verdict::NotReproduced);
        let erratum =
            Erratum { figure: models::catalog::FigureName::FlopsG, reason: "digits transposed".to_owned() };
        assert_eq!(judge("15.241", 15_214_405_696, Some(&erratum)), Verdict::Erratum);
        assert_eq!(judge("15.214", 15_214_405_696, Some(&erratum)), Verdict::Reproduced);
    }

    #[test]
    fn decimals_that_mean_nothing_do_not_count() {
        let padded = Counted { decimals: Some(1), ..counted("22.900") };
        assert_eq!(judge_count(&padded, 22_910_480, 1e6, "rule", None, None).verdict, Verdict::Reproduced);
        assert_eq!(
            judge_count(&counted("22.900"), 22_910_480, 1e6, "rule", None, None).verdict,
            Verdict::NotReproduced
        );
    }

    #[test]
    fn a_tolerance_of_the_catalog_is_enough() {
        let judge = |tolerance| judge_count(&counted("22.900"), 22_910_480, 1e6, "rule", tolerance, None);
        assert_eq!(judge(Some(0.02)).verdict, Verdict::Reproduced);
        assert_eq!(judge(Some(0.02)).reason, "rule; +0.010, tolerance 0.02");
        assert_eq!(judge(Some(0.01)).verdict, Verdict::NotReproduced);
    }

    #[test]
    fn accuracy_is_judged_only_under_the_documented_conditions() {
        let documented = Figure::try_from("79.050".to_owned()).unwrap();
        let judge = |hits, obstacle| judge_accuracy(&documented, hits, 50_000, 0.05, obstacle, None).verdict;
        assert_eq!(judge(39_525, None), Verdict::Reproduced);
        assert_eq!(judge(39_550, None), Verdict::Reproduced);
        assert_eq!(judge(39_551, None), Verdict::NotReproduced);
        assert_eq!(judge(39_499, None), Verdict::NotReproduced);
        assert_eq!(judge(39_525, Some("seeded weights")), Verdict::NotComparable);
    }

    #[test]
    fn the_worst_figure_decides_the_row() {
        use Verdict::{Erratum, NotComparable, NotReproduced, Reproduced};
        assert_eq!(Verdict::of_row(&[Reproduced, Reproduced]), Reproduced);
        assert_eq!(Verdict::of_row(&[Erratum, Reproduced]), Erratum);
        assert_eq!(Verdict::of_row(&[NotComparable, Erratum]), NotComparable);
        assert_eq!(Verdict::of_row(&[NotComparable, NotReproduced]), NotReproduced);
    }
}
