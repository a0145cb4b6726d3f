//! Every arrangement of images and labels that is understood, and every way in which it is not.

use std::fs;
use std::path::{Path, PathBuf};

use std::sync::atomic::AtomicBool;

use dataset::{Census, Dataset, DatasetError, LabelSource, Layout, labels};
use tempfile::TempDir;

/// A folder with these files; a name without content is an image.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().expect("a temporary folder"));
        for (name, content) in files {
            folder.write(name, content);
        }
        folder
    }

    fn images(names: &[&str]) -> Self {
        Self::new(&names.iter().map(|name| (*name, "")).collect::<Vec<_>>())
    }

    fn write(&self, name: &str, content: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, content).expect("written");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.0.path().to_owned() } else { self.0.path().join(name) }
    }

    fn open(&self) -> Dataset {
        self.open_at("").unwrap_or_else(|error| panic!("{error}"))
    }

    fn open_at(&self, below: &str) -> Result<Dataset, DatasetError> {
        Dataset::open(&self.path(below), None)
    }

    fn error(&self) -> String {
        // The temporary folder's name is no part of the expectation.
        let error = self.open_at("").expect_err("not a data set");
        error
            .to_string()
            .replace(&format!("{}/", self.0.path().display()), "")
            .replace(&self.0.path().display().to_string(), "DIR")
    }
}

fn pairs(dataset: &Dataset) -> Vec<(&str, u16)> {
    dataset.items().iter().map(|item| (item.name.as_str(), item.label)).collect()
}

const VAL_1: &str = "ILSVRC2012_val_00000001.JPEG"; // class 65
const VAL_2: &str = "ILSVRC2012_val_00000002.JPEG"; // class 970

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
    assert!(message.contains("n99999999, tench;") && message.contains("--labels FILE"), "{message}");
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
fn lists_inside_beside_and_named() {
    let expected = [("a.JPEG", 3), ("b.JPEG", 7)];
    // Paths relative to the data folder, to the list's folder, and by bare file name.
    for (list, content) in [
        ("val.txt", "a.JPEG 3\nb.JPEG 7\n"),
        ("val_list.txt", "deep/down/a.JPEG\t3\ndeep/down/b.JPEG\t7\n"),
        ("labels.txt", "b.JPEG,7\na.JPEG,3\n"),
    ] {
        let folder = Folder::new(&[("a.JPEG", ""), ("b.JPEG", ""), (list, content)]);
        let dataset = folder.open();
        assert_eq!(pairs(&dataset), expected, "{list}");
        assert_eq!(dataset.label_source(), &LabelSource::List(folder.path(list)));
    }

    let beside = Folder::new(&[
        ("val/a.JPEG", ""),
        ("val/b.JPEG", ""),
        ("val_list.txt", "val/a.JPEG 3\nval/b.JPEG 7\n"),
    ]);
    assert_eq!(pairs(&beside.open()), expected);
    assert_eq!(pairs(&beside.open_at("val").unwrap()), expected);
    let by_list = beside.open_at("val_list.txt").unwrap();
    assert_eq!(pairs(&by_list), [("val/a.JPEG", 3), ("val/b.JPEG", 7)]);
    assert_eq!(by_list.layout(), &Layout::ListFile);
    assert_eq!(by_list.read(0).unwrap().len(), 0);

    // The option wins over what is found.
    beside.write("other.txt", "a.JPEG 4\nb.JPEG 5\n");
    let named = Dataset::open(&beside.path("val"), Some(&beside.path("other.txt"))).unwrap();
    assert_eq!(pairs(&named), [("a.JPEG", 4), ("b.JPEG", 5)]);
}

#[test]
fn a_list_gives_meaning_to_any_folders() {
    let folder = Folder::new(&[
        ("shard1/a.JPEG", ""),
        ("shard2/a.JPEG", ""),
        ("val.txt", "shard1/a.JPEG 3\nshard2/a.JPEG 7\n"),
    ]);
    let dataset = folder.open();
    assert_eq!(pairs(&dataset), [("shard1/a.JPEG", 3), ("shard2/a.JPEG", 7)]);
    assert_eq!(dataset.layout().to_string(), "2 folders of images");
    folder.write("val.txt", "a.JPEG 3\n");
    assert!(folder.error().contains("line 1: a.JPEG fits several images (shard1/a.JPEG, shard2/a.JPEG)"));
}

