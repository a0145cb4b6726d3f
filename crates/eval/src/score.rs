//! Accuracy of predictions that were made elsewhere, scored by class index against known labels.
//!
//! Three forms of file are read: this project's prediction log, `image,class` rows, and the five lines an
//! image of VastModelZOO's `eval_topk.py`. Class names in a file are never looked at: they are not unique.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use dataset::labels::{self, CLASSES, LabelSet, VAL_IMAGES};
use models::Model;
use models::catalog::{Figure, FigureName};

use crate::EvalError;
use crate::diagnosis::diagnose;
use crate::metrics::{TOP_K, percentage};
use crate::predictions;
use crate::record::AccuracyTolerance;
use crate::verdict::{Judgement, judge_accuracy};

/// How a file of predictions is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// This project's prediction log.
    Log,
    /// `image,class` rows, or more classes a row, the best first.
    Rows,
    /// `{path}: Relay top-{i} id: {n}, prob: {p}, class name: {name}`, five lines an image.
    VastModelZoo,
}

impl Format {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "prediction log of this program",
            Self::Rows => "image,class rows",
            Self::VastModelZoo => "VastModelZOO's eval_topk.py",
        }
    }
}

/// What a file predicts for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// The image, as the file calls it, with `/` between folders.
    pub image: String,
    /// Class indices, the best first; empty when the image had no prediction.
    pub classes: Vec<u16>,
    /// The label that the file gives it, if it does.
    pub label: Option<u16>,
    /// The line it begins on, counted from 1.
    pub line: usize,
}

/// A file of predictions.
#[derive(Debug)]
pub struct Predictions {
    /// The file.
    pub path: PathBuf,
    /// How it is written.
    pub format: Format,
    /// An entry an image, each image once.
    pub images: Vec<Ranked>,
}

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

/// Reads a file of predictions.
///
/// # Errors
/// [`EvalError::Predictions`] with the line, when it is of no known form, names an image twice, or a class
/// that there is not; [`EvalError::Unreadable`].
pub fn read(path: &Path) -> Result<Predictions, EvalError> {
    let bytes = fs::read(path).map_err(|source| EvalError::Unreadable { path: path.to_owned(), source })?;
    let refused = |reason: String| EvalError::Predictions { path: path.to_owned(), reason };
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        refused(format!("line {line} is not UTF-8 text"))
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let (format, images) = parse(text).map_err(refused)?;
    if images.is_empty() {
        return Err(refused("there is no prediction in it".to_owned()));
    }
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for image in &images {
        if let Some(first) = lines.insert(&image.image, image.line) {
            return Err(refused(format!(
                "line {}: {} stands on line {first} already",
                image.line, image.image
            )));
        }
    }
    Ok(Predictions { path: path.to_owned(), format, images })
}

fn parse(text: &str) -> Result<(Format, Vec<Ranked>), String> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if predictions::is_header(first) {
        let rows = predictions::parse(text.as_bytes())?;
        let ranked = rows.into_iter().zip(2..).map(|(row, line)| Ranked {
            image: row.image,
            classes: row.outcome.map(|top| top.classes.to_vec()).unwrap_or_default(),
            label: Some(row.label),
            line,
        });
        return Ok((Format::Log, ranked.collect()));
    }
    if first.contains(RELAY) {
        return vast_model_zoo(text).map(|images| (Format::VastModelZoo, images));
    }
    rows(text).map(|images| (Format::Rows, images))
}

/// Windows separates folders by a backslash.
fn slashed(image: &str) -> String {
    image.replace('\\', "/")
}

const RELAY: &str = ": Relay top-";

/// Lines of one image stand together and count up, from 0 or from 1.
fn vast_model_zoo(text: &str) -> Result<Vec<Ranked>, String> {
    let mut images: Vec<(Ranked, usize)> = Vec::new();
    for (line, content) in (1..).zip(text.lines()).filter(|(_, content)| !content.trim().is_empty()) {
        let (image, rank, class) = relay(content).ok_or_else(|| {
            format!(
                "line {line}: `{content}` is not `PATH: Relay top-N id: CLASS, prob: P, class name: NAME`"
            )
        })?;
        let class = class_index(class).map_err(|reason| format!("line {line}: {reason}"))?;
        match images.last_mut().filter(|(ranked, _)| ranked.image == slashed(image)) {
            Some((ranked, first)) => {
                if rank != *first + ranked.classes.len() {
                    let expected = *first + ranked.classes.len();
                    return Err(format!("line {line}: top-{rank} of {image} where top-{expected} belongs"));
                }
                ranked.classes.push(class);
            }
            None if rank > 1 => return Err(format!("line {line}: {image} begins with top-{rank}")),
            None => {
                let ranked = Ranked { image: slashed(image), classes: vec![class], label: None, line };
                images.push((ranked, rank));
            }
        }
    }
    let images: Vec<Ranked> = images.into_iter().map(|(ranked, _)| ranked).collect();
    for ranked in &images {
        if ranked.classes.len() != TOP_K {
            let count = ranked.classes.len();
            return Err(format!("line {}: {} has {count} lines instead of five", ranked.line, ranked.image));
        }
        distinct(ranked)?;
    }
    Ok(images)
}

