//! Maps that are never there as a whole: what a convolution puts out and only a depthwise one, one of groups or a pooling reads, such as the
//! widened map of an inverted residual, which is several times as large as the maps around it. A thread computes the lines of it that some
//! lines of the result need, in memory of its own that its cache holds. What these are computed from may be such lines too: a *chain* of
//! steps, of which only the last one's result is there as a whole.

use std::ops::Range;

use graph::{Geometry, Window};

use super::arena::ArenaLayout;
use super::item::{Item, Part};
use super::share::{Share, together};
use super::{At, Program, among};
use crate::buffer::Shared;
use crate::epilogue::Epilogue;
use crate::map::{Ahead, MapView, Output};
use crate::matmul::{BLOCK_WORDS, Packed};
use crate::step::{Multiplication, Rows, Step, StepKind, StoredFinish};
use crate::threads::Member;

/// Elements of the lines that a chain's last step reads that are there at once.
const BAND_ELEMENTS: usize = BLOCK_WORDS;

/// Elements of all lines of a chain that are there at once: seven of an entry block of Xception, of 147 pixels and 128 channels, fit, and its
/// weights beside them into a second-level cache of 1 MiB.
pub(super) const CHAIN_ELEMENTS: usize = BAND_ELEMENTS / 4 * 9;

/// Steps of a chain at most.
pub(super) const STEPS: usize = 4;

/// Of threads that share an image, those whose parts meet compute some lines twice: one of so many at most, of a 1x1 convolution.
const TWICE: usize = 7;

/// As [`TWICE`], of a larger window, whose lines take longer.
const TWICE_OF_A_WINDOW: usize = 28;

/// Of every step whether the value that it reads may be computed by bands: whether it alone reads it, and the step before puts it out.
pub(super) fn are_possible(steps: &[Step], last: usize) -> Vec<bool> {
    let mut readers = vec![0_usize; steps.len() + 1];
    steps.iter().flat_map(Step::reads).chain([last]).for_each(|value| readers[value] += 1);
    let is_of_lines = |step: &Step| match &step.kind {
        // Of rows that are taken two by two, those at the border of two bands would have other partners.
        StepKind::Multiply(Multiplication { rows, weights }) if !weights.has_pairs() => {
            let is_of_lines = match rows {
                Rows::Window(_) | Rows::Image | Rows::ImageLines => true,
                // Each band reads all weights, which has to be less than what it saves.
                Rows::Depthwise { .. } => weights.words() <= BLOCK_WORDS,
                Rows::Gated { .. } | Rows::Whole { .. } => false,
            };
            is_of_lines && !step.epilogue.iter().any(StoredFinish::is_pixel_by_pixel)
        }
        _ => false,
    };
    let reads_lines = |step: &Step| match &step.kind {
        StepKind::Depthwise { .. }
        | StepKind::MaxPool { .. }
        | StepKind::AveragePool { .. }
        | StepKind::Multiply(Multiplication { rows: Rows::Depthwise { .. }, .. }) => true,
        StepKind::Grouped(grouped) => !grouped.sets.iter().any(Packed::has_pairs),
        _ => false,
    };
    let is_possible = |(index, step): (usize, &Step)| {
        let before = index.checked_sub(1).map(|before| &steps[before]);
        step.input == index && readers[index] == 1 && before.is_some_and(is_of_lines) && reads_lines(step)
    };
    steps.iter().enumerate().map(is_possible).collect()
}

/// What a team does between two meetings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Turn {
    /// A step.
    Step(usize),
    /// Some steps, by bands.
    Chain(Chain),
}

/// Steps that are computed by bands, and how the last one's result is cut into bands of whole lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chain {
    first: usize,
    last: usize,
    /// Lines of each step's input that are there at once; of the first, which reads a map that is there as a whole, 0.
    held: [usize; STEPS],
    /// Lines of the result.
    height: usize,
    /// How many of them stay together, since their pixels are taken two by two.
    together: usize,
    /// Bands of the result.
    count: usize,
}

