//! Accuracy of predictions that were made elsewhere, scored by class index against known labels.
//!
//! Three forms of file are read: this project's prediction log, `image,class` rows, and the five lines an
//! image of VastModelZOO's `eval_topk.py`. Class names in a file are never looked at: they are not unique.

mod read;
pub mod run;

use dataset::KnownLabels;
use dataset::labels::{self, LabelSet, VAL_IMAGES};
use models::Model;
use models::catalog::{Figure, FigureName};
pub use read::{Format, Predictions, Ranked, read};

use crate::EvalError;
use crate::diagnosis::diagnose;
use crate::metrics::{Hits, TOP_K, percentage};
use crate::plan::check_label_set;
use crate::record::AccuracyTolerance;
use crate::verdict::{Judgement, judge_accuracy};

/// What the predictions are worth.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Score {
    /// Images with a label: the denominator.
    pub images: u64,
    /// Images for which the label set has no label.
    pub unlabelled: u64,
    /// Images without a prediction; they count as wrong.
    pub errors: u64,
    /// Hits of the best class.
    pub top1_hits: u64,
    /// Hits among the five best, if every image has five.
    pub top5_hits: Option<u64>,
    /// What the predictions look like when they are absurd.
    pub diagnosis: Option<String>,
    /// What makes the accuracies not comparable with documented ones.
    pub obstacle: Option<String>,
}

impl Score {
    /// Top-1 accuracy in per cent.
    pub fn top1_pct(&self) -> f64 {
        percentage(self.top1_hits, self.images)
    }

    /// Top-5 accuracy in per cent.
    pub fn top5_pct(&self) -> Option<f64> {
        self.top5_hits.map(|hits| percentage(hits, self.images))
    }

    /// The documented accuracies of `model` that the predictions can be held against, judged.
    pub fn judged(&self, model: &Model, tolerance: AccuracyTolerance) -> Vec<Judged> {
        let documented = &model.documented;
        let top1 = documented.top1_pct.as_ref().map(|printed| (FigureName::Top1Pct, printed, self.top1_hits));
        let top5 = documented.top5_pct.as_ref().zip(self.top5_hits);
        let top5 = top5.map(|(printed, hits)| (FigureName::Top5Pct, printed, hits));
        let judged = |(figure, printed, hits): (FigureName, &Figure, u64)| Judged {
            figure,
            documented: printed.clone(),
            judgement: judge_accuracy(
                printed,
                hits,
                self.images,
                tolerance.of(model, figure),
                self.obstacle.as_deref(),
                model.erratum(figure),
            ),
        };
        top1.into_iter().chain(top5).map(judged).collect()
    }
}

/// What is to be said of a documented accuracy.
#[derive(Debug)]
pub struct Judged {
    /// Which.
    pub figure: FigureName,
    /// As it is printed.
    pub documented: Figure,
    /// The verdict and its reason.
    pub judgement: Judgement,
}

/// Scores `predictions` by `label_set`. `known` labels images by name, for those that are not named
/// `ILSVRC2012_val_NNNNNNNN`; the labels that a prediction log holds are used last.
///
/// # Errors
/// [`EvalError::NoLabel`] when an image has no label, or [`EvalError::NoRealLabels`] by the ReaL labels.
pub fn score(
    predictions: &Predictions,
    known: Option<&KnownLabels>,
    label_set: LabelSet,
) -> Result<Score, EvalError> {
    let label_of = |ranked: &Ranked| {
        let name = ranked.image.as_str();
        let listed = known.and_then(|known| known.get(name));
        listed.or_else(|| labels::val_label(name)).or(ranked.label)
    };
    let labelled: Vec<(&Ranked, u16)> =
        predictions.images.iter().filter_map(|ranked| Some((ranked, label_of(ranked)?))).collect();
    if let Some(first) = predictions.images.iter().find(|ranked| label_of(ranked).is_none()) {
        return Err(EvalError::NoLabel {
            path: predictions.path.clone(),
            count: predictions.images.len() - labelled.len(),
            total: predictions.images.len(),
            first: first.image.clone(),
        });
    }
    check_label_set(label_set, predictions.images.iter().map(|ranked| ranked.image.as_str()))?;
    let mut hits = Hits::default();
    for (ranked, label) in &labelled {
        let classes = Some(&ranked.classes[..]).filter(|classes| !classes.is_empty());
        hits.add_ranked(label_set.truth(&ranked.image, label), classes);
    }
    let five = predictions.images.iter().all(|it| it.classes.is_empty() || it.classes.len() >= TOP_K);
    let best = |&(ranked, label): &(&Ranked, u16)| Some((*ranked.classes.first()?, label));
    Ok(Score {
        images: hits.images,
        unlabelled: hits.unlabelled,
        errors: hits.errors,
        top1_hits: hits.top1,
        top5_hits: five.then_some(hits.top5),
        diagnosis: diagnose(&labelled.iter().filter_map(best).collect::<Vec<_>>()),
        obstacle: obstacle(&labelled, label_set),
    })
}

