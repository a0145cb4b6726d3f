//! The command line as a person meets it: what is printed, where, and with which exit code.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

const EXIT_WRONG: i32 = 2;
const EXIT_INTERRUPTED: i32 = 130;

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).env_remove("IMAGENET_DATA").env("IMAGENET_EVAL_CACHE", "/nonexistent/cache");
    command
}

/// Arguments of an evaluation of the first network into `out`.
fn eval<'a>(out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["eval", "--model", "timm/xception", "--out", out.to_str().unwrap()];
    arguments.extend(more);
    arguments
}

/// The embedded sample as files `ILSVRC2012_val_*`.
fn sample_as_files(folder: &Path, images: usize) -> PathBuf {
    let sample = dataset::Dataset::sample();
    fs::create_dir_all(folder).unwrap();
    for index in 0..images {
        let name = format!("ILSVRC2012_val_{:08}.JPEG", index + 1);
        fs::write(folder.join(name), sample.read(index).unwrap()).unwrap();
    }
    folder.to_owned()
}

fn printed(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

/// That a run of the main job gives `reports/sample` again, times and machine aside.
fn assert_is_the_reference_report(out: &Path) {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/sample");
    let remedy = "if that is meant: cargo xtask eval --all --out reports/sample --fresh";
    let cells = |line: &str, separator: char| -> Vec<String> {
        line.split(separator).map(|cell| cell.trim().to_owned()).collect()
    };
    let without = |mut cells: Vec<String>, count: usize, last: usize| {
        let from = cells.len().saturating_sub(count + last);
        cells.drain(from..from + count.min(cells.len()));
        cells
    };
    let text = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let results = |folder: &Path| -> Vec<_> {
        text(folder, "results.csv").lines().map(|line| without(cells(line, ','), 2, 1)).collect()
    };
    assert_eq!(results(out), results(&reference), "results.csv: {remedy}");
    // The table of models ends with two columns of times; facts about the machine follow the data's.
    let report = |folder: &Path| -> Vec<_> {
        let text = text(folder, "report.md");
        let (before, after) = text.split_once("## Models").unwrap();
        let models =
            after.lines().take_while(|line| !line.starts_with("## ")).filter(|line| !line.contains("---"));
        let data = after.lines().filter(|line| line.starts_with("- data") || line.starts_with("- label"));
        let rows = models.map(|line| without(cells(line, '|'), 2, 1));
        before.lines().chain(data).map(|line| cells(line, '|')).chain(rows).collect()
    };
    assert_eq!(report(out), report(&reference), "report.md: {remedy}");
    let untimed = |folder: &Path| -> Vec<String> {
        let untimed = |line: &str| line.split(" time=").next().unwrap().to_owned();
        text(folder, "junit.xml").lines().map(untimed).collect()
    };
    assert_eq!(untimed(out), untimed(&reference), "junit.xml: {remedy}");
    let headings = |folder: &Path| -> Vec<String> {
        let heads = |line: &&str| line.starts_with("<h") || line.starts_with("<summary");
        text(folder, "report.html").lines().filter(heads).map(str::to_owned).collect()
    };
    assert_eq!(headings(out), headings(&reference), "report.html: {remedy}");
}

#[test]
fn the_main_job_runs_the_sample_on_a_fresh_machine() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output =
        xtask(&["eval", "--all", "--out", out.to_str().unwrap()]).assert().success().get_output().clone();
    let printed = String::from_utf8(output.stdout).unwrap().replace(out.to_str().unwrap(), "[OUT]");
    insta::assert_snapshot!("eval_all", printed);
    for file in
        ["run.json", "results.csv", "report.md", "report.html", "junit.xml", "predictions/timm-xception.csv"]
    {
        assert!(out.join(file).is_file(), "{file}");
    }
    let html = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(
        html.contains("Nothing contradicts the table, but 24 of 48 figures were not comparable."),
        "{html}"
    );
    assert!(!html.contains("http:") && !html.contains("https:"), "nothing is fetched");
    let junit = fs::read_to_string(out.join("junit.xml")).unwrap();
    let totals =
        "<testsuites name=\"imagenet-eval\" tests=\"48\" failures=\"0\" skipped=\"24\" errors=\"0\">";
    assert!(junit.contains(totals) && junit.ends_with("</testsuites>\n"), "{junit}");
    assert_is_the_reference_report(&out);
    // Not a terminal: plain lines, no control characters.
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("24 images in ") && !said.contains('\u{1b}'), "{said}");
}

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
    assert!(table.contains("2 x thop MACs at 224x224; -0.011, tolerance 0.02"), "{table}");
    // The run is judged again by the catalog as it is then.
    fs::write(&catalog, entry("flops_g = 0.01")).unwrap();
    xtask(&arguments).assert().code(1);
    fs::write(&catalog, entry("top1_pct = -0.01")).unwrap();
    let error = xtask(&arguments).assert().code(2).get_output().stderr.clone();
    let error = String::from_utf8(error).unwrap();
    assert!(error.contains("a tolerance must be a number from 0 on, in the figure's unit"), "{error}");
}

