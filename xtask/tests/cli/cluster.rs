//! What an evaluation on several machines needs: waiting for another process, and one run of all parts.

use std::io::{BufRead, BufReader};

use super::*;

/// The runs of all shards of an evaluation of four images.
fn shards(folder: &Path, data: &Path, count: usize, more: &[&str]) -> Vec<String> {
    let path = |index: usize| folder.join(format!("shard-{index}")).to_str().unwrap().to_owned();
    let runs: Vec<String> = (1..=count).map(path).collect();
    for (run, index) in runs.iter().zip(1..) {
        let shard = format!("{index}/{count}");
        let given = ["--weights", "seeded", "--data", data.to_str().unwrap(), "--shard", &shard];
        xtask(&eval(Path::new(run), &[&given[..], more].concat())).assert().success();
    }
    runs
}

fn merge<'a>(runs: &'a [String], out: &'a str, more: &[&'a str]) -> Command {
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    xtask(&[&["merge"], &runs[..], &["--out", out], more].concat())
}

#[cfg(unix)]
#[test]
fn an_evaluation_waits_for_the_one_that_is_writing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let arguments = eval(&out, &["--limit", "1", "--wait"]);
    fs::create_dir(&out).unwrap();
    // Another process, on another machine perhaps.
    let lock = fs::File::create(out.join(".lock")).unwrap();
    lock.try_lock().unwrap();
    fs::write(out.join(".lock"), "process 12 on far-away, since 2026-01-02T03:04:05Z\n").unwrap();
    let start = || {
        let mut command = Process::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(&arguments).env_remove("IMAGENET_DATA").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("Waiting for another evaluation") {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "it does not wait: {:?}", child.wait());
        }
        let expected =
            format!("writing to {} (process 12 on far-away, since 2026-01-02T03:04:05Z)", out.display());
        assert!(line.contains(&expected), "{line}");
        (child, said)
    };
    for (signal, _) in [("-INT", 2), ("-TERM", 15)] {
        let (mut child, _said) = start();
        assert!(Process::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(EXIT_INTERRUPTED));
        assert!(!out.join("run.json").exists(), "nothing was begun");
    }
    xtask(&eval(&out, &["--limit", "1"])).assert().code(EXIT_WRONG).stderr(
        contains("another evaluation is writing to")
            .and(contains("process 12 on far-away").and(contains("--wait"))),
    );
    let (mut child, said) = start();
    drop(lock);
    let rest: Vec<String> = said.lines().map(Result::unwrap).collect();
    assert!(rest[0].ends_with("is free; going on."), "{rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(out.join("report.md").is_file());
    // Nobody waits for a directory that will be refused.
    let lock = fs::File::open(out.join(".lock")).unwrap();
    lock.try_lock().unwrap();
    let other = eval(&out, &["--limit", "2", "--wait"]);
    xtask(&other)
        .timeout(Duration::from_secs(60))
        .assert()
        .code(EXIT_WRONG)
        .stderr(contains("holds another evaluation"));
}

#[test]
fn a_merged_report_shows_images_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let out = path("merged").to_str().unwrap().to_owned();
    let data = sample_as_files(&path("images"), 4);
    let runs = shards(folder.path(), &data, 2, &[]);
    let pictures = || {
        let report = fs::read_to_string(path("merged/report.html")).unwrap();
        report.matches("src=\"data:image/jpeg;base64,").count()
    };
    merge(&runs, &out, &[]).assert().success();
    assert_eq!(pictures(), 0);
    // The images may lie elsewhere than they did.
    let moved = path("moved");
    fs::rename(&data, &moved).unwrap();
    merge(&runs, &out, &["--data", moved.to_str().unwrap()]).assert().success();
    assert!(pictures() > 0);
    let results = fs::read(path("merged/results.csv")).unwrap();

    let refused = |data: &Path, expected: &str| {
        merge(&runs, &out, &["--data", data.to_str().unwrap()])
            .assert()
            .code(EXIT_WRONG)
            .stderr(contains(expected));
        // As it was.
        assert!(fs::read(path("merged/results.csv")).unwrap() == results && pictures() > 0);
    };
    refused(&path("nowhere"), "no such file or folder");
    let others = sample_as_files(&path("others"), 3);
    refused(&others, "ILSVRC2012_val_00000004.JPEG is not among its 3 images");
    let more = sample_as_files(&path("more"), 5);
    fs::remove_file(more.join("ILSVRC2012_val_00000001.JPEG")).unwrap();
    refused(&more, "ILSVRC2012_val_00000001.JPEG is not among its 4 images");
    let changed = sample_as_files(&path("changed"), 4);
    fs::write(changed.join("ILSVRC2012_val_00000002.JPEG"), "another picture").unwrap();
    refused(&changed, "names are equal, labels or sizes are not");
}

