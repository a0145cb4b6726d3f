//! Every command of README.md is run, as a reader would type it, in a folder that has what the reader is supposed to
//! have: images, weight files, predictions. What a test cannot have is replaced, and what it cannot run is looked at;
//! both are tables below, with the reasons. A command that neither table knows is an error.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use models::{Catalog, DeviceName, Isa};

/// How commands are run that have all these words; the first that fits counts.
struct Run {
    has: &'static [&'static str],
    /// Words that are added, and why they have to be.
    add: &'static [&'static str],
    why: &'static str,
}

const AS_IS: &str = "nothing is added";

const RUN: [Run; 19] = [
    Run { has: &["--help"], add: &[], why: AS_IS },
    Run { has: &["inspect"], add: &[], why: AS_IS },
    Run { has: &["eval", "--onnx"], add: &[], why: "the stand-in takes images of 64 pixels" },
    Run {
        has: &["eval", "--data", "--weights"],
        add: &[],
        why: "the file holds seeded weights under the published name: files are recognised by content",
    },
    Run {
        has: &["eval", "--data"],
        add: &["--weights", "seeded"],
        why: "published files cannot be had here",
    },
    Run { has: &["eval", "--all"], add: &["--limit", "2"], why: "tests/cli runs the whole sample" },
    Run { has: &["dataset", "check"], add: &[], why: AS_IS },
    Run { has: &["weights", "list"], add: &[], why: AS_IS },
    Run {
        has: &["weights", "fetch"],
        add: &[FIRST_SEEN],
        why: "a stand-in has none of the published hashes",
    },
    Run { has: &["weights", "verify"], add: &[FIRST_SEEN], why: "what was fetched" },
    Run { has: &["weights", "forget"], add: &[], why: AS_IS },
    Run { has: &["merge"], add: &[], why: AS_IS },
    Run { has: &["compare"], add: &[], why: AS_IS },
    Run { has: &["score"], add: &[], why: AS_IS },
    Run { has: &["complexity"], add: &[], why: AS_IS },
    Run { has: &["card"], add: &[], why: AS_IS },
    Run { has: &["parity", "--device"], add: &[MODEL], why: "crates/eval/tests/parity.rs runs all networks" },
    Run { has: &["parity"], add: &[MODEL], why: "crates/eval/tests/parity.rs runs all networks" },
    Run { has: &["validate"], add: &["--only", "tidy"], why: "the other steps are what runs this test" },
];

const MODEL: &str = "timm/xception";
/// A model whose file is recorded when it is first seen.
const FIRST_SEEN: &str = "ppcls/xception41";

/// Commands that have all these words are not run, for a reason, but looked at.
struct LookAt {
    has: &'static [&'static str],
    look: fn(&str),
}

const LOOK_AT: [LookAt; 6] = [
    // It builds everything once more.
    LookAt { has: &["install", "--path"], look: the_program },
    // This test is a part of it.
    LookAt { has: &["test", "--workspace"], look: the_test_command },
    // It measures for a quarter of an hour.
    LookAt { has: &["bench"], look: the_benchmarks },
    // They need all names of the validation set; crates/eval/tests/run/sample.rs runs samples of it.
    LookAt { has: &["eval", "--sample"], look: an_option_of_eval },
    LookAt { has: &["eval", "--until"], look: an_option_of_eval },
    // A GPU's feature takes long to build.
    LookAt { has: &["--device", "wgpu"], look: a_feature },
];

