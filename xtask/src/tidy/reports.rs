//! That committed reports say where their numbers are from: when, by which revision and machine, by which command.

use serde_json::Value;

use crate::tidy::Tree;

/// What the part of a report before its first section has to say, each the beginning of a line and what it is.
const HEAD: [(&str, &str); 3] = [
    ("- Date: ", "the date"),
    ("- Machine: ", "the machine"),
    ("```sh", "the command that measures it again"),
];

/// What `run.json` of a committed run has to hold.
const RECORD: [&str; 7] = [
    "/command/0",
    "/environment/git_revision",
    "/environment/burn",
    "/environment/cpu",
    "/sessions/0/started_utc",
    "/dataset/fingerprint",
    "/models/0/weights",
];

/// The files of a run directory that are one for the whole run.
const FILES: [&str; 4] = ["claims.csv", "results.csv", "report.md", "junit.xml"];

/// The file that shows images of the run: of the sample it is there, and of photographs, which are not free, it must not be.
const WITH_IMAGES: &str = "report.html";

/// What `run.json` calls the sample.
const SAMPLE: &str = "embedded sample";

pub(crate) fn findings(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| file.starts_with("reports/")) {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        match name {
            "run.json" => findings.extend(of_run(tree, folder)),
            _ if folder == "reports" && name.ends_with(".md") && name != "README.md" => {
                findings.extend(
                    of_measurement(&tree.text(file)).into_iter().map(|what| format!("{file}: {what}")),
                );
            }
            _ => {}
        }
    }
    if !tree.has("reports/sample/run.json") {
        findings.push(
            "reports/sample: the reference report is missing; reports/README.md says how it is made"
                .to_owned(),
        );
    }
    findings
}

/// A report of a measurement, in Markdown.
fn of_measurement(text: &str) -> Vec<String> {
    let head = text.split("\n## ").next().unwrap_or_default();
    let value = |start: &str| head.lines().find_map(|line| line.strip_prefix(start));
    let mut findings: Vec<String> = (HEAD.iter())
        .filter(|(start, _)| value(start).is_none())
        .map(|(start, what)| {
            format!("its head does not say {what} (a line `{start}...` before the first section)")
        })
        .collect();
    let date = value("- Date: ").unwrap_or_default();
    let revision = date
        .split_once("revision ")
        .map_or("", |(_, rest)| rest.split([';', ' ']).next().unwrap_or_default());
    if revision.len() < 7 || !revision.chars().all(|c| c.is_ascii_hexdigit()) {
        findings.push(
            "its head does not say the revision that was measured (`- Date: ...; revision ...`)".to_owned(),
        );
    }
    findings
}

/// The directory of a committed run.
fn of_run(tree: &Tree, folder: &str) -> Vec<String> {
    let again = "make it again as reports/README.md says";
    let record: Value = serde_json::from_str(&tree.text(&format!("{folder}/run.json"))).unwrap_or_default();
    let mut findings: Vec<String> = (RECORD.iter())
        .filter(|pointer| record.pointer(pointer).is_none_or(|value| value.is_null() || value == ""))
        .map(|pointer| format!("{folder}/run.json: `{pointer}` is missing; {again}"))
        .collect();
    if record.get("state").and_then(Value::as_str) != Some("finished") {
        findings.push(format!("{folder}/run.json: the run is not finished; {again}"));
    }
    for file in FILES.iter().filter(|file| !tree.has(&format!("{folder}/{file}"))) {
        findings.push(format!("{folder}/{file}: is missing; {again}"));
    }
    let is_sample = record.pointer("/dataset/path").and_then(Value::as_str) == Some(SAMPLE);
    match (is_sample, tree.has(&format!("{folder}/{WITH_IMAGES}"))) {
        (true, false) => findings.push(format!("{folder}/{WITH_IMAGES}: is missing; {again}")),
        (false, true) => findings.push(format!(
            "{folder}/{WITH_IMAGES}: has thumbnails of images that are not the sample's; leave it out"
        )),
        _ => {}
    }
    let rows = tree.text(&format!("{folder}/results.csv"));
    let models = record.get("models").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let ids: Vec<&str> = models.iter().filter_map(|model| model.get("id")?.as_str()).collect();
    let listed: Vec<&str> = rows.lines().skip(1).filter_map(|row| row.split(',').next()).collect();
    if listed != ids {
        findings.push(format!("{folder}/results.csv: its rows are not the models of run.json; {again}"));
    }
    for stem in ids.iter().map(|id| id.replace('/', "-")) {
        if !tree.has(&format!("{folder}/predictions/{stem}.csv")) {
            findings.push(format!("{folder}/predictions/{stem}.csv: is missing; {again}"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::planted;

    const REPORT: &str =
        "# Speed\n\n- Date: 2026-01-01; revision 0123abc; more\n- Machine: a\n\n```sh\nrun\n```\n\n## A\n";
    const RUN: &str = r#"{"state": "finished", "command": ["cargo"], "sessions": [{"started_utc": "now"}],
        "environment": {"git_revision": "0", "burn": "1", "cpu": "x"},
        "dataset": {"fingerprint": "f", "path": "embedded sample"},
        "models": [{"id": "a/b", "weights": {"seeded": 0}}]}"#;

    fn of(report: &str, run: &str, results: &str) -> String {
        let (_folder, tree) = planted(&[
            ("reports/speed.md", report),
            ("reports/README.md", ""),
            ("reports/sample/run.json", run),
            ("reports/sample/results.csv", results),
            ("reports/sample/claims.csv", ""),
            ("reports/sample/report.md", ""),
            ("reports/sample/report.html", ""),
            ("reports/sample/junit.xml", ""),
            ("reports/sample/predictions/a-b.csv", ""),
        ]);
        findings(&tree).join("\n")
    }

    #[test]
    fn numbers_of_unknown_origin_are_found() {
        let results = "id,source\na/b,a\n";
        assert_eq!(of(REPORT, RUN, results), "");
        for (line, what) in [("- Date", "the date"), ("- Machine", "the machine"), ("```sh", "the command")] {
            let found = of(&REPORT.replace(line, "- Other"), RUN, results);
            assert!(found.contains(&format!("reports/speed.md: its head does not say {what}")), "{found}");
        }
        assert!(of(&REPORT.replace("revision 0123abc", ""), RUN, results).contains("the revision"));
        let late = REPORT.replace("# Speed", "# Speed\n## Too early");
        assert!(of(&late, RUN, results).contains("does not say the machine"));
        assert!(
            of(REPORT, &RUN.replace("\"cpu\": \"x\"", "\"cpu\": \"\""), results)
                .contains("`/environment/cpu`")
        );
        assert!(of(REPORT, &RUN.replace("finished", "running"), results).contains("not finished"));
        assert!(of(REPORT, &RUN.replace("a/b", "a/c"), results).contains("not the models"));
        assert!(of(REPORT, "", results).contains("`/command/0`"));
        let photographs = of(REPORT, &RUN.replace("embedded sample", "photographs"), results);
        assert!(photographs.contains("report.html: has thumbnails of images that are not the sample's"));
    }
}
