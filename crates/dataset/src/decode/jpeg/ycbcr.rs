//! From the planes of a YCbCr JPEG to RGB: libjpeg's fancy upsampling (`h2v1_fancy_upsample` and
//! `h2v2_fancy_upsample` of `jdsample.c`) and its colour conversion (`ycc_rgb_convert` of `jdcolor.c`),
//! in the same integers, but in loops that the compiler vectorises. Done here because libjpeg's plain
//! C takes a third of the decoding time for it.

use pulp::NullaryFnOnce;

use super::plane::Plane;

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
    /// Of an image that is `width` pixels wide, by how often each of its three planes is smaller, across and down.
    /// `None` for what is rarer, and for images so narrow that libjpeg does not interpolate.
    pub(super) fn of(factors: &[(usize, usize)], width: usize) -> Option<Self> {
        match factors {
            [(1, 1), (1, 1), (1, 1)] => Some(Self::None),
            [(1, 1), (2, 1), (2, 1)] if width.div_ceil(2) > 2 => Some(Self::Wide),
            [(1, 1), (2, 2), (2, 2)] if width.div_ceil(2) > 2 => Some(Self::Both),
            _ => None,
        }
    }
}

/// The planes made one image, three bytes a pixel.
pub(super) struct Conversion<'a> {
    pub(super) luma: &'a Plane,
    pub(super) blue: &'a Plane,
    pub(super) red: &'a Plane,
    pub(super) subsampling: Subsampling,
    pub(super) rgb: &'a mut Vec<u8>,
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

/// The same for a row given as its sums, appended to `row`.
pub(super) fn widened<const SHIFT: u32, const BEFORE: u16, const AFTER: u16>(
    sums: impl Iterator<Item = u16>,
    row: &mut Vec<u8>,
) {
    let mut padded: Vec<u16> = std::iter::once(0).chain(sums).chain([0]).collect();
    let mut wide = vec![[0; 2]; padded.len() - 2];
    widen::<SHIFT, BEFORE, AFTER>(&mut padded, &mut wide);
    row.extend_from_slice(wide.as_flattened());
}

/// A row of pixels.
#[inline(always)]
fn convert(luma: &[u8], blue: &[u8], red: &[u8], pixels: &mut [[u8; 3]]) {
    for (((pixel, &y), &cb), &cr) in pixels.iter_mut().zip(luma).zip(blue).zip(red) {
        *pixel = rgb([y, cb, cr]);
    }
}

/// A pixel.
#[inline(always)]
pub(super) fn rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    /// The coefficients have this many fraction bits.
    const BITS: u32 = 16;
    const HALF: i32 = 1 << (BITS - 1);
    const fn fixed(coefficient: f64) -> i32 {
        (coefficient * (1 << BITS) as f64 + 0.5) as i32
    }
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let r = y + ((const { fixed(1.402) } * cr + HALF) >> BITS);
    let g = y + ((const { -fixed(0.344_14) } * cb - const { fixed(0.714_14) } * cr + HALF) >> BITS);
    let b = y + ((const { fixed(1.772) } * cb + HALF) >> BITS);
    [r, g, b].map(|channel| channel.clamp(0, 255) as u8)
}
