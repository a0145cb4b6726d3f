//! The horizontal pass: by AVX2 where the processor has it, otherwise by plain loops.

use std::ops::Range;

use memory::NoMemory;

use super::PaddedRows;
use super::taps::{HALF, Taps, clip8};
use crate::RgbImage;

/// Rows that are resized at a time.
pub(super) const GROUP: usize = 4;

/// The rows `rows` of `image`, resized to the columns that `taps` describes.
pub(super) fn resize_rows(image: &RgbImage, taps: &Taps, rows: Range<usize>) -> Result<PaddedRows, NoMemory> {
    let mut out = PaddedRows::new(taps.len() * 3, rows.clone())?;
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        avx2::resize_rows(simd, image, taps, rows, &mut out);
        return Ok(out);
    }
    resize_rows_plain(image, taps, rows, &mut out);
    Ok(out)
}

fn resize_rows_plain(image: &RgbImage, taps: &Taps, rows: Range<usize>, out: &mut PaddedRows) {
    for y in rows {
        let row = image.row(y);
        for ((start, coefficients), out) in taps.iter().zip(out.row_mut(y).chunks_exact_mut(3)) {
            let mut sums = [HALF; 3];
            for (pixel, &k) in row[start * 3..].chunks_exact(3).zip(coefficients) {
                sums[0] += i32::from(pixel[0]) * k;
                sums[1] += i32::from(pixel[1]) * k;
                sums[2] += i32::from(pixel[2]) * k;
            }
            out.copy_from_slice(&sums.map(clip8));
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    //! Four rows at a time. `madd` multiplies 16-bit integers and adds neighbours, so a coefficient of
    //! more bits is cut in two, `k = (high << LOW_BITS) + low`, which is exact. Its operands are a
    //! channel of two neighbouring pixels, in the order R R G G B B, and their two coefficients.

    use std::arch::x86_64::__m256i;
    use std::ops::Range;

    use pulp::NullaryFnOnce;
    use pulp::cast;
    use pulp::x86::V3;

    use super::super::PaddedRows;
    use super::super::taps::{HALF, PRECISION, Taps};
    use super::GROUP;
    use crate::RgbImage;

    /// Bytes of a load. It holds five whole pixels: two pairs and, where wanted, half a third one.
    const LOAD: usize = 16;
    /// Low bits of a coefficient. Their sums stay below 2^31 up to 4096 taps (and beyond that wrap,
    /// as the whole sum does, harmlessly); the high part of a coefficient up to 16 fits into 16 bits.
    const LOW_BITS: i32 = 11;
    /// Where the bytes of the pixel pairs of a load go: 16-bit lanes, two a channel.
    const PAIRS: [[u8; LOAD]; 3] = {
        const Z: u8 = 0x80;
        [
            [0, Z, 3, Z, 1, Z, 4, Z, 2, Z, 5, Z, Z, Z, Z, Z],
            [6, Z, 9, Z, 7, Z, 10, Z, 8, Z, 11, Z, Z, Z, Z, Z],
            [12, Z, Z, Z, 13, Z, Z, Z, 14, Z, Z, Z, Z, Z, Z, Z],
        ]
    };

    pub(super) fn resize_rows(
        simd: V3,
        image: &RgbImage,
        taps: &Taps,
        rows: Range<usize>,
        out: &mut PaddedRows,
    ) {
        // Loads of four taps cost two pairs, loads of five cost three.
        let (by_four, by_five) = (taps.longest().div_ceil(4), taps.longest().div_ceil(5));
        if by_four * 2 <= by_five * 3 {
            let weights = Weights::<2>::new(taps, 4);
            simd.vectorize(Pass { simd, image, weights: &weights, rows, out });
        } else {
            let weights = Weights::<3>::new(taps, 5);
            simd.vectorize(Pass { simd, image, weights: &weights, rows, out });
        }
    }

    /// The coefficients in the order in which they are multiplied, a load at a time.
    struct Weights<const N: usize> {
        /// The byte of a row that an output pixel's first load begins at.
        offsets: Vec<usize>,
        /// The high and low parts of the coefficients of a load's pairs.
        pairs: Vec<[[i32; 2]; N]>,
        loads_a_pixel: usize,
        taps_a_load: usize,
    }

    impl<const N: usize> Weights<N> {
        fn new(taps: &Taps, taps_a_load: usize) -> Self {
            let loads_a_pixel = taps.longest().div_ceil(taps_a_load).max(1);
            let mut pairs = Vec::with_capacity(taps.len() * loads_a_pixel);
            for (_, coefficients) in taps.iter() {
                pairs.extend((0..loads_a_pixel).map(|load| {
                    let at = |tap| {
                        let inside = tap < taps_a_load;
                        let k = inside.then(|| coefficients.get(load * taps_a_load + tap)).flatten();
                        k.copied().unwrap_or(0)
                    };
                    std::array::from_fn(|pair| split(at(2 * pair), at(2 * pair + 1)))
                }));
            }
            let offsets = taps.iter().map(|(start, _)| start * 3).collect();
            Self { offsets, pairs, loads_a_pixel, taps_a_load }
        }
    }

    /// The high and the low parts of two coefficients, each as two 16-bit lanes.
    fn split(first: i32, second: i32) -> [i32; 2] {
        let lanes = |first: i32, second: i32| {
            debug_assert!(i16::try_from(first).is_ok() && i16::try_from(second).is_ok());
            (second << 16) | (first & 0xffff)
        };
        let low = (1 << LOW_BITS) - 1;
        [lanes(first >> LOW_BITS, second >> LOW_BITS), lanes(first & low, second & low)]
    }

    struct Pass<'a, const N: usize> {
        simd: V3,
        image: &'a RgbImage,
        weights: &'a Weights<N>,
        rows: Range<usize>,
        out: &'a mut PaddedRows,
    }

    impl<const N: usize> NullaryFnOnce for Pass<'_, N> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Self { simd, image, weights, rows, out } = self;
            // Rows are copied to where a load may read on after the last pixel.
            let width = image.width * 3;
            let stride = width + weights.loads_a_pixel * weights.taps_a_load * 3 + LOAD;
            let mut copies = vec![0_u8; GROUP * stride];
            for from in rows.clone().step_by(GROUP) {
                for (copy, y) in copies.chunks_exact_mut(stride).zip(from..rows.end) {
                    copy[..width].copy_from_slice(image.row(y));
                }
                let out_stride = out.stride();
                resize_group(simd, &copies, stride, weights, out.rows_mut(from, GROUP), out_stride);
            }
        }
    }

    /// The rows of `copies` to those of `out`. At the end of an image some are the last group's, which
    /// is harmless.
    #[inline(always)]
    fn resize_group<const N: usize>(
        simd: V3,
        copies: &[u8],
        stride: usize,
        weights: &Weights<N>,
        out: &mut [u8],
        out_stride: usize,
    ) {
        let (avx, avx2) = (simd.avx, simd.avx2);
        let masks: [__m256i; N] = std::array::from_fn(|pair| cast([PAIRS[pair]; 2]));
        let copies: [&[u8]; GROUP] = std::array::from_fn(|row| &copies[row * stride..][..stride]);
        let pixels = weights.offsets.iter().zip(weights.pairs.chunks_exact(weights.loads_a_pixel));
        for (x, (&offset, loads)) in pixels.enumerate() {
            let zero = avx._mm256_setzero_si256();
            let (mut high, mut low) = ([zero; 2], [avx._mm256_set1_epi32(HALF); 2]);
            let mut at = offset;
            for pairs in loads {
                for half in 0..2 {
                    let two = [load(copies[2 * half], at), load(copies[2 * half + 1], at)];
                    let two: __m256i = cast(two);
                    for (mask, &[k_high, k_low]) in masks.iter().zip(pairs) {
                        let pair = avx2._mm256_shuffle_epi8(two, *mask);
                        let product = avx2._mm256_madd_epi16(pair, avx._mm256_set1_epi32(k_high));
                        high[half] = avx2._mm256_add_epi32(high[half], product);
                        let product = avx2._mm256_madd_epi16(pair, avx._mm256_set1_epi32(k_low));
                        low[half] = avx2._mm256_add_epi32(low[half], product);
                    }
                }
                at += weights.taps_a_load * 3;
            }
            let [first, second] = std::array::from_fn(|half| {
                let sum = avx2._mm256_add_epi32(avx2._mm256_slli_epi32::<LOW_BITS>(high[half]), low[half]);
                avx2._mm256_srai_epi32::<{ PRECISION as i32 }>(sum)
            });
            // Packing with saturation clips to u8. It works within 128-bit halves, hence the order.
            let packed = avx2._mm256_packs_epi32(first, second);
            let packed: [[u8; 4]; 8] = cast(avx2._mm256_packus_epi16(packed, packed));
            let pixels = [packed[0], packed[4], packed[1], packed[5]];
            // The fourth byte, a zero, goes where the next pixel, or the row's padding, follows.
            for (row, pixel) in pixels.iter().enumerate() {
                out[row * out_stride + x * 3..][..4].copy_from_slice(pixel);
            }
        }
    }

    #[inline(always)]
    fn load(row: &[u8], at: usize) -> [u8; LOAD] {
        let mut bytes = [0; LOAD];
        bytes.copy_from_slice(&row[at..at + LOAD]);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::taps::ConvolutionFilter;
    use super::super::tests::noise;
    use super::*;

    /// From and to, in pixels.
    const SIZES: [(usize, usize); 10] =
        [(1, 1), (1, 7), (2, 5), (3, 1), (7, 5), (61, 20), (61, 60), (64, 200), (500, 444), (997, 13)];

    /// Every path must do what the plain loops do: 1 pixel, enlarging, reducing by a little and by a
    /// lot (many taps), row counts that are no multiple of those taken at a time.
    #[test]
    fn equals_the_plain_loops() {
        for filter in [ConvolutionFilter::Bilinear, ConvolutionFilter::Bicubic, ConvolutionFilter::Lanczos] {
            for (input, output) in SIZES {
                for height in [1, 3, 4, 9] {
                    let image = noise(input, height);
                    for (wanted, rows) in
                        [(0..output, 0..height), (output / 3..output.div_ceil(2), height / 2..height)]
                    {
                        let taps = Taps::new(filter, input, output, wanted.clone());
                        let mut plain = PaddedRows::new(wanted.len() * 3, rows.clone()).unwrap();
                        resize_rows_plain(&image, &taps, rows.clone(), &mut plain);
                        let fast = resize_rows(&image, &taps, rows.clone()).unwrap();
                        for y in rows {
                            assert_eq!(fast.row(y), plain.row(y), "{filter:?} {input}->{output} row {y}");
                        }
                    }
                }
            }
        }
    }
}