/// The lines of a map that the lines `lines` of a window's result are computed from, and the window on these alone.
fn read_by(geometry: Geometry, lines: &Range<usize>) -> (Range<usize>, Geometry) {
    let Geometry { input, output, kernel, stride, dilation, pad } = geometry;
    let top = lines.start * stride[0];
    let reached = lines.end.saturating_sub(1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1;
    let first = top.saturating_sub(pad[0]).min(input[0]);
    let read = first..reached.saturating_sub(pad[0]).clamp(first, input[0]);
    let geometry = Geometry {
        input: [read.len(), input[1]],
        output: [lines.len(), output[1]],
        pad: [pad[0].saturating_sub(top), pad[1]],
        ..geometry
    };
    (read, geometry)
}

/// Lines that a window reaches over.
fn extent(geometry: &Geometry) -> usize {
    (geometry.kernel[0] - 1) * geometry.dilation[0] + 1
}

/// How many lines a window reads for each line that it goes on; a window that leaves lines out reads no more than it reaches over.
fn advance(geometry: &Geometry) -> usize {
    geometry.stride[0].min(extent(geometry))
}

impl Chain {
    /// Of the steps `first` to `last` of `steps`, by as many threads; `None` where lines are too long, or too much would be computed twice.
    fn of(steps: &[Step], [first, last]: [usize; 2], layout: &ArenaLayout, members: usize) -> Option<Self> {
        let mut twice = 0;
        for index in (first + 1..=last).rev() {
            let (before, geometry) = (&steps[index - 1], layout.geometry(index));
            // What is read twice for what is computed twice, and the lines over which two windows overlap.
            twice = twice * advance(&geometry)
                + extent(&geometry).saturating_sub(geometry.stride[0]) * (members - 1);
            let is_of_pixels = before.window == Window::PIXEL
                || matches!(
                    before.kind,
                    StepKind::Multiply(Multiplication { rows: Rows::Depthwise { .. }, .. })
                );
            let of_so_many = if is_of_pixels { TWICE } else { TWICE_OF_A_WINDOW };
            if twice * of_so_many > geometry.input[0] {
                return None;
            }
        }
        let geometry = layout.geometry(last);
        let together = match &steps[last].kind {
            StepKind::Multiply(Multiplication { weights, .. }) if !geometry.output[1].is_multiple_of(2) => {
                together(weights)
            }
            _ => 1,
        };
        let line = |index: usize| (layout.size(index)[1] * steps[index - 1].channels).max(1);
        // Lines that are there where so many of the result are computed at once.
        let held = |lines: usize| {
            let mut held = [0; STEPS];
            let mut new = lines;
            for index in (first + 1..=last).rev() {
                let geometry = layout.geometry(index);
                held[index - first] = (new - 1) * geometry.stride[0] + extent(&geometry);
                // Of what is read, some lines are there from the band before.
                new = (new * advance(&geometry)).min(held[index - first]);
            }
            held
        };
        let fits = |lines: &usize| {
            let held = held(*lines);
            let all: usize = (first + 1..=last).map(|index| held[index - first] * line(index)).sum();
            held[last - first] * line(last) <= BAND_ELEMENTS && all <= CHAIN_ELEMENTS
        };
        let output = geometry.output[0];
        let sets = (1..=output.div_ceil(together)).take_while(|sets| fits(&(sets * together))).last()?;
        let all = output.div_ceil(together);
        let count = all.div_ceil(sets).next_multiple_of(members).min(all);
        Some(Self { first, last, held: held(sets * together), height: output, together, count })
    }

    /// The step whose result is there as a whole.
    pub(super) fn last(&self) -> usize {
        self.last
    }

    /// The lines of the result that are band `index`.
    fn lines(&self, index: usize) -> Range<usize> {
        let start = |index: usize| {
            (self.height.div_ceil(self.together) * index / self.count * self.together).min(self.height)
        };
        start(index)..start(index + 1)
    }
}

/// A thread's work on a chain: which lines of each step's input are there.
struct Bands<'a> {
    program: &'a Program,
    chain: Chain,
    at: &'a At<'a>,
    /// The input of the first step.
    pixels: &'a [f32],
    there: [Range<usize>; STEPS],
}

impl<'a> Bands<'a> {
    /// Elements of a line of what step `index` reads.
    fn line(&self, index: usize) -> usize {
        let input = self.program.steps[index].input;
        self.at.layout.size(input)[1] * self.program.stride_of(input)
    }