#[test]
fn images_whose_labels_came_from_a_list_are_found_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("images");
    fs::create_dir(&data).unwrap();
    let sample = dataset::Dataset::sample();
    let names = ["a cat.jpg", "b,c.jpg", "d.jpg", "e.jpg"];
    let mut list = String::new();
    for (index, name) in names.iter().enumerate() {
        fs::write(data.join(name), sample.read(index).unwrap()).unwrap();
        list += &format!("{name} {}\n", 100 * index);
    }
    let labels = folder.path().join("the labels.txt");
    fs::write(&labels, list).unwrap();
    let runs = shards(folder.path(), &data, 2, &["--labels", labels.to_str().unwrap()]);
    fs::remove_file(labels).unwrap();
    let out = folder.path().join("merged");
    merge(&runs, out.to_str().unwrap(), &["--data", data.to_str().unwrap()]).assert().success();
    assert!(fs::read_to_string(out.join("report.html")).unwrap().contains("src=\"data:image/jpeg;base64,"));
}

#[test]
fn shards_of_different_builds_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("merged");
    let data = sample_as_files(&folder.path().join("images"), 3);
    let runs = shards(folder.path(), &data, 3, &[]);
    let silent = merge(&runs, out.to_str().unwrap(), &[]).assert().success().get_output().clone();
    assert!(!String::from_utf8(silent.stderr).unwrap().contains("different builds"));
    let record = Path::new(&runs[1]).join("run.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    json["sessions"][0]["environment"]["git_revision"] = "0123456789abcdef".into();
    fs::write(&record, json.to_string()).unwrap();
    let told =
        contains("different builds").and(contains("revision 0123456789abcdef")).and(contains("(shard 2/3)"));
    let output = merge(&runs, out.to_str().unwrap(), &[]).assert().success().get_output().clone();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("warning: ") && told.eval(&stderr), "{stderr}");
    for report in ["report.md", "report.html"] {
        let report = fs::read_to_string(out.join(report)).unwrap();
        assert!(told.eval(&report) && report.contains("shard 2/3: 2"), "{report}");
    }
    let json: serde_json::Value = serde_json::from_slice(&fs::read(out.join("run.json")).unwrap()).unwrap();
    assert_eq!(json["sessions"][1]["shard"]["index"], 2);
}

#[test]
fn all_runs_that_cannot_be_merged_are_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = sample_as_files(&folder.path().join("images"), 3);
    let runs = shards(folder.path(), &data, 3, &[]);
    fs::remove_file(Path::new(&runs[0]).join("run.json")).unwrap();
    let record = Path::new(&runs[2]).join("run.json");
    let text = fs::read_to_string(&record).unwrap().replace("\"finished\"", "\"interrupted\"");
    fs::write(&record, text).unwrap();
    let out = folder.path().join("merged");
    merge(&runs, out.to_str().unwrap(), &[]).assert().code(EXIT_WRONG).stderr(
        contains("2 of 3 runs cannot be merged:")
            .and(contains("shard-1 has no run.json"))
            .and(contains("shard-3 is unfinished; finish it first: cargo xtask eval")),
    );
    assert!(!out.exists());
}
