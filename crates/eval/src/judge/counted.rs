//! FLOPs and parameters: counted by the rules of who documented them, and judged.

use models::Model;
use models::catalog::{Counted, Documented, FigureName};
use models::complexity::{Cost, CountingRule, FlopsRule, ParamsRule};

use crate::record::FigureRecord;
use crate::verdict::{Judgement, Verdict, judge_count};

/// FLOPs and parameters by the documented rules, with verdicts. `costs` are those at the size that
/// the documented FLOPs were counted at. Without documented figures: 2 x MACs, and trainable
/// parameters.
pub fn complexity_figures(model: &Model, costs: &[Cost]) -> [FigureRecord; 2] {
    let (flops, params) = rules(model);
    judge_counts(model, [flops.count(costs), params.count(costs)])
}

/// FLOPs and parameters as a run `counted` them, judged anew by what the catalog documents of `model`.
pub(crate) fn judge_counts_again(model: &Model, counted: [&FigureRecord; 2]) -> [FigureRecord; 2] {
    let mut figures = judge_counts(model, counted.map(|there| there.count.unwrap_or_default()));
    for (figure, there) in figures.iter_mut().zip(counted) {
        if there.count.is_none() {
            // A run from before counts were stored. Its print has lost digits that a verdict may hang on, so the
            // verdict that it was given stands.
            figure.clone_from(there);
        } else if figure.rule != there.rule {
            let counted_by = there.rule.as_deref().unwrap_or("another rule");
            figure.verdict = Verdict::NotComparable;
            figure.reason =
                format!("counted by {counted_by}; the catalog's rule is another now, so evaluate again");
            figure.rule.clone_from(&there.rule);
        }
    }
    figures
}

/// By which rules a model's FLOPs and parameters are counted.
fn rules(model: &Model) -> (FlopsRule, ParamsRule) {
    let Documented { flops_g, params_m, .. } = &model.documented;
    (
        flops_g.as_ref().map_or(FlopsRule::Flops, |flops| flops.rule),
        params_m.as_ref().map_or(ParamsRule::Trainable, |params| params.rule),
    )
}

/// FLOPs and parameters, counted by the rules that the catalog has for `model`.
pub(super) fn judge_counts(model: &Model, [flops, params]: [u64; 2]) -> [FigureRecord; 2] {
    let (size, (flops_rule, params_rule)) = (model.counted_at(), rules(model));
    let flops_words = format!("{} at {size}x{size}", flops_rule.meaning());
    let params_words = params_rule.meaning().to_owned();
    let Documented { flops_g, params_m, .. } = &model.documented;
    [
        counted_figure(FigureName::FlopsG, flops, (flops_rule, flops_words), flops_g.as_ref(), model),
        counted_figure(FigureName::ParamsM, params, (params_rule, params_words), params_m.as_ref(), model),
    ]
}

/// Decimals of a count in its printed unit, where its rule's source has no fewer.
const COUNT_DECIMALS: u32 = 6;

fn counted_figure<R: CountingRule>(
    figure: FigureName,
    count: u64,
    (rule, words): (R, String),
    documented: Option<&Counted<R>>,
    model: &Model,
) -> FigureRecord {
    let unit = R::UNIT as f64;
    let judgement = match documented {
        Some(documented) => {
            judge_count(documented, count, unit, &words, model.tolerance.of(figure), model.erratum(figure))
        }
        None => nothing_documented(),
    };
    let source = rule.figure(count);
    let decimals = source.decimals.unwrap_or(COUNT_DECIMALS) as usize;
    FigureRecord {
        figure,
        documented: documented.map(|documented| documented.figure.as_str().to_owned()),
        reproduced: format!("{:.decimals$}", source.count as f64 / unit),
        count: Some(count),
        rule: Some(words),
        interval_pct: None,
        verdict: judgement.verdict,
        reason: judgement.reason,
    }
}

/// Where there is nothing to hold a figure against.
pub(super) fn nothing_documented() -> Judgement {
    Judgement { verdict: Verdict::NotComparable, reason: "nothing documented".to_owned() }
}

#[cfg(test)]
mod tests {
    use models::Catalog;

    use super::*;

    #[test]
    fn figures_agree_in_every_file_where_a_rule_rounds_on_its_way() {
        let model = Catalog::built_in().select("timm/xception").unwrap()[0].clone();
        let figures = judge_counts(&model, [9_198_849_216, 22_855_952]);
        assert_eq!(figures.each_ref().map(|it| it.reproduced.as_str()), ["9.198", "22.855952"]);
        assert_eq!(figures.each_ref().map(|it| it.count), [Some(9_198_849_216), Some(22_855_952)]);
        assert_eq!(figures.each_ref().map(FigureRecord::counted), [Some(9.198), Some(22.855952)]);
        assert_eq!(figures[0].reason, "2 x thop MACs at 224x224, rounded before doubling");
    }
}
