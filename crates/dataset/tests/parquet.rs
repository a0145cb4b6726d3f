//! Parquet files written by Hugging Face's `datasets` and by pyarrow
//! (`tools/reference/make_fixtures_parquet.py`): read as the images that went in, refused where labels
//! would be nonsense.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use dataset::{Census, Dataset};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parquet").join(name)
}

fn open(name: &str) -> Dataset {
    Dataset::open(&fixture(name), None).unwrap_or_else(|error| panic!("{error}"))
}

fn error(name: &str) -> String {
    let error = Dataset::open(&fixture(name), None).expect_err("not a data set").to_string();
    let folder = fixture("").display().to_string();
    error.replace(&folder, "").trim_start_matches('/').to_owned()
}

/// The image that went in, from the embedded sample.
fn sample(number: usize) -> Vec<u8> {
    let (sample, name) = (Dataset::sample(), format!("sample_{number:08}.JPEG"));
    let index = sample.items().iter().position(|item| item.name == name).expect("in the sample");
    sample.read(index).expect("readable").into_owned()
}

#[test]
fn shards_of_the_hub_are_read_in_place() {
    for path in ["hub", "hub/data"] {
        let dataset = open(path);
        assert_eq!(dataset.layout().to_string(), "2 parquet files read in place");
        assert_eq!(dataset.label_source().to_string(), "column `label` of the parquet files");
        assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
        let pairs: Vec<(&str, u16)> =
            dataset.items().iter().map(|item| (item.name.as_str(), item.label)).collect();
        assert_eq!(
            pairs,
            [
                ("ILSVRC2012_val_00000001_n01751748.JPEG", 65),
                ("ILSVRC2012_val_00000002_n09193705.JPEG", 970),
                ("ILSVRC2012_val_00000003_n02105855.JPEG", 230),
                ("ILSVRC2012_val_00000004_n04263257.JPEG", 809),
                ("ILSVRC2012_val_00000005_n03125729.JPEG", 516),
            ]
        );
        for (index, number) in [13, 6, 8, 18, 7].into_iter().enumerate() {
            assert_eq!(*dataset.read(index).expect("readable"), *sample(number), "image {index}");
        }
        assert_eq!((dataset.label_check().known, dataset.label_check().wrong), (5, 0));
        // The files' order, in which a run reads: numbers 5, 3, 1, 4, 2.
        let mut order: Vec<usize> = (0..5).collect();
        order.sort_by_key(|&index| dataset.stored_at(index));
        assert_eq!(order, [4, 2, 0, 3, 1]);
    }
}

#[test]
fn several_threads_read_the_same_file() {
    let dataset = open("hub");
    for threads in [1, 8] {
        let census = Census::take(&dataset, threads, &AtomicBool::new(false), || ())
            .expect("readable")
            .expect("not stopped");
        assert_eq!((census.images, census.undecodable.len()), (5, 0));
    }
}

#[test]
fn one_shard_alone_is_a_part_of_the_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let shard = "validation-00001-of-00002.parquet";
    fs::copy(fixture("hub/data").join(shard), folder.path().join(shard)).expect("copied");
    for path in [folder.path().to_owned(), folder.path().join(shard)] {
        let dataset = Dataset::open(&path, None).expect("a data set");
        assert_eq!(dataset.items().len(), 2);
        assert_eq!(dataset.warnings(), ["1 of 2 shards are not there: 00000"]);
    }
}

#[test]
fn names_of_classes_that_are_wnids_are_translated() {
    let dataset = open("wnids.parquet");
    let pairs: Vec<(&str, u16)> =
        dataset.items().iter().map(|item| (item.name.as_str(), item.label)).collect();
    assert_eq!(pairs, [("0.jpg", 999), ("1.jpg", 0)]);
}

#[test]
fn columns_without_a_feature_are_read_and_rows_named() {
    let dataset = open("plain.parquet");
    assert_eq!(dataset.label_source().to_string(), "column `cls` of the parquet files");
    let labels: Vec<(&str, u16)> =
        dataset.items().iter().map(|item| (item.name.as_str(), item.label)).collect();
    assert_eq!(labels[..2], [("plain/00000000", 1), ("plain/00000001", 2)]);
    for (index, number) in [7, 8, 13, 18, 6].into_iter().enumerate() {
        assert_eq!(*dataset.read(index).expect("readable"), *sample(number), "row {index}");
    }
}

