//! The prediction log: a CSV row an image, appended batch by batch.
//!
//! It is the only thing a run has to keep: hits, figures and reports are computed from it, and a run
//! goes on from it. A process that is killed may leave a torn last line, which is cut off when the
//! log is opened again, so that its image is evaluated once more.

use std::collections::HashMap;
use std::path::Path;

use crate::EvalError;
use crate::logs::append_log::{self, AppendLog};
use crate::metrics::{TOP_K, TopK};

const HEADER: &str =
    "image,label,class1,class2,class3,class4,class5,logit1,logit2,logit3,logit4,logit5,status";
const COLUMNS: usize = 3 + 2 * TOP_K;
const OK: &str = "ok";

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The image's name in its data set.
    pub image: String,
    /// The class it is labelled with.
    pub label: u16,
    /// The five best classes, or why there are none.
    pub outcome: Result<TopK, String>,
}

/// A log that is being appended to.
#[derive(Debug)]
pub(crate) struct PredictionLog(AppendLog);

impl PredictionLog {
    /// Opens the log at `path`, creating it if need be, and gives the rows that it holds already.
    ///
    /// # Errors
    /// [`EvalError::RunFile`] when it cannot be opened, [`EvalError::DamagedRun`] when a row other
    /// than a torn last one cannot be understood.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Prediction>), EvalError> {
        let (log, lines) = AppendLog::open(path, HEADER)?;
        let rows = parse(&lines).map_err(|reason| EvalError::DamagedRun { path: path.to_owned(), reason })?;
        Ok((Self(log), rows))
    }

    /// Appends rows in one write, so that a kill tears at most the last of them.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub(crate) fn append(&mut self, rows: &[Prediction]) -> Result<(), EvalError> {
        self.0.append(rows.iter().map(record))
    }
}

/// Reads the log of a run that may go on: a torn last line is passed over. No rows if there is no such file.
///
/// # Errors
/// [`EvalError::RunFile`] and [`EvalError::DamagedRun`].
pub(crate) fn read_unfinished(path: &Path) -> Result<Vec<Prediction>, EvalError> {
    let lines = append_log::whole_lines(path)?;
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    parse(&lines).map_err(|reason| EvalError::DamagedRun { path: path.to_owned(), reason })
}

/// A whole log of `rows`.
///
/// # Errors
/// None that is known of: rows go to memory.
pub(crate) fn whole(rows: &[Prediction]) -> std::io::Result<Vec<u8>> {
    append_log::whole(HEADER, rows.iter().map(record))
}

/// A reason as a row holds it: a line break would defeat the cutting of torn lines.
pub(crate) fn in_a_line(reason: &str) -> String {
    reason.replace(['\n', '\r'], " ")
}

/// Reads a finished log.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("timm-xception.csv");
/// let columns = "image,label,class1,class2,class3,class4,class5,logit1,logit2,logit3,logit4,logit5,status";
/// std::fs::write(&path, format!("{columns}\na.JPEG,7,7,1,2,3,4,9.5,4,3,2,1,ok\nb.JPEG,8,,,,,,,,,,,zero bytes\n"))?;
/// let rows = eval::logs::predictions::read(&path)?;
/// assert!(rows[0].outcome.as_ref().is_ok_and(|top| top.classes[0] == rows[0].label));
/// assert_eq!(rows[1].outcome, Err("zero bytes".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`EvalError::Unreadable`], and [`EvalError::DamagedStoredRun`] with the line.
pub fn read(path: &Path) -> Result<Vec<Prediction>, EvalError> {
    let bytes = dataset::regular::read(path, append_log::MAX_BYTES)
        .map_err(|source| EvalError::Unreadable { path: path.to_owned(), source })?;
    parse(&bytes).map_err(|reason| EvalError::DamagedStoredRun { path: path.to_owned(), reason })
}

fn record(row: &Prediction) -> [String; COLUMNS] {
    let mut cells = std::array::from_fn(|_| String::new());
    cells[0].clone_from(&row.image);
    cells[1] = row.label.to_string();
    match &row.outcome {
        Ok(top) => {
            for rank in 0..TOP_K {
                // Of predictions made elsewhere some are not known, and their cells are empty.
                if top.classes[rank] != TopK::UNKNOWN {
                    cells[2 + rank] = top.classes[rank].to_string();
                }
                if !top.logits[rank].is_nan() {
                    cells[2 + TOP_K + rank] = top.logits[rank].to_string();
                }
            }
            OK.clone_into(&mut cells[COLUMNS - 1]);
        }
        Err(reason) => cells[COLUMNS - 1] = in_a_line(reason),
    }
    cells
}

