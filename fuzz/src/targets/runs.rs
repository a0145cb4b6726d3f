//! What a run leaves, read back: `run.json`, prediction logs and confidences; and predictions made elsewhere.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::LazyLock;

use dataset::KnownLabels;
use dataset::labels::LabelSet;
use eval::provenance::Invocation;
use eval::record::{AccuracyTolerance, RunRecord};
use eval::report::{self, Style};
use eval::score;
use eval::stored::StoredRun;
use eval::stored::compare::{Over, compare};
use eval::stored::merge::merge;
use serde_json::Value;

use super::catalogs::DEFINITIONS;
use super::{MEMORY_BYTES, fixtures, put, repository, texts};
use crate::{Outcome, Target};

const JSON_WORDS: &[&[u8]] = &[
    b"\"shard\": {\"index\": 1, \"count\": 1000000000000},",
    b"\"state\": \"running\"",
    b"\"label_set\": \"real\"",
    b"\"dtype\": \"bf16\"",
    b"\"kind\": \"file\", \"path\": \"/dev/zero\", \"sha256\": \"\", \"published\": true",
    b"\"images\": 18446744073709551615",
    b"\"models\": []",
    b"\"figures\": []",
    b"null",
    b"1e308",
    b"-1",
    b"\"../../x\"",
    b"\"a/b/c\"",
    b"\"<b>\"",
    b"\"\\ud83d\\ude00\"",
    b"\"\\u0000\"",
    b"[[[[[[[[",
    b"{\"a\":",
];

pub(super) const RUN_JSON: Target = Target {
    name: "run-json",
    about: "a run's record: opened, judged anew, reported, compared, merged",
    seeds: records,
    words: JSON_WORDS,
    mend: None,
    memory_bytes: 2 * MEMORY_BYTES,
    read: |folder, bytes, outcome| read_run("run.json", folder, bytes, outcome),
};

const CSV_WORDS: &[&[u8]] = &[
    b"image,label,class1,class2,class3,class4,class5,logit1,logit2,logit3,logit4,logit5,status\n",
    b",ok\n",
    b",NaN,",
    b",inf,",
    b",-0,",
    b",65535,",
    b",65536,",
    b",999,",
    b",1000,",
    b"\"",
    b"\"\"",
    b"\r\n",
    b",,,,,,,,,,,zero bytes\n",
    b"<script>",
    b"|",
    b"\xff",
    b"\0",
    b"sample_00000001.JPEG",
];

pub(super) const PREDICTIONS: Target = Target {
    name: "predictions",
    about: "a prediction log in a run: opened, judged anew, reported, compared, merged",
    seeds: || {
        fixtures(
            "reports/sample/predictions",
            &["timm-xception.csv", "timm-xception41.csv", "keras-xception.csv"],
        )
    },
    words: CSV_WORDS,
    mend: None,
    memory_bytes: 2 * MEMORY_BYTES,
    read: |folder, bytes, outcome| read_run("predictions/timm-xception.csv", folder, bytes, outcome),
};

pub(super) const CONFIDENCES: Target = Target {
    name: "confidences",
    about: "the probabilities beside a prediction log, as a merge and a report read them",
    seeds: || fixtures("reports/sample/confidences", &["timm-xception.csv", "keras-xception.csv"]),
    words: &[
        b"image,probability\n",
        b",0.5\n",
        b",1.0000001\n",
        b",NaN\n",
        b"\"",
        b"\xff",
        b"sample_00000001.JPEG",
    ],
    mend: None,
    memory_bytes: 2 * MEMORY_BYTES,
    read: |folder, bytes, outcome| read_run("confidences/timm-xception.csv", folder, bytes, outcome),
};

pub(super) const SCORE: Target = Target {
    name: "score",
    about: "predictions made elsewhere, in each of their forms",
    seeds: predictions,
    words: &[
        b"image,class\n",
        b"image,label,prediction\n",
        b": Relay top-1 id: 7, prob: 0.5, class name: crane\n",
        b": Relay top-0 id: ",
        b"ILSVRC2012_val_00000001.JPEG",
        b"n01440764",
        b",999\n",
        b",1000\n",
        b",-1\n",
        b"\"",
        b"\r\n",
        b"\xef\xbb\xbf",
        b"\\",
        b"\xff",
        b"\0",
    ],
    mend: None,
    memory_bytes: MEMORY_BYTES,
    read: read_score,
};

