//! Reads label lists: `NAME LABEL` a line, as Caffe, Paddle and CNTK write them, or bare labels in
//! the order of the file names. Labels are class indices 0..999, or WNIDs. Two official lists are known
//! beside: Kaggle's `LOC_val_solution.csv`, and the development kit's ground truth, whose
//! ILSVRC2012_IDs are translated.

use std::fs;
use std::path::Path;

use super::DatasetError;
use super::order::{self, Order};
use crate::labels::{self, CLASSES, VAL_IMAGES, wnid_to_index};
use crate::names;
use crate::regular;

/// A list's content, checked as far as that can be done without the images.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum List {
    Named(Vec<Entry>),
    /// One label an image, in the order of the file names.
    Bare(Vec<u16>),
    /// The development kit's ground truth: the class of every validation file, by its number. It has
    /// been found equal to the known labels, under a renumbering of the classes.
    GroundTruth,
    /// Kaggle's list of all validation files, whose names have no extension.
    Kaggle(Vec<Entry>),
}

impl List {
    /// The lines that name an image.
    pub(super) fn entries(&self) -> &[Entry] {
        match self {
            Self::Named(entries) | Self::Kaggle(entries) => entries,
            Self::Bare(_) | Self::GroundTruth => &[],
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Counted from 1.
    pub(super) line: usize,
    /// In the normal form, with `/` between folders.
    pub(super) name: String,
    /// As it is written, where that goes into a folder and back, so that a link would lead elsewhere.
    pub(super) written: Option<String>,
    pub(super) label: u16,
}

impl Entry {
    fn new(line: usize, name: &str, label: u16) -> Self {
        let name = name.replace('\\', "/");
        let written = names::climbs_back(&name).then(|| name.clone());
        Self { line, name: names::normal(&name), written, label }
    }
}

/// Names under which label lists of validation sets go.
pub(super) const NAMES: [&str; 8] = [
    "val.txt",
    "val_list.txt",
    "val_map.txt",
    "labels.txt",
    "dataset.txt",
    "LOC_val_solution.csv",
    "ILSVRC2012_validation_ground_truth.txt",
    "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt",
];

/// Whether something else than a list often goes by this name too.
pub(super) fn may_be_another(name: &str) -> bool {
    matches!(name, "labels.txt" | "dataset.txt")
}

/// The first line of Kaggle's `LOC_val_solution.csv`.
const KAGGLE_HEADER: &str = "ImageId,PredictionString";

/// A line as it stands: its number, the name if there is one, and the label's text.
struct Line<'a> {
    number: usize,
    name: Option<&'a str>,
    label: &'a str,
}

/// Lists are read whole; one of the 50,000 files has 2 MB, an archive of them 6 GB.
pub(super) const MAX_BYTES: u64 = 64 << 20;

pub(super) fn read(path: &Path) -> Result<List, DatasetError> {
    let unreadable = |cause| DatasetError::Unreadable { path: path.to_owned(), cause };
    let found = fs::metadata(path).map_err(unreadable)?;
    if found.len() > MAX_BYTES {
        return Err(DatasetError::NotAList { path: path.to_owned(), bytes: found.len() });
    }
    parse(path, &regular::read(path, MAX_BYTES).map_err(unreadable)?)
}

/// Whether a file's first line could be one of a list: `labels.txt` often holds class names instead.
pub(super) fn looks_like_one(path: &Path) -> bool {
    regular::read(path, MAX_BYTES).map_or(true, |bytes| begins_like_one(&bytes))
}

/// [`looks_like_one`], by the content.
pub(super) fn begins_like_one(bytes: &[u8]) -> bool {
    let first = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let Ok(first) = std::str::from_utf8(first) else { return true };
    // One too large may still be a list's; a year is not.
    let is_label = |value: i64| (0..=CLASSES as i64 + 1).contains(&value);
    split(1, first.trim_start_matches('\u{feff}'))
        .is_some_and(|line| label_value(line.label).is_some_and(is_label))
}

/// Parses a list's `bytes`; `path` is for messages.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<List, DatasetError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
        DatasetError::ListNotUtf8 { path: path.to_owned(), line }
    })?;
    let text = text.trim_start_matches('\u{feff}');
    if text.lines().next().is_some_and(|line| line.trim() == KAGGLE_HEADER) {
        return kaggle(path, text).map(List::Kaggle);
    }
    let lines: Vec<Line<'_>> =
        text.lines().enumerate().filter_map(|(index, line)| split(index + 1, line)).collect();
    let Some(first) = lines.first() else {
        return Err(DatasetError::ListEmpty { path: path.to_owned() });
    };
    let named = first.name.is_some();
    if let Some(odd) = lines.iter().find(|line| line.name.is_some() != named || line.name == Some("")) {
        let text = text.lines().nth(odd.number - 1).unwrap_or_default().trim().to_owned();
        return Err(DatasetError::ListLine { path: path.to_owned(), line: odd.number, text });
    }
    let values = values(path, &lines)?;
    let known = known(&lines, &values);
    if !named && is_ground_truth(&values, &known) {
        return Ok(List::GroundTruth);
    }
    let labels = labels(path, &values, &known)?;
    if !named {
        return Ok(List::Bare(labels));
    }
    let entries = lines
        .iter()
        .zip(labels)
        .map(|(line, label)| Entry::new(line.number, line.name.unwrap_or_default(), label));
    Ok(List::Named(entries.collect()))
}

