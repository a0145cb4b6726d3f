//! Winograd's algorithm for convolutions of 3x3 taps that lie next to each other, a stride of one: four results of a channel take 16
//! products, and not 36.
//!
//! A *patch* is 2x2 output pixels and the 4x4 pixels that they are computed from. Patches and kernels are taken to where a convolution
//! is a product of each of 16 *places*: `A'((G k G') * (B' d B))A` of "Fast Algorithms for Convolutional Neural Networks" (Lavin and
//! Gray, 2015), F(2x2, 3x3). So of each place the patches are rows of a multiplication, whose weights are packed at load. A block of
//! patches stays in the second-level cache from the map to the result, so that nothing goes to memory for it.
//!
//! The transforms add and subtract, two summands in each direction: sums are rounded a little more often than by the definition, relative
//! to the largest element of a patch. What is not a number reaches all four pixels of a patch.

use std::ops::Range;

use graph::{Geometry, Window};
use memory::NoMemory;

use super::kernel::{Multiply, Place};
use super::packed::{Packed, Unit};
use super::strassen::ProductPlan;
use super::tiles::{BLOCK_WORDS, Tiles};
use crate::activation::OnRead;
use crate::buffer::{Shared, padded};
use crate::epilogue::Epilogue;
use crate::isa::{Facts, Isa};
use crate::map::{Ahead, MapView, Output};
use crate::pool;
use crate::rows::check_room;
use crate::simd::{BLOCK, Simd};

/// Products of a channel that a patch takes.
const PLACES: usize = 16;

/// Words that the products of a panel may take, of all patches of a block.
const PRODUCT_WORDS: usize = 32 * 1024;

/// Channels, in and out, from which on the products that are saved outweigh the transforms.
const FEWEST_CHANNELS: usize = 16;

/// `G`, by which a kernel's taps are taken to places.
const TAPS_TO_PLACES: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

/// A convolution's weights at each place.
#[derive(Debug)]
pub(crate) struct Winograd {
    pub(crate) on_read: OnRead,
    /// Channels that a set reads, whole blocks but for the last.
    channels: usize,
    /// Of each set of groups; one of a convolution over all channels. Rows are the channels at the first place, those at the second, and so
    /// on.
    sets: Vec<Packed>,
}

/// Some patches of a map and some of the [`Winograd::units`].
pub(crate) struct Patches<'a> {
    pub(crate) map: MapView<'a>,
    pub(crate) epilogue: &'a Epilogue<'a>,
    pub(crate) patches: Range<usize>,
    pub(crate) units: Range<usize>,
    pub(crate) output: Output<'a>,
    /// Room for what [`Winograd::room`] says.
    pub(crate) block: &'a mut [f32],
    pub(crate) ahead: Ahead<'a>,
}

/// Columns of patches of a map.
fn columns(geometry: &Geometry) -> usize {
    geometry.output[1].div_ceil(2)
}

/// Patches of a map, row after row of them.
pub(crate) fn patches(geometry: &Geometry) -> usize {
    geometry.output[0].div_ceil(2) * columns(geometry)
}

/// The output pixels of the rows that `patches` lie in.
pub(crate) fn pixels(geometry: &Geometry, patches: Range<usize>) -> Range<usize> {
    if patches.is_empty() {
        return 0..0;
    }
    let [height, width] = geometry.output;
    let (first, last) = (patches.start / columns(geometry), (patches.end - 1) / columns(geometry));
    2 * first * width..(2 * last + 2).min(height) * width
}

impl Winograd {
    /// Whether a convolution is computed so whose sets read `from` channels and put out `to`: multiplicands are not rounded to bf16.
    pub(crate) fn pays(isa: Isa, window: &Window, [from, to]: [usize; 2]) -> bool {
        let Window { kernel, stride, dilation, .. } = *window;
        !isa.rounds_to_bf16()
            && (kernel, stride, dilation) == ([3; 2], [1; 2], [1; 2])
            && from.min(to) >= FEWEST_CHANNELS
    }

    /// Of sets that read `channels` channels each, but for the last, as [`Winograd::pack`] gives them.
    pub(crate) fn new(on_read: OnRead, channels: usize, sets: Vec<Packed>) -> Self {
        Self { on_read, channels, sets }
    }

