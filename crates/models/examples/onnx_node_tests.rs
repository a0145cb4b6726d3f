//! The standard's own tests of single nodes (`onnx/backend/test/data/node` of the Python package `onnx`): which pass, which fail and
//! why, and which are not applicable, because they are of an operation, a type or an opset that is not read here.
//!
//! usage: `onnx_node_tests FOLDER [NAME]`: only the tests whose names contain NAME. Exits with 1 where one fails.

#![allow(clippy::print_stdout, reason = "what it prints is its result")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use models::onnx::{OnnxError, OnnxFile, OnnxTensor, OnnxValues};

/// Of a value, and where it is small absolutely; the standard's tests ask for as much.
const TOLERANCE: f32 = 1e-3;

enum Outcome {
    Passed,
    Failed(String),
    NotApplicable(String),
}

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

fn run(test: &Path) -> Outcome {
    let file = match OnnxFile::open(&test.join("model.onnx")) {
        Ok(file) => Arc::new(file),
        Err(error) => return Outcome::NotApplicable(last(&error)),
    };
    let data = test.join("test_data_set_0");
    let tensors = |kind: &str| {
        let files =
            (0..).map(|number| data.join(format!("{kind}_{number}.pb"))).take_while(|path| path.exists());
        files.map(|path| OnnxTensor::open(&path)).collect::<Result<Vec<_>, _>>()
    };
    let (inputs, expected) = match (tensors("input"), tensors("output")) {
        (Ok(inputs), Ok(expected)) => (inputs, expected),
        (Err(error), _) | (_, Err(error)) => return Outcome::NotApplicable(last(&error)),
    };
    match file.evaluate(inputs) {
        Ok(found) => match found.iter().zip(&expected).find_map(|(found, expected)| differs(found, expected))
        {
            Some(reason) => Outcome::Failed(reason),
            None => Outcome::Passed,
        },
        Err(error @ OnnxError::Node { .. }) => Outcome::NotApplicable(last(&error)),
        Err(error) => Outcome::Failed(last(&error)),
    }
}

/// A message without the path, which is the test's.
fn last(error: &OnnxError) -> String {
    let text = error.to_string();
    text.split_once("model.onnx").map_or(text.clone(), |(_, rest)| rest.trim_start_matches(": ").to_owned())
}

fn differs(found: &OnnxTensor, expected: &OnnxTensor) -> Option<String> {
    if found.axes != expected.axes {
        return Some(format!("{:?} comes out, and {:?} belongs there", found.axes, expected.axes));
    }
    match (&found.values, &expected.values) {
        (OnnxValues::Ints(found, _), OnnxValues::Ints(expected, _)) => {
            let place = (0..found.len()).find(|&place| found[place] != expected[place])?;
            Some(format!("element {place} is {}, and not {}", found[place], expected[place]))
        }
        (OnnxValues::Floats(found), OnnxValues::Floats(expected)) => {
            let is_close = |a: f32, b: f32| {
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * b.abs().max(1e-2)
            };
            let place = (0..found.len()).find(|&place| !is_close(found[place], expected[place]))?;
            Some(format!("element {place} is {}, and not {}", found[place], expected[place]))
        }
        _ => Some("it is of another type".to_owned()),
    }
}
