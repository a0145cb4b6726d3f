//! What a run that computes some images again knows of each image: how clearly its label was a hit at first, and how clearly in f32, a
//! CSV row an image.
//!
//! Which images are computed again follows from these rows, so that an interrupted run goes on with the same ones. A row is
//! appended before the prediction; an image that is evaluated again has two, of which the last counts.

use std::collections::HashMap;
use std::path::Path;

use crate::EvalError;
use crate::logs::append_log::{self, AppendLog};
use crate::recheck::{Known, Margins};

const HEADER: &str = "image,margin1,margin5,f32_margin1,f32_margin5";
const COLUMNS: usize = 5;

/// A log that is being appended to.
#[derive(Debug)]
pub(crate) struct RecheckLog(AppendLog);

impl RecheckLog {
    /// Opens the log at `path`, creating it if need be; cuts off a torn last line.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub(crate) fn open(path: &Path) -> Result<Self, EvalError> {
        AppendLog::open(path, HEADER).map(|(log, _)| Self(log))
    }

    /// Appends rows in one write.
    ///
    /// # Errors
    /// [`EvalError::RunFile`].
    pub(crate) fn append<'a>(
        &mut self,
        rows: impl Iterator<Item = (&'a str, Known)>,
    ) -> Result<(), EvalError> {
        self.0.append(rows.map(|(image, known)| record(image, known)))
    }
}

fn record(image: &str, known: Known) -> [String; COLUMNS] {
    let [mut first, mut fifth, mut exact_first, mut exact_fifth] = <[String; 4]>::default();
    if let Some(margins) = known.reduced {
        (first, fifth) = (margins.top1.to_string(), margins.top5.to_string());
    }
    if let Some(margins) = known.exact {
        (exact_first, exact_fifth) = (margins.top1.to_string(), margins.top5.to_string());
    }
    [image.to_owned(), first, fifth, exact_first, exact_fifth]
}

/// The rows of the log at `path`, by image; a torn last line is passed over. None if there is no such file.
///
/// # Errors
/// [`EvalError::RunFile`] and [`EvalError::DamagedRun`].
pub(crate) fn read(path: &Path) -> Result<HashMap<String, Known>, EvalError> {
    let lines = append_log::whole_lines(path)?;
    if lines.is_empty() {
        return Ok(HashMap::new());
    }
    parse(&lines).map_err(|reason| EvalError::DamagedRun { path: path.to_owned(), reason })
}

/// A whole log: of `images` in their order those that have a row.
///
/// # Errors
/// None that is known of: rows go to memory.
pub(crate) fn whole<'a>(
    images: impl Iterator<Item = &'a str>,
    known: &HashMap<String, Known>,
) -> std::io::Result<Vec<u8>> {
    append_log::whole(HEADER, images.filter_map(|image| Some(record(image, *known.get(image)?))))
}

pub(crate) fn parse(bytes: &[u8]) -> Result<HashMap<String, Known>, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?;
    if header.iter().ne(HEADER.split(',')) {
        return Err(format!("its first line should be {HEADER}"));
    }
    let mut rows = HashMap::new();
    for (index, row) in reader.records().enumerate() {
        let at = |reason: String| format!("line {}: {reason}", index + 2);
        let row = row.map_err(|error| at(error.to_string()))?;
        let margins =
            |from: usize| margins([row.get(from), row.get(from + 1)].map(Option::unwrap_or_default));
        let known = Known { reduced: margins(1).map_err(at)?, exact: margins(3).map_err(at)? };
        rows.insert(row.get(0).unwrap_or_default().to_owned(), known);
    }
    Ok(rows)
}

/// Both margins of a row, or none.
fn margins(cells: [&str; 2]) -> Result<Option<Margins>, String> {
    if cells == [""; 2] {
        return Ok(None);
    }
    let number = |text: &str| {
        let finite = text.parse().ok().filter(|it: &f32| it.is_finite());
        finite.ok_or_else(|| format!("`{text}` is no margin, which is a finite number"))
    };
    Ok(Some(Margins { top1: number(cells[0])?, top5: number(cells[1])? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gives_back_what_was_appended_and_the_last_row_of_an_image_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let margins = |top1, top5| Some(Margins { top1, top5 });
        let known = |reduced, exact| Known { reduced, exact };
        let rows = [
            ("a, b", known(margins(0.1, -3e-9), None)),
            ("c", known(margins(-0.0, 1.0), margins(0.0, 1.5))),
            ("d", known(None, margins(2.0, 3.0))),
            ("e", known(None, None)),
            ("a, b", known(margins(0.1, -3e-9), margins(0.2, 0.3))),
        ];
        RecheckLog::open(&path).unwrap().append(rows.into_iter()).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}e,1.5,")).unwrap();
        let found = read(&path).unwrap();
        let expected: HashMap<String, Known> =
            rows.into_iter().map(|(image, known)| (image.to_owned(), known)).collect();
        assert_eq!(found, expected);
        // A tie that is no hit keeps its sign.
        assert_eq!(found["c"].reduced.unwrap().hits(), [false, true]);
        assert_eq!(read(&folder.path().join("none.csv")).unwrap(), HashMap::new());
        for damage in ["x,1,,,\n", "x,inf,1,,\n", "x,1\n"] {
            std::fs::write(&path, format!("{HEADER}\n{damage}")).unwrap();
            assert!(matches!(read(&path), Err(EvalError::DamagedRun { .. })), "{damage}");
        }
    }
}