#[test]
fn bare_labels_follow_the_file_names() {
    let folder = Folder::new(&[("b.JPEG", ""), ("a.JPEG", ""), ("labels", "5\n6\n")]);
    let open = || Dataset::open(&folder.path(""), Some(&folder.path("labels")));
    assert_eq!(pairs(&open().unwrap()), [("a.JPEG", 5), ("b.JPEG", 6)]);
    folder.write("labels", "5\n6\n7\n");
    let message = open().unwrap_err().to_string();
    assert!(message.contains("3 labels without names for 2 images"), "{message}");
    let message = folder.open_at("labels").unwrap_err().to_string();
    assert!(message.contains("labels but no names") && message.contains("--labels"), "{message}");
}

#[test]
fn a_list_in_another_class_order_is_a_warning() {
    let folder = Folder::images(&[VAL_1, VAL_2]);
    folder.write("val.txt", &format!("{VAL_1} 3\n{VAL_2} 970\n"));
    let dataset = folder.open();
    assert_eq!(pairs(&dataset)[0], (VAL_1, 3));
    let warning = &dataset.warnings()[0];
    assert!(
        warning.starts_with("the labels from list ") && warning.ends_with(&format!(
            " disagree with the known ILSVRC2012 labels for 1 of 2 files, first: {VAL_1} is 3 there, known 65; a \
             list in another class order?"
        )),
        "{warning}"
    );
    folder.write("val.txt", &format!("{VAL_1} 66\n{VAL_2} 971\n"));
    assert!(folder.open().warnings()[0].ends_with("a list that counts from 1?"));
    folder.write("val.txt", &format!("{VAL_1} 65\n{VAL_2} 970\n"));
    assert!(folder.open().warnings().is_empty());
}

#[test]
fn lists_that_do_not_fit() {
    let folder = Folder::images(&["a.JPEG", "b.JPEG", "c.JPEG"]);
    folder.write("val.txt", "a.JPEG 1\n");
    let dataset = folder.open();
    assert_eq!(pairs(&dataset), [("a.JPEG", 1)]);
    assert!(
        dataset.warnings()[0].starts_with("2 of 3 images are not named by list"),
        "{:?}",
        dataset.warnings()
    );
    assert!(dataset.warnings()[0].ends_with("and are not evaluated: b.JPEG, c.JPEG"));

    let errors = [
        ("x.JPEG 1\ny.JPEG 2\n", "val.txt: names none of the 3 images in DIR; names in it are like x.JPEG."),
        ("a.JPEG 1\nx.JPEG 2\n", "val.txt: 1 of the 2 files that it names are not in DIR: x.JPEG;"),
        ("a.JPEG 1\na.JPEG 2\n", "val.txt, line 2: a.JPEG has label 2, but line 1 gives it 1;"),
        (
            "a.JPEG 1\nb.JPEG 1000\n",
            "val.txt, line 2: label 1000, and no label 0: the list counts classes from 1",
        ),
        ("a.JPEG 0\nb.JPEG 1000\n", "val.txt, line 2: label 1000 is not in 0..999"),
        ("a.JPEG tench\n", "val.txt, line 1: the label \"tench\" is not a number"),
        ("a.JPEG 1\nb.JPEG\n", "val.txt, line 2: \"b.JPEG\" is not \"NAME LABEL\""),
        ("", "val.txt: the list is empty"),
    ];
    for (list, start) in errors {
        let message = folder.write("val.txt", list).error();
        assert!(message.starts_with(start), "{message}");
    }
    fs::write(folder.path("val.txt"), b"a.JPEG 1\n\xff\xfe 2\n").unwrap();
    assert!(folder.error().starts_with("val.txt: the list is not UTF-8 text (line 2)"), "{}", folder.error());
}

/// 50,000 numbers, one a line, made from the known labels.
fn ground_truth(number: impl Fn(u16) -> u16) -> String {
    labels::ilsvrc2012_val().iter().map(|&label| format!("{}\n", number(label))).collect()
}

