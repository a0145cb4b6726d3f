//! Tar archives read in place, and those that are refused.

use std::fs;

use super::{Folder, VAL_1, VAL_2, pairs};

/// A tar archive of files with their names as content.
fn tar_of(names: &[&str]) -> Vec<u8> {
    tar_with_links(&[], names)
}

/// As GNU tar stores a file that has several names: the first with its content, the others as links to it.
fn tar_with_links(links: &[(&str, &str)], names: &[&str]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for name in names {
        let mut header = tar::Header::new_gnu();
        header.set_size(name.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, name.as_bytes()).expect("appended");
    }
    for (name, target) in links {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Link);
        header.set_size(0);
        archive.append_link(&mut header, name, target).expect("appended");
    }
    archive.into_inner().expect("finished")
}

#[test]
fn a_tar_archive_is_read_in_place() {
    let folder = Folder::new(&[]);
    let tar = folder.path("ILSVRC2012_img_val.tar");
    let long = format!("val/{}/ü {VAL_1}", "n01440764");
    for (names, expected, layout) in [
        (vec![VAL_2, VAL_1, "._x.JPEG", "readme.txt"], vec![(VAL_1, 65), (VAL_2, 970)], "flat folder"),
        (vec!["./val/ILSVRC2012_val_00000001.JPEG"], vec![(VAL_1, 65)], "flat folder"),
        (
            vec![&*long, "val/n01443537/b.JPEG"],
            vec![(&long["val/".len()..], 0), ("n01443537/b.JPEG", 1)],
            "a folder a class (2 of 1000 classes)",
        ),
        (
            vec!["imagenetv2/9/a.jpeg", "imagenetv2/10/a.jpeg"],
            vec![("10/a.jpeg", 10), ("9/a.jpeg", 9)],
            "a folder a class, by number (2 of 1000 classes)",
        ),
        (vec!["n01443537/a.JPEG"], vec![("n01443537/a.JPEG", 1)], "a folder a class (1 of 1000 classes)"),
    ] {
        fs::write(&tar, tar_of(&names)).expect("written");
        let dataset = folder.open_at("ILSVRC2012_img_val.tar").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pairs(&dataset), expected);
        assert_eq!(dataset.layout().to_string(), format!("tar archive read in place, {layout}"));
        for (index, item) in dataset.items().iter().enumerate() {
            let content = dataset.read(index).expect("read");
            assert!(content.ends_with(item.name.as_bytes()), "{}", item.name);
        }
    }
}

#[test]
fn the_labels_of_a_tar_archive_may_lie_beside_it() {
    let folder = Folder::new(&[("val.txt", "b.JPEG 7\na.JPEG 3\n")]);
    fs::write(folder.path("images.bin"), tar_of(&["a.JPEG", "b.JPEG"])).expect("written");
    let dataset = folder.open_at("images.bin").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(pairs(&dataset), [("a.JPEG", 3), ("b.JPEG", 7)]);
    // The same images have the same fingerprint, whether unpacked or not.
    let unpacked =
        Folder::new(&[("val.txt", "b.JPEG 7\na.JPEG 3\n"), ("a.JPEG", "a.JPEG"), ("b.JPEG", "b.JPEG")]);
    assert_eq!(dataset.fingerprint(), unpacked.open().fingerprint());
    fs::remove_file(folder.path("val.txt")).expect("removed");
    let error = folder.open_at("images.bin").expect_err("no labels").to_string();
    assert!(error.contains("2 of 2 images have no label"), "{error}");
}

#[test]
fn damaged_archives_are_refused() {
    let folder = Folder::new(&[]);
    let tar = folder.path("val.tar");
    let whole = tar_of(&[VAL_1, VAL_2]);
    // A header, a block of content, and again; then the end mark.
    for (length, reason) in [
        (whole.len() - 1024, "it has no end mark after its 2 images, so it is cut off"),
        (1024 + 512 + 5, "it ends in the middle of ILSVRC2012_val_00000002.JPEG, after 1 whole images"),
        (1024 + 100, "after 1 images its next header is broken"),
        (1024, "it has no end mark after its 1 images"),
    ] {
        fs::write(&tar, &whole[..length]).expect("written");
        let error = folder.open_at("val.tar").expect_err("damaged").to_string();
        assert!(error.contains(reason), "{length}: {error}");
    }
    let message = |content: &[u8]| {
        fs::write(&tar, content).expect("written");
        folder.open_at("val.tar").expect_err("not a data set").to_string()
    };
    assert!(
        message(&tar_of(&[VAL_1, VAL_1]))
            .contains("ILSVRC2012_val_00000001.JPEG is in this archive more than once")
    );
    assert!(message(&tar_of(&["notes.txt"])).contains("no images (.jpg, .jpeg, .png) in this archive"));
    assert!(message(&tar_of(&["a/b/x.JPEG", "c/y.JPEG"])).contains("folders of several levels"));
    assert!(
        message(&tar_of(&["a/x.JPEG", "c/y.JPEG"])).contains("2 subfolders with images are not named by")
    );
    assert!(message(b"\x1f\x8b\x08 and so on").contains("is compressed by gzip"));
    assert!(message(b"no tar at all").contains("val.tar: the archive is damaged"));
    // Replaced by a shorter one while it is open.
    fs::write(&tar, &whole).expect("written");
    let dataset = folder.open_at("val.tar").unwrap_or_else(|error| panic!("{error}"));
    fs::write(&tar, b"").expect("written");
    assert!(dataset.read(0).is_err());
}

#[test]
fn hard_links_in_an_archive_are_their_targets() {
    let folder = Folder::new(&[]);
    let tar = folder.path("val.tar");
    let [first, second] = [VAL_1, VAL_2].map(|name| format!("val/{name}"));
    // GNU tar writes `./` before both, or before none; the target need not be an image by name.
    for (target, link) in [(&first, first.clone()), (&"blob.bin".to_owned(), "./blob.bin".to_owned())] {
        fs::write(&tar, tar_with_links(&[(&second, &link)], &[target])).expect("written");
        let dataset = folder.open_at("val.tar").unwrap_or_else(|error| panic!("{error}"));
        let last = dataset.items().len() - 1;
        assert_eq!(dataset.items()[last].name, VAL_2);
        assert_eq!(&*dataset.read(last).expect("read"), target.as_bytes());
    }
    let message = |links: &[(&str, &str)]| {
        fs::write(&tar, tar_with_links(links, &[VAL_1])).expect("written");
        folder.open_at("val.tar").expect_err("a link to nothing").to_string()
    };
    let error = message(&[(VAL_2, "elsewhere/x.JPEG")]);
    assert!(error.contains(&format!("{VAL_2} is a link to elsewhere/x.JPEG")), "{error}");
    assert!(error.contains("--hard-dereference") && !error.contains("damaged"), "{error}");
    // As GNU tar stores a file that its command line names twice.
    fs::write(&tar, tar_with_links(&[(VAL_1, VAL_1)], &[VAL_1])).expect("written");
    assert_eq!(folder.open_at("val.tar").expect("a data set").items().len(), 1);
}

#[test]
fn other_entries_under_an_images_name_say_what_to_do() {
    let folder = Folder::new(&[]);
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    archive.append_link(&mut header, VAL_1, "../real.JPEG").expect("appended");
    fs::write(folder.path("val.tar"), archive.into_inner().expect("finished")).expect("written");
    let error = folder.open_at("val.tar").expect_err("a symbolic link").to_string();
    assert!(error.contains("--dereference") && !error.contains("damaged"), "{error}");
}