/// What stands for the reader's images.
const IMAGES: [&str; 2] = ["/data/imagenet/val", "DIR"];
/// The reader's ONNX file, for which a narrow ResNet stands.
const ONNX: &str = "model.onnx";
/// A run that the README supposes, and the one of its own that stands for it.
const SUPPOSED: (&str, &str) = ("runs/before", "runs/f32");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(file: &str) -> String {
    fs::read_to_string(repository().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The contents of the README's blocks of code in `language`.
fn blocks(language: &str) -> Vec<String> {
    let readme = text("README.md");
    let parts: Vec<&str> = readme.split("\n```").collect();
    let blocks = parts.iter().skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n")).map(str::to_owned)).collect()
}

/// Every command: the lines of blocks of `sh` without their comments, and what else in the text begins as one.
fn commands() -> Vec<String> {
    let mut commands = Vec::new();
    for block in blocks("sh") {
        let lines = block.replace("\\\n", " ");
        let bare = lines.lines().map(|line| line.split(" #").next().unwrap().trim());
        commands.extend(bare.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned));
    }
    let readme = text("README.md");
    let prose: String = readme.split("\n```").step_by(2).collect();
    let inline = prose.split('`').skip(1).step_by(2).filter(|code| code.starts_with("cargo "));
    for command in inline.map(str::to_owned) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}

fn words(command: &str) -> Vec<&str> {
    let plain = !command.contains(['|', '>', '<', '$', ';', '&', '\'', '"', '`']);
    assert!(
        plain,
        "README.md: `{command}`: this test reads plain words only; teach `words` what else is meant"
    );
    command.split_whitespace().collect()
}

/// The value of an option, if it is there.
fn value<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    words.iter().position(|word| *word == option).and_then(|at| words.get(at + 1)).copied()
}

/// A reader's folder.
struct Reader {
    folder: tempfile::TempDir,
    mirror: String,
}

impl Reader {
    fn new(commands: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let sample = dataset::Dataset::sample();
        fs::create_dir(path("images")).unwrap();
        let mut predictions = String::new();
        for index in 0..2 {
            let name = format!("ILSVRC2012_val_{:08}.JPEG", index + 1);
            fs::write(path("images").join(&name), sample.read(index).unwrap()).unwrap();
            predictions += &format!("{name},{index}\n");
        }
        fs::write(path("predictions.csv"), predictions).unwrap();
        let narrow = repository().join("crates/models/tests/fixtures/onnx/resnet18.onnx");
        fs::copy(narrow, path(ONNX)).unwrap();
        let commands: Vec<Vec<&str>> = commands.iter().map(|command| words(command)).collect();
        let weights = path("weights");
        for command in commands.iter().filter(|command| command[0..2] == ["cargo", "xtask"]) {
            if let Some(file) = value(command, "--weights").filter(|value| value.contains('.')) {
                if !weights.exists() {
                    fs::write(&weights, seeded_checkpoint(MODEL)).unwrap();
                }
                let _ = fs::remove_file(path(file));
                fs::hard_link(&weights, path(file)).unwrap();
            }
            if let Some(file) = value(command, "--catalog") {
                let entries: String =
                    blocks("toml").into_iter().filter(|block| block.contains("[[models]]")).collect();
                fs::write(path(file), entries).unwrap();
            }
        }
        Self { folder, mirror: serve(seeded_checkpoint(FIRST_SEEN)) }
    }

    fn has(&self, path: &str) -> bool {
        self.folder.path().join(path).exists()
    }

    /// Whether the runs are there that `command` reads.
    fn can_run(&self, command: &[&str]) -> bool {
        let written = value(command, "--out");
        let reads = |word: &&&str| word.starts_with("runs/") && Some(**word) != written;
        command.iter().filter(reads).all(|run| self.has(run))
    }

