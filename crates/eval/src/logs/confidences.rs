//! The probability that a network gives its best class, a CSV row an image, beside the prediction log.
//!
//! The log holds five logits, from which no probability follows. This file is for reports only: a run whose
//! file is missing or damaged has every figure, and no calibration. Rows are appended before those of the log, so
//! that an image of the log has a row here whenever a process was killed; an image that is evaluated
//! again has two, of which the last counts.

use std::collections::HashMap;
use std::path::Path;

use crate::EvalError;
use crate::logs::append_log::{self, AppendLog};

const HEADER: &str = "image,probability";

/// A file that is being appended to.
#[derive(Debug)]
pub(crate) struct ConfidenceLog(AppendLog);

impl ConfidenceLog {
    /// Opens the file at `path`, creating it if need be; cuts off a torn last line.
    pub(crate) fn open(path: &Path) -> Result<Self, EvalError> {
        // Whatever its lines hold, they cannot be in the way of an evaluation.
        AppendLog::open(path, HEADER).map(|(log, _)| Self(log))
    }

    /// Appends rows in one write.
    pub(crate) fn append<'a>(&mut self, rows: impl Iterator<Item = (&'a str, f32)>) -> Result<(), EvalError> {
        self.0.append(rows.map(|(image, probability)| [image.to_owned(), probability.to_string()]))
    }
}

/// The probabilities in the file at `path`, by image; what is not there or not a probability is left out.
pub(crate) fn read(path: &Path) -> HashMap<String, f32> {
    let Ok(bytes) = append_log::read(path) else { return HashMap::new() };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&bytes[..]);
    let rows = reader.records().flatten().filter_map(|row| {
        let probability: f32 = row.get(1)?.parse().ok()?;
        (0.0..=1.0).contains(&probability).then(|| (row.get(0).unwrap_or_default().to_owned(), probability))
    });
    rows.collect()
}

/// A whole file: of `images` in their order those that have a probability.
///
/// # Errors
/// None that is known of: rows go to memory.
pub(crate) fn whole<'a>(
    images: impl Iterator<Item = &'a str>,
    known: &HashMap<String, f32>,
) -> std::io::Result<Vec<u8>> {
    let rows = images.filter_map(|image| Some([image.to_owned(), known.get(image)?.to_string()]));
    append_log::whole(HEADER, rows)
}

/// The probability of the best class: softmax.
pub(crate) fn of(logits: &[f32]) -> f32 {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - best).exp()).sum();
    (1.0 / sum) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_class_has_its_softmax() {
        assert!((of(&[0.0; 1000]) - 0.001).abs() < 1e-9);
        // e^2 / (e^2 + e + 1)
        assert!((of(&[1.0, 2.0, 0.0]) - 0.665_240_96).abs() < 1e-6);
        assert!((of(&[1e30, 0.0]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_torn_line_is_cut_and_the_last_row_of_an_image_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.csv");
        ConfidenceLog::open(&path).unwrap().append([("a, b", 0.5), ("c", 0.25)].into_iter()).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}c,0.7")).unwrap();
        ConfidenceLog::open(&path).unwrap().append([("c", 0.75)].into_iter()).unwrap();
        assert_eq!(read(&path), HashMap::from([("a, b".to_owned(), 0.5), ("c".to_owned(), 0.75)]));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{whole}c,0.75\n"));
        assert_eq!(read(&folder.path().join("none.csv")), HashMap::new());
    }
}
