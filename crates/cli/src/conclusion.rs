//! How a verb that judges ends, whether it has just evaluated or read a run back: the table, what has to be
//! said beside it, and the exit code.

use std::path::Path;

use eval::Outcome;
use eval::record::RunRecord;
use eval::report::{Style, explanation_table, figures_table, markdown, summary_lines};

use crate::output::note;
use crate::{EXIT_DIFFERS, EXIT_HOLDS, EXIT_INTERRUPTED, output};

/// Prints the table and what goes with it, and chooses the exit code.
pub(crate) fn conclude(outcome: &Outcome, path: &Path) -> anyhow::Result<u8> {
    let record = &outcome.record;
    if outcome.interrupted() {
        let done = record.models.iter().map(|model| model.images).min().unwrap_or_default();
        note(&format!(
            "Interrupted: {done} of {} images are kept in {}. The same command goes on from there.",
            record.images(),
            path.display()
        ));
        return Ok(EXIT_INTERRUPTED);
    }
    let code = show(record, &format!("Run directory: {}\n", path.display()))?;
    outcome.check_any_prediction()?;
    Ok(code)
}

/// Prints a line a model and a line a figure, then `tail`, and gives the exit code that the verdicts ask for. In a
/// GitHub job its summary shows the report.
pub(crate) fn show(record: &RunRecord, tail: &str) -> anyhow::Result<u8> {
    let mut text = eval::report::summary_table(&record.models, Style::Terminal);
    text += &figures_table(&record.models, Style::Terminal);
    for (model, explanation) in record.models.iter().filter_map(|it| Some((it, it.explanation.as_ref()?))) {
        text += &format!(
            "\nWhy: {}\n{}",
            eval::report::visible(&model.id),
            explanation_table(explanation, Style::Terminal)
        );
    }
    for line in summary_lines(record) {
        text += &format!("{}\n", eval::report::visible(&line));
    }
    output::print(&(text + tail))?;
    output::step_summary(&markdown(record));
    Ok(if record.differs() { EXIT_DIFFERS } else { EXIT_HOLDS })
}

/// `--require-comparable`: `code`, or that of a check that failed where something that `record` should say was not
/// compared, which is printed.
pub(crate) fn require_comparable(required: bool, record: &RunRecord, code: u8) -> anyhow::Result<u8> {
    require(required, &record.not_compared(), code)
}

/// The same of what is `missing`, a line each. A run that was interrupted has not been judged yet.
pub(crate) fn require(required: bool, missing: &[String], code: u8) -> anyhow::Result<u8> {
    if !required || missing.is_empty() || ![EXIT_HOLDS, EXIT_DIFFERS].contains(&code) {
        return Ok(code);
    }
    let lines: String = missing.iter().map(|line| format!("  {line}\n")).collect();
    output::print(&format!("Not compared, which --require-comparable does not allow:\n{lines}"))?;
    Ok(EXIT_DIFFERS)
}
