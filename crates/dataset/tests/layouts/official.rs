//! What the challenge itself and Kaggle hand out: their lists, their trees, the complete set.

use std::fs;

use super::{Folder, VAL_1, VAL_2, pairs};
use dataset::{Dataset, LabelSource, labels};

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
fn a_named_list_wins_over_kaggles() {
    let folder = Folder::images(&[&format!("val/{VAL_1}")]);
    folder.write(
        "LOC_val_solution.csv",
        "ImageId,PredictionString\nILSVRC2012_val_00000001,n01751748 1 2 3 4\n",
    );
    folder.write("other.txt", &format!("{VAL_1} 7\n"));
    let kaggle = folder.path("LOC_val_solution.csv");
    let dataset = Dataset::open(&kaggle, Some(&folder.path("other.txt"))).expect("a data set");
    assert_eq!(pairs(&dataset), [(VAL_1, 7)]);
    assert_eq!(dataset.label_source(), &LabelSource::List(folder.path("other.txt")));
}
