//! Images in folders: flat, one level down, a folder a class; and what lies beside them and is not read.

use super::{Folder, VAL_1, VAL_2, pairs};
use dataset::{Dataset, Remedy, labels};

#[test]
fn flat_validation_files_need_no_list() {
    let folder = Folder::images(&[VAL_2, VAL_1, ".hidden.JPEG", "__MACOSX/x.JPEG", "notes.md"]);
    let dataset = folder.open();
    assert_eq!(pairs(&dataset), [(VAL_1, 65), (VAL_2, 970)]);
    assert_eq!(dataset.layout().to_string(), "flat folder");
    assert_eq!(dataset.label_source().to_string(), "built-in ILSVRC2012 labels by file number");
    assert!(dataset.warnings().is_empty() && !dataset.is_sample() && !dataset.is_complete_ilsvrc2012_val());
}

#[test]
fn images_one_level_down_are_found() {
    for below in ["val", "ILSVRC2012_img_val", "ILSVRC/Data/CLS-LOC/val"] {
        let folder = Folder::images(&[&format!("{below}/{VAL_1}"), "train/n01440764/a.JPEG"]);
        let dataset = folder.open();
        assert_eq!(pairs(&dataset), [(VAL_1, 65)]);
        assert_eq!(dataset.layout().to_string(), format!("flat folder, found in {below}/"));
    }
}

#[test]
fn class_folders_are_looked_up_never_numbered() {
    let last = labels::synsets()[999].wnid;
    let images = ["n01443537/b.JPEG", "n01443537/a.jpg", &format!("{last}/c.png")];
    let expected = [
        ("n01443537/a.jpg".to_owned(), 1),
        ("n01443537/b.JPEG".to_owned(), 1),
        (format!("{last}/c.png"), 999),
    ];
    let dataset = Folder::images(&images).open();
    assert_eq!(pairs(&dataset), expected.each_ref().map(|(name, label)| (name.as_str(), *label)));
    assert_eq!(dataset.layout().to_string(), "a folder a class (2 of 1000 classes)");
    assert_eq!(dataset.label_source().to_string(), "folder names (WNID)");
}

#[test]
fn unknown_folders_are_named() {
    let folder = Folder::images(&["n01440764/a.JPEG", "tench/b.JPEG", "n99999999/c.JPEG"]);
    let message = folder.error();
    assert!(message.starts_with("DIR: 2 subfolders with images are not named by"), "{message}");
    assert!(message.contains("n99999999, tench;"), "{message}");
    let remedy = Dataset::open(&folder.path(""), None).unwrap_err().remedy();
    assert_eq!(remedy, Some(Remedy::Labels));
    let only = Folder::images(&["cats/a.JPEG", "dogs/b.JPEG"]);
    assert!(only.error().contains(": cats, dogs;"), "{}", only.error());
    let below = Folder::images(&["val/cats/a.JPEG"]);
    assert!(below.error().starts_with("val: 1 subfolders"), "{}", below.error());
}

#[test]
fn a_file_in_the_wrong_class_folder_is_a_warning() {
    let folder = Folder::images(&[&format!("n01440764/{VAL_1}"), "n01440764/ILSVRC2012_val_00000293.JPEG"]);
    assert_eq!(
        folder.open().warnings(),
        [format!(
            "the labels from folder names (WNID) disagree with the known ILSVRC2012 labels for 1 of 2 files, first: \
             n01440764/{VAL_1} is 0 there, known 65"
        )]
    );
}

#[test]
fn numbered_folders_are_integers_not_text() {
    let folder = Folder::images(&["10/a.jpeg", "9/b.jpeg", "0/c.jpeg", "999/d.jpeg"]);
    let dataset = folder.open();
    assert_eq!(pairs(&dataset), [("0/c.jpeg", 0), ("10/a.jpeg", 10), ("9/b.jpeg", 9), ("999/d.jpeg", 999)]);
    assert_eq!(dataset.layout().to_string(), "a folder a class, by number (4 of 1000 classes)");
    assert_eq!(dataset.label_source().to_string(), "folder names (class index)");
    folder.write("1000/e.jpeg", "");
    assert!(folder.error().contains("by a class index 0..999: 1000;"), "{}", folder.error());
    // Shards of the validation files are no classes, and the known labels say so.
    let folder = Folder::images(&[&format!("0/{VAL_1}"), &format!("1/{VAL_2}")]);
    assert!(
        folder.open().warnings()[0].contains("disagree with the known"),
        "{:?}",
        folder.open().warnings()
    );
}

#[test]
fn duplicates_and_mixtures_are_warnings() {
    let folder = Folder::images(&[VAL_1, "ILSVRC2012_val_00000001.png", "n01440764/x.JPEG"]);
    let dataset = folder.open();
    assert_eq!(dataset.items().len(), 2);
    assert!(
        dataset.warnings()[0].starts_with("not read: 1 folder with images beside the images in "),
        "{:?}",
        dataset.warnings()
    );
    assert!(
        dataset.warnings()[1].starts_with("1 validation files are there twice"),
        "{:?}",
        dataset.warnings()
    );
}

