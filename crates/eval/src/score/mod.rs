//! Accuracy of predictions that were made elsewhere, scored by class index against known labels.
//!
//! Four forms of file are read: this project's prediction log, `image,class` rows, a table whose heading says which column
//! is what, and the five lines an image of VastModelZOO's `eval_topk.py`. Class names in a file are never looked at: they are not unique.

mod columns;
mod inputs;
mod read;
pub mod run;

use cards::{Figure, FigureName};
pub use columns::ColumnRoles;
use dataset::KnownLabels;
use dataset::labels::{self, LabelSet, VAL_IMAGES};
pub use inputs::Inputs;
pub use read::{Predictions, PredictionsFormat, Ranked, read};

use crate::EvalError;
use crate::definitions::Claim;
use crate::judge::diagnosis::diagnose;
use crate::judge::with_pixels;
use crate::metrics::{Hits, TOP_K, percentage};
use crate::pixels::Pixels;
use crate::plan::check_label_set;
use crate::record::AccuracyTolerance;
use crate::verdict::{Judgement, Verdict, judge_accuracy};

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

    /// The accuracies of `claim` that the predictions can be held against, judged. `inputs` are what they were made from, where that is known.
    pub fn judged(
        &self,
        claim: &Claim<'_>,
        tolerance: AccuracyTolerance,
        inputs: Option<&Inputs>,
    ) -> Vec<Judged> {
        let of_inputs = inputs.and_then(|inputs| inputs.obstacle(claim));
        let obstacles: Vec<&str> =
            [&self.obstacle, &of_inputs].into_iter().flatten().map(String::as_str).collect();
        let obstacle = (!obstacles.is_empty()).then(|| obstacles.join("; "));
        let pixels = inputs.map_or(&Pixels::Unverified, |inputs| &inputs.pixels);
        let row = claim.row;
        let top1 = row.top1_pct.as_ref().map(|printed| (FigureName::Top1Pct, printed, self.top1_hits));
        let top5 = row.top5_pct.as_ref().zip(self.top5_hits);
        let top5 = top5.map(|(printed, hits)| (FigureName::Top5Pct, printed, hits));
        let judged = |(figure, printed, hits): (FigureName, &Figure, u64)| {
            let judgement = judge_accuracy(
                printed,
                hits,
                self.images,
                tolerance.of(claim, figure),
                obstacle.as_deref(),
                row.erratum(figure),
            );
            let judgement = match obstacle {
                None => with_pixels(judgement, pixels),
                Some(_) => judgement,
            };
            Judged { figure, documented: printed.clone(), judgement }
        };
        top1.into_iter().chain(top5).map(judged).collect()
    }

    /// What of the accuracies that `claim` is about was not compared, a line each: all of them have to be, and
    /// there has to be one. `id` is the model's, if one was named; `judged` is what [`Self::judged`] says.
    pub fn not_compared(id: Option<&str>, claim: Option<&Claim<'_>>, judged: &[Judged]) -> Vec<String> {
        let Some(id) = id else {
            return vec!["no model was named, so there is no documented accuracy".to_owned()];
        };
        let is_documented = |figure| claim.is_some_and(|claim| claim.row.printed(figure).is_some());
        let figures =
            [FigureName::Top1Pct, FigureName::Top5Pct].map(|figure| (figure, is_documented(figure)));
        let none = figures.iter().all(|(_, documented)| !documented);
        let reason = |(figure, is_documented): (FigureName, bool)| {
            let found = judged.iter().find(|judged| judged.figure == figure);
            match found.map(|judged| &judged.judgement) {
                Some(judgement) => {
                    (judgement.verdict == Verdict::NotComparable).then(|| (figure, judgement.reason.clone()))
                }
                None if is_documented => {
                    Some((figure, "the file has fewer than five classes an image".to_owned()))
                }
                None => none.then(|| (figure, "nothing documented".to_owned())),
            }
        };
        let missing = figures.into_iter().filter_map(reason);
        missing.map(|(figure, reason)| format!("{id} {}: {reason}", figure.name())).collect()
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

/// Scores `predictions` by `label_set`. Where `known` labels are given, only they count, and they have to be complete;
/// else images named `ILSVRC2012_val_NNNNNNNN` have known labels, and others those that the file gives them.
///
/// # Errors
/// [`EvalError::NoLabel`] or [`EvalError::NotListed`] when an image has no label, [`EvalError::NoRealLabels`] by the ReaL
/// labels, [`EvalError::Predictions`] when a table's labels contradict the known ones.
pub fn score(
    predictions: &Predictions,
    known: Option<&KnownLabels>,
    label_set: LabelSet,
) -> Result<Score, EvalError> {
    let label_of = |ranked: &Ranked| match known {
        Some(known) => known.get(&ranked.image),
        None => labels::val_label(&ranked.image).or(ranked.label),
    };
    let labelled: Vec<(&Ranked, u16)> =
        predictions.images.iter().filter_map(|ranked| Some((ranked, label_of(ranked)?))).collect();
    if let Some(first) = predictions.images.iter().find(|ranked| label_of(ranked).is_none()) {
        let (path, total, first) = (predictions.path.clone(), predictions.images.len(), first.image.clone());
        let count = total - labelled.len();
        return Err(match known {
            Some(_) => EvalError::NotListed { path, count, total, first },
            None => EvalError::NoLabel { path, count, total, first },
        });
    }
    if known.is_none() {
        check_order_of_classes(predictions)?;
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

/// A table whose labels are not the known ones counts classes in another way, and so may its predictions. A log is this
/// program's, whose classes are known.
fn check_order_of_classes(predictions: &Predictions) -> Result<(), EvalError> {
    let PredictionsFormat::Table(columns) = &predictions.format else { return Ok(()) };
    let Some(column) = columns.label_name() else { return Ok(()) };
    let both = |ranked: &'_ Ranked| Some((labels::val_label(&ranked.image)?, ranked.label?));
    let pairs = predictions.images.iter().filter_map(|ranked| Some((ranked, both(ranked)?)));
    let total = pairs.clone().count();
    let mut contradicting = pairs.filter(|(_, (known, here))| known != here);
    let Some((first, (known, here))) = contradicting.next() else { return Ok(()) };
    let reason = format!(
        "line {}: `{column}` says {here} for {}, whose label is {known}; {} of {total} labels contradict the known ones. Classes \
         are 0 to 999 in sorted WNID order, so look how the file counts them; leave the column out if its predictions are right",
        first.line,
        first.image,
        1 + contradicting.count()
    );
    Err(EvalError::Predictions { path: predictions.path.clone(), reason })
}

/// Where the labels come from by which [`score`] scores, for people.
pub fn label_source(predictions: &Predictions, known: bool) -> String {
    if known {
        return "from the labels or images that were given".to_owned();
    }
    let by_number =
        predictions.images.iter().filter(|it| labels::val_file_number(&it.image).is_some()).count();
    let from_file = predictions.images.len() - by_number;
    match (by_number, from_file) {
        (_, 0) => "known by the file numbers".to_owned(),
        (0, _) => "from the file".to_owned(),
        _ => format!("{by_number} known by the file numbers, {from_file} from the file"),
    }
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
        let predictions = Predictions { path: PathBuf::new(), format, images, sha256: String::new() };
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
            Predictions {
                path: PathBuf::new(),
                format: PredictionsFormat::Rows,
                images,
                sha256: String::new(),
            }
        };
        let all = images(1..=VAL_IMAGES);
        let comparable = score(&all, None, LabelSet::Original).unwrap();
        assert_eq!((comparable.top1_hits, comparable.obstacle.clone()), (VAL_IMAGES as u64, None));
        let other = |number| (class(number) + u16::from(number == 7)) % 1000;
        let list: String = (1..=VAL_IMAGES).map(|it| format!("{} {}\n", name(it), other(it))).collect();
        let one = listed(&list);
        let obstacle = |known, label_set, predictions: &Predictions| {
            score(predictions, known, label_set).unwrap().obstacle.unwrap()
        };
        assert_eq!(
            obstacle(Some(&one), LabelSet::Original, &all),
            "1 labels are not those of the validation set"
        );
        assert!(obstacle(None, LabelSet::Original, &images(2..=VAL_IMAGES)).starts_with("49999 images"));
        assert!(obstacle(None, LabelSet::Real, &all).starts_with("ReaL labels"));

        let definitions = crate::Definitions::built_in();
        let claims = definitions.claims_of(definitions.catalog().get("timm/xception").unwrap());
        let tolerance = AccuracyTolerance::new(None);
        let [judged] = &comparable.judged(&claims[0], tolerance, None)[..] else {
            panic!("one class an image")
        };
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
        let predictions = Predictions { path: PathBuf::new(), format, images, sha256: String::new() };
        let score = score(&predictions, None, LabelSet::Real).unwrap();
        let obstacle = score.obstacle.clone();
        assert_eq!(score, Score { images: 1, unlabelled: 1, top1_hits: 1, obstacle, ..Score::default() });
    }

    #[test]
    fn labels_that_are_given_are_complete_or_refused() {
        let (format, images) = parse(&format!("{A}.JPEG,65\n{B}.JPEG,970\n")).unwrap();
        let predictions = Predictions { path: "p.csv".into(), format, images, sha256: String::new() };
        let part = listed(&format!("{A}.JPEG 65\n"));
        let error = score(&predictions, Some(&part), LabelSet::Original).unwrap_err().to_string();
        assert!(error.contains("1 of 2 images are not among the labels that were given"), "{error}");
        assert!(error.contains(&format!("the first: {B}.JPEG")), "{error}");
        let whole = listed(&format!("{A}.JPEG 66\n{B}.JPEG 970\n"));
        assert_eq!(score(&predictions, Some(&whole), LabelSet::Original).unwrap().top1_hits, 1);
    }

    #[test]
    fn a_label_is_never_taken_for_the_prediction() {
        let text = format!("image,label,prediction\n{A}.JPEG,65,1\n{B}.JPEG,970,2\n");
        assert_eq!(scored(&text), Score { images: 2, ..Score::default() });
        // Images that nobody knows have the labels of the table.
        let text = "file,true,pred\na.JPEG,5,5\nb.JPEG,6,5\n";
        assert_eq!(scored(text), Score { images: 2, top1_hits: 1, ..Score::default() });
        // Labels from 1.
        let (format, images) = parse(&format!("image,label,prediction\n{A}.JPEG,66,66\n")).unwrap();
        let predictions = Predictions { path: "p.csv".into(), format, images, sha256: String::new() };
        let error = score(&predictions, None, LabelSet::Original).unwrap_err().to_string();
        assert!(error.contains("line 2: `label` says 66 for") && error.contains("1 of 1 labels"), "{error}");
    }

    #[test]
    fn what_was_not_compared_is_named() {
        let definitions = crate::Definitions::built_in();
        let claims = definitions.claims_of(definitions.catalog().get("timm/xception").unwrap());
        let missing = |score: &Score| {
            let judged = score.judged(&claims[0], AccuracyTolerance::new(None), None);
            Score::not_compared(Some("timm/xception"), claims.first(), &judged).join("\n")
        };
        let whole = Score { images: 50_000, top1_hits: 39_525, ..Score::default() };
        assert_eq!(missing(&whole), "timm/xception top5_pct: the file has fewer than five classes an image");
        let five = Score { top5_hits: Some(47_196), ..whole };
        assert_eq!(missing(&five), "");
        let part = Score { obstacle: Some("100 images".to_owned()), ..five.clone() };
        assert_eq!(missing(&part), "timm/xception top1_pct: 100 images\ntimm/xception top5_pct: 100 images");
        let undocumented = Score::not_compared(Some("timm/xception"), None, &[]);
        assert!(undocumented[0].starts_with("timm/xception top1_pct: nothing documented"));
        assert_eq!(Score::not_compared(None, None, &[]).len(), 1);
    }

    #[test]
    fn images_without_a_label_are_named() {
        let (format, images) = parse("a.JPEG,1\n").unwrap();
        let predictions = Predictions { path: "p.csv".into(), format, images, sha256: String::new() };
        let error = score(&predictions, None, LabelSet::Original).unwrap_err().to_string();
        assert!(error.contains("1 of 1 images have no label, the first: a.JPEG"), "{error}");
        let known = listed("a.JPEG 1\n");
        assert_eq!(score(&predictions, Some(&known), LabelSet::Original).unwrap().top1_hits, 1);
        assert!(score(&predictions, Some(&known), LabelSet::Real).is_err());
    }
}
