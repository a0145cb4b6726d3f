//! What the page says of where its numbers are from.

use std::fmt::Write as _;

use super::super::{escaped, facts};
use crate::record::RunRecord;

pub(super) fn provenance(page: &mut String, record: &RunRecord) {
    *page += "<h2>Provenance</h2>\n<dl>\n";
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
    };
    for (name, value) in facts::of_run(record, str::to_owned) {
        fact(name, &value);
    }
    for model in &record.models {
        let weights = facts::weights(&model.weights, str::to_owned);
        fact(&model.id, &format!("recipe {}; weights {weights}", model.recipe));
    }
    for (index, session) in record.sessions.iter().enumerate() {
        fact(&format!("session {}", index + 1), &session.command.join(" "));
        for value in facts::of_session(session, str::to_owned) {
            fact("", &value);
        }
    }
    *page += "</dl>\n";
}
