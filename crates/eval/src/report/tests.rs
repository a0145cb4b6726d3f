//! Text from elsewhere stays text in every output, whatever it says.

use std::collections::HashMap;

use cards::FigureName;
use serde_json::{Value, json};

use super::foreign::{escaped, is_invisible, markdown_text};
use super::*;
use crate::logs::predictions::Prediction;
use crate::metrics::TopK;
use crate::record::{FigureRecord, RunRecord};
use crate::verdict::Verdict;

/// The fields of `run.json` that hold text from elsewhere: names, notes, messages, versions.
const FREE: [&str; 32] = [
    "burn",
    "card",
    "command",
    "cpu",
    "device",
    "diagnosis",
    "documented",
    "ended_utc",
    "engine",
    "error",
    "factor",
    "fingerprint",
    "git_revision",
    "id",
    "image",
    "labels",
    "layout",
    "measured",
    "model",
    "network",
    "path",
    "platform",
    "reason",
    "recipe",
    "recipe_in_full",
    "recipe_note",
    "reproduced",
    "rule",
    "sha256",
    "started_utc",
    "swap",
    "warnings",
];

/// What attackers call their files.
const HOSTILE: [&str; 6] = [
    "<b>bold</b><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)> &lt;",
    "[x](javascript:alert(1)) ![x](//example.org/x.png) <https://example.org>",
    "a|b|`c`|```\n```\n# heading\n\n| x | y |\r\n- item",
    "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31m\u{202e}gpj\u{2066}\u{200b}\u{feff}\u{fffe}",
    "::error file=x::\n::add-mask::y",
];

fn replace(value: &mut Value, text: &str, is_free: bool) {
    match value {
        Value::String(string) if is_free => text.clone_into(string),
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, text, is_free)),
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(name, value)| replace(value, text, FREE.contains(&name.as_str())));
        }
        _ => {}
    }
}

/// The sample's run with everything that a run can have, and `text` for every text.
fn record(text: &str) -> RunRecord {
    let mut run: Value = serde_json::from_str(include_str!("../../../../reports/sample/run.json")).unwrap();
    run["dataset"]["warnings"] = json!(["one", "two"]);
    run["sessions"][0]["smaller_batches"] = json!([{"id": "x", "batch": 1}]);
    let mut other = run["sessions"][0].clone();
    other["environment"]["cpus"] = json!(3);
    run["sessions"].as_array_mut().unwrap().push(other);
    let swap = json!({"factor": "f", "swap": "s", "inputs_changed": 1, "best_class_changed": 1, "top1_hits": 9,
                      "top5_hits": 9, "mcnemar_p": 1e-9, "recipe": "r", "label": {"mean_nats": 0.1, "p": 1e-9, "p_to_best": 1.0}});
    let model = &mut run["models"][0];
    model["errors"] = json!(9);
    model["first_errors"] = json!([{"image": "i", "error": "e"}, {"image": "i", "error": "e"}]);
    model["explanation"] =
        json!({"images": 20, "top1_hits": 1, "top5_hits": 2, "needed_pp": 5.0, "swaps": [swap, swap]});
    model["diagnosis"] = json!("d");
    model["recipe_note"] = json!("n");
    model["card"] = json!("shown");
    let claim = json!({"card": "c", "model": "m", "recipe": "r", "figure": "top1_pct", "documented": "1",
                       "measured": "2", "rule": "r", "verdict": "not comparable", "reason": "r"});
    model["claims"] = json!([claim]);
    model["recipe_in_full"] = json!("r");
    model["weights"] = json!({"kind": "file", "path": "p", "sha256": "s", "published": false});
    // Enough images for the plots to show what was measured.
    model["images"] = json!(1000);
    run["not_measured"] = json!([claim]);
    replace(&mut run, text, false);
    serde_json::from_value(run).unwrap()
}

fn rows(text: &str) -> Vec<Prediction> {
    let row = |label: u16| {
        let top = TopK { classes: [7, 995, 996, 997, 998], logits: [5.0, 4.0, 3.0, 2.0, 1.0] };
        Prediction { image: format!("{text}{label}"), label, outcome: Ok(top) }
    };
    (0..12).map(row).collect()
}

fn page(text: &str) -> String {
    let (record, rows) = (record(text), rows(text));
    let probabilities: HashMap<String, f32> = rows.iter().map(|row| (row.image.clone(), 0.5)).collect();
    let logs: Vec<&[Prediction]> = record.models.iter().map(|_| rows.as_slice()).collect();
    let confidences = vec![probabilities; record.models.len()];
    html(&record, &logs, &confidences, None).unwrap()
}

fn tables(text: &str, style: Style) -> String {
    let record = record(text);
    let explained = record.models.iter().filter_map(|model| model.explanation.as_ref());
    let swaps: String = explained.map(|explanation| explanation_table(explanation, style)).collect();
    summary_table(&record.models, style) + &figures_table(&record.models, style) + &swaps
}

#[test]
fn no_text_is_markup_in_html_and_xml() {
    let count = |text: &str, what: &str| text.matches(what).count();
    let (plain_page, plain_xml) = (page("x"), junit_xml(&record("x")));
    for text in HOSTILE {
        let (page, xml) = (page(text), junit_xml(&record(text)));
        for (here, plain) in [(&page, &plain_page), (&xml, &plain_xml)] {
            assert!(here.contains(&escaped(text)), "{text:?} is not shown");
            assert!(!here.chars().any(|c| c != '\n' && is_invisible(c)), "{text:?}");
            // As many tags, attributes and lines as with a harmless text.
            for what in ["<", ">", "\"", "\n"] {
                assert_eq!(count(here, what), count(plain, what), "{text:?}: {what:?}");
            }
        }
    }
}