    /// The weights of `from` channels and to `to`, whose taps `of(output, input)` gives; none where no input is read.
    pub(crate) fn pack<'k>(
        isa: Isa,
        [from, to]: [usize; 2],
        of: impl Fn(usize, usize) -> Option<&'k [f32; 9]>,
    ) -> Result<Packed, NoMemory> {
        let mut places: Vec<[f32; PLACES]> = memory::room(from * to)?;
        for output in 0..to {
            places.extend((0..from).map(|input| of(output, input).map_or([0.0; PLACES], at_places)));
        }
        let stride = padded(from);
        let places = &places[..];
        Packed::plain(isa, PLACES * stride, to, |input| {
            let (place, channel) = (input / stride, input % stride);
            move |output| if channel < from { places[output * from + channel][place] } else { 0.0 }
        })
    }

    /// The packed weights.
    pub(crate) fn sets(&self) -> &[Packed] {
        &self.sets
    }

    /// What of the channels threads may share: the panels of the only set, or sets.
    pub(crate) fn units(&self) -> usize {
        match &self.sets[..] {
            [one] => one.units(),
            sets => sets.len(),
        }
    }

    /// Blocks of a patch at all places, of the largest set.
    fn blocks(&self) -> usize {
        self.sets.iter().map(|weights| weights.depth_blocks).max().unwrap_or(0)
    }

    /// Patches of the largest block.
    pub(crate) fn most_patches(&self, isa: Isa) -> usize {
        let Facts { tile_rows, panel_channels, .. } = isa.facts();
        let by_patches = 2 * BLOCK_WORDS / (self.blocks() * BLOCK).max(1);
        let most = by_patches.min(PRODUCT_WORDS / (PLACES * panel_channels)).max(tile_rows);
        if most < 2 * tile_rows { most } else { most / tile_rows * tile_rows }
    }

    /// Words that a thread needs for a block of patches, and for the products of one panel of it.
    pub(crate) fn room(&self, isa: Isa) -> usize {
        let a_patch = self.blocks() * BLOCK + PLACES * isa.facts().panel_channels;
        self.most_patches(isa) * a_patch
    }

    /// Computes the pixels of some patches, of the channels of some units.
    ///
    /// # Panics
    /// Where the map has other channels or another window, or output, epilogue or room are smaller than what is computed.
    #[inline(always)]
    pub(crate) fn run<S: Simd>(&self, simd: S, mut part: Patches<'_>) {
        let geometry = *part.map.geometry();
        assert_eq!((geometry.kernel, geometry.stride, geometry.dilation), ([3; 2], [1; 2], [1; 2]));
        assert!(part.patches.end <= patches(&geometry), "patches to {}", part.patches.end);
        if let [weights] = &self.sets[..] {
            let panels = part.units.clone();
            return self.set(simd, part.map, (weights, panels), 0, &mut part);
        }
        let whole = part.map;
        let of_set = self.sets.first().map_or(0, |weights| weights.channels);
        for set in part.units.clone() {
            let channels = self.channels.min(whole.channels() - set * self.channels);
            let map = whole.some_channels(set * self.channels, channels);
            let weights = &self.sets[set];
            self.set(simd, map, (weights, 0..weights.units()), set * of_set, &mut part);
        }
    }

    /// [`Winograd::run`] of some panels of a set, whose first output channel is `first_channel` and whose channels `map` has.
    #[inline(always)]
    fn set<S: Simd>(
        &self,
        simd: S,
        map: MapView<'_>,
        (weights, panels): (&Packed, Range<usize>),
        first_channel: usize,
        part: &mut Patches<'_>,
    ) {
        let Patches { epilogue, ref patches, output, ref mut block, ahead, .. } = *part;
        let geometry = *map.geometry();
        assert_eq!(PLACES * map.channels(), weights.depth_blocks * BLOCK, "words of a patch");
        assert!(first_channel + weights.channels <= output.channels(), "{} channels", weights.channels);
        let tiles = Tiles::new(patches.len(), S::MR, 1);
        let (multiplicands, products) = block.split_at_mut(patches.len() * PLACES * map.channels());
        take_to_places(simd, map, self.on_read, patches.start, tiles, multiplicands);
        let row_words = PLACES * map.channels();
        let depth = map.channels();
        let parts = panels.len() * PLACES * tiles.count();
        let mut part = 0;
        for panel in panels {
            let Unit::Panel { channel, width, weights, .. } = weights.unit(panel) else {
                unreachable!("they are packed plainly")
            };
            let products = &mut products[..PLACES * patches.len() * width];
            // SAFETY: nobody else has the room, of which each multiplication below writes rows of its own.
            let to = unsafe { Output::new(Shared::new(products), width) };
            for place in 0..PLACES {
                let b = &weights[place * depth * width..(place + 1) * depth * width];
                for index in 0..tiles.count() {
                    ahead.prefetch(simd, part, parts);
                    part += 1;
                    let tile = tiles.tile(index);
                    let at = tile.start * row_words + place * depth * tile.slots;
                    simd.vectorize(&mut Multiply {
                        height: tile.rows,
                        vectors: width / S::LANES,
                        a: &multiplicands[at..],
                        stride: tile.slots * BLOCK,
                        b,
                        depth,
                        run: depth,
                        next: b.as_ptr().wrapping_add(depth * width + index * depth * BLOCK),
                        plan: &ProductPlan::PLAIN,
                        results: &mut [],
                        epilogue: &Epilogue::default(),
                        place: Place::of(to, place * patches.len(), tile, 0, tile.rows, 0),
                    });
                }
            }
            let channel = first_channel + channel;
            let made = Made { products, width, channel, patches: patches.clone() };
            made.take_back(simd, &geometry, epilogue, output);
        }
    }
}

