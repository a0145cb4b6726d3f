//! What the reports say of where a run's numbers are from. `code` marks what a reader has to take letter by letter, as
//! the report's language does.

use crate::record::{AccuracyTolerance, RunRecord, Session};
use crate::weights::WeightsSource;

/// Data, labels, device and tolerance of a run, each by its name.
pub(super) fn of_run(record: &RunRecord, code: fn(&str) -> String) -> [(&'static str, String); 6] {
    let dataset = &record.dataset;
    [
        ("data", format!("{} ({} images; {})", dataset.path, dataset.images, dataset.layout)),
        ("labels", dataset.labels.clone()),
        ("label set", dataset.label_set.name().to_owned()),
        ("data fingerprint", code(&dataset.fingerprint)),
        ("device", format!("{}, {}", code(&record.device), record.dtype)),
        ("accuracy tolerance", tolerance(record)),
    ]
}

fn tolerance(record: &RunRecord) -> String {
    let AccuracyTolerance { tolerance_pp, tolerance_over_all } = record.tolerance;
    let where_from =
        if tolerance_over_all { "for all models, as asked" } else { "where the catalog has no other" };
    format!("{tolerance_pp} pp, {where_from}")
}

/// When, by which program and on which machine one process computed.
pub(super) fn of_session(session: &Session, code: fn(&str) -> String) -> [String; 5] {
    let environment = &session.environment;
    let ended = session.ended_utc.as_deref().unwrap_or("when it was killed");
    let shard = session.shard.map_or_else(String::new, |shard| format!("shard {shard}: "));
    [
        format!("{shard}{} to {ended}", session.started_utc),
        format!("imagenet-eval {}, revision {}", environment.version, code(&environment.git_revision)),
        format!("Burn {}", environment.burn),
        format!("{}, {} processors, {}", environment.cpu, environment.cpus, environment.platform),
        format!("computed by {}; {} threads; batches of {}", session.engine, session.threads, session.batch),
    ]
}

/// Where a model's weights come from.
pub(super) fn weights(source: &WeightsSource, code: fn(&str) -> String) -> String {
    match source {
        WeightsSource::Seeded => "seeded".to_owned(),
        WeightsSource::Elsewhere { sha256 } => {
            format!("not known, predictions made elsewhere, SHA-256 of their file {}", code(sha256))
        }
        WeightsSource::File { path, sha256, published } => {
            let which = if *published { "published" } else { "not the published file" };
            // The folder is of one machine; run.json has it.
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            format!("{}, {which}, SHA-256 {}", code(&name), code(sha256))
        }
    }
}
