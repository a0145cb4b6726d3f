//! The catalog against itself, and every network of the catalog against what its framework says of
//! it. These tests iterate, so that a new model is tested without a new test.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeMap;
use std::path::Path;

use models::catalog::{CatalogError, FigureName};
use models::complexity::{FlopsRule, Layer, ParamsRule};
use models::weights::{Framework, Role};
use models::{Catalog, DeviceName, Model};
use serde_json::Value;

fn reference(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/reference").join(file);
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
}

fn add(text: &str) -> Result<Catalog, CatalogError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.toml");
    std::fs::write(&path, text).unwrap();
    let mut catalog = Catalog::built_in();
    catalog.add_file(&path).map(|()| catalog)
}

const OWN: &str = r#"
[[models]]
id = "mine/finetuned"
network = "timm-xception"
recipe = "card-342-bilinear"
input_size = 299
"#;

#[test]
fn the_documented_table_is_complete() {
    let catalog = Catalog::built_in();
    assert_eq!(catalog.table().count(), 12);
    let is_complete = |model: &Model| {
        let documented = &model.documented;
        let accuracies = documented.top1_pct.is_some() && documented.top5_pct.is_some();
        accuracies && documented.flops_g.is_some() && documented.params_m.is_some() && model.weights.is_some()
    };
    assert!(catalog.table().all(is_complete));
    let xception65 = catalog.select("timm/xception65").unwrap()[0];
    assert!(xception65.erratum(FigureName::FlopsG).is_some());
    assert_eq!(xception65.documented.flops_g.as_ref().unwrap().figure.as_str(), "15.241");
}

#[test]
fn models_are_selected_by_id_and_glob() {
    let catalog = Catalog::built_in();
    let ids =
        |pattern| catalog.select(pattern).unwrap().iter().map(|model| model.id.as_str()).collect::<Vec<_>>();
    assert_eq!(ids("timm/xception"), ["timm/xception"]);
    let timm = ids("timm/*");
    assert!(timm.len() > 6 && timm.iter().all(|id| id.starts_with("timm/")), "{timm:?}");
    assert_eq!(
        ids("*/xception41*"),
        ["timm/xception41", "timm/xception41p", "ppcls/xception41", "ppcls/xception41_deeplab"]
    );
    let Err(CatalogError::UnknownModel { nearest, .. }) = catalog.select("timm/exception") else { panic!() };
    assert_eq!(nearest[0], "timm/xception");
}

