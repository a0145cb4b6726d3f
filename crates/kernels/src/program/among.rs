//! Maps that lie among the channels of another map, so that nothing is copied where channels are put beside each other or taken apart: a
//! piece of a concatenation is written where it belongs, and some of a map's channels are read where they are.

use super::bands::STEPS;
use crate::moves::{Move, Piece, Run};
use crate::simd::BLOCK;
use crate::step::{Multiplication, Rows, Step, StepKind, StoredFinish};

/// Where a value lies that has no place of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Among {
    /// The value among whose channels its channels are.
    pub(super) of: usize,
    /// The channel of that value that is its first.
    pub(super) first: usize,
}

/// Of every value of a program, among whose channels it lies; `last` is read when all steps are done. None lies among those of a value that
/// itself lies among another's.
pub(super) fn find(steps: &[Step], last: usize) -> Vec<Option<Among>> {
    let mut among = vec![None; steps.len() + 1];
    let mut readers = vec![Vec::new(); steps.len() + 1];
    for (index, step) in steps.iter().enumerate() {
        step.reads().for_each(|value| readers[value].push(index));
    }
    for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.epilogue.is_empty()) {
        let value = index + 1;
        match &step.kind {
            StepKind::Move(Move::Concat(pieces)) => {
                let mut first = 0;
                for &Piece { value: piece, width } in pieces {
                    let is_written_there =
                        piece.checked_sub(1).is_some_and(|writer| writes_apart(&steps[writer]));
                    // Whoever reads it must not write to the same map at the same time, be it at the end of a chain of steps.
                    let is_read_there = |&reader: &usize| {
                        let written = reader + 1..=reader + STEPS;
                        reader == index
                            || reads_apart(&steps[reader], piece)
                                && !pieces.iter().any(|other| written.contains(&other.value))
                    };
                    let is_once = readers[piece].iter().filter(|&&reader| reader == index).count() == 1;
                    let is_free = among[piece].is_none() && piece != last && is_once;
                    let are_blocks = first % BLOCK == 0 && width % BLOCK == 0;
                    if is_written_there && is_free && are_blocks && readers[piece].iter().all(is_read_there) {
                        among[piece] = Some(Among { of: value, first });
                    }
                    first += width;
                }
            }
            StepKind::Move(Move::Channels(runs)) => {
                let &[Run { from, len }] = &runs[..] else { continue };
                let is_read_there = |&reader: &usize| reads_apart(&steps[reader], value);
                let is_free = step.input != 0 && among[step.input].is_none() && value != last;
                let are_blocks = from % BLOCK == 0 && len % BLOCK == 0;
                if is_free && are_blocks && readers[value].iter().all(is_read_there) {
                    among[value] = Some(Among { of: step.input, first: from });
                }
            }
            _ => {}
        }
    }
    among
}

/// Whether a step can write pixels that lie apart.
fn writes_apart(step: &Step) -> bool {
    let is_one = match step.kind {
        StepKind::Multiply(_)
        | StepKind::Grouped(_)
        | StepKind::Winograd(_)
        | StepKind::Depthwise { .. }
        | StepKind::MaxPool { .. }
        | StepKind::AveragePool { .. } => true,
        StepKind::Average(_)
        | StepKind::Move(_)
        | StepKind::LayerNorm { .. }
        | StepKind::Epilogue
        | StepKind::Product { .. }
        | StepKind::Softmax { .. }
        | StepKind::Gathered(_)
        | StepKind::Known { .. }
        | StepKind::Renamed(_)
        | StepKind::Call(_) => false,
    };
    // What its epilogue reads pixel by pixel would lie otherwise than the result.
    is_one && !step.epilogue.iter().any(StoredFinish::is_pixel_by_pixel)
}

/// Whether a step can read `value` where its pixels lie apart: through a window, and nothing else.
fn reads_apart(step: &Step, value: usize) -> bool {
    let by_window = match &step.kind {
        StepKind::Multiply(Multiplication { rows, .. }) => {
            matches!(rows, Rows::Window(_) | Rows::Depthwise { .. } | Rows::Gated { .. })
        }
        StepKind::Grouped(_)
        | StepKind::Winograd(_)
        | StepKind::Depthwise { .. }
        | StepKind::MaxPool { .. }
        | StepKind::AveragePool { .. } => true,
        _ => false,
    };
    by_window && step.reads().filter(|&read| read == value).count() == 1 && step.input == value
}

