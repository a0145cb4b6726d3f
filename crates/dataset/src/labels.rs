//! The classes of ILSVRC2012 and the labels of its validation set.
//!
//! Both are embedded: `datasets/labels/synsets.csv` and `datasets/labels/val_labels.txt`, and beside
//! them the ReaL labels, `datasets/labels/real_labels.json`. Class
//! indices are 0..999 in sorted WNID order, the order that timm, Keras and PaddleClas use. Names
//! are for people only: "crane" is class 134 and class 517.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use crate::names;

/// How many classes there are; an index is below it.
pub const CLASSES: usize = 1000;

/// How many files the validation set has; they are numbered from 1.
pub const VAL_IMAGES: usize = 50_000;

/// One class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synset {
    /// 0..999, in sorted WNID order.
    pub index: u16,
    /// WordNet id, for example `n01440764`.
    pub wnid: &'static str,
    /// Words for the class. Not unique.
    pub name: &'static str,
}

/// The 1,000 classes, by index.
#[must_use]
pub fn synsets() -> &'static [Synset] {
    static SYNSETS: LazyLock<Vec<Synset>> = LazyLock::new(|| {
        include_str!("../../../datasets/labels/synsets.csv")
            .lines()
            .skip(1)
            .map(|line| {
                let mut fields = line.splitn(3, ',');
                let index = fields.next().and_then(|i| i.parse().ok()).expect("synsets.csv: an index");
                let wnid = fields.next().expect("synsets.csv: a WNID");
                let name = fields.next().expect("synsets.csv: a name").trim_matches('"');
                Synset { index, wnid, name }
            })
            .collect()
    });
    &SYNSETS
}

/// The class index of a WordNet id, if it is one of the 1,000.
///
/// ```
/// use dataset::labels::{synsets, wnid_to_index};
///
/// assert_eq!(wnid_to_index("n01440764"), Some(0));
/// assert_eq!(synsets()[0].name, "tench, Tinca tinca");
/// ```
#[must_use]
pub fn wnid_to_index(wnid: &str) -> Option<u16> {
    static INDEX: LazyLock<HashMap<&'static str, u16>> =
        LazyLock::new(|| synsets().iter().map(|s| (s.wnid, s.index)).collect());
    INDEX.get(wnid).copied()
}

/// The class index of every validation file, by file number: `ILSVRC2012_val_00000001` is element 0.
#[must_use]
pub fn ilsvrc2012_val() -> &'static [u16] {
    static LABELS: LazyLock<Vec<u16>> = LazyLock::new(|| {
        include_str!("../../../datasets/labels/val_labels.txt")
            .lines()
            .map(|line| line.parse().expect("val_labels.txt: an index a line"))
            .collect()
    });
    &LABELS
}

/// The ReaL labels of every validation file, by file number: the classes that are right for it, which may
/// be several, or none.
///
/// L. Beyer et al., "Are we done with ImageNet?" (2020).
#[must_use]
pub fn real() -> &'static [Vec<u16>] {
    static LABELS: LazyLock<Vec<Vec<u16>>> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../../../datasets/labels/real_labels.json"))
            .expect("real_labels.json: a list of class indices a file")
    });
    &LABELS
}

/// By which labels predictions are scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LabelSet {
    /// The one label that an image has in the data set.
    #[default]
    Original,
    /// The ReaL labels: any of several classes is right. An image with none is left out of accuracies.
    Real,
}

impl LabelSet {
    /// The classes that are right for `image`, whose label in the data set is `label`. None are when the
    /// image takes no part.
    #[must_use]
    pub fn truth<'a>(self, image: &str, label: &'a u16) -> &'a [u16] {
        match self {
            Self::Original => std::slice::from_ref(label),
            Self::Real => val_file_number(image).map_or(&[], |number| &real()[number - 1]),
        }
    }

    /// The word on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Real => "real",
        }
    }
}

impl FromStr for LabelSet {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = [Self::Original, Self::Real].into_iter().find(|set| set.name() == name);
        found.ok_or_else(|| format!("`{name}` is no label set; original and real are"))
    }
}

impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A class for people: its index, and the first of its words, which alone would not tell it.
#[must_use]
pub fn described(class: u16) -> String {
    let name = synsets().get(usize::from(class)).map_or("unknown", |synset| synset.name);
    format!("{class} ({})", name.split(',').next().unwrap_or(name))
}

