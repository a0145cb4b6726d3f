//! Trained networks on photographs against PyTorch's answers (`tools/reference/photo_answers.py`): of the committed record always, and
//! computed again where photographs and weights are at hand. No photograph is in this repository.

use std::path::PathBuf;

use super::*;

/// The folder with a list of labels and the photographs.
const PHOTOS: &str = "IMAGENET_EVAL_PHOTOS";

const ARCHITECTURES: [(&str, usize); 3] =
    [("efficientnet-lite0", 224), ("efficientnet-lite1", 240), ("efficientnet-lite2", 260)];

/// An image, its label, and the five best classes in order.
type Answer = (String, u16, [u16; 5]);

fn record(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reports/efficientnet-lite").join(file)
}

fn rows(file: &str) -> Vec<csv::StringRecord> {
    csv::Reader::from_path(record(file)).unwrap().records().map(Result::unwrap).collect()
}

/// PyTorch's answers in f32; and those in f64 that are others, of photographs whose f32 logits lie closer together than rounding is exact.
fn pytorch(architecture: &str) -> [Vec<Answer>; 2] {
    ["csv", "f64.csv"].map(|kind| read_answers(&format!("pytorch/{architecture}.{kind}")))
}

fn read_answers(file: &str) -> Vec<Answer> {
    let class = |row: &csv::StringRecord, rank: usize| row[2 + rank].parse().unwrap();
    let answer = |row: csv::StringRecord| {
        (row[0].to_owned(), row[1].parse().unwrap(), std::array::from_fn(|rank| class(&row, rank)))
    };
    rows(file).into_iter().map(answer).collect()
}

/// Asserts that every ordered top-5 is PyTorch's, in f32 or in f64.
#[track_caller]
fn assert_are_pytorchs(found: &[Answer], architecture: &str) {
    let [expected, in_f64] = pytorch(architecture);
    assert_eq!((found.len(), expected.len()), (650, 650), "{architecture}");
    assert!(in_f64.len() < 7, "ties are rare: {in_f64:?}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found == expected || in_f64.contains(found), "{architecture}: {found:?}, not {expected:?}");
    }
}

/// Hits by PyTorch, top-1 and top-5.
fn hits(model: &str, normalisation: &str) -> [String; 2] {
    let rows = rows("pytorch/hits.csv");
    let row = rows.iter().find(|row| &row[0] == model && &row[1] == normalisation).unwrap();
    [row[3].to_owned(), row[4].to_owned()]
}

fn answers(predictions: Vec<Prediction>) -> Vec<Answer> {
    let answer = |row: Prediction| (row.image, row.label, row.outcome.unwrap().classes);
    predictions.into_iter().map(answer).collect()
}

#[test]
fn every_ordered_top_5_of_the_record_is_pytorchs() {
    for (architecture, _) in ARCHITECTURES {
        for source in ["pypi", "onnx"] {
            let log = record(&format!("predictions/{source}-{architecture}.csv"));
            assert_are_pytorchs(&answers(predictions::read(&log).unwrap()), architecture);
        }
    }
}

#[test]
fn every_hit_of_the_record_is_pytorchs() {
    let column = |rows: &str, name: &str| {
        let mut file = csv::Reader::from_path(record(rows)).unwrap();
        file.headers().unwrap().iter().position(|column| column == name).unwrap()
    };
    for (results, sources, normalisation) in [
        ("results.csv", &["pypi", "onnx"][..], "half"),
        ("imagenet-normalisation.csv", &["pypi"], "imagenet"),
    ] {
        let [id, top1, top5] = ["id", "top1_hits", "top5_hits"].map(|name| column(results, name));
        let rows = rows(results);
        for (architecture, _) in ARCHITECTURES {
            for source in sources {
                let model = format!("{source}/{architecture}");
                let row = rows.iter().find(|row| row[id] == model).unwrap();
                let expected = hits(&format!("pypi/{architecture}"), normalisation);
                assert_eq!([&row[top1], &row[top5]], expected.each_ref(), "{results} {model}");
            }
        }
        assert_eq!(rows.len(), ARCHITECTURES.len() * sources.len());
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "that it did not look is said")]
fn photographs_give_pytorchs_answers() {
    let Some(photos) = std::env::var_os(PHOTOS).filter(|folder| !folder.is_empty()) else {
        eprintln!("not looked at: {PHOTOS} names no folder of photographs");
        return;
    };
    for (architecture, side) in ARCHITECTURES {
        let model = format!("pypi/{architecture}");
        let wrong = format!("resize=pct:0.875,filter=pil-bicubic,crop={side},mean=imagenet,std=imagenet");
        for (keys, normalisation) in [(None, "half"), (Some(wrong.as_str()), "imagenet")] {
            let folder = tempfile::tempdir().unwrap();
            let options = Options {
                data: Some(Path::new(&photos)),
                weights: vec![WeightsArg::Pretrained],
                keys,
                batch: Some(8),
                limit: Some(usize::MAX),
                ..Options::default()
            };
            let plan = plan_of(&Definitions::built_in(), &model, &options);
            let plan =
                plan.unwrap_or_else(|error| panic!("{error}; `cargo xtask weights fetch '{model}'` first"));
            let outcome = run(&plan, folder.path()).unwrap();
            let found = &outcome.record.models[0];
            assert_eq!(
                [found.top1_hits, found.top5_hits].map(|hits| hits.to_string()),
                hits(&model, normalisation)
            );
            if keys.is_none() {
                let log = folder.path().join(format!("predictions/pypi-{architecture}.csv"));
                assert_are_pytorchs(&answers(predictions::read(&log).unwrap()), architecture);
            }
        }
    }
}
