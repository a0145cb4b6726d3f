//! Paths that are no data set, and files that are no files: links, pipes, devices, names with line breaks.

use std::fs;
use std::sync::atomic::AtomicBool;

use super::{Folder, VAL_1};
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
fn a_list_may_come_through_a_pipe() {
    let names: Vec<String> = (1..=100).map(|n| format!("ILSVRC2012_val_{n:08}.JPEG")).collect();
    let folder = Folder::images(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let pipe = folder.path("list");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let list: String = names.iter().map(|name| format!("{name} 7\n")).collect();
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, list).expect("written")
    });
    let dataset = Dataset::open(&pipe, None).unwrap_or_else(|error| panic!("{error}"));
    writer.join().expect("written");
    assert_eq!(dataset.items().len(), 100);
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
    assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
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
