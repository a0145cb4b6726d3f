//! What a measurement says about a documented figure.

use std::fmt;

use cards::{Counted, Erratum, Figure};
use models::complexity::CountingRule;
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
    /// Different, catalogued as a misprint, and the corrected figure is reproduced.
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

/// Judges a counted figure (FLOPs or parameters). `count` is by `rule`, in the figure's base unit, and `words` say what was
/// counted.
///
/// A count reproduces a print when what the rule's source has for it, rounded to the printed digits, is the print. Where
/// the card has a `tolerance`, in the print's unit, a figure within it is reproduced, too. A misprint is an erratum
/// where the corrected figure is reproduced in its stead.
pub fn judge_count<R: CountingRule>(
    documented: &Counted<R>,
    rule: R,
    count: u64,
    words: &str,
    tolerance: Option<f64>,
    erratum: Option<&Erratum>,
) -> Judgement {
    let figure = rule.figure(count);
    let measured = figure.count as f64 / R::UNIT as f64;
    let within = |printed: &Figure| {
        let difference = measured - printed.value();
        tolerance.filter(|tolerance| difference.abs() <= tolerance + ROUNDING).map(|it| (difference, it))
    };
    let rounds_to = |printed: &Figure, decimals: u32| {
        let (scaled, unit) = (u128::from(figure.count) * 10_u128.pow(decimals), u128::from(R::UNIT));
        (scaled + unit / 2) / unit == printed.in_units_of(decimals)
    };
    let mut words = match rule.made_by() {
        Some(how) => format!("{words}, {how}"),
        None => words.to_owned(),
    };
    if let Some(unpadded) = documented.unpadded() {
        words += &format!("; the source prints {unpadded}");
    }
    if let Some((difference, tolerance)) = within(&documented.figure) {
        let reason = format!("{words}; {difference:+.3}, tolerance {tolerance}");
        return Judgement { verdict: Verdict::Reproduced, reason };
    }
    if rounds_to(&documented.figure, documented.decimals()) {
        return Judgement { verdict: Verdict::Reproduced, reason: words };
    }
    let corrected = |it: &Erratum| {
        let reproduced = within(&it.corrected).is_some() || rounds_to(&it.corrected, it.corrected.decimals());
        reproduced.then(|| words.clone())
    };
    of_erratum(erratum, corrected, words.clone())
}

/// What an accuracy or a difference may lie off by the arithmetic of f64 alone.
const ROUNDING: f64 = 1e-9;

/// The verdict on a figure whose print is not reproduced, for the reason `words`: an erratum where the figure that should
/// have been printed is, which `reproduced` says with its reason.
fn of_erratum(
    erratum: Option<&Erratum>,
    reproduced: impl Fn(&Erratum) -> Option<String>,
    words: String,
) -> Judgement {
    let Some(erratum) = erratum else { return Judgement { verdict: Verdict::NotReproduced, reason: words } };
    let (corrected, why) = (erratum.corrected.as_str(), &erratum.reason);
    if let Some(words) = reproduced(erratum) {
        let reason = format!("{why}; {corrected}, as corrected, is reproduced ({words})");
        Judgement { verdict: Verdict::Erratum, reason }
    } else {
        let reason =
            format!("{words}; nor is {corrected} reproduced, to which an erratum corrects it ({why})");
        Judgement { verdict: Verdict::NotReproduced, reason }
    }
}