#[test]
fn images_that_are_not_read_are_named() {
    let warnings = |files: &[&str]| {
        let folder = Folder::images(files);
        let root = folder.path("").display().to_string();
        folder.open().warnings().iter().map(|text| text.replace(&root, "DIR")).collect::<Vec<_>>()
    };
    let unread = |count: &str, names: &str| {
        let how = "to evaluate such a folder, give it as the path";
        format!("not read: {count} with images beside the images in DIR ({names}); {how}")
    };
    // One stray image hides the folder that was meant.
    assert_eq!(warnings(&[VAL_1, &format!("val/{VAL_2}"), "val/x.JPEG"]), [unread("1 folder", "val")]);
    // With class folders in it, or deep down.
    assert_eq!(warnings(&[VAL_1, "val/n01440764/x.JPEG"]), [unread("1 folder", "val")]);
    let deep = "ILSVRC/Data/CLS-LOC/val/n01440764/x.JPEG";
    assert_eq!(
        warnings(&[VAL_1, deep, "n01440764/x.JPEG", "train/n01440764/x.JPEG", "zoo/x.png"]),
        [unread("4 folders", "ILSVRC, n01440764, train, ...")]
    );
    // Beside and in class folders.
    assert_eq!(
        warnings(&["n01440764/a.JPEG", "n01440764/more/b.JPEG", "n01443537/images/c.JPEG"]),
        [unread("2 folders", "n01440764/more, n01443537")]
    );
    assert!(warnings(&[VAL_1, "docs/notes.md", "n01440764/notes.md", "thumbs/.x.JPEG"]).is_empty());
    assert_eq!(
        warnings(&[VAL_1, &format!("{VAL_2}/notes.md")]),
        [format!("not read: 1 folder in DIR named like an image file ({VAL_2})")]
    );
}

#[test]
fn a_stray_image_does_not_hide_class_folders() {
    let classes = ["n01440764/a.JPEG", "n01440764/b.JPEG", "n01443537/c.JPEG"];
    for stray in ["preview.jpg", VAL_1] {
        for prefix in ["", "val/"] {
            let mut names: Vec<String> = classes.iter().map(|name| format!("{prefix}{name}")).collect();
            names.push(format!("{prefix}{stray}"));
            let folder = Folder::images(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let dataset = folder.open();
            assert_eq!(pairs(&dataset), [(classes[0], 0), (classes[1], 0), (classes[2], 1)]);
            let warning = &dataset.warnings()[0];
            assert!(warning.starts_with("not read: 1 image in ") && warning.contains(stray), "{warning}");
        }
    }
    // Many folders down.
    let mut names: Vec<String> = (1..=10).map(|n| format!("val/ILSVRC2012_val_{n:08}.JPEG")).collect();
    names.push("cover.png".to_owned());
    let dataset = Folder::images(&names.iter().map(String::as_str).collect::<Vec<_>>()).open();
    assert_eq!(dataset.items().len(), 10);
    assert!(dataset.warnings()[0].contains("(cover.png)"), "{:?}", dataset.warnings());
    // Numbers may be anything, unless much lies there.
    let numbered = |many: usize, stray: &str| {
        let mut names: Vec<String> = (0..many).map(|class| format!("{class}/a.jpeg")).collect();
        names.push(stray.to_owned());
        Folder::images(&names.iter().map(String::as_str).collect::<Vec<_>>()).open()
    };
    for stray in ["cover.png", VAL_1] {
        let dataset = numbered(10, stray);
        assert_eq!(dataset.items().len(), 10);
        let warning = &dataset.warnings()[0];
        assert!(warning.starts_with("not read: 1 image in ") && warning.contains(stray), "{warning}");
    }
    assert_eq!(pairs(&numbered(9, VAL_1)), [(VAL_1, 65)]);
}

#[test]
fn files_of_one_size_are_called_prescaled() {
    let photo = |side: u32| {
        // The beginning of a JPEG file, up to its frame's header.
        let [high, low] = (side as u16).to_be_bytes();
        vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8, high, low, high, low, 1, 1, 0x11, 0]
    };
    let folder = Folder::new(&[]);
    for number in 1..=20 {
        std::fs::write(folder.path(&format!("ILSVRC2012_val_{number:08}.JPEG")), photo(227)).unwrap();
    }
    let warning = folder.open().warnings().join("\n");
    assert!(warning.starts_with("prescaled: all 10 images that were looked at are 227x227"), "{warning}");
    std::fs::write(folder.path(VAL_1), photo(500)).unwrap();
    assert_eq!(folder.open().warnings(), [""; 0]);
}

#[test]
fn a_file_in_the_wrong_class_folder_is_no_matter_of_lists() {
    let advice = |name: &str| Folder::images(&[name]).open().label_source().advice().to_owned();
    let advised = advice(&format!("n01440764/{VAL_1}"));
    assert!(advised.starts_with("Put each file into the folder of its class"), "{advised}");
    let numbered = Folder::images(&[&format!("66/{VAL_1}")]).open();
    let warning = &numbered.warnings()[0];
    assert!(warning.ends_with("known 65; a numbering of folders that counts from 1?"), "{warning}");
    let numbered = Folder::images(&[&format!("7/{VAL_1}")]).open();
    let warning = &numbered.warnings()[0];
    assert!(warning.ends_with("known 65; a numbering of folders in another class order?"), "{warning}");
}
