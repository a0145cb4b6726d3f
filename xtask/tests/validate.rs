//! `validate` with stand-ins for cargo and the tools, which write down how they are called: the steps, their order,
//! what a failure, a missing tool and a signal lead to.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

/// A folder with programs of these names, each of which adds its arguments to `calls` and then does as `body` says.
fn programs(names: &[&str], body: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    for name in names {
        // Copied by another process: while one of a parallel test's children still holds a file open that this one
        // wrote, the file cannot be executed.
        let (draft, path) = (folder.path().join("draft"), folder.path().join(name));
        let script =
            format!("#!/bin/sh\necho {name} \"$@\" $RUSTDOCFLAGS >> '{}'\n{body}\n", calls.display());
        fs::write(&draft, script).unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Process::new("cp").args([&draft, &path]).status().unwrap().success());
    }
    folder
}

fn validate(programs: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("validate").args(arguments).env("PATH", programs).env_remove("RUSTDOCFLAGS");
    command
}

fn calls(programs: &Path) -> String {
    fs::read_to_string(programs.join("calls")).unwrap_or_default()
}

const ALL: [&str; 3] = ["cargo", "cargo-deny", "typos"];

const STEPS: &str = "\
cargo fmt --all --check
typos --version
typos
cargo-deny --version
cargo deny --locked check licenses bans sources
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo doc --workspace --no-deps --locked -D warnings
cargo test --workspace
";

#[test]
fn every_step_runs_cheapest_first() {
    let tools = programs(&ALL, "");
    let output = validate(tools.path(), &[]).assert().success().get_output().clone();
    assert_eq!(calls(tools.path()), STEPS);
    let (table, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    for step in ["fmt", "tidy", "typos", "deny", "clippy", "doc", "test"] {
        assert!(table.contains(&format!("│ {step} ")), "{step}: {table}");
        assert!(log.contains(&format!("{step}: ok, ")), "{step}: {log}");
    }
    assert!(log.contains("doc: RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace"), "{log}");
}

#[test]
fn the_first_failure_ends_it_unless_all_are_wanted() {
    let body = "case $1 in clippy|fmt) exit 3;; esac";
    let tools = programs(&ALL, body);
    validate(tools.path(), &[])
        .assert()
        .code(1)
        .stderr(contains("fmt: failed (exit status: 3), ").and(contains("fmt: `cargo fmt --all` formats")));
    assert_eq!(calls(tools.path()), "cargo fmt --all --check\n");
    let tools = programs(&ALL, body);
    let failed = contains("failed (exit status: 3)").count(2);
    validate(tools.path(), &["--keep-going"]).assert().code(1).stdout(failed.and(contains("│ test ")));
    assert_eq!(calls(tools.path()), STEPS);
}

#[test]
fn steps_can_be_chosen() {
    let tools = programs(&ALL, "");
    validate(tools.path(), &["--only", "doc", "--only", "fmt"]).assert().success();
    let chosen = "cargo fmt --all --check\ncargo doc --workspace --no-deps --locked -D warnings\n";
    assert_eq!(calls(tools.path()), chosen);
    let tools = programs(&ALL, "");
    let skipped = ["--skip", "typos", "--skip", "deny", "--skip", "test", "--skip", "clippy"];
    validate(tools.path(), &skipped).assert().success();
    assert_eq!(calls(tools.path()), chosen);
    validate(tools.path(), &["--only", "lint"])
        .assert()
        .code(2)
        .stderr(contains("fmt, tidy, typos, deny, clippy"));
}

#[test]
fn a_tool_that_is_not_there_is_said() {
    let tools = programs(&["cargo"], "");
    let skipped = "skipped: cargo-deny is not installed (cargo install --locked cargo-deny@";
    validate(tools.path(), &[]).assert().success().stderr(contains(skipped)).stdout(contains(skipped));
    assert!(!calls(tools.path()).contains("deny"));
    validate(tools.path(), &["--strict"])
        .assert()
        .code(2)
        .stderr(contains("typos: missing: typos is not installed (cargo install --locked typos-cli@"));
    // Not even cargo.
    let nothing = programs(&[], "");
    validate(nothing.path(), &["--only", "fmt"])
        .assert()
        .code(2)
        .stderr(contains("fmt: cannot be started: "));
}

#[test]
fn a_signal_ends_the_step_at_hand() {
    let tools = programs(&ALL, "exec /bin/sleep 60");
    let child = Process::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["validate", "--only", "fmt"])
        .env("PATH", tools.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while calls(tools.path()).is_empty() {
        assert!(started.elapsed() < Duration::from_secs(30), "the step does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    let signalled = Process::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(started.elapsed() < Duration::from_secs(30), "the step was not ended");
}
