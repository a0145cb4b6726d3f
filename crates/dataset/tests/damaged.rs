//! Damaged files: errors that say what is wrong, never a panic, never grey filling.

use dataset::{Colour, Dataset, DecodeError, Decoded, Decoder, Format};

fn sample(number: usize) -> Vec<u8> {
    Dataset::sample().read(number - 1).expect("embedded").into_owned()
}

/// The sample's fixed shapes: baseline, small baseline, progressive, grey, CMYK, PNG.
const KINDS: [usize; 6] = [6, 7, 11, 13, 14, 17];

#[test]
fn what_the_files_are() {
    let of = |number: usize| {
        let decoded = Decoded::from_bytes(&sample(number)).unwrap();
        (decoded.format(), decoded.colour(), decoded.orientation())
    };
    assert_eq!(of(1), (Format::Jpeg, Colour::Rgb, 1));
    assert_eq!(of(12), (Format::Jpeg, Colour::Grey, 1));
    assert_eq!(of(14), (Format::Jpeg, Colour::Cmyk, 1));
    assert_eq!(of(15), (Format::Jpeg, Colour::Rgb, 6));
    assert_eq!(of(16), (Format::Jpeg, Colour::Rgb, 3));
    assert_eq!(of(17), (Format::Png, Colour::Rgb, 1));
    let turned = Decoded::from_bytes(&sample(15)).unwrap();
    let size = |decoder| (turned.view(decoder).unwrap().width, turned.view(decoder).unwrap().height);
    assert_eq!((size(Decoder::Pil), size(Decoder::OpenCv)), ((480, 360), (360, 480)));
}

#[test]
fn a_jpeg_that_ends_early_is_truncated() {
    // PIL 9.5 raises "image file is truncated" for every one of these, the missing end-of-image
    // marker (1 or 2 bytes) included.
    for number in [1, 9, 10, 12, 14] {
        let bytes = sample(number);
        for missing in [1, 2, 3, 10, 1000, bytes.len() / 2] {
            let error = Decoded::from_bytes(&bytes[..bytes.len() - missing]).unwrap_err();
            assert_eq!(error, DecodeError::Truncated { format: Format::Jpeg }, "{number} less {missing}");
        }
        let mut longer = bytes;
        longer.extend_from_slice(b"trailing bytes do no harm");
        assert!(Decoded::from_bytes(&longer).is_ok());
    }
}

#[test]
fn a_png_that_ends_early_is_truncated() {
    let bytes = sample(17);
    // PIL reads a PNG that lacks only its last chunk, OpenCV does not: an error, like all the others.
    for end in [bytes.len() - 12, bytes.len() - 1000, bytes.len() / 2, 40, 20] {
        let error = Decoded::from_bytes(&bytes[..end]).unwrap_err();
        assert_eq!(error, DecodeError::Truncated { format: Format::Png }, "cut at {end}");
    }
}

#[test]
fn every_prefix_is_an_error_or_an_image() {
    for number in KINDS {
        let bytes = sample(number);
        let whole = Decoded::from_bytes(&bytes).unwrap();
        let ends = (0..700.min(bytes.len())).chain((700..bytes.len()).step_by(bytes.len() / 60));
        for end in ends {
            // Complete pixels may come before the last byte; half an image may not pass for one.
            if let Ok(decoded) = Decoded::from_bytes(&bytes[..end]) {
                assert_eq!(
                    decoded.view(Decoder::Pil).unwrap(),
                    whole.view(Decoder::Pil).unwrap(),
                    "{number} cut at {end}"
                );
            }
        }
    }
}

#[test]
fn mutated_bytes_never_panic() {
    let mut state = 20_121_012_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut errors = 0;
    for number in KINDS {
        let bytes = sample(number);
        for round in 0..120 {
            let mut damaged = bytes.clone();
            // Mostly headers: that is where a decoder believes what it reads.
            let reach = if round % 3 == 0 { bytes.len() } else { 700.min(bytes.len()) };
            for _ in 0..1 + random(4) {
                damaged[random(reach)] = random(256) as u8;
            }
            match Decoded::from_bytes(&damaged) {
                Ok(decoded) => {
                    let _ = (decoded.view(Decoder::Pil).unwrap(), decoded.view(Decoder::OpenCv).unwrap());
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    errors += 1;
                }
            }
        }
    }
    assert!(errors > 50, "mutations hit nothing: {errors}");
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let mut jpeg = sample(6);
    let start_of_frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[start_of_frame + 5..start_of_frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    let error = Decoded::from_bytes(&jpeg).unwrap_err();
    assert_eq!(error, DecodeError::TooLarge { width: 60000, height: 60000 });
    assert!(error.to_string().contains("60000x60000 pixels: more than the limit of 178956970"), "{error}");
}

#[test]
fn libjpegs_own_words_are_passed_on() {
    let mut jpeg = sample(6);
    let start_of_frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[start_of_frame + 1] = 0xc3;
    let error = Decoded::from_bytes(&jpeg).unwrap_err();
    assert!(error.to_string().starts_with("corrupt JPEG file: Unsupported JPEG process"), "{error}");
}