#[test]
fn the_development_kits_ground_truth_is_translated() {
    const NAME: &str = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt";
    let text = ground_truth(|label| 1000 - label);
    let folder = Folder::images(&[VAL_2, VAL_1]);
    folder.write(NAME, &text);
    let dataset = folder.open();
    assert_eq!(pairs(&dataset), [(VAL_1, 65), (VAL_2, 970)]);
    assert!(dataset.label_source().to_string().ends_with("(ILSVRC2012_IDs, translated)"));
    assert_eq!(dataset.warnings(), [""; 0]);
    // One number that contradicts the known labels: not a renumbering of them.
    let damaged = text.replacen("935\n", "7\n", 1);
    assert_ne!(text, damaged);
    folder.write(NAME, &damaged);
    let error = folder.error();
    assert!(error.contains("ground_truth.txt: its labels are a permutation of the class indices"), "{error}");
    assert!(error.contains("with 1 exceptions") && error.contains("leave the list out"), "{error}");
    // It says nothing about images of other names.
    let folder = Folder::images(&["a.JPEG"]);
    folder.write("ILSVRC2012_validation_ground_truth.txt", &text);
    assert!(
        folder.error().contains("1 of 1 images in DIR are named otherwise: a.JPEG"),
        "{}",
        folder.error()
    );
}

#[test]
fn a_list_with_permuted_classes_is_named() {
    let names: Vec<String> = (1..=2000).map(|n| format!("ILSVRC2012_val_{n:08}.JPEG")).collect();
    let known = labels::ilsvrc2012_val();
    let list = |number: fn(u16) -> u16| -> String {
        names.iter().zip(known).map(|(name, &label)| format!("{name} {}\n", number(label))).collect()
    };
    let folder = Folder::images(&names.iter().map(String::as_str).collect::<Vec<_>>());
    folder.write("val.txt", &list(|label| 999 - label));
    let warning = folder.open().warnings().join("\n");
    assert!(warning.contains("disagree with the known ILSVRC2012 labels for 2000 of 2000"), "{warning}");
    assert!(warning.contains("they are a permutation of the class indices"), "{warning}");
    folder.write("val.txt", &list(|label| 1000 - label));
    assert!(
        folder.error().contains("its labels are a permutation of the class indices"),
        "{}",
        folder.error()
    );
    folder.write("val.txt", &list(|label| label + 1));
    assert!(folder.error().contains("counts classes from 1"), "{}", folder.error());
}

#[test]
fn lists_of_1001_classes_are_refused_with_the_fix() {
    let folder = Folder::images(&["a.JPEG", "b.JPEG"]);
    folder.write("val.txt", "a.JPEG 0\nb.JPEG 1000\n");
    let error = folder.error();
    assert!(error.contains("of which 0 is the background, subtract 1 from every label"), "{error}");
}

#[test]
fn kaggles_tree() {
    const HEADER: &str = "ImageId,PredictionString\n";
    let folder = Folder::images(&[
        &format!("ILSVRC/Data/CLS-LOC/val/{VAL_1}"),
        &format!("ILSVRC/Data/CLS-LOC/val/{VAL_2}"),
        "ILSVRC/Data/CLS-LOC/train/n01440764/n01440764_10026.JPEG",
    ]);
    // The second and third image of the list are not here.
    let list = "ILSVRC2012_val_00000002,n09193705 0 0 9 9 n09193705 1 1 2 2 \nILSVRC2012_val_00000003,n02105855 0 0 9 9 \n\
                ILSVRC2012_val_00000001,n01751748 111 108 429 272 \n";
    folder.write("LOC_val_solution.csv", &format!("{HEADER}{list}"));
    for below in ["", "ILSVRC", "LOC_val_solution.csv"] {
        let dataset = folder.open_at(below).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pairs(&dataset), [(VAL_1, 65), (VAL_2, 970)], "{below}");
        assert_eq!(dataset.warnings(), [""; 0]);
        assert!(dataset.label_source().to_string().ends_with("LOC_val_solution.csv"), "{below}");
    }
    folder.write("LOC_val_solution.csv", &format!("{HEADER}ILSVRC2012_val_00000001,tench 1 2 3 4\n"));
    let error = folder.error();
    assert!(error.starts_with("LOC_val_solution.csv, line 2: \"ILSVRC2012_val_00000001,tench"), "{error}");
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

