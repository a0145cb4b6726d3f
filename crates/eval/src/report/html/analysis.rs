//! What prediction rows say beyond accuracy: classes, confusions, agreement.

use std::collections::{BTreeMap, HashMap};

use dataset::labels::LabelSet;

use crate::logs::predictions::Prediction;

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
}

/// Top-1 hits by class, the worst first; classes with the same share by their index.
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
    // Without division: a/b < c/d where a*d < c*b.
    classes.sort_by(|a, b| (a.1 * b.2).cmp(&(b.1 * a.2)).then(a.0.cmp(&b.0)));
    classes
}

/// How often a label is taken for another class: label, class, images; the most frequent first.
pub(super) fn confusions(rows: &[Prediction], set: LabelSet) -> Vec<(u16, u16, usize)> {
    let mut pairs: HashMap<(u16, u16), usize> = HashMap::new();
    for (row, class) in wrong(rows, set) {
        *pairs.entry((row.label, class)).or_default() += 1;
    }
    let mut pairs: Vec<_> = pairs.into_iter().map(|((label, class), count)| (label, class, count)).collect();
    pairs.sort_by_key(|&(label, class, count)| (std::cmp::Reverse(count), label, class));
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
            ConfidentError { image: &row.image, label: row.label, class, margin, probability }
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
    use crate::metrics::TopK;

    fn row(image: &str, label: u16, best: u16, margin: f32) -> Prediction {
        let classes = [best, 995, 996, 997, 998];
        let top = TopK { classes, logits: [margin, 0.0, -1.0, -2.0, -3.0] };
        Prediction { image: image.to_owned(), label, outcome: Ok(top) }
    }

    #[test]
    fn rows_are_counted() {
        let rows = [row("a", 1, 1, 9.0), row("b", 1, 2, 3.0), row("c", 1, 2, 5.0), row("d", 4, 4, 1.0)];
        assert_eq!(by_class(&rows, LabelSet::Original), [(1, 1, 3), (4, 1, 1)]);
        assert_eq!(confusions(&rows, LabelSet::Original), [(1, 2, 2)]);
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
}
