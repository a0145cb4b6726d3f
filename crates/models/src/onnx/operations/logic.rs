//! Comparisons and logic, of what no image changes.

use super::super::call::{Call, Outputs, one};
use super::super::file::ElementType;
use super::super::known::{Ints, Known};
use super::super::trouble::Trouble;
use super::Entry;
use super::binary::elementwise;

pub(super) const OPERATIONS: &[Entry] = &[
    ("Equal", |call| compare(call, |a, b| a == b, |a, b| a == b)),
    ("Less", |call| compare(call, |a, b| a < b, |a, b| a < b)),
    ("LessOrEqual", |call| compare(call, |a, b| a <= b, |a, b| a <= b)),
    ("Greater", |call| compare(call, |a, b| a > b, |a, b| a > b)),
    ("GreaterOrEqual", |call| compare(call, |a, b| a >= b, |a, b| a >= b)),
    ("And", |call| logic(call, |a, b| a && b)),
    ("Or", |call| logic(call, |a, b| a || b)),
    ("Xor", |call| logic(call, |a, b| a != b)),
    ("Not", not),
];

fn compare(call: &mut Call<'_>, of_ints: fn(i64, i64) -> bool, of_floats: fn(f32, f32) -> bool) -> Outputs {
    let result = if let (Known::Ints(a), Known::Ints(b)) = (call.known(0)?, call.known(1)?) {
        elementwise(a, b, |a, b| Some(of_ints(a, b).into()))?
    } else {
        // Floating-point numbers by their places, so that one function repeats both.
        let (a, b) = (numbers(call, 0)?, numbers(call, 1)?);
        elementwise(&a.0, &b.0, |at, other| {
            Some(of_floats(a.1[usize::try_from(at).ok()?], b.1[usize::try_from(other).ok()?]).into())
        })?
    };
    one(Ints { element: ElementType::BOOL, ..result })
}

/// The numbers of an input, and where each lies.
fn numbers(call: &Call<'_>, index: usize) -> Result<(Ints, Vec<f32>), Trouble> {
    let numbers = call.numbers(index)?;
    let places = (0..numbers.len() as i64).collect();
    Ok((Ints::new(call.floats(index)?.axes, places), numbers))
}

fn logic(call: &mut Call<'_>, of: fn(bool, bool) -> bool) -> Outputs {
    let result = elementwise(call.ints(0)?, call.ints(1)?, |a, b| Some(of(a != 0, b != 0).into()))?;
    one(Ints { element: ElementType::BOOL, ..result })
}

fn not(call: &mut Call<'_>) -> Outputs {
    let ints = call.ints(0)?;
    let values = ints.values.iter().map(|&value| i64::from(value == 0)).collect();
    one(Ints { values, ..ints.clone() })
}
