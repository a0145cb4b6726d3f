//! Small pictures for reports: a person who sees the image understands the error.

use memory::NoMemory;
use mozjpeg::{ColorSpace, Compress};

use crate::RgbImage;
use crate::resample::Region;
use crate::resample::pil::{ConvolutionFilter, resize};

/// JPEG quality: recognisable, and a few kilobytes.
const QUALITY: f32 = 75.0;

/// `image` shrunk to `side` x `side` pixels, as a JPEG file.
///
/// # Errors
/// [`NoMemory`], which is all that libjpeg lacks where it fails to encode so few pixels.
pub fn thumbnail_jpeg(image: &RgbImage, side: usize) -> Result<Vec<u8>, NoMemory> {
    let whole = Region { left: 0, top: 0, width: side, height: side };
    let small = resize(image, ConvolutionFilter::Bilinear, side, side, whole)?;
    let encoded = std::panic::catch_unwind(|| {
        let mut encoder = Compress::new(ColorSpace::JCS_RGB);
        encoder.set_size(side, side);
        encoder.set_quality(QUALITY);
        let mut started = encoder.start_compress(Vec::new())?;
        started.write_scanlines(&small.pixels)?;
        started.finish()
    });
    encoded.ok().and_then(Result::ok).ok_or(NoMemory { bytes: small.pixels.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, Decoded, Decoder};

    #[test]
    fn it_is_a_small_jpeg_of_the_image() {
        let sample = Dataset::sample();
        let decoded = Decoded::from_bytes(&sample.read(0).unwrap()).unwrap();
        let image = decoded.view(Decoder::Pil).unwrap();
        let jpeg = thumbnail_jpeg(&image, 64).unwrap();
        assert!(jpeg.len() < 8192, "{}", jpeg.len());
        let small = Decoded::from_bytes(&jpeg).unwrap();
        assert_eq!(small.size(), (64, 64));
        let mean = |image: &RgbImage| {
            image.pixels.iter().map(|&value| f64::from(value)).sum::<f64>() / image.pixels.len() as f64
        };
        assert!((mean(&image) - mean(&small.view(Decoder::Pil).unwrap())).abs() < 4.0);
    }
}
