//! Two runs side by side: which images changed sides, and whether that is more than chance.

use std::collections::{BTreeMap, HashMap};

use dataset::labels::LabelSet;

use crate::logs::digests::{self, Digest};
use crate::logs::predictions::Prediction;
use crate::metrics::{Hits, mcnemar_exact_p, percentage};
use crate::run_dir::paths::DIGESTS;
use crate::stored::gate::Paired;
use crate::stored::stored_run::StoredRun;
use crate::weights::WeightsSource;
use crate::{EvalError, Remedy};

/// One model in two runs, over the images that both have.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelComparison {
    /// Catalog id.
    pub id: String,
    /// What the first run counted on these images.
    pub hits: Hits,
    /// What the run that it is compared with counted.
    pub against_hits: Hits,
    /// Images whose best class differs.
    pub best_class_changed: usize,
    /// Images whose five best classes, or their order, differ.
    pub top5_changed: usize,
    /// How many images the first run has.
    pub images: usize,
    /// How many images the run that it is compared with has.
    pub against_images: usize,
    /// How many images both have: those that are compared.
    pub shared: usize,
    /// Images whose best class is right in one run and wrong in the other.
    pub top1: Flips,
    /// Images that have a right one among the five best classes in one run and none in the other.
    pub top5: Flips,
    /// Classes with a different number of top-1 hits, the largest change first.
    pub classes: Vec<ClassChange>,
}

/// The images that changed sides, by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flips(pub Vec<Flip>);

impl Flips {
    /// How many the first run wins, and loses.
    pub fn gained_and_lost(&self) -> (usize, usize) {
        let gained = self.0.iter().filter(|flip| flip.gained).count();
        (gained, self.0.len() - gained)
    }

    /// The probability of flips so uneven, or more so, if both runs were equally good: McNemar's exact test, two-sided.
    pub fn mcnemar_p(&self) -> f64 {
        let (gained, lost) = self.gained_and_lost();
        mcnemar_exact_p(gained as u64, lost as u64)
    }
}

/// An image that changed sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flip {
    /// Its name.
    pub image: String,
    /// Its label in the data set.
    pub label: u16,
    /// The best class in the first run, if it has a prediction.
    pub class: Option<u16>,
    /// The best class in the other.
    pub against_class: Option<u16>,
    /// Whether the first run is the one that is right.
    pub gained: bool,
}

/// How a class fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassChange {
    /// Class index of the label.
    pub class: u16,
    /// Its images.
    pub images: u64,
    /// Top-1 hits in the first run.
    pub hits: u64,
    /// Top-1 hits in the other.
    pub against_hits: u64,
}

impl ModelComparison {
    /// Change of top-1 accuracy in percentage points, positive when the first run is better.
    pub fn top1_change_pp(&self) -> f64 {
        percentage(self.hits.top1, self.hits.images) - percentage(self.against_hits.top1, self.hits.images)
    }

    /// Change of top-5 accuracy in percentage points.
    pub fn top5_change_pp(&self) -> f64 {
        percentage(self.hits.top5, self.hits.images) - percentage(self.against_hits.top5, self.hits.images)
    }

    /// The top-1 hits of both runs, image by image.
    pub fn top1_paired(&self) -> Paired {
        self.paired([self.hits.top1, self.against_hits.top1], &self.top1)
    }

    /// The top-5 hits of both runs, image by image.
    pub fn top5_paired(&self) -> Paired {
        self.paired([self.hits.top5, self.against_hits.top5], &self.top5)
    }

    fn paired(&self, [hits, against_hits]: [u64; 2], flips: &Flips) -> Paired {
        let (gained, lost) = flips.gained_and_lost();
        Paired { images: self.hits.images, hits, against_hits, gained: gained as u64, lost: lost as u64 }
    }

    /// Whether both runs measured the same images.
    pub fn over_the_same_images(&self) -> bool {
        self.shared == self.images && self.shared == self.against_images
    }
}

/// The comparison of two runs.
#[derive(Debug)]
pub struct Comparison {
    /// Models that both have, in the first run's order.
    pub models: Vec<ModelComparison>,
    /// Models that only one of them has, and which.
    pub only_in_one: Vec<String>,
    /// What a reader should know, a sentence each: models and images that only one has, other conditions.
    pub notes: Vec<String>,
}

