//! WebP, BMP, GIF and TIFF in the many ways such files occur, each against what Pillow 9.5.0 and OpenCV 4.5.5 make of it
//! (`fixtures/formats`, made by `tools/reference/make_fixtures_formats.py`): the same pixels in each view, or an error that names
//! what is not read; never another picture.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use dataset::{Census, Dataset, DecodeError, Decoded, Decoder, Recipe};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What is refused, though one of the two libraries may read it, and what the error says of it.
const REFUSED: [(&str, &str); 55] = [
    ("16-555.bmp", "BMP file with 16 bits a pixel"),
    ("16-565.bmp", "BMP file with 16 bits a pixel"),
    ("16.bmp", "BMP file with 16 bits a pixel"),
    ("24-cut.bmp", "BMP file is truncated"),
    ("32-rgba-masks.bmp", "BMP file with channels in an order of its own"),
    ("4-short-palette.bmp", "BMP file with colours that its palette lacks"),
    ("8-rle-delta.bmp", "BMP file with runs that leave pixels out"),
    ("8-rle-early-end.bmp", "BMP file with runs that leave pixels out"),
    ("8-rle-no-end.bmp", "BMP file is truncated"),
    ("8-rle-short-rows.bmp", "BMP file with runs that leave pixels out"),
    ("8-short-palette.bmp", "BMP file with colours that its palette lacks"),
    ("bilevel-raw.tif", "TIFF file with 1 bits for 1 channels"),
    ("bilevel-white-zero.tif", "TIFF file with 1 bits for 1 channels"),
    ("bilevel.tif", "TIFF file with 1 bits for 1 channels"),
    ("cmyk-lzw.tif", "TIFF file with CMYK"),
    ("cmyk-planar.tif", "TIFF file with channels in planes"),
    ("cmyk.tif", "TIFF file with CMYK"),
    ("cut-lossless.webp", "WebP file is truncated"),
    ("cut.gif", "GIF file is truncated"),
    ("cut.tif", "TIFF file is truncated"),
    ("cut.webp", "WebP file is truncated"),
    ("fill-order-8.tif", "TIFF file with bits in another order"),
    ("fill-order.tif", "TIFF file with bits in another order"),
    ("float.tif", "TIFF file with samples that are no unsigned integers"),
    ("grey-16-big.tif", "TIFF file with 16 bits for 1 channels"),
    ("grey-16-little.tif", "TIFF file with 16 bits for 1 channels"),
    ("grey-16-pillow.tif", "TIFF file with 16 bits for 1 channels"),
    ("grey-2.tif", "TIFF file with 2 bits for 1 channels"),
    ("grey-4.tif", "TIFF file with 4 bits for 1 channels"),
    ("grey-alpha-pillow.tif", "TIFF file with 2 channels of another kind"),
    ("grey-alpha.tif", "TIFF file with 2 channels of another kind"),
    ("group3.tif", "TIFF file with 1 bits for 1 channels"),
    ("group4.tif", "TIFF file with 1 bits for 1 channels"),
    ("lab.tif", "TIFF file with 3 channels of another kind"),
    ("larger.gif", "GIF file with a first frame that is larger than its canvas"),
    ("mirrored.tif", "TIFF file with orientation 2"),
    ("no-frame.gif", "GIF file with no image after its header"),
    ("no-palette.gif", "GIF file with a first frame without a palette"),
    ("outside.gif", "GIF file with a first frame that is larger than its canvas"),
    ("palette-few.tif", "TIFF file with tag 320"),
    ("palette-lzw.tif", "TIFF file with tag 320"),
    ("palette.tif", "TIFF file with tag 320"),
    ("planar.tif", "TIFF file with channels in planes"),
    ("rgb-16-big.tif", "TIFF file with 16/16/16 bits for 3 channels"),
    ("rgb-16-little.tif", "TIFF file with 16/16/16 bits for 3 channels"),
    ("rgb-jpeg.tif", "TIFF file with values of type 7 in tag 347"),
    ("rgb-lzma.tif", "TIFF file with compression 34925"),
    ("rgba-associated.tif", "TIFF file with colours that are multiplied by alpha"),
    ("short-palette.gif", "GIF file with colours that its palette lacks"),
    ("signed.tif", "TIFF file with samples that are no unsigned integers"),
    ("strip-missing.tif", "TIFF file with more or fewer strips or tiles than its size asks for"),
    ("strip-short.tif", "TIFF file is truncated"),
    ("too-few-pixels.gif", "corrupt GIF file: Format error decoding Gif: image truncated"),
    ("turned.tif", "TIFF file with orientation 6"),
    ("ycbcr.tif", "TIFF file with 3 channels of another kind"),
];

