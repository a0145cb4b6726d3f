//! `junit.xml`: a suite a model, a case a figure, for CI systems that show test results.

use std::fmt::Write as _;

use super::escaped;
use crate::record::{FigureRecord, ModelRecord, RunRecord};
use crate::verdict::Verdict;

/// The content of `junit.xml`. A figure that is not reproduced fails; one that cannot be compared is skipped,
/// so that nobody takes it for checked.
pub fn junit_xml(record: &RunRecord) -> String {
    let all = || record.models.iter().flat_map(|model| &model.figures);
    let count = |verdict| all().filter(|figure| figure.verdict == verdict).count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuites name=\"imagenet-eval\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"0\">",
        all().count(),
        count(Verdict::NotReproduced),
        count(Verdict::NotComparable)
    );
    for model in &record.models {
        suite(&mut text, model);
    }
    text += "</testsuites>\n";
    text
}

fn suite(text: &mut String, model: &ModelRecord) {
    let count = |verdict| model.figures.iter().filter(|figure| figure.verdict == verdict).count();
    let _ = writeln!(
        text,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"0\" time=\"{:.1}\">",
        escaped(&model.id),
        model.figures.len(),
        count(Verdict::NotReproduced),
        count(Verdict::NotComparable),
        model.seconds
    );
    for figure in &model.figures {
        case(text, model, figure);
    }
    *text += "  </testsuite>\n";
}

fn case(text: &mut String, model: &ModelRecord, figure: &FigureRecord) {
    let documented = figure.documented.as_deref().unwrap_or("nothing");
    let measured = if figure.reproduced.is_empty() { "what is not known" } else { &figure.reproduced };
    let said =
        format!("documented {documented}, measured {measured}: {} ({})", figure.verdict, figure.reason);
    let element = match figure.verdict {
        Verdict::NotReproduced => "failure",
        Verdict::NotComparable => "skipped",
        Verdict::Reproduced | Verdict::Erratum => "",
    };
    let name = format!("{} {}", model.id, figure.figure.name());
    let _ = write!(
        text,
        "    <testcase classname=\"{}\" name=\"{}\">",
        escaped(&model.id.replace('/', ".")),
        escaped(&name)
    );
    let _ = match element {
        "" => writeln!(text, "<system-out>{}</system-out></testcase>", escaped(&said)),
        element => writeln!(text, "<{element} message=\"{}\"/></testcase>", escaped(&said)),
    };
}