#[test]
fn a_list_replaces_the_labels_of_the_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("list.txt");
    fs::write(&list, "0.jpg 7\n1.jpg 8\n").expect("written");
    // Also of files whose own labels would be refused.
    for name in ["three.parquet", "wnids.parquet"] {
        let dataset = Dataset::open(&fixture(name), Some(&list)).expect("a data set");
        assert_eq!(dataset.items().iter().map(|item| item.label).collect::<Vec<_>>(), [7, 8]);
    }
}

#[test]
fn labels_of_other_classes_are_refused() {
    assert_eq!(
        error("three.parquet"),
        "three.parquet: cannot be used as a parquet file of images: its labels are indices of 3 classes of its own (cat, \
         ...), not of ILSVRC2012's 1000; give labels with a list"
    );
    assert_eq!(
        error("test.parquet"),
        "test.parquet: 2 of 2 images have a label that is no class index 0..999, first: 0.jpg has -1 (no label: a test \
         split?); give labels with a list"
    );
}

#[test]
fn a_row_without_bytes_is_that_image_s_error() {
    let dataset = open("paths.parquet");
    let without_bytes = dataset.read(0).expect_err("no bytes");
    assert!(without_bytes.concerns_one_image());
    let message = without_bytes.to_string();
    assert!(message.contains("a.jpg: cannot be read: the row has no image bytes, only a path"), "{message}");
    assert_eq!(
        error("zstd.parquet"),
        "zstd.parquet: cannot be used as a parquet file of images: it is compressed by ZSTD, which is not read; write it \
         again with Snappy, gzip, LZ4 or without compression (images do not compress)"
    );
}

#[test]
fn splits_without_validation_are_not_guessed_between() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["train-0.parquet", "extra-0.parquet"] {
        fs::copy(fixture("wnids.parquet"), folder.path().join(name)).expect("copied");
    }
    let error = Dataset::open(folder.path(), None).expect_err("two splits").to_string();
    assert!(error.contains("several splits (extra, train), none of them named validation-"), "{error}");
}

#[test]
fn a_file_that_grows_or_goes_stops_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.parquet");
    fs::copy(fixture("wnids.parquet"), &path).expect("copied");
    let dataset = Dataset::open(&path, None).expect("a data set");
    let mut bytes = fs::read(&path).expect("readable");
    bytes.push(0);
    fs::write(&path, bytes).expect("written");
    let error = dataset.read(0).expect_err("changed");
    assert!(error.to_string().contains("the file has changed since the run began"), "{error}");
    assert!(!error.concerns_one_image());
    fs::remove_file(&path).expect("removed");
    assert!(!dataset.read(0).expect_err("gone").concerns_one_image());
}

#[test]
fn a_file_that_is_replaced_stops_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.parquet");
    let copy = || fs::copy(fixture("wnids.parquet"), &path).expect("copied");
    copy();
    let dataset = Dataset::open(&path, None).expect("a data set");
    dataset.read(0).expect("readable");
    // The same length and, for once, the same content: another file all the same.
    fs::remove_file(&path).expect("removed");
    fs::write(folder.path().join("occupies the inode"), "").expect("written");
    copy();
    let error = dataset.read(0).expect_err("replaced");
    assert!(error.to_string().contains("the file has changed since the run began"), "{error}");
    assert!(!error.concerns_one_image());
}

#[test]
fn a_shard_may_call_itself_one_of_any_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x-00000-of-00100000000000000.parquet");
    fs::copy(fixture("wnids.parquet"), &path).expect("copied");
    let dataset = Dataset::open(folder.path(), None).expect("a data set");
    assert_eq!(
        dataset.warnings(),
        ["99999999999999 of 100000000000000 shards are not there: 00001, 00002, 00003, ..."]
    );
}