fn relay(line: &str) -> Option<(&str, usize, &str)> {
    // A path may hold anything, so the last such mark counts.
    let at = line.rfind(RELAY)?;
    let (rank, rest) = line[at + RELAY.len()..].split_once(" id:")?;
    Some((line[..at].trim(), rank.trim().parse().ok()?, rest.split(',').next()?.trim()))
}

/// `image,class[,class...]`, with or without a heading.
fn rows(text: &str) -> Result<Vec<Ranked>, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut images: Vec<Ranked> = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(index + 1, |position| position.line() as usize);
        let mut cells = record.iter().map(str::trim);
        let image = cells.next().unwrap_or_default();
        let cells: Vec<&str> = cells.collect();
        if cells.is_empty() || image.is_empty() {
            return Err(format!("line {line}: a row is `image,class`, with more classes if there are more"));
        }
        let classes: Result<Vec<u16>, String> = cells.iter().map(|cell| class_index(cell)).collect();
        let classes = match classes {
            Ok(classes) => classes,
            Err(_) if index == 0 && is_heading(image, &cells) => continue,
            Err(reason) => return Err(format!("line {line}: {reason}")),
        };
        let ranked = Ranked { image: slashed(image), classes, label: None, line };
        distinct(&ranked)?;
        if let Some(first) = images.first().filter(|first| first.classes.len() != ranked.classes.len()) {
            let (here, there) = (ranked.classes.len(), first.classes.len());
            return Err(format!("line {line}: {here} classes, where line {} has {there}", first.line));
        }
        images.push(ranked);
    }
    Ok(images)
}