/// What a kernel of 3x3 taps is at each place.
fn at_places(taps: &[f32; 9]) -> [f32; PLACES] {
    std::array::from_fn(|place| {
        let [down, right] = [place / 4, place % 4].map(|along| TAPS_TO_PLACES[along]);
        let row = |y: usize| -> f64 { (0..3).map(|x| right[x] * f64::from(taps[3 * y + x])).sum() };
        (0..3).map(|y| down[y] * row(y)).sum::<f64>() as f32
    })
}

/// `B'`, by which four pixels in a line are taken to places.
#[inline(always)]
fn pixels_to_places<S: Simd>(simd: S, [a, b, c, d]: [S::V; 4]) -> [S::V; 4] {
    [simd.sub(a, c), simd.add(b, c), simd.sub(c, b), simd.sub(b, d)]
}

/// `A'`, by which the products of four places in a line become two results.
#[inline(always)]
fn places_to_pixels<S: Simd>(simd: S, [a, b, c, d]: [S::V; 4]) -> [S::V; 2] {
    [simd.add(simd.add(a, b), c), simd.sub(simd.sub(b, c), d)]
}

/// Lays the patches from `first` on out as multiplicands: blocks of channels at the first place, then at the second, and so on.
///
/// # Panics
/// Where channels are not padded to whole blocks, or `to` is too short.
#[inline(always)]
fn take_to_places<S: Simd>(
    simd: S,
    map: MapView<'_>,
    on_read: OnRead,
    first: usize,
    tiles: Tiles,
    to: &mut [f32],
) {
    assert!(S::WORDS == BLOCK, "a word an element");
    let channels = map.channels();
    assert!(channels.is_multiple_of(BLOCK), "{channels} channels");
    check_room::<S>(to, tiles, PLACES * channels / BLOCK);
    let columns = columns(map.geometry());
    for tile in 0..tiles.count() {
        let tile = tiles.tile(tile);
        // From one place to the next.
        let stride = tile.slots * channels;
        for row in 0..tile.rows {
            let patch = first + tile.start + row;
            let (oy, ox) = (patch / columns * 2, patch % columns * 2);
            let taps: [[*const f32; 4]; 4] =
                std::array::from_fn(|ky| std::array::from_fn(|kx| map.tap(oy, ox, ky, kx)));
            let begin = tile.start * PLACES * channels + row * BLOCK;
            for channel in (0..channels).step_by(S::LANES) {
                let mut lines = [[simd.splat(0.0); 4]; 4];
                for kx in 0..4 {
                    let mut line = [simd.splat(0.0); 4];
                    for ky in 0..4 {
                        // SAFETY: a tap is valid for all channels, whose number `LANES` divides.
                        line[ky] = on_read.apply(simd, unsafe { simd.load(taps[ky][kx].add(channel)) });
                    }
                    let line = pixels_to_places(simd, line);
                    for ky in 0..4 {
                        lines[ky][kx] = line[ky];
                    }
                }
                let at = begin + channel / BLOCK * tile.slots * BLOCK + channel % BLOCK;
                for (ky, &line) in lines.iter().enumerate() {
                    let line = pixels_to_places(simd, line);
                    for (kx, &x) in line.iter().enumerate() {
                        // SAFETY: element `channel % BLOCK` of the block of one of the tile's rows, at one of 16 places of `stride` words:
                        // there is room for all of them.
                        unsafe { simd.store(to.as_mut_ptr().add(at + (4 * ky + kx) * stride), x) };
                    }
                }
            }
        }
    }
}