/// Over which images two runs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// All images of both runs, which have to be the same: what a part says of the whole cannot be told.
    All,
    /// The images that both have.
    Shared,
}

/// What has to be said where images were read as other bytes in one run than in the other, by the digests of both.
fn other_bytes(
    pairs: &[(&Prediction, &Prediction)],
    [here, there]: &[HashMap<String, Digest>; 2],
) -> Option<String> {
    let is_other =
        |image: &str| here.get(image).zip(there.get(image)).is_some_and(|(one, other)| one != other);
    let mut others = pairs.iter().map(|(row, _)| row.image.as_str()).filter(|image| is_other(image));
    let first = others.next()?;
    Some(format!(
        "{} of {} images were read as other bytes by the other run ({first} first): they are not the same files.",
        1 + others.count(),
        pairs.len()
    ))
}

/// Compares `run` with `against`, over the models that both have.
///
/// # Errors
/// [`EvalError::NotTheSameTask`] when they have no model or image in common, label an image differently, have no
/// labelled image, or are compared over all images and have different ones; those of [`StoredRun::rows`].
pub fn compare(run: &StoredRun, against: &StoredRun, over: Over) -> Result<Comparison, EvalError> {
    let different_unless = |remedy: Option<Remedy>, reason: String| EvalError::NotTheSameTask {
        path: run.path.clone(),
        against: against.path.clone(),
        reason,
        remedy,
    };
    let different = |reason: String| different_unless(None, reason);
    let (here, there) = (&run.record, &against.record);
    if here.dataset.label_set != there.dataset.label_set {
        let (here, there) = (here.dataset.label_set.name(), there.dataset.label_set.name());
        return Err(different(format!("one is scored by the label set {here}, the other by {there}")));
    }
    let mut notes = Vec::new();
    let ids = |record: &crate::record::RunRecord| -> Vec<String> {
        record.models.iter().map(|model| model.id.clone()).collect()
    };
    let mut only_in_one = Vec::new();
    for (ids, others, path) in [(ids(here), ids(there), &run.path), (ids(there), ids(here), &against.path)] {
        let only: Vec<&str> = ids.iter().filter(|id| !others.contains(id)).map(String::as_str).collect();
        if !only.is_empty() {
            notes.push(format!("Only in {}, and not compared: {}.", path.display(), only.join(", ")));
            only_in_one.extend(only.iter().map(|id| format!("{id}: only in {}", path.display())));
        }
    }
    if here.device != there.device {
        notes.push(format!("Devices differ: {} and {}.", here.device, there.device));
    }
    if here.numbers() != there.numbers() {
        notes.push(format!("Types of numbers differ: {} and {}.", here.numbers(), there.numbers()));
    }
    let read_then = [digests::read(&run.path.join(DIGESTS))?, digests::read(&against.path.join(DIGESTS))?];
    let mut models = Vec::new();
    for model in &here.models {
        let Some(other) = there.models.iter().find(|other| other.id == model.id) else { continue };
        let recipes = [model.recipe(), other.recipe()];
        if recipes[0] != recipes[1] {
            let [here, there] = recipes[0].told_apart(&recipes[1]);
            notes.push(format!("{}: recipes differ: {here} and {there}.", model.id));
        }
        if model.network != other.network {
            notes.push(format!("{}: networks differ: {} and {}.", model.id, model.network, other.network));
        }
        if model.weights.label() != other.weights.label() {
            let (here, there) = (model.weights.label(), other.weights.label());
            notes.push(format!("{}: weights differ: {here} and {there}.", model.id));
        }
        let (rows, other_rows) = (run.rows(&model.id)?, against.rows(&model.id)?);
        let in_other: HashMap<&str, &Prediction> =
            other_rows.iter().map(|row| (row.image.as_str(), row)).collect();
        let pairs: Vec<(&Prediction, &Prediction)> =
            rows.iter().filter_map(|row| Some((row, *in_other.get(row.image.as_str())?))).collect();
        if let Some((row, other)) = pairs.iter().find(|(row, other)| row.label != other.label) {
            let (image, here, there) = (&row.image, row.label, other.label);
            return Err(different(format!("{image} is labelled {here} in one and {there} in the other")));
        }
        if pairs.is_empty() {
            return Err(different("they have no image in common".to_owned()));
        }
        let lacks_classes = |row: &Prediction| row.outcome.as_ref().is_ok_and(|top| !top.has_all_classes());
        if pairs.iter().any(|(row, other)| lacks_classes(row) || lacks_classes(other)) {
            let lacks =
                "a run has fewer than five classes an image, so its top-5 is a part of what it would be";
            notes.push(format!("{}: {lacks}.", model.id));
        }
        let mut found = compare_rows(&model.id, &pairs, here.dataset.label_set);
        (found.images, found.against_images) = (rows.len(), other_rows.len());
        if found.hits.images == 0 {
            let set = here.dataset.label_set.name();
            return Err(different(format!("by the label set {set}, none of their images has a label")));
        }
        if !found.over_the_same_images() {
            let ModelComparison { images, against_images, shared, .. } = found;
            let parts = format!("{shared} of {images} images here are among the {against_images} there");
            match over {
                Over::All => {
                    let reason = format!(
                        "they are over different images ({parts}), and what the others would say cannot be told. \
                         Evaluate both over the same images, or compare those that both have"
                    );
                    return Err(different_unless(Some(Remedy::OnlyShared), reason));
                }
                Over::Shared => notes.push(format!("{}: {parts}; only those are compared.", model.id)),
            }
        }
        let is_elsewhere =
            [model, other].iter().any(|it| matches!(it.weights, WeightsSource::Elsewhere { .. }));
        let note = other_bytes(&pairs, &read_then).or_else(|| {
            let is_same = here.dataset.images != there.dataset.images
                || here.dataset.fingerprint == there.dataset.fingerprint
                || !found.over_the_same_images();
            (!is_same).then(|| match is_elsewhere {
                true => "The images have the same names and labels; of predictions made elsewhere, the files are not known.".to_owned(),
                false => "The images have the same names and labels, and different sizes: they are not the same files.".to_owned(),
            })
        });
        notes.extend(note.filter(|note| !notes.contains(note)));
        models.push(found);
    }
    if models.is_empty() {
        let (here, there) = (ids(here).join(", "), ids(there).join(", "));
        let reason = format!(
            "they have no model in common ({here} in one, {there} in the other). Predictions made elsewhere are a model's where \
             that is said when they are scored"
        );
        return Err(different_unless(Some(Remedy::PredictedModel), reason));
    }
    Ok(Comparison { models, only_in_one, notes })
}

