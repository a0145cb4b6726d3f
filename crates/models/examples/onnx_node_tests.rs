//! The standard's own tests of single nodes (`onnx/backend/test/data/node` of the Python package `onnx`): which pass, which fail and
//! why, and which are not applicable, because they are of an operation, a type or an opset that is not read here.
//!
//! usage: `onnx_node_tests FOLDER [NAME]`: only the tests whose names contain NAME. Exits with 1 where one fails.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

#[path = "../tests/node_tests/mod.rs"]
mod node_tests;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use node_tests::{Outcome, run};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: onnx_node_tests FOLDER [NAME]")?);
    let wanted = arguments.next().unwrap_or_default();
    let mut tests: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    tests.sort();
    let (mut passed, mut failed, mut not_applicable) = (0, 0, 0);
    for test in tests {
        let name = test.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.contains(&wanted) || !test.join("model.onnx").exists() {
            continue;
        }
        match run(&test) {
            Outcome::Passed => {
                passed += 1;
                println!("passed          {name}");
            }
            Outcome::Failed(reason) => {
                failed += 1;
                println!("FAILED          {name}: {reason}");
            }
            Outcome::NotApplicable(reason) => {
                not_applicable += 1;
                println!("not applicable  {name}: {reason}");
            }
        }
    }
    println!("{passed} passed, {failed} failed, {not_applicable} not applicable");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
