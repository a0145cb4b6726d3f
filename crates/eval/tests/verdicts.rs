//! The documented FLOPs and parameters of all models against what the sources' own tools count
//! (`datasets/reference/complexity.json`): of the table's 24 figures 23 are reproduced and one is a misprint. This
//! checks the catalog's rules, sizes and decimals without the networks.

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
    for model in catalog.models().iter().filter(|model| model.documented.flops_g.is_some()) {
        let documented = &model.documented;
        // Other weights of a network change no count.
        let network = &model.network.replacen('-', "/", 1);
        let count = |id: &str, key: &str| counts[id][key].as_u64().unwrap_or_else(|| panic!("{id} {key}"));

        let flops = documented.flops_g.as_ref().unwrap();
        let counted = match (flops.rule, flops.input_size) {
            // thop does not read Keras networks; Keras's is timm's network, layer for layer.
            (FlopsRule::ThopFlops, Some(224)) if model.source() == "keras" => {
                2 * count("timm/xception", "thop_macs_224")
            }
            (FlopsRule::ThopFlops, Some(size)) => 2 * count(network, &format!("thop_macs_{size}")),
            (FlopsRule::ThopMacs, Some(size)) => count(network, &format!("thop_macs_{size}")),
            (FlopsRule::PaddleFlops, Some(size)) => count(network, &format!("paddle_flops_{size}")),
            (FlopsRule::Fvcore, Some(size)) => {
                let operators = counts[network][format!("fvcore_{size}")].as_object().unwrap();
                operators.values().map(|count| count.as_u64().unwrap()).sum()
            }
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
        reproduced += usize::from(verdict == Verdict::Reproduced && model.in_table);

        let params = documented.params_m.as_ref().unwrap();
        let counted = match params.rule {
            ParamsRule::Thop => count(network, "thop_params"),
            ParamsRule::WithRunningStatistics => count(network, "params_with_running_stats"),
            ParamsRule::Trainable => count(network, "params"),
        };
        let verdict = judge_count(params, counted, 1e6, "", None, model.erratum(FigureName::ParamsM)).verdict;
        assert_eq!(verdict, Verdict::Reproduced, "{} parameters", model.id);
        reproduced += usize::from(model.in_table);
    }
    assert_eq!(reproduced, 23);
}
