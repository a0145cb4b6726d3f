//! In which order a list counts the classes, told by the 50,000 labels that are known.
//!
//! A list in another order gives an accuracy of one in a thousand and looks like a broken network. The
//! development kit's ground truth is such a list: it holds ILSVRC2012_IDs.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::{LabelSource, LabelledImage};
use crate::labels::{self, wnid_to_index};

/// The classes whose ILSVRC2012_IDs are 1, 2 and 3 (kit fox, English setter, Siberian husky), as in the
/// development kit's `map_clsloc.txt`. A list that has all three so is called by their name.
const FIRST_IDS: [&str; 3] = ["n02119789", "n02100735", "n02110185"];

/// Images beyond the first of their number in the list: each could contradict a renumbering, so that so
/// many which do not are no accident.
const ENOUGH_REPEATS: usize = 20;

/// Images by which labels can be said to count from 1.
const ENOUGH: usize = 20;

/// Classes each of which is one too large, so that it is no accident.
const ENOUGH_FROM_ONE: usize = 5;

/// How a list's labels relate to the known ones. Displays as half a sentence about "its labels".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Class indices, in sorted WNID order; this many images have another class than the known one.
    Sorted { wrong: usize },
    /// One more than the class index.
    FromOne { wrong: usize },
    /// The development kit's ILSVRC2012_IDs, less `less`.
    Ilsvrc2012Id { less: u8, wrong: usize },
    /// Each class has another number, the same for all its images.
    Permuted { wrong: usize },
    /// No renumbering of classes explains them, or there are too few to tell.
    Unrelated,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrong = match self {
            Self::Sorted { wrong } => {
                f.write_str("class indices in sorted WNID order")?;
                wrong
            }
            Self::FromOne { wrong } => {
                f.write_str("class indices counted from 1 (or after a background class 0)")?;
                wrong
            }
            Self::Ilsvrc2012Id { less, wrong } => {
                f.write_str("the development kit's ILSVRC2012_IDs")?;
                if *less > 0 {
                    write!(f, " less {less}")?;
                }
                f.write_str(" (1 is n02119789, kit fox), which are in another order than the class indices")?;
                wrong
            }
            Self::Permuted { wrong } => {
                f.write_str(
                    "a permutation of the class indices (the same other number for every image of a class, as the \
                     development kit's ILSVRC2012_IDs are)",
                )?;
                wrong
            }
            Self::Unrelated => return f.write_str("not the known ones in any order of the classes"),
        };
        if *wrong > 0 { write!(f, ", with {wrong} exceptions") } else { Ok(()) }
    }
}

/// A data set's labels beside the known ones, of the images whose label is known. Where labels are the names of WNID folders,
/// these prove nothing; only file numbers can contradict them.
pub(super) fn known<'a>(items: &'a [LabelledImage], source: &LabelSource) -> Vec<(&'a LabelledImage, u16)> {
    let known = match source {
        LabelSource::FolderNames => labels::val_label,
        _ => labels::known_label,
    };
    items.iter().filter_map(|item| Some((item, known(&item.name)?))).collect()
}

/// Labels as they stand, beside the known ones.
pub(super) fn pairs(known: &[(&LabelledImage, u16)]) -> Vec<(i64, u16)> {
    known.iter().map(|(item, label)| (item.label.into(), *label)).collect()
}

/// Whether labels are wrong beyond doubt: in another order of the classes, or counted from 1. The latter takes twenty
/// images, or five classes without an exception. Others may be somebody's corrections, or what a network says.
pub(super) fn are_certainly_wrong(pairs: &[(i64, u16)]) -> bool {
    let classes = || pairs.iter().map(|(_, known)| *known).collect::<HashSet<u16>>().len();
    match of(pairs) {
        Order::FromOne { wrong } => pairs.len() >= ENOUGH || (wrong == 0 && classes() >= ENOUGH_FROM_ONE),
        Order::Ilsvrc2012Id { .. } | Order::Permuted { .. } => true,
        Order::Sorted { .. } | Order::Unrelated => false,
    }
}

/// Compares labels as a list has them with the known ones of the same images.
pub(super) fn of(pairs: &[(i64, u16)]) -> Order {
    let count = |offset: i64| pairs.iter().filter(|(raw, known)| *raw == i64::from(*known) + offset).count();
    let (sorted, from_one) = (count(0), count(1));
    if 2 * sorted > pairs.len() {
        return Order::Sorted { wrong: pairs.len() - sorted };
    }
    if 2 * from_one > pairs.len() {
        return Order::FromOne { wrong: pairs.len() - from_one };
    }
    let class_of = commonest_classes(pairs);
    let following = pairs.iter().filter(|(raw, known)| class_of.get(raw) == Some(known)).count();
    let wrong = pairs.len() - following;
    let distinct = class_of.values().collect::<HashSet<_>>().len();
    let repeats = pairs.len() - class_of.len();
    if repeats < ENOUGH_REPEATS || 100 * wrong > pairs.len() || distinct < class_of.len() {
        return Order::Unrelated;
    }
    for less in [0, 1] {
        let matches: Vec<bool> = (1 - i64::from(less)..)
            .zip(FIRST_IDS)
            .filter_map(|(id, wnid)| Some(class_of.get(&id)? == &wnid_to_index(wnid)?))
            .collect();
        if matches.len() == FIRST_IDS.len() && matches.iter().all(|matches| *matches) {
            return Order::Ilsvrc2012Id { less, wrong };
        }
    }
    Order::Permuted { wrong }
}