    /// Where the lines lie that step `index` reads.
    fn place(&self, index: usize) -> Shared<'a> {
        let Chain { first, held, .. } = self.chain;
        let len = |index: usize| held[index - first] * self.line(index);
        let start: usize = (first + 1..index).map(len).sum();
        self.at.band.part(start..start + len(index))
    }

    /// Sees to it that the lines `wanted` of what step `index` reads are there, the first of them first: those that are there already are
    /// kept, the others computed.
    fn hold(&mut self, index: usize, wanted: &Range<usize>) {
        let level = index - self.chain.first;
        if level == 0 {
            return;
        }
        let line = self.line(index);
        let there = self.there[level].clone();
        let kept = wanted.start.max(there.start)..wanted.end.min(there.end);
        let mut from = wanted.start;
        if kept.start == wanted.start && !kept.is_empty() {
            let lines = kept.start - there.start..kept.end - there.start;
            // SAFETY: the lines are this thread's alone, and nobody reads them now.
            unsafe { self.place(index).as_mut_slice() }.copy_within(lines.start * line..lines.end * line, 0);
            from = kept.end;
        }
        self.there[level] = wanted.clone();
        // As many at a time as are computed from lines that are there at once.
        let before = self.at.layout.geometry(index - 1);
        let most = match self.chain.held[level - 1] {
            0 => wanted.len(),
            held => (held - extent(&before)) / before.stride[0] + 1,
        };
        while from < wanted.end {
            let new = from..wanted.end.min(from + most);
            let to =
                self.place(index).part((new.start - wanted.start) * line..(new.end - wanted.start) * line);
            // SAFETY: the lines are this thread's alone.
            let to = unsafe { Output::new(to, self.program.steps[index - 1].channels) };
            self.compute(index - 1, &new, to);
            from = new.end;
        }
    }

    /// Computes the lines `lines` of the result of step `index`, to `to`, which nobody else reads or writes.
    fn compute(&mut self, index: usize, lines: &Range<usize>, to: Output<'_>) {
        let Self { program, chain, at, pixels, .. } = *self;
        let (step, geometry) = (&program.steps[index], at.layout.geometry(index));
        let (input, window) = read_by(geometry, lines);
        self.hold(index, &input);
        let line = self.line(index);
        let pixel = [program.channels_of(step.input), program.stride_of(step.input)];
        // SAFETY: the team has met since what the epilogue reads was written. Until it meets again its members write the result of the
        // chain alone, which overlaps none of it (`ArenaLayout`).
        let read = |value| unsafe { at.value(value).as_slice() };
        let epilogue = Epilogue::of(step.epilogue.iter().map(|finish| finish.with(read)));
        let epilogue = epilogue.from(lines.start * geometry.output[1] * step.channels);
        let held = if index == chain.first {
            &pixels[input.start * line..]
        } else {
            // SAFETY: the lines are this thread's alone, and nobody writes them before the next are asked for.
            unsafe { self.place(index).part(0..input.len() * line).as_slice() }
        };
        let map = MapView::among(held, pixel, window, at.zeros);
        // What is read next from a map that is there as a whole comes from far away.
        let ahead = |pixels: Range<usize>| {
            if index != chain.first {
                return Ahead::NOTHING;
            }
            let whole = MapView::among(self.pixels, pixel, geometry, at.zeros);
            let next = |pixel: usize| (lines.end * geometry.output[1] + pixel).min(geometry.pixels());
            whole.read_by(next(pixels.start)..next(pixels.end))
        };
        program.all_of(step, map, epilogue, to, ahead, at);
    }
}

impl Program {
    /// What a team of so many does for an image, one after the other.
    pub(super) fn turns(&self, members: usize, layout: &ArenaLayout) -> Vec<Turn> {
        let mut turns = Vec::with_capacity(self.steps.len());
        let mut first = 0;
        while first < self.steps.len() {
            let run =
                self.by_bands[first + 1..].iter().take(STEPS - 1).take_while(|&&is_possible| is_possible);
            let longest = first + run.count();
            let chain = (first + 1..=longest)
                .rev()
                .find_map(|last| Chain::of(&self.steps, [first, last], layout, members));
            if let Some(chain) = chain {
                turns.push(Turn::Chain(chain));
            } else if !matches!(self.steps[first].kind, StepKind::Renamed(_))
                && !among::is_done(&self.steps[first], first + 1, &self.among)
            {
                turns.push(Turn::Step(first));
            }
            first = chain.map_or(first, |chain| chain.last) + 1;
        }
        turns
    }

    /// One thread's part of the steps of a chain.
    pub(super) fn chain(&self, chain: Chain, team: &Member<'_>, at: &At<'_>) {
        let last = chain.last;
        // SAFETY: the team has met since the input was written. Until it meets again its members write the result of the chain alone, which
        // does not overlap it (`ArenaLayout`).
        let pixels = unsafe { at.value(self.steps[chain.first].input).as_slice() };
        let pixel = [self.steps[last].channels, self.stride_of(last + 1)];
        let line_out = at.layout.size(last + 1)[1] * pixel[1];
        let averaged = self.averaged_next(last + 1);
        // A thread's bands mostly follow one another, and have lines in common.
        let mut bands = Bands { program: self, chain, at, pixels, there: [const { 0..0 }; STEPS] };
        for item in team.items(chain.count) {
            let lines = chain.lines(item);
            let result = at.value(last + 1);
            // Where the result lies among another's channels, its last pixel ends with its own.
            let to = result.part(lines.start * line_out..(lines.end * line_out).min(result.len()));
            // SAFETY: until the team meets again, nobody reads the result. The lines are those of one band, which is taken once.
            let to = unsafe { Output::among(to, pixel) };
            bands.compute(last, &lines, to);
            if let Some(on_read) = averaged {
                self.sum_lines((last + 1, on_read), lines, at);
            }
        }
    }

