//! The catalog against itself, and every network of the catalog against what its framework says of
//! it. These tests iterate, so that a new model is tested without a new test.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeMap;
use std::path::Path;

use models::Catalog;
use models::catalog::CatalogError;
use models::complexity::{Cost, FlopsRule, ParamsRule};
use models::weights::{Framework, ModuleTensor, Role};
use serde_json::Value;

fn reference(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/reference").join(file);
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
}

/// The tensors of a network in the order of its file. Of networks with the same, one file has them.
fn states(network: &str) -> Vec<Value> {
    match reference(&format!("states/{network}.json")) {
        Value::Array(tensors) => tensors,
        other => states(other["same_as"].as_str().unwrap()),
    }
}

fn add(text: &str) -> Result<Catalog, CatalogError> {
    let mut catalog = Catalog::built_in();
    catalog.add(text, "catalog.toml").map(|()| catalog)
}

const OWN: &str = r#"
[[models]]
id = "mine/finetuned"
network = "timm-xception"
recipe = "card-342-bilinear"
input_size = 299
"#;

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
    let own = |catalog: &Catalog| catalog.own().iter().filter(|model| model.in_table).count();
    assert_eq!([&Catalog::built_in(), &catalog].map(own), [0, 1]);
    assert_eq!(own(&add(&format!("{OWN}in_table = false\n")).unwrap()), 0);
    // What it claims of a model is another crate's business, whatever it is.
    add(&format!("accuracy_tolerance_pp = 1\n{OWN}tolerance = 7\n[models.documented]\ntop1_pct = 170\n"))
        .unwrap();
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
    for (text, expected) in [
        (OWN.replace("299", "0"), ": input_size is 0; it must be 32 to 8192"),
        (OWN.replace("299", "31"), ": input_size is 31; it must be 32 to 8192"),
        (OWN.replace("299", "8193"), ": input_size is 8193; it must be 32 to 8192"),
        // Their prediction logs would be one file.
        (format!("{}{}", OWN.replace("mine/", "a/b-"), OWN.replace("mine/", "a-b/")), "exists already"),
        (format!("{OWN}colour = \"red\"\n"), "unknown field `colour`"),
        (OWN.replace("card-342-bilinear", "card-343"), "there is no recipe `card-343`"),
        // Swept up by `--all` or a glob it must not be passed over, or a gate would pass without it.
        (
            OWN.replace("timm-xception", "timm-xcepton"),
            "there is no network `timm-xcepton`; there are timm-xception,",
        ),
        // The cache would hold the one for the other.
        (
            format!("{OWN}{}{}{}", file("a"), OWN.replace("finetuned", "other"), file("b")),
            "its weights have the file name of those of mine/finetuned, `model.pth`",
        ),
        (OWN.replace("299", "224"), "crops 299 pixels"),
        (OWN.replace("mine/finetuned", "timm/xception"), "exists already"),
        (OWN.replace("mine/finetuned", "finetuned"), "<source>/<architecture>"),
        (format!("{OWN}{OWN}"), "exists already"),
    ] {
        let message = message(&text);
        assert!(message.contains(expected), "{message}");
    }
}

