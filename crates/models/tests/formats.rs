//! Weight files of Keras and Paddle against the strict loader: files that the frameworks wrote
//! (`fixtures/README.md` says what is in each) for narrow networks, and the frameworks' logits.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod narrow;

use std::path::Path;

use narrow::{Loaded, assert_close, fixture, frozen, load, logits, refusal};

fn assert_logits(network: &Loaded, source: &str, file: &str) {
    assert_close(file, &logits(network), &frozen(source, "logits"), 2e-4);
}

#[test]
fn every_form_that_the_frameworks_write_gives_their_logits() {
    let files = [
        ("keras", "narrow-keras.h5"),
        ("keras", "narrow-keras-renumbered.h5"),
        ("keras", "narrow-tf215.weights.h5"),
        ("keras", "narrow-tf215.keras"),
        ("keras", "narrow-keras3.weights.h5"),
        ("keras", "narrow-keras3.keras"),
        ("paddle", "narrow-paddle26.pdparams"),
        ("paddle", "narrow-paddle26-protocol2.pdparams"),
        ("paddle", "narrow-paddle-table.pdparams"),
        ("paddle", "narrow-paddle-python2.pdparams"),
        ("paddle", "narrow-paddle-tuples.pdparams"),
        ("paddle", "narrow-paddle-fortran.pdparams"),
    ];
    for (source, file) in files {
        let network = load(source, &fixture(file)).unwrap_or_else(|error| panic!("{error}"));
        assert_logits(&network, source, file);
    }
}

#[test]
fn a_file_is_known_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("keras", "narrow-keras.h5"),
        ("keras", "narrow-keras3.keras"),
        ("paddle", "narrow-paddle26.pdparams"),
    ];
    for (source, file) in files {
        let path = folder.path().join("weights.bin");
        std::fs::copy(fixture(file), &path).unwrap();
        load(source, &path).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn an_archive_of_keras_that_was_packed_again_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.keras");
    for (file, method) in [
        ("narrow-keras3.keras", zip::CompressionMethod::Deflated),
        ("narrow-tf215.keras", zip::CompressionMethod::Deflated),
        ("narrow-keras3.keras", zip::CompressionMethod::Stored),
    ] {
        pack_again(&fixture(file), &path, method);
        let network = load("keras", &path).unwrap_or_else(|error| panic!("{error}"));
        assert_logits(&network, "keras", file);
    }
    // By a method that is not read here, which bzip2's number in the two headers stands for.
    pack_again(&fixture("narrow-keras3.keras"), &path, zip::CompressionMethod::Stored);
    let mut bytes = std::fs::read(&path).unwrap();
    for (header, place) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
        let starts: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..at + 4] == *header).collect();
        starts.into_iter().for_each(|start| bytes[start + place] = 12);
    }
    std::fs::write(&path, &bytes).unwrap();
    let message = refusal("keras", &path);
    assert!(message.contains("its model.weights.h5 is compressed by a method"), "{message}");
    assert!(message.contains("unpack it and use that file"), "{message}");
}

/// The members of the archive at `from`, compressed by `method`, in an archive at `to`.
fn pack_again(from: &Path, to: &Path, method: zip::CompressionMethod) {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(from).unwrap()).unwrap();
    let mut out = zip::ZipWriter::new(std::fs::File::create(to).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let name = member.name().unwrap().into_owned();
        out.start_file(name, options).unwrap();
        std::io::copy(&mut member, &mut out).unwrap();
    }
    out.finish().unwrap();
}

#[test]
fn keras_layers_in_another_order_or_number_are_named() {
    let message = refusal("keras", &fixture("narrow-keras-swapped.h5"));
    assert!(message.contains("block6_sepconv1 stands where block5_sepconv1 belongs"), "{message}");
    let message = refusal("keras", &fixture("narrow-keras-missing.h5"));
    assert!(message.contains("80 layers with weights, the network 81"), "{message}");
    assert!(message.contains("block9_sepconv2 is not among them"), "{message}");
}

#[test]
fn a_pickle_that_names_a_function_is_refused_and_not_run() {
    // Executed, these would run a shell and evaluate Python.
    for (file, name) in [
        ("narrow-paddle-evil-system-2.pdparams", "posix.system"),
        ("narrow-paddle-evil-system-4.pdparams", "posix.system"),
        ("narrow-paddle-evil-eval-2.pdparams", "__builtin__.eval"),
        ("narrow-paddle-evil-eval-4.pdparams", "builtins.eval"),
    ] {
        let message = refusal("paddle", &fixture(file));
        assert!(message.contains(&format!("it names {name}, which no array needs")), "{message}");
    }
}

#[test]
fn a_file_of_another_framework_is_refused_with_its_name() {
    for (source, file) in [
        ("timm", "narrow-paddle26.pdparams"),
        ("timm", "narrow-keras.h5"),
        ("paddle", "narrow-zip.pth"),
        ("paddle", "narrow-keras3.keras"),
        ("keras", "narrow-legacy.pth"),
        ("keras", "narrow-paddle-table.pdparams"),
    ] {
        let message = refusal(source, &fixture(file));
        assert!(message.contains(file) && message.contains("fit the network"), "{message}");
    }
}
