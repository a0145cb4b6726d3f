//! Images near a hit computed again in f32: the hits are those of f32, whatever interrupts the run, and a verdict says what it rests on. The
//! network is drawn at random; in its reduced type it sees less of a picture.

use super::*;
use eval::{AllAgain, Recheck};

/// Logits of a picture's mean colours in 36 places, which are rounded to steps of so much before.
struct Drawn {
    step: Option<f32>,
}

impl Forward for Drawn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let [count, channels, height, width] = images.dims();
        let (rows, columns) = (height / 6, width / 6);
        let places = images.clone().reshape([count * channels, 6, rows, 6 * columns]).mean_dim(2);
        let places = places.reshape([count * channels * 6, 6, columns, 1]).mean_dim(2);
        let seen = places.reshape([count, channels * 36]);
        let seen = match self.step {
            Some(step) => (seen / step).round() * step,
            None => seen,
        };
        // Knuth's multiplicative hash, as numbers from -1 to 1.
        let weight = |at: u32| (at.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0;
        let weights: Vec<f32> = (1..=channels as u32 * 36 * 1000).map(weight).collect();
        let data = burn::tensor::TensorData::new(weights, [channels * 36, 1000]);
        seen.matmul(Tensor::from_data(data, &images.device()))
    }
}

const KEYS: &str = "resize=exact:72x72,filter=pil-bilinear,mean=half,std=half";

/// 240 files of the sample's 24 pictures, as those of the validation set by their names, labelled near the classes that the network sees.
fn pictures(folder: &Path) -> std::path::PathBuf {
    let data = folder.join("pictures");
    fs::create_dir_all(&data).unwrap();
    let sample = dataset::Dataset::sample();
    for at in 0..240 {
        let bytes = sample.read(at % sample.items().len()).unwrap();
        fs::write(data.join(format!("ILSVRC2012_val_{:08}.JPEG", at + 1)), bytes).unwrap();
    }
    data
}

/// A list that gives every fifth picture one of the network's best six classes, so that these lie near a hit, and the others any.
fn labels(folder: &Path, exact: &[Prediction]) -> std::path::PathBuf {
    let line = |(at, row): (usize, &Prediction)| {
        let top = row.outcome.as_ref().unwrap();
        let label = if at % 5 == 0 { top.classes[at / 5 % 5] } else { (top.classes[0] + 500) % 1000 };
        format!("{} {label}\n", row.image)
    };
    let path = folder.join("labels.txt");
    fs::write(&path, exact.iter().enumerate().map(line).collect::<String>()).unwrap();
    path
}

fn model_of_ours(folder: &Path) -> Definitions {
    let path = folder.join("model.toml");
    let text = format!(
        "[[models]]\nid = \"own/x\"\nnetwork = \"timm-xception\"\nrecipe = \"{KEYS}\"\ninput_size = 72\n"
    );
    fs::write(&path, text).unwrap();
    let mut definitions = Definitions::built_in();
    definitions.add_file(&path).unwrap();
    definitions
}

/// What a test varies.
#[derive(Clone, Copy)]
struct Setting<'a> {
    definitions: &'a Definitions,
    data: &'a Path,
    labels: Option<&'a Path>,
    recheck: Option<f64>,
    step: f32,
    shard: Option<Shard>,
}

fn run_drawn(setting: Setting<'_>, path: &Path, images: usize) -> Result<Outcome, EvalError> {
    let options = Options {
        data: Some(setting.data),
        labels: setting.labels,
        weights: vec![WeightsArg::Seeded],
        batch: Some(8),
        limit: Some(240),
        shard: setting.shard,
        ..Options::default()
    };
    let mut plan = plan_of(setting.definitions, "own/x", &options)?;
    plan.recheck = setting.recheck.map(|audit_pct| Recheck { audit_pct });
    let by = |step| Classifier::by_burn(Box::new(Drawn { step }), &plan.placement);
    let exact = setting.recheck.map(|_| by(None));
    let classifier = by(setting.recheck.map(|_| setting.step));
    let mut networks = Networks::of(&plan);
    networks.insert(0, LoadedModel { classifier, exact, weights: WeightsSource::Seeded });
    run_with(&plan, &mut networks, path, images)
}

