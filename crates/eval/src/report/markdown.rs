//! `report.md`: the table, what it means and what it was computed with; fits a pull request.

use std::fmt::Write as _;

use super::facts::{self, MARKDOWN};
use super::foreign::{markdown_code, markdown_text, shell_command};
use super::style::Style;
use super::table::{explanation_table, figures_table, summary_lines, summary_table};
use crate::record::{RunRecord, Session};

/// The content of `report.md`.
pub fn markdown(record: &RunRecord) -> String {
    let mut text = String::from("# Evaluation report\n\n");
    for line in summary_lines(record) {
        let _ = writeln!(text, "- {}", markdown_text(&line));
    }
    text += "\n## Summary\n\nA row a model: measured / documented.\n\n";
    text += &summary_table(&record.models, Style::Markdown);
    text += "\n## Figures\n\n";
    text += &figures_table(&record.models, Style::Markdown);
    text += "\nAccuracies are hits over all images, unreadable ones included; intervals are 95 % Wilson intervals. ";
    if record.models.iter().flat_map(|model| &model.figures).any(|figure| figure.sampled.is_some()) {
        text += "Where a random sample is judged they are hypergeometric, and hold for all figures and looks together. ";
    }
    text += "FLOPs and parameters are counted by the rule in the last column.\n";
    for model in &record.models {
        let Some(explanation) = &model.explanation else { continue };
        let _ = writeln!(
            text,
            "\n## Why: {}\n\n{}.\n",
            markdown_text(&model.id),
            markdown_text(&sentence(&explanation.conclusion()))
        );
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
        table.add_markup([
            markdown_text(&model.id),
            markdown_text(&model.recipe),
            facts::weights(&model.weights, MARKDOWN),
            model.images.to_string(),
            model.errors.to_string(),
            format!("{:.1}", model.seconds),
            format!("{:.2}", model.images_per_s()),
        ]);
    }
    text += &table.to_string();
    text += &recipes(record);
    text += &rechecks(record);
    text += "\n\n## Provenance\n\n";
    for (name, fact) in facts::of_run(record, MARKDOWN) {
        let _ = writeln!(text, "- {name}: {fact}");
    }
    for (index, session) in record.sessions.iter().enumerate() {
        text += &session_lines(index + 1, session);
    }
    text
}

/// What the recipes of the table do, each once.
fn recipes(record: &RunRecord) -> String {
    let mut lines: Vec<String> = Vec::new();
    for model in &record.models {
        let Some(keys) = facts::recipe_in_full(model) else { continue };
        let line = format!("\n- {}: {}", markdown_text(&model.recipe), markdown_code(keys));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let begin = if lines.is_empty() { "" } else { "\n\nRecipes in full:\n" };
    format!("{begin}{}", lines.concat())
}

/// Which images were computed again in f32, a line a model.
fn rechecks(record: &RunRecord) -> String {
    let line = |model: &crate::record::ModelRecord| {
        let words = facts::recheck(record, model)?;
        Some(format!("\n- {}: {words}", markdown_text(&model.id)))
    };
    let lines: String = record.models.iter().filter_map(line).collect();
    let begin = if lines.is_empty() { "" } else { "\n\nHits:\n" };
    format!("{begin}{lines}")
}

/// With a capital at its beginning.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The provenance of what one process computed.
fn session_lines(number: usize, session: &Session) -> String {
    let mut text =
        format!("\n### Session {number}, from image {} on\n\n", session.images_before.saturating_add(1));
    let _ = writeln!(text, "```sh\n{}\n```\n", shell_command(&session.command));
    for fact in facts::of_session(session, MARKDOWN) {
        let _ = writeln!(text, "- {fact}");
    }
    text
}