/// What keeps an accuracy over these images from being held against one over the validation set.
fn obstacle(labelled: &[(&Ranked, u16)], label_set: LabelSet) -> Option<String> {
    let names = || labelled.iter().map(|(ranked, _)| ranked.image.as_str());
    let is_known = |(ranked, label): &(&Ranked, u16)| labels::val_label(&ranked.image) == Some(*label);
    if label_set == LabelSet::Real {
        Some("ReaL labels instead of the original ones".to_owned())
    } else if !is_complete(names()) {
        Some(format!("{} images, not the 50,000 of the validation set, each once", labelled.len()))
    } else {
        let others = labelled.iter().filter(|labelled| !is_known(labelled)).count();
        (others > 0).then(|| format!("{others} labels are not those of the validation set"))
    }
}

/// Whether they are the whole validation set, each image once.
fn is_complete<'a>(images: impl Iterator<Item = &'a str>) -> bool {
    let mut seen = vec![false; VAL_IMAGES];
    let mut count = 0;
    for image in images {
        count += 1;
        match labels::val_file_number(image) {
            Some(number) if !seen[number - 1] => seen[number - 1] = true,
            _ => return false,
        }
    }
    count == VAL_IMAGES
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::read::parse;
    use super::*;

    fn listed(list: &str) -> KnownLabels {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), list).unwrap();
        KnownLabels::from_list(file.path()).unwrap()
    }

    const A: &str = "ILSVRC2012_val_00000001"; // class 65
    const B: &str = "ILSVRC2012_val_00000002"; // class 970

    fn scored(text: &str) -> Score {
        let (format, images) = parse(text).unwrap();
        let predictions = Predictions { path: PathBuf::new(), format, images };
        let scored = score(&predictions, None, LabelSet::Original).unwrap();
        assert!(scored.obstacle.is_some(), "these are a few images");
        Score { obstacle: None, ..scored }
    }

    /// By labels of one's own nothing is reproduced, whatever the images are called.
    #[test]
    fn only_the_known_labels_of_all_images_are_comparable() {
        let name = |number: usize| format!("ILSVRC2012_val_{number:08}.JPEG");
        let class = |number: usize| labels::val_label(&name(number)).unwrap();
        let images = |numbers: std::ops::RangeInclusive<usize>| {
            let ranked = |number| Ranked {
                image: name(number),
                classes: vec![class(number)],
                label: None,
                line: number,
            };
            let images = numbers.map(ranked).collect();
            Predictions { path: PathBuf::new(), format: Format::Rows, images }
        };
        let all = images(1..=VAL_IMAGES);
        let comparable = score(&all, None, LabelSet::Original).unwrap();
        assert_eq!((comparable.top1_hits, comparable.obstacle.clone()), (VAL_IMAGES as u64, None));
        let one = listed(&format!("{} {}\n", name(7), (class(7) + 1) % 1000));
        let obstacle = |known, label_set, predictions: &Predictions| {
            score(predictions, known, label_set).unwrap().obstacle.unwrap()
        };
        assert_eq!(
            obstacle(Some(&one), LabelSet::Original, &all),
            "1 labels are not those of the validation set"
        );
        assert!(obstacle(None, LabelSet::Original, &images(2..=VAL_IMAGES)).starts_with("49999 images"));
        assert!(obstacle(None, LabelSet::Real, &all).starts_with("ReaL labels"));

        let catalog = models::Catalog::built_in();
        let model = catalog.select("timm/xception").unwrap()[0];
        let tolerance = AccuracyTolerance::new(None, &catalog);
        let [judged] = &comparable.judged(model, tolerance)[..] else { panic!("one class an image") };
        assert_eq!(
            (judged.figure, judged.judgement.verdict),
            (FigureName::Top1Pct, crate::verdict::Verdict::NotReproduced)
        );
    }

    #[test]
    fn rows_of_classes() {
        let expected = Score { images: 2, top1_hits: 1, ..Score::default() };
        for text in [
            format!("{A}.JPEG,65\n{B}.JPEG,1\n"),
            format!("image,class\nval/{A}.JPEG,n01751748\r\nval/{B}.JPEG, 1\r\n"),
            format!("\"C:\\data\\{A}.JPEG\",65\n{B},1"),
        ] {
            assert_eq!(scored(&text), expected, "{text}");
        }
        let five = scored(&format!("image,c1,c2,c3,c4,c5\n{A}.JPEG,1,2,3,4,65\n{B}.JPEG,970,1,2,3,4\n"));
        assert_eq!(five, Score { images: 2, top1_hits: 1, top5_hits: Some(2), ..Score::default() });
    }

    #[test]
    fn real_labels_leave_images_out() {
        let (format, images) = parse(&format!("{A},65\n{B},795\n")).unwrap();
        let predictions = Predictions { path: PathBuf::new(), format, images };
        let score = score(&predictions, None, LabelSet::Real).unwrap();
        let obstacle = score.obstacle.clone();
        assert_eq!(score, Score { images: 1, unlabelled: 1, top1_hits: 1, obstacle, ..Score::default() });
    }

    #[test]
    fn images_without_a_label_are_named() {
        let (format, images) = parse("a.JPEG,1\n").unwrap();
        let predictions = Predictions { path: "p.csv".into(), format, images };
        let error = score(&predictions, None, LabelSet::Original).unwrap_err().to_string();
        assert!(error.contains("1 of 1 images have no label, the first: a.JPEG"), "{error}");
        let known = listed("a.JPEG 1\n");
        assert_eq!(score(&predictions, Some(&known), LabelSet::Original).unwrap().top1_hits, 1);
        assert!(score(&predictions, Some(&known), LabelSet::Real).is_err());
    }
}