#[test]
fn counts_stand_beside_the_documented_figures() {
    insta::assert_snapshot!("complexity", printed(&mut xtask(&["complexity"])));
    xtask(&["complexity", "timm/xception", "--input-size", "299", "--rule", "macs"])
        .assert()
        .success()
        .stdout(contains("8357403496").and(contains("thop").not()));
}

#[test]
fn help_explains_every_verb() {
    for verb in
        ["eval", "parity", "complexity", "compare", "dataset check", "merge", "score", "validate", "weights"]
    {
        let arguments: Vec<&str> = verb.split(' ').chain(["--help"]).collect();
        let help = printed(xtask(&arguments).env("COLUMNS", "100"));
        insta::assert_snapshot!(format!("help_{}", verb.replace(' ', "_")), help);
    }
    xtask(&["--help"]).assert().success().stdout(contains("Exit codes: 0 all verdicts hold"));
}

#[test]
fn wrong_commands_say_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let refused = |arguments: &[&str], expected: &str| {
        xtask(arguments).assert().code(EXIT_WRONG).stderr(contains(expected));
    };
    refused(&["eval"], "--all|--model");
    refused(
        &["eval", "--model", "timm/xceptoin"],
        "no model matches `timm/xceptoin`; the nearest are timm/xception",
    );
    let own = folder.path().join("own.toml");
    let entry = |arch: &str| {
        format!(
            "[[models]]\nid = \"mine/{arch}\"\nnetwork = \"timm-{arch}\"\nrecipe = \"card-342-bilinear\"\ninput_size = 299\n"
        )
    };
    fs::write(&own, entry("xception41") + &entry("xception98")).unwrap();
    let own = own.to_str().unwrap();
    for selection in [&["--all"][..], &["--model", "mine/*"]] {
        refused(
            &[&["eval", "--catalog", own], selection].concat(),
            "model `mine/xception98`: there is no network `timm-xception98`; there are timm-xception,",
        );
    }
    refused(&["eval", "--model", "timm/["], "is no pattern");
    refused(&eval(&out, &["--device", "tpu"]), "no device is called `tpu`; this build has flex, ndarray");
    refused(&eval(&out, &["--dtype", "f64"]), "no type is called `f64`; there are f32, f16 and bf16");
    refused(&eval(&out, &["--dtype", "f16"]), "the device `flex` does not compute in f16 here; it has f32");
    refused(&eval(&out, &["--recipe", "timm-9"]), "use source, card or one of timm-333-bicubic");
    refused(&eval(&out, &["--batch", "0"]), "--batch");
    refused(&eval(&out, &["--batch", "9223372036854775807"]), "--batch");
    refused(&eval(&out, &["--labels", "list.txt"]), "--labels goes with --data");
    refused(&eval(&out, &["--tolerance", "-1"]), "--tolerance");
    refused(&eval(&out, &["--tolerance", "many"]), "percentage points from 0 to 100");
    refused(&eval(&out, &["--weights", "/no/such.pth"]), "cannot read the weights /no/such.pth");
    refused(
        &eval(&out, &["--offline", "--weights", "pretrained"]),
        "/nonexistent/cache/xception-43020ad28.pth",
    );
    refused(&eval(&out, &["--catalog", "/no/such.toml"]), "cannot read the catalog /no/such.toml");
    refused(&["complexity", "--rule", "guess"], "thop-flops");
    assert!(!out.exists(), "a refused command leaves nothing behind");
}

#[test]
fn wrong_data_says_where_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let refused = |data: &Path, expected: &str| {
        let arguments = eval(&out, &["--weights", "seeded", "--data", data.to_str().unwrap()]);
        xtask(&arguments).assert().code(EXIT_WRONG).stderr(contains(expected));
    };
    refused(&folder.path().join("absent"), "no such file or folder");
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    refused(&images, "no images");
    sample_as_files(&images, 2);
    fs::write(images.join("cat.jpg"), "").unwrap();
    refused(&images, "cat.jpg");
    let list = images.join("val.txt");
    let names = ["cat.jpg", "ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG"];
    let write_list = |labels: [&str; 3]| {
        let lines: Vec<String> =
            names.iter().zip(labels).map(|(name, label)| format!("{name} {label}\n")).collect();
        fs::write(&list, lines.concat()).unwrap();
    };
    fs::write(&list, "cat.jpg 1\nILSVRC2012_val_00000009.JPEG 1\n").unwrap();
    refused(&images, "ILSVRC2012_val_00000009.JPEG");
    write_list(["0", "1001", "2"]);
    refused(&images, "line 2: label 1001 is not in 0..999");
    write_list(["tabby", "1", "2"]);
    refused(&images, "line 1");
    // Every image unreadable: there is nothing to report, and that is an error.
    names.iter().for_each(|name| fs::write(images.join(name), "text").unwrap());
    write_list(["0", "1", "2"]);
    refused(&images, "not one of the 3 images could be evaluated");
}

