//! From the planes of a YCbCr JPEG to RGB: libjpeg's fancy upsampling (`h2v1_fancy_upsample` and
//! `h2v2_fancy_upsample` of `jdsample.c`) and its colour conversion (`ycc_rgb_convert` of `jdcolor.c`),
//! in the same integers, but in loops that the compiler vectorises. Done here because libjpeg's plain
//! C takes a third of the decoding time for it.

use mozjpeg::{ColorSpace, CompInfo};
use pulp::{Arch, NullaryFnOnce};

/// How often a colour plane is smaller than the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subsampling {
    /// 4:4:4, not at all.
    None,
    /// 4:2:2, half as wide.
    Wide,
    /// 4:2:0, half as wide and half as high.
    Both,
}

impl Subsampling {
    /// Of an image that is `width` pixels wide. `None` for what is left to libjpeg: rarer ratios, other
    /// colour spaces, and images so narrow that it does not interpolate.
    pub(super) fn of(components: &[CompInfo], colour: ColorSpace, width: usize) -> Option<Self> {
        let [luma, blue, red] = components else { return None };
        let factors = |plane: &CompInfo| (plane.h_samp_factor, plane.v_samp_factor);
        if colour != ColorSpace::JCS_YCbCr || factors(blue) != (1, 1) || factors(red) != (1, 1) {
            return None;
        }
        match factors(luma) {
            (1, 1) => Some(Self::None),
            (2, 1) if width.div_ceil(2) > 2 => Some(Self::Wide),
            (2, 2) if width.div_ceil(2) > 2 => Some(Self::Both),
            _ => None,
        }
    }

    /// Pixels of the image, across and down, for each sample of a colour plane.
    fn factors(self) -> (usize, usize) {
        match self {
            Self::None => (1, 1),
            Self::Wide => (2, 1),
            Self::Both => (2, 2),
        }
    }
}

/// The components as libjpeg decodes them, before upsampling.
pub(super) struct Planes {
    /// Luma, blue difference and red difference.
    planes: [Plane; 3],
    subsampling: Subsampling,
}

struct Plane {
    /// Samples in a row that are part of the image.
    width: usize,
    /// Rows that are part of the image.
    height: usize,
    /// Samples from one row to the next: whole blocks.
    stride: usize,
    samples: Vec<u8>,
}

impl Planes {
    /// Without samples yet, but room for them, for an image of `width` x `height` pixels.
    pub(super) fn new(width: usize, height: usize, subsampling: Subsampling) -> Self {
        /// Samples in a row and rows of a block.
        const BLOCK: usize = 8;
        let (across, down) = subsampling.factors();
        let block_rows = height.div_ceil(BLOCK * down);
        let plane = |width: usize, height, block_rows| {
            let stride = width.next_multiple_of(BLOCK);
            let samples = Vec::with_capacity(stride * block_rows * BLOCK);
            Plane { width, height, stride, samples }
        };
        let colour = || plane(width.div_ceil(across), height.div_ceil(down), block_rows);
        Self { planes: [plane(width, height, block_rows * down), colour(), colour()], subsampling }
    }

    /// To be filled with samples, whole rows of blocks.
    pub(super) fn samples_mut(&mut self) -> [&mut Vec<u8>; 3] {
        self.planes.each_mut().map(|plane| &mut plane.samples)
    }

    /// The image, three bytes a pixel.
    pub(super) fn to_rgb(&self) -> Vec<u8> {
        let [luma, blue, red] = &self.planes;
        let mut rgb = Vec::with_capacity(luma.width * luma.height * 3);
        let subsampling = self.subsampling;
        Arch::new().dispatch(Conversion { luma, blue, red, subsampling, rgb: &mut rgb });
        rgb
    }
}

impl Plane {
    /// A row, or the first or last one where `y` lies beyond it.
    fn row(&self, y: isize) -> &[u8] {
        let y = y.clamp(0, self.height as isize - 1).unsigned_abs();
        &self.samples[y * self.stride..][..self.width]
    }
}

