//! Files of predictions that other programs wrote: which form one has, and what it predicts for each image.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dataset::labels::{self, CLASSES};
use dataset::regular;
use sha2::{Digest as _, Sha256};

use super::columns::{self, ColumnRoles};
use crate::EvalError;
use crate::logs::digests::hex;
use crate::logs::predictions;
use crate::metrics::TOP_K;

/// Predictions are read whole; those of 50,000 images have 6 MB, with their probabilities a hundred times that.
const MAX_BYTES: u64 = 4 << 30;

/// How a file of predictions is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PredictionsFormat {
    /// This project's prediction log.
    Log,
    /// `image,class` rows, or five classes a row, the best first.
    Rows,
    /// Rows under a heading that says which column is what.
    Table(ColumnRoles),
    /// `{path}: Relay top-{i} id: {n}, prob: {p}, class name: {name}`, five lines an image.
    VastModelZoo,
}

impl PredictionsFormat {
    /// For people.
    pub fn name(&self) -> String {
        match self {
            Self::Log => "prediction log of this program".to_owned(),
            Self::Rows => "image,class rows".to_owned(),
            Self::Table(columns) => columns.described(),
            Self::VastModelZoo => "VastModelZOO's eval_topk.py".to_owned(),
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
    pub format: PredictionsFormat,
    /// An entry an image, each image once.
    pub images: Vec<Ranked>,
    /// SHA-256 of the bytes that were read.
    pub sha256: String,
}

/// Reads a file of predictions.
///
/// # Errors
/// [`EvalError::Predictions`] with the line, when it is of no known form, names an image twice, or a class
/// that there is not; [`EvalError::Unreadable`].
pub fn read(path: &Path) -> Result<Predictions, EvalError> {
    let bytes = regular::read(path, MAX_BYTES)
        .map_err(|source| EvalError::Unreadable { path: path.to_owned(), source })?;
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
    let sha256 = hex(Sha256::digest(&bytes));
    Ok(Predictions { path: path.to_owned(), format, images, sha256 })
}

pub(super) fn parse(text: &str) -> Result<(PredictionsFormat, Vec<Ranked>), String> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if predictions::is_header(first) {
        let rows = predictions::parse(text.as_bytes())?;
        let ranked = rows.into_iter().zip(2..).map(|(row, line)| Ranked {
            image: row.image,
            classes: row.outcome.map(|top| top.classes.to_vec()).unwrap_or_default(),
            label: Some(row.label),
            line,
        });
        return Ok((PredictionsFormat::Log, ranked.collect()));
    }
    if first.contains(RELAY) {
        return vast_model_zoo(text).map(|images| (PredictionsFormat::VastModelZoo, images));
    }
    rows(text)
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

/// `image,class` or `image,class,class,class,class,class`, or what a heading says.
fn rows(text: &str) -> Result<(PredictionsFormat, Vec<Ranked>), String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut images: Vec<Ranked> = Vec::new();
    let mut format = PredictionsFormat::Rows;
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(index + 1, |position| position.line() as usize);
        let cells: Vec<&str> = record.iter().map(str::trim).collect();
        if index == 0 && is_heading(&cells) {
            format = PredictionsFormat::Table(
                ColumnRoles::of(&cells).map_err(|reason| format!("line {line}: {reason}"))?,
            );
            continue;
        }
        let ranked = match &format {
            PredictionsFormat::Table(columns) => table_row(columns, &cells, line),
            _ => bare_row(&cells, line),
        };
        let ranked = ranked.map_err(|reason| format!("line {line}: {reason}"))?;
        distinct(&ranked)?;
        if let Some(first) = images.first().filter(|first| first.classes.len() != ranked.classes.len()) {
            let (here, there) = (ranked.classes.len(), first.classes.len());
            return Err(format!("line {line}: {here} classes, where line {} has {there}", first.line));
        }
        images.push(ranked);
    }
    Ok((format, images))
}

/// A row under a heading.
fn table_row(columns: &ColumnRoles, cells: &[&str], line: usize) -> Result<Ranked, String> {
    if cells.len() != columns.count() {
        return Err(format!("{} cells, where the heading has {}", cells.len(), columns.count()));
    }
    let image = columns.image(cells);
    if image.is_empty() {
        return Err("the image has no name".to_owned());
    }
    let classes = columns.classes(cells).into_iter().map(class_index).collect::<Result<_, _>>()?;
    let label = columns.label(cells).map(|(cell, name)| {
        class_index(cell).map_err(|reason| {
            format!("{reason}; that is in `{name}`, so leave that column out if it is not needed")
        })
    });
    Ok(Ranked { image: slashed(image), classes, label: label.transpose()?, line })
}