    /// All of what a step makes of `map`, which are lines that no other thread works on, to `output`; `ahead` says of the same number of the
    /// pixels that follow what they are computed from.
    fn all_of<'a>(
        &self,
        step: &Step,
        map: MapView<'_>,
        epilogue: Epilogue<'_>,
        output: Output<'_>,
        ahead: impl Fn(Range<usize>) -> Ahead<'a>,
        at: &At<'_>,
    ) {
        let share = Share::of(step, map.geometry().pixels(), 1, self.isa);
        for (pixels, units) in (0..share.items()).map(|item| share.item(item)) {
            // SAFETY: the block is this thread's alone, and no item before this one uses it any more.
            let block = unsafe { at.block.as_mut_slice() };
            let ahead = ahead(pixels.clone());
            let part = Part { map, other: &[], epilogue, pixels, units, output, block, ahead };
            self.isa.run(Item { kind: &step.kind, part });
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::convert::Infallible;

    use graph::{Builder, Padding, Parameter, Role, Weights};

    use super::*;
    use crate::{Isa, Lowering};

    /// Weights that are all one.
    pub(in crate::program) struct Ones;

    impl Weights for Ones {
        type Error = Infallible;

        fn read(&mut self, parameter: &Parameter) -> Result<Vec<f32>, Infallible> {
            Ok(vec![1.0; parameter.len()])
        }
    }

    /// What a 1x1 convolution widens to 160 channels, then a window; the widened map is read by both where `is_read_twice`.
    fn program(isa: Isa, window: Window, is_read_twice: bool) -> Program {
        let (mut on, image) = Builder::new(3);
        let kernel = |key: &str, shape: [usize; 4]| Parameter::new(key, Role::Conv { fan_in: 1 }, shape);
        let x = on.convolution(Window::PIXEL, 1, kernel("narrow", [16, 3, 1, 1]), None, image);
        let x = on.convolution(Window::PIXEL, 1, kernel("wide", [160, 16, 1, 1]), None, x);
        let [height, width] = window.kernel;
        let mut y = on.convolution(window, 160, kernel("depthwise", [160, 1, height, width]), None, x);
        if is_read_twice {
            y = on.add(x, y);
        }
        let y = on.global_average_pool(y);
        let y = on.linear(Parameter::new("fc", Role::Linear { fan_in: 1 }, [160, 5]), None, y);
        Lowering::of(&on.finish(y)).unwrap().load(&mut Ones, isa).unwrap()
    }

    fn window(kernel: [usize; 2], stride: usize, dilation: usize, padding: Padding) -> Window {
        Window { kernel, stride: [stride; 2], dilation: [dilation; 2], padding }
    }

    /// The first chain of a program.
    fn chain(program: &Program, size: [usize; 2], members: usize) -> Option<Chain> {
        let turns = program.turns(members, &program.layout(size).unwrap());
        turns.into_iter().find_map(|turn| match turn {
            Turn::Chain(chain) => Some(chain),
            Turn::Step(_) => None,
        })
    }

    #[test]
    fn a_widened_map_that_something_else_reads_is_there_as_a_whole() {
        let window = window([3; 2], 1, 1, Padding::Same);
        for isa in Isa::available() {
            assert!(program(isa, window, false).by_bands.contains(&true), "{isa:?}");
            assert!(!program(isa, window, true).by_bands.contains(&true), "{isa:?}");
        }
    }

    #[test]
    fn bands_give_each_line_once_and_hold_the_lines_that_it_reads() {
        let isa = Isa::best();
        for (kernel, stride, dilation, padding) in [
            ([3, 3], 1, 1, Padding::Same),
            ([3, 3], 2, 1, Padding::Same),
            ([5, 3], 2, 1, Padding::Explicit([2, 1, 2, 1])),
            ([3, 3], 1, 2, Padding::Explicit([30, 0, 9, 0])),
            ([2, 2], 3, 1, Padding::Explicit([0; 4])),
            ([1, 1], 1, 1, Padding::Explicit([0; 4])),
        ] {
            let program = program(isa, window(kernel, stride, dilation, padding), false);
            let index = program.by_bands.iter().position(|&by_bands| by_bands).unwrap();
            for (size, members) in [([56, 56], 1), ([56, 56], 2), ([70, 43], 3), ([100, 7], 4), ([9, 9], 1)] {
                let layout = program.layout(size).unwrap();
                let whole = layout.geometry(index);
                let bands = chain(&program, size, members).unwrap();
                assert!(bands.count == 1 || bands.count >= members, "{bands:?}");
                let mut next = 0;
                for output in (0..bands.count).map(|index| bands.lines(index)) {
                    let (input, geometry) = read_by(whole, &output);
                    assert_eq!(output.start, next, "{bands:?}");
                    next = output.end;
                    assert!(input.len() <= bands.held[1], "{bands:?}, {output:?}");
                    assert!(input.len() * size[1] * 160 <= BAND_ELEMENTS, "{bands:?}, {output:?}");
                    let taps = (0..kernel[0]).flat_map(|ky| (0..kernel[1]).map(move |kx| (ky, kx)));
                    let pixels = output.clone().flat_map(|y| (0..whole.output[1]).map(move |x| (y, x)));
                    for ((y, x), (ky, kx)) in pixels.flat_map(|at| taps.clone().map(move |tap| (at, tap))) {
                        let found = geometry.input_pixel(y - output.start, x, ky, kx);
                        let found = found.map(|pixel| pixel + input.start * size[1]);
                        assert_eq!(found, whole.input_pixel(y, x, ky, kx), "{bands:?}, line {y}");
                    }
                }
                assert_eq!(next, whole.output[0], "{bands:?}");
            }
        }
    }

    #[test]
    fn steps_follow_one_another_by_bands_as_far_as_their_lines_fit() {
        // Of an entry of Xception: a map that is read twice, two separable convolutions, and a pooling.
        let (mut on, image) = Builder::new(3);
        let kernel = |key: &str, shape: [usize; 4]| Parameter::new(key, Role::Conv { fan_in: 1 }, shape);
        let x = on.convolution(Window::PIXEL, 1, kernel("first", [64, 3, 1, 1]), None, image);
        let shortcut = on.convolution(
            Window { stride: [2; 2], ..Window::PIXEL },
            1,
            kernel("shortcut", [128, 64, 1, 1]),
            None,
            x,
        );
        let three = window([3; 2], 1, 1, Padding::Explicit([1; 4]));
        let y = on.convolution(three, 64, kernel("depthwise1", [64, 1, 3, 3]), None, x);
        let y = on.convolution(Window::PIXEL, 1, kernel("pointwise1", [128, 64, 1, 1]), None, y);
        let y = on.convolution(three, 128, kernel("depthwise2", [128, 1, 3, 3]), None, y);
        let y = on.convolution(Window::PIXEL, 1, kernel("pointwise2", [128, 128, 1, 1]), None, y);
        let y = on.max_pool(Window { stride: [2; 2], ..three }, y);
        let y = on.add(y, shortcut);
        let y = on.global_average_pool(y);
        let y = on.linear(Parameter::new("fc", Role::Linear { fan_in: 1 }, [128, 5]), None, y);
        let program = Lowering::of(&on.finish(y)).unwrap().load(&mut Ones, Isa::best()).unwrap();
        let of = |side, members| program.turns(members, &program.layout([side; 2]).unwrap());
        for members in [1, 2] {
            let turns = of(147, members);
            let [Turn::Step(0), Turn::Step(1), Turn::Chain(chain)] = turns[..] else { panic!("{turns:?}") };
            assert_eq!((chain.first, chain.last, chain.held, chain.height), (2, 4, [0, 4, 3, 0], 74));
        }
        // The lines of both maps together are too many; and then those of one are.
        let turns = of(170, 1);
        assert!(
            matches!(
                turns[..],
                [Turn::Step(0), Turn::Step(1), Turn::Chain(Chain { first: 2, last: 3, .. }), Turn::Step(4)]
            ),
            "{turns:?}"
        );
        assert!(!of(300, 1).iter().any(|turn| matches!(turn, Turn::Chain(_))));
        // Too much would be computed by both threads.
        assert!(!of(20, 8).iter().any(|turn| matches!(turn, Turn::Chain(_))));
    }

    #[test]
    fn maps_that_would_be_computed_twice_or_whose_lines_are_long_are_there_as_a_whole() {
        let program = program(Isa::best(), window([3; 2], 1, 1, Padding::Same), false);
        let bands = |size, members| chain(&program, size, members);
        assert!(bands([7, 7], 1).is_some() && bands([7, 7], 2).is_none());
        assert!(bands([56, 130], 1).is_some() && bands([56, 140], 1).is_none());
    }
}