/// A user's entry with these lines behind its own.
fn refused(lines: &str) -> String {
    let error = match add(&format!("{OWN}{lines}")) {
        Ok(_) => panic!("taken: {lines}"),
        Err(error) => error,
    };
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let message = format!("{error}: {source}");
    // What only this program's author knows.
    for word in
        ["struct", "expected", "usize", "u32", "u64", "f64", "invalid type", "variant", "sequence", "map"]
    {
        assert!(!message.contains(word), "`{word}` for {lines}: {message}");
    }
    assert!(message.contains("catalog.toml"), "{message}");
    message
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_a_catalog() {
    for (lines, expected) in [
        ("in_table = \"no\"\n".to_owned(), "`in_table` is \"no\", and must be true or false"),
        ("weights = \"model.pth\"\n".to_owned(), "`weights` is \"model.pth\", and must be keys with values"),
        (
            "weights = { url = \"https://example.org/x\" }\n".to_owned(),
            "`weights.file` is missing; write file = \"model.pth\"",
        ),
        ("weights = { file = \"x\" }\n".to_owned(), "`weights.url` is missing; write url ="),
        (
            "weights = { url = \"https://example.org/x\", file = \"x\", bytes = -1 }\n".to_owned(),
            "`weights.bytes` is -1, and must be a whole number from 0 on",
        ),
    ] {
        let message = refused(&lines);
        assert!(message.contains(expected) && message.contains("model `mine/finetuned`"), "{message}");
    }
    for (text, expected) in [
        ("models = 3\n".to_owned(), "an entry begins with the line [[models]], in two pairs of brackets"),
        (
            "[models]\nid = \"a/b\"\n".to_owned(),
            "an entry begins with the line [[models]], in two pairs of brackets",
        ),
        (OWN.replace("id = \"mine/finetuned\"\n", ""), "model `entry 1`: `id` is missing; write id ="),
        (
            OWN.replace("299", "\"299\""),
            "model `mine/finetuned`: `input_size` is \"299\", and must be a whole number from 32 to 8192, without quotes",
        ),
        (OWN.replace("299", "-1"), "`input_size` is -1, and must be a whole number from 32 to 8192"),
        (
            OWN.replace("\"timm-xception\"", "7"),
            "model `mine/finetuned`: `network` is 7, and must be text in quotes",
        ),
        (OWN.replace("recipe =", "recipes ="), "model `mine/finetuned`: `recipe` is missing; write recipe ="),
    ] {
        let message = add(&text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_published_file_may_be_larger_than_four_gigabytes() {
    let lines = "weights = { url = \"https://example.org/x\", file = \"x\", bytes = 24000000000 }\n";
    let catalog = add(&format!("{OWN}{lines}")).unwrap();
    let weights = catalog.models().last().unwrap().weights.as_ref().unwrap();
    assert_eq!(weights.bytes, Some(24_000_000_000));
}

#[test]
fn every_network_has_the_tensors_of_its_checkpoint() {
    let catalog = Catalog::built_in();
    for model in catalog.models() {
        let network = model.network().build();
        let mut tensors: Vec<&ModuleTensor> = network.tensors().collect();
        let states = states(&model.network);
        assert_eq!(tensors.len(), states.len(), "{}", model.id);
        let mut states: Vec<&Value> = states.iter().collect();
        // Only Keras's files go by order; in the others a name is enough.
        if network.framework() != Framework::Keras {
            tensors.sort_by(|a, b| a.name.cmp(&b.name));
            states.sort_by_key(|state| state[0].as_str());
        }
        for (tensor, state) in tensors.iter().zip(states) {
            // Name, shape, role and fan-in.
            let shape = state[1].as_array().unwrap().iter();
            let shape: Vec<usize> = shape.map(|size| size.as_u64().unwrap() as usize).collect();
            let fan_in = state[3].as_u64().unwrap() as usize;
            let role = match state[2].as_str().unwrap() {
                "conv" => Role::Conv { fan_in },
                "linear" => Role::Linear { fan_in },
                "conv_bias" => Role::ConvBias,
                "fc_bias" => Role::LinearBias,
                "gamma" => Role::Gamma,
                "beta" => Role::Beta,
                "mean" => Role::Mean,
                "var" => Role::Variance,
                other => panic!("{other}"),
            };
            assert_eq!(
                (tensor.name.as_str(), &tensor.shape, tensor.role),
                (state[0].as_str().unwrap(), &shape, role),
                "{}",
                model.id
            );
        }
    }
}

/// What the tools' key counts, and the side of the input; parameters are the same at every size.
fn tool_and_side(key: &str) -> (&str, usize) {
    let parted = key.rsplit_once('_').and_then(|(tool, side)| Some((tool, side.parse().ok()?)));
    parted.unwrap_or((key, 224))
}

/// Every integer that the sources' own tools counted for a network, by its key.
fn counts(tool: &str, costs: &[Cost]) -> u64 {
    match tool {
        "params" => ParamsRule::Trainable.count(costs),
        "params_with_running_stats" => ParamsRule::WithRunningStatistics.count(costs),
        "thop_params" => ParamsRule::Thop.count(costs),
        "thop_macs" => FlopsRule::ThopMacs.count(costs),
        "paddle_flops" => FlopsRule::PaddleFlops.count(costs),
        other => panic!("nothing is compared with {other}"),
    }
}

/// fvcore counts by operator; each operator is a sum over one kind of layer.
fn fvcore_operators(costs: &[Cost]) -> BTreeMap<&'static str, u64> {
    let mut sums = BTreeMap::new();
    for cost in costs {
        let operator = match cost {
            Cost::Conv { .. } => "conv",
            Cost::BatchNorm { .. } => "batch_norm",
            Cost::AveragePool { .. } => "adaptive_avg_pool2d",
            Cost::Linear { .. } => "linear",
            Cost::MatMul { .. } => "matmul",
            // It counts none of these.
            Cost::WindowedAverage { .. } => continue,
        };
        *sums.entry(operator).or_default() += FlopsRule::Fvcore.count(std::slice::from_ref(cost));
    }
    sums
}

#[test]
fn every_count_equals_the_sources_tool_to_the_unit() {
    let catalog = Catalog::built_in();
    let complexity = reference("complexity.json");
    let mut compared_of_table = 0;
    for model in catalog.models() {
        let network = model.network().build();
        let mut compared = 0;
        for (key, expected) in complexity[model.network.replacen('-', "/", 1)].as_object().unwrap() {
            let (tool, side) = tool_and_side(key);
            let costs = network.costs(side).unwrap();
            if let Some(operators) = expected.as_object() {
                assert_eq!(tool, "fvcore");
                let counted = fvcore_operators(&costs);
                assert_eq!(operators.len(), counted.len());
                for (operator, expected) in operators {
                    assert_eq!(counted[operator.as_str()], expected.as_u64().unwrap(), "{} {key}", model.id);
                    compared += 1;
                }
            } else {
                assert_eq!(counts(tool, &costs), expected.as_u64().unwrap(), "{} {key}", model.id);
                compared += 1;
            }
        }
        assert!(compared >= 2, "{}: only {compared} integers were compared", model.id);
        compared_of_table += if model.arch().starts_with("xception") { compared } else { 0 };
    }
    // How many integers the documented table rests on, and what it says of the first network.
    assert_eq!(compared_of_table, 100);
    let network = catalog.select("timm/xception").unwrap()[0].network().build();
    assert_eq!(FlopsRule::ThopFlops.count(&network.costs(224).unwrap()), 9_198_849_216);
}
