//! The images of a merged run, for its report's thumbnails: `merge --data`. The images may lie on other machines, or
//! elsewhere than when the shards were computed, so they are looked for where they are said to be, and have to be the
//! same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dataset::{Dataset, DatasetError};

use crate::logs::predictions::Prediction;
use crate::record::{DatasetRecord, SAMPLE};
use crate::{EvalError, Remedy};

/// The images of `record`: those at `data`, or the embedded ones. None where it is not said where they are. `rows` are the
/// predictions of a model for all of them.
///
/// # Errors
/// [`EvalError::Dataset`] when there are no images, [`EvalError::Merge`] when they are others.
pub(crate) fn images(
    record: &DatasetRecord,
    data: Option<&Path>,
    rows: &[Prediction],
) -> Result<Option<Dataset>, EvalError> {
    let same = |mut dataset: Dataset| {
        // `--limit` took the first so many.
        dataset.truncate(record.images);
        (dataset.fingerprint() == record.fingerprint).then_some(dataset)
    };
    let Some(path) = data else {
        return Ok((record.path == SAMPLE).then(Dataset::sample).and_then(same));
    };
    let opened = Dataset::open(path, None);
    let found = match &opened {
        Ok(dataset) => same(dataset.clone()),
        Err(_) => None,
    };
    if found.is_some() {
        return Ok(found);
    }
    // The shards may have had their labels from a list (`eval --labels`); their logs have them too.
    if let Some(dataset) = by_labels_of(rows, path).and_then(same) {
        return Ok(Some(dataset));
    }
    let dataset = opened?;
    let reason = others(record, &dataset, rows);
    Err(EvalError::Merge { path: path.to_owned(), reason, remedy: Some(Remedy::NoImages) })
}

/// Why `dataset` is not what `record` describes.
fn others(record: &DatasetRecord, dataset: &Dataset, rows: &[Prediction]) -> String {
    let there: BTreeMap<&str, u16> =
        dataset.items().iter().map(|item| (item.name.as_str(), item.label)).collect();
    let lacking = rows.iter().find(|row| !there.contains_key(row.image.as_str()));
    let why = match lacking {
        Some(row) => format!("{} is not among its {} images", row.image, there.len()),
        None if there.len() > record.images => {
            format!("it has {} images, the shards had {}", there.len(), record.images)
        }
        None => "names are equal, labels or sizes are not".to_owned(),
    };
    format!(
        "these are not the images that the shards were computed from ({why}; fingerprint {}, theirs {}). Give the \
         images of {}, or none: the report has no thumbnails then",
        dataset.fingerprint(),
        record.fingerprint,
        record.path
    )
}

/// The images at `path` with the labels of `rows`, where that can be had.
fn by_labels_of(rows: &[Prediction], path: &Path) -> Option<Dataset> {
    let list = TemporaryList::write(rows).ok()?;
    let opened: Result<Dataset, DatasetError> = Dataset::open(path, Some(&list.0));
    opened.ok()
}

/// A list of labels in a file that goes away with it.
struct TemporaryList(PathBuf);

impl TemporaryList {
    fn write(rows: &[Prediction]) -> std::io::Result<Self> {
        let lines: String = rows.iter().map(|row| format!("{} {}\n", row.image, row.label)).collect();
        let name =
            format!("imagenet-eval-{}-{}.txt", std::process::id(), jiff::Timestamp::now().as_nanosecond());
        let list = Self(std::env::temp_dir().join(name));
        // Never over a file that is there, nor through a link that somebody has put there.
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&list.0)?;
        std::io::Write::write_all(&mut file, lines.as_bytes())?;
        Ok(list)
    }
}

impl Drop for TemporaryList {
    fn drop(&mut self) {
        // One that cannot be removed changes nothing.
        let _ = fs::remove_file(&self.0);
    }
}
