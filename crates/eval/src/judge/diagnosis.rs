//! What an absurd result is a sign of. An accuracy near chance is not a figure about a network: labels or
//! classes are in another order, the weights do not belong to it, or its input is not what it was trained on.

use std::collections::HashMap;

use crate::metrics::percentage;

/// Fewer images may agree by accident.
const ENOUGH_FOR_CONSTANT: usize = 20;
const ENOUGH_FOR_CHANCE: usize = 500;

/// Chance is 0.1 %; a network that has learned anything is far above this.
const NEAR_CHANCE_PCT: f64 = 0.5;

/// Images that one rule has to explain before it is named, in per cent.
const EXPLAINED_PCT: f64 = 30.0;

/// What is wrong with predictions, given the best class and the label of each image; `None` where nothing
/// is. Says what it looks like and what to look at.
pub(crate) fn diagnose(predictions: &[(u16, u16)]) -> Option<String> {
    let images = predictions.len();
    let (first, label) = *predictions.first()?;
    // Of images of one class nothing else is to be expected.
    let of_one_class = predictions.iter().all(|(_, other)| *other == label);
    let is_constant = predictions.iter().all(|(class, _)| *class == first);
    if images >= ENOUGH_FOR_CONSTANT && is_constant && !of_one_class {
        return Some(format!(
            "class {first} is predicted for every one of {images} images: the output does not depend on the image; \
             look at the weights and at the normalisation of the recipe"
        ));
    }
    let share = |hits: usize| percentage(hits as u64, images as u64);
    let hits = predictions.iter().filter(|(class, label)| class == label).count();
    if images < ENOUGH_FOR_CHANCE || share(hits) >= NEAR_CHANCE_PCT {
        return None;
    }
    for (offset, meaning) in [
        (
            1,
            "a network of 1001 classes with a background, or labels that count from 0 where it counts from 1",
        ),
        (-1, "labels that count from 1"),
    ] {
        let shifted = |(class, label): &&(u16, u16)| i32::from(*class) == i32::from(*label) + offset;
        let hits = predictions.iter().filter(shifted).count();
        if share(hits) >= EXPLAINED_PCT {
            return Some(format!(
                "accuracy is at chance, but {:.1} % of the predictions are the label {offset:+}: {meaning}",
                share(hits)
            ));
        }
    }
    let mut labels_of: HashMap<u16, HashMap<u16, usize>> = HashMap::new();
    for (class, label) in predictions {
        *labels_of.entry(*class).or_default().entry(*label).or_default() += 1;
    }
    // A class with one image agrees with itself under any rule.
    let agreeing: usize =
        (labels_of.values()).filter_map(|labels| labels.values().max().filter(|&&count| count > 1)).sum();
    if share(agreeing) >= EXPLAINED_PCT {
        return Some(format!(
            "accuracy is at chance, but {:.1} % of the predictions agree with the labels once classes are renumbered: \
             the labels, or the network's classes, are in another order (a check of the data set tells which \
             labels are)",
            share(agreeing)
        ));
    }
    Some(
        "accuracy is at chance, and no renumbering of the classes explains it: look at the weights, at the recipe, \
         and whether images and labels belong together, which a check of the data set tells"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5,000 images of 1,000 classes, right but for one in three.
    fn predictions(class: impl Fn(u16) -> u16) -> Vec<(u16, u16)> {
        (0..5000_u32)
            .map(|index| {
                let label = (index % 1000) as u16;
                let other = (index * 7919 % 1000) as u16;
                (class(if index % 3 == 0 { other } else { label }), label)
            })
            .collect()
    }

    #[test]
    fn what_is_absurd_is_explained() {
        let words = |class: fn(u16) -> u16| diagnose(&predictions(class)).unwrap_or_default();
        assert_eq!(words(|class| class), "");
        assert!(words(|_| 7).starts_with("class 7 is predicted for every one of 5000 images"));
        assert!(words(|class| class + 1).contains("are the label +1: a network of 1001 classes"));
        assert!(words(|class| class.wrapping_sub(1)).contains("are the label -1: labels that count from 1"));
        assert!(words(|class| 999 - class).contains("once classes are renumbered"));
        let noise: Vec<(u16, u16)> =
            (0..5000_u64).map(|i| ((i * i * 7919 % 991) as u16, (i * 104_729 % 997 + 1) as u16)).collect();
        assert!(
            diagnose(&noise).is_some_and(|words| words.contains("no renumbering")),
            "{:?}",
            diagnose(&noise)
        );
    }

    #[test]
    fn a_few_images_prove_nothing() {
        assert_eq!(diagnose(&[]), None);
        assert_eq!(diagnose(&[(7, 1); 19]), None);
        assert_eq!(diagnose(&[(7, 7); 40]), None);
        assert_eq!(diagnose(&predictions(|class| 999 - class)[..400]), None);
    }
}