/// Name and label stand apart by the last space, tab or comma: names may contain spaces. `None` for a
/// line without content.
fn split(number: usize, line: &str) -> Option<Line<'_>> {
    let separators = [' ', '\t', ','];
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    Some(match line.rsplit_once(separators) {
        Some((name, label)) => {
            Line { number, name: Some(name.trim_end_matches(separators).trim_matches('"')), label }
        }
        None => Line { number, name: None, label: line },
    })
}

fn label_value(label: &str) -> Option<i64> {
    label.parse().ok().or_else(|| wnid_to_index(label).map(i64::from))
}

/// Number of the line, and its label's value.
fn values(path: &Path, lines: &[Line<'_>]) -> Result<Vec<(usize, i64)>, DatasetError> {
    let mut values = Vec::with_capacity(lines.len());
    for line in lines {
        let Some(value) = label_value(line.label) else {
            // A line without a separator has no label at all, unless every line is such.
            let (path, line, text) = (path.to_owned(), line.number, line.label.to_owned());
            return Err(match lines.first().is_some_and(|first| first.name.is_some()) {
                true => DatasetError::LabelNotANumber { path, line, label: text },
                false => DatasetError::ListLine { path, line, text },
            });
        };
        values.push((line.number, value));
    }
    Ok(values)
}

/// The list's labels beside the known ones, of the images whose label is known: by their names, or,
/// where 50,000 lines have none, by their place.
fn known(lines: &[Line<'_>], values: &[(usize, i64)]) -> Vec<(i64, u16)> {
    let all = lines.len() == VAL_IMAGES;
    let known = lines.iter().enumerate().map(|(index, line)| match line.name {
        Some(name) => labels::known_label(&Entry::new(line.number, name, 0).name),
        None if all => labels::ilsvrc2012_val().get(index).copied(),
        None => None,
    });
    known.zip(values).filter_map(|(known, (_, value))| Some((*value, known?))).collect()
}

/// Whether bare labels are all 50,000, and a renumbering of the known ones to 1..1000.
fn is_ground_truth(values: &[(usize, i64)], known: &[(i64, u16)]) -> bool {
    let in_range = values.iter().all(|(_, value)| (1..=CLASSES as i64).contains(value));
    let exact =
        || matches!(order::of(known), Order::Ilsvrc2012Id { wrong: 0, .. } | Order::Permuted { wrong: 0 });
    known.len() == VAL_IMAGES && in_range && exact()
}

fn labels(path: &Path, values: &[(usize, i64)], known: &[(i64, u16)]) -> Result<Vec<u16>, DatasetError> {
    let classes = CLASSES as i64;
    let starts_at_one = values.iter().all(|(_, value)| (1..=classes).contains(value));
    if let Some((line, _)) = values.iter().find(|(_, value)| starts_at_one && *value == classes) {
        let (path, line) = (path.to_owned(), *line);
        return Err(match order::of(known) {
            order @ (Order::Ilsvrc2012Id { .. } | Order::Permuted { .. }) => {
                DatasetError::OtherClassOrder { path, order: order.to_string() }
            }
            _ => DatasetError::OneBased { path, line },
        });
    }
    if let Some((line, value)) = values.iter().find(|(_, value)| !(0..classes).contains(value)) {
        return Err(DatasetError::LabelOutOfRange { path: path.to_owned(), line: *line, label: *value });
    }
    Ok(values.iter().map(|(_, value)| *value as u16).collect())
}

/// `ImageId,WNID x0 y0 x1 y1 [WNID ...]`: the class of the boxes is that of the image.
fn kaggle(path: &Path, text: &str) -> Result<Vec<Entry>, DatasetError> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let line_number = index + 1;
        if line.trim().is_empty() {
            continue;
        }
        let parsed = line.split_once(',').and_then(|(name, boxes)| {
            let label = wnid_to_index(boxes.trim().trim_matches('"').split(' ').next()?)?;
            Some(Entry::new(line_number, name.trim(), label))
        });
        let Some(entry) = parsed.filter(|entry| !entry.name.is_empty()) else {
            let (path, text) = (path.to_owned(), line.trim().to_owned());
            return Err(DatasetError::KaggleLine { path, line: line_number, text });
        };
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(DatasetError::ListEmpty { path: path.to_owned() });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<List, String> {
        parse(Path::new("val.txt"), text.as_bytes()).map_err(|error| error.to_string())
    }

    fn pairs(text: &str) -> Vec<(String, u16)> {
        match parsed(text) {
            Ok(List::Named(entries)) => entries.into_iter().map(|e| (e.name, e.label)).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn separators_and_names() {
        let expected = vec![("a.JPEG".to_owned(), 65), ("b c.JPEG".to_owned(), 0)];
        for text in [
            "a.JPEG 65\nb c.JPEG 0\n",
            "a.JPEG\t65\r\nb c.JPEG\t0\r\n",
            "a.JPEG,65\n\nb c.JPEG, 0",
            "\u{feff}./a.JPEG   65\n\"b c.JPEG\",0\n",
        ] {
            assert_eq!(pairs(text), expected, "{text:?}");
        }
        assert_eq!(pairs("val\\a.JPEG n01440764\n"), [("val/a.JPEG".to_owned(), 0)]);
        assert_eq!(parsed("3\n7\n\n"), Ok(List::Bare(vec![3, 7])));
    }

    #[test]
    fn a_name_has_one_form() {
        let expected = vec![("x/a.JPEG".to_owned(), 3); 4];
        assert_eq!(pairs("x/a.JPEG 3\n./x//a.JPEG 3\ny/../x/a.JPEG 3\n.\\x\\a.JPEG 3\n"), expected);
    }

    #[test]
    fn messages_name_the_line() {
        let message = |text: &str| parsed(text).unwrap_err();
        assert!(message("a 1\nb 1000\nc 0\n").starts_with("val.txt, line 2: label 1000 is not in 0..999"));
        assert!(message("a 1\nb -1\n").starts_with("val.txt, line 2: label -1 is not in"));
        assert!(
            message("a 1\nb 1000\n").contains("line 2: label 1000, and no label 0: the list counts classes")
        );
        assert!(
            message("a 1\nb tench\n").starts_with("val.txt, line 2: the label \"tench\" is not a number")
        );
        assert!(message("file,label\na,1\n").contains("line 1: the label \"label\" is not a number"));
        assert!(message("a 1\nb\n").starts_with("val.txt, line 2: "));
        assert!(message("1\n2 3\n").starts_with("val.txt, line 2: \"2 3\" is not"));
        assert!(message(" \n\n").contains("the list is empty"));
        let error = parse(Path::new("val.txt"), b"a 1\nb\xff 2\n").unwrap_err();
        assert!(error.to_string().contains("not UTF-8 text (line 2)"), "{error}");
    }
}
