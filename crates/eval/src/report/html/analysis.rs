//! What prediction rows say beyond accuracy: classes, confusions, agreement.

use std::collections::{BTreeMap, HashMap};

use dataset::labels::LabelSet;

use crate::logs::predictions::Prediction;
use crate::metrics::{TopK, wilson_interval_pct};

/// How a class fared: label, hits, images.
pub(super) type ClassHits = (u16, u64, u64);

/// A wrong prediction.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConfidentError<'a> {
    pub(super) image: &'a str,
    pub(super) label: u16,
    pub(super) class: u16,
    /// How far the best logit is above the second.
    pub(super) margin: f32,
    /// The probability of the predicted class, where it is known.
    pub(super) probability: Option<f32>,
    /// Which of the five best classes is right, from 1; none of them without it.
    pub(super) place_of_label: Option<usize>,
}

/// Two classes that are confused, `label` taken for `class` at least as often as the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Confusion {
    pub(super) label: u16,
    pub(super) class: u16,
    pub(super) images: usize,
    /// Images of `class` that are taken for `label`.
    pub(super) back: usize,
}

/// Top-1 hits by class, the worst first: by the upper end of the 95 % interval, so that no hit of three images is worse than none of one.
/// Classes with the same by their index.
pub(super) fn by_class(rows: &[Prediction], set: LabelSet) -> Vec<ClassHits> {
    let mut classes: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
    for row in rows {
        let truth = set.truth(&row.image, &row.label);
        if truth.is_empty() {
            continue;
        }
        let (hits, images) = classes.entry(row.label).or_default();
        *images += 1;
        *hits += u64::from(row.outcome.as_ref().is_ok_and(|top| truth.contains(&top.classes[0])));
    }
    let mut classes: Vec<ClassHits> =
        classes.into_iter().map(|(class, (hits, images))| (class, hits, images)).collect();
    let at_best = |&(_, hits, images): &ClassHits| wilson_interval_pct(hits, images)[1];
    classes.sort_by(|a, b| at_best(a).total_cmp(&at_best(b)).then(a.0.cmp(&b.0)));
    classes
}

/// Which classes are confused in two images or more, either way; the most frequent first. What happens once is no pattern: of 1,000 classes
/// and few images it is nearly all there is.
pub(super) fn confusions(rows: &[Prediction], set: LabelSet) -> Vec<Confusion> {
    let mut pairs: BTreeMap<(u16, u16), [usize; 2]> = BTreeMap::new();
    for (row, class) in wrong(rows, set) {
        let way = usize::from(row.label > class);
        pairs.entry((row.label.min(class), row.label.max(class))).or_default()[way] += 1;
    }
    let confusion = |((low, high), [up, down]): ((u16, u16), [usize; 2])| {
        if up >= down {
            Confusion { label: low, class: high, images: up, back: down }
        } else {
            Confusion { label: high, class: low, images: down, back: up }
        }
    };
    let mut pairs: Vec<Confusion> =
        pairs.into_iter().filter(|(_, [up, down])| up + down > 1).map(confusion).collect();
    pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.images + pair.back), pair.label, pair.class));
    pairs
}

/// Wrong predictions, the most confident first: by probability, and where that is not known, by how far the best
/// logit is above the second.
pub(super) fn confident_errors<'a>(
    rows: &'a [Prediction],
    confidences: &HashMap<String, f32>,
    set: LabelSet,
) -> Vec<ConfidentError<'a>> {
    let mut errors: Vec<ConfidentError<'_>> = wrong(rows, set)
        .map(|(row, class)| {
            // Predictions made elsewhere have no logits.
            let margin = row.outcome.as_ref().map_or(0.0, |top| top.logits[0] - top.logits[1]);
            let margin = if margin.is_nan() { 0.0 } else { margin };
            let probability = confidences.get(&row.image).copied();
            let truth = set.truth(&row.image, &row.label);
            let place = |top: &TopK| top.classes.iter().position(|class| truth.contains(class));
            let place_of_label = row.outcome.as_ref().ok().and_then(place).map(|index| index + 1);
            ConfidentError { image: &row.image, label: row.label, class, margin, probability, place_of_label }
        })
        .collect();
    let key = |error: &ConfidentError<'_>| (error.probability.unwrap_or(-1.0), error.margin);
    errors.sort_by(|a, b| {
        let ((p, margin), (other_p, other_margin)) = (key(a), key(b));
        other_p.total_cmp(&p).then(other_margin.total_cmp(&margin)).then(a.image.cmp(b.image))
    });
    errors
}