#[test]
fn hits_are_those_of_f32_however_the_run_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let (data, definitions) = (pictures(folder.path()), model_of_ours(folder.path()));
    let at = |name: &str| folder.path().join(name);
    let setting = Setting {
        definitions: &definitions,
        data: &data,
        labels: None,
        recheck: None,
        step: 0.02,
        shard: None,
    };
    run_drawn(setting, &at("unlabelled"), usize::MAX).unwrap();
    let seen = predictions::read(&at("unlabelled").join("predictions/own-x.csv")).unwrap();
    let labels = labels(folder.path(), &seen);
    let setting = Setting { labels: Some(&labels), ..setting };
    let exact = run_drawn(setting, &at("exact"), usize::MAX).unwrap();
    assert!(!at("exact").join("rechecks").exists());
    let setting = Setting { recheck: Some(2.0), ..setting };
    let whole = run_drawn(setting, &at("whole"), usize::MAX).unwrap();
    let [model, of_exact] = [&whole, &exact].map(|outcome| &outcome.record.models[0]);
    assert_eq!((model.top1_hits, model.top5_hits), (of_exact.top1_hits, of_exact.top5_hits));
    let recheck = model.recheck.unwrap();
    assert_eq!((recheck.images, recheck.all_again), (240, None), "{recheck:?}");
    assert!((64..200).contains(&recheck.again) && recheck.top1_flips + recheck.top5_flips > 0, "{recheck:?}");

    // Every image that was not computed again has the same hits, and every other one the same row as in f32.
    let read = |name: &str, file: &str| fs::read_to_string(at(name).join(file)).unwrap();
    let [log, log_of_exact] = ["whole", "exact"].map(|name| read(name, "predictions/own-x.csv"));
    let rechecks = read("whole", "rechecks/own-x.csv");
    let is_again = rechecks.lines().map(|line| !line.ends_with(",,"));
    let equal = log.lines().zip(log_of_exact.lines()).map(|(one, other)| one == other);
    assert!(is_again.clone().zip(equal.clone()).all(|(is_again, equal)| equal || !is_again));
    assert!(equal.filter(|equal| !equal).count() > 40, "the reduced type is seen");

    // An interruption anywhere changes nothing.
    for (name, stops) in [("stopped early", [10, 1]), ("stopped late", [70, 150])] {
        for images in stops {
            assert!(run_drawn(setting, &at(name), images).unwrap().interrupted());
        }
        run_drawn(setting, &at(name), usize::MAX).unwrap();
        assert_eq!(results(&at(name)), results(&at("whole")), "{name}");
        for file in ["predictions/own-x.csv", "rechecks/own-x.csv", "confidences/own-x.csv"] {
            assert_eq!(read(name, file), read("whole", file), "{name} {file}");
        }
    }
    // A log that lost its end is computed again.
    let torn: String = rechecks.lines().take(100).map(|line| format!("{line}\n")).collect();
    fs::write(at("whole").join("rechecks/own-x.csv"), torn).unwrap();
    run_drawn(setting, &at("whole"), usize::MAX).unwrap();
    assert_eq!(read("whole", "rechecks/own-x.csv"), rechecks);
    assert_eq!(read("whole", "predictions/own-x.csv"), log);

    // Given again, nothing is computed; with a larger audit, the run goes on; without, it is another evaluation.
    let before = read("whole", "run.json");
    run_drawn(setting, &at("whole"), usize::MAX).unwrap();
    assert_eq!(read("whole", "run.json"), before);
    let audited = Setting { recheck: Some(60.0), ..setting };
    let outcome = run_drawn(audited, &at("whole"), usize::MAX).unwrap();
    let larger = outcome.record.models[0].recheck.unwrap();
    assert!(larger.again > recheck.again + 20 && larger.audited > recheck.audited, "{larger:?}");
    assert!(larger.missed() < recheck.missed(), "{larger:?}");
    assert_eq!(outcome.record.models[0].top1_hits, of_exact.top1_hits);
    let error = run_drawn(Setting { recheck: None, ..setting }, &at("whole"), 1).unwrap_err().to_string();
    assert!(error.contains("the rechecks differ") && error.contains("in f32"), "{error}");
    for report in ["report.md", "report.html"] {
        let text = read("whole", report);
        assert!(
            text.contains("of the images again in f32 (") && text.contains("an audit of 60 %"),
            "{report}"
        );
    }

    // Shards together say what they say by themselves.
    let shards: Vec<_> = (1..=2)
        .map(|index| {
            let shard = Some(Shard::new(index, 2).unwrap());
            run_drawn(Setting { shard, ..setting }, &at(&format!("{index}")), usize::MAX).unwrap();
            at(&format!("{index}"))
        })
        .collect();
    let by = (&definitions, &[][..]);
    let merged = eval::stored::merge::merge(&shards, &at("merged"), false, by, Some(&data), invocation());
    let together = merged.unwrap().models[0].clone();
    assert_eq!((together.top1_hits, together.top5_hits), (of_exact.top1_hits, of_exact.top5_hits));
    assert_eq!(together.recheck.unwrap().images, 240);
    assert_eq!(read("merged", "rechecks/own-x.csv").lines().count(), 241);
    let judged = StoredRun::open(&at("merged")).unwrap().judged(&definitions, &[], None).unwrap();
    assert_eq!(judged.models[0].recheck, together.recheck);
}

/// A network of which a reduced type says little is computed in f32.
#[test]
fn where_little_is_seen_all_images_are_computed_in_f32() {
    let folder = tempfile::tempdir().unwrap();
    let (data, definitions) = (pictures(folder.path()), model_of_ours(folder.path()));
    let setting = Setting {
        definitions: &definitions,
        data: &data,
        labels: None,
        recheck: None,
        step: 5.0,
        shard: None,
    };
    let (exact, coarse) = (folder.path().join("exact"), folder.path().join("coarse"));
    run_drawn(setting, &exact, usize::MAX).unwrap();
    let outcome = run_drawn(Setting { recheck: Some(2.0), ..setting }, &coarse, usize::MAX).unwrap();
    let recheck = outcome.record.models[0].recheck.unwrap();
    assert_eq!((recheck.all_again, recheck.again), (Some(AllAgain::MostAreNear), 240));
    assert_eq!(recheck.missed(), 0);
    let [log, other] =
        [&exact, &coarse].map(|path| fs::read_to_string(path.join("predictions/own-x.csv")).unwrap());
    assert_eq!(log, other);
}