/// The number, 1..=50000, in a file name such as `ILSVRC2012_val_00000293.JPEG`, with any extension
/// and any folder before it. Some mirrors append the WNID (`ILSVRC2012_val_00000293_n01440764.JPEG`).
#[must_use]
pub fn val_file_number(name: &str) -> Option<usize> {
    let rest = names::stem(names::file_name(name)).strip_prefix("ILSVRC2012_val_")?;
    let digits = match rest.split_once('_') {
        Some((digits, wnid)) => wnid_to_index(wnid).map(|_| digits)?,
        None => rest,
    };
    let all_digits = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit());
    let number: usize = all_digits.then(|| digits.parse().ok())??;
    (1..=VAL_IMAGES).contains(&number).then_some(number)
}

/// The known label of a validation file, by the number in its name.
///
/// ```
/// use dataset::labels::{described, val_label};
///
/// assert_eq!(val_label("val/ILSVRC2012_val_00000001.JPEG"), Some(65));
/// assert_eq!(described(0), "0 (tench)");
/// ```
#[must_use]
pub fn val_label(name: &str) -> Option<u16> {
    val_file_number(name).map(|number| ilsvrc2012_val()[number - 1])
}

/// The class that an image's name is known to mean: by the number of a validation file, else by the WNID of the folder
/// that it lies in, which is as certain.
///
/// ```
/// use dataset::labels::known_label;
///
/// assert_eq!(known_label("val/ILSVRC2012_val_00000001.JPEG"), Some(65));
/// assert_eq!(known_label("n01440764/x.JPEG"), Some(0));
/// assert_eq!(known_label("x.JPEG"), None);
/// ```
#[must_use]
pub fn known_label(name: &str) -> Option<u16> {
    val_label(name).or_else(|| name.rsplit('/').skip(1).find_map(wnid_to_index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_in_sorted_wnid_order() {
        let all = synsets();
        assert_eq!(all.len(), CLASSES);
        assert!(all.iter().enumerate().all(|(i, s)| usize::from(s.index) == i && s.wnid.len() == 9));
        assert!(all.windows(2).all(|pair| pair[0].wnid < pair[1].wnid));
        assert_eq!((all[0].wnid, all[0].name), ("n01440764", "tench, Tinca tinca"));
        assert_eq!(wnid_to_index("n01440764"), Some(0));
        assert_eq!(wnid_to_index(all[999].wnid), Some(999));
        assert_eq!(wnid_to_index("n00000000"), None);
        assert!(all.iter().all(|s| !s.name.is_empty() && !s.name.contains('"')));
    }

    #[test]
    fn every_class_has_fifty_validation_files() {
        let mut count = [0; CLASSES];
        for &label in ilsvrc2012_val() {
            count[usize::from(label)] += 1;
        }
        assert_eq!(ilsvrc2012_val().len(), VAL_IMAGES);
        assert!(count.iter().all(|&n| n == 50));
    }

    #[test]
    fn real_labels_are_sets_of_classes() {
        assert_eq!(real().len(), VAL_IMAGES);
        assert!(real().iter().flatten().all(|&class| usize::from(class) < CLASSES));
        // The paper leaves 3,163 images without a label.
        assert_eq!(real().iter().filter(|classes| classes.is_empty()).count(), 3163);
        let name = "ILSVRC2012_val_00000002.JPEG";
        assert_eq!(LabelSet::Real.truth(name, &1), [970, 795]);
        assert_eq!(LabelSet::Original.truth(name, &1), [1]);
        assert_eq!(LabelSet::Real.truth("ILSVRC2012_val_00000001.JPEG", &65), [0; 0]);
    }

    #[test]
    fn file_numbers() {
        assert_eq!(val_file_number("ILSVRC2012_val_00000001.JPEG"), Some(1));
        assert_eq!(val_file_number("n01440764/ILSVRC2012_val_00000293.JPEG"), Some(293));
        assert_eq!(val_file_number("ILSVRC2012_val_00050000.jpg"), Some(50_000));
        assert_eq!(val_file_number("ILSVRC2012_val_00000293_n01440764.JPEG"), Some(293));
        for other in [
            "ILSVRC2012_val_00000000.JPEG",
            "ILSVRC2012_val_00050001.JPEG",
            "ILSVRC2012_val_1.JPEG",
            "ILSVRC2012_val_0000002+.JPEG",
            "ILSVRC2012_val_00000293_final.JPEG",
            "ILSVRC2012_test_00000001.JPEG",
        ] {
            assert_eq!(val_file_number(other), None, "{other}");
        }
        assert_eq!(val_label("n01440764/ILSVRC2012_val_00000293.JPEG"), Some(0));
    }
}
