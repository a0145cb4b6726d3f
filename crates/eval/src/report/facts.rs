//! What the reports say of where a run's numbers are from, in the report's language.

use super::foreign;
use crate::record::{AccuracyTolerance, ModelRecord, RunRecord, Session};
use crate::record::{ELSEWHERE, SAMPLE};
use crate::weights::WeightsSource;

/// How a language writes what comes from elsewhere.
#[derive(Clone, Copy)]
pub(super) struct Language {
    /// Plain text.
    pub(super) text: fn(&str) -> String,
    /// What a reader has to take letter by letter.
    pub(super) code: fn(&str) -> String,
}

/// GitHub's Markdown.
pub(super) const MARKDOWN: Language = Language { text: foreign::markdown_text, code: foreign::markdown_code };

/// HTML, where the page sets these facts apart by itself.
pub(super) const HTML: Language = Language { text: foreign::escaped, code: foreign::escaped };

/// Data, labels, device and tolerance of a run, each by its name.
pub(super) fn of_run(record: &RunRecord, language: Language) -> Vec<(&'static str, String)> {
    let (dataset, Language { text, code }) = (&record.dataset, language);
    let data = [(
        "data",
        format!(
            "{} ({} images; {}){}",
            text(&dataset.path),
            dataset.images,
            text(&dataset.layout),
            sampled(record)
        ),
    )];
    // Those of the embedded sample are the program's own.
    let pixels = (dataset.path != SAMPLE).then(|| ("pixels", text(&record.pixels.words())));
    let others = [
        ("labels", text(&dataset.labels)),
        ("label set", dataset.label_set.name().to_owned()),
        ("data fingerprint", code(&dataset.fingerprint)),
        ("device", device(record, code)),
        ("accuracy tolerance", tolerance(record)),
    ];
    data.into_iter().chain(pixels).chain(others).collect()
}

/// Which sample of the data was evaluated, if one was.
fn sampled(record: &RunRecord) -> String {
    let Some(sample) = record.part().real_sample() else { return String::new() };
    format!(", of which a random sample {sample} (images:seed)")
}

/// The device and its type of numbers, which predictions that were made elsewhere do not tell.
fn device(record: &RunRecord, code: fn(&str) -> String) -> String {
    if record.device == ELSEWHERE {
        return "not known, predictions made elsewhere".to_owned();
    }
    format!("{}, {}", code(&record.device), record.numbers())
}

fn tolerance(record: &RunRecord) -> String {
    let AccuracyTolerance { tolerance_pp, tolerance_over_all } = record.tolerance;
    let where_from =
        if tolerance_over_all { "for all models, as asked" } else { "where a card has no other" };
    format!("{tolerance_pp} pp, {where_from}")
}

/// When, by which program and on which machine one process computed.
pub(super) fn of_session(session: &Session, language: Language) -> [String; 5] {
    let (session, code) = (&written(session, language.text), language.code);
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

/// `session` with its texts in a report's language, but for the revision, which is code.
fn written(session: &Session, text: fn(&str) -> String) -> Session {
    let mut written = session.clone();
    let environment = &mut written.environment;
    let texts =
        [&mut environment.version, &mut environment.burn, &mut environment.cpu, &mut environment.platform];
    for field in
        texts.into_iter().chain([&mut written.engine, &mut written.started_utc]).chain(&mut written.ended_utc)
    {
        *field = text(field);
    }
    written
}

/// Which images of a model were computed again in f32, and what that showed.
pub(super) fn recheck(record: &RunRecord, model: &ModelRecord) -> Option<String> {
    model.recheck.map(|recheck| recheck.words(record.dtype, model.images))
}

/// A model's recipe in full, where its name does not say it.
pub(super) fn recipe_in_full(model: &ModelRecord) -> Option<&str> {
    model.recipe_in_full.as_deref().filter(|keys| *keys != model.recipe)
}

/// Where a model's weights come from.
pub(super) fn weights(source: &WeightsSource, language: Language) -> String {
    let code = language.code;
    match source {
        WeightsSource::Seeded => "seeded".to_owned(),
        WeightsSource::Elsewhere { sha256 } => {
            format!("not known, predictions made elsewhere, SHA-256 of their file {}", code(sha256))
        }
        WeightsSource::File { path, sha256, published, evidence } => {
            let which = if *published { "published" } else { "not the published file" };
            // The folder is of one machine; run.json has it.
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            let prefix = evidence.name_prefix.as_ref();
            let taken_off = prefix.map(|prefix| format!(", {} taken off its names", code(prefix)));
            format!("{}, {which}, SHA-256 {}{}", code(&name), code(sha256), taken_off.unwrap_or_default())
        }
    }
}
