//! What each verb prints.

use super::*;

#[test]
fn tolerances_of_a_catalog_are_by_figure() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, out) = (folder.path().join("mine.toml"), folder.path().join("run"));
    let entry = |tolerance: &str| {
        format!(
            "[[models]]\nid = \"mine/x\"\nnetwork = \"timm-xception\"\nrecipe = \"timm-333-bicubic\"\ninput_size = 299\n\
             tolerance = {{ {tolerance} }}\n[models.documented]\ntop1_pct = \"79.0\"\ntop5_pct = \"94.0\"\n\
             flops_g = {{ figure = \"9.21\", rule = \"thop-flops\", input_size = 224 }}\n\
             params_m = {{ figure = \"22.9\", rule = \"thop\" }}\n"
        )
    };
    let arguments = [
        "eval",
        "--catalog",
        catalog.to_str().unwrap(),
        "--model",
        "mine/x",
        "--limit",
        "1",
        "--out",
        out.to_str().unwrap(),
    ];
    fs::write(&catalog, entry("flops_g = 0.02")).unwrap();
    let table = printed(&mut xtask(&arguments));
    assert!(
        table.contains("2 x thop MACs at 224x224, rounded before doubling; -0.012, tolerance 0.02"),
        "{table}"
    );
    // The run is judged again by the catalog as it is then.
    fs::write(&catalog, entry("flops_g = 0.01")).unwrap();
    xtask(&arguments).assert().code(1);
    fs::write(&catalog, entry("top1_pct = -0.01")).unwrap();
    let error = xtask(&arguments).assert().code(2).get_output().stderr.clone();
    let error = String::from_utf8(error).unwrap();
    assert!(
        error.contains("model `mine/x`: `tolerance.top1_pct` is -0.01; it must be a number of"),
        "{error}"
    );
}

#[test]
fn counts_stand_beside_the_documented_figures() {
    insta::assert_snapshot!("complexity", printed(&mut xtask(&["complexity"])));
    insta::assert_snapshot!(
        "complexity_all_rules",
        printed(&mut xtask(&["complexity", "timm/xception", "--all-rules"]))
    );
    xtask(&["complexity", "timm/xception", "--input-size", "299", "--rule", "macs"])
        .assert()
        .success()
        .stdout(contains("8357403496").and(contains("thop").not()));
}

#[test]
fn help_explains_every_verb() {
    for verb in [
        "card",
        "eval",
        "parity",
        "complexity",
        "compare",
        "dataset check",
        "merge",
        "prepare",
        "score",
        "validate",
        "weights",
    ] {
        let arguments: Vec<&str> = verb.split(' ').chain(["--help"]).collect();
        let help = printed(xtask(&arguments).env("COLUMNS", "100"));
        insta::assert_snapshot!(format!("help_{}", verb.replace(' ', "_")), help);
    }
    xtask(&["--help"]).assert().success().stdout(contains("Exit codes: 0 all verdicts hold"));
}

#[test]
fn cached_weights_are_listed_and_verified() {
    let cache = tempfile::tempdir().unwrap();
    let weights = |arguments: &[&str]| {
        let mut command = xtask(&[&["weights"], arguments].concat());
        command.env("IMAGENET_EVAL_CACHE", cache.path());
        command
    };
    weights(&["list"])
        .assert()
        .success()
        .stdout(contains("xception-43020ad28.pth").and(contains("not here")).and(contains("first sight")));
    // What the table passes over is not hidden, and shown when it is named.
    weights(&["list"])
        .assert()
        .stdout(contains("Beside the table, when named: timm/resnet18, timm/tv_resnet50, timm/"));
    weights(&["list", "timm/resnet18"]).assert().stdout(contains("resnet18-5c106cde.pth"));
    let select = ["verify", "ppcls/xception41"];
    weights(&select).assert().code(EXIT_WRONG).stdout(contains("not here"));
    let file = cache.path().join("Xception41_pretrained.pdparams");
    fs::write(&file, "abc").unwrap();
    weights(&select)
        .assert()
        .code(EXIT_WRONG)
        .stdout(contains("never seen before, and no checkpoint of its network"));
    fs::write(cache.path().join("xception-43020ad28.pth"), "abc").unwrap();
    weights(&["verify", "timm/xception"])
        .assert()
        .code(EXIT_WRONG)
        .stdout(contains("CORRUPT").and(contains("43020ad28")));
    weights(&["fetch", "--offline", "timm/xception41"])
        .assert()
        .code(EXIT_WRONG)
        .stdout(contains("tf_xception_41-e6439c97.pth"));

    // What is said to fetch them fetches what was asked for.
    let own = cache.path().join("my own.toml");
    fs::write(&own, "").unwrap();
    let own = own.to_str().unwrap();
    let quoted = format!("`cargo xtask weights fetch '--catalog={own}' 'timm/res*' ppcls/xception41` gets");
    let select = ["--catalog", own, "--model", "timm/res*", "--model", "ppcls/xception41"];
    for action in [&["list"][..], &["verify"], &["fetch", "--offline"]] {
        weights(&[action, &select].concat()).assert().stdout(contains(quoted.as_str()));
        weights(action).assert().stdout(contains("`cargo xtask weights fetch` gets"));
    }
}

