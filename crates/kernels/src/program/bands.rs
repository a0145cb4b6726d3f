//! Maps that are never there as a whole: what a convolution puts out and only a depthwise one or one of groups reads, such as the widened map
//! of an inverted residual, which is several times as large as the maps around it. A thread computes the lines of it that some lines of
//! the result need, in memory of its own that its cache holds.

use std::ops::Range;

use graph::{Geometry, Window};

use super::arena::ArenaLayout;
use super::item::{Item, Part};
use super::share::{Share, together};
use super::{At, Program};
use crate::buffer::Shared;
use crate::epilogue::Epilogue;
use crate::map::{Ahead, MapView, Output};
use crate::matmul::{BLOCK_WORDS, Packed};
use crate::step::{Multiplication, Rows, Step, StepKind, StoredFinish};
use crate::threads::Member;

/// Elements of such a map that are there at once.
pub(super) const BAND_ELEMENTS: usize = BLOCK_WORDS;

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
            matches!(rows, Rows::Window(_) | Rows::Image | Rows::ImageLines)
                && !step.epilogue.iter().any(StoredFinish::is_pixel_by_pixel)
        }
        _ => false,
    };
    let reads_lines = |step: &Step| match &step.kind {
        StepKind::Depthwise { .. }
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

/// How the result of a step is cut into bands of whole lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bands {
    geometry: Geometry,
    /// Lines of the result that stay together, since their pixels are taken two by two.
    together: usize,
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

impl Bands {
    /// Of `step`, whose window is `geometry` on what the step `before` puts out, by as many threads; `None` where a line is too long, or too
    /// much would be computed twice.
    fn of(step: &Step, geometry: Geometry, before: &Step, members: usize) -> Option<Self> {
        let [height, width] = geometry.input;
        let extent = (geometry.kernel[0] - 1) * geometry.dilation[0] + 1;
        let twice = extent.saturating_sub(geometry.stride[0]) * (members - 1);
        let of_so_many = if before.window == Window::PIXEL { TWICE } else { TWICE_OF_A_WINDOW };
        if twice * of_so_many > height {
            return None;
        }
        let together = match &step.kind {
            StepKind::Multiply(Multiplication { weights, .. }) if !geometry.output[1].is_multiple_of(2) => {
                together(weights)
            }
            _ => 1,
        };
        let most = BAND_ELEMENTS / (width * before.channels).max(1);
        let lines = most.checked_sub(extent)? / geometry.stride[0] + 1;
        let sets = lines / together;
        let all = geometry.output[0].div_ceil(together);
        let count = all.div_ceil(if sets > 0 { sets } else { return None });
        Some(Self { geometry, together, count: count.next_multiple_of(members).min(all) })
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The lines of the result that are band `index`.
    fn lines(&self, index: usize) -> Range<usize> {
        let all = self.geometry.output[0];
        let start =
            |index: usize| (all.div_ceil(self.together) * index / self.count * self.together).min(all);
        start(index)..start(index + 1)
    }
}

impl Program {
    /// How a step is cut where it computes what it reads by bands; `None` where it does not.
    pub(super) fn bands(&self, index: usize, members: usize, layout: &ArenaLayout) -> Option<Bands> {
        let [before, step] =
            self.by_bands.get(index)?.then(|| [index - 1, index].map(|index| &self.steps[index]))?;
        Bands::of(step, layout.geometry(index), before, members)
    }

    /// One thread's part of a step that computes what it reads by bands.
    pub(super) fn step_by_bands(&self, index: usize, bands: &Bands, team: &Member<'_>, at: &At<'_>) {
        let [before, step] = [index - 1, index].map(|index| &self.steps[index]);
        let channels = self.channels_of(before.input);
        // SAFETY: the team has met since any of the values that the two steps read was written. Until it meets again its members write
        // this step's value alone, which overlaps none of them (`ArenaLayout`).
        let read = |value| unsafe { at.value(value).as_slice() };
        let pixels = read(before.input);
        let [first_finish, finish] =
            [before, step].map(|step| Epilogue::of(step.epilogue.iter().map(|finish| finish.with(read))));
        let [first_geometry, geometry] = [index - 1, index].map(|index| at.layout.geometry(index));
        // Elements of a line of what is read, of the map that is never there as a whole, and of the result.
        let line_in = first_geometry.input[1] * channels;
        let line = geometry.input[1] * before.channels;
        let line_out = geometry.output[1] * step.channels;
        let averaged = self.averaged_next(index + 1);
        // The lines that are there: a thread's bands mostly follow one another, and have lines in common.
        let mut there = 0..0;
        for item in team.items(bands.count()) {
            let output = bands.lines(item);
            let (input, window) = read_by(geometry, &output);
            let kept = input.start.max(there.start)..input.end.min(there.end);
            let from = if kept.start == input.start && !kept.is_empty() {
                let lines = kept.start - there.start..kept.end - there.start;
                // SAFETY: the lines are this thread's alone, and nobody reads them now.
                unsafe { at.band.as_mut_slice() }.copy_within(lines.start * line..lines.end * line, 0);
                kept.end
            } else {
                input.start
            };
            there = input.clone();
            let (first_input, first_window) = read_by(first_geometry, &(from..input.end));
            let map = MapView::new(&pixels[first_input.start * line_in..], channels, first_window, at.zeros);
            let lines = (from - input.start) * line..input.len() * line;
            self.all_of(before, map, first_finish, at.band.part(lines), at);
            // SAFETY: the lines are this thread's alone, and nobody writes them before the next band.
            let held = unsafe { at.band.part(0..input.len() * line).as_slice() };
            let map = MapView::new(held, before.channels, window, at.zeros);
            let lines = output.start * line_out..output.end * line_out;
            let finish = finish.from(lines.start);
            self.all_of(step, map, finish, at.value(index + 1).part(lines), at);
            if let Some(on_read) = averaged {
                self.sum_lines((index + 1, on_read), output, at);
            }
        }
    }

    /// All of what a step makes of `map`, which are lines that no other thread works on, to `to`.
    fn all_of(&self, step: &Step, map: MapView<'_>, epilogue: Epilogue<'_>, to: Shared<'_>, at: &At<'_>) {
        // SAFETY: until the last of the items nobody else reads or writes `to`, says the caller.
        let output = unsafe { Output::new(to, step.channels) };
        let share = Share::of(step, map.geometry().pixels(), 1, self.isa);
        for (pixels, units) in (0..share.items()).map(|item| share.item(item)) {
            // SAFETY: the block is this thread's alone, and no item before this one uses it any more.
            let block = unsafe { at.block.as_mut_slice() };
            let (other, ahead) = (&[][..], Ahead::NOTHING);
            let part = Part { map, other, epilogue, pixels, units, output, block, ahead };
            self.isa.run(Item { kind: &step.kind, part });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use graph::{Builder, Padding, Parameter, Role, Weights};

    use super::*;
    use crate::{Isa, Lowering};

    /// Weights that are all one.
    struct Ones;

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
                let bands = program.bands(index, members, &layout).unwrap();
                assert!(bands.count() == 1 || bands.count() >= members, "{bands:?}");
                let mut next = 0;
                for output in (0..bands.count()).map(|index| bands.lines(index)) {
                    let (input, geometry) = read_by(whole, &output);
                    assert_eq!(output.start, next, "{bands:?}");
                    next = output.end;
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
    fn maps_that_would_be_computed_twice_or_whose_lines_are_long_are_there_as_a_whole() {
        let program = program(Isa::best(), window([3; 2], 1, 1, Padding::Same), false);
        let index = program.by_bands.iter().position(|&by_bands| by_bands).unwrap();
        let bands = |size, members| program.bands(index, members, &program.layout(size).unwrap());
        assert!(bands([7, 7], 1).is_some() && bands([7, 7], 2).is_none());
        assert!(bands([56, 130], 1).is_some() && bands([56, 140], 1).is_none());
    }
}