/// Whatever the damage: an error or bytes, never a panic.
#[test]
fn damaged_files_are_errors() {
    let whole = fs::read(fixture("hub/data/validation-00000-of-00002.parquet")).expect("readable");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.parquet");
    let try_out = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        Dataset::open(&path, None).map(|dataset| {
            (0..dataset.items().len()).map(|index| dataset.read(index).is_ok()).collect::<Vec<_>>()
        })
    };
    assert_eq!(try_out(&whole).expect("whole"), [true; 3]);
    fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    let error = Dataset::open(&path, None).expect_err("half a file").to_string();
    assert!(error.contains("is it cut off, or damaged? get it again"), "{error}");
    for cut in [0, 3, 4, 100, whole.len() / 2, whole.len() - 1] {
        try_out(&whole[..cut]).expect_err("cut off");
    }
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let footer = whole.len()
        - 8
        - u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().expect("four bytes"))
            as usize;
    let mut refused = 0;
    for round in 0..400 {
        let mut bytes = whole.clone();
        // Half of them in the footer, which says where everything is.
        let from = if round % 2 == 0 { footer } else { 0 };
        for _ in 0..=random(3) {
            let at = from + random(whole.len() - from);
            bytes[at] = random(256) as u8;
        }
        refused += usize::from(try_out(&bytes).map_or(true, |read| read.contains(&false)));
    }
    assert!(refused > 50, "{refused} of 400 were noticed");
}

#[test]
fn a_damaged_page_takes_no_neighbours_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plain.parquet");
    let mut bytes = fs::read(fixture("plain.parquet")).expect("readable");
    // A page holds one image there; the third, compressed by gzip, lies from byte 21,236 on and has 13,000.
    bytes[25_000..25_016].fill(0);
    fs::write(&path, bytes).expect("written");
    let dataset = Dataset::open(&path, None).expect("a data set");
    for (index, number) in [7, 8, 13, 18, 6].into_iter().enumerate() {
        match dataset.read(index) {
            Ok(bytes) => assert!(index != 2 && *bytes == *sample(number), "row {index}"),
            Err(error) => {
                assert!(error.concerns_one_image(), "row {index}: {error}");
                assert!(index == 2 && error.to_string().contains("cannot be read"), "row {index}: {error}");
            }
        }
    }
}

#[test]
fn numbers_alone_are_no_splits() {
    // The names of the hub's own conversion: validation/0000.parquet, validation/0001.parquet.
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("validation");
    fs::create_dir(&inner).expect("made");
    for (from, to) in [("00000-of-00002", "0000"), ("00001-of-00002", "0001")] {
        let from = fixture("hub/data").join(format!("validation-{from}.parquet"));
        fs::copy(from, inner.join(format!("{to}.parquet"))).expect("copied");
    }
    for path in [folder.path(), &inner] {
        let dataset = Dataset::open(path, None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((dataset.items().len(), dataset.warnings()), (5, &[][..]));
    }
}

/// A parquet file that has no column of images.
fn without_images() -> Vec<u8> {
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    let schema = parquet::schema::parser::parse_message_type("message m { required int64 width; }");
    let properties = std::sync::Arc::new(WriterProperties::builder().build());
    let schema = std::sync::Arc::new(schema.expect("a schema"));
    SerializedFileWriter::new(Vec::new(), schema, properties)
        .expect("a writer")
        .into_inner()
        .expect("written")
}

#[test]
fn a_parquet_file_beside_images_does_not_hide_them() {
    const NAME: &str = "ILSVRC2012_val_00000001.JPEG";
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, bytes).expect("written");
    };
    let open = || Dataset::open(folder.path(), None).unwrap_or_else(|error| panic!("{error}"));
    let skipped = |warnings: &[String]| {
        assert!(warnings.len() == 1 && warnings[0].starts_with("not read: 1 parquet file"), "{warnings:?}");
    };
    // Directly beside images, whatever is in it.
    write(NAME, b"");
    for bytes in [without_images(), fs::read(fixture("wnids.parquet")).expect("readable")] {
        write("metadata.parquet", &bytes);
        let dataset = open();
        assert_eq!((dataset.items()[0].name.as_str(), dataset.items().len()), (NAME, 1));
        skipped(dataset.warnings());
    }
    // Beside a folder of images, if there are no images in it.
    fs::remove_file(folder.path().join(NAME)).expect("removed");
    write(&format!("val/{NAME}"), b"");
    write("metadata.parquet", &without_images());
    let dataset = open();
    assert_eq!(dataset.layout().to_string(), "flat folder, found in val/");
    skipped(dataset.warnings());
    // Beside files that have images.
    write("validation-0.parquet", &fs::read(fixture("wnids.parquet")).expect("readable"));
    let dataset = open();
    assert_eq!(dataset.layout().to_string(), "a parquet file read in place");
    skipped(dataset.warnings());
}

#[test]
fn a_folder_of_parquet_files_without_images_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("metadata.parquet"), without_images()).expect("written");
    let error = Dataset::open(folder.path(), None).expect_err("no images").to_string();
    assert!(error.contains("no column holds image files"), "{error}");
}