/// Whether a first row names columns: nothing in it is a class, and what stands for the image is none. Else it
/// is a row with a mistake in it.
fn is_heading(image: &str, cells: &[&str]) -> bool {
    let is_file = || Path::new(image).extension().is_some() || labels::val_file_number(image).is_some();
    cells.iter().all(|cell| class_index(cell).is_err() && !is_number(cell)) && !is_file()
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

fn distinct(ranked: &Ranked) -> Result<(), String> {
    let twice =
        (1..ranked.classes.len()).find(|&rank| ranked.classes[..rank].contains(&ranked.classes[rank]));
    match twice {
        Some(rank) => Err(format!("line {}: class {} is predicted twice", ranked.line, ranked.classes[rank])),
        None => Ok(()),
    }
}

/// A class by its index, or by its WNID.
fn class_index(text: &str) -> Result<u16, String> {
    if let Some(class) = labels::wnid_to_index(text) {
        return Ok(class);
    }
    match text.parse::<i64>() {
        Ok(class) if (0..CLASSES as i64).contains(&class) => Ok(class as u16),
        Ok(class) => Err(format!(
            "class {class} is not in 0..999, the class indices in sorted WNID order (of 1001 classes with a background, subtract 1)"
        )),
        Err(_) => Err(format!("`{text}` is no class index and no WNID; class names are not unique")),
    }
}

/// Scores `predictions` by `label_set`. `known` labels images by name, for those that are not named
/// `ILSVRC2012_val_NNNNNNNN`; the labels that a prediction log holds are used last.
///
/// # Errors
/// [`EvalError::NoLabel`] when an image has no label, or [`EvalError::NoRealLabels`] by the ReaL labels.
pub fn score(
    predictions: &Predictions,
    known: Option<&HashMap<String, u16>>,
    label_set: LabelSet,
) -> Result<Score, EvalError> {
    let label_of = |ranked: &Ranked| {
        let name = ranked.image.as_str();
        let file = name.rsplit('/').next().unwrap_or(name);
        let listed = known.and_then(|known| known.get(name).or_else(|| known.get(file))).copied();
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
    let is_other = |ranked: &&Ranked| labels::val_file_number(&ranked.image).is_none();
    if let (LabelSet::Real, Some(first)) = (label_set, predictions.images.iter().find(is_other)) {
        return Err(EvalError::NoRealLabels {
            count: predictions.images.iter().filter(is_other).count(),
            total: predictions.images.len(),
            first: first.image.clone(),
        });
    }
    let mut score = Score { obstacle: obstacle(&labelled, label_set), ..Score::default() };
    let mut top5_hits = 0;
    for (ranked, label) in &labelled {
        let truth = label_set.truth(&ranked.image, label);
        if truth.is_empty() {
            score.unlabelled += 1;
            continue;
        }
        score.images += 1;
        score.errors += u64::from(ranked.classes.is_empty());
        score.top1_hits += u64::from(ranked.classes.first().is_some_and(|class| truth.contains(class)));
        top5_hits += u64::from(ranked.classes.iter().take(TOP_K).any(|class| truth.contains(class)));
    }
    let five = predictions.images.iter().all(|it| it.classes.is_empty() || it.classes.len() >= TOP_K);
    score.top5_hits = five.then_some(top5_hits);
    let best = |&(ranked, label): &(&Ranked, u16)| Some((*ranked.classes.first()?, label));
    score.diagnosis = diagnose(&labelled.iter().filter_map(best).collect::<Vec<_>>());
    Ok(score)
}

/// What keeps an accuracy over these images from being held against one over the validation set.
fn obstacle(labelled: &[(&Ranked, u16)], label_set: LabelSet) -> Option<String> {
    let names = || labelled.iter().map(|(ranked, _)| ranked.image.as_str());
    let is_known = |(ranked, label): &(&Ranked, u16)| labels::val_label(&ranked.image) == Some(*label);
    if label_set == LabelSet::Real {
        Some("ReaL labels instead of the original ones".to_owned())
    } else if !is_complete(names()) {
        Some(format!("{} images, not the {VAL_IMAGES} of the validation set, each once", labelled.len()))
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
    use super::*;

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
        let one = HashMap::from([(name(7), (class(7) + 1) % 1000)]);
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
    fn five_lines_an_image() {
        let line = |image: &str, rank: usize, class: u16| {
            format!(
                "/data/x: y/{image}.JPEG: Relay top-{rank} id: {class}, prob: 0.5, class name: crane, bird\n"
            )
        };
        for start in [0, 1] {
            let lines = |image, classes: [u16; 5]| -> String {
                (start..).zip(classes).map(|(rank, class)| line(image, rank, class)).collect()
            };
            let text = lines(A, [65, 1, 2, 3, 4]) + &lines(B, [1, 2, 3, 970, 4]);
            assert_eq!(parse(&text).unwrap().0, Format::VastModelZoo);
            let expected = Score { images: 2, top1_hits: 1, top5_hits: Some(2), ..Score::default() };
            assert_eq!(scored(&text), expected);
            let cut: String = text.lines().take(9).map(|line| format!("{line}\n")).collect();
            assert!(parse(&cut).unwrap_err().contains("has 4 lines instead of five"));
            let jumped: String =
                text.lines().filter(|line| !line.contains("top-2")).map(|it| format!("{it}\n")).collect();
            assert!(parse(&jumped).unwrap_err().contains("where top-2 belongs"));
        }
    }

    #[test]
    fn what_cannot_be_scored_is_named_by_its_line() {
        for (text, reason) in [
            ("a.JPEG,1\nb.JPEG,1000\n", "line 2: class 1000 is not in 0..999"),
            ("a.JPEG,1\nb.JPEG,crane\n", "line 2: `crane` is no class index and no WNID"),
            ("a.JPEG,1,2\nb.JPEG,3\n", "line 2: 1 classes, where line 1 has 2"),
            ("a.JPEG,1,1\n", "line 1: class 1 is predicted twice"),
            ("a.JPEG\n", "line 1: a row is `image,class`"),
            ("a.JPEG,1001\n", "line 1: class 1001"),
            // No headings, but rows with a mistake.
            ("ILSVRC2012_val_00000001,n0175174\n", "line 1: `n0175174` is no class index"),
            ("a.JPEG,crane\nb.JPEG,1\n", "line 1: `crane` is no class index"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let (format, images) = parse("a.JPEG,1\n").unwrap();
        let predictions = Predictions { path: "p.csv".into(), format, images };
        let error = score(&predictions, None, LabelSet::Original).unwrap_err().to_string();
        assert!(error.contains("1 of 1 images have no label, the first: a.JPEG"), "{error}");
        let known = HashMap::from([("a.JPEG".to_owned(), 1)]);
        assert_eq!(score(&predictions, Some(&known), LabelSet::Original).unwrap().top1_hits, 1);
        assert!(score(&predictions, Some(&known), LabelSet::Real).is_err());
    }

    #[test]
    fn real_labels_leave_images_out() {
        let (format, images) = parse(&format!("{A},65\n{B},795\n")).unwrap();
        let predictions = Predictions { path: PathBuf::new(), format, images };
        let score = score(&predictions, None, LabelSet::Real).unwrap();
        let obstacle = score.obstacle.clone();
        assert_eq!(score, Score { images: 1, unlabelled: 1, top1_hits: 1, obstacle, ..Score::default() });
    }
}