/// The products of a panel: of each place a row a patch.
struct Made<'a> {
    products: &'a [f32],
    /// Channels of the panel.
    width: usize,
    /// The first of them.
    channel: usize,
    patches: Range<usize>,
}

impl Made<'_> {
    /// Stores the pixels that the products are of.
    ///
    /// # Panics
    /// Where the output or the epilogue has fewer pixels than `geometry` says, or fewer channels.
    #[inline(always)]
    fn take_back<S: Simd>(&self, simd: S, geometry: &Geometry, epilogue: &Epilogue<'_>, output: Output<'_>) {
        let Self { products, width, channel, ref patches } = *self;
        let [height, row] = geometry.output;
        let (columns, channels) = (columns(geometry), output.channels());
        output.check(&(0..geometry.pixels()), epilogue);
        assert!(PLACES * patches.len() * width <= products.len() && channel + width <= channels);
        // A function is called once for all channels of a pixel, and not once a vector.
        let (before, then) = epilogue.before_unary();
        let has_function = then.operations().next().is_some();
        for (index, patch) in patches.clone().enumerate() {
            let (oy, ox) = (patch / columns * 2, patch % columns * 2);
            let there = [(height - oy).min(2), (row - ox).min(2)];
            for vector in (0..width).step_by(S::LANES) {
                // Of each place to the right, the two results down.
                let mut down = [[simd.splat(0.0); 2]; 4];
                for (kx, down) in down.iter_mut().enumerate() {
                    let mut line = [simd.splat(0.0); 4];
                    for (ky, line) in line.iter_mut().enumerate() {
                        let at = ((4 * ky + kx) * patches.len() + index) * width + vector;
                        // SAFETY: a vector of one of `patches.len()` rows of `width` channels at one of 16 places, all of which are there.
                        *line = unsafe { simd.load(products.as_ptr().add(at)) };
                    }
                    *down = places_to_pixels(simd, line);
                }
                let [a, b, c, d] = down;
                let lines = [[a[0], b[0], c[0], d[0]], [a[1], b[1], c[1], d[1]]];
                for (y, &line) in lines.iter().enumerate().take(there[0]) {
                    let pair = places_to_pixels(simd, line);
                    for (x, &sum) in pair.iter().enumerate().take(there[1]) {
                        let begin = ((oy + y) * row + ox + x) * output.stride();
                        // SAFETY: the pixel is one of the output and the vector one of its channels, for all of which output and epilogue
                        // were checked; they are the caller's, says `Output::new`.
                        unsafe {
                            let sum = before.finish_in_registers(simd, sum, begin, channel + vector);
                            simd.store(output.as_mut_ptr().add(begin + channel + vector), sum);
                        }
                    }
                }
            }
            if has_function {
                for y in oy..oy + there[0] {
                    let first = y * row + ox;
                    let panel = channel..channel + width;
                    pool::finish_channels(simd, &then, first..first + there[1], panel, output);
                }
            }
        }
    }
}