#[test]
fn no_text_is_markup_in_markdown() {
    // Outside of tables a bar means nothing.
    let cells = |line: &str| {
        if line.starts_with('|') { line.replace("\\|", "").matches('|').count() } else { 0 }
    };
    let shape = |text: &str| -> Vec<usize> { markdown(&record(text)).lines().map(cells).collect() };
    let plain = shape("x");
    for text in HOSTILE {
        let report = markdown(&record(text));
        assert!(report.contains(&markdown_text(text)), "{text:?} is not shown");
        assert!(!report.chars().any(|c| c != '\n' && is_invisible(c)), "{text:?}");
        assert_eq!(shape(text), plain, "{text:?}");
        // Outside of code, which is letter by letter.
        let mut is_shell = false;
        for line in report.lines() {
            is_shell ^= line.starts_with("```");
            let code = is_shell || line.contains('`');
            assert!(code || !line.contains("](") && !line.contains("<b") && !line.contains("<img"), "{line}");
        }
    }
}

#[test]
fn no_text_is_a_command_or_a_line_in_a_table() {
    let plain = |style| tables("x", style).lines().count();
    for text in HOSTILE {
        assert!(!tables(text, Style::Terminal).chars().any(|c| c != '\n' && is_invisible(c)), "{text:?}");
        assert_eq!(tables(text, Style::Markdown).lines().count(), plain(Style::Markdown), "{text:?}");
    }
}

#[test]
fn cells_of_results_csv_are_quoted() {
    for text in HOSTILE {
        let text_of_csv = results_csv(&record(&format!("a/{text},\"q\"")));
        let mut reader = csv::Reader::from_reader(text_of_csv.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 12);
        assert_eq!((&rows[0][0], rows[0].len()), (format!("a/{text},\"q\"").as_str(), 21));
    }
}

#[test]
fn cells_of_claims_csv_are_quoted() {
    for text in HOSTILE {
        let record = record(&format!("{text},\"q\""));
        let claims = record.models.iter().map(|model| model.claims.len()).sum::<usize>();
        let text_of_csv = claims_csv(&record);
        let mut reader = csv::Reader::from_reader(text_of_csv.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        // Those of the models, and one of a model that is not here.
        assert!(claims > 0);
        assert_eq!(rows.len(), claims + 1);
        for row in &rows {
            assert_eq!((&row[0], row.len()), (format!("{text},\"q\"").as_str(), 9));
        }
    }
}

#[test]
fn a_model_has_a_line_before_its_figures() {
    let mut run: Value = serde_json::from_str(include_str!("../../../../reports/sample/run.json")).unwrap();
    // Without FLOPs, whose rules are not this test's business.
    for model in run["models"].as_array_mut().unwrap() {
        model["figures"].as_array_mut().unwrap().retain(|figure| figure["figure"] != "flops_g");
    }
    let record: RunRecord = serde_json::from_value(run).unwrap();
    let at = |width: usize| {
        let table =
            |documented| table::summary(&record.models[..2], Style::Terminal, documented).fitted(width);
        if table(true).fits() { table(true).to_string() } else { table(false).to_string() }
    };
    insta::assert_snapshot!([120, 80, 60].map(at).join("\n"));
    let report = markdown(&record);
    let (summary, figures) = (report.find("## Summary").unwrap(), report.find("## Figures").unwrap());
    assert!(summary < figures);
    let row = "| timm/xception            | not comparable | 0.000 / 79.050 | 0.000 / 94.392 |";
    assert!(report[summary..figures].contains(row), "{report}");
}

#[test]
fn the_page_needs_nothing_else_and_every_table_can_be_sorted() {
    let page = page("x");
    for outside in ["http:", "https:", "src=\"//", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let tables = page.matches("<table").count();
    assert_eq!(page.matches("<table class=\"").count(), tables);
    let sorted =
        page.lines().filter(|line| line.contains("<table class=\"") && line.contains("sort")).count();
    assert_eq!(sorted, tables);
    // A row is found by the cells of one row of headers.
    assert!(!page.contains("rowspan") && !page.contains("colspan"));
}

#[test]
fn a_counted_figure_has_the_decimals_of_the_documented_one() {
    let figure = |count: u64, documented: Option<&str>| FigureRecord {
        figure: FigureName::FlopsG,
        documented: documented.map(str::to_owned),
        reproduced: format!("{:.6}", count as f64 / 1e9),
        count: Some(count),
        rule: None,
        interval_pct: None,
        sampled: None,
        verdict: Verdict::NotReproduced,
        reason: String::new(),
    };
    let text = |count, documented| figure(count, documented).counted_text().unwrap();
    // A narrow network beside what is documented of it: 0.000 G would look like none.
    assert_eq!(text(288_768, Some("0.000293")), "0.000289");
    assert_eq!(text(288_768, None), "0.000289");
    assert_eq!(text(48_123_000, None), "0.0481");
    for documented in [None, Some("9"), Some("9.2"), Some("9.198")] {
        assert_eq!(text(9_197_900_123, documented), "9.198");
    }
    // A rule that rounds on its way leaves no more.
    let rounded = FigureRecord { reproduced: "0.000".to_owned(), ..figure(292_962, Some("0.000293")) };
    assert_eq!(rounded.counted_text().unwrap(), "0.000");
}
