//! A network as the kernels run it: a list of steps, each of which reads feature maps and writes one.
//!
//! Inside, maps are NHWC with channels padded to whole blocks. Each image goes through all steps before
//! the next one begins, so that its maps stay in the cache; threads work on an image each where there are
//! enough, and share one otherwise. Buffers are kept from call to call.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use memory::NoMemory;

use crate::buffer::{Buffer, Shared, padded};
use crate::elsewhere::Call;
use crate::epilogue::Epilogue;
use crate::image::Images;
use crate::isa::Isa;
use crate::map::{MapView, Output};
use crate::matmul::Packed;
use crate::moves::Move;
use crate::shape::SizeError;
use crate::simd::BLOCK;
use crate::step::{Step, StepKind};
use crate::threads::{Member, Scratch, Team, Threads};

mod among;
mod arena;
mod average;
mod bands;
mod item;
mod share;
mod slots;
mod tail;

use among::Among;
use arena::ArenaLayout;
use bands::{CHAIN_ELEMENTS, Turn};
use item::{Item, Part};
use share::Share;
pub(crate) use tail::Tail;

/// A network, its weights packed for one instruction set.
#[derive(Debug)]
pub struct Program {
    isa: Isa,
    image_channels: usize,
    /// Height and width of the only images that it takes.
    image_size: Option<[usize; 2]>,
    steps: Vec<Step>,
    /// Of every step whether what it reads may be computed by bands.
    by_bands: Vec<bool>,
    /// Of every value among whose channels it lies, if it has no place of its own.
    among: Vec<Option<Among>>,
    /// Elements that a thread needs for an item of a step, and for lines of maps that are never there as a whole.
    block_len: usize,
    band_len: usize,
    tail: Tail,
    /// What the last call needed, for the next one.
    state: Mutex<Option<State>>,
}

/// Buffers for images of one size.
#[derive(Debug)]
struct State {
    layout: ArenaLayout,
    zeros: Buffer,
    /// Of each image what is left when all steps are done, and what every layer after them puts out; the last are logits.
    rows: Vec<Buffer>,
}

fn shared(buffers: &mut [Buffer]) -> Vec<Shared<'_>> {
    buffers.iter_mut().map(|buffer| Shared::new(buffer.as_mut_slice())).collect()
}

impl Program {
    /// For images of so many channels and, where it has one, of this size only.
    pub(crate) fn new(
        isa: Isa,
        (image_channels, image_size): (usize, Option<[usize; 2]>),
        steps: Vec<Step>,
        tail: Tail,
    ) -> Self {
        let by_bands = bands::are_possible(&steps, tail.input);
        let among = among::find(&steps, tail.input);
        let block = steps.iter().chain(&tail.layers).map(|step| share::room(step, isa)).max();
        let block_len = block.unwrap_or(0).next_multiple_of(BLOCK);
        let band_len = if by_bands.contains(&true) { CHAIN_ELEMENTS } else { 0 };
        let state = Mutex::new(None);
        Self { isa, image_channels, image_size, steps, by_bands, among, block_len, band_len, tail, state }
    }

