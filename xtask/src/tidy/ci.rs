//! That `validate`, `.ci/run` and the workflow check the same: the steps are stated once in `steps.rs`, and CI's
//! script repeats them so that it needs no build of its own.

use crate::steps::STEPS;
use crate::tidy::Tree;

const SCRIPT: &str = ".ci/run";
const WORKFLOW: &str = ".github/workflows/ci.yml";

/// How the script runs a tool that may be missing: `optional PROGRAM COMMAND`.
const OPTIONAL: &str = "optional ";

pub(crate) fn findings(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let expected: Vec<String> = STEPS
        .iter()
        .filter(|step| step.command.is_some())
        .map(|step| match &step.tool {
            Some(tool) => format!("{OPTIONAL}{} {}", tool.program, step.shown()),
            None => step.shown(),
        })
        .collect();
    let script = tree.text(SCRIPT);
    let found: Vec<&str> = script.lines().filter_map(command).collect();
    if found != expected {
        let at = found.iter().zip(&expected).take_while(|(found, expected)| found == expected).count();
        let line = |line: Option<&str>| line.map_or("nothing".to_owned(), |line| format!("`{line}`"));
        findings.push(format!(
            "{SCRIPT}: the steps of `validate` (xtask/src/steps.rs) are not run in their order: {} where {} is expected",
            line(found.get(at).copied()),
            line(expected.get(at).map(String::as_str)),
        ));
    }
    let workflow = tree.text(WORKFLOW);
    if !workflow.lines().any(|line| line.trim_start().trim_start_matches("- ") == "run: .ci/run") {
        findings.push(format!(
            "{WORKFLOW}: a step has to be `run: .ci/run`, so that CI checks what `validate` checks"
        ));
    }
    for tool in STEPS.iter().filter_map(|step| step.tool.as_ref()) {
        let pinned = format!("{}@{}", tool.package, tool.version);
        if !workflow.contains(&pinned) {
            findings.push(format!("{WORKFLOW}: has to install {pinned}, as xtask/src/steps.rs names it"));
        }
    }
    if !workflow.lines().any(|line| line.trim() == "STRICT: 1") {
        findings
            .push(format!("{WORKFLOW}: `STRICT: 1` is needed, else a tool that is not there goes unnoticed"));
    }
    findings
}

/// The command of a line of the script, if it is one that checks: without what happens to its output.
fn command(line: &str) -> Option<&str> {
    let line = line.split(" 2>&1").next().unwrap_or(line).trim_end();
    let is_one =
        line.starts_with("cargo ") || line.starts_with("RUSTDOCFLAGS=") || line.starts_with(OPTIONAL);
    is_one.then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::planted;

    const GOOD_SCRIPT: &str = include_str!("../../../.ci/run");
    const GOOD_WORKFLOW: &str = include_str!("../../../.github/workflows/ci.yml");

    fn of(script: &str, workflow: &str) -> String {
        let (_folder, tree) = planted(&[(SCRIPT, script), (WORKFLOW, workflow)]);
        findings(&tree).join("\n")
    }

    #[test]
    fn scripts_that_drift_from_the_steps_are_found() {
        assert_eq!(of(GOOD_SCRIPT, GOOD_WORKFLOW), "");
        let dropped = GOOD_SCRIPT.replace("cargo fmt --all --check\n", "");
        assert!(of(&dropped, GOOD_WORKFLOW).contains("where `cargo fmt --all --check` is expected"));
        let weaker = GOOD_SCRIPT.replace(" -- -D warnings", "");
        assert!(of(&weaker, GOOD_WORKFLOW).contains("where `cargo clippy"), "{weaker}");
        let more = format!("{GOOD_SCRIPT}\ncargo bench\n");
        assert!(of(&more, GOOD_WORKFLOW).contains("`cargo bench` where nothing is expected"));
        assert!(
            of(GOOD_SCRIPT, &GOOD_WORKFLOW.replace("run: .ci/run", "run: cargo test"))
                .contains("`run: .ci/run`")
        );
        assert!(
            of(GOOD_SCRIPT, &GOOD_WORKFLOW.replace("cargo-deny@", "cargo-deny@9")).contains("has to install")
        );
        assert!(of(GOOD_SCRIPT, &GOOD_WORKFLOW.replace("STRICT: 1", "")).contains("STRICT"));
    }
}