    /// Runs a command and looks at its exit code and at the files that it is told to write.
    fn run(&self, command: &str, number: usize) {
        let given = words(command);
        let rule =
            RUN.iter().find(|rule| rule.has.iter().all(|word| given.contains(word))).unwrap_or_else(|| {
                panic!(
                    "README.md: `{command}`: say in RUN of {} how this verb is run, or in LOOK_AT why not",
                    file!()
                )
            });
        let stand_in = |word: &&str| match *word {
            word if IMAGES.contains(&word) => "images".to_owned(),
            word if given.contains(&ONNX) => word.replace("crop=224", "crop=64"),
            word => word.to_owned(),
        };
        let replaced = given.iter().skip(2).map(stand_in);
        let arguments: Vec<String> = replaced.chain(rule.add.iter().map(ToString::to_string)).collect();
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        for variable in
            ["IMAGENET_DATA", "GITHUB_STEP_SUMMARY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        {
            xtask.env_remove(variable);
        }
        if !given.contains(&"validate") {
            // A checkout for each, where runs without --out lie: two of one second would have one name.
            xtask.env("CARGO_MANIFEST_DIR", self.folder.path().join(format!("checkout-{number}/xtask")));
        }
        let cache = self.folder.path().join("cache");
        xtask.env("IMAGENET_EVAL_CACHE", cache).env("IMAGENET_EVAL_MIRROR", &self.mirror);
        let output = xtask.current_dir(self.folder.path()).args(&arguments).output().unwrap();
        let (said, code) = (String::from_utf8_lossy(&output.stderr), output.status.code());
        if needs_bf16(&given) && Isa::best_bf16().is_none() {
            assert_eq!(code, Some(2), "README.md: `{command}` on a CPU without bf16: {said}");
            return;
        }
        assert_eq!(code, Some(0), "README.md: `{command}`, run as {arguments:?} ({}): {said}", rule.why);
        assert!(!output.stdout.is_empty(), "README.md: `{command}` prints nothing");
        if let Some(out) = value(&given, "--out") {
            let files = what_comes_out();
            assert!(files.len() > 3, "README.md has no table of a run directory's files: {files:?}");
            for file in files {
                assert!(self.has(&format!("{out}/{file}")), "README.md: `{command}` writes no {file}");
            }
        }
        if let Some(flips) = value(&given, "--flips") {
            assert!(self.has(flips), "README.md: `{command}` writes no {flips}");
        }
        let (supposed, from) = (self.folder.path().join(SUPPOSED.0), self.folder.path().join(SUPPOSED.1));
        if from.exists() && !supposed.exists() {
            copy(&from, &supposed);
        }
    }
}

/// Files of a run directory, by the README's table, of those that do not depend on a model.
fn what_comes_out() -> Vec<String> {
    let readme = text("README.md");
    let table =
        readme.split("\nA run directory").nth(1).unwrap_or_default().split("\n\n").nth(1).unwrap_or_default();
    let cells = table.lines().filter_map(|row| row.strip_prefix("| `")?.split('`').next());
    cells.filter(|file| !file.contains('<')).map(str::to_owned).collect()
}

fn needs_bf16(words: &[&str]) -> bool {
    words.iter().any(|word| word.ends_with("bf16"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A whole checkpoint of the network of the model `id`, by safetensors: formats are told by content.
fn seeded_checkpoint(id: &str) -> Vec<u8> {
    let catalog = Catalog::built_in();
    let entry = catalog.models().iter().find(|model| model.id == id).unwrap().network();
    let network = entry.build();
    let seeded = models::weights::seeded(&network, entry.name).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = seeded
        .tensors()
        .map(|tensor| (tensor.name.clone(), tensor.shape.to_vec(), tensor.to_bytes().unwrap().to_vec()))
        .collect();
    let view = |shape: &[usize], bytes| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap()
    };
    let views = tensors.iter().map(|(name, shape, bytes)| (name, view(shape, bytes)));
    safetensors::serialize(views, None).unwrap()
}

/// A mirror that has `file` under every name.
fn serve(file: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let head =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            if head.count() > 0 {
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", file.len());
                // A client that has gone away is its own affair.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&file));
            }
        }
    });
    base
}

#[test]
fn every_command_does_what_it_says() {
    let all = commands();
    assert!(all.len() > 10, "README.md: only {all:?}");
    let (mut pending, mut looked) = (Vec::new(), Vec::new());
    for command in &all {
        let given = words(command);
        match LOOK_AT.iter().find(|it| it.has.iter().all(|word| given.contains(word))) {
            Some(it) => looked.push((it.look, command)),
            None if command.starts_with("cargo xtask ") => pending.push(command),
            None => panic!(
                "README.md: `{command}`: say in LOOK_AT of {} what it is and why it is not run",
                file!()
            ),
        }
    }
    looked.into_iter().for_each(|(look, command)| look(command));
    let reader = Reader::new(&all);
    let mut number = 0;
    // In the order of the text, but that a command waits for the runs it reads, whichever section makes them.
    while let Some(at) = pending.iter().position(|command| reader.can_run(&words(command))) {
        number += 1;
        reader.run(pending.remove(at), number);
    }
    if Isa::best_bf16().is_none() {
        pending.retain(|command| !needs_bf16(&words(command)));
    }
    assert!(pending.is_empty(), "README.md: no command makes the runs that these read: {pending:?}");
}