    /// The instruction set its weights are packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.tail.classes
    }

    /// Bytes of its packed matrices.
    pub fn weight_bytes(&self) -> usize {
        self.packed().map(Packed::words).sum::<usize>() * size_of::<f32>()
    }

    /// The packed matrices.
    fn packed(&self) -> impl Iterator<Item = &Packed> {
        let of_steps = self.steps.iter().flat_map(|step| match &step.kind {
            StepKind::Multiply(multiplication) => std::slice::from_ref(&multiplication.weights),
            StepKind::Grouped(grouped) => &grouped.sets,
            StepKind::Winograd(winograd) => winograd.sets(),
            _ => &[],
        });
        of_steps.chain(self.tail.packed())
    }

    /// Logits of `images`, `[images, classes]`.
    ///
    /// # Errors
    /// [`SizeError`] where the network cannot take images of this size or of so many channels, where the values are not those
    /// of whole images, and where there is no memory for so many at once.
    pub fn run(&self, images: &Images<'_>, threads: &Threads) -> Result<Vec<f32>, SizeError> {
        let (expected, found) = (self.image_channels, images.channels());
        if expected != found {
            return Err(SizeError::Channels { expected, found });
        }
        let count = images.count()?;
        if count == 0 {
            self.check_size(images.size())?;
            return Ok(Vec::new());
        }
        let mut scratch = threads.scratch();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.make_room(&mut state, &mut scratch, images.size(), count, threads.count())?;
        // All threads take whole images as long as there is one for each; what remains they share.
        let alone = count - count % threads.count();
        self.pass(state, &mut scratch, images, 0..alone, threads, threads.count())?;
        self.pass(state, &mut scratch, images, alone..count, threads, count - alone)?;
        let rows = (&mut state.rows[..], state.zeros.as_slice());
        self.tail.run(rows, &mut scratch, count, (self.isa, threads));
        let (row, classes) = (padded(self.classes()), self.classes());
        let rows = state.rows.last().map_or(&[][..], Buffer::as_slice).chunks_exact(row).take(count);
        let mut logits = memory::room(count * classes)?;
        rows.for_each(|row| logits.extend_from_slice(&row[..classes]));
        Ok(logits)
    }

    /// Takes the memory that so many images of this height and width need, which [`Program::run`] does where it was not done.
    ///
    /// # Errors
    /// [`SizeError`] where the network cannot take images of this size, or there is no memory for so many at once.
    pub fn reserve(&self, size: [usize; 2], images: usize, threads: &Threads) -> Result<(), SizeError> {
        let mut scratch = threads.scratch();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_room(&mut state, &mut scratch, size, images, threads.count()).map(drop)
    }

    /// # Errors
    /// [`SizeError::OtherSize`] where the network takes images of another size only.
    fn check_size(&self, found: [usize; 2]) -> Result<(), SizeError> {
        match self.image_size.filter(|&expected| expected != found) {
            Some(expected) => Err(SizeError::OtherSize { expected, found }),
            None => Ok(()),
        }
    }

    fn layout(&self, image: [usize; 2]) -> Result<ArenaLayout, SizeError> {
        let plan = (&self.by_bands[..], &self.among[..]);
        let layout = ArenaLayout::new(image, self.image_channels, &self.steps, plan, &self.tail)?;
        self.tail.check(image, layout.size(self.tail.input))?;
        Ok(layout)
    }

    fn state(&self, layout: ArenaLayout) -> Result<State, NoMemory> {
        let steps = self.steps.iter().chain(&self.tail.layers);
        let widths = steps.map(|step| step.channels).chain([self.image_channels]);
        let widest = widths.max().unwrap_or(0);
        Ok(State { layout, zeros: Buffer::zeroed(widest)?, rows: Vec::new() })
    }

    /// The state for so many images of `size`, with room for them.
    fn make_room<'s>(
        &self,
        state: &'s mut Option<State>,
        scratch: &mut Scratch,
        size: [usize; 2],
        images: usize,
        threads: usize,
    ) -> Result<&'s mut State, SizeError> {
        self.check_size(size)?;
        let kept = state.take().filter(|state| state.layout.size(0) == size);
        let state = state.insert(match kept {
            Some(kept) => kept,
            None => self.state(self.layout(size)?)?,
        });
        let workspace = self.block_len + self.band_len;
        scratch.make_room((threads.min(images), state.layout.arena_len()), (threads, workspace))?;
        self.tail.make_room(&mut state.rows, images, self.channels_of(self.tail.input))?;
        Ok(state)
    }

    /// Takes `images` to their features with `teams` teams of threads.
    ///
    /// # Errors
    /// [`SizeError::Elsewhere`] where what computes a part gave up.
    fn pass(
        &self,
        state: &mut State,
        scratch: &mut Scratch,
        images: &Images<'_>,
        range: Range<usize>,
        threads: &Threads,
        teams: usize,
    ) -> Result<(), SizeError> {
        if range.is_empty() {
            return Ok(());
        }
        // Thread t is in team t * teams / threads, which makes the teams as even as can be.
        let team_of = |thread: usize| thread * teams / threads.count();
        let members = |team| (0..threads.count()).filter(|&thread| team_of(thread) == team).count();
        let crew: Vec<Team> = (0..teams).map(|team| Team::new(members(team))).collect();
        let turns: Vec<Vec<Turn>> = (0..teams).map(|team| self.turns(members(team), &state.layout)).collect();
        let arenas = shared(&mut scratch.arenas);
        let workspaces = shared(&mut scratch.workspaces);
        let left = Shared::new(state.rows.first_mut().map_or(&mut [], Buffer::as_mut_slice));
        let (layout, zeros) = (&state.layout, state.zeros.as_slice());
        let next = AtomicUsize::new(range.start);
        let failure = Mutex::new(None);
        threads.run(|thread| {
            let before = (0..thread).filter(|&other| team_of(other) == team_of(thread)).count();
            let team = &crew[team_of(thread)].join(before);
            let arena = arenas[team_of(thread)];
            let block = workspaces[thread].part(0..self.block_len);
            let band = workspaces[thread].part(self.block_len..self.block_len + self.band_len);
            let turns = &turns[team_of(thread)][..];
            let at = At { layout, turns, zeros, arena, block, band, failure: &failure };
            loop {
                let image = team.meet_and(|| next.fetch_add(1, Ordering::Relaxed));
                if image >= range.end {
                    break;
                }
                self.image(images, image, team, &at, left);
            }
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(reason) => Err(SizeError::Elsewhere { reason }),
            None => Ok(()),
        }
    }

    /// One thread's part of one image.
    fn image(&self, images: &Images<'_>, image: usize, team: &Member<'_>, at: &At<'_>, left: Shared<'_>) {
        self.write_pixels(images, image, team, at);
        for turn in at.turns {
            team.meet();
            match *turn {
                Turn::Step(index) => self.step(index, team, at),
                Turn::Chain(chain) => self.chain(chain, team, at),
            }
        }
        team.meet();
        let Tail { input, mean, .. } = self.tail;
        let width = self.tail.widths(self.channels_of(input))[0];
        let left = left.part(image * width..(image + 1) * width);
        if let Some((on_read, factor)) = mean {
            let is_summed = self.is_summed(input, at);
            return self.average(team, at, (input, on_read, is_summed), (factor, Epilogue::default()), left);
        }
        for _ in team.items(1) {
            // SAFETY: the team has met since the value was written, and writes none until it meets again. An image is one team's, whose
            // only item is taken once.
            unsafe { left.as_mut_slice().copy_from_slice(&at.value(input).as_slice()[..width]) };
        }
    }

    /// One thread's part of an image's pixels, which are value 0.
    fn write_pixels(&self, images: &Images<'_>, image: usize, team: &Member<'_>, at: &At<'_>) {
        let [height, width] = at.layout.size(0);
        let len = width * self.image_channels;
        for row in team.items(height) {
            let to = at.value(0).part(row * len..(row + 1) * len);
            // SAFETY: the team has met since anybody read the arena, and meets again before anybody does. Until then its members
            // write rows, each of which is taken once.
            images.write_row(image, row, unsafe { to.as_mut_slice() });
        }
    }

    /// One thread's part of a step.
    fn step(&self, index: usize, team: &Member<'_>, at: &At<'_>) {
        let step = &self.steps[index];
        let geometry = at.layout.geometry(index);
        let share = Share::of(step, step.extent(&geometry), team.members(), self.isa);
        if let StepKind::Move(moved) = &step.kind
            && moved.reads(step.input).any(|read| among::is_there(read, index + 1, &self.among))
        {
            return self.put_beside(index, (moved, share), team, at);
        }
        // SAFETY: the team has met since the input was written. Until it meets again its members write this step's value alone,
        // which overlaps no value that the step reads (`ArenaLayout`).
        let pixels = unsafe { at.value(step.input).as_slice() };
        let pixel = [self.channels_of(step.input), self.stride_of(step.input)];
        let map = MapView::among(pixels, pixel, geometry, at.zeros);
        // SAFETY: as for the input.
        let read = |value| unsafe { at.value(value).as_slice() };
        let epilogue = Epilogue::of(step.epilogue.iter().map(|finish| finish.with(read)));
        if let StepKind::Call(call) = &step.kind {
            return self.call(call, index + 1, team, at);
        }
        if let StepKind::Average(on_read) = step.kind {
            let left = at.value(index + 1).part(0..step.channels);
            let is_summed = step.input == index && self.is_summed(index, at);
            return self.average(team, at, (step.input, on_read, is_summed), (1.0, epilogue), left);
        }
        // SAFETY: until the team meets again, nobody reads the value. Of two items either the pixels or the units, and with these
        // the channels, are others, and each item is taken once.
        let output =
            unsafe { Output::among(at.value(index + 1), [step.channels, self.stride_of(index + 1)]) };
        let other = match (&step.kind, step.gate()) {
            (&StepKind::Product { other: (value, _), .. }, _) | (_, Some(value)) => read(value),
            _ => &[],
        };
        for item in team.items(share.items()) {
            let (pixels, units) = share.item(item);
            let next = if item + 1 < share.items() { share.item(item + 1).0 } else { 0..0 };
            let next = step.pixels(&geometry, next);
            // SAFETY: the block is this thread's alone, and no item before this one uses it any more.
            let block = unsafe { at.block.as_mut_slice() };
            if let StepKind::Move(_) | StepKind::Gathered(_) | StepKind::Known { .. } = step.kind {
                let channels = step.channels;
                let elements = pixels.start * channels..pixels.end * channels;
                // SAFETY: as for the output: of two items, the pixels are others.
                let to = unsafe { at.value(index + 1).part(elements.clone()).as_mut_slice() };
                match &step.kind {
                    StepKind::Gathered(gathered) => gathered.copy(read, pixels.clone(), (channels, to)),
                    StepKind::Known { values, .. } => to.copy_from_slice(&values.as_slice()[elements]),
                    StepKind::Move(moved) => {
                        let read = |value| Some((read(value), self.channels_of(value)));
                        moved.copy(step.input, read, &geometry, pixels.clone(), (channels, to));
                    }
                    _ => {}
                }
            }
            let part = Part { map, other, epilogue, pixels, units, output, block, ahead: map.read_by(next) };
            self.isa.run(Item { kind: &step.kind, part });
        }
    }

    /// One thread's part of a step that puts maps beside each other, some of which are there already.
    fn put_beside(&self, index: usize, (moved, share): (&Move, Share), team: &Member<'_>, at: &At<'_>) {
        let step = &self.steps[index];
        let read = |value| {
            let is_there = among::is_there(value, index + 1, &self.among);
            // SAFETY: as for the input of a step; what lies among the channels that are written is not read.
            (!is_there).then(|| (unsafe { at.value(value).as_slice() }, self.channels_of(value)))
        };
        for item in team.items(share.items()) {
            let (pixels, _) = share.item(item);
            let to = at.value(index + 1).part(pixels.start * step.channels..pixels.end * step.channels);
            // SAFETY: as for the output of a step: of two items, the pixels are others.
            let to = unsafe { to.as_mut_slice() };
            moved.copy(step.input, read, &at.layout.geometry(index), pixels, (step.channels, to));
        }
    }

    /// The call of a part, which puts out `value`: one thread's work, for which the others wait. Where the part gives up, the image goes
    /// on with whatever is there, so that the team stays together, and its logits are not given.
    fn call(&self, call: &Call, value: usize, team: &Member<'_>, at: &At<'_>) {
        for _ in team.items(1) {
            // SAFETY: as for the input of a step, and for its output: the only item is taken once.
            let (read, to) = unsafe {
                let read = |value| (at.value(value).as_slice(), self.channels_of(value));
                (read, at.value(value).as_mut_slice())
            };
            if let Err(reason) = call.run(read, to) {
                at.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
            }
        }
    }

    /// Elements from one pixel of a value to the next.
    fn stride_of(&self, value: usize) -> usize {
        self.channels_of(self.among[value].map_or(value, |among| among.of))
    }

    fn channels_of(&self, value: usize) -> usize {
        match value {
            0 => self.image_channels,
            _ => self.steps[value - 1].channels,
        }
    }
}

/// A thread's view of the image it works on.
struct At<'a> {
    layout: &'a ArenaLayout,
    /// The team's.
    turns: &'a [Turn],
    /// A pixel of the widest map.
    zeros: &'a [f32],
    /// The team's.
    arena: Shared<'a>,
    /// This thread's alone.
    block: Shared<'a>,
    /// As the block, of programs that compute maps by bands.
    band: Shared<'a>,
    /// Why a part that is computed elsewhere was not, of any image.
    failure: &'a Mutex<Option<String>>,
}

impl<'a> At<'a> {
    /// Where the value lies.
    fn value(&self, value: usize) -> Shared<'a> {
        self.arena.part(self.layout.place(value))
    }

    /// Where the sums of lines lie.
    fn sums(&self) -> Shared<'a> {
        self.arena.part(self.layout.sums())
    }
}
