//! `report.md`: the table, what it means and what it was computed with; fits a pull request.

use std::fmt::Write as _;

use super::table::{Style, explanation_table, figures_table, summary_lines};
use super::tolerance_words;
use crate::record::{RunRecord, Session};
use crate::weights::WeightsSource;

/// The content of `report.md`.
pub fn markdown(record: &RunRecord) -> String {
    let mut text = String::from("# Evaluation report\n\n");
    for line in summary_lines(record) {
        text += &format!("- {line}\n");
    }
    text += "\n## Figures\n\n";
    text += &figures_table(&record.models, Style::Markdown);
    text += "\nAccuracies are hits over all images, unreadable ones included; intervals are 95 % Wilson intervals. ";
    text += "FLOPs and parameters are counted by the rule in the last column.\n";
    for model in &record.models {
        let Some(explanation) = &model.explanation else { continue };
        let _ = writeln!(text, "\n## Why: {}\n\n{}.\n", model.id, sentence(&explanation.conclusion()));
        text += &explanation_table(explanation, Style::Markdown);
    }
    text += "\n## Models\n\n";
    let mut table = Style::Markdown.table(&[
        "model",
        "recipe",
        "weights",
        "images",
        "errors",
        "device seconds",
        "images/s",
    ]);
    for model in &record.models {
        let weights = match &model.weights {
            WeightsSource::Seeded => "seeded".to_owned(),
            WeightsSource::File { path, sha256, published } => {
                let which = if *published { "published" } else { "not the published file" };
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                format!("`{name}`, {which}, SHA-256 `{sha256}`")
            }
        };
        table.add_row([
            model.id.clone(),
            model.recipe.clone(),
            weights,
            model.images.to_string(),
            model.errors.to_string(),
            format!("{:.1}", model.seconds),
            format!("{:.2}", model.images_per_s()),
        ]);
    }
    text += &table.to_string();
    text += "\n\n## Provenance\n\n";
    let dataset = &record.dataset;
    let facts = [
        ("data", format!("{} ({} images; {})", dataset.path, dataset.images, dataset.layout)),
        ("labels", dataset.labels.clone()),
        ("label set", dataset.label_set.name().to_owned()),
        ("data fingerprint", format!("`{}`", dataset.fingerprint)),
        ("device", format!("`{}`, {}", record.device, record.dtype)),
        ("accuracy tolerance", tolerance_words(record)),
    ];
    for (name, fact) in facts {
        let _ = writeln!(text, "- {name}: {fact}");
    }
    for (index, session) in record.sessions.iter().enumerate() {
        text += &session_lines(index + 1, session);
    }
    text
}

/// With a capital at its beginning.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The provenance of what one process computed.
fn session_lines(number: usize, session: &Session) -> String {
    let environment = &session.environment;
    let mut text = format!("\n### Session {number}, from image {} on\n\n", session.images_before + 1);
    let _ = writeln!(text, "```sh\n{}\n```\n", shell_command(&session.command));
    let ended = session.ended_utc.as_deref().unwrap_or("when it was killed");
    let facts = [
        format!("{} to {ended}", session.started_utc),
        format!("imagenet-eval {}, revision `{}`", environment.version, environment.git_revision),
        format!("Burn {}", environment.burn),
        format!("{}, {} processors, {}", environment.cpu, environment.cpus, environment.platform),
        format!("computed by {}; {} threads; batches of {}", session.engine, session.threads, session.batch),
    ];
    for fact in facts {
        let _ = writeln!(text, "- {fact}");
    }
    text
}

/// A command line as a person would give it to a shell again.
fn shell_command(arguments: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    let quoted: Vec<String> = arguments
        .iter()
        .map(|argument| {
            if !argument.is_empty() && argument.chars().all(plain) {
                argument.clone()
            } else {
                format!("'{}'", argument.replace('\'', r"'\''"))
            }
        })
        .collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_repeated() {
        let arguments = ["cargo", "xtask", "--model", "timm/*", "--data", "it's here"].map(str::to_owned);
        assert_eq!(shell_command(&arguments), r"cargo xtask --model 'timm/*' --data 'it'\''s here'");
    }
}