/// Whether nothing is left to be done of a step that puts out `value`, because that lies among another's channels or is made of those that lie
/// among its own.
pub(super) fn is_done(step: &Step, value: usize, among: &[Option<Among>]) -> bool {
    match &step.kind {
        StepKind::Move(Move::Concat(pieces)) => {
            pieces.iter().all(|piece| is_there(piece.value, value, among))
        }
        StepKind::Move(Move::Channels(_)) => among[value].is_some(),
        _ => false,
    }
}

/// Whether `piece` lies among the channels of `value`.
pub(super) fn is_there(piece: usize, value: usize, among: &[Option<Among>]) -> bool {
    among[piece].is_some_and(|among| among.of == value)
}

#[cfg(test)]
mod tests {
    use graph::operations::{Concat, Slice};
    use graph::{Builder, Parameter, Role, Value, Window};

    use super::*;
    use crate::program::Program;
    use crate::program::bands::tests::Ones;
    use crate::{Isa, Lowering};

    fn pointwise(on: &mut Builder, key: &str, [from, to]: [usize; 2], x: Value) -> Value {
        let kernel = Parameter::new(key, Role::Conv { fan_in: 1 }, [to, from, 1, 1]);
        on.convolution(Window::PIXEL, 1, kernel, None, x)
    }

    fn program(mut on: Builder, width: usize, x: Value) -> Program {
        let x = on.global_average_pool(x);
        let x = on.linear(Parameter::new("fc", Role::Linear { fan_in: 1 }, [width, 5]), None, x);
        Lowering::of(&on.finish(x)).unwrap().load(&mut Ones, Isa::best()).unwrap()
    }

    /// Among which channels the values of a program lie.
    fn found(program: &Program) -> Vec<(usize, usize, usize)> {
        let places = program.among.iter().enumerate();
        places.filter_map(|(value, among)| among.map(|among| (value, among.of, among.first))).collect()
    }

    #[test]
    fn pieces_of_whole_blocks_are_written_where_they_belong() {
        let (mut on, x) = Builder::new(3);
        let x = pointwise(&mut on, "narrow", [3, 16], x);
        let a = pointwise(&mut on, "a", [16, 32], x);
        let b = pointwise(&mut on, "b", [16, 16], x);
        let c = pointwise(&mut on, "c", [16, 8], x);
        let y = on.push(Concat { axis: 0 }, &[a, b, c]);
        let y = pointwise(&mut on, "last", [56, 16], y);
        let program = program(on, 16, y);
        // The third is copied, since it is half a block.
        assert_eq!(found(&program), [(2, 5, 0), (3, 5, 32)]);
        assert!(!is_done(&program.steps[4], 5, &program.among));
    }

    #[test]
    fn what_is_read_otherwise_or_twice_has_a_place_of_its_own() {
        let concat = |second: &dyn Fn(&mut Builder, Value) -> Value| {
            let (mut on, x) = Builder::new(3);
            let x = pointwise(&mut on, "narrow", [3, 16], x);
            let a = pointwise(&mut on, "a", [16, 16], x);
            let b = second(&mut on, a);
            let y = on.push(Concat { axis: 0 }, &[a, b]);
            let y = pointwise(&mut on, "last", [32, 16], y);
            let program = program(on, 16, y);
            found(&program)
        };
        // Of two of which the second is computed from the first, the second.
        let places = concat(&|on, a| pointwise(on, "b", [16, 16], a));
        assert_eq!(places, [(3, 4, 16)]);
        // A sum reads pixel by pixel.
        let places = concat(&|on, a| {
            let b = pointwise(on, "b", [16, 16], a);
            on.add(b, a)
        });
        assert_eq!(places, []);
        let places = concat(&|_, a| a);
        assert_eq!(places, []);
    }

    #[test]
    fn whole_blocks_of_channels_are_read_where_they_are() {
        let halves = |from: usize| {
            let (mut on, x) = Builder::new(3);
            let x = pointwise(&mut on, "narrow", [3, 48], x);
            let half = on.push(Slice { axis: 0, begin: from, step: 1, len: 32 }, &[x]);
            let y = pointwise(&mut on, "last", [32, 16], half);
            program(on, 16, y)
        };
        let program = halves(16);
        assert_eq!(found(&program), [(2, 1, 16)]);
        assert!(is_done(&program.steps[1], 2, &program.among));
        assert_eq!(found(&halves(8)), []);
    }
}
