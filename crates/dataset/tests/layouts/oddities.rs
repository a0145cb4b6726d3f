//! Paths that are no data set, and files that are no files: links, pipes, devices, names with line breaks.

use std::fs;
use std::sync::atomic::AtomicBool;

use super::{Folder, VAL_1, VAL_2};
use dataset::{Census, Dataset, DatasetError};

#[test]
fn paths_that_are_no_data_set() {
    let folder = Folder::images(&["a.JPEG", "b.JPEG", VAL_1]);
    let message = folder.error();
    assert!(message.starts_with("DIR: 2 of 3 images have no label: a.JPEG, b.JPEG; "), "{message}");
    let message = folder.open_at("a.JPEG").unwrap_err().to_string();
    assert!(message.ends_with("a.JPEG: is one image; give the folder that holds the images"), "{message}");
    let message = folder.open_at("nowhere").unwrap_err().to_string();
    assert!(message.contains("nowhere: no such file or folder"), "{message}");
    let empty = Folder::new(&[("notes.md", ""), ("sub/notes.md", "")]);
    assert!(
        empty.error().starts_with("DIR: no images (.jpg, .jpeg, .png) in it, nor in val, "),
        "{}",
        empty.error()
    );
}

#[cfg(unix)]
#[test]
fn links_that_lead_back_are_no_unread_folders() {
    use std::os::unix::fs::symlink;
    let folder = Folder::images(&[VAL_1, "val/notes.md"]);
    symlink(folder.path(""), folder.path("again")).unwrap();
    symlink("..", folder.path("val/val")).unwrap();
    symlink("round", folder.path("round")).unwrap();
    let warnings = folder.open().warnings().to_vec();
    // `val/val` leads to the images once more; `val` is told of, and nothing hangs.
    assert!(warnings.len() == 1 && warnings[0].contains(" (val); "), "{warnings:?}");
}

#[cfg(unix)]
#[test]
fn names_that_break_a_line_are_refused() {
    let message = Folder::images(&[VAL_1, "b\nc.JPEG"]).error();
    assert!(
        message.ends_with(
            "b\\nc.JPEG\": the name has a control character in it (a line break or tab?); \
                               rename the file"
        ),
        "{message}"
    );
    let folder = Folder::new(&[("b\tc.JPEG", ""), ("list", "b\tc.JPEG 3\n")]);
    let message = folder.open_at("list").unwrap_err().to_string();
    assert!(message.contains("b\\tc.JPEG\": the name has a control character"), "{message}");
    let folder = Folder::new(&[("s\n/c.JPEG", ""), ("val.txt", "c.JPEG 3\n")]);
    assert!(folder.error().contains("s\\n/c.JPEG\": the name has"), "{}", folder.error());
}

#[cfg(unix)]
#[test]
fn a_list_is_no_pipe_and_no_device() {
    let folder = Folder::images(&[VAL_1]);
    let pipe = folder.path("list");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    for list in [pipe.as_path(), "/dev/zero".as_ref()] {
        for opened in [Dataset::open(list, None), Dataset::open(&folder.path(""), Some(list))] {
            let error = opened.expect_err("no list").to_string();
            assert!(error.contains("not a regular file"), "{error}");
        }
        let known = dataset::KnownLabels::from_list(list).expect_err("no list").to_string();
        assert!(known.contains("not a regular file"), "{known}");
    }
}