struct Conversion<'a> {
    luma: &'a Plane,
    blue: &'a Plane,
    red: &'a Plane,
    subsampling: Subsampling,
    rgb: &'a mut Vec<u8>,
}

impl NullaryFnOnce for Conversion<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { luma, blue, red, subsampling, rgb } = self;
        let mut pixels = vec![[0; 3]; luma.width];
        let mut wide = [vec![[0; 2]; blue.width], vec![[0; 2]; red.width]];
        let mut sums = vec![0; blue.width + 2];
        for y in 0..luma.height as isize {
            let [blue_row, red_row] = match subsampling {
                Subsampling::None => [blue.row(y), red.row(y)],
                Subsampling::Wide => {
                    for (plane, wide) in [blue, red].into_iter().zip(&mut wide) {
                        let (sums, row) = (&mut sums[..plane.width + 2], plane.row(y));
                        for (sum, &sample) in sums[1..].iter_mut().zip(row) {
                            *sum = u16::from(sample);
                        }
                        widen::<2, 1, 2>(sums, wide);
                    }
                    [wide[0].as_flattened(), wide[1].as_flattened()]
                }
                Subsampling::Both => {
                    let near = y / 2;
                    let far = if y % 2 == 0 { near - 1 } else { near + 1 };
                    for (plane, wide) in [blue, red].into_iter().zip(&mut wide) {
                        let sums = &mut sums[..plane.width + 2];
                        let rows = plane.row(near).iter().zip(plane.row(far));
                        for (sum, (&near, &far)) in sums[1..].iter_mut().zip(rows) {
                            *sum = 3 * u16::from(near) + u16::from(far);
                        }
                        widen::<4, 8, 7>(sums, wide);
                    }
                    [wide[0].as_flattened(), wide[1].as_flattened()]
                }
            };
            convert(luma.row(y), blue_row, red_row, &mut pixels);
            rgb.extend_from_slice(pixels.as_flattened());
        }
    }
}

/// Two samples for each of `sums` but its ends: 3/4 of it and 1/4 of the one before, or after. The
/// ends repeat their neighbours. The two biases, before and after, make a half round up and down by
/// turns, without a drift.
#[inline(always)]
fn widen<const SHIFT: u32, const BEFORE: u16, const AFTER: u16>(sums: &mut [u16], wide: &mut [[u8; 2]]) {
    let last = sums.len() - 1;
    sums[0] = sums[1];
    sums[last] = sums[last - 1];
    let (before, here, after) = (&sums[..last - 1], &sums[1..last], &sums[2..]);
    for (((pair, &here), &before), &after) in wide.iter_mut().zip(here).zip(before).zip(after) {
        *pair = [(3 * here + before + BEFORE) >> SHIFT, (3 * here + after + AFTER) >> SHIFT].map(|s| s as u8);
    }
}

/// A row of pixels.
#[inline(always)]
fn convert(luma: &[u8], blue: &[u8], red: &[u8], pixels: &mut [[u8; 3]]) {
    /// The coefficients have this many fraction bits.
    const BITS: u32 = 16;
    const HALF: i32 = 1 << (BITS - 1);
    const fn fixed(coefficient: f64) -> i32 {
        (coefficient * (1 << BITS) as f64 + 0.5) as i32
    }
    for (((pixel, &y), &cb), &cr) in pixels.iter_mut().zip(luma).zip(blue).zip(red) {
        let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
        let r = y + ((const { fixed(1.402) } * cr + HALF) >> BITS);
        let g = y + ((const { -fixed(0.344_14) } * cb - const { fixed(0.714_14) } * cr + HALF) >> BITS);
        let b = y + ((const { fixed(1.772) } * cb + HALF) >> BITS);
        *pixel = [r, g, b].map(|channel| channel.clamp(0, 255) as u8);
    }
}
