//! Values that stand in the file, shapes, and types.

use super::super::call::{Call, Outputs, one};
use super::super::file::{ElementType, TensorProto};
use super::super::known::{Floats, Ints, Known, MOST_INTS, Quantised, check_count};
use super::super::trouble::Trouble;
use super::{Entry, reshape};

pub(super) const OPERATIONS: &[Entry] = &[
    ("Constant", constant),
    ("ConstantOfShape", constant_of_shape),
    ("Shape", shape),
    ("Size", size),
    ("Range", range),
    ("Cast", cast),
    ("CastLike", cast_like),
];

fn constant(call: &mut Call<'_>) -> Outputs {
    if let Some(tensor) = call.tensor("value")? {
        let tensor = tensor.clone();
        return one(call.of_tensor(&tensor)?);
    }
    if call.has_attribute("value_int") {
        return one(Ints::new([], vec![call.int("value_int", 0)?]));
    }
    if let Some(values) = call.list("value_ints")? {
        return one(Ints::vector(values.to_vec()));
    }
    if call.has_attribute("value_float") {
        let value = call.float("value_float", 0.0)?;
        return one(call.on.values(vec![value], []));
    }
    if let Some(values) = call.float_list("value_floats")? {
        return one(call.on.values(values.to_vec(), [values.len()]));
    }
    Err("it holds a text or a sparse tensor, or nothing".into())
}

impl Call<'_> {
    /// A tensor that a node holds.
    fn of_tensor(&mut self, tensor: &TensorProto) -> Result<Known, Trouble> {
        // Its own name may be any, and is often none.
        let key = self.node.outputs.first().cloned().unwrap_or_default();
        self.on.tensor(&key, tensor)
    }
}

/// The axes that a vector of integers says, if they are not too many elements.
pub(super) fn axes_of_ints(ints: &Ints) -> Result<Vec<usize>, Trouble> {
    let axes: Result<Vec<usize>, _> = ints.values.iter().map(|&axis| usize::try_from(axis)).collect();
    let axes = axes.map_err(|_| format!("{:?} is no shape", ints.values))?;
    check_count(&axes)?;
    Ok(axes)
}

fn constant_of_shape(call: &mut Call<'_>) -> Outputs {
    let axes = axes_of_ints(call.ints(0)?)?;
    let count = axes.iter().product();
    match call.tensor("value")? {
        None => one(call.on.values(vec![0.0; count], axes)),
        Some(tensor) => {
            let tensor = tensor.clone();
            match call.of_tensor(&tensor)? {
                Known::Ints(ints) => {
                    let value = ints.single().ok_or("its value has other than one element")?;
                    one(Ints { axes, values: vec![value; count], element: ints.element })
                }
                Known::Floats(floats) => {
                    let numbers = call.on.numbers(floats.value)?.unwrap_or_default();
                    let &[value] = &numbers[..] else {
                        return Err("its value has other than one element".into());
                    };
                    one(call.on.values(vec![value; count], axes))
                }
                Known::Quantised(Quantised { of, element }) => {
                    let numbers = call.on.numbers(of.value)?.unwrap_or_default();
                    let &[value] = &numbers[..] else {
                        return Err("its value has other than one element".into());
                    };
                    let of = call.on.values(vec![value; count], axes);
                    one(Quantised { of, element })
                }
                Known::Nothing => Err("its value is lacking".into()),
            }
        }
    }
}

fn shape(call: &mut Call<'_>) -> Outputs {
    let axes = reshape::axes_of(call.known(0)?)?;
    let rank = axes.len() as i64;
    // Beyond the ends it is cut off.
    let at =
        |axis: i64| usize::try_from(if axis < 0 { axis.saturating_add(rank) } else { axis }.clamp(0, rank));
    let [start, end] = [call.int("start", 0)?, call.int("end", rank)?].map(at);
    let (Ok(start), Ok(end)) = (start, end) else { return Err("its part is none".into()) };
    let part = axes.get(start..end.max(start)).unwrap_or_default();
    one(Ints::vector(part.iter().map(|&axis| axis as i64).collect()))
}

fn size(call: &mut Call<'_>) -> Outputs {
    let count: usize = reshape::axes_of(call.known(0)?)?.iter().product();
    one(Ints::new([], vec![count as i64]))
}

