//! Draws a data set of the validation set's shape, for trying everything at its full size where the photographs are not at
//! hand (`tools/full-size.sh`): files named `ILSVRC2012_val_NNNNNNNN.JPEG`, most of 500x375 pixels, some upright, some grey, a few
//! large. Every file is another part of one of a few drawn pictures, in other colours, and says its number in a comment, so that no
//! two are the same. Which bytes a file has follows from its number and the encoder's version alone.
//!
//! ```sh
//! cargo run --release -p dataset --example drawn_set -- FOLDER [COUNT]
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mozjpeg::{ColorSpace, Compress, Marker};

/// Images of the validation set.
const VAL_IMAGES: usize = 50_000;

/// Different pictures that the files are parts of.
const CANVASES: u64 = 8;

/// Pixels of a picture's sides. A larger file shows it reflected at its edges.
const CANVAS: (usize, usize) = (1280, 1024);

/// How many of 100 files have which width and height; the others have a height of their own.
const SIZES: [(u64, (usize, usize)); 6] =
    [(54, (500, 375)), (17, (500, 333)), (13, (375, 500)), (5, (333, 500)), (3, (640, 480)), (2, (256, 256))];

/// One file of so many is as large as a camera makes it.
const LARGE_EVERY: u64 = 2_500;
const LARGE: (usize, usize) = (2592, 1944);

/// One file of so many is grey.
const GREY_EVERY: u64 = 60;

/// Files have a quality from the first on, one of so many.
const QUALITIES: (u64, u64) = (86, 9);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, count) = match &arguments[..] {
        [folder] => (PathBuf::from(folder), VAL_IMAGES),
        [folder, count] => (PathBuf::from(folder), count.parse()?),
        _ => return Err("usage: drawn_set FOLDER [COUNT]".into()),
    };
    if !(1..=VAL_IMAGES).contains(&count) {
        return Err(format!("COUNT is {count}, and has to be from 1 to {VAL_IMAGES}").into());
    }
    std::fs::create_dir_all(&folder)?;
    let canvases: Vec<Canvas> = (0..CANVASES).map(Canvas::draw).collect();
    let next = AtomicUsize::new(1);
    let write_all = || -> Result<(), String> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number > count {
                return Ok(());
            }
            write(&folder, number, &canvases).map_err(|error| format!("image {number}: {error}"))?;
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(write_all)).collect();
        started.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| Err("a thread panicked".into())))
    })?;
    Ok(())
}

/// A file of the data set.
fn write(folder: &Path, number: usize, canvases: &[Canvas]) -> Result<(), Box<dyn Error>> {
    let mut random = Random(number as u64);
    let canvas = &canvases[random.below(CANVASES) as usize];
    let (width, height) = size(number as u64, &mut random);
    let is_grey = random.below(GREY_EVERY) == 0;
    let quality = QUALITIES.0 + random.below(QUALITIES.1);
    let pixels = canvas.part((width, height), is_grey, &mut random);
    let space = if is_grey { ColorSpace::JCS_GRAYSCALE } else { ColorSpace::JCS_RGB };
    let mut encoder = Compress::new(space);
    // Without it a file takes ten times as long, and is progressive, as next to none of the validation set's are.
    encoder.set_fastest_defaults();
    encoder.set_size(width, height);
    encoder.set_quality(quality as f32);
    let mut started = encoder.start_compress(Vec::new())?;
    started.write_marker(Marker::COM, format!("drawn {number}").as_bytes());
    started.write_scanlines(&pixels)?;
    let file = folder.join(format!("ILSVRC2012_val_{number:08}.JPEG"));
    Ok(std::fs::write(file, started.finish()?)?)
}

/// Width and height of the file with this number.
fn size(number: u64, random: &mut Random) -> (usize, usize) {
    if number.is_multiple_of(LARGE_EVERY) {
        return LARGE;
    }
    let mut at = random.below(100);
    for (share, size) in SIZES {
        if at < share {
            return size;
        }
        at -= share;
    }
    (500, 250 + random.below(250) as usize)
}

/// A picture that others are parts of: brightness with the spectrum of a photograph, edges and grain, and smoother colours.
struct Canvas {
    luma: Vec<u8>,
    /// Differences from grey, red and blue.
    chroma: [Vec<i8>; 2],
}