/// A tar archive of files with their names as content.
fn tar_of(names: &[&str]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for name in names {
        let mut header = tar::Header::new_gnu();
        header.set_size(name.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, name.as_bytes()).expect("appended");
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
    assert!(message(&tar_of(&[VAL_1, VAL_1])).contains("ILSVRC2012_val_00000001.JPEG is in it twice"));
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
fn class_names_are_not_taken_for_a_list() {
    let folder =
        Folder::new(&[(VAL_1, ""), ("labels.txt", "tench, Tinca tinca\ngoldfish, Carassius auratus\n")]);
    assert_eq!(folder.open().label_source(), &LabelSource::BuiltIn);
    // A list beside the folder that belongs to something else is none of its business.
    let other = Folder::new(&[(&format!("val/{VAL_1}"), ""), ("val.txt", "cat.png 1\n")]);
    let dataset = other.open_at("val").unwrap();
    assert_eq!((dataset.label_source(), dataset.warnings()), (&LabelSource::BuiltIn, &[][..]));
}

#[test]
fn a_list_beside_the_folder_is_not_dropped_without_a_word() {
    let unused = |list: &str, images: &[&str]| {
        let folder = Folder::images(images);
        folder.write("val.txt", list);
        let opened = folder.open_at("val").map(|dataset| dataset.warnings().to_vec());
        let parent = folder.path("").canonicalize().unwrap().join("val.txt").display().to_string();
        opened.map_err(|error| error.to_string().replace(&parent, "LIST")).map(|warnings| {
            warnings.iter().map(|warning| warning.replace(&parent, "LIST")).collect::<Vec<_>>()
        })
    };
    let broken = "ILSVRC2012_val_00000001.JPEG 65\nx.JPEG tench\n";
    let note = "list LIST beside the folder is not used: line 2: the label \"tench\" is not a number";
    let warnings = unused(broken, &[&format!("val/{VAL_1}")]).unwrap();
    assert!(warnings.len() == 1 && warnings[0].starts_with(note), "{warnings:?}");

    let images = ["val/a.JPEG"];
    let error = unused(broken, &images).unwrap_err();
    assert!(error.contains(&format!("NNNNNNNN and {note}")) && !error.contains("no val.txt"), "{error}");
    let error = unused("cat.png 1\n", &images).unwrap_err();
    assert!(error.contains("list LIST beside the folder is not used: it names none of these"), "{error}");
    let error = unused("1\n", &images).unwrap_err();
    assert!(error.contains("is not used: it has labels but no names; give a list"), "{error}");
}

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
fn the_complete_validation_set_is_recognised() {
    let folder = Folder::new(&[]);
    let mut list = String::new();
    for (index, label) in labels::ilsvrc2012_val().iter().enumerate() {
        list.push_str(&format!("ILSVRC2012_val_{:08}.JPEG {label}\n", index + 1));
    }
    for line in list.lines() {
        let name = line.split(' ').next().unwrap();
        fs::File::create(folder.path(name)).unwrap();
    }
    folder.write("val.txt", &list);
    let mut dataset = folder.open();
    assert!(dataset.is_complete_ilsvrc2012_val());
    assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
    let whole = dataset.fingerprint();
    dataset.truncate(49_999);
    assert!(!dataset.is_complete_ilsvrc2012_val());
    assert_ne!(dataset.fingerprint(), whole);
}

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
    assert_eq!(sample.root(), Path::new(""));
}
const FINGERPRINT: &str = "377b58d06b39eea8f97002c61ada7c19b500e765cbcded0543baf759324bb5f3";
const SAMPLE_FINGERPRINT: &str = "627544d8b31bf9a6c2316bda9274d3d9971cf28a46694282547ab5ad53359b1a";

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
        let census = Census::take(&dataset, 2, &AtomicBool::new(false), || ()).expect("not stopped");
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