#[test]
fn a_directory_that_cannot_be_written_is_said_before_anything_is_computed() {
    // A file where a folder is needed is in the way of root too.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    xtask(&eval(&file.join("run"), &[])).assert().code(EXIT_WRONG).stderr(contains("cannot create"));
}

#[test]
fn a_folder_can_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let images = sample_as_files(&folder.path().join("images"), 1);
    let out = folder.path().join("run");
    xtask(&eval(&out, &["--weights", "seeded"]))
        .env("IMAGENET_DATA", &images)
        .assert()
        .success()
        .stdout(contains("1 images, not the 50,000").and(contains("seeded weights")));
}

#[test]
fn a_cached_file_that_is_not_the_published_one_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    fs::write(cache.path().join("xception-43020ad28.pth"), "half a download").unwrap();
    let out = cache.path().join("run");
    xtask(&eval(&out, &["--weights", "pretrained"]))
        .env("IMAGENET_EVAL_CACHE", cache.path())
        .assert()
        .code(EXIT_WRONG)
        .stderr(contains("is not the published file").and(contains("should begin with 43020ad28")));
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    xtask(&eval(&out, &["--limit", "1"])).env("IMAGENET_DATA", "").assert().success();
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_goes_away_ends_no_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = Process::new(env!("CARGO_BIN_EXE_xtask"))
        .args(eval(&out, &["--limit", "2"]))
        .env_remove("IMAGENET_DATA")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Closes both pipes while the program has much to say.
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(out.join("report.md").is_file());
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_goes_on_when_it_is_given_again() {
    const IMAGES: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let arguments = eval(&out, &["--batch", "1", "--limit", "8"]);
    let start = || -> Child {
        Process::new(env!("CARGO_BIN_EXE_xtask"))
            .args(&arguments)
            .env_remove("IMAGENET_DATA")
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let log = out.join("predictions/timm-xception.csv");
    let rows = || fs::read_to_string(&log).map_or(0, |text| text.lines().count().saturating_sub(1));
    let wait_for = |count: usize| {
        let started = Instant::now();
        while rows() < count {
            assert!(started.elapsed() < Duration::from_secs(120), "no rows are being written");
            std::thread::sleep(Duration::from_millis(5));
        }
    };

    // Killed without warning after the first image.
    let mut child = start();
    wait_for(1);
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = rows();
    assert!((1..IMAGES).contains(&kept), "{kept}");

    // Asked to stop: says so by its exit code, and keeps what it has.
    let mut child = start();
    wait_for(kept + 1);
    assert!(Process::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(EXIT_INTERRUPTED));
    assert!((kept + 1..IMAGES).contains(&rows()), "{}", rows());

    xtask(&arguments).assert().success().stderr(contains("Going on after"));
    assert_eq!(rows(), IMAGES);
    let results = fs::read_to_string(out.join("results.csv")).unwrap();
    assert!(results.contains("flex,8,0,"), "{results}");
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
    weights(&["list"]).assert().stdout(contains("Beside the table, when named: timm/resnet18.\n"));
    weights(&["list", "timm/resnet18"]).assert().stdout(contains("resnet18-5c106cde.pth"));
    let select = ["verify", "ppcls/xception41"];
    weights(&select).assert().code(EXIT_WRONG).stdout(contains("not here"));
    let file = cache.path().join("Xception41_pretrained.pdparams");
    fs::write(&file, "abc").unwrap();
    weights(&select).assert().success().stdout(contains("never seen before"));
    fs::write(cache.path().join("xception-43020ad28.pth"), "abc").unwrap();
    weights(&["verify", "timm/xception"])
        .assert()
        .code(EXIT_WRONG)
        .stdout(contains("CORRUPT").and(contains("43020ad28")));
    weights(&["fetch", "--offline", "timm/xception41"])
        .assert()
        .code(EXIT_WRONG)
        .stdout(contains("tf_xception_41-e6439c97.pth"));
}

#[test]
fn runs_are_compared_with_the_table_and_with_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (source, card, flips) = (path("source"), path("card"), path("flips.csv"));
    for (recipe, out) in [("source", &source), ("card", &card)] {
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
    assert_eq!(fs::read_to_string(&flips).unwrap().lines().count(), 2);
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
