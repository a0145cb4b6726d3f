//! `claims.csv`: a row a claim of every card about what was measured, and of the selected cards about what was not.

use serde::Serialize;

use crate::record::{ClaimRecord, RunRecord};

/// The columns, in order. `measured` is empty where nothing was, `rule` for accuracies and where a card does not say it.
#[derive(Serialize)]
struct ClaimsRow<'a> {
    card: &'a str,
    model: &'a str,
    recipe: &'a str,
    figure: &'a str,
    documented: &'a str,
    measured: &'a str,
    rule: &'a str,
    verdict: &'a str,
    reason: &'a str,
}

/// The columns by name, for a file without a row.
const COLUMNS: [&str; 9] =
    ["card", "model", "recipe", "figure", "documented", "measured", "rule", "verdict", "reason"];

/// The content of `claims.csv`.
pub fn claims_csv(record: &RunRecord) -> String {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record(COLUMNS).expect("writing to memory does not fail");
    for claim in record.claims() {
        writer.serialize(row(claim)).expect("writing to memory does not fail");
    }
    let bytes = writer.into_inner().expect("writing to memory does not fail");
    String::from_utf8(bytes).expect("every cell is UTF-8")
}

fn row(claim: &ClaimRecord) -> ClaimsRow<'_> {
    ClaimsRow {
        card: &claim.card,
        model: &claim.model,
        recipe: &claim.recipe,
        figure: claim.figure.name(),
        documented: &claim.documented,
        measured: &claim.measured,
        rule: claim.rule.as_deref().unwrap_or_default(),
        verdict: claim.verdict.name(),
        reason: &claim.reason,
    }
}