/// On a part of the images it is refused for that, and for nothing else.
fn an_option_of_eval(command: &str) {
    let folder = tempfile::tempdir().unwrap();
    let name = "ILSVRC2012_val_00000001.JPEG";
    fs::write(folder.path().join(name), dataset::Dataset::sample().read(0).unwrap()).unwrap();
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let arguments =
        words(command).into_iter().skip(2).map(|word| if IMAGES.contains(&word) { "." } else { word });
    let output = xtask.current_dir(folder.path()).args(arguments).arg("--plan").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "README.md: `{command}`: {said}");
    assert!(
        said.contains("a random sample is drawn from all 50,000 images"),
        "README.md: `{command}`: {said}"
    );
}

fn the_test_command(command: &str) {
    let lines = text(".ci/run");
    assert!(
        lines.lines().any(|line| line.split(" 2>").next() == Some(command)),
        "README.md: `{command}`: not .ci/run's"
    );
}

/// The package that is installed has the program that the page names.
fn the_program(command: &str) {
    let words = words(command);
    let manifest: toml::Table =
        text(&format!("{}/Cargo.toml", value(&words, "--path").unwrap())).parse().unwrap();
    let name = manifest["bin"][0]["name"].as_str().unwrap();
    assert!(text("README.md").contains(&format!("`{name}`")), "README.md: `{command}` installs {name}");
}

fn the_benchmarks(_: &str) {
    let manifest: toml::Table = text("benches/Cargo.toml").parse().unwrap();
    let benches = manifest["bench"].as_array().unwrap();
    for bench in benches {
        assert!(repository().join("benches").join(bench["path"].as_str().unwrap()).is_file(), "{bench}");
    }
    let readme = text("README.md");
    let variables =
        readme.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).filter(|it| it.starts_with("BENCH_"));
    for variable in variables {
        assert!(text("benches/lib.rs").contains(&format!("\"{variable}\"")), "no benchmark reads {variable}");
    }
}

/// The device is a feature, which `cargo xtask` chooses, and this build without it understands the arguments.
fn a_feature(command: &str) {
    let words = words(command);
    let feature = value(&words, "--device").unwrap();
    let manifest: toml::Table = text("xtask/Cargo.toml").parse().unwrap();
    assert!(
        manifest["features"].get(feature).is_some(),
        "README.md: `{command}`: xtask has no feature {feature}"
    );
    let launcher = text("xtask/launch/src/main.rs");
    assert!(
        launcher.contains(&format!("\"{feature}\"")),
        "README.md: `{command}`: the launcher has no {feature}"
    );
    if feature.parse::<DeviceName>().unwrap().init().is_err() {
        let arguments = words.iter().skip(2);
        let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains(&format!("this build leaves the device `{feature}` out")),
            "`{command}`: {said}"
        );
    }
}

#[test]
fn printed_tables_are_what_the_program_prints() {
    // Columns are as wide as the longest of all rows; the README shows a few.
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let printed: Vec<Vec<String>> =
        text("xtask/tests/cli/snapshots/cli__main_job__eval_all.snap").lines().map(words).collect();
    let blocks = blocks("text");
    let rows: Vec<&str> =
        blocks.iter().flat_map(|block| block.lines()).filter(|line| line.starts_with('│')).collect();
    assert!(!rows.is_empty(), "README.md shows no table");
    for row in rows {
        assert!(printed.contains(&words(row)), "README.md: `eval --all` prints no such row: {row}");
    }
}
