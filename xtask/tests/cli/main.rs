//! The command line as a person meets it: what is printed, where, and with which exit code.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

mod cards;
mod cluster;
mod data;
mod gates;
mod interruption;
mod main_job;
mod memory;
mod plans;
mod refusals;
mod screens;
mod verbs;
mod weights;

const EXIT_WRONG: i32 = 2;
const EXIT_INTERRUPTED: i32 = 130;

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).env_remove("IMAGENET_DATA").env("IMAGENET_EVAL_CACHE", "/nonexistent/cache");
    command.env_remove("COLUMNS");
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