/// Judges an accuracy over `images` images. `obstacle` says what makes the run not comparable with
/// the documented evaluation, if anything does.
///
/// ```
/// use eval::verdict::{Verdict, judge_accuracy};
/// use cards::Figure;
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
    let difference_pp = |printed: &Figure| percentage(hits, images) - printed.value();
    let within = |printed: &Figure| difference_pp(printed).abs() <= tolerance_pp + ROUNDING;
    let reason = |printed: &Figure| format!("{:+.3} pp, tolerance {tolerance_pp} pp", difference_pp(printed));
    if within(documented) {
        return Judgement { verdict: Verdict::Reproduced, reason: reason(documented) };
    }
    let corrected = |it: &Erratum| within(&it.corrected).then(|| reason(&it.corrected));
    of_erratum(erratum, corrected, reason(documented))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cards::FigureName;
    use models::complexity::{FlopsRule, ParamsRule};

    fn counted(figure: &str) -> Counted<FlopsRule> {
        let figure = Figure::try_from(figure.to_owned()).unwrap();
        Counted {
            figure,
            rule: Some(FlopsRule::ThopFlops),
            input_size: Some(224),
            decimals: None,
            source_figure: None,
        }
    }

    fn erratum(figure: FigureName, corrected: &str) -> Erratum {
        let corrected = Figure::try_from(corrected.to_owned()).unwrap();
        Erratum { figure, printed: None, corrected, reason: "digits transposed".to_owned() }
    }

    /// Counts by `thop` at 224 pixels of timm's six networks, and what the table prints of twice as much: twice the
    /// MACs in G rounded to three decimals. Neither rounding nor truncating the doubled count gives all.
    #[test]
    fn thop_is_rounded_before_it_is_doubled() {
        let judge = |print: &str, count| {
            judge_count(&counted(print), FlopsRule::ThopFlops, count, "rule", None, None).verdict
        };
        for (macs, print) in [
            (4_599_424_608, "9.198"),
            (5_055_941_408, "10.112"),
            (4_976_493_984, "9.952"),
            (7_607_202_848, "15.214"),
            (7_500_359_328, "15.000"),
            (9_882_251_680, "19.764"),
        ] {
            assert_eq!(judge(print, 2 * macs), Verdict::Reproduced, "{print}");
        }
        // Twice the exact count, rounded; and what lies within a unit of the last digit.
        for print in ["9.199", "9.197", "9.200"] {
            assert_eq!(judge(print, 9_198_849_216), Verdict::NotReproduced, "{print}");
        }
        assert_eq!(judge("15.241", 15_214_405_696), Verdict::NotReproduced);
    }

    #[test]
    fn by_other_rules_a_count_is_rounded_and_never_truncated() {
        let judge = |print: &str, count| {
            judge_count(&counted(print), FlopsRule::PaddleFlops, count, "rule", None, None).verdict
        };
        assert_eq!(judge("8.57", 8_574_899_832), Verdict::Reproduced);
        assert_eq!(judge("13.25", 13_248_677_304), Verdict::Reproduced);
        assert_eq!(judge("13.24", 13_248_677_304), Verdict::NotReproduced);
        assert_eq!(judge("9.198", 9_198_849_216), Verdict::NotReproduced);
        assert_eq!(judge("1", u64::MAX), Verdict::NotReproduced);
    }

    #[test]
    fn an_erratum_is_the_verdict_only_where_the_corrected_figure_is_reproduced() {
        let erratum = erratum(FigureName::FlopsG, "15.214");
        let judge = |print: &str, count| {
            judge_count(&counted(print), FlopsRule::ThopFlops, count, "rule", None, Some(&erratum))
        };
        let judged = judge("15.241", 15_214_405_696);
        assert_eq!(judged.verdict, Verdict::Erratum);
        assert_eq!(
            judged.reason,
            "digits transposed; 15.214, as corrected, is reproduced (rule, rounded before doubling)"
        );
        assert_eq!(judge("15.214", 15_214_405_696).verdict, Verdict::Reproduced);
        let judged = judge("15.241", 16_884_317_904);
        assert_eq!(judged.verdict, Verdict::NotReproduced);
        assert!(judged.reason.contains("nor is 15.214 reproduced"), "{}", judged.reason);
    }

    #[test]
    fn an_erratum_of_an_accuracy_is_held_to_the_tolerance() {
        let documented = Figure::try_from("97.000".to_owned()).unwrap();
        let erratum = erratum(FigureName::Top1Pct, "79.000");
        let judged =
            |hits, obstacle| judge_accuracy(&documented, hits, 50_000, 0.05, obstacle, Some(&erratum));
        let judge = |hits, obstacle| judged(hits, obstacle).verdict;
        assert_eq!(judge(39_525, None), Verdict::Erratum);
        let reason = "digits transposed; 79.000, as corrected, is reproduced (+0.050 pp, tolerance 0.05 pp)";
        assert_eq!(judged(39_525, None).reason, reason);
        assert_eq!(judge(39_526, None), Verdict::NotReproduced);
        assert_eq!(judge(50, None), Verdict::NotReproduced);
        assert_eq!(judge(48_500, None), Verdict::Reproduced);
        assert_eq!(judge(39_500, Some("embedded sample")), Verdict::NotComparable);
    }

    fn parameters(figure: &str, decimals: Option<u32>) -> Counted<ParamsRule> {
        let figure = Figure::try_from(figure.to_owned()).unwrap();
        Counted { figure, rule: Some(ParamsRule::Trainable), input_size: None, decimals, source_figure: None }
    }

    #[test]
    fn decimals_that_mean_nothing_do_not_count_and_the_reason_says_so() {
        let judge = |decimals| {
            judge_count(
                &parameters("22.900", decimals),
                ParamsRule::Trainable,
                22_910_480,
                "rule",
                None,
                None,
            )
        };
        assert_eq!(judge(Some(1)).verdict, Verdict::Reproduced);
        assert_eq!(judge(Some(1)).reason, "rule; the source prints 22.9");
        assert_eq!((judge(None).verdict, judge(None).reason.as_str()), (Verdict::NotReproduced, "rule"));
    }

    #[test]
    fn a_tolerance_of_the_card_is_enough() {
        let documented = parameters("22.900", None);
        let judge =
            |tolerance| judge_count(&documented, ParamsRule::Trainable, 22_910_480, "rule", tolerance, None);
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
