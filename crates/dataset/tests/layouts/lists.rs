//! Label lists: in, beside and away from the images, and those that do not fit them.

use std::fs;

use super::{Folder, VAL_1, VAL_2, pairs};
use dataset::{Dataset, LabelSource, Layout, Remedy, labels};

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
    let error = folder.open_at("labels").unwrap_err();
    assert!(error.to_string().contains("labels but no names"), "{error}");
    assert_eq!(error.remedy(), Some(Remedy::Labels));
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
    let error = folder.error();
    assert!(error.contains("are not the known ones for 2000 of 2000 images"), "{error}");
    assert!(error.contains("they are a permutation of the class indices"), "{error}");
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

/// A folder a class, with so many images in each.
fn class_folders(classes: usize, each: usize) -> Vec<String> {
    let name = |class: usize, image: usize| format!("{}/{image}.JPEG", labels::synsets()[class].wnid);
    (0..classes).flat_map(|class| (0..each).map(move |image| name(class, image))).collect()
}

fn folder_of(names: &[String]) -> Folder {
    Folder::images(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn the_wnid_of_a_folder_is_known_truth() {
    let names = class_folders(10, 13);
    let folder = folder_of(&names);
    let list = |label: &dyn Fn(usize) -> usize| -> String {
        names.iter().enumerate().map(|(index, name)| format!("{name} {}\n", label(index))).collect()
    };
    folder.write("val.txt", &list(&|index| index / 13));
    let dataset = folder.open();
    assert_eq!(dataset.warnings(), [""; 0]);
    let check = dataset.label_check();
    assert_eq!((check.known, check.by_folder, check.wrong), (130, 130, 0));
    // One of many is named.
    folder.write("val.txt", &list(&|index| if index == 3 { 7 } else { index / 13 }));
    let dataset = folder.open();
    let warning = &dataset.warnings()[0];
    assert!(warning.contains("for 1 of 130 files, first: n01440764/3.JPEG is 7 there, known 0"), "{warning}");
    assert_eq!((dataset.label_check().known, dataset.label_check().wrong), (130, 1));
    // All of them are refused, whatever names the images: their paths, or their bare names.
    folder.write("val.txt", &list(&|index| index / 13 + 1));
    let error = folder.error();
    assert!(
        error.starts_with("the labels from list val.txt are not the known ones for 130 of 130"),
        "{error}"
    );
    assert!(
        error.contains("n01440764/0.JPEG is 1 there, known 0; they are class indices counted from 1"),
        "{error}"
    );
    assert!(error.contains("Leave the list out, or mend it"), "{error}");
    let folder = Folder::images(&["n01440764/a.JPEG", "n01443537/b.JPEG"]);
    folder.write("val.txt", "a.JPEG 7\nb.JPEG 1\n");
    assert_eq!(folder.open().label_check().wrong, 1);
    // Where nothing but the folders gives labels, they prove nothing of themselves.
    let folder = Folder::images(&["n01440764/a.JPEG"]);
    assert_eq!(folder.open().label_check().known, 0);
}

#[test]
fn labels_that_contradict_file_numbers_throughout_are_refused() {
    // Class 999 is not among them, so that no label is 1000.
    let numbers: Vec<usize> =
        (1..=1400).filter(|n| labels::ilsvrc2012_val()[n - 1] != 999).take(1300).collect();
    let names: Vec<String> = numbers.iter().map(|n| format!("ILSVRC2012_val_{n:08}.JPEG")).collect();
    let folder = folder_of(&names);
    let list = |label: &dyn Fn(u16) -> u16, of: usize| -> String {
        let line =
            |(name, &n): (&String, &usize)| format!("{name} {}\n", label(labels::ilsvrc2012_val()[n - 1]));
        names.iter().zip(&numbers).take(of).map(line).collect()
    };
    folder.write("val.txt", &list(&|label| label + 1, 1300));
    let error = folder.error();
    assert!(error.contains("are not the known ones for 1300 of 1300 images"), "{error}");
    assert!(error.contains("counted from 1"), "{error}");
    // Also by --labels, by the names alone, and where only some are listed.
    let path = folder.path("val.txt");
    let known = dataset::KnownLabels::from_list(&path).unwrap_err().to_string();
    assert!(known.contains("for 1300 of 1300 images"), "{known}");
    folder.write("val.txt", &list(&|label| label + 1, 30));
    assert!(folder.error().contains("for 30 of 30 images"), "{}", folder.error());
    folder.write("val.txt", &list(&|label| label, 1300));
    assert_eq!(folder.open().warnings(), [""; 0]);
    // Folders by number that count from 1 are no better than a list.
    let numbered: Vec<String> = numbers
        .iter()
        .take(40)
        .map(|n| format!("{}/ILSVRC2012_val_{n:08}.JPEG", labels::ilsvrc2012_val()[n - 1] + 1))
        .collect();
    let error = folder_of(&numbered).error();
    assert!(error.contains("folder names (class index) are not the known ones for 40 of 40"), "{error}");
}

#[test]
fn labels_without_names_over_folders() {
    // By folder and name: 0 0 1 1; by name alone: a, b, c, d.
    let names = ["n01440764/b.JPEG", "n01440764/d.JPEG", "n01443537/a.JPEG", "n01443537/c.JPEG"];
    let open = |names: &[&str], list: &str| {
        let folder = Folder::images(names);
        folder.write("labels", list);
        Dataset::open(&folder.path(""), Some(&folder.path("labels")))
            .map(|dataset| pairs(&dataset).iter().map(|(_, label)| *label).collect::<Vec<u16>>())
            .map_err(|error| error.to_string())
    };
    // torchvision's order, and that of the flat folder that the files were in: each is the only one that fits the WNIDs.
    assert_eq!(open(&names, "0\n0\n1\n1\n"), Ok(vec![0, 0, 1, 1]));
    assert_eq!(open(&names, "1\n0\n1\n0\n"), Ok(vec![0, 0, 1, 1]));
    let error = open(&names, "5\n6\n7\n8\n").unwrap_err();
    assert!(error.contains("lie in folders"), "{error}");
    assert!(error.contains("n01440764/b.JPEG has label 5 by the one and 6 by the other"), "{error}");
    // Folders that mean nothing.
    let shards = ["s1/b.JPEG", "s2/a.JPEG"];
    assert!(open(&shards, "3\n4\n").unwrap_err().contains("s1/b.JPEG has label 3 by the one and 4"));
    assert_eq!(open(&["s1/a.JPEG", "s2/b.JPEG"], "3\n4\n"), Ok(vec![3, 4]));
    assert_eq!(open(&shards, "3\n3\n"), Ok(vec![3, 3]));
}

#[test]
fn a_file_that_is_named_several_ways_counts_once() {
    let folder = Folder::images(&["a.JPEG", "b.JPEG", "x/c.JPEG"]);
    let absolute = folder.path("").canonicalize().unwrap().display().to_string();
    let list =
        format!("a.JPEG 3\n./a.JPEG 3\nx/../a.JPEG 3\n{absolute}/a.JPEG 3\nx//../././a.JPEG 3\nb.JPEG 7\n");
    folder.write("list", &list).write("val.txt", &list);
    for path in ["list", ""] {
        let dataset = folder.open_at(path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pairs(&dataset), [("a.JPEG", 3), ("b.JPEG", 7)], "{path}");
    }
    folder.write("list", "a.JPEG 3\nx/../a.JPEG 4\n");
    let error = folder.open_at("list").unwrap_err().to_string();
    assert!(error.contains("line 2: a.JPEG has label 4, but line 1 gives it 3"), "{error}");
    // A folder that is not there either.
    folder.write("list", "a.JPEG 3\nnowhere/../a.JPEG 3\n");
    assert_eq!(folder.open_at("list").unwrap().items().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_way_through_a_link_and_back_is_refused() {
    let folder = Folder::images(&["a.JPEG", "other/a.JPEG", "other/deep/b.JPEG"]);
    std::os::unix::fs::symlink("other/deep", folder.path("x")).unwrap();
    folder.write("list", "x/../a.JPEG 3\n");
    let error = folder.open_at("list").unwrap_err().to_string();
    assert!(error.contains("line 1: x/../a.JPEG goes through a link and back"), "{error}");
}

#[test]
fn a_data_folder_beside_dataset_txt_is_found() {
    for list in ["a.JPEG 3\nb.JPEG 7\n", "data/a.JPEG 3\ndata/b.JPEG 7\n"] {
        let folder = Folder::new(&[("data/a.JPEG", ""), ("data/b.JPEG", ""), ("dataset.txt", list)]);
        for path in ["", "data", "dataset.txt"] {
            let dataset = folder.open_at(path).unwrap_or_else(|error| panic!("{path}: {error}"));
            let labels: Vec<u16> = dataset.items().iter().map(|item| item.label).collect();
            assert_eq!(labels, [3, 7], "{path}");
        }
        assert_eq!(folder.open().layout().to_string(), "flat folder, found in data/");
    }
    // A text about the data set is no list.
    let folder = Folder::new(&[(&format!("data/{VAL_1}"), ""), ("dataset.txt", "the images of 2012\n")]);
    assert_eq!(folder.open().label_source(), &LabelSource::BuiltIn);
}