#[test]
fn runs_are_compared_with_the_table_and_with_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (source, card, flips) = (path("source"), path("card"), path("flips.csv"));
    let keys = "resize=short:342,filter=pil-bilinear,crop=299,mean=half,std=half";
    for (recipe, out) in [("source", &source), ("card", &card), (keys, &card)] {
        let model = ["eval", "--model", "timm/xception", "--limit", "6"];
        xtask(&[&model[..], &["--recipe", recipe, "--out", out]].concat()).assert().success();
    }
    // The run as it was judged when it was made; in a GitHub job, in its summary too.
    let summary = path("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let documented = printed(xtask(&["compare", &source]).env("GITHUB_STEP_SUMMARY", &summary));
    let summary = fs::read_to_string(summary).unwrap();
    assert!(summary.starts_with("before\n# Evaluation report") && summary.contains("9.198 G"), "{summary}");
    assert!(documented.contains("9.198 G") && documented.contains("not comparable"), "{documented}");
    let same = printed(&mut xtask(&["compare", &source, "--against", &source]));
    assert!(same.contains("the same five classes in the same order for every image"), "{same}");
    assert!(same.contains("+0 -0") && same.contains("within 0.05 pp"), "{same}");
    // Hits that are made by hand: the second image is right in one run and wrong in the other.
    let log = Path::new(&card).join("predictions/timm-xception.csv");
    let edited: String = fs::read_to_string(&log)
        .unwrap()
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if index == 1 {
                // The label becomes the best class; whichever of the five it was or was not.
                cells[1] = if cells[1] == cells[2] { cells[3] } else { cells[2] };
            }
            format!("{}\n", cells.join(","))
        })
        .collect();
    let refused = |arguments: &[&str], expected: &str| {
        xtask(arguments).assert().code(EXIT_WRONG).stderr(contains(expected));
    };
    let whole = fs::read_to_string(&log).unwrap();
    fs::write(&log, edited).unwrap();
    refused(&["compare", &source, "--against", &card], "in one and");
    // Another best class for one image, which has the label in one run.
    let swapped: String = whole
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if index == 1 {
                let label = cells[1].clone();
                match cells[2..7].iter().position(|class| *class == label) {
                    Some(0) => cells.swap(2, 3),
                    Some(rank) => cells.swap(2, 2 + rank),
                    None => cells[2] = label,
                }
            }
            format!("{}\n", cells.join(","))
        })
        .collect();
    let copy = path("copy");
    fs::create_dir_all(format!("{copy}/predictions")).unwrap();
    fs::copy(format!("{card}/run.json"), format!("{copy}/run.json")).unwrap();
    fs::write(format!("{copy}/predictions/timm-xception.csv"), swapped).unwrap();
    fs::write(&log, whole).unwrap();
    let output = xtask(&["compare", &copy, "--against", &card, "--flips", &flips])
        .assert()
        .code(1)
        .get_output()
        .clone();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("exceeded 0.05 pp") && text.contains("sample_0000000"), "{text}");
    let top1_flips = fs::read_to_string(&flips).unwrap().lines().filter(|row| row.ends_with(",1")).count();
    assert_eq!(top1_flips, 1);
    xtask(&["compare", &copy, "--against", &card, "--tolerance", "20"]).assert().success();

    refused(&["compare", &path("nothing")], "has no run.json, so it is no run directory");
    refused(&["compare", &source, "--flips", &flips], "--flips goes with --against RUN");
    fs::remove_file(&log).unwrap();
    refused(&["compare", &card], "timm-xception.csv");
}

