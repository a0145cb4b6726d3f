//! FLOPs and parameters: counted by the rules of who documented them, and judged.

use cards::{Counted, FigureName};
use models::Model;
use models::complexity::{CountingRule, FlopsRule, ParamsRule};

use super::counts::{CountRecord, find};
use crate::definitions::Claim;
use crate::record::FigureRecord;
use crate::verdict::{Judgement, Verdict, judge_count};

/// What is known of a model's FLOPs and parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known<'a> {
    /// What its network counts, by every rule.
    Counts(&'a [CountRecord]),
    /// The figures of a run from before all counts were stored, or that has none.
    Figures([&'a FigureRecord; 2]),
}

/// FLOPs and parameters by the rules of `claim`, with verdicts. Without a claim: 2 x MACs, and trainable parameters.
pub fn complexity_figures(
    model: &Model,
    claim: Option<&Claim<'_>>,
    counts: &[CountRecord],
) -> [FigureRecord; 2] {
    judge_counts(model, claim, Known::Counts(counts))
}

/// Side of the square input at which the FLOPs of `claim` were counted: the model's own where it does not say another.
pub fn counted_at(model: &Model, claim: Option<&Claim<'_>>) -> usize {
    let claimed = claim.and_then(|claim| claim.row.flops_g.as_ref()?.input_size);
    claimed.unwrap_or(model.input_size)
}

/// FLOPs and parameters by the rules of `claim`, judged by what is known of them.
pub(super) fn judge_counts(model: &Model, claim: Option<&Claim<'_>>, known: Known<'_>) -> [FigureRecord; 2] {
    let size = counted_at(model, claim);
    let flops = claim.and_then(|claim| claim.row.flops_g.as_ref());
    let params = claim.and_then(|claim| claim.row.params_m.as_ref());
    let flops_rule = Rule {
        figure: FigureName::FlopsG,
        name: FlopsRule::name,
        words: |rule, input| format!("{} at {input}", FlopsRule::meaning(rule)),
        input: input(model, size),
        otherwise: FlopsRule::Flops,
        size: Some(size),
    };
    let params_rule = Rule {
        figure: FigureName::ParamsM,
        name: ParamsRule::name,
        words: |rule, _| ParamsRule::meaning(rule).to_owned(),
        input: String::new(),
        otherwise: ParamsRule::Trainable,
        size: None,
    };
    [flops_rule.judge(flops, claim, known, 0), params_rule.judge(params, claim, known, 1)]
}

/// An input of `size`, width and height: a square, but for an ONNX file that takes none.
fn input(model: &Model, size: usize) -> String {
    let crop =
        model.recipe().map(|recipe| recipe.crop).filter(|_| model.is_onnx() && size == model.input_size);
    let [width, height] = crop.map_or([size; 2], |crop| [crop.width, crop.height]);
    format!("{width}x{height}")
}

/// How one of the two figures is counted.
struct Rule<R> {
    figure: FigureName,
    name: fn(R) -> &'static str,
    words: fn(R, &str) -> String,
    /// The input that was counted for, in words.
    input: String,
    /// The rule where nothing is documented, or its source does not say by which it counted.
    otherwise: R,
    size: Option<usize>,
}

impl<R: CountingRule> Rule<R> {
    fn judge(
        &self,
        documented: Option<&Counted<R>>,
        claim: Option<&Claim<'_>>,
        known: Known<'_>,
        index: usize,
    ) -> FigureRecord {
        let rule = documented.and_then(|it| it.rule).unwrap_or(self.otherwise);
        let words = (self.words)(rule, &self.input);
        let count = match known {
            Known::Counts(counts) => find(counts, (self.name)(rule), self.size),
            Known::Figures(figures) => {
                let there = figures[index];
                let printed = documented.map(|it| it.figure.as_str());
                let is_of_another = there.documented.as_deref() != printed;
                match there.count {
                    // A run from before counts were stored. Its print has lost digits that a verdict may hang on, so the
                    // verdict that it was given stands.
                    None => return self.without_count(there, printed, is_of_another),
                    Some(_) if there.rule.as_deref() != Some(&words) => None,
                    count => count,
                }
            }
        };
        let Some(count) = count else { return self.other_rule(documented, words, known, index) };
        let judgement = match (documented, claim) {
            (Some(it), Some(claim)) if it.rule.is_some() => {
                let tolerance = claim.card.tolerance_of(claim.row, self.figure);
                let erratum = claim.row.erratum(self.figure);
                judge_count(it, rule, count, &words, tolerance, erratum)
            }
            (Some(it), _) => by_no_rule(it, &words),
            (None, _) => nothing_documented(),
        };
        let source = rule.figure(count);
        let decimals = source.decimals.unwrap_or(COUNT_DECIMALS) as usize;
        FigureRecord {
            figure: self.figure,
            documented: documented.map(|documented| documented.figure.as_str().to_owned()),
            reproduced: format!("{:.decimals$}", source.count as f64 / R::UNIT as f64),
            count: Some(count),
            rule: Some(words),
            interval_pct: None,
            sampled: None,
            verdict: judgement.verdict,
            reason: judgement.reason,
        }
    }

    /// What is to be said of a claim where a run has no count but `there`.
    fn without_count(
        &self,
        there: &FigureRecord,
        printed: Option<&str>,
        is_of_another: bool,
    ) -> FigureRecord {
        let mut figure = there.clone();
        if is_of_another && !there.reproduced.is_empty() && printed.is_some() && there.documented.is_some() {
            figure.documented = printed.map(str::to_owned);
            let judgement =
                not_comparable("the run is from before counts were stored, so evaluate again".to_owned());
            (figure.verdict, figure.reason) = (judgement.verdict, judgement.reason);
        } else if there.reproduced.is_empty() {
            figure.documented = printed.map(str::to_owned);
        }
        figure
    }

    /// What is to be said where a run was counted by another rule.
    fn other_rule(
        &self,
        documented: Option<&Counted<R>>,
        words: String,
        known: Known<'_>,
        index: usize,
    ) -> FigureRecord {
        let documented = documented.map(|documented| documented.figure.as_str().to_owned());
        let there = match known {
            Known::Figures(figures) => Some(figures[index]),
            Known::Counts(_) => None,
        };
        let counted_by = there.and_then(|there| there.rule.as_deref());
        let reason = match counted_by {
            Some(by) => format!("counted by {by}; the card's rule is another now, so evaluate again"),
            None => format!("the run has no count by {words}, so evaluate again"),
        };
        FigureRecord {
            figure: self.figure,
            documented,
            reproduced: there.map(|there| there.reproduced.clone()).unwrap_or_default(),
            count: there.and_then(|there| there.count),
            rule: there.map_or(Some(words), |there| there.rule.clone()),
            interval_pct: None,
            sampled: None,
            verdict: Verdict::NotComparable,
            reason,
        }
    }
}

/// Decimals of a count in its printed unit, where its rule's source has no fewer.
const COUNT_DECIMALS: u32 = 6;

/// The verdict on a figure of which the card does not say by which rule it was counted; measured is by `words`.
fn by_no_rule<R>(documented: &Counted<R>, words: &str) -> Judgement {
    const UNSTATED: &str = "the card does not say by which rule it was counted (rule = \"unstated\")";
    let (figure, Some(there)) = (&documented.figure, &documented.source_figure) else {
        return not_comparable(format!("{UNSTATED}; measured is {words}"));
    };
    // Other zeros behind it are no other figure.
    let decimals = figure.decimals().max(there.decimals());
    if figure.in_units_of(decimals) == there.in_units_of(decimals) {
        return not_comparable(format!("the source prints the same; {UNSTATED}; measured is {words}"));
    }
    let reason = format!("the source itself prints {}", there.as_str());
    Judgement { verdict: Verdict::NotReproduced, reason }
}

/// Where there is nothing to hold a figure against.
pub(super) fn nothing_documented() -> Judgement {
    not_comparable("nothing documented".to_owned())
}

pub(super) fn not_comparable(reason: String) -> Judgement {
    Judgement { verdict: Verdict::NotComparable, reason }
}
