//! What lies where in a run directory: said once, for runs that are written and for those that are read back.

use std::path::{Path, PathBuf};

/// What is written last, and read first.
pub(crate) const RECORD: &str = "run.json";

/// What is made of the record, for people and programs.
pub(crate) const REPORTS: [&str; 4] = ["results.csv", "report.md", "junit.xml", "report.html"];

/// The digests of the images, one file for all models.
pub(crate) const DIGESTS: &str = "digests.csv";

pub(crate) const PREDICTIONS: &str = "predictions";
pub(crate) const CONFIDENCES: &str = "confidences";
pub(crate) const LOCK: &str = ".lock";

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

/// Everything that a run of the models `ids` writes, but for the lock.
pub(crate) fn files<'a>(run: &Path, ids: impl Iterator<Item = &'a str>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = REPORTS.iter().chain([&DIGESTS]).map(|name| run.join(name)).collect();
    ids.for_each(|id| files.extend([predictions(run, id), confidences(run, id)]));
    // Last, so that a directory whose files are deleted is a run's until the others are gone.
    files.push(record(run));
    files
}

/// Named as all files of a model are (`Model::file_stem`), also where no catalog has the model any more.
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
        }
    }
}
