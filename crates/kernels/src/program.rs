//! A network as the kernels run it: a list of steps, each of which reads feature maps and writes one.
//!
//! Inside, maps are NHWC with channels padded to whole blocks. Each image goes through all steps before
//! the next one begins, so that its maps stay in the cache; threads work on an image each where there are
//! enough, and share one otherwise. Buffers are kept from call to call.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::buffer::{Buffer, NoMemory};
use crate::epilogue::Epilogue;
use crate::image::Images;
use crate::isa::Isa;
use crate::map::{Ahead, MapView};
use crate::matmul::Packed;
use crate::shape::{SizeError, Window};
use crate::simd::BLOCK;
use crate::step::{Multiplication, Step, StepKind, StoredEpilogue};
use crate::threads::{Scratch, Team, Threads};

mod arena;
mod item;
mod share;

use arena::ArenaLayout;
use item::{Average, Item, Linear, Part};
use share::Share;

/// Global average pooling and the fully connected layer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) input: usize,
    pub(crate) relu: bool,
    pub(crate) factor: f32,
    /// Its rows are images.
    pub(crate) linear: Multiplication,
    pub(crate) bias: Buffer,
    pub(crate) classes: usize,
}

/// A network, its weights packed for one instruction set.
#[derive(Debug)]
pub struct Program {
    isa: Isa,
    image_channels: usize,
    steps: Vec<Step>,
    head: Head,
    /// What the last call needed, for the next one.
    state: Mutex<Option<State>>,
}

/// Buffers for images of one size.
#[derive(Debug)]
struct State {
    layout: ArenaLayout,
    zeros: Buffer,
    features: Buffer,
    logits: Buffer,
}

/// A pointer that threads share; each writes elements of its own.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: every use is an access to elements that no other thread writes before the next meeting.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    fn get(self) -> *mut f32 {
        self.0
    }
}

fn shared(buffers: &mut [Buffer]) -> Vec<Shared> {
    buffers.iter_mut().map(|buffer| Shared(buffer.as_mut_ptr())).collect()
}

impl Program {
    pub(crate) fn new(isa: Isa, image_channels: usize, steps: Vec<Step>, head: Head) -> Self {
        Self { isa, image_channels, steps, head, state: Mutex::new(None) }
    }

