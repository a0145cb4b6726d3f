//! Images: decoded, cropped by every recipe, decoded by the other decoder, made small for a report.

use std::io;
use std::path::Path;

use dataset::{Dataset, Decoded, Decoder, RECIPES, thumbnail_jpeg};
use mozjpeg::{ColorSpace, Compress, Marker};

use super::fixtures;
use crate::{Outcome, Target, checksums};

/// Pillow's limit of pixels, three times: a file of few bytes may ask for that much, and recipes work on it.
const MEMORY_BYTES: usize = 3 * 3 * 178_956_970;

pub(super) const IMAGES: Target = Target {
    name: "images",
    about: "JPEG, PNG, WebP, BMP, GIF and TIFF files through every recipe, zune-jpeg and thumbnails",
    seeds,
    words: &[
        b"\xff\xd8",
        b"\xff\xd9",
        b"\xff\xc0",
        b"\xff\xc1",
        b"\xff\xc2",
        b"\xff\xc4",
        b"\xff\xc9",
        b"\xff\xca",
        b"\xff\xcc",
        b"\xff\xda",
        b"\xff\xdb",
        b"\xff\xdd\x00\x04\x00\x01",
        b"\xff\xd0",
        b"\xff\xd7",
        b"\xff\xe0",
        b"\xff\xe1",
        b"\xff\xee\x00\x0eAdobe\x00d\x00\x00\x00\x00\x02",
        b"Exif\x00\x00MM\x00*",
        b"Exif\x00\x00II*\x00",
        b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00",
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"IEND",
        b"tRNS",
        b"gAMA",
        b"iCCP",
        b"eXIf",
        b"acTL",
        b"fcTL",
        b"fdAT",
        b"cHRM",
        b"sRGB",
        b"sBIT",
        b"zTXt",
        b"iTXt",
        b"RIFF",
        b"WEBPVP8 ",
        b"VP8L",
        b"VP8X\x0a\x00\x00\x00",
        b"ALPH",
        b"ANIM",
        b"ANMF",
        b"\x9d\x01\x2a",
        b"GIF89a",
        b"\x21\xf9\x04",
        b"\x2c\x00\x00\x00\x00",
        b"BM",
        b"\x28\x00\x00\x00",
        b"II*\x00\x08\x00\x00\x00",
        b"MM\x00*\x00\x00\x00\x08",
        b"\x03\x01\x03\x00\x01\x00\x00\x00\x05\x00\x00\x00",
        b"\x42\x01\x03\x00\x01\x00\x00\x00",
    ],
    mend: Some(checksums::png),
    memory_bytes: MEMORY_BYTES,
    read,
};

fn read(_: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let Some(decoded) = outcome.of(Decoded::from_bytes(bytes)) else { return };
    outcome.say(&format!("{} {}", decoded.format(), decoded.colour()).to_lowercase());
    let mut input = Vec::new();
    for recipe in RECIPES {
        if let Some(crop) = outcome.of(recipe.crop(&decoded)) {
            assert_eq!((crop.width, crop.height, crop.pixels.len()), {
                let side = recipe.size;
                (side, side, 3 * side * side)
            });
            input.resize(crop.pixels.len(), 0.0);
            recipe.normalise.write_chw(&crop, &mut input);
        }
    }
    outcome.of(decoded.by_zune_jpeg(bytes));
    let Some(view) = outcome.of(decoded.view(Decoder::Pil)) else { return };
    if outcome.of(thumbnail_jpeg(&view, 64)).is_some() {
        outcome.say("thumbnail");
    }
}

/// Every depth and kind of colour.
const PNGS: [&str; 9] = [
    "grey-1.png",
    "grey-2-interlaced.png",
    "grey-4.png",
    "grey-alpha-interlaced.png",
    "palette-1-interlaced.png",
    "palette-2.png",
    "palette-short.png",
    "rgb-16.png",
    "rgb-alpha.png",
];

/// A form each that is read, by every part of the decoders.
const OTHERS: [&str; 24] = [
    "lossless-alpha.webp",
    "lossless-few-colours.webp",
    "lossy-50.webp",
    "lossy-alpha.webp",
    "animated.webp",
    "1.bmp",
    "4-few-colours.bmp",
    "8-rle.bmp",
    "4-rle.bmp",
    "8-os2.bmp",
    "24-top-down.bmp",
    "32-v4-alpha.bmp",
    "animated.gif",
    "interlaced.gif",
    "part-transparent.gif",
    "short-palette-unused.gif",
    "rgb-tiff_lzw.tif",
    "grey-packbits.tif",
    "grey-white-zero.tif",
    "predictor.tif",
    "rgb-big.tif",
    "rgba-unassociated.tif",
    "strips.tif",
    "tiles-deflate.tif",
];

/// The sample, and small files of every kind, which are quick.
fn seeds() -> io::Result<Vec<Vec<u8>>> {
    let sample = Dataset::sample();
    let read = |index| sample.read(index).map(std::borrow::Cow::into_owned).map_err(io::Error::other);
    let mut seeds = (0..sample.items().len()).map(read).collect::<io::Result<Vec<_>>>()?;
    seeds.extend(jpegs()?);
    seeds.extend(fixtures("crates/dataset/tests/fixtures/damaged", &PNGS)?);
    seeds.extend(fixtures("crates/dataset/tests/fixtures/formats", &OTHERS)?);
    Ok(seeds)
}

/// Some pixels: a gradient with edges.
fn samples(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index * 7 % 251) as u8 ^ if index % 64 < 32 { 0x55 } else { 0 }).collect()
}

const WIDTH: usize = 23;
const HEIGHT: usize = 17;

fn jpegs() -> io::Result<Vec<Vec<u8>>> {
    use ColorSpace::{JCS_CMYK, JCS_GRAYSCALE, JCS_RGB, JCS_YCCK, JCS_YCbCr};
    let mut files = Vec::new();
    for (from, to, channels) in [
        (JCS_RGB, JCS_YCbCr, 3),
        (JCS_RGB, JCS_RGB, 3),
        (JCS_GRAYSCALE, JCS_GRAYSCALE, 1),
        (JCS_CMYK, JCS_CMYK, 4),
        (JCS_CMYK, JCS_YCCK, 4),
    ] {
        for is_progressive in [false, true] {
            for step in [1, 2] {
                let mut encoder = Compress::new(from);
                encoder.set_color_space(to);
                encoder.set_size(WIDTH, HEIGHT);
                encoder.set_quality(60.0);
                if is_progressive {
                    encoder.set_progressive_mode();
                }
                if to == JCS_YCbCr {
                    encoder.set_chroma_sampling_pixel_sizes((step, step), (step, step));
                } else if step == 2 {
                    continue;
                }
                let mut started = encoder.start_compress(Vec::new())?;
                if step == 2 {
                    // Big-endian, one entry: orientation 6.
                    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
                    started.write_marker(Marker::APP(1), exif);
                }
                started.write_scanlines(&samples(WIDTH * HEIGHT * channels))?;
                files.push(started.finish()?);
            }
        }
    }
    Ok(files)
}
