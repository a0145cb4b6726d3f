//! The paths of a run directory's files, stated once for writing and for reading.

use std::path::{Path, PathBuf};

/// What is written last, and read first.
pub(crate) const RECORD: &str = "run.json";

/// The reports, which are made of the record.
pub(crate) const REPORTS: [&str; 5] = ["results.csv", "claims.csv", "report.md", "junit.xml", "report.html"];

/// The digests of the images, one file for all models.
pub(crate) const DIGESTS: &str = "digests.csv";

pub(crate) const PREDICTIONS: &str = "predictions";
pub(crate) const CONFIDENCES: &str = "confidences";
pub(crate) const RECHECKS: &str = "rechecks";
pub(crate) const LOCK: &str = ".lock";

/// The folders with a file a model.
pub(crate) const FOLDERS: [&str; 3] = [PREDICTIONS, CONFIDENCES, RECHECKS];

/// The record of the run directory `run`.
pub(crate) fn record(run: &Path) -> PathBuf {
    run.join(RECORD)
}

/// The prediction log of the model with this `id`.
pub(crate) fn predictions(run: &Path, id: &str) -> PathBuf {
    run.join(PREDICTIONS).join(file_of(id))
}

/// The probabilities of that model's best classes.
pub(crate) fn confidences(run: &Path, id: &str) -> PathBuf {
    run.join(CONFIDENCES).join(file_of(id))
}

/// What that model computed again in f32, of a run that does.
pub(crate) fn rechecks(run: &Path, id: &str) -> PathBuf {
    run.join(RECHECKS).join(file_of(id))
}

/// Everything that a run of the models `ids` writes, but for the lock.
pub(crate) fn files<'a>(run: &Path, ids: impl Iterator<Item = &'a str>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = REPORTS.iter().chain([&DIGESTS]).map(|name| run.join(name)).collect();
    ids.for_each(|id| files.extend([predictions(run, id), confidences(run, id), rechecks(run, id)]));
    // The record is the last, so that the directory counts as a run's until all others are deleted.
    files.push(record(run));
    files
}

/// A model's file name. It equals `Model::file_stem`, and needs no catalog that has the model.
fn file_of(id: &str) -> String {
    format!("{}.csv", id.replace('/', "-"))
}

#[cfg(test)]
mod tests {
    use models::Catalog;

    use super::*;

    #[test]
    fn files_of_a_model_have_its_stem() {
        let run = Path::new("run");
        for model in Catalog::built_in().models() {
            let file = format!("{}.csv", model.file_stem());
            assert_eq!(predictions(run, &model.id), run.join("predictions").join(&file));
            assert_eq!(confidences(run, &model.id), run.join("confidences").join(&file));
            assert_eq!(rechecks(run, &model.id), run.join("rechecks").join(&file));
        }
    }
}