    /// The instruction set its weights are packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.head.classes
    }

    /// Bytes of its packed matrices.
    pub fn weight_bytes(&self) -> usize {
        self.packed().map(Packed::bytes).sum()
    }

    /// The packed matrices.
    fn packed(&self) -> impl Iterator<Item = &Packed> {
        let of_steps = self.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Multiply(multiplication) => Some(multiplication),
            _ => None,
        });
        of_steps.chain([&self.head.linear]).map(|multiplication| &multiplication.weights)
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
            return Ok(Vec::new());
        }
        let mut scratch = threads.scratch();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = match &mut *state {
            Some(state) if state.layout.size(0) == images.size() => state,
            other => other.insert(self.state(self.layout(images.size())?)?),
        };
        // All threads take whole images as long as there is one for each; what remains they share.
        let alone = count - count % threads.count();
        self.make_room(state, &mut scratch, count, threads.count())?;
        self.pass(state, &mut scratch, images, 0..alone, threads, threads.count());
        self.pass(state, &mut scratch, images, alone..count, threads, count - alone);
        self.logits(state, &mut scratch, count, threads);
        let row = self.head.linear.weights.channels;
        let rows = state.logits.as_slice().chunks_exact(row).take(count);
        let mut logits = Vec::new();
        let len = count * self.head.classes;
        logits.try_reserve_exact(len).map_err(|_| NoMemory { bytes: len * size_of::<f32>() })?;
        rows.for_each(|row| logits.extend_from_slice(&row[..self.head.classes]));
        Ok(logits)
    }

    fn layout(&self, image: [usize; 2]) -> Result<ArenaLayout, SizeError> {
        ArenaLayout::new(image, self.image_channels, &self.steps, self.head.input)
    }

    fn state(&self, layout: ArenaLayout) -> Result<State, NoMemory> {
        let widths = self.steps.iter().map(|step| step.channels).chain([self.image_channels]);
        let widest = widths.max().unwrap_or(0);
        Ok(State {
            layout,
            zeros: Buffer::zeroed(widest)?,
            features: Buffer::default(),
            logits: Buffer::default(),
        })
    }

    fn make_room(
        &self,
        state: &mut State,
        scratch: &mut Scratch,
        images: usize,
        threads: usize,
    ) -> Result<(), NoMemory> {
        let block = self.packed().map(|weights| share::room(weights, self.isa)).max().unwrap_or(0);
        scratch.make_room((threads.min(images), state.layout.arena_len()), (threads, block))?;
        let Packed { depth_blocks, channels, .. } = self.head.linear.weights;
        for (buffer, width) in [(&mut state.features, depth_blocks * BLOCK), (&mut state.logits, channels)] {
            let len = images.checked_mul(width).ok_or(NoMemory { bytes: usize::MAX })?;
            if buffer.len() < len {
                *buffer = Buffer::zeroed(len)?;
            }
        }
        Ok(())
    }

    /// Takes `images` to their features with `teams` teams of threads.
    fn pass(
        &self,
        state: &mut State,
        scratch: &mut Scratch,
        images: &Images<'_>,
        range: Range<usize>,
        threads: &Threads,
        teams: usize,
    ) {
        if range.is_empty() {
            return;
        }
        // Thread t is in team t * teams / threads, which makes the teams as even as can be.
        let team_of = |thread: usize| thread * teams / threads.count();
        let members = |team| (0..threads.count()).filter(|&thread| team_of(thread) == team).count();
        let crew: Vec<Team> = (0..teams).map(|team| Team::new(members(team))).collect();
        let arenas = shared(&mut scratch.arenas);
        let blocks = shared(&mut scratch.blocks);
        let features = Shared(state.features.as_mut_ptr());
        let (layout, zeros) = (&state.layout, &state.zeros);
        let next = AtomicUsize::new(range.start);
        threads.run(|thread| {
            let team = &crew[team_of(thread)];
            let _member = team.join();
            let at = At { layout, zeros, arena: arenas[team_of(thread)], block: blocks[thread] };
            loop {
                let image = team.meet_and(|| next.fetch_add(1, Ordering::Relaxed));
                if image >= range.end {
                    break;
                }
                self.image(images, image, team, &at, features);
            }
        });
    }

    /// One thread's part of one image.
    fn image(&self, images: &Images<'_>, image: usize, team: &Team, at: &At<'_>, features: Shared) {
        self.write_pixels(images, image, team, at);
        for index in 0..self.steps.len() {
            team.meet();
            self.step(index, team, at);
        }
        team.meet();
        self.average(image, team, at, features);
    }

    /// One thread's part of an image's pixels, which are value 0.
    fn write_pixels(&self, images: &Images<'_>, image: usize, team: &Team, at: &At<'_>) {
        let [height, width] = at.layout.size(0);
        for row in team.items(height) {
            // SAFETY: the image's map has room for every row, and each row is taken once.
            unsafe { images.write_row(image, row, at.value(0).add(row * width * self.image_channels)) };
        }
    }

    /// One thread's part of a step.
    fn step(&self, index: usize, team: &Team, at: &At<'_>) {
        let step = &self.steps[index];
        let geometry = at.layout.geometry(index);
        let share = Share::of(step, geometry.pixels(), team.members(), self.isa);
        for item in team.items(share.items()) {
            let (pixels, units) = share.item(item);
            let next = item + team.members();
            let next = if next < share.items() { share.item(next).0 } else { 0..0 };
            let map = MapView {
                // SAFETY: the layout gives every value a place in the arena.
                data: unsafe { at.value(step.input) },
                channels: self.channels_of(step.input),
                geometry,
                zeros: at.zeros.as_ptr(),
            };
            // SAFETY: as above; items write different elements, and the places of what is read are
            // not given to others before they were read for the last time.
            unsafe {
                let epilogue = at.epilogue(&step.epilogue);
                let output = at.value(index + 1);
                let block = at.block.get();
                let ahead = map.read_by(next);
                let part = Part { map, epilogue, pixels, units, output, block, ahead };
                self.isa.run(Item { kind: &step.kind, part });
            }
        }
    }

    /// One thread's part of the mean over an image's pixels.
    fn average(&self, image: usize, team: &Team, at: &At<'_>, features: Shared) {
        let Head { input, relu, factor, .. } = self.head;
        let channels = self.channels_of(input);
        let [rows, columns] = at.layout.size(input);
        for item in team.items(channels.div_ceil(FEATURES)) {
            let first = item * FEATURES;
            // SAFETY: the layout gives every value a place in the arena, and `features` has room for every image;
            // items write different elements.
            unsafe {
                self.isa.run(Average {
                    data: at.value(input),
                    channels,
                    rows,
                    columns,
                    relu,
                    factor: factor / (rows * columns) as f32,
                    part: first..(first + FEATURES).min(channels),
                    output: features.get().add(image * channels),
                });
            }
        }
    }

    fn channels_of(&self, value: usize) -> usize {
        match value {
            0 => self.image_channels,
            _ => self.steps[value - 1].channels,
        }
    }

    /// The fully connected layer, all images at once: its weights are read once.
    fn logits(&self, state: &mut State, scratch: &mut Scratch, images: usize, threads: &Threads) {
        let weights = &self.head.linear.weights;
        let channels = weights.depth_blocks * BLOCK;
        let geometry = Window::PIXEL.on([images, 1]).expect("run has seen that there are images");
        let map = Shared(state.features.as_mut_ptr());
        let zeros = &state.zeros;
        let blocks = shared(&mut scratch.blocks);
        let output = Shared(state.logits.as_mut_ptr());
        let share = Share::by_units(weights, images, threads.count(), self.isa);
        let team = Team::new(threads.count());
        threads.run(|thread| {
            for item in team.items(share.items()) {
                let (pixels, units) = share.item(item);
                let map = MapView { data: map.get(), channels, geometry, zeros: zeros.as_ptr() };
                let epilogue = Epilogue::of_bias(self.head.bias.as_ptr());
                let (output, block, ahead) = (output.get(), blocks[thread].get(), Ahead::NOTHING);
                let part = Part { map, epilogue, pixels, units, output, block, ahead };
                // SAFETY: the buffers were made for so many images; items write different elements.
                unsafe { self.isa.run(Linear { linear: &self.head.linear, part }) };
            }
        });
    }
}

/// Channels of an item of average pooling.
const FEATURES: usize = 8 * BLOCK;

/// A thread's view of the image it works on.
struct At<'a> {
    layout: &'a ArenaLayout,
    zeros: &'a Buffer,
    arena: Shared,
    block: Shared,
}

impl At<'_> {
    /// Where the value lies.
    unsafe fn value(&self, value: usize) -> *mut f32 {
        // SAFETY: the arena was made for the layout.
        unsafe { self.arena.get().add(self.layout.offset(value)) }
    }

    unsafe fn epilogue(&self, stored: &StoredEpilogue) -> Epilogue {
        let pointer = |buffer: Option<&Buffer>| buffer.map_or(std::ptr::null(), Buffer::as_ptr);
        Epilogue {
            bias: pointer(stored.bias.as_ref()),
            // SAFETY: the residual is a value of the layout.
            residual: stored.residual.map_or(std::ptr::null(), |value| unsafe { self.value(value) }),
            scale: pointer(stored.affine.as_ref().map(|[scale, _]| scale)),
            shift: pointer(stored.affine.as_ref().map(|[_, shift]| shift)),
            relu: stored.relu,
        }
    }
}
