//! What is the same in every layout: the fingerprint, and the errors of damaged images.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::Folder;
use dataset::{Census, Dataset, labels};

const FINGERPRINT: &str = "377b58d06b39eea8f97002c61ada7c19b500e765cbcded0543baf759324bb5f3";

const SAMPLE_FINGERPRINT: &str = "627544d8b31bf9a6c2316bda9274d3d9971cf28a46694282547ab5ad53359b1a";

#[test]
fn the_fingerprint_is_as_documented() {
    let folder = Folder::new(&[("a.JPEG", "12345"), ("b.JPEG", ""), ("val.txt", "a.JPEG 3\nb.JPEG 7\n")]);
    // printf 'a.JPEG\0003\0005\nb.JPEG\0007\0000\n' | sha256sum
    assert_eq!(folder.open().fingerprint(), FINGERPRINT);
    let sample = Dataset::sample();
    assert_eq!((sample.items().len(), sample.is_sample()), (24, true));
    assert_eq!(sample.layout().to_string(), "embedded sample");
    assert_eq!(sample.label_source().to_string(), "sample");
    assert_eq!(sample.fingerprint(), SAMPLE_FINGERPRINT);
}

/// An image cut in half, one of zero bytes, a text, and a whole one.
fn damaged_images() -> [Vec<u8>; 4] {
    let sample = Dataset::sample();
    let read = |number: usize| {
        let name = format!("sample_{number:08}.JPEG");
        let index = sample.items().iter().position(|item| item.name == name).expect("in the sample");
        sample.read(index).expect("readable").into_owned()
    };
    let mut half = read(18);
    half.truncate(half.len() / 2);
    [half, Vec::new(), b"not an image".to_vec(), read(7)]
}

/// Whatever the arrangement, what is wrong with an image is that image's error, and the same one.
#[test]
fn damaged_images_are_the_same_errors_in_every_layout() {
    let folder = Folder::new(&[]);
    let images = damaged_images();
    let wnid = |index: usize| labels::synsets()[index].wnid;
    let mut tar = tar::Builder::new(Vec::new());
    let mut list = String::new();
    for (index, bytes) in images.iter().enumerate() {
        let name = format!("ILSVRC2012_val_{:08}.JPEG", index + 1);
        for path in [
            format!("flat/{name}"),
            format!("wnid/{}/{name}", wnid(index)),
            format!("numbers/{index}/{name}"),
        ] {
            let path = folder.path(&path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        list += &format!("flat/{name} {index}\n");
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, &name, bytes.as_slice()).expect("appended");
    }
    fs::write(folder.path("images.tar"), tar.into_inner().expect("whole")).expect("written");
    folder.write("list.txt", &list);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parquet/damaged.parquet");
    let places = ["flat", "wnid", "numbers", "images.tar", "list.txt"].map(|name| folder.path(name));
    for place in places.into_iter().chain([fixture]) {
        let dataset = Dataset::open(&place, None).unwrap_or_else(|error| panic!("{error}"));
        let census = Census::take(&dataset, 2, &AtomicBool::new(false), || ())
            .expect("readable")
            .expect("not stopped");
        let reasons: Vec<&str> = census.undecodable.iter().map(|(_, reason)| reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "JPEG file is truncated: its data end before the last row of pixels",
                "zero-byte file",
                "not an image: begins with text \"not an image\"",
            ],
            "{}",
            place.display()
        );
    }
}
