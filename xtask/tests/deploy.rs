//! The examples in `deploy/`, as far as they can be tried without a cluster: the Slurm script runs with a stand-in for
//! `scontrol`, the script inside the Kubernetes Job with a stand-in for the program. `tools/slurm.sh` shows the first
//! on a real Slurm.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("deploy").join(file)
}

fn text(file: &str) -> String {
    fs::read_to_string(deploy(file)).unwrap()
}

fn help(verb: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(verb).arg("--help").output().unwrap();
    assert!(output.status.success(), "{verb:?} is no verb");
    String::from_utf8(output.stdout).unwrap()
}

/// The words that are options, such as `--data` of `--data=x`.
fn options(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned).collect()
}

/// The program's commands in a file, comments included: verb and options.
fn commands(text: &str) -> Vec<(Vec<&'static str>, Vec<String>)> {
    const VERBS: [&[&str]; 7] = [
        &["dataset", "check"],
        &["weights", "fetch"],
        &["eval"],
        &["merge"],
        &["compare"],
        &["score"],
        &["complexity"],
    ];
    let lines: Vec<&str> = text.lines().map(|line| line.trim().trim_start_matches("# ")).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let mut found = Vec::new();
    for line in joined.lines() {
        // The Slurm script collects eval's arguments.
        for added in line.split("options+=(").skip(1) {
            found.push((vec!["eval"], options(added.split(')').next().unwrap())));
        }
        let starts = ["xtask ", "\"$program\" ", "options=(", "slurm-array.sh "];
        for command in line.split([';', '|', '&', '`']) {
            let Some(rest) = starts.iter().find_map(|start| command.split_once(start)).map(|it| it.1) else {
                continue;
            };
            let words: Vec<&str> = rest.split_whitespace().collect();
            if let Some(verb) = VERBS.into_iter().find(|verb| words.starts_with(verb)) {
                found.push((verb.to_vec(), options(rest)));
            }
        }
    }
    found
}

#[test]
fn options_in_the_examples_are_the_programs() {
    let mut seen = 0;
    for entry in fs::read_dir(deploy("")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let commands = commands(&text(&file));
        assert!(!commands.is_empty(), "deploy/{file} has no command of the program");
        for (verb, options) in commands {
            let help = help(&verb);
            for option in options {
                seen += 1;
                let is_one = help.lines().any(|line| {
                    let rest = line.trim().strip_prefix(&option);
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '[']))
                });
                assert!(is_one, "deploy/{file}: `{}` has no {option}", verb.join(" "));
            }
        }
    }
    assert!(seen > 25, "only {seen} options were found: does `commands` still understand the files?");
}

/// What is between a line that ends in `|` and the next one that is less indented, without the indentation.
fn block(yaml: &str, before: &str) -> String {
    let mut lines = yaml.lines().skip_while(|line| line.trim() != before).skip(1).peekable();
    let indent = lines.peek().unwrap().len() - lines.peek().unwrap().trim_start().len();
    lines
        .take_while(|line| line.starts_with(&" ".repeat(indent)))
        .map(|line| format!("{}\n", &line[indent..]))
        .collect()
}

/// A folder with a program that notes its arguments and does as it is told, and a `scontrol` that notes what it is asked.
struct Cluster {
    folder: tempfile::TempDir,
}

impl Cluster {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Self { folder };
        // A name that a shell would take apart.
        fs::create_dir(cluster.path("a cluster")).unwrap();
        cluster.script("scontrol", &format!(
            "case $1 in show) echo '   Command={}/checkout/deploy/slurm-array.sh x y' ;; *) echo \"$*\" >>'{}' ;; esac",
            cluster.path("a cluster").display(), cluster.path("requeued").display()
        ));
        cluster.script(
            "xtask",
            &format!(
                "printf '%s\\n' \"$@\" >'{}'\necho \"${{IMAGENET_EVAL_CACHE:-}}\" >'{}'\n. '{}'",
                cluster.path("arguments").display(),
                cluster.path("cache").display(),
                cluster.path("behaviour").display()
            ),
        );
        cluster.behave("exit 0");
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn behave(&self, script: &str) {
        fs::write(self.path("behaviour"), format!("{script}\n")).unwrap();
    }