/// The class that most images of each number have.
fn commonest_classes(pairs: &[(i64, u16)]) -> HashMap<i64, u16> {
    let mut counts: HashMap<i64, HashMap<u16, usize>> = HashMap::new();
    for (raw, known) in pairs {
        *counts.entry(*raw).or_default().entry(*known).or_default() += 1;
    }
    let commonest = |classes: HashMap<u16, usize>| {
        classes.into_iter().max_by_key(|(class, count)| (*count, std::cmp::Reverse(*class)))
    };
    counts.into_iter().filter_map(|(raw, classes)| Some((raw, commonest(classes)?.0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another number for every class: the first ILSVRC2012_IDs are right.
    fn ids() -> Vec<i64> {
        let first: Vec<usize> =
            FIRST_IDS.iter().filter_map(|wnid| wnid_to_index(wnid)).map(usize::from).collect();
        let rest = (0..labels::CLASSES).rev().filter(|class| !first.contains(class));
        let order: Vec<usize> = first.iter().copied().chain(rest).collect();
        let mut ids = vec![0; labels::CLASSES];
        for (id, class) in (1..).zip(order) {
            ids[class] = id;
        }
        ids
    }

    fn diagnosed(number: impl Fn(usize, u16) -> i64) -> Order {
        let known = labels::ilsvrc2012_val();
        of(&known.iter().enumerate().map(|(i, &class)| (number(i, class), class)).collect::<Vec<_>>())
    }

    #[test]
    fn orders_are_told_by_the_known_labels() {
        let ids = ids();
        assert_eq!(diagnosed(|_, class| class.into()), Order::Sorted { wrong: 0 });
        assert_eq!(diagnosed(|i, class| i64::from(class) + i64::from(i == 7)), Order::Sorted { wrong: 1 });
        assert_eq!(diagnosed(|_, class| i64::from(class) + 1), Order::FromOne { wrong: 0 });
        let id = |class: u16| ids[usize::from(class)];
        assert_eq!(diagnosed(|_, class| id(class)), Order::Ilsvrc2012Id { less: 0, wrong: 0 });
        assert_eq!(diagnosed(|_, class| id(class) - 1), Order::Ilsvrc2012Id { less: 1, wrong: 0 });
        let one_wrong = diagnosed(|i, class| if i == 9 { 1 } else { id(class) });
        assert_eq!(one_wrong, Order::Ilsvrc2012Id { less: 0, wrong: 1 });
        assert_eq!(diagnosed(|_, class| 999 - i64::from(class)), Order::Permuted { wrong: 0 });
        assert_eq!(diagnosed(|i, _| (i * 7919 % 1000) as i64), Order::Unrelated);
        // Two classes under one number are no renumbering.
        assert_eq!(diagnosed(|_, class| (999 - i64::from(class)) / 2), Order::Unrelated);
    }

    #[test]
    fn what_is_certainly_wrong() {
        let from_one = |classes: u16, each: u16| -> Vec<(i64, u16)> {
            (0..classes * each).map(|i| (i64::from(i % classes) + 1, i % classes)).collect()
        };
        for (classes, each, certain) in
            [(5, 1, true), (4, 1, false), (4, 4, false), (4, 5, true), (1, 20, true)]
        {
            assert_eq!(are_certainly_wrong(&from_one(classes, each)), certain, "{classes} x {each}");
        }
        // One exception: of 19 that is not yet certain.
        let mut pairs = from_one(19, 1);
        pairs[3].0 = 0;
        assert!(!are_certainly_wrong(&pairs));
        pairs.push((20, 19));
        assert!(are_certainly_wrong(&pairs));
        // Folders that happen to be there, numbered; and what a network says.
        let numbered: Vec<(i64, u16)> = (0..30).map(|i| (i % 3, i as u16 % 3 * 100 + 7)).collect();
        assert!(are_certainly_wrong(&numbered));
        let answers: Vec<(i64, u16)> = (0..1000).map(|i| (i * 7919 % 1000, i as u16 % 100)).collect();
        assert!(!are_certainly_wrong(&answers) && !are_certainly_wrong(&[]));
    }

    #[test]
    fn a_few_images_prove_nothing() {
        assert_eq!(of(&[(5, 1), (6, 2), (5, 1)]), Order::Unrelated);
        assert_eq!(of(&[]), Order::Unrelated);
    }
}
