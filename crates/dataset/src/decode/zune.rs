//! JPEG by another decoder, zune-jpeg, which the `image` crate and so most Rust programs use. It is no recipe's:
//! it shows what another decoder's inverse transform and upsampling would change.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Colour, DecodeError, Format};
use crate::RgbImage;

/// The RGB pixels of a grey or three-channel JPEG.
pub(super) fn decode(bytes: &[u8], colour: Colour) -> Result<RgbImage, DecodeError> {
    let wanted = if colour == Colour::Grey { ColorSpace::Luma } else { ColorSpace::RGB };
    let options = DecoderOptions::default().jpeg_set_out_colorspace(wanted).set_strict_mode(false);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let corrupt = |reason: String| DecodeError::Corrupt { format: Format::Jpeg, reason };
    let pixels = decoder.decode().map_err(|error| corrupt(error.to_string()))?;
    let info = decoder.info().ok_or_else(|| corrupt("it has no header".to_owned()))?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    let pixels = match wanted {
        ColorSpace::Luma => {
            let mut rgb = memory::room(pixels.len() * 3)?;
            rgb.extend(pixels.iter().flat_map(|&grey| [grey; 3]));
            rgb
        }
        _ => pixels,
    };
    match pixels.len() == width * height * 3 {
        true => Ok(RgbImage { width, height, pixels }),
        false => Err(corrupt(format!("{} bytes of pixels for {width}x{height}", pixels.len()))),
    }
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
}