/// The sample's run, with one model of its twelve, since each costs time.
static RECORD: LazyLock<Value> = LazyLock::new(|| {
    let text = fs::read(repository("reports/sample/run.json")).unwrap_or_default();
    let mut record: Value = serde_json::from_slice(&text).unwrap_or_default();
    if let Some(models) = record["models"].as_array_mut() {
        models.retain(|model| model["id"] == "timm/xception");
    }
    // So that it can be merged.
    record["shard"] = serde_json::json!({ "index": 1, "count": 1 });
    // Thumbnails of the embedded sample would take nine tenths of the time.
    record["dataset"]["path"] = "/data/val".into();
    record
});

fn records() -> io::Result<Vec<Vec<u8>>> {
    let shard = RECORD.clone();
    let mut whole = shard.clone();
    whole.as_object_mut().map(|whole| whole.remove("shard"));
    whole["models"][0]["weights"] = serde_json::json!({ "kind": "file", "path": "/weights/x.pth", "sha256": "ba7816bf8f01cfea", "published": true });
    let mut troubled = whole.clone();
    troubled["models"][0]["first_errors"] =
        serde_json::json!([{ "image": "sample_00000002.JPEG", "error": "zero-byte file" }]);
    troubled["sessions"][0]["smaller_batches"] = serde_json::json!([{ "id": "timm/xception", "batch": 4 }]);
    troubled["dataset"]["warnings"] = serde_json::json!(["2 labels contradict"]);
    troubled["dataset"]["label_set"] = "real".into();
    Ok(texts([shard, whole, troubled].map(|record| format!("{record:#}\n"))))
}

/// Reads a run in which the file called `damaged` has these bytes, and does with it whatever can be done with a run.
fn read_run(damaged: &str, folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let (run, other, merged) = (folder.join("run"), folder.join("other"), folder.join("merged"));
    if !other.exists() {
        for run in [&run, &other] {
            assert!(plant(run).is_ok(), "{}", run.display());
        }
    }
    put(&run.join(damaged), bytes);
    let Some(stored) = outcome.of(StoredRun::open(&run)) else { return };
    let rows = stored.record.models.iter().filter_map(|model| outcome.of(stored.rows(&model.id)));
    let rows: Vec<_> = rows.collect();
    let judged = outcome.of(stored.judged(&DEFINITIONS, &[], None));
    if rows.len() == stored.record.models.len() {
        let rows: Vec<_> = rows.iter().map(Vec::as_slice).collect();
        let confidences = vec![HashMap::new(); rows.len()];
        for record in [Some(&stored.record), judged.as_ref()].into_iter().flatten() {
            report_on(record);
            drop(report::html(record, &rows, &confidences, None));
        }
    }
    if let Some(other) = outcome.of(StoredRun::open(&other)) {
        for (here, there) in [(&stored, &other), (&other, &stored)] {
            for over in [Over::All, Over::Shared] {
                let Some(comparison) = outcome.of(compare(here, there, over)) else { continue };
                comparison.notes.iter().for_each(|note| outcome.say(note));
                for flips in comparison.models.iter().flat_map(|model| [&model.top1, &model.top5]) {
                    let p = flips.mcnemar_p();
                    assert!((0.0..=1.0 + 1e-9).contains(&p), "{p}");
                }
            }
        }
    }
    if outcome
        .of(merge(
            &[run],
            &merged,
            true,
            (&DEFINITIONS, &[]),
            None,
            Invocation { command: Vec::new(), git_revision: "0".to_owned() },
        ))
        .is_some()
    {
        outcome.say(kept_probabilities(&merged));
    }
}

