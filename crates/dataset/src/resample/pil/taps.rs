//! The filters, and what each output position takes from the source axis: `precompute_coeffs` and
//! `normalize_coeffs_8bpc` of `libImaging/Resample.c`.

use std::f64::consts::PI;
use std::ops::Range;

/// Fraction bits of a coefficient: 32, less 8 for the pixel and 2 for the filter's overshoot.
pub(super) const PRECISION: u32 = 32 - 8 - 2;

/// What a sum starts at, so that cutting off its fraction rounds it.
pub(super) const HALF: i32 = 1 << (PRECISION - 1);

/// Cuts off the fraction of a sum that was started at [`HALF`], and clips it.
#[inline(always)]
pub(super) fn clip8(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// A convolution filter of Pillow's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConvolutionFilter {
    Box,
    Bilinear,
    Hamming,
    Bicubic,
    Lanczos,
}

impl ConvolutionFilter {
    /// Half the filter's width, in pixels of the coarser grid.
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let distance = x.abs();
        match self {
            // Not symmetric: a pixel's right edge is the next one's left.
            Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bilinear if distance < 1.0 => 1.0 - distance,
            Self::Hamming if distance == 0.0 => 1.0,
            Self::Hamming if distance < 1.0 => {
                // Pillow writes these two as f32.
                const LEVEL: f64 = 0.54_f32 as f64;
                const SWING: f64 = 0.46_f32 as f64;
                let angle = distance * PI;
                angle.sin() / angle * (LEVEL + SWING * angle.cos())
            }
            Self::Bicubic if distance < 1.0 => ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0,
            Self::Bicubic if distance < 2.0 => (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }
}

/// Pillow's bicubic parameter.
const A: f64 = -0.5;

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let angle = x * PI;
    angle.sin() / angle
}

/// For some positions of an output axis: the first source position, and fixed-point coefficients of
/// it and those that follow.
pub(super) struct Taps {
    starts: Vec<usize>,
    lengths: Vec<usize>,
    /// `longest` for each output position, zero beyond its length.
    coefficients: Vec<i32>,
    longest: usize,
}

impl Taps {
    pub(super) fn new(filter: ConvolutionFilter, input: usize, output: usize, wanted: Range<usize>) -> Self {
        let scale = input as f64 / output as f64;
        let filter_scale = scale.max(1.0);
        let support = filter.support() * filter_scale;
        let inverse = 1.0 / filter_scale;
        // Casts truncate towards zero, as C's do; a negative start saturates to 0.
        let starts_at = |center: f64| (center - support + 0.5) as usize;
        let ends_at = |center: f64| ((center + support + 0.5) as usize).min(input);
        let centers = wanted.map(|position| (position as f64 + 0.5) * scale);
        let longest = centers.clone().map(|center| ends_at(center) - starts_at(center)).max().unwrap_or(0);
        let mut taps = Self {
            starts: Vec::with_capacity(centers.len()),
            lengths: Vec::with_capacity(centers.len()),
            coefficients: vec![0; centers.len() * longest],
            longest,
        };
        let mut weights = Vec::with_capacity(longest);
        for (center, coefficients) in centers.zip(taps.coefficients.chunks_exact_mut(longest.max(1))) {
            let (start, end) = (starts_at(center), ends_at(center));
            weights.clear();
            weights.extend((start..end).map(|at| filter.weight((at as f64 - center + 0.5) * inverse)));
            let total: f64 = weights.iter().sum();
            for (coefficient, &weight) in coefficients.iter_mut().zip(&weights) {
                let weight = if total == 0.0 { weight } else { weight / total };
                let fixed = weight * f64::from(1u32 << PRECISION);
                *coefficient = (fixed + if weight < 0.0 { -0.5 } else { 0.5 }) as i32;
            }
            taps.starts.push(start);
            taps.lengths.push(end - start);
        }
        taps
    }

    /// Output positions.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The most source positions that one output position takes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// First source position and coefficients of each output position.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let coefficients = self.coefficients.chunks_exact(self.longest.max(1));
        self.starts
            .iter()
            .zip(&self.lengths)
            .zip(coefficients)
            .map(|((&start, &length), coefficients)| (start, &coefficients[..length]))
    }

    /// The source positions that are taken by any output position.
    pub(super) fn source(&self) -> Range<usize> {
        // Both ends move on with the output position.
        let first = self.starts.first().copied().unwrap_or(0);
        let end = self.iter().last().map_or(first, |(start, coefficients)| start + coefficients.len());
        first..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_add_up_to_one() {
        for filter in [
            ConvolutionFilter::Box,
            ConvolutionFilter::Bilinear,
            ConvolutionFilter::Hamming,
            ConvolutionFilter::Bicubic,
            ConvolutionFilter::Lanczos,
        ] {
            for (input, output) in [(500, 444), (375, 333), (60, 333), (7, 5), (1, 9), (4000, 3)] {
                let taps = Taps::new(filter, input, output, 0..output);
                for (start, coefficients) in taps.iter() {
                    let sum: i64 = coefficients.iter().map(|&k| i64::from(k)).sum();
                    let error = sum - (1 << PRECISION);
                    assert!(error.abs() <= coefficients.len() as i64, "{filter:?} {input}->{output}");
                    assert!(taps.source().start <= start);
                    assert!(start + coefficients.len() <= taps.source().end);
                    assert!(coefficients.len() <= taps.longest());
                }
                assert_eq!((taps.source(), taps.len()), (0..input, output));
            }
        }
    }
}