    /// Task `index` of `--array=ARRAY`, whose first, last and number of tasks are given; the restart.
    fn task(&self, index: usize, array: [usize; 3], arguments: &[&str]) -> Command {
        let mut command = self.job(arguments);
        let [min, max, count] = array;
        command.env("SLURM_ARRAY_JOB_ID", "7").env("SLURM_JOB_ID", "9");
        for (name, value) in [("ID", index), ("MIN", min), ("MAX", max), ("COUNT", count)] {
            command.env(format!("SLURM_ARRAY_TASK_{name}"), value.to_string());
        }
        command
    }

    /// A job that is no task of an array.
    fn job(&self, arguments: &[&str]) -> Command {
        // As Slurm does it: a copy, somewhere else.
        let copy = self.path("slurm_script");
        fs::copy(deploy("slurm-array.sh"), &copy).unwrap();
        let mut command = Command::new("bash");
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        command.arg(copy).args(arguments).current_dir(self.path("a cluster")).env("PATH", path);
        command.env("IMAGENET_EVAL", self.path("xtask")).env("SLURM_CPUS_PER_TASK", "3");
        for variable in ["SHARDS", "SLURM_RESTART_COUNT", "IMAGENET_EVAL_CACHE", "CARGO_TARGET_DIR"] {
            command.env_remove(variable);
        }
        command
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What the program was called with, after which a new call can be told.
    fn arguments(&self) -> Vec<String> {
        let arguments = self.read("arguments").lines().map(str::to_owned).collect();
        let _ = fs::remove_file(self.path("arguments"));
        arguments
    }

    fn wait_for(&self, name: &str) {
        let started = Instant::now();
        while self.read(name).is_empty() {
            assert!(started.elapsed() < Duration::from_secs(60), "{name} is not written");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn ends(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    said(&output)
}

const THREE: [usize; 3] = [1, 3, 3];

#[test]
fn a_task_is_a_shard_and_can_be_done_again() {
    let cluster = Cluster::new();
    let given = ["the data", "seeded", "out"];
    ends(&mut cluster.task(2, THREE, &given), 0);
    let expected = [
        "eval",
        "--data",
        "the data",
        "--shard",
        "2/3",
        "--out",
        "out/shard-2",
        "--weights",
        "seeded",
        "--all",
        "--offline",
        "--wait",
        "--threads",
        "3",
    ];
    assert_eq!(cluster.arguments(), expected);
    // One of them again, and some.
    for array in [[2, 2, 1], [2, 3, 2], [1, 2, 2]] {
        ends(&mut cluster.task(2, array, &given), 0);
        assert_eq!(cluster.arguments(), expected);
    }
    assert!(ends(&mut cluster.task(4, [4, 4, 1], &given), 2).contains("there is no shard 4 of 3"));
    assert!(ends(&mut cluster.task(0, [0, 2, 3], &given), 2).contains("counted from 1"));
    assert!(ends(cluster.task(2, THREE, &given).env("SHARDS", "4"), 2).contains("divided into 3 shards"));
    // Nobody knows what a single task, or tasks with gaps, are parts of.
    let fresh = ["data", "seeded", "fresh"];
    for array in [[2, 2, 1], [1, 1, 1], [1, 7, 4], [0, 3, 4]] {
        let refused = ends(&mut cluster.task(array[0], array, &fresh), 2);
        assert!(refused.contains("into how many shards?"), "{refused}");
    }
    for wrong in ["0", "-1", "many", "08"] {
        assert!(ends(cluster.task(2, [2, 2, 1], &fresh).env("SHARDS", wrong), 2).contains("a number from 1"));
    }
    assert!(cluster.arguments().is_empty(), "a refused task computes nothing");
    ends(cluster.task(2, [2, 2, 1], &fresh).env("SHARDS", "8"), 0);
    assert!(cluster.arguments().contains(&"2/8".to_owned()));
    assert!(ends(&mut cluster.task(1, THREE, &["data", "seeded"]), 2).contains("DATA WEIGHTS OUT"));
    assert!(ends(&mut cluster.job(&given), 2).contains("--array=1-N"));
}

#[test]
fn arguments_are_passed_on_to_eval() {
    let cluster = Cluster::new();
    let more = [
        "--model",
        "timm/*",
        "--threads",
        "5",
        "--offline",
        "--wait",
        "--catalog",
        "my models.toml",
        "--fresh",
    ];
    let given = [&["data", "seeded", "out"], &more[..]].concat();
    ends(&mut cluster.task(1, THREE, &given), 0);
    let first = cluster.arguments();
    assert_eq!(first[9..], more);
    // To start over was meant for the first start.
    ends(cluster.task(1, THREE, &given).env("SLURM_RESTART_COUNT", "1"), 0);
    assert_eq!(cluster.arguments()[..], first[..first.len() - 1]);
    for selection in ["--model=timm/xception", "--card=mine", "--onnx=a.onnx"] {
        ends(&mut cluster.task(1, THREE, &["data", "seeded", "out", selection]), 0);
        let arguments = cluster.arguments();
        assert!(!arguments.contains(&"--all".to_owned()) && arguments.contains(&selection.to_owned()));
    }
}

#[test]
fn a_folder_of_weights_is_the_cache_or_ones_own() {
    let cluster = Cluster::new();
    let own = cluster.path("a cluster").join("own files");
    fs::create_dir(&own).unwrap();
    let weights = |arguments: Vec<String>| {
        let at = arguments.iter().position(|word| word == "--weights").unwrap();
        arguments[at + 1].clone()
    };
    let given = ["data", "own files", "out"];
    ends(&mut cluster.task(1, THREE, &given), 0);
    assert_eq!(weights(cluster.arguments()), "own files");
    fs::write(own.join("first-seen.json"), "{}").unwrap();
    ends(&mut cluster.task(1, THREE, &given), 0);
    assert_eq!(weights(cluster.arguments()), "pretrained");
    assert_eq!(cluster.read("cache"), "own files\n");
    ends(cluster.task(1, THREE, &["data", "pretrained", "out"]).env("IMAGENET_EVAL_CACHE", "/cache"), 0);
    assert_eq!(
        (weights(cluster.arguments()), cluster.read("cache")),
        ("pretrained".to_owned(), "/cache\n".to_owned())
    );
}

#[test]
fn the_program_is_found_from_every_folder() {
    let cluster = Cluster::new();
    let given = ["data", "seeded", "out"];
    let lost = ends(cluster.task(1, THREE, &given).env_remove("IMAGENET_EVAL"), 2);
    let built = cluster.path("a cluster").join("checkout/target/release/xtask");
    assert!(lost.contains(built.to_str().unwrap()) && lost.contains("Build it once"), "{lost}");
    fs::create_dir_all(built.parent().unwrap()).unwrap();
    fs::copy(cluster.path("xtask"), &built).unwrap();
    ends(cluster.task(1, THREE, &given).env_remove("IMAGENET_EVAL"), 0);
    assert_eq!(cluster.arguments()[0], "eval");
    ends(cluster.task(1, THREE, &given).env("IMAGENET_EVAL", "checkout/target/release/xtask"), 0);
    ends(cluster.task(1, THREE, &given).env("IMAGENET_EVAL", "xtask"), 0);
    assert!(ends(cluster.task(1, THREE, &given).env("IMAGENET_EVAL", "/no/such"), 2).contains("/no/such"));
}

#[test]
fn what_ends_a_task_decides_whether_it_is_requeued() {
    let cluster = Cluster::new();
    let given = ["data", "seeded", "out"];
    let mut requeued = 0;
    let mut ends_with = |behaviour: &str, code: i32, again: bool| {
        cluster.behave(behaviour);
        let said = ends(&mut cluster.task(2, THREE, &given), code);
        requeued += usize::from(again);
        assert_eq!(cluster.read("requeued"), "requeue 7_2\n".repeat(requeued), "{behaviour}: {said}");
    };
    ends_with("exit 0", 0, false);
    // The merge judges.
    ends_with("exit 1", 0, false);
    // What is wrong stays wrong; a bug too; a person has stopped the program.
    for code in [2, 101, 130] {
        ends_with(&format!("exit {code}"), code, false);
    }
    ends_with("kill -TERM $$", 143, false);
    ends_with("kill -KILL $$", 137, true);
    ends_with("kill -ABRT $$", 134, true);
    // For ever only while images are added.
    let out = cluster.path("a cluster").join("out/shard-2/predictions");
    fs::create_dir_all(&out).unwrap();
    let killed = format!("echo row >>'{}'; kill -KILL $$", out.join("a.csv").display());
    for (behaviour, restarts, again) in
        [("kill -KILL $$", "4", 1), ("kill -KILL $$", "5", 0), (&killed, "50", 1)]
    {
        let _ = fs::remove_file(cluster.path("requeued"));
        cluster.behave(behaviour);
        ends(cluster.task(2, THREE, &given).env("SLURM_RESTART_COUNT", restarts), 137);
        assert_eq!(cluster.read("requeued").lines().count(), again, "{behaviour} after {restarts}");
    }
}

/// Sends a signal to a shell alone.
fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// A program that ends with 130 when it is asked to stop, as eval does, and says that it has begun.
fn stoppable(cluster: &Cluster) {
    let begun = cluster.path("begun");
    cluster.behave(&format!(
        "trap 'exit 130' TERM\necho yes >'{}'\nwhile :; do sleep 0.05; done",
        begun.display()
    ));
    let _ = fs::remove_file(begun);
}

#[test]
fn a_task_whose_time_is_over_is_requeued_and_a_cancelled_one_is_not() {
    let cluster = Cluster::new();
    for (name, requeued) in [("-USR1", "requeue 7_2\n"), ("-TERM", "")] {
        let _ = fs::remove_file(cluster.path("requeued"));
        stoppable(&cluster);
        let mut task = cluster.task(2, THREE, &["data", "seeded", "out"]);
        let child = task.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        cluster.wait_for("begun");
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}: {}", said(&output));
        assert_eq!(cluster.read("requeued"), requeued, "{name}: {}", said(&output));
    }
    // Nothing is left to do when the signal comes late.
    let begun = cluster.path("begun");
    let _ = fs::remove_file(&begun);
    cluster.behave(&format!("trap '' TERM\necho yes >'{}'\nsleep 0.5\nexit 0", begun.display()));
    let child = cluster.task(2, THREE, &["data", "seeded", "out"]).stdout(Stdio::null()).spawn().unwrap();
    cluster.wait_for("begun");
    signal(&child, "-USR1");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(cluster.read("requeued"), "");
}

#[test]
fn the_merge_says_which_shards_are_missing() {
    let cluster = Cluster::new();
    assert!(ends(&mut cluster.job(&["merge", "out"]), 2).contains("no task has begun"));
    ends(&mut cluster.task(2, THREE, &["data", "seeded", "out"]), 0);
    cluster.arguments();
    let shard = |index: usize| cluster.path("a cluster").join(format!("out/shard-{index}"));
    let made = |index: usize| {
        fs::create_dir_all(shard(index)).unwrap();
        fs::write(shard(index).join("run.json"), "{}").unwrap();
    };
    made(2);
    let refused = ends(&mut cluster.job(&["merge", "out"]), 2);
    assert!(
        refused.contains("of 3 shards, 1,3 have not been evaluated") && refused.contains("--array=1,3"),
        "{refused}"
    );
    assert!(cluster.arguments().is_empty());
    made(1);
    made(3);
    // The verdict is the merge's.
    cluster.behave("exit 1");
    ends(&mut cluster.job(&["merge", "out", "--data", "the data"]), 1);
    assert_eq!(
        cluster.arguments(),
        ["merge", "out/shard-1", "out/shard-2", "out/shard-3", "--out", "out/merged", "--data", "the data",]
    );
}

#[test]
fn tasks_and_their_merge_are_one_evaluation() {
    let cluster = Cluster::new();
    let data = cluster.path("a cluster").join("images");
    fs::create_dir(&data).unwrap();
    let sample = dataset::Dataset::sample();
    for index in 0..4 {
        fs::write(data.join(format!("ILSVRC2012_val_{:08}.JPEG", index + 1)), sample.read(index).unwrap())
            .unwrap();
    }
    // A figure that is wrong, which ends no task.
    let entry = "[[models]]\nid = \"mine/x\"\nnetwork = \"timm-xception\"\nrecipe = \"timm-333-bicubic\"\ninput_size = 299\n\
                 [models.documented]\nparams_m = { figure = \"21.9\", rule = \"thop\" }\n";
    fs::write(cluster.path("a cluster").join("mine.toml"), entry).unwrap();
    let catalog = ["--catalog", "mine.toml"];
    let real = |mut command: Command, code: i32| {
        ends(command.env("IMAGENET_EVAL", env!("CARGO_BIN_EXE_xtask")).env_remove("IMAGENET_DATA"), code)
    };
    for index in [1, 2] {
        let given =
            [&["images", "seeded", "out", "--model", "mine/x", "--batch", "2"], &catalog[..]].concat();
        let said = real(cluster.task(index, [1, 2, 2], &given), 0);
        assert!(said.contains("is judged by the merge"), "{said}");
    }
    let said = real(cluster.job(&[&["merge", "out", "--data", "images"], &catalog[..]].concat()), 1);
    assert!(said.contains("not reproduced"), "{said}");
    let merged = cluster.path("a cluster/out/merged");
    assert!(fs::read_to_string(merged.join("results.csv")).unwrap().contains("flex,4,0,"));
    assert!(
        fs::read_to_string(merged.join("report.html")).unwrap().contains("src=\"data:image/jpeg;base64,")
    );
}

#[test]
fn the_wait_for_the_job_ends_whatever_becomes_of_it() {
    let yaml = text("kubernetes-indexed-job.yaml");
    let lines = yaml
        .lines()
        .map(|line| line.trim_start_matches('#').trim())
        .skip_while(|line| !line.starts_with("until "));
    let mut wait = String::new();
    for line in lines {
        wait += &format!("{line}\n");
        if line == "done" {
            break;
        }
    }
    let cluster = Cluster::new();
    for (state, said) in [
        ("condition=Complete", "wait --for=condition=Complete --timeout=30s job/imagenet-eval\n"),
        ("condition=Failed", "wait --for=condition=Failed --timeout=0s job/imagenet-eval\n"),
        ("gone", "get job/imagenet-eval\n"),
    ] {
        let _ = fs::remove_file(cluster.path("asked"));
        cluster.script(
            "kubectl",
            &format!(
                "echo \"$*\" >>'{}'; case $* in *{state}*) ;; *) exit 1 ;; esac",
                cluster.path("asked").display()
            ),
        );
        let mut sh = Command::new("sh");
        let path = format!("{}:{}", cluster.folder.path().display(), std::env::var("PATH").unwrap());
        sh.args(["-c", &wait]).env("PATH", path);
        ends(&mut sh, 0);
        let asked = cluster.read("asked");
        assert!(asked.ends_with(said) && asked.lines().count() < 4, "{state}: {asked}");
    }
}

#[test]
fn scripts_are_well_formed() {
    let bash = Command::new("bash").arg("-n").arg(deploy("slurm-array.sh")).output().unwrap();
    assert!(bash.status.success() && bash.stderr.is_empty(), "{}", said(&bash));
    let job = block(&text("kubernetes-indexed-job.yaml"), "- |");
    assert!(job.contains("xtask eval") && job.ends_with("exit \"$code\"\n"), "{job}");
    let sh = Command::new("sh").args(["-n", "-c", &job]).output().unwrap();
    assert!(sh.status.success() && sh.stderr.is_empty(), "{}", said(&sh));
}

#[test]
fn a_pod_is_a_shard_whose_exit_code_tells_what_stays_wrong() {
    let cluster = Cluster::new();
    let job = block(&text("kubernetes-indexed-job.yaml"), "- |");
    let pod = |index: &str| {
        let mut command = Command::new("sh");
        let path = format!("{}:{}", cluster.folder.path().display(), std::env::var("PATH").unwrap());
        command.args(["-c", &job]).env("PATH", path).env("JOB_COMPLETION_INDEX", index).env("SHARDS", "8");
        command
    };
    for (behaviour, code) in
        [("exit 0", 0), ("exit 1", 0), ("exit 2", 2), ("exit 101", 101), ("kill -KILL $$", 137)]
    {
        cluster.behave(behaviour);
        ends(&mut pod("6"), code);
    }
    let arguments = cluster.arguments().join(" ");
    assert_eq!(
        arguments,
        "eval --all --data /data --offline --wait --threads 8 --shard 7/8 --out /runs/shard-7"
    );
    // The pod is asked to go, and so is eval.
    stoppable(&cluster);
    let child = pod("0").spawn().unwrap();
    cluster.wait_for("begun");
    signal(&child, "-TERM");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}
