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

/// As POSIX's form has it: keywords before a member.
fn tar_with_keywords(keywords: &[(&str, &str)], name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let keywords = keywords.iter().map(|(key, value)| (*key, value.as_bytes()));
    archive.append_pax_extensions(keywords).expect("appended");
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, content).expect("appended");
    archive.into_inner().expect("finished")
}

#[test]
fn sparse_members_are_refused_by_name() {
    let folder = Folder::new(&[]);
    let open = |bytes: &[u8]| {
        fs::write(folder.path("val.tar"), bytes).expect("written");
        folder.open_at("val.tar").map_err(|error| error.to_string())
    };
    // The three forms in which GNU tar writes --sparse archives.
    let apart = format!("val/{VAL_1}");
    for (keywords, name) in [
        (vec![("GNU.sparse.numblocks", "1"), ("GNU.sparse.size", "9")], VAL_1),
        (vec![("GNU.sparse.map", "0,3"), ("GNU.sparse.name", &*apart)], "GNUSparseFile.7/x"),
        (
            vec![("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", &*apart)],
            "val/GNUSparseFile.7/x.JPEG",
        ),
    ] {
        let error = open(&tar_with_keywords(&keywords, name, b"1\n0\n3\n")).expect_err("sparse");
        assert!(error.contains(&format!("{VAL_1} is stored as a sparse file")), "{error}");
        assert!(error.contains("without --sparse"), "{error}");
    }
    // Before POSIX's: a kind of its own.
    let mut header = tar::Header::new_gnu();
    header.set_path(VAL_1).expect("a name");
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_size(0);
    header.as_gnu_mut().expect("GNU's form").set_real_size(0);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, &b""[..]).expect("appended");
    let error = open(&archive.into_inner().expect("finished")).expect_err("sparse");
    assert!(error.contains("is stored as a sparse file"), "{error}");
    // One that is no image does no harm, and other keywords do none either.
    let mut both =
        tar_with_keywords(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "notes.txt")], "x", b"abc");
    both.truncate(both.len() - 1024);
    both.extend(tar_with_keywords(&[("mtime", "1.5")], VAL_1, b"pixels"));
    let dataset = open(&both).expect("a data set");
    assert_eq!(pairs(&dataset), [(VAL_1, 65)]);
    assert_eq!(&*dataset.read(0).expect("read"), b"pixels");
}

#[test]
fn an_archive_that_is_replaced_stops_the_run() {
    let folder = Folder::new(&[]);
    let (tar, other) = (folder.path("val.tar"), folder.path("other.tar"));
    let replaced = |replace: &dyn Fn()| {
        fs::write(&tar, tar_of(&[VAL_1, VAL_2])).expect("written");
        let dataset = folder.open_at("val.tar").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(&*dataset.read(0).expect("read"), VAL_1.as_bytes());
        replace();
        let error = dataset.read(0).expect_err("replaced");
        assert!(!error.concerns_one_image(), "{error}");
        error.to_string()
    };
    // By another of the same length, whose images lie the other way round.
    let swapped = tar_of(&[VAL_2, VAL_1]);
    let error = replaced(&|| {
        fs::write(&other, &swapped).expect("written");
        fs::rename(&other, &tar).expect("replaced");
    });
    assert!(error.contains("the file has changed since the run began"), "{error}");
    // Written over in place, a second later.
    let error = replaced(&|| {
        fs::write(&tar, &swapped).expect("written");
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
        fs::File::options().write(true).open(&tar).and_then(|file| file.set_modified(later)).expect("set");
    });
    assert!(error.contains("the file has changed since the run began"), "{error}");
}

#[test]
fn a_list_in_an_archive_is_read() {
    let folder = Folder::new(&[]);
    let tar_of = |files: &[(&str, &str)]| {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, content.as_bytes()).expect("appended");
        }
        fs::write(folder.path("val.tar"), archive.into_inner().expect("finished")).expect("written");
        folder.open_at("val.tar")
    };
    for (list, lines) in [
        ("val.txt", "set/val/a.JPEG 3\nset/val/b.JPEG 7\n"),
        ("set/val.txt", "val/a.JPEG 3\nval/b.JPEG 7\n"),
        ("set/val/val_list.txt", "a.JPEG 3\n./b.JPEG 7\n"),
        ("./labels.txt", "a.JPEG,3\nb.JPEG,7\n"),
    ] {
        let dataset = tar_of(&[("set/val/a.JPEG", "a"), ("set/val/b.JPEG", "b"), (list, lines)])
            .unwrap_or_else(|error| panic!("{list}: {error}"));
        assert_eq!(pairs(&dataset), [("a.JPEG", 3), ("b.JPEG", 7)], "{list}");
        let source = dataset.label_source().to_string();
        assert!(source.starts_with("list ") && source.ends_with(list.trim_start_matches("./")), "{source}");
    }
    // It gives meaning to any folders, and is refused as one beside would be.
    let dataset =
        tar_of(&[("s1/a.JPEG", ""), ("s2/deep/b.JPEG", ""), ("val.txt", "s1/a.JPEG 3\ns2/deep/b.JPEG 7\n")]);
    assert_eq!(pairs(&dataset.expect("a data set")), [("s1/a.JPEG", 3), ("s2/deep/b.JPEG", 7)]);
    let error = tar_of(&[("a.JPEG", ""), ("val.txt", "a.JPEG tench\n")]).expect_err("no number").to_string();
    assert!(error.contains("val.tar/val.txt, line 1: the label \"tench\" is not a number"), "{error}");
    // The option wins.
    folder.write("named", "a.JPEG 5\n");
    tar_of(&[("a.JPEG", ""), ("val.txt", "a.JPEG 3\n")]).expect("a data set");
    let named =
        dataset::Dataset::open(&folder.path("val.tar"), Some(&folder.path("named"))).expect("a data set");
    assert_eq!(pairs(&named), [("a.JPEG", 5)]);
}

#[test]
fn a_stray_image_in_an_archive_does_not_hide_class_folders() {
    let folder = Folder::new(&[]);
    let names = ["val/n01440764/a.JPEG", "val/n01443537/b.JPEG", "val/preview.jpg"];
    fs::write(folder.path("val.tar"), tar_of(&names)).expect("written");
    let dataset = folder.open_at("val.tar").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(pairs(&dataset), [("n01440764/a.JPEG", 0), ("n01443537/b.JPEG", 1)]);
    assert!(dataset.warnings()[0].contains("(preview.jpg)"), "{:?}", dataset.warnings());
    let mut names: Vec<String> = (0..10).map(|class| format!("{class}/a.jpeg")).collect();
    names.push(VAL_1.to_owned());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    fs::write(folder.path("val.tar"), tar_of(&names)).expect("written");
    let dataset = folder.open_at("val.tar").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(dataset.items().len(), 10);
    assert!(dataset.warnings()[0].contains(&format!("({VAL_1})")), "{:?}", dataset.warnings());
}

#[test]
fn one_file_of_several_names_in_an_archive() {
    let folder = Folder::new(&[]);
    fs::write(folder.path("val.tar"), tar_of(&[VAL_1, &format!("./{VAL_1}")])).expect("written");
    let error = folder.open_at("val.tar").expect_err("twice").to_string();
    assert!(error.contains("is in this archive more than once"), "{error}");
}