/// Whether a line is the heading of a log.
pub(crate) fn is_header(line: &str) -> bool {
    line.trim() == HEADER
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Prediction>, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?;
    if header.iter().ne(HEADER.split(',')) {
        return Err(format!("its first line should be {HEADER}"));
    }
    let mut lines_of: HashMap<String, usize> = HashMap::new();
    let mut rows = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let line = index + 2;
        let row = record.map_err(|error| error.to_string()).and_then(|record| row(&record));
        let row = row.map_err(|reason| format!("line {line}: {reason}"))?;
        if let Some(first) = lines_of.insert(row.image.clone(), line) {
            return Err(format!("line {line}: {} stands on line {first} already", row.image));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn row(record: &csv::StringRecord) -> Result<Prediction, String> {
    let cell = |column: usize| record.get(column).unwrap_or_default();
    fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
        text.parse().map_err(|_| format!("`{text}` is not a number of the kind expected there"))
    }
    let finite =
        |text: &str| number::<f32>(text).map(|logit| if logit.is_nan() { f32::INFINITY } else { logit });
    let outcome = if cell(COLUMNS - 1) == OK {
        let mut top = TopK { classes: [0; TOP_K], logits: [0.0; TOP_K] };
        for rank in 0..TOP_K {
            let (class, logit) = (cell(2 + rank), cell(2 + TOP_K + rank));
            top.classes[rank] = if class.is_empty() { TopK::UNKNOWN } else { number(class)? };
            top.logits[rank] = if logit.is_empty() { f32::NAN } else { finite(logit)? };
        }
        check(&top).map(|()| Ok(top))?
    } else {
        Err(cell(COLUMNS - 1).to_owned())
    };
    Ok(Prediction { image: cell(0).to_owned(), label: number(cell(1))?, outcome })
}

/// What a run never writes, a damaged or edited file may hold.
fn check(top: &TopK) -> Result<(), String> {
    let ordered = top.logits.is_sorted_by(|a, b| a >= b) && top.logits.iter().all(|logit| logit.is_finite());
    // Predictions made elsewhere have no logits, and may have fewer classes, the best first.
    let elsewhere = top.logits.iter().all(|logit| logit.is_nan());
    let known = top.classes.iter().take_while(|&&class| class != TopK::UNKNOWN).count();
    let gapless = top.classes[known..].iter().all(|&class| class == TopK::UNKNOWN);
    let distinct = (1..known).all(|rank| !top.classes[..rank].contains(&top.classes[rank]));
    let complete = if elsewhere { known > 0 && gapless } else { known == TOP_K && ordered };
    if complete && distinct {
        Ok(())
    } else {
        Err("the five classes are not distinct, or their logits not finite and descending".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Prediction> {
        let top = TopK { classes: [1, 2, 3, 4, 5], logits: [9.5, 0.1, -1e-9, -2.0, -3.25e7] };
        vec![
            Prediction { image: "a, \"quoted\" näme.JPEG".to_owned(), label: 7, outcome: Ok(top) },
            Prediction {
                image: "b.JPEG".to_owned(),
                label: 0,
                outcome: Err("zero bytes,\nno image".to_owned()),
            },
            Prediction { image: "c.JPEG".to_owned(), label: 999, outcome: Ok(top) },
        ]
    }

    #[test]
    fn a_log_gives_back_what_was_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let (mut log, before) = PredictionLog::open(&path).unwrap();
        assert_eq!(before, []);
        log.append(&rows()[..1]).unwrap();
        log.append(&rows()[1..]).unwrap();
        let mut expected = rows();
        expected[1].outcome = Err("zero bytes, no image".to_owned());
        assert_eq!(read(&path).unwrap(), expected);
        assert_eq!(PredictionLog::open(&path).unwrap().1, expected);
    }

    #[test]
    fn a_log_torn_at_any_byte_goes_on_with_its_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        PredictionLog::open(&path).unwrap().0.append(&rows()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (mut log, kept) = PredictionLog::open(&path).unwrap();
            let missing = &rows()[kept.len()..];
            log.append(missing).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "torn at {length}");
        }
    }

    #[test]
    fn a_row_that_no_run_writes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        for (from, to) in [("1,2,3,4,5", "1,2,3,4,1"), ("0.1", "99"), ("0.1", "NaN")] {
            std::fs::write(&path, "").unwrap();
            PredictionLog::open(&path).unwrap().0.append(&rows()[..1]).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            let error = PredictionLog::open(&path).unwrap_err().to_string();
            assert!(error.contains("line 2: the five classes are not distinct"), "{error}");
        }
    }

    #[test]
    fn a_damaged_row_is_named_and_not_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        PredictionLog::open(&path).unwrap().0.append(&rows()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap().replace("9.5", "x");
        std::fs::write(&path, &text).unwrap();
        let error = PredictionLog::open(&path).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("`x`"), "{error}");
        let twice = format!("{}b.JPEG,0,,,,,,,,,,,again\n", text.replace('x', "9.5"));
        std::fs::write(&path, twice).unwrap();
        let error = PredictionLog::open(&path).unwrap_err().to_string();
        assert!(error.contains("line 5") && error.contains("line 3"), "{error}");
    }
}
