//! JPEG, bit for bit what Pillow and OpenCV (both libjpeg-turbo 2.1) decode, damaged files included.
//!
//! Damaged data still decode to something, and libjpeg's plain C code, which crates build, makes another picture of them
//! than its vector code does, which Pillow and OpenCV have. So this is a decoder of its own: libjpeg's in what it reads,
//! warns of and refuses, the vector code's in what it computes. Refused besides is what Pillow refuses, and what has no
//! one answer: a file that lacks scans, which libjpeg smooths over, by one rule in one version and by another in the next.

mod header;
mod huffman;
mod idct;
mod pillow;
mod plane;
mod planes;
mod scan;
mod standard;
mod stream;
mod ycbcr;

use header::{Header, Stop};
use stream::{Stream, corrupt};

use super::{Colour, DecodeError, Decoded, Format, OpenCvView, Pixels, decode_guarded, exif};
use crate::RgbImage;

const FORMAT: Format = Format::Jpeg;

/// As many bytes libjpeg may have read ahead of what it needed when a file ends without a marker. Whether Pillow calls
/// such a file truncated depends on that.
const READ_AHEAD: usize = 16;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode_guarded(FORMAT, || decode_unguarded(bytes))
}

fn decode_unguarded(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut stream = Stream::new(bytes);
    let mut header = Header::default();
    let Stop::Scan(mut scan) = header.read(&mut stream)? else {
        return Err(corrupt("Invalid JPEG file structure: missing SOS marker"));
    };
    pillow::check(bytes)?;
    if header.frame.as_ref().is_some_and(|frame| !frame.progressive) {
        header.use_standard_codes();
    }
    let transform = header.transform(&mut stream);

    // Only the first APP1 segment counts, whatever it holds, and its first six bytes are not looked
    // at: that is how OpenCV finds EXIF (an XMP segment in front hides the orientation).
    let orientation = header.app1.and_then(|data| data.get(6..)).map_or(1, exif::orientation);

    let one_scan =
        header.frame.as_ref().is_some_and(|f| !f.progressive && f.components.len() == scan.components.len());
    loop {
        scan::read(&mut header, &scan, &mut stream)?;
        let data_end = stream.at - stream.ahead.min(stream.at);
        match header.read(&mut stream) {
            Ok(Stop::End) => break,
            Ok(Stop::Scan(_)) if one_scan => return Err(corrupt("Didn't expect more than one scan")),
            Ok(Stop::Scan(next)) => scan = next,
            // Every row is there, and Pillow does not ask for more.
            Err(DecodeError::Truncated { .. })
                if one_scan && stream.marker == 0 && bytes.len() - data_end >= READ_AHEAD =>
            {
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let Some(frame) = header.frame else {
        return Err(corrupt("Invalid JPEG file structure: SOS before SOF"));
    };
    if frame.components.iter().any(|component| component.missing_bits != [0; header::BLOCK]) {
        return Err(DecodeError::MissingScans);
    }

    let (width, height) = (frame.width, frame.height);
    let (pil, opencv) = planes::pixels(&frame, transform)?;
    let colour = match frame.components.len() {
        1 => Colour::Grey,
        4 => Colour::Cmyk,
        _ => Colour::Rgb,
    };
    let pixels = |data| match colour {
        Colour::Cmyk => Pixels::Cmyk { width, height, cmyk: data },
        _ => Pixels::Rgb(RgbImage { width, height, pixels: data }),
    };
    let opencv = opencv.map_or(OpenCvView::Same, |damaged| OpenCvView::Other(pixels(damaged)));
    let pixels = pixels(pil);
    Ok(Decoded { pixels, opencv, format: FORMAT, colour, orientation, warnings: stream.warnings })
}

#[cfg(test)]
mod tests {
    use mozjpeg::{ColorSpace, Compress, Decompress};

    use super::*;

    /// Noise, which has every step from one colour to another.
    fn encode(width: usize, height: usize, chroma: (u8, u8), progressive: bool) -> Vec<u8> {
        let pixels: Vec<u8> = (0..width * height * 3).map(|i| (i * i * 31 % 251) as u8).collect();
        let mut encoder = Compress::new(ColorSpace::JCS_RGB);
        encoder.set_size(width, height);
        encoder.set_quality(90.0);
        encoder.set_chroma_sampling_pixel_sizes(chroma, chroma);
        if progressive {
            encoder.set_progressive_mode();
        }
        let mut started = encoder.start_compress(Vec::new()).unwrap();
        started.write_scanlines(&pixels).unwrap();
        started.finish().unwrap()
    }

    /// libjpeg's C code, whose view is OpenCV's.
    fn by_libjpeg(jpeg: &[u8]) -> Option<Vec<u8>> {
        let read = || Decompress::new_mem(jpeg).ok()?.rgb().ok()?.read_scanlines().ok();
        std::panic::catch_unwind(read).ok().flatten()
    }

    fn by_us(jpeg: &[u8]) -> Result<Vec<u8>, DecodeError> {
        decode(jpeg).map(|decoded| decoded.view(crate::Decoder::OpenCv).unwrap().into_owned().pixels)
    }

    #[test]
    fn pixels_are_libjpegs() {
        for chroma in [(1, 1), (2, 1), (2, 2), (1, 2), (4, 1)] {
            for width in (1..=35).chain([64, 500]) {
                for height in [1, 2, 3, 4, 12, 15, 16, 17, 33] {
                    let jpeg = encode(width, height, chroma, width % 2 == 0);
                    assert!(by_us(&jpeg).ok() == by_libjpeg(&jpeg), "{chroma:?} {width}x{height}");
                    assert!(by_libjpeg(&jpeg).is_some());
                }
            }
        }
    }

    #[test]
    fn damage_is_read_as_libjpeg_reads_it() {
        let (mut equal, mut warned) = (0, 0);
        for progressive in [false, true] {
            let whole = encode(100, 80, (2, 2), progressive);
            for at in (650..whole.len() - 20).step_by(7) {
                let mut damaged = whole.clone();
                damaged[at] ^= 0x55;
                // What is refused here and not by libjpeg has tests of its own.
                if let Ok(decoded) = decode(&damaged) {
                    let pixels = decoded.view(crate::Decoder::OpenCv).unwrap();
                    assert!(Some(&pixels.pixels) == by_libjpeg(&damaged).as_ref(), "byte {at}");
                    equal += 1;
                    warned += usize::from(decoded.warnings().count() > 0);
                }
            }
        }
        assert!(equal > 500 && warned > 100, "{equal} {warned}");
    }

    #[test]
    fn many_scans_of_a_large_image_are_refused() {
        let mut jpeg = encode(500, 33, (2, 2), true);
        let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0x10];
        jpeg.truncate(jpeg.len() - 2);
        jpeg.extend((0..2000).flat_map(|_| scan));
        jpeg.extend([0xff, 0xd9]);
        let error = by_us(&jpeg).unwrap_err().to_string();
        assert!(error.contains("more than 1000 scans"), "{error}");
    }
}