#[test]
fn a_users_entry_is_added_and_checked() {
    let catalog = add(OWN).unwrap();
    // In the table, so that `--all` evaluates it, unless it says otherwise.
    assert_eq!(catalog.table().count(), 13);
    assert_eq!(add(&format!("{OWN}in_table = false\n")).unwrap().table().count(), 12);
    assert_eq!(catalog.select("mine/*").unwrap()[0].file_stem(), "mine-finetuned");

    let message = |text: &str| {
        let error = add(text).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {source}")
    };
    let file = |server: &str| {
        format!("[models.weights]\nurl = \"https://{server}.org/model.pth\"\nfile = \"model.pth\"\n")
    };
    // Two models may share a file.
    add(&format!("{OWN}{}{}{}", file("a"), OWN.replace("finetuned", "other"), file("a"))).unwrap();
    let documented = "[models.documented]\ntop1_pct = \"1.0\"\ntop5_pct = \"2.0\"\nparams_m = { figure = \"1.0\", rule = \"thop\" }\nflops_g = { figure = \"1.0\", rule = \"macs\", input_size = 1 }\n";
    for (text, expected) in [
        (format!("{OWN}{documented}"), "the input_size of flops_g must be 32 to 8192"),
        // Their prediction logs would be one file.
        (format!("{}{}", OWN.replace("mine/", "a/b-"), OWN.replace("mine/", "a-b/")), "exists already"),
        (format!("{OWN}colour = \"red\"\n"), "unknown field `colour`"),
        (OWN.replace("card-342-bilinear", "card-343"), "there is no recipe `card-343`"),
        // Swept up by `--all` or a glob it must not be passed over, or a gate would pass without it.
        (
            OWN.replace("timm-xception", "timm-xcepton"),
            "there is no network `timm-xcepton`; there are timm-xception,",
        ),
        (format!("accuracy_tolerance_pp = inf\n{OWN}"), "accuracy_tolerance_pp is inf; it must be"),
        (format!("accuracy_tolerance_pp = -1.0\n{OWN}"), "accuracy_tolerance_pp is -1; it must be"),
        // The cache would hold the one for the other.
        (
            format!("{OWN}{}{}{}", file("a"), OWN.replace("finetuned", "other"), file("b")),
            "its weights have the file name of those of mine/finetuned, `model.pth`",
        ),
        (OWN.replace("299", "224"), "crops 299 pixels"),
        (OWN.replace("mine/finetuned", "timm/xception"), "exists already"),
        (OWN.replace("mine/finetuned", "finetuned"), "<source>/<architecture>"),
        (format!("{OWN}{OWN}"), "exists already"),
        (format!("{OWN}[models.documented]\ntop1_pct = \"79,05\"\n"), "`79,05` is not a decimal number"),
    ] {
        let message = message(&text);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn every_network_has_the_tensors_of_its_checkpoint() {
    let catalog = Catalog::built_in();
    let device = DeviceName::Flex.init().unwrap();
    for model in catalog.models() {
        let network = model.network().init(&device);
        let tensors = network.tensors();
        let states = reference(&format!("states/{}.json", model.network));
        let states = states.as_array().unwrap();
        assert_eq!(tensors.len(), states.len(), "{}", model.id);
        let mut tensors = tensors;
        let mut states: Vec<&Value> = states.iter().collect();
        // Only Keras's files go by order; in the others a name is enough.
        if network.framework() != Framework::Keras {
            tensors.sort_by(|a, b| a.name.cmp(&b.name));
            states.sort_by_key(|state| state["name"].as_str());
        }
        for (tensor, state) in tensors.iter().zip(states) {
            let shape: Vec<usize> = state["shape"]
                .as_array()
                .unwrap()
                .iter()
                .map(|size| size.as_u64().unwrap() as usize)
                .collect();
            let fan_in = state["fan_in"].as_u64().unwrap() as usize;
            let role = match state["role"].as_str().unwrap() {
                "conv" => Role::Conv { fan_in },
                "linear" => Role::Linear { fan_in },
                "fc_bias" => Role::LinearBias,
                "gamma" => Role::Gamma,
                "beta" => Role::Beta,
                "mean" => Role::Mean,
                "var" => Role::Variance,
                other => panic!("{other}"),
            };
            assert_eq!(
                (tensor.name.as_str(), &tensor.shape, tensor.role),
                (state["name"].as_str().unwrap(), &shape, role),
                "{}",
                model.id
            );
        }
    }
}

/// Every integer that the sources' own tools counted for `model`, by its key.
fn counts(key: &str, layers_224: &[Layer], layers_299: &[Layer]) -> u64 {
    let layers = if key.ends_with("_224") { layers_224 } else { layers_299 };
    match key {
        "params" => ParamsRule::Trainable.count(layers),
        "params_with_running_stats" => ParamsRule::WithRunningStatistics.count(layers),
        "thop_params" => ParamsRule::Thop.count(layers),
        "thop_macs_224" | "thop_macs_299" => FlopsRule::ThopMacs.count(layers),
        "paddle_flops_224" | "paddle_flops_299" => FlopsRule::PaddleFlops.count(layers),
        other => panic!("nothing is compared with {other}"),
    }
}

/// fvcore counts by operator; each operator is a sum over one kind of layer.
fn fvcore_operators(layers: &[Layer]) -> BTreeMap<&'static str, u64> {
    let mut sums = BTreeMap::new();
    for layer in layers {
        let operator = match layer {
            Layer::Conv { .. } => "conv",
            Layer::BatchNorm { .. } => "batch_norm",
            Layer::AveragePool { .. } => "adaptive_avg_pool2d",
            Layer::Linear { .. } => "linear",
        };
        *sums.entry(operator).or_default() += FlopsRule::Fvcore.count(std::slice::from_ref(layer));
    }
    sums
}

#[test]
fn every_count_equals_the_sources_tool_to_the_unit() {
    let catalog = Catalog::built_in();
    let device = DeviceName::Flex.init().unwrap();
    let complexity = reference("complexity.json");
    let mut compared_of_table = 0;
    for model in catalog.models() {
        let network = model.network().init(&device);
        let (at_224, at_299) = (network.layers(224), network.layers(299));
        let mut compared = 0;
        for (key, expected) in complexity[model.network.replacen('-', "/", 1)].as_object().unwrap() {
            if let Some(operators) = expected.as_object() {
                let counted = fvcore_operators(if key == "fvcore_224" { &at_224 } else { &at_299 });
                assert_eq!(operators.len(), counted.len());
                for (operator, expected) in operators {
                    assert_eq!(counted[operator.as_str()], expected.as_u64().unwrap(), "{} {key}", model.id);
                    compared += 1;
                }
            } else {
                assert_eq!(counts(key, &at_224, &at_299), expected.as_u64().unwrap(), "{} {key}", model.id);
                compared += 1;
            }
        }
        assert!(compared >= 2, "{}: only {compared} integers were compared", model.id);
        compared_of_table += if model.in_table { compared } else { 0 };
    }
    // How many integers the documented table rests on, and what it says of the first network.
    assert_eq!(compared_of_table, 100);
    let network = catalog.select("timm/xception").unwrap()[0].network().init(&device);
    assert_eq!(FlopsRule::ThopFlops.count(&network.layers(224)), 9_198_849_216);
}