/// What has Pillow's view only.
const NO_OPENCV_VIEW: [&str; 27] = [
    "animated-lossless.webp",
    "animated.gif",
    "animated.webp",
    "comment.gif",
    "gif87.gif",
    "interlaced.gif",
    "local-only.gif",
    "local.gif",
    "no-trailer.gif",
    "part-interlaced.gif",
    "part-local.gif",
    "part-transparent.gif",
    "part.gif",
    "pillow-1.gif",
    "pillow-animated.gif",
    "pillow-grey.gif",
    "pillow-interlaced.gif",
    "pillow-transparent.gif",
    "pillow.gif",
    "rgba-lzw.tif",
    "rgba-pillow.tif",
    "rgba-unassociated.tif",
    "short-palette-transparent.gif",
    "short-palette-unused.gif",
    "transparent-black.gif",
    "transparent.gif",
    "whole.gif",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).expect("a file of the fixtures")
}

#[test]
fn each_view_is_its_librarys_or_an_error_says_what_is_not_read() {
    let answers: Value = serde_json::from_slice(&read("answers.json")).unwrap();
    let answers = answers.as_object().unwrap();
    let (mut refused, mut no_opencv_view) = (Vec::new(), Vec::new());
    for (name, answer) in answers {
        let decoded = match Decoded::from_bytes(&read(name)) {
            Ok(decoded) => decoded,
            Err(error) => {
                refused.push((name.as_str(), error.to_string()));
                continue;
            }
        };
        for (decoder, library) in [(Decoder::Pil, "pil"), (Decoder::OpenCv, "opencv")] {
            let image = match decoded.view(decoder) {
                Ok(image) => image,
                Err(DecodeError::NoOpenCvView { .. }) if decoder == Decoder::OpenCv => {
                    no_opencv_view.push(name.as_str());
                    continue;
                }
                Err(error) => panic!("{name}: {error}"),
            };
            let hash: String = Sha256::digest(&image.pixels).iter().map(|b| format!("{b:02x}")).collect();
            let found = format!("{}x{} {hash}", image.width, image.height);
            assert_eq!(answer[library].as_str(), Some(&found[..]), "{name}: {library}");
        }
    }
    let words: Vec<&str> = refused.iter().map(|(name, _)| *name).collect();
    assert_eq!(words, REFUSED.map(|(name, _)| name));
    for ((name, error), (_, words)) in refused.iter().zip(REFUSED) {
        assert!(error.contains(words), "{name}: {error}");
    }
    assert_eq!(no_opencv_view, NO_OPENCV_VIEW);
}

/// A file's name says nothing of its content: copies of the validation set keep the names when they are packed again.
#[test]
fn formats_are_told_by_content_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    for (number, name) in [(1, "lossy-80.webp"), (2, "24.bmp"), (3, "pillow.gif"), (4, "rgb-tiff_lzw.tif")] {
        let path = folder.path().join(format!("ILSVRC2012_val_{number:08}.JPEG"));
        std::fs::write(path, read(name)).unwrap();
    }
    let dataset = Dataset::open(folder.path(), None).unwrap();
    let census = Census::take(&dataset, 1, &AtomicBool::new(false), || ()).unwrap().unwrap();
    let kinds: Vec<(&str, usize)> =
        census.kinds.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(kinds, [("BMP, RGB", 1), ("GIF, palette", 1), ("TIFF, RGB", 1), ("WebP, RGB", 1)]);
    assert_eq!(census.unusual.len(), 4);

    let gif = Decoded::from_bytes(&read("pillow.gif")).unwrap();
    let keys = "decoder=opencv,resize=exact:8x8,filter=opencv-linear,crop=8,mean=half,std=half";
    let error = keys.parse::<Recipe>().unwrap().crop(&gif).unwrap_err().to_string();
    assert_eq!(error, "GIF file that has no view by OpenCV here: it has no decoder of GIF");
}

/// A size that a header declares costs nothing before the file has shown that it may be true.
#[test]
fn declared_sizes_are_bounded() {
    let mut bmp = read("24.bmp");
    let mut gif = read("whole.gif");
    let mut tiff = read("rgb-tiff_lzw.tif");
    let mut webp = read("lossless.webp");
    let message = |bytes: &[u8]| Decoded::from_bytes(bytes).unwrap_err().to_string();
    for (side, words) in [(60_000, "more than the limit"), (12_000, "is truncated")] {
        bmp[18..26].copy_from_slice(&[u32::to_le_bytes(side), u32::to_le_bytes(side)].concat());
        assert!(message(&bmp).contains(words), "{}", message(&bmp));
        gif[6..10].copy_from_slice(&[side as u16, side as u16].map(u16::to_le_bytes).concat());
        assert!(message(&gif).contains(words), "{}", message(&gif));
        let directory = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
        for (entry, tag) in [(0, 256_u16), (1, 257)] {
            let at = directory + 2 + 12 * entry;
            assert_eq!(tiff[at..at + 2], tag.to_le_bytes());
            // Of 32 bits, so many.
            tiff[at + 2..at + 8].copy_from_slice(b"\x04\0\x01\0\0\0");
            tiff[at + 8..at + 12].copy_from_slice(&side.to_le_bytes());
        }
        assert!(message(&tiff).contains(words), "{}", message(&tiff));
    }
    // 14 bits each, of width and height less 1.
    webp[21..25].copy_from_slice(&u32::to_le_bytes(15_999 << 14 | 15_999));
    assert!(message(&webp).contains("more than the limit"), "{}", message(&webp));
}
