//! Damaged and rare files, each against what Pillow 9.5.0 and OpenCV 4.5.5 make of it (`fixtures/damaged`, made by
//! `tools/reference/make_fixtures_damaged.py`): the same pixels in each view, or an error that says why; never another picture.

use std::path::Path;

use dataset::{Decoded, Decoder};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What is expected of a file.
enum Expected {
    /// Pillow's and OpenCV's own pixels, and no warnings.
    Same,
    /// Their pixels, and warnings that read like this.
    Warned(&'static str),
    /// An error that has these words in it.
    Error(&'static str),
}
use Expected::{Error, Same, Warned};

const FILES: [(&str, Expected); 43] = [
    ("sampling-1x2.jpg", Same),
    ("sampling-4x1.jpg", Same),
    ("sampling-mixed.jpg", Same),
    ("sampling-rgb.jpg", Same),
    ("restarts.jpg", Same),
    ("cmyk-progressive.jpg", Same),
    ("trailing-bytes.jpg", Same),
    // Flipped bits that still decode, into pictures that nobody can tell from others.
    ("flipped-alike.jpg", Same),
    ("flipped-progressive.jpg", Same),
    // Here the transforms of the two overflow differently.
    ("flipped-apart.jpg", Warned("1 warning: Corrupt JPEG data: 31 extraneous bytes before marker 0xd9")),
    ("wrong-restart.jpg", Warned("1 warning: Corrupt JPEG data: found marker 0xd5 instead of RST1")),
    ("marker-in-data.jpg", Warned("1 warning: Corrupt JPEG data: premature end of data segment")),
    ("extraneous-bytes.jpg", Warned("1 warning: Corrupt JPEG data: 3 extraneous bytes before marker 0xda")),
    ("missing-scans.jpg", Error("JPEG file with missing scans")),
    ("missing-component.jpg", Error("JPEG file with missing scans")),
    ("arithmetic.jpg", Error("JPEG file with arithmetic coding, which is not read")),
    ("arithmetic-progressive.jpg", Error("JPEG file with arithmetic coding, which is not read")),
    ("padded-data.jpg", Error("a byte 0xff of the data is written as more than 0xff 0x00")),
    ("no-end.jpg", Error("JPEG file is truncated")),
    ("cut.jpg", Error("JPEG file is truncated")),
    ("two-scans.jpg", Error("corrupt JPEG file: Didn't expect more than one scan")),
    ("short-jfif.jpg", Error("corrupt JPEG file: PIL refuses its JFIF segment")),
    ("impossible-exif.jpg", Warned("1 warning: Corrupt JPEG data: 4 extraneous bytes before marker 0xe1")),
    // Colours that a palette lacks are grey to PIL and black to OpenCV.
    ("palette-short.png", Same),
    ("palette-1-interlaced.png", Same),
    ("palette-2.png", Same),
    ("grey-1.png", Same),
    ("grey-2-interlaced.png", Same),
    ("grey-4.png", Same),
    ("grey-alpha-interlaced.png", Same),
    ("rgb-alpha.png", Same),
    ("rgb-16.png", Error("PNG file with 16 bits a channel, which is not read")),
    ("no-end.png", Error("PNG file is truncated")),
    ("ancillary-checksum.png", Error("chunk gAMA: its checksum is wrong")),
    ("ancillary-checksum-late.png", Error("chunk tEXt: its checksum is wrong")),
    ("ancillary-short.png", Error("chunk pHYs: PIL refuses its size")),
    ("pixels-checksum.png", Error("its pixels cannot be inflated")),
    ("pixels-end.png", Error("PNG file is truncated")),
    ("pixels-more.png", Error("more pixels than its header announces")),
    ("exif-byte-order.png", Error("chunk eXIf: OpenCV refuses its byte order")),
    ("unknown-critical.png", Error("chunk ABCD: not known, and marked as necessary")),
    ("animation.png", Error("PNG file with an animation, which is not read")),
    ("text-interlace.png", Error("chunk tEXt: its keyword changes how PIL reads the image")),
];

#[test]
fn each_view_is_its_librarys_or_an_error_says_why() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/damaged");
    let answers = std::fs::read(folder.join("answers.json")).unwrap();
    let answers: Value = serde_json::from_slice(&answers).unwrap();
    assert_eq!(answers.as_object().map(serde_json::Map::len), Some(FILES.len()));
    for (name, expected) in FILES {
        let frozen = |library: &str| answers[name][library].as_str().unwrap().to_owned();
        let decoded = Decoded::from_bytes(&std::fs::read(folder.join(name)).unwrap());
        let warnings = match (expected, &decoded) {
            (Error(words), Err(error)) => {
                assert!(error.to_string().contains(words), "{name}: {error}");
                continue;
            }
            (Same, Ok(_)) => "no warnings",
            (Warned(words), Ok(_)) => words,
            (Error(_), Ok(_)) => panic!("{name}: decoded"),
            (_, Err(error)) => panic!("{name}: {error}"),
        };
        let decoded = decoded.unwrap();
        assert_eq!(decoded.warnings().to_string(), warnings, "{name}");
        for (decoder, library) in [(Decoder::Pil, "pil"), (Decoder::OpenCv, "opencv")] {
            let image = decoded.view(decoder).unwrap();
            let hash: String = Sha256::digest(&image.pixels).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(
                format!("{}x{} {hash}", image.width, image.height),
                frozen(library),
                "{name}: {library}"
            );
        }
    }
}
