//! From a u8 crop to the f32 network input, in the operation order of the sources:
//! `(x * f32(1 / scale) - mean) / std`, every step rounded to f32.
//!
//! A pixel has 256 values, so the arithmetic is done once a value and channel and looked up after.

use crate::RgbImage;

/// Per-channel mean and standard deviation, in the order of the pixels' channels, and what pixels are divided by before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    /// Subtracted after scaling.
    pub mean: [f32; 3],
    /// Divided by, last.
    pub std: [f32; 3],
    /// What pixels are divided by, first: 255 scales them to [0, 1].
    pub scale: f64,
}

impl Normalisation {
    /// To [-1, 1]: mean and standard deviation 0.5.
    pub const HALF: Self = Self { mean: [0.5; 3], std: [0.5; 3], scale: 255.0 };
    /// The channel statistics of the ILSVRC2012 training set, as torchvision and Paddle print them.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], scale: 255.0 };

    /// The network input for every channel and pixel value, `[channel][value]`.
    #[must_use]
    pub fn table(&self) -> [[f32; 256]; 3] {
        // Not `value / scale`: the sources multiply by the rounded reciprocal, which differs in the
        // last bit for some values.
        let scale = (1.0 / self.scale) as f32;
        std::array::from_fn(|channel| {
            std::array::from_fn(|value| (value as f32 * scale - self.mean[channel]) / self.std[channel])
        })
    }

    /// Writes the normalised crop as f32, channel x height x width (CHW), into `out`.
    ///
    /// # Panics
    /// If `out` does not hold exactly `3 * crop.height * crop.width` values.
    pub fn write_chw(&self, crop: &RgbImage, out: &mut [f32]) {
        let plane = crop.width * crop.height;
        assert_eq!(out.len(), 3 * plane, "the output holds 3 planes of {}x{}", crop.height, crop.width);
        let table = self.table();
        let (red, rest) = out.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        for (((pixel, r), g), b) in crop.pixels.chunks_exact(3).zip(red).zip(green).zip(blue) {
            *r = table[0][usize::from(pixel[0])];
            *g = table[1][usize::from(pixel[1])];
            *b = table[2][usize::from(pixel[2])];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_planes_in_rgb_order() {
        let crop = RgbImage { width: 2, height: 1, pixels: vec![0, 128, 255, 255, 1, 0] };
        let mut out = [9.0; 6];
        Normalisation::HALF.write_chw(&crop, &mut out);
        let half = |x: u8| (f32::from(x) * (1.0_f64 / 255.0) as f32 - 0.5) / 0.5;
        assert_eq!(out, [half(0), half(255), half(128), half(1), half(255), half(0)]);
        assert_eq!((out[0], out[1]), (-1.0, 1.0));
    }

    #[test]
    fn equals_numpy_bit_for_bit() {
        // np.float32 results of `recipes.normalise`, printed by numpy 1.26 as hexadecimal bits.
        let table = Normalisation::IMAGENET.table();
        let bits = |c: usize, v: usize| table[c][v].to_bits();
        assert_eq!(
            [bits(0, 0), bits(0, 77), bits(1, 128), bits(1, 255), bits(2, 200), bits(2, 255)],
            [0xc007_8bbd, 0xbf4c_9ec9, 0x3e52_1b48, 0x401b_6db7, 0x3fd7_37f1, 0x4028_f5c3]
        );
    }
}