/// What a merge made of the probabilities, in words; each has to be one.
fn kept_probabilities(merged: &Path) -> &'static str {
    let text = fs::read_to_string(merged.join("confidences/timm-xception.csv")).unwrap_or_default();
    let probabilities = text.lines().skip(1).filter_map(|line| line.rsplit_once(',')).map(|(_, value)| value);
    let mut count = 0;
    for value in probabilities {
        assert!(
            value.parse().is_ok_and(|value: f32| (0.0..=1.0).contains(&value)),
            "{value} is no probability"
        );
        count += 1;
    }
    let is_drawn =
        fs::read_to_string(merged.join("report.html")).is_ok_and(|html| html.contains("calibration"));
    match (count, is_drawn) {
        (0, false) => "no probability was kept",
        (0, true) => "no probability was kept and something drawn",
        (_, false) => "probabilities were kept and nothing drawn",
        (1..24, true) => "some probabilities were kept",
        (_, true) => "every probability was kept",
    }
}

fn report_on(record: &RunRecord) {
    drop(report::results_csv(record));
    drop(report::claims_csv(record));
    drop(report::markdown(record));
    drop(report::junit_xml(record));
    drop(report::summary_lines(record));
    drop(report::figures_table(&record.models, Style::Terminal));
    for explanation in record.models.iter().filter_map(|model| model.explanation.as_ref()) {
        drop(report::explanation_table(explanation, Style::Terminal));
    }
}

/// The run that [`RECORD`] is the record of.
fn plant(run: &Path) -> io::Result<()> {
    for folder in ["predictions", "confidences"] {
        fs::create_dir_all(run.join(folder))?;
        let file = format!("{folder}/timm-xception.csv");
        fs::copy(repository("reports/sample").join(&file), run.join(file))?;
    }
    fs::write(run.join("run.json"), RECORD.to_string())
}

fn read_score(folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let (path, list) = (folder.join("predictions.csv"), folder.join("val.txt"));
    if !list.exists() {
        assert!(fs::copy(repository("datasets/sample/val.txt"), &list).is_ok());
    }
    put(&path, bytes);
    let Some(predictions) = outcome.of(score::read(&path)) else { return };
    outcome.say(&predictions.format.name().to_lowercase());
    let known = outcome.of(KnownLabels::from_list(&list));
    let model = DEFINITIONS.catalog().get("timm/xception");
    let claims = model.map(|model| DEFINITIONS.claims_of(model)).unwrap_or_default();
    for (known, label_set) in
        [(None, LabelSet::Original), (known.as_ref(), LabelSet::Original), (None, LabelSet::Real)]
    {
        let Some(score) = outcome.of(score::score(&predictions, known, label_set)) else { continue };
        assert!(score.top1_hits <= score.images && score.top5_hits.is_none_or(|hits| hits <= score.images));
        assert!(score.images == 0 || (0.0..=100.0).contains(&score.top1_pct()));
        score.obstacle.iter().chain(&score.diagnosis).for_each(|words| outcome.say(words));
        for judged in claims.iter().flat_map(|claim| score.judged(claim, AccuracyTolerance::new(None), None))
        {
            outcome.say(judged.judgement.verdict.name());
        }
    }
}

fn predictions() -> io::Result<Vec<Vec<u8>>> {
    let image = |number: usize| format!("ILSVRC2012_val_{number:08}.JPEG");
    let rows = |cells: fn(usize) -> String| -> String {
        (1..=6).map(|number| format!("{},{}\n", image(number), cells(number))).collect()
    };
    let relay: String = (1..=3)
        .flat_map(|number| (1..=5).map(move |rank| (number, rank)))
        .map(|(number, rank)| {
            let class = 10 * number + rank;
            format!(
                "/data/val/{}: Relay top-{rank} id: {class}, prob: 0.{rank}, class name: crane, bird\n",
                image(number)
            )
        })
        .collect();
    let mut seeds = texts([
        rows(|number| number.to_string()),
        format!("image,class\n{}", rows(|number| (65 * number).to_string())),
        format!("image,c1,c2,c3,c4,c5\n{}", rows(|number| format!("{number},7,8,9,10"))),
        format!("image,label,prediction\n{}", rows(|number| format!("65,{number}"))),
        rows(|_| "n01751748".to_owned()),
        format!("\u{feff}\"C:\\data\\{}\",65\r\nsample_00000001.JPEG,65\r\n", image(1)),
        relay,
    ]);
    seeds.extend(fixtures("reports/sample/predictions", &["timm-xception.csv"])?);
    Ok(seeds)
}