#[test]
fn predictions_made_elsewhere_are_scored() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, list) = (path("predictions.csv"), path("val.txt"));
    let val = "ILSVRC2012_val_0000000";
    fs::write(&file, format!("{val}1.JPEG,65\n{val}2.JPEG,1\n{val}3.JPEG,230\n")).unwrap();
    let text = printed(&mut xtask(&["score", &file, "--model", "timm/xception"]));
    assert!(text.contains("top-1: 66.667 % (2/3, 95 % interval 20.77 to 93.85)"), "{text}");
    assert!(
        text.contains("top-5: not known") && text.contains("documented 79.050 %: not comparable"),
        "{text}"
    );
    // The first has no ReaL label.
    let text = printed(&mut xtask(&["score", &file, "--label-set", "real"]));
    assert!(text.contains("/2,") && text.contains("1 images have no ReaL label and are left out"), "{text}");

    let refused = |arguments: &[&str], expected: &str| {
        xtask(arguments).assert().code(EXIT_WRONG).stderr(contains(expected));
    };
    fs::write(&file, "a.JPEG,65\nb.JPEG,66\n").unwrap();
    refused(&["score", &file], "2 of 2 images have no label, the first: a.JPEG");
    fs::write(&list, "a.JPEG 65\nb.JPEG 0\n").unwrap();
    assert!(printed(&mut xtask(&["score", &file, "--labels", &list])).contains("top-1: 50.000 % (1/2"));
    fs::write(&list, "65\n0\n").unwrap();
    refused(&["score", &file, "--labels", &list], "the list has labels but no names");
    fs::write(&file, "a.JPEG: Relay top-1 id: 3, prob: 0.5, class name: x\n").unwrap();
    refused(&["score", &file], "line 1: a.JPEG has 1 lines instead of five");
    refused(&["score", &path("nothing.csv")], "nothing.csv");

    // All 50,000: judged by the documented figure.
    let rows = |right: usize| -> String {
        let labels = dataset::labels::ilsvrc2012_val();
        (1..)
            .zip(labels)
            .map(|(number, &label)| {
                let class = if number <= right { label } else { (label + 1) % 1000 };
                format!("ILSVRC2012_val_{number:08}.JPEG,{class}\n")
            })
            .collect()
    };
    fs::write(&file, rows(39_525)).unwrap();
    let text = printed(&mut xtask(&["score", &file, "--model", "timm/xception"]));
    assert!(text.contains("top-1: 79.050 % (39525/50000)\n") && text.contains(": reproduced"), "{text}");
    fs::write(&file, rows(39_000)).unwrap();
    xtask(&["score", &file, "--model", "timm/xception"]).assert().code(1).stdout(contains("not reproduced"));
    xtask(&["score", &file, "--model", "timm/xception", "--tolerance", "2"]).assert().success();
    // Right, but counted from 1.
    fs::write(&file, rows(0)).unwrap();
    xtask(&["score", &file])
        .assert()
        .success()
        .stdout(contains("99.9 % of the predictions are the label +1"));
}

#[test]
fn a_data_set_is_checked_before_hours_are_spent_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = sample_as_files(&folder.path().join("vål 1"), 4);
    let path = data.to_str().unwrap().to_owned();
    let file = |number: usize| data.join(format!("ILSVRC2012_val_{number:08}.JPEG"));
    let text = printed(&mut xtask(&["dataset", "check", &path]));
    for expected in [
        "images       4 (not the 50000 of the ILSVRC2012 validation set)",
        "order        agrees with the known labels of 4 validation files",
        "classes      4 of 1000, 1 images each",
        "decoded      4 of 4",
        "duplicates   no two files have the same content",
        "pixels       unverified pixels: only those of the whole validation set are known",
        "Nothing has to be mended.",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // The same fingerprint as in a report.
    let fingerprint = dataset::Dataset::open(&data, None).unwrap().fingerprint();
    assert!(text.contains(&format!("fingerprint  {fingerprint}\n")), "{text}");

    // The second is cut off, the third is the first under another name.
    let whole = fs::read(file(2)).unwrap();
    fs::write(file(2), &whole[..whole.len() / 2]).unwrap();
    fs::copy(file(1), file(3)).unwrap();
    let broken = || {
        String::from_utf8(
            xtask(&["dataset", "check", &path]).assert().code(EXIT_WRONG).get_output().stdout.clone(),
        )
        .unwrap()
    };
    let text = broken();
    for expected in [
        "ILSVRC2012_val_00000002.JPEG: JPEG file is truncated",
        "1 contents more than once, 1 with different labels: ILSVRC2012_val_00000001.JPEG = ILSVRC2012_val_00000003.JPEG",
        "problem: 1 files cannot be decoded",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    fs::write(file(2), whole).unwrap();
    fs::write(
        data.join("val.txt"),
        (1..=4).map(|n| format!("ILSVRC2012_val_{n:08}.JPEG {n}\n")).collect::<String>(),
    )
    .unwrap();
    let text = broken();
    assert!(text.contains("problem: 4 of 4 labels contradict the known ones. Leave the list out"), "{text}");
    xtask(&["dataset", "check", "/nothing/here"])
        .assert()
        .code(EXIT_WRONG)
        .stderr(contains("no such file or folder"));
}
