//! WebP, lossy and lossless, with and without alpha: the decoder's pixels are libwebp's, to the last bit. Of an animation Pillow
//! shows the first frame; OpenCV refuses it.
//!
//! WebP has no checksum. Of 20,000 damaged files 13 gave other pixels than libwebp (predictors that there are not, coefficients
//! beyond every range), and 200 pixels where libwebp notices that a part ends too early.

use image::codecs::webp::WebPDecoder;

use super::{
    Colour, DecodeError, Decoded, Format, OpenCvView, Samples, decode_guarded, decoded, not_read, u32_le,
};

const FORMAT: Format = Format::WebP;
const TRUNCATED: DecodeError = DecodeError::Truncated { format: FORMAT };

pub(in crate::decode) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode_guarded(FORMAT, || {
        check_chunks(bytes)?;
        let mut is_animated = false;
        let samples = Samples::read(FORMAT, bytes, |file| {
            let decoder = WebPDecoder::new(file)?;
            is_animated = decoder.has_animation();
            Ok(decoder)
        })?;
        let opencv = match is_animated {
            true => OpenCvView::Refused("it refuses animations"),
            false => OpenCvView::Same,
        };
        Ok(decoded(FORMAT, Colour::Rgb, samples.rgb()?, opencv))
    })
}

/// Refuses files whose chunks do not fill the file, as libwebp does; the `image` crate looks for those that it needs. What comes
/// after the file's own end is passed over.
fn check_chunks(bytes: &[u8]) -> Result<(), DecodeError> {
    let size = |at: usize| u32_le(bytes, at).map(|size| size as usize).ok_or(TRUNCATED);
    let end = size(4)?.saturating_add(8);
    if end > bytes.len() {
        return Err(TRUNCATED);
    }
    let first: Option<&[u8; 4]> = bytes.get(12..).and_then(|rest| rest.first_chunk());
    let is_plain = match first {
        Some(b"VP8 " | b"VP8L") => true,
        Some(b"VP8X") if size(16)? == 10 => false,
        _ => return Err(not_read(FORMAT, "another chunk before its image")),
    };
    let mut at = 12;
    while at < end {
        let length = size(at + 4)?;
        // Of odd length, a byte more.
        at = at.saturating_add(8).saturating_add(length).saturating_add(length % 2);
        if at > end {
            return Err(TRUNCATED);
        }
        if is_plain && at < end {
            return Err(not_read(FORMAT, "chunks after its image"));
        }
    }
    Ok(())
}