/// A row in a file without a heading.
fn bare_row(cells: &[&str], line: usize) -> Result<Ranked, String> {
    let [image, classes @ ..] = cells else { return Err(BARE.to_owned()) };
    if classes.is_empty() || image.is_empty() {
        return Err(BARE.to_owned());
    }
    let classes: Vec<u16> = classes.iter().map(|cell| class_index(cell)).collect::<Result<_, _>>()?;
    if ![1, TOP_K].contains(&classes.len()) {
        return Err(format!(
            "{} numbers follow the image, and nothing says which is the prediction (one may be the label). Put a heading above \
             them, such as image,label,prediction or image,class1,class2,class3",
            classes.len()
        ));
    }
    Ok(Ranked { image: slashed(image), classes, label: None, line })
}

const BARE: &str =
    "a row is `image,class`, or five classes with the best first; other columns need a heading";

/// Whether a first row names columns: one has the name of the image's, or nothing in it is a class and what stands for
/// the image is none. Else it is a row with a mistake in it.
fn is_heading(cells: &[&str]) -> bool {
    let [image, others @ ..] = cells else { return false };
    let is_file =
        || Path::new(image).extension().is_some() || labels::val_file_number(&slashed(image)).is_some();
    let no_class = || others.iter().all(|cell| class_index(cell).is_err() && !is_number(cell));
    columns::names_an_image(cells) || !others.is_empty() && no_class() && !is_file()
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

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ILSVRC2012_val_00000001";
    const B: &str = "ILSVRC2012_val_00000002";

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
            assert_eq!(parse(&text).unwrap().0, PredictionsFormat::VastModelZoo);
            let expected = [(A, vec![65, 1, 2, 3, 4]), (B, vec![1, 2, 3, 970, 4])];
            let images = parse(&text).unwrap().1;
            let found = images.into_iter().map(|ranked| (ranked.image, ranked.classes));
            let named = |image| format!("/data/x: y/{image}.JPEG");
            assert!(found.eq(expected.map(|(image, classes)| (named(image), classes))), "{text}");
            let cut: String = text.lines().take(9).map(|line| format!("{line}\n")).collect();
            assert!(parse(&cut).unwrap_err().contains("has 4 lines instead of five"));
            let jumped: String =
                text.lines().filter(|line| !line.contains("top-2")).map(|it| format!("{it}\n")).collect();
            assert!(parse(&jumped).unwrap_err().contains("where top-2 belongs"));
        }
    }

    #[test]
    fn a_heading_says_which_column_is_the_prediction() {
        for text in ["image,label,prediction\na.JPEG,65,1\n", "prediction,true,file\n1,65,a.JPEG\n"] {
            let (format, images) = parse(text).unwrap();
            let expected = Ranked { image: "a.JPEG".to_owned(), classes: vec![1], label: Some(65), line: 2 };
            assert_eq!(images, [expected], "{text}");
            assert!(format.name().contains("prediction in `prediction`, label in `"), "{}", format.name());
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line() {
        for (text, reason) in [
            ("a.JPEG,1\nb.JPEG,1000\n", "line 2: class 1000 is not in 0..999"),
            ("a.JPEG,1\nb.JPEG,crane\n", "line 2: `crane` is no class index and no WNID"),
            ("a.JPEG,1,2,3,4,5\nb.JPEG,3\n", "line 2: 1 classes, where line 1 has 5"),
            ("a.JPEG,1,2,3,4,1\n", "line 1: class 1 is predicted twice"),
            // A label and a prediction, or two predictions.
            ("a.JPEG,1,2\n", "line 1: 2 numbers follow the image, and nothing says which is the prediction"),
            ("a.JPEG,1,2,3,4,5,6\n", "line 1: 6 numbers follow the image"),
            (
                "image,label\na.JPEG,1\n",
                "line 1: of the columns `image`, `label`, none says that it is the prediction",
            ),
            ("image,label,prediction\na.JPEG,1\n", "line 2: 2 cells, where the heading has 3"),
            ("image,label,prediction\na.JPEG,crane,1\n", "line 2: `crane` is no class index and no WNID"),
            ("image,label,prediction\n,1,1\n", "line 2: the image has no name"),
            ("a.JPEG\n", "line 1: a row is `image,class`"),
            ("a.JPEG,1001\n", "line 1: class 1001"),
            // No headings, but rows with a mistake.
            ("ILSVRC2012_val_00000001,n0175174\n", "line 1: `n0175174` is no class index"),
            ("C:\\v\\ILSVRC2012_val_00000001,n0175174\n", "line 1: `n0175174` is no class index"),
            ("a.JPEG,crane\nb.JPEG,1\n", "line 1: `crane` is no class index"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
