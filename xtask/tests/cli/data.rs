//! `dataset check` as a gate, and as the one who notices that images were replaced.

use super::*;

#[test]
fn what_the_whole_validation_set_has_beside_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = sample_as_files(&folder.path().join("val"), 3);
    let path = data.to_str().unwrap();
    printed(&mut xtask(&["dataset", "check", path]));
    let check = |code: i32, expected: &str| {
        xtask(&["dataset", "check", path, "--complete"]).assert().code(code).stdout(contains(expected));
    };
    check(1, "incomplete: 49997 of the 50000 images are not there: ILSVRC2012_val_00000004, ");
    fs::copy(data.join("ILSVRC2012_val_00000001.JPEG"), data.join("ILSVRC2012_val_00000001.jpg")).unwrap();
    check(1, "incomplete: 1 image is there twice: ILSVRC2012_val_00000001.jpg");
    // What is wrong anyway weighs more.
    fs::write(data.join("ILSVRC2012_val_00000002.JPEG"), "no image").unwrap();
    check(EXIT_WRONG, "incomplete: 1 image cannot be decoded: ILSVRC2012_val_00000002.JPEG");
}

#[test]
fn images_are_held_against_those_that_a_run_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = sample_as_files(&folder.path().join("val"), 4);
    let run = folder.path().join("run");
    fs::create_dir(&run).unwrap();
    let file = |number: usize| data.join(format!("ILSVRC2012_val_{number:08}.JPEG"));
    let [path, run_path] = [&data, &run].map(|path| path.to_str().unwrap());
    let check = |more: &[&str]| {
        let mut command = xtask(&["dataset", "check", path]);
        command.args(more);
        command
    };
    check(&["--against", run_path]).assert().code(EXIT_WRONG).stderr(contains("has no digests.csv"));
    let digests = run.join("digests.csv");
    printed(&mut check(&["--write-digests", digests.to_str().unwrap()]));
    let text = fs::read_to_string(&digests).unwrap();
    assert!(
        text.starts_with("image,sha256\nILSVRC2012_val_00000001.JPEG,") && text.lines().count() == 5,
        "{text}"
    );
    for against in [run_path, digests.to_str().unwrap()] {
        let text = printed(&mut check(&["--against", against]));
        assert!(
            text.contains("against      the same 4 images as ") && text.contains("Nothing has to be"),
            "{text}"
        );
    }
    // The same name and length, another content; one more, and one less.
    let mut bytes = fs::read(file(2)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file(2), bytes).unwrap();
    fs::rename(file(3), file(9)).unwrap();
    let differing = check(&["--against", run_path]).assert().code(EXIT_WRONG);
    let text = String::from_utf8(differing.get_output().stdout.clone()).unwrap();
    for expected in [
        "1 missing (ILSVRC2012_val_00000003",
        "1 added (ILSVRC2012_val_00000009",
        "1 changed (ILSVRC2012_val_00000002",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    fs::write(&digests, "image,label\n").unwrap();
    check(&["--against", run_path]).assert().code(EXIT_WRONG).stderr(contains("is no file of digests"));
}

#[test]
fn damaged_parquet_is_an_error_and_no_panic() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/dataset/tests/fixtures/parquet");
    let whole = fs::read(fixtures.join("paths.parquet")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    // Among these are some that make the library panic.
    for at in (0..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        fs::write(&path, bytes).unwrap();
        let output = xtask(&["dataset", "check", path.to_str().unwrap()]).output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | EXIT_WRONG)), "byte {at}: {output:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "byte {at}: {output:?}");
    }
}

/// Bit rot that still decodes: Pillow and OpenCV show it as well, and libjpeg warns of it.
#[test]
fn files_that_libjpeg_warns_of_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = sample_as_files(&folder.path().join("val"), 8);
    for number in 1..=7 {
        let file = data.join(format!("ILSVRC2012_val_{number:08}.JPEG"));
        let mut bytes = fs::read(&file).unwrap();
        let tables = bytes.windows(2).position(|pair| pair == [0xff, 0xdb]).unwrap();
        bytes.splice(tables..tables, [0; 3]);
        fs::write(&file, bytes).unwrap();
    }
    let text = printed(&mut xtask(&["dataset", "check", data.to_str().unwrap()]));
    let first =
        "ILSVRC2012_val_00000001.JPEG: 1 warning: Corrupt JPEG data: 3 extraneous bytes before marker 0xdb";
    assert!(text.contains("warned of    7, by libjpeg") && text.contains(first), "{text}");
    assert!(
        text.contains("and 2 more: ILSVRC2012_val_00000006.JPEG, ILSVRC2012_val_00000007.JPEG"),
        "{text}"
    );
    assert!(text.contains("7 files may be damaged") && !text.contains("Nothing has to be mended"), "{text}");
}
