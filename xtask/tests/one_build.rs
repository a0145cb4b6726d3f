//! That the README's commands build Burn once a profile: `cargo xtask` and `cargo bench` have to resolve the same features of
//! every crate that both compile, or each of them would spend minutes on its own build (crates/workspace-hack says how).
//!
//! Cargo resolves them from the manifests of every crate in the lock file, more than a build downloads. Where they are not
//! there, nothing is downloaded for a test: it says that it did not look. With `CI` in the environment they are fetched.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The features of each crate that a selection of packages compiles for this machine; none where that cannot be told offline.
#[allow(clippy::print_stderr, reason = "that it did not look is said")]
fn features(packages: &[&str], kinds: &str) -> Option<BTreeMap<String, String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["tree", "--locked", "--prefix", "none", "--edges", kinds]);
    cargo.args(["--no-dedupe", "--format", "{p}|{f}"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    let is_ci = std::env::var_os("CI").is_some();
    if !is_ci {
        cargo.arg("--offline");
    }
    let output = cargo.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if !is_ci && !output.status.success() && said.contains("--offline") {
        eprintln!("not looked at, because crates are missing that `cargo fetch` brings: {said}");
        return None;
    }
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let entry = |line: &str| {
        let (name, features) = line.split_once('|')?;
        let name: Vec<&str> = name.split(' ').take(2).collect();
        Some((name.join(" "), features.to_owned()))
    };
    Some(lines.lines().filter_map(entry).collect())
}

#[test]
fn the_program_and_the_benchmarks_share_their_build() {
    let Some(program) = features(&["xtask"], "normal") else { return };
    // As `cargo bench` selects them: default-members, with what their tests need.
    let Some(benchmarks) = features(&["benches", "xtask"], "normal,dev") else { return };
    assert!(program.keys().any(|name| name.starts_with("burn-flex ")), "{program:?}");
    let different: Vec<String> = program
        .iter()
        .filter_map(|(name, here)| {
            let there = benchmarks.get(name)?;
            (here != there).then(|| format!("{name}: [{here}] for cargo xtask, [{there}] for cargo bench"))
        })
        .collect();
    assert!(
        different.is_empty(),
        "ask for the missing features in crates/workspace-hack/Cargo.toml:\n{}",
        different.join("\n")
    );
}

#[test]
fn the_default_build_leaves_the_slow_devices_out() {
    let Some(program) = features(&["xtask"], "normal") else { return };
    for device in ["burn-ndarray", "burn-wgpu", "burn-cuda"] {
        assert!(!program.keys().any(|name| name.starts_with(&format!("{device} "))), "{device}");
    }
}