#[cfg(unix)]
#[test]
fn a_dead_link_is_that_images_error() {
    use std::os::unix::fs::symlink;
    const VAL_3: &str = "ILSVRC2012_val_00000003.JPEG";
    let folder = Folder::images(&[VAL_1, VAL_3]);
    symlink("/nowhere/at/all.JPEG", folder.path(VAL_2)).unwrap();
    folder.write("list", &format!("{VAL_1} 65\n{VAL_2} 970\n{VAL_3} 230\n"));
    for path in ["", "list"] {
        let dataset = folder.open_at(path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(dataset.items().len(), 3);
        let warning = &dataset.warnings()[0];
        assert!(
            warning.starts_with("1 of 3 images are links to files that are not there")
                && warning.contains(VAL_2),
            "{warning}"
        );
        let error = dataset.read(1).unwrap_err();
        assert!(error.concerns_one_image(), "{error}");
        assert!(error.to_string().contains("it is a link to a file that is not there"), "{error}");
        let census = Census::take(&dataset, 2, &AtomicBool::new(false), || ())
            .expect("reachable")
            .expect("not stopped");
        assert!(census.undecodable.iter().any(|(name, _)| name == VAL_2), "{:?}", census.undecodable);
        assert_eq!(census.digests.len(), 2);
        assert_eq!(dataset.fingerprint().len(), 64);
    }
    // What was there and is gone is a disk that went away, also where it is a link.
    let target = Folder::images(&["real.JPEG"]);
    let dataset = {
        fs::remove_file(folder.path(VAL_2)).unwrap();
        symlink(target.path("real.JPEG"), folder.path(VAL_2)).unwrap();
        folder.open()
    };
    fs::remove_file(target.path("real.JPEG")).unwrap();
    assert!(!dataset.read(1).unwrap_err().concerns_one_image());
    // No image can be reached: nothing to evaluate.
    let folder = Folder::new(&[]);
    symlink("/nowhere/at/all.JPEG", folder.path(VAL_2)).unwrap();
    assert!(folder.error().contains("is a disk not mounted?"), "{}", folder.error());
}

#[cfg(unix)]
#[test]
fn a_class_folder_that_is_a_dead_link_is_named() {
    let folder = Folder::images(&["n01440764/a.JPEG"]);
    std::os::unix::fs::symlink("/nowhere", folder.path("n01443537")).unwrap();
    let warnings = folder.open().warnings().join("\n");
    assert!(warnings.contains("not read: 1 folder") && warnings.contains("(n01443537)"), "{warnings}");
}

#[test]
fn a_file_with_a_hole_is_not_read_into_memory() {
    let folder = Folder::images(&[VAL_1, VAL_2]);
    fs::File::create(folder.path(VAL_1)).and_then(|file| file.set_len(1 << 42)).expect("a hole");
    let error = folder.open().read(0).expect_err("too long");
    assert!(
        error.concerns_one_image() && error.to_string().contains("it has 4398046511104 bytes"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn pipes_sockets_and_devices_do_not_hang() {
    use std::os::unix::{fs::symlink, net::UnixListener};
    let folder = Folder::images(&["n01440764/a.JPEG"]);
    symlink("/dev/zero", folder.path("n01440764/b.JPEG")).unwrap();
    let _socket = UnixListener::bind(folder.path("n01440764/c.JPEG")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(folder.path("n01440764/d.JPEG")).status();
    let dataset = folder.open();
    assert_eq!(dataset.items().len(), 3 + usize::from(pipe.is_ok_and(|status| status.success())));
    assert!(dataset.read(0).is_ok());
    for index in 1..dataset.items().len() {
        let error = dataset.read(index).unwrap_err();
        assert!(matches!(error, DatasetError::NotAFile { .. }), "{error}");
        assert!(error.to_string().contains(".JPEG: is not a regular file (a pipe or device?)"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn symbolic_links() {
    use std::os::unix::fs::symlink;
    let target = Folder::new(&[("real.bin", "pixels")]);
    let folder = Folder::images(&["n01440764/a.JPEG"]);
    symlink(target.path("real.bin"), folder.path("n01440764/b.JPEG")).unwrap();
    symlink(folder.path(""), folder.path("n01440764/loop")).unwrap();
    symlink("self.JPEG", folder.path("n01440764/self.JPEG")).unwrap();
    let dataset = folder.open();
    let names: Vec<&str> = dataset.items().iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["n01440764/a.JPEG", "n01440764/b.JPEG", "n01440764/self.JPEG"]);
    assert_eq!(&*dataset.read(1).unwrap(), b"pixels");
    assert!(dataset.warnings()[0].contains("links to files that are not there"), "{:?}", dataset.warnings());
    let message = dataset.read(2).unwrap_err().to_string();
    assert!(message.contains("self.JPEG: cannot be read"), "{message}");
}

#[cfg(unix)]
#[test]
fn unreadable_folders_say_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::images(&["val/a.JPEG"]);
    let closed = folder.path("val");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads everything: nothing to see then.
    if fs::read_dir(&closed).is_err() {
        let message = folder.error();
        assert!(message.starts_with("val: cannot be read: ") && message.contains("chmod"), "{message}");
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn data_that_went_away_is_no_property_of_the_images() {
    let folder = Folder::images(&[VAL_1]);
    let dataset = folder.open();
    fs::remove_file(folder.path(VAL_1)).expect("removed");
    assert!(!dataset.read(0).expect_err("gone").concerns_one_image());
    let census = Census::take(&dataset, 2, &AtomicBool::new(false), || ());
    let error = census.expect_err("nothing to look at").to_string();
    assert!(error.contains(&format!("{VAL_1}: cannot be read")), "{error}");
}
