//! The documented FLOPs and parameters of all twelve models against what the sources' own tools count
//! (`datasets/reference/complexity.json`): 23 of 24 figures are reproduced and one is a misprint. This
//! checks the catalog's rules, sizes and decimals also where this version has no network yet.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use eval::verdict::{Verdict, judge_count};
use models::Catalog;
use models::catalog::FigureName;
use models::complexity::{FlopsRule, ParamsRule};
use serde_json::Value;

#[test]
fn all_documented_counts_but_one_misprint_follow_from_the_sources_tools() {
    let counts: Value =
        serde_json::from_str(include_str!("../../../datasets/reference/complexity.json")).unwrap();
    let catalog = Catalog::built_in();
    let mut reproduced = 0;
    for model in catalog.models() {
        let documented = model.documented.as_ref().unwrap();
        let count = |id: &str, key: &str| counts[id][key].as_u64().unwrap_or_else(|| panic!("{id} {key}"));

        let flops = &documented.flops_g;
        let counted = match (flops.rule, flops.input_size) {
            // thop does not read Keras networks; Keras's is timm's network, layer for layer.
            (FlopsRule::ThopFlops, Some(224)) if model.source() == "keras" => {
                2 * count("timm/xception", "thop_macs_224")
            }
            (FlopsRule::ThopFlops, Some(224)) => 2 * count(&model.id, "thop_macs_224"),
            (FlopsRule::PaddleFlops, Some(299)) => count(&model.id, "paddle_flops_299"),
            other => panic!("{}: nothing was counted by {other:?}", model.id),
        };
        let verdict = judge_count(flops, counted, 1e9, "", None, model.erratum(FigureName::FlopsG)).verdict;
        let misprint = model.id == "timm/xception65";
        assert_eq!(
            verdict,
            if misprint { Verdict::Erratum } else { Verdict::Reproduced },
            "{} FLOPs",
            model.id
        );
        reproduced += usize::from(verdict == Verdict::Reproduced);

        let params = &documented.params_m;
        let counted = match params.rule {
            ParamsRule::Thop => count(&model.id, "thop_params"),
            ParamsRule::WithRunningStatistics => count(&model.id, "params_with_running_stats"),
            ParamsRule::Trainable => count(&model.id, "params"),
        };
        let verdict = judge_count(params, counted, 1e6, "", None, model.erratum(FigureName::ParamsM)).verdict;
        assert_eq!(verdict, Verdict::Reproduced, "{} parameters", model.id);
        reproduced += 1;
    }
    assert_eq!(reproduced, 23);
}