fn wrong(rows: &[Prediction], set: LabelSet) -> impl Iterator<Item = (&Prediction, u16)> {
    rows.iter().filter_map(move |row| {
        let class = row.outcome.as_ref().ok()?.classes[0];
        let truth = set.truth(&row.image, &row.label);
        (!truth.is_empty() && !truth.contains(&class)).then_some((row, class))
    })
}

/// For how many of their images in common two models have the same best class: those, and the images.
pub(super) fn agreement(a: &[Prediction], b: &[Prediction]) -> (u64, u64) {
    let best = |row: &Prediction| row.outcome.as_ref().ok().map(|top| top.classes[0]);
    let in_b: HashMap<&str, Option<u16>> = b.iter().map(|row| (row.image.as_str(), best(row))).collect();
    let (mut same, mut images) = (0, 0);
    for (class, other) in a.iter().filter_map(|row| Some((best(row)?, (*in_b.get(row.image.as_str())?)?))) {
        images += 1;
        same += u64::from(class == other);
    }
    (same, images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(image: &str, label: u16, best: u16, margin: f32) -> Prediction {
        let classes = [best, 995, 996, 997, 998];
        let top = TopK { classes, logits: [margin, 0.0, -1.0, -2.0, -3.0] };
        Prediction { image: image.to_owned(), label, outcome: Ok(top) }
    }

    #[test]
    fn rows_are_counted() {
        let rows = [row("a", 1, 1, 9.0), row("b", 1, 2, 3.0), row("c", 1, 2, 5.0), row("d", 4, 4, 1.0)];
        assert_eq!(by_class(&rows, LabelSet::Original), [(1, 1, 3), (4, 1, 1)]);
        let pairs = confusions(&rows, LabelSet::Original);
        assert_eq!(pairs, [Confusion { label: 1, class: 2, images: 2, back: 0 }]);
        let images = |confidences: HashMap<String, f32>| -> Vec<&str> {
            confident_errors(&rows, &confidences, LabelSet::Original)
                .iter()
                .map(|error| error.image)
                .collect()
        };
        assert_eq!(images(HashMap::new()), ["c", "b"]);
        assert_eq!(images([("b".to_owned(), 0.9), ("c".to_owned(), 0.4)].into()), ["b", "c"]);
        let other = [row("a", 1, 1, 9.0), row("b", 1, 7, 3.0), row("x", 1, 2, 5.0)];
        assert_eq!(agreement(&rows, &other), (1, 2));
    }

    #[test]
    fn what_happens_once_is_no_pattern() {
        let rows = [row("a", 5, 3, 1.0), row("b", 8, 7, 1.0), row("c", 7, 8, 1.0), row("d", 7, 9, 1.0)];
        let pairs = confusions(&rows, LabelSet::Original);
        assert_eq!(pairs, [Confusion { label: 7, class: 8, images: 1, back: 1 }]);
        let rows = [row("a", 9, 2, 1.0), row("b", 9, 2, 1.0), row("c", 2, 9, 1.0)];
        let pairs = confusions(&rows, LabelSet::Original);
        assert_eq!(pairs, [Confusion { label: 9, class: 2, images: 2, back: 1 }]);
    }

    #[test]
    fn a_class_of_many_images_is_worse_than_one_of_a_single_image() {
        let mut rows = vec![row("a", 1, 2, 1.0), row("b", 6, 6, 1.0)];
        rows.extend((0..3).map(|number| row(&number.to_string(), 5, 2, 1.0)));
        assert_eq!(by_class(&rows, LabelSet::Original), [(5, 0, 3), (1, 0, 1), (6, 1, 1)]);
    }

    #[test]
    fn the_place_of_the_label_is_known_among_five() {
        let rows = [row("a", 996, 2, 1.0), row("b", 5, 2, 0.5)];
        let errors = confident_errors(&rows, &HashMap::new(), LabelSet::Original);
        let places: Vec<Option<usize>> = errors.iter().map(|error| error.place_of_label).collect();
        assert_eq!(places, [Some(3), None]);
    }
}
