//! One of two values, by a condition that no image changes.

use graph::Shape;
use graph::operations::Choice;

use super::super::call::{Call, Outputs, one};
use super::super::known::{Ints, Known, indices, place_repeated};
use super::Entry;
use super::binary::elementwise;

pub(super) const OPERATIONS: &[Entry] = &[("Where", choose)];

fn choose(call: &mut Call<'_>) -> Outputs {
    let condition = call.ints(0)?.clone();
    if let (Known::Ints(a), Known::Ints(b)) = (call.known(1)?, call.known(2)?) {
        // The condition is repeated along both, and both along it.
        let both = elementwise(a, b, |_, _| Some(0))?;
        let all = elementwise(&condition, &both, |condition, _| Some(condition))?;
        let element = a.element;
        let values = indices(&all.axes).zip(&all.values).map(|(index, &condition)| {
            let chosen = if condition != 0 { a } else { b };
            chosen.values[place_repeated(&chosen.axes, &index)]
        });
        let values = values.collect();
        return one(Ints { axes: all.axes, values, element });
    }
    let (a, b) = (call.floats(1)?, call.floats(2)?);
    let of = |axes: &[usize]| Shape::new(axes);
    let axes = of(&condition.axes).repeated_with(&of(&a.axes).repeated_with(&of(&b.axes))?)?.axes().to_vec();
    // The same for every element needs no choice.
    if let Some(&first) =
        condition.values.first().filter(|first| condition.values.iter().all(|it| it == *first))
    {
        let chosen = if first != 0 { &a } else { &b };
        if chosen.axes == axes {
            return one(chosen.clone());
        }
    }
    let values = condition.values.iter().map(|&value| value as f32).collect();
    let condition = call.on.values(values, condition.axes);
    one(call.push(Choice, &[condition.value, a.value, b.value], axes)?)
}
