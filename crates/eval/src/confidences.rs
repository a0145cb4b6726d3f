//! The probability that a network gives its best class, a CSV row an image, beside the prediction log.
//!
//! The log holds five logits, from which no probability follows. This file is for reports only: a run whose
//! file is missing or damaged has every figure, and no calibration. Rows are appended before those of the log, so
//! that an image of the log has a row here whenever a process was killed; an image that is evaluated
//! again has two, of which the last counts.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::EvalError;

const HEADER: &str = "image,probability";

/// A file that is being appended to.
#[derive(Debug)]
pub(crate) struct ConfidenceLog {
    path: PathBuf,
    file: File,
}

impl ConfidenceLog {
    /// Opens the file at `path`, creating it if need be; cuts off a torn last line.
    pub(crate) fn open(path: &Path) -> Result<Self, EvalError> {
        let opened = || -> io::Result<File> {
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
            let bytes = std::fs::read(path)?;
            let whole_lines = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
            file.set_len(whole_lines as u64)?;
            if whole_lines == 0 {
                file.write_all(format!("{HEADER}\n").as_bytes())?;
            }
            Ok(file)
        };
        let file = opened().map_err(failed("open", path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends rows in one write.
    pub(crate) fn append<'a>(&mut self, rows: impl Iterator<Item = (&'a str, f32)>) -> Result<(), EvalError> {
        let mut text = csv::Writer::from_writer(Vec::new());
        let written: io::Result<()> = rows.into_iter().try_for_each(|(image, probability)| {
            text.write_record([image, &probability.to_string()]).map_err(io::Error::from)
        });
        let bytes = written.and_then(|()| text.into_inner().map_err(|error| error.into_error()));
        let appended = bytes.and_then(|bytes| self.file.write_all(&bytes));
        appended.map_err(failed("append to", &self.path))
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EvalError {
    let path = path.to_owned();
    move |source| EvalError::RunFile { action, path, source }
}

/// The probabilities in the file at `path`, by image; what is not there or not a probability is left out.
pub(crate) fn read(path: &Path) -> HashMap<String, f32> {
    let Ok(mut reader) = csv::ReaderBuilder::new().flexible(true).from_path(path) else {
        return HashMap::new();
    };
    let rows = reader.records().flatten().filter_map(|row| {
        let probability: f32 = row.get(1)?.parse().ok()?;
        (0.0..=1.0).contains(&probability).then(|| (row.get(0).unwrap_or_default().to_owned(), probability))
    });
    rows.collect()
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
