//! Processes that may not have the memory that they need (`ulimit -v`): they end with a sentence, and no image counts as wrong
//! for it. The limits begin where the program starts at all, which takes its tables and its first thread.

#![cfg(target_os = "linux")]

use super::*;

/// Runs the program with at most `mib` MiB of addresses.
fn limited(mib: usize, arguments: &[&str]) -> std::process::Output {
    let mut command = Process::new("bash");
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &(mib << 10).to_string()]);
    command.arg(env!("CARGO_BIN_EXE_xtask")).args(arguments);
    command.env_remove("IMAGENET_DATA").env("IMAGENET_EVAL_CACHE", "/nonexistent/cache");
    command.output().unwrap()
}

/// Whether it had the memory. Where it had not, it says so.
fn had_enough(mib: usize, arguments: &[&str]) -> bool {
    let output = limited(mib, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => true,
        Some(EXIT_WRONG) => {
            assert!(said.contains("memory") || said.contains("thread"), "{mib} MiB: {said}");
            false
        }
        _ => panic!("{mib} MiB, {}: {said}", output.status),
    }
}

#[test]
fn a_data_set_is_checked_or_memory_is_said_to_be_short() {
    let folder = tempfile::tempdir().unwrap();
    let data = sample_as_files(&folder.path().join("val"), 24);
    let check = ["dataset", "check", data.to_str().unwrap(), "--threads", "2"];
    let enough: Vec<bool> = (80..480).step_by(40).map(|mib| had_enough(mib, &check)).collect();
    assert!(enough.contains(&true), "{enough:?}");
}

/// A crop of 201 MB, which a larger limit allows.
#[test]
fn no_image_counts_as_wrong_because_its_crop_does_not_fit_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let recipe = "decoder=pil,resize=none,crop=8192,pad=zero,mean=half,std=half";
    let run = eval(&out, &["--limit", "1", "--threads", "1", "--batch", "1", "--recipe", recipe]);
    let output = limited(600, &run);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(EXIT_WRONG), "{said}");
    assert!(said.contains("memory"), "{said}");
    let rows = fs::read_to_string(out.join("predictions/timm-xception.csv")).unwrap_or_default();
    assert!(rows.lines().count() < 2, "{rows}");
}
