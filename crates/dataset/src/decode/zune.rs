//! JPEG by another decoder, zune-jpeg, by which the `image` crate and so most Rust programs read JPEG. It is no recipe's: it
//! shows what another decoder's inverse transform and upsampling would change.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::{ColorType, ImageDecoder};

use super::{Colour, DecodeError, Format};
use crate::RgbImage;

/// The RGB pixels of a grey or three-channel JPEG.
pub(super) fn decode(bytes: &[u8], colour: Colour) -> Result<RgbImage, DecodeError> {
    let corrupt = |reason: String| DecodeError::Corrupt { format: Format::Jpeg, reason };
    let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(|error| corrupt(error.to_string()))?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let channels = match (decoder.color_type(), colour) {
        (ColorType::L8, Colour::Grey) => 1,
        (ColorType::Rgb8, _) => 3,
        (other, _) => return Err(corrupt(format!("samples of the form {other:?}"))),
    };
    let mut samples = memory::filled(0, width * height * channels)?;
    decoder.read_image(&mut samples).map_err(|error| corrupt(error.to_string()))?;
    let pixels = match channels {
        1 => {
            let mut rgb = memory::room(samples.len() * 3)?;
            rgb.extend(samples.iter().flat_map(|&grey| [grey; 3]));
            rgb
        }
        _ => samples,
    };
    Ok(RgbImage { width, height, pixels })
}

#[cfg(test)]
mod tests {
    use crate::{Colour, Dataset, Decoded, Decoder, Format};

    /// Close to what libjpeg decodes, and not the same: otherwise there would be nothing to see.
    #[test]
    fn it_is_another_decoder_of_the_same_images() {
        let sample = Dataset::sample();
        let mut differ = 0;
        for index in 0..sample.items().len() {
            let bytes = sample.read(index).unwrap();
            let decoded = Decoded::from_bytes(&bytes).unwrap();
            let other = decoded.by_zune_jpeg(&bytes).unwrap();
            let (here, there) = (decoded.view(Decoder::Pil).unwrap(), other.view(Decoder::Pil).unwrap());
            assert_eq!((here.width, here.height), (there.width, there.height));
            let sum: u64 =
                here.pixels.iter().zip(&there.pixels).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let mean = sum as f64 / here.pixels.len() as f64;
            assert!(mean < 2.0, "{}: {mean}", sample.items()[index].name);
            if decoded.format() == Format::Png || decoded.colour() == Colour::Cmyk {
                assert_eq!(sum, 0);
            }
            differ += usize::from(sum > 0);
        }
        assert!(differ > 5, "{differ}");
    }

    /// A file that trips one of zune-jpeg's assertions, found by the fuzz target `images`.
    #[test]
    fn its_panics_are_errors() {
        let bytes: &[u8] = include_bytes!("../../tests/fixtures/zune-assertion.jpg");
        // Where assertions are not compiled in, it may be a picture.
        if let Err(error) = Decoded::from_bytes(bytes).unwrap().by_zune_jpeg(bytes) {
            assert!(error.to_string().starts_with("corrupt JPEG file"), "{error}");
        }
    }
}
