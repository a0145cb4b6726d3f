//! The catalog against itself, and every network of the catalog against what its framework says of
//! it. These tests iterate, so that a new model is tested without a new test.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeMap;
use std::path::Path;

use models::catalog::{CatalogError, FigureName};
use models::complexity::{Cost, FlopsRule, ParamsRule};
use models::weights::{Framework, ModuleTensor, Role};
use models::{Catalog, Model};
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
    assert_eq!(xception65.erratum(FigureName::FlopsG).unwrap().corrected.as_str(), "15.214");
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
        (format!("{OWN}{documented}"), "documented.flops_g.input_size is 1; it must be 32 to 8192"),
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

fn documented(keys: &str) -> String {
    format!("[models.documented]\n{keys}\n")
}

#[test]
fn figures_have_to_be_possible() {
    let flops = |keys: &str| documented(&format!("flops_g = {{ rule = \"macs\", {keys} }}"));
    let params = |keys: &str| documented(&format!("params_m = {{ rule = \"thop\", {keys} }}"));
    let tolerance = |keys: &str| {
        let figures =
            "flops_g = { figure = \"9.2\", rule = \"macs\" }\nparams_m = { figure = \"4\", rule = \"thop\" }";
        format!("tolerance = {{ {keys} }}\n{}", documented(figures))
    };
    for (lines, expected) in [
        (documented("top1_pct = \"170\""), "`documented.top1_pct` is 170; an accuracy is 0 to 100 per cent"),
        (documented("top5_pct = \"100.001\""), "`documented.top5_pct` is 100.001; an accuracy is"),
        (documented("top1_pct = \"79.0000001\""), "it can have 6 decimals at most"),
        (documented("top1_pct = \"94.5\"\ntop5_pct = \"79.0\""), "top-1 cannot be above top-5"),
        (documented("top1_pct = \"9999999999999999999999\""), "has at most 20 digits"),
        (documented("top1_pct = \"-1\""), "`-1` is not a decimal number"),
        (documented("top1_pct = \"1e1\""), "`1e1` is not a decimal number"),
        (documented("top1_pct = \"nan\""), "`nan` is not a decimal number"),
        (flops("figure = \"0.000\""), "`documented.flops_g` is 0.000; FLOPs are more than 0"),
        (flops("figure = \"99999999999\""), "`documented.flops_g` is 99999999999; FLOPs are"),
        (flops("figure = \"1.0000000001\""), "it can have 9 decimals at most"),
        (params("figure = \"0\""), "`documented.params_m` is 0; parameters are more than 0"),
        (params("figure = \"1.0000001\""), "it can have 6 decimals at most"),
        (
            flops("figure = \"9.198\", decimals = 400"),
            "`documented.flops_g.decimals` is 400, but 9.198 has 3 decimals",
        ),
        (
            params("figure = \"22.9\", decimals = 2"),
            "`documented.params_m.decimals` is 2, but 22.9 has 1 decimals",
        ),
        (params("figure = \"22.910\", decimals = 1"), "other digits than zeros follow in 22.910"),
        (flops("figure = \"9.198\", decimals = 0"), "other digits than zeros follow in 9.198"),
        (
            tolerance("top1_pct = 99999"),
            "`tolerance.top1_pct` is 99999; it must be a number of percentage points from 0 to 100",
        ),
        (tolerance("top5_pct = -0.01"), "`tolerance.top5_pct` is -0.01; it must be"),
        (tolerance("top5_pct = nan"), "`tolerance.top5_pct` is NaN; it must be"),
        (tolerance("flops_g = 4.6"), "`tolerance.flops_g` is 4.6; it must be a number from 0 on"),
        (tolerance("params_m = inf"), "`tolerance.params_m` is inf; it must be a number from 0 on"),
    ] {
        let message = refused(&lines);
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("model `mine/finetuned`"), "{message}");
    }
    for lines in [
        documented("top1_pct = \"0\"\ntop5_pct = \"100\""),
        documented("top1_pct = \"79.05\"\ntop5_pct = \"79.050\""),
        flops("figure = \"9.200\", decimals = 1"),
        params("figure = \"22.000\", decimals = 0"),
        tolerance("top1_pct = 1, top5_pct = 0.5, flops_g = 4.5, params_m = 0"),
    ] {
        add(&format!("{OWN}{lines}")).unwrap();
    }
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_a_catalog() {
    for (lines, expected) in [
        (
            documented("flops_g = \"9.198\""),
            "`documented.flops_g` is \"9.198\", and must be keys with values: flops_g = { figure",
        ),
        (
            documented("top1_pct = 79.05"),
            "`documented.top1_pct` is 79.05, and must be in quotes, with every digit that is printed",
        ),
        (documented("top1_pct = [1]"), "`documented.top1_pct` is a list, and must be in quotes"),
        (
            documented("flops_g = { figure = \"9.198\" }"),
            "`documented.flops_g.rule` is missing; write rule = \"thop-flops\"",
        ),
        (
            documented("flops_g = { rule = \"macs\" }"),
            "`documented.flops_g.figure` is missing; write figure =",
        ),
        (
            documented("flops_g = { figure = \"1\", rule = \"mac\" }"),
            "`documented.flops_g.rule` is `mac`, which there is not; there are macs, flops",
        ),
        (
            documented("params_m = { figure = \"1\", rule = 3 }"),
            "`documented.params_m.rule` is 3, and must be one of trainable, with-running-statistics, thop in quotes",
        ),
        (
            documented("flops_g = { figure = \"1\", rule = \"macs\", decimals = -1 }"),
            "`documented.flops_g.decimals` is -1, and must be a whole number from 0 on",
        ),
        (
            documented("flops_g = { figure = \"1\", rule = \"macs\", decimals = \"1\" }"),
            "`documented.flops_g.decimals` is \"1\", and must be a whole number",
        ),
        (
            documented("dtype = \"f8\""),
            "`documented.dtype` is `f8`, which there is not; there are f32, f16, bf16",
        ),
        ("tolerance = 0.1\n".to_owned(), "`tolerance` is 0.1, and must be keys with values: tolerance = {"),
        (
            "tolerance = { top1_pct = \"0.1\" }\n".to_owned(),
            "`tolerance.top1_pct` is \"0.1\", and must be a number without quotes",
        ),
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
        ("documented = \"79\"\n".to_owned(), "`documented` is \"79\", and must be keys with values"),
        (
            "errata = \"flops\"\n".to_owned(),
            "`errata` is \"flops\", and must be keys with values, in two pairs of brackets",
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
        (
            "accuracy_tolerance_pp = \"0.1\"\n".to_owned(),
            "`accuracy_tolerance_pp` is \"0.1\", and must be a number without quotes",
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
fn an_erratum_has_a_corrected_figure() {
    let erratum = |lines: &str| {
        let figures = "top1_pct = \"79.0\"\ntop5_pct = \"94.0\"\nflops_g = { figure = \"15.241\", rule = \"thop-flops\", input_size = 224 }";
        format!("{}[[models.errata]]\nreason = \"digits transposed\"\n{lines}", documented(figures))
    };
    for (lines, expected) in [
        (
            "figure = \"flops_g\"",
            "`errata.corrected` is missing; write corrected = \"15.214\", the figure that should have been printed",
        ),
        ("figure = \"flops_g\"\ncorrected = 15.214", "`errata.corrected` is 15.214, and must be in quotes"),
        (
            "figure = \"flops\"\ncorrected = \"15.214\"",
            "`errata.figure` is `flops`, which there is not; there are top1_pct",
        ),
        (
            "figure = \"params_m\"\ncorrected = \"15.214\"",
            "there is an erratum of `params_m`, which is not documented",
        ),
        ("figure = \"flops_g\"\ncorrected = \"15\"", "corrects 15.241 to 15, which has fewer decimals"),
        ("figure = \"flops_g\"\ncorrected = \"0.000\"", "is 0.000; FLOPs are more than 0"),
        ("figure = \"flops_g\"\ncorrected = \"15.2410\"", "corrects 15.241 to itself"),
        ("figure = \"top1_pct\"\ncorrected = \"179.0\"", "is 179.0; an accuracy is 0 to 100 per cent"),
        (
            "figure = \"top1_pct\"\ncorrected = \"97.0\"",
            "top1_pct is 97.0 and top5_pct 94.0; top-1 cannot be above top-5",
        ),
        (
            "figure = \"flops_g\"\ncorrected = \"15.214\"\n[[models.errata]]\nreason = \"again\"\nfigure = \"flops_g\"\ncorrected = \"15.215\"",
            "there are two errata of `flops_g`",
        ),
    ] {
        let message = refused(&erratum(lines));
        assert!(message.contains(expected), "{message}");
    }
    add(&format!("{OWN}{}", erratum("figure = \"flops_g\"\ncorrected = \"15.214\""))).unwrap();
}

/// A user's file must not change how another's entries are judged.
#[test]
fn a_files_tolerance_holds_for_its_own_entries() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::built_in();
    let entry = |id: &str| OWN.replace("mine/finetuned", id);
    for (name, text) in [
        ("loose.toml", format!("accuracy_tolerance_pp = 50\n{}", entry("loose/x"))),
        ("none.toml", entry("none/x")),
        ("exact.toml", format!("accuracy_tolerance_pp = 0.0\n{}", entry("exact/x"))),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        catalog.add_file(&path).unwrap();
    }
    let of = |id| catalog.select(id).unwrap()[0].accuracy_tolerance_pp;
    assert_eq!(["timm/xception", "loose/x", "none/x", "exact/x"].map(of), [0.05, 50.0, 0.05, 0.0]);
    assert_eq!(catalog.accuracy_tolerance_pp(), 0.05);
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

/// Every integer that the sources' own tools counted for `model`, by its key.
fn counts(key: &str, costs_224: &[Cost], costs_299: &[Cost]) -> u64 {
    let costs = if key.ends_with("_224") { costs_224 } else { costs_299 };
    match key {
        "params" => ParamsRule::Trainable.count(costs),
        "params_with_running_stats" => ParamsRule::WithRunningStatistics.count(costs),
        "thop_params" => ParamsRule::Thop.count(costs),
        "thop_macs_224" | "thop_macs_299" => FlopsRule::ThopMacs.count(costs),
        "paddle_flops_224" | "paddle_flops_299" => FlopsRule::PaddleFlops.count(costs),
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
        let (at_224, at_299) = (network.costs(224).unwrap(), network.costs(299).unwrap());
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
    let network = catalog.select("timm/xception").unwrap()[0].network().build();
    assert_eq!(FlopsRule::ThopFlops.count(&network.costs(224).unwrap()), 9_198_849_216);
}
