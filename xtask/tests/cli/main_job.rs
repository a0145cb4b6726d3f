//! The main job on a fresh machine, and the reference report that it has to give again.

use super::*;

/// That a run of the main job gives `reports/sample` again, times and machine aside.
fn assert_is_the_reference_report(out: &Path) {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/sample");
    let remedy = "if that is meant: cargo xtask eval --all --out reports/sample --fresh";
    let cells = |line: &str, separator: char| -> Vec<String> {
        line.split(separator).map(|cell| cell.trim().to_owned()).collect()
    };
    let without = |mut cells: Vec<String>, count: usize, last: usize| {
        let from = cells.len().saturating_sub(count + last);
        cells.drain(from..from + count.min(cells.len()));
        cells
    };
    let text = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let results = |folder: &Path| -> Vec<_> {
        text(folder, "results.csv").lines().map(|line| without(cells(line, ','), 2, 1)).collect()
    };
    assert_eq!(results(out), results(&reference), "results.csv: {remedy}");
    // The table of models ends with two columns of times; facts about the machine follow the data's.
    let report = |folder: &Path| -> Vec<_> {
        let text = text(folder, "report.md");
        let (before, after) = text.split_once("## Models").unwrap();
        let models =
            after.lines().take_while(|line| !line.starts_with("## ")).filter(|line| !line.contains("---"));
        let data = after.lines().filter(|line| line.starts_with("- data") || line.starts_with("- label"));
        let rows = models.map(|line| without(cells(line, '|'), 2, 1));
        before.lines().chain(data).map(|line| cells(line, '|')).chain(rows).collect()
    };
    assert_eq!(report(out), report(&reference), "report.md: {remedy}");
    let untimed = |folder: &Path| -> Vec<String> {
        let untimed = |line: &str| line.split(" time=").next().unwrap().to_owned();
        text(folder, "junit.xml").lines().map(untimed).collect()
    };
    assert_eq!(untimed(out), untimed(&reference), "junit.xml: {remedy}");
    let headings = |folder: &Path| -> Vec<String> {
        let heads = |line: &&str| line.starts_with("<h") || line.starts_with("<summary");
        text(folder, "report.html").lines().filter(heads).map(str::to_owned).collect()
    };
    assert_eq!(headings(out), headings(&reference), "report.html: {remedy}");
}

#[test]
fn the_main_job_runs_the_sample_on_a_fresh_machine() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output =
        xtask(&["eval", "--all", "--out", out.to_str().unwrap()]).assert().success().get_output().clone();
    let printed = String::from_utf8(output.stdout).unwrap().replace(out.to_str().unwrap(), "[OUT]");
    insta::assert_snapshot!("eval_all", printed);
    for file in
        ["run.json", "results.csv", "report.md", "report.html", "junit.xml", "predictions/timm-xception.csv"]
    {
        assert!(out.join(file).is_file(), "{file}");
    }
    let html = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(
        html.contains("Nothing contradicts the table, but 24 of 48 figures were not comparable."),
        "{html}"
    );
    assert!(!html.contains("http:") && !html.contains("https:"), "nothing is fetched");
    let junit = fs::read_to_string(out.join("junit.xml")).unwrap();
    let totals =
        "<testsuites name=\"imagenet-eval\" tests=\"48\" failures=\"0\" skipped=\"24\" errors=\"0\">";
    assert!(junit.contains(totals) && junit.ends_with("</testsuites>\n"), "{junit}");
    assert_is_the_reference_report(&out);
    // Not a terminal: plain lines, no control characters.
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("24 images in ") && !said.contains('\u{1b}'), "{said}");
}
