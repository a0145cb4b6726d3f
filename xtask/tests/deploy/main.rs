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

mod kubernetes;
mod slurm;

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
        let starts = ["xtask ", "imagenet-eval ", "\"$program\" ", "options=(", "slurm-array.sh "];
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