impl Canvas {
    fn draw(seed: u64) -> Self {
        let mut random = Random(seed << 32);
        let smooth = octaves(&mut random, 256, 4, 0.55);
        let patches = patches(&mut random);
        let grain = Self::pixels().map(|_| random.below(65) as f32 - 32.0);
        let grain: Vec<f32> = grain.collect();
        // Grain and fine structure are not everywhere: photographs have skies and blurred backgrounds.
        let blurred = octaves(&mut random, 256, 64, 0.5);
        let luma = Self::pixels().map(|at| {
            let sharpness = (blurred[at] * 0.02 + 0.6).clamp(0.06, 1.0);
            let value =
                120.0 + patches[at] * 0.6 + smooth[at] * (0.35 + 0.65 * sharpness) + grain[at] * sharpness;
            value.clamp(0.0, 255.0) as u8
        });
        let luma = luma.collect();
        let chroma = std::array::from_fn(|_| {
            let colour = octaves(&mut random, 256, 16, 0.5);
            colour.iter().map(|value| (value * 0.5).clamp(-60.0, 60.0) as i8).collect()
        });
        Self { luma, chroma }
    }

    fn pixels() -> std::ops::Range<usize> {
        0..CANVAS.0 * CANVAS.1
    }

    /// A part of a size from a random place on, in RGB or grey, lighter or darker and in other colours.
    fn part(&self, size: (usize, usize), is_grey: bool, random: &mut Random) -> Vec<u8> {
        let (left, top) = (random.below(CANVAS.0 as u64) as usize, random.below(CANVAS.1 as u64) as usize);
        let is_mirrored = random.below(2) == 1;
        let gain = 160 + random.below(160) as i32;
        let offset = random.below(96) as i32 - 48;
        let tints: [i32; 2] = std::array::from_fn(|_| random.below(512) as i32 - 256);
        let casts: [i32; 2] = std::array::from_fn(|_| random.below(48) as i32 - 24);
        let mut pixels = Vec::with_capacity(size.0 * size.1 * 3);
        for y in 0..size.1 {
            let row = reflected(top + y, CANVAS.1) * CANVAS.0;
            for x in 0..size.0 {
                let x = if is_mirrored { size.0 - 1 - x } else { x };
                let at = row + reflected(left + x, CANVAS.0);
                let luma = (i32::from(self.luma[at]) - 128) * gain / 256 + 128 + offset;
                if is_grey {
                    pixels.push(luma.clamp(0, 255) as u8);
                    continue;
                }
                let colour = |of: usize| i32::from(self.chroma[of][at]) * tints[of] / 256 + casts[of];
                let (red, blue) = (colour(0), colour(1));
                let green = -(red + blue) / 2;
                pixels.extend([red, green, blue].map(|colour| (luma + colour).clamp(0, 255) as u8));
            }
        }
        pixels
    }
}

/// Where a pixel beyond the edge of a picture of so many pixels lies in it.
fn reflected(at: usize, pixels: usize) -> usize {
    let at = at % (2 * pixels);
    if at < pixels { at } else { 2 * pixels - 1 - at }
}

/// Smooth noise of several scales, from a lattice of `coarsest` pixels to one of `finest`, each so much weaker than the one before.
fn octaves(random: &mut Random, coarsest: usize, finest: usize, weaker: f32) -> Vec<f32> {
    let mut sum = vec![0.0; CANVAS.0 * CANVAS.1];
    let (mut cell, mut strength) = (coarsest, 60.0);
    while cell >= finest {
        let across = CANVAS.0 / cell + 2;
        let lattice: Vec<f32> =
            (0..across * (CANVAS.1 / cell + 2)).map(|_| random.below(2001) as f32 / 1000.0 - 1.0).collect();
        for (at, sum) in sum.iter_mut().enumerate() {
            let (x, y) = (at % CANVAS.0, at / CANVAS.0);
            let (right, down) = ((x % cell) as f32 / cell as f32, (y % cell) as f32 / cell as f32);
            let corner = y / cell * across + x / cell;
            let above = lattice[corner] * (1.0 - right) + lattice[corner + 1] * right;
            let below = lattice[corner + across] * (1.0 - right) + lattice[corner + across + 1] * right;
            *sum += strength * (above * (1.0 - down) + below * down);
        }
        (cell, strength) = (cell / 2, strength * weaker);
    }
    sum
}

/// Discs with sharp edges over one another, each of one brightness.
fn patches(random: &mut Random) -> Vec<f32> {
    let mut patches = vec![0.0; CANVAS.0 * CANVAS.1];
    for _ in 0..160 {
        let (x, y) = (random.below(CANVAS.0 as u64) as i64, random.below(CANVAS.1 as u64) as i64);
        let radius = 8 + random.below(120) as i64;
        let brightness = random.below(181) as f32 - 90.0;
        for row in (y - radius).max(0)..(y + radius).min(CANVAS.1 as i64) {
            for column in (x - radius).max(0)..(x + radius).min(CANVAS.0 as i64) {
                if (row - y).pow(2) + (column - x).pow(2) < radius.pow(2) {
                    patches[row as usize * CANVAS.0 + column as usize] = brightness;
                }
            }
        }
    }
    patches
}

/// SplitMix64: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