fn compare_rows(id: &str, pairs: &[(&Prediction, &Prediction)], label_set: LabelSet) -> ModelComparison {
    let best = |row: &Prediction| row.outcome.as_ref().ok().map(|top| top.classes[0]);
    let five = |row: &Prediction| row.outcome.as_ref().ok().map(|top| top.classes);
    let (mut hits, mut against_hits) = (Hits::default(), Hits::default());
    let (mut best_class_changed, mut top5_changed) = (0, 0);
    let (mut top1_flips, mut top5_flips) = (Flips::default(), Flips::default());
    let mut classes: BTreeMap<u16, ClassChange> = BTreeMap::new();
    for (row, other) in pairs {
        let truth = label_set.truth(&row.image, &row.label);
        hits.add(truth, row.outcome.as_ref().ok());
        against_hits.add(truth, other.outcome.as_ref().ok());
        let (class, against_class) = (best(row), best(other));
        best_class_changed += usize::from(class != against_class);
        top5_changed += usize::from(five(row) != five(other));
        if truth.is_empty() {
            continue;
        }
        let right = |class: Option<u16>| class.is_some_and(|class| truth.contains(&class));
        let (here, there) = (right(class), right(against_class));
        let start = ClassChange { class: row.label, images: 0, hits: 0, against_hits: 0 };
        let change = classes.entry(row.label).or_insert(start);
        change.images += 1;
        change.hits += u64::from(here);
        change.against_hits += u64::from(there);
        let any_right =
            |row: &Prediction| five(row).is_some_and(|five| five.iter().any(|it| truth.contains(it)));
        let sides = [((here, there), &mut top1_flips), ((any_right(row), any_right(other)), &mut top5_flips)];
        for ((here, there), flips) in sides {
            if here != there {
                let (image, label) = (row.image.clone(), row.label);
                flips.0.push(Flip { image, label, class, against_class, gained: here });
            }
        }
    }
    for flips in [&mut top1_flips, &mut top5_flips] {
        flips.0.sort_by(|a, b| a.image.cmp(&b.image));
    }
    let mut classes: Vec<ClassChange> =
        classes.into_values().filter(|change| change.hits != change.against_hits).collect();
    // Stable: classes with the same change stay in their order.
    classes.sort_by_key(|change| std::cmp::Reverse(change.hits.abs_diff(change.against_hits)));
    ModelComparison {
        id: id.to_owned(),
        hits,
        against_hits,
        best_class_changed,
        top5_changed,
        images: pairs.len(),
        against_images: pairs.len(),
        shared: pairs.len(),
        top1: top1_flips,
        top5: top5_flips,
        classes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TopK;

    fn row(image: &str, label: u16, classes: Option<[u16; 5]>) -> Prediction {
        let outcome = classes.map(|classes| TopK { classes, logits: [5.0, 4.0, 3.0, 2.0, 1.0] });
        Prediction { image: image.to_owned(), label, outcome: outcome.ok_or_else(|| "broken".to_owned()) }
    }

    #[test]
    fn flips_are_named_and_counted_by_class() {
        let here = [
            row("a", 1, Some([1, 2, 3, 4, 5])),
            row("b", 1, Some([2, 1, 3, 4, 5])),
            row("c", 7, Some([7, 1, 2, 3, 4])),
            row("d", 7, Some([7, 1, 2, 3, 4])),
            row("e", 9, Some([1, 2, 3, 4, 5])),
        ];
        let there = [
            row("a", 1, Some([2, 1, 3, 4, 5])),
            row("b", 1, Some([1, 2, 3, 4, 5])),
            row("c", 7, Some([1, 7, 2, 3, 4])),
            row("d", 7, None),
            row("e", 9, Some([1, 2, 3, 5, 4])),
        ];
        let pairs: Vec<_> = here.iter().zip(&there).collect();
        let found = compare_rows("timm/xception", &pairs, LabelSet::Original);
        assert_eq!((found.hits.top1, found.against_hits.top1), (3, 1));
        assert_eq!((found.hits.top5, found.against_hits.top5, found.against_hits.errors), (4, 3, 1));
        assert_eq!((found.best_class_changed, found.top5_changed), (4, 5));
        assert_eq!(found.top1.gained_and_lost(), (3, 1));
        // What has no prediction has no right class among five either.
        let d = Flip { image: "d".to_owned(), label: 7, class: Some(7), against_class: None, gained: true };
        assert_eq!(found.top5.0, [d]);
        let lost =
            Flip { image: "b".to_owned(), label: 1, class: Some(2), against_class: Some(1), gained: false };
        assert_eq!(found.top1.0[1], lost);
        assert_eq!(found.top1.0[3].against_class, None);
        // Class 1 gained one and lost one.
        assert_eq!(found.classes, [ClassChange { class: 7, images: 2, hits: 2, against_hits: 0 }]);
        assert!((found.top1.mcnemar_p() - 0.625).abs() < 1e-12);
        assert!((found.top1_change_pp() - 40.0).abs() < 1e-9);
    }

    #[test]
    fn an_image_without_a_right_class_is_no_flip() {
        // The first validation file has no ReaL label.
        let image = "ILSVRC2012_val_00000001.JPEG";
        let (here, there) = (row(image, 65, Some([65, 2, 3, 4, 5])), row(image, 65, Some([2, 65, 3, 4, 5])));
        let found = compare_rows("timm/xception", &[(&here, &there)], LabelSet::Real);
        assert_eq!((found.hits.images, found.top1.0.len(), found.best_class_changed), (0, 0, 1));
    }
}
