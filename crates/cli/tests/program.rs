//! `imagenet-eval` alone: in an empty folder, without a checkout, without Cargo's variables. What the verbs do is tested
//! where `cargo xtask` is (xtask/tests/cli).

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

const VERBS: [&str; 11] = [
    "card",
    "compare",
    "complexity",
    "dataset",
    "eval",
    "inspect",
    "merge",
    "parity",
    "prepare",
    "score",
    "weights",
];

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_imagenet-eval"));
    command.args(arguments).current_dir(folder);
    command.env_clear().env("IMAGENET_EVAL_CACHE", folder.join("cache"));
    command
}

fn printed(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

#[test]
fn it_runs_in_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), &["eval", "--model", "timm/xception", "--limit", "1"])
        .assert()
        .success()
        .stdout(contains("timm/xception").and(contains("Run directory: ./reports/runs/")));
    let runs = folder.path().join("reports/runs");
    let run = fs::read_dir(runs).unwrap().next().unwrap().unwrap().path();
    let record: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(record["command"][0], "imagenet-eval");
    assert_eq!(record["command"][1], "eval");
    // The revision is the one that was built: nothing here could be asked for it.
    let revision = record["environment"]["git_revision"].as_str().unwrap();
    assert!(printed(&mut program(folder.path(), &["--version"])).contains(&format!("({revision})")));
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(report.contains("imagenet-eval eval --model timm/xception --limit 1"), "{report}");
}

#[test]
fn a_card_may_claim_figures_of_an_onnx_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let narrow = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures/onnx/resnet18.onnx");
    fs::create_dir(at("cards")).unwrap();
    fs::copy(narrow, at("cards/narrow.onnx")).unwrap();
    let row =
        "onnx = \"narrow.onnx\"\nrecipe = \"resize=short:72,filter=pil-box,crop=64,mean=half,std=half\"";
    let claims = "flops_g = { figure = \"0.001\", rule = \"macs\" }\nparams_m = { figure = \"0.078\", rule = \"trainable\" }";
    let card = format!("[card]\nname = \"ours\"\n[[rows]]\n{row}\n{claims}\n");
    fs::write(at("cards/ours.toml"), card).unwrap();
    let arguments = ["eval", "--card", "cards/ours.toml", "--limit", "2", "--out", "run"];
    let plan = printed(&mut program(folder.path(), &[&arguments[..], &["--plan"]].concat()));
    assert!(plan.contains("ours: 1 of the models, selected") && !plan.contains("not measured"), "{plan}");
    program(folder.path(), &arguments).assert().code(1).stdout(contains("onnx/narrow"));
    let claims = fs::read_to_string(at("run/claims.csv")).unwrap();
    for row in
        [",flops_g,0.001,0.001175,macs,reproduced,", ",params_m,0.078,0.077472,trainable,not reproduced,"]
    {
        assert!(claims.contains(row), "{claims}");
    }
    assert!(at("run/predictions/onnx-narrow.csv").exists());
    let counted = ["complexity", "--card", "cards/ours.toml"];
    program(folder.path(), &counted)
        .assert()
        .code(1)
        .stdout(contains("0.077 M").and(contains("not reproduced")));
    let by_rules = ["complexity", "--card", "cards/ours.toml", "--all-rules"];
    program(folder.path(), &by_rules).assert().code(1).stdout(contains("not reproduced"));
    // Of a file alone, a line a figure.
    let alone = printed(&mut program(folder.path(), &["complexity", "--onnx", "cards/narrow.onnx"]));
    assert_eq!(alone.matches("nothing documented").count(), 2, "{alone}");
    // One that takes no square says so.
    let oblong = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures/onnx/oblong.onnx");
    fs::copy(oblong, at("oblong.onnx")).unwrap();
    let counted = printed(&mut program(folder.path(), &["complexity", "--onnx", "oblong.onnx"]));
    assert!(counted.contains("2 x MACs at 80x48"), "{counted}");
    // Its predictions are judged by the card as any model's, though the file is gone.
    fs::remove_file(at("cards/narrow.onnx")).unwrap();
    fs::write(at("made-elsewhere.csv"), "ILSVRC2012_val_00000001.JPEG,65\n").unwrap();
    let card = fs::read_to_string(at("cards/ours.toml")).unwrap();
    fs::write(at("cards/ours.toml"), card + "top1_pct = \"70.0\"\n").unwrap();
    let scored = ["score", "made-elsewhere.csv", "--card", "cards/ours.toml", "--model", "onnx/narrow"];
    program(folder.path(), &[&scored[..], &["--out", "scored"]].concat())
        .assert()
        .success()
        .stdout(contains("onnx/narrow top-1, documented 70.0 %: not comparable"));
    let claims = fs::read_to_string(at("scored/claims.csv")).unwrap();
    assert!(claims.contains(",top1_pct,70.0,"), "{claims}");
    let other = ["score", "made-elsewhere.csv", "--card", "cards/ours.toml", "--model", "onnx/other"];
    program(folder.path(), &other).assert().code(2).stderr(contains("no model matches `onnx/other`"));
    // No weights are published of it, and no framework's answers frozen.
    program(folder.path(), &["parity", "--card", "cards/ours.toml"]).assert().code(2);
}

#[test]
fn help_names_this_program_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let help = printed(&mut program(folder.path(), &["--help"]));
    for verb in VERBS {
        assert!(help.contains(&format!("\n  {verb} ")), "{help}");
        let help = printed(&mut program(folder.path(), &[verb, "--help"]));
        assert!(help.contains(&format!("Usage: imagenet-eval {verb}")), "{help}");
        assert!(!help.contains("cargo"), "{help}");
    }
}

#[test]
fn advice_is_what_can_be_typed() {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), &["weights", "list", "timm/xception"])
        .assert()
        .success()
        .stdout(contains("`imagenet-eval weights fetch timm/xception`"));
}

#[test]
fn shells_and_man_get_what_help_says() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&mut program(folder.path(), &["completions", shell]));
        assert!(
            VERBS.iter().all(|verb| script.contains(verb)) && script.contains("require-comparable"),
            "{shell}"
        );
    }
    let page = printed(&mut program(folder.path(), &["man"]));
    assert!(page.contains(".TH imagenet-eval 1") && page.contains("130 interrupted"), "{page}");
    program(folder.path(), &["man", "--out", "pages/man1"]).assert().success();
    for (file, text) in [
        ("imagenet-eval.1", "imagenet\\-eval"),
        ("imagenet-eval-eval.1", "\\-\\-require\\-comparable"),
        ("imagenet-eval-dataset-check.1", "\\-\\-complete"),
    ] {
        let page = fs::read_to_string(folder.path().join("pages/man1").join(file)).unwrap();
        assert!(page.contains(text), "{file}: {page}");
    }
    fs::write(folder.path().join("file"), "").unwrap();
    program(folder.path(), &["man", "--out", "file"])
        .assert()
        .code(2)
        .stderr(contains("cannot make the folder file"));
}
