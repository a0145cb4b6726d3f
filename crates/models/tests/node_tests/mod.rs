//! A test of the standard's of a single node: a folder with a model, inputs and outputs.

use std::path::Path;
use std::sync::Arc;

use models::onnx::{OnnxError, OnnxFile, OnnxTensor, OnnxValues};

/// Of a value, and where it is small absolutely; the standard's tests ask for as much.
const TOLERANCE: f32 = 1e-3;

/// Where the standard rounds results to a type of 16 bits, of which there are none here.
const TOLERANCE_OF_HALVES: f32 = 1e-2;

/// What came of a test.
pub(crate) enum Outcome {
    Passed,
    /// With the reason, as the next.
    Failed(String),
    /// An operation, a type or an opset that is not read here.
    NotApplicable(String),
}

/// Runs the test in the folder `test`.
pub(crate) fn run(test: &Path) -> Outcome {
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
    let has_halves = file.declared_outputs().iter().any(|output| output.contains("float16"));
    let tolerance = if has_halves { TOLERANCE_OF_HALVES } else { TOLERANCE };
    match file.evaluate(inputs) {
        Ok(found) => match found
            .iter()
            .zip(&expected)
            .find_map(|(found, expected)| differs(found, expected, tolerance))
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

fn differs(found: &OnnxTensor, expected: &OnnxTensor, tolerance: f32) -> Option<String> {
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
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(1e-2)
            };
            let place = (0..found.len()).find(|&place| !is_close(found[place], expected[place]))?;
            Some(format!("element {place} is {}, and not {}", found[place], expected[place]))
        }
        _ => Some("it is of another type".to_owned()),
    }
}