fn range(call: &mut Call<'_>) -> Outputs {
    const TOO_MANY: &str = "it has no end, or more elements than a classifier needs";
    if matches!(call.known(0)?, Known::Ints(_)) {
        let single = |index: usize| {
            call.ints(index)?.single().ok_or_else(|| Trouble::from("a bound has other than one element"))
        };
        let [start, limit, step] = [single(0)?, single(1)?, single(2)?];
        if step == 0 {
            return Err(TOO_MANY.into());
        }
        let (begin, distance) = (i128::from(start), i128::from(limit) - i128::from(start));
        let count = (distance / i128::from(step) + i128::from(distance % i128::from(step) != 0)).max(0);
        let count = if (distance > 0) == (step > 0) { count } else { 0 };
        let count = usize::try_from(count).ok().filter(|&count| count <= MOST_INTS).ok_or(TOO_MANY)?;
        let values = (0..count as i128).map(|at| (begin + at * i128::from(step)) as i64).collect();
        return one(Ints { element: call.ints(0)?.element, ..Ints::vector(values) });
    }
    let single = |index: usize| match call.numbers(index)?[..] {
        [number] => Ok(f64::from(number)),
        _ => Err(Trouble::from("a bound has other than one element")),
    };
    let [start, limit, step] = [single(0)?, single(1)?, single(2)?];
    let count = ((limit - start) / step).ceil().max(0.0);
    if count.is_nan() || count > MOST_INTS as f64 {
        return Err(TOO_MANY.into());
    }
    let values: Vec<f32> = (0..count as usize).map(|at| (start + at as f64 * step) as f32).collect();
    let len = values.len();
    one(call.on.values(values, [len]))
}

fn cast(call: &mut Call<'_>) -> Outputs {
    let to = call.element("to", ElementType(0))?;
    call.ignore(&["saturate", "round_mode"]);
    to_type(call, to)
}

fn cast_like(call: &mut Call<'_>) -> Outputs {
    call.ignore(&["saturate", "round_mode"]);
    let to = match call.known(1)? {
        Known::Ints(ints) => ints.element,
        Known::Quantised(quantised) => quantised.element,
        _ => ElementType::F32,
    };
    to_type(call, to)
}

/// Floating-point numbers stay what they are, since all are computed in one type here.
fn to_type(call: &mut Call<'_>, to: ElementType) -> Outputs {
    let Some(layout) = to.layout() else { return Err(format!("{to} is not supported").into()) };
    match call.known(0)?.clone() {
        floats @ Known::Floats(_) if to.is_float() => Ok(vec![floats]),
        Known::Floats(Floats { axes, .. }) => {
            let numbers = call.numbers(0).map_err(|_| {
                format!("what is computed from the image becomes {to}; only floating-point types are supported there")
            })?;
            let of = |&number: &f32| match to {
                ElementType::BOOL => i64::from(number != 0.0),
                _ => number as i64,
            };
            one(Ints { axes, values: numbers.iter().map(of).collect(), element: to })
        }
        // Numbers of f32 already; sums of 32 bits were rounded as here.
        Known::Quantised(quantised) if to.is_float() => one(quantised.of),
        Known::Quantised(quantised) if to == quantised.element => one(quantised),
        Known::Quantised(Quantised { of, element }) if to == ElementType::I32 && element.is_eight_bits() => {
            one(Quantised { of, element: to })
        }
        Known::Quantised(quantised) => {
            Err(format!("{} becomes {to}; floating-point types are supported there", quantised.element)
                .into())
        }
        Known::Ints(ints) if to.is_float() => {
            let values = ints.values.iter().map(|&value| value as f32).collect();
            one(call.on.values(values, ints.axes))
        }
        Known::Ints(ints) => {
            let cut = |value: i64| match (to, layout.bytes()) {
                (ElementType::BOOL, _) => i64::from(value != 0),
                (_, 8) => value,
                // As memory would be read: the lower bytes.
                (_, bytes) => {
                    let bits = 64 - 8 * bytes as u32;
                    let shifted = value << bits;
                    if layout.is_signed() {
                        shifted >> bits
                    } else {
                        (shifted.cast_unsigned() >> bits).cast_signed()
                    }
                }
            };
            one(Ints { values: ints.values.iter().map(|&value| cut(value)).collect(), element: to, ..ints })
        }
        Known::Nothing => Err("its input is lacking".into()),
    }
}
