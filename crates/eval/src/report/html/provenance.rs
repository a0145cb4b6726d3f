//! What the page says of where its numbers are from.

use std::fmt::Write as _;

use super::super::facts::{self, HTML};
use super::super::foreign::{escaped, shell_command};
use crate::record::RunRecord;

pub(super) fn provenance(page: &mut String, record: &RunRecord) {
    *page += "<h2>Provenance</h2>\n<dl>\n";
    // Values are HTML already.
    let mut fact = |name: &str, value: &str| {
        let name = if name.is_empty() { String::new() } else { format!("<dt>{}</dt>", escaped(name)) };
        let _ = writeln!(page, "{name}<dd>{value}</dd>");
    };
    for (name, value) in facts::of_run(record, HTML) {
        fact(name, &value);
    }
    for model in &record.models {
        let weights = facts::weights(&model.weights, HTML);
        let in_full = facts::recipe_in_full(model).map(|keys| format!(" ({})", escaped(keys)));
        let recipe = escaped(&model.recipe) + &in_full.unwrap_or_default();
        fact(&model.id, &format!("recipe {recipe}; weights {weights}"));
        if let Some(words) = facts::recheck(record, model) {
            fact("", &escaped(&words));
        }
    }
    for (index, session) in record.sessions.iter().enumerate() {
        fact(&format!("session {}", index + 1), &escaped(&shell_command(&session.command)));
        for value in facts::of_session(session, HTML) {
            fact("", &value);
        }
    }
    *page += "</dl>\n";
}
