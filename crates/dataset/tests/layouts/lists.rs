//! Label lists: in, beside and away from the images, and those that do not fit them.

use std::fs;

use super::{Folder, VAL_1, VAL_2, pairs};
use dataset::{Dataset, LabelSource, Layout, labels};

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
