//! A run from its start to its files: what it writes, how it goes on after any interruption, what it
//! refuses. Real images and the real network; few images, since one takes a while in a test build.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Tensor;
use dataset::labels::LabelSet;
use eval::metrics::TopK;
use eval::plan::{RecipeArg, Request, Shard};
use eval::predictions::{self, Prediction};
use eval::run_dir::{Identity, RunDir};
use eval::stored::StoredRun;
use eval::summary::{RunRecord, State};
use eval::verdict::Verdict;
use eval::weights::WeightsArg;
use eval::{EvalError, Outcome, Plan, PlannedModel, Progress, evaluate, explain};
use models::Stage;
use models::complexity::Layer;
use models::weights::{Checkpoint, Framework, ModuleTensor, WeightsError};
use models::{Catalog, Classifier, DeviceName, Dtype, GraphError, Isa, Network, Program};

const MODEL: &str = "timm/xception";
const IMAGES: usize = 5;

/// What a test varies.
#[derive(Default)]
struct Options<'a> {
    data: Option<&'a Path>,
    labels: Option<&'a Path>,
    weights: Vec<WeightsArg>,
    card: bool,
    batch: Option<usize>,
    limit: Option<usize>,
    dtype: Dtype,
    label_set: LabelSet,
    shard: Option<Shard>,
}

fn plan(options: &Options<'_>) -> Result<Plan, EvalError> {
    Plan::new(Request {
        catalog: &Catalog::built_in(),
        patterns: &[MODEL.to_owned()],
        recipe: if options.card { RecipeArg::Card } else { RecipeArg::Source },
        weights: &options.weights,
        data: options.data,
        labels: options.labels,
        limit: Some(options.limit.unwrap_or(IMAGES)),
        label_set: options.label_set,
        shard: options.shard,
        device: DeviceName::Flex,
        dtype: options.dtype,
        batch: options.batch.unwrap_or(2),
        threads: 2,
        tolerance_pp: None,
        command: vec!["test".to_owned()],
    })
}

/// Stops a run after a number of images, as Ctrl-C would.
struct StopAfter<'a> {
    images: usize,
    stop: &'a AtomicBool,
    errors: Vec<String>,
}

impl Progress for StopAfter<'_> {
    fn start(&mut self, _done: usize, _total: usize) {}

    fn image(&mut self, _top1_pct: f64) {
        self.images = self.images.saturating_sub(1);
        if self.images == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn error(&mut self, image: &str, error: &str) {
        self.errors.push(format!("{image}: {error}"));
    }

    fn smaller_batches(&mut self, id: &str, batch: usize) {
        self.errors.push(format!("{id}: batches of {batch}"));
    }

    fn finish(&mut self) {}
}

fn run_until(plan: &Plan, path: &Path, images: usize) -> Result<Outcome, EvalError> {
    let dir = RunDir::open(path, &Identity::of_plan(plan), false)?;
    let stop = AtomicBool::new(false);
    evaluate(plan, &dir, &stop, &mut StopAfter { images, stop: &stop, errors: Vec::new() })
}

fn run(plan: &Plan, path: &Path) -> Result<Outcome, EvalError> {
    run_until(plan, path, usize::MAX)
}

fn log(path: &Path) -> Vec<Prediction> {
    predictions::read(&path.join("predictions/timm-xception.csv")).unwrap()
}

/// `results.csv` without its two columns of times.
fn results(path: &Path) -> String {
    let text = fs::read_to_string(path.join("results.csv")).unwrap();
    let untimed = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let (seconds, verdict) = (cells.len() - 3, cells.len() - 1);
        [&cells[..seconds], &cells[verdict..]].concat().join(",")
    };
    text.lines().map(untimed).collect::<Vec<_>>().join("\n")
}

/// The embedded sample as files, named like ILSVRC2012's so that their labels are known.
fn sample_as_files(folder: &Path, images: usize) {
    let sample = dataset::Dataset::sample();
    for index in 0..images {
        let name = format!("ILSVRC2012_val_{:08}.JPEG", index + 1);
        fs::write(folder.join(name), sample.read(index).unwrap()).unwrap();
    }
}

#[test]
fn a_run_writes_what_the_framework_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(
        &plan(&Options { limit: Some(24), batch: Some(8), ..Options::default() }).unwrap(),
        folder.path(),
    )
    .unwrap();
    assert!(!outcome.interrupted());

    let frozen = models::reference::answers("timm-xception").unwrap();
    let mut rows = log(folder.path());
    rows.sort_by(|a, b| a.image.cmp(&b.image));
    assert_eq!(rows.len(), 24);
    let (mut top1, mut top5) = (0, 0);
    for (index, row) in rows.iter().enumerate() {
        let (here, there) = (row.outcome.as_ref().unwrap(), TopK::of(frozen.image(index)).unwrap());
        assert_eq!(here.classes, there.classes, "{}", row.image);
        top1 += u64::from(there.classes[0] == row.label);
        top5 += u64::from(there.classes.contains(&row.label));
    }

    let record: RunRecord =
        serde_json::from_slice(&fs::read(folder.path().join("run.json")).unwrap()).unwrap();
    assert_eq!(record.state, State::Finished);
    let model = &record.models[0];
    assert_eq!((model.images, model.errors, model.top1_hits, model.top5_hits), (24, 0, top1, top5));
    assert_eq!((model.timed_images, model.verdict), (24, Verdict::NotComparable));
    let verdicts: Vec<Verdict> = model.figures.iter().map(|figure| figure.verdict).collect();
    use Verdict::{NotComparable, Reproduced};
    assert_eq!(verdicts, [NotComparable, NotComparable, Reproduced, Reproduced]);

    insta::assert_snapshot!(results(folder.path()));
    let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(report.contains("not comparable with the documented ones"), "{report}");
}

#[test]
fn hits_are_counted_and_survive_an_interruption() {
    // Labels by the framework's own ranking: the best class, the third, and one outside the top five.
    let frozen = models::reference::answers("timm-xception").unwrap();
    let rank = |image: usize, rank: usize| TopK::of(frozen.image(image)).unwrap().classes[rank];
    let beyond = |image: usize| {
        let top = TopK::of(frozen.image(image)).unwrap().classes;
        (0..1000).find(|class| !top.contains(class)).unwrap()
    };
    let labels: Vec<u16> = (0..9)
        .map(|image| match image {
            0..4 => rank(image, 0),
            4..7 => rank(image, 2),
            _ => beyond(image),
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    sample_as_files(&images, labels.len());
    let list = folder.path().join("labels.txt");
    fs::write(&list, labels.iter().map(|label| format!("{label}\n")).collect::<String>()).unwrap();

    let options = |batch| Options {
        data: Some(&images),
        labels: Some(&list),
        weights: vec![WeightsArg::Seeded],
        limit: Some(labels.len()),
        batch: Some(batch),
        ..Options::default()
    };
    let counted = |outcome: &Outcome| {
        let model = &outcome.record.models[0];
        (model.images, model.errors, model.top1_hits, model.top5_hits)
    };
    let whole = folder.path().join("whole");
    let outcome = run(&plan(&options(4)).unwrap(), &whole).unwrap();
    assert_eq!(counted(&outcome), (9, 0, 4, 7));

    let parts = folder.path().join("parts");
    assert!(run_until(&plan(&options(1)).unwrap(), &parts, 5).unwrap().interrupted());
    assert_eq!(counted(&run(&plan(&options(2)).unwrap(), &parts).unwrap()), (9, 0, 4, 7));
    assert_eq!(results(&parts), results(&whole));
    assert!(results(&parts).contains(",9,0,4,7,44.444,77.778,"), "{}", results(&parts));
}

#[test]
fn each_session_keeps_its_provenance() {
    let folder = tempfile::tempdir().unwrap();
    let started = plan(&Options { batch: Some(1), ..Options::default() }).unwrap();
    run_until(&started, folder.path(), 2).unwrap();
    // As if another program had computed the first part.
    let path = folder.path().join("run.json");
    let current = started.environment.git_revision.clone();
    let text = fs::read_to_string(&path).unwrap().replace(&current, "0123456789abcdef");
    fs::write(&path, text).unwrap();

    let record = run(&plan(&Options::default()).unwrap(), folder.path()).unwrap().record;
    let sessions: Vec<(&str, usize, usize)> = record
        .sessions
        .iter()
        .map(|session| (session.environment.git_revision.as_str(), session.batch, session.images_before))
        .collect();
    let kept = sessions[1].2;
    assert_eq!(sessions, [("0123456789abcdef", 1, 0), (current.as_str(), 2, kept)]);
    assert!((2..IMAGES).contains(&kept));
    let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(report.contains("different programs or machines"), "{report}");

    // Nothing is left to compute, so nobody else computed anything.
    let record =
        run(&plan(&Options { batch: Some(3), ..Options::default() }).unwrap(), folder.path()).unwrap().record;
    assert_eq!(record.sessions.len(), 2);
}

#[test]
fn data_that_go_away_stop_the_run_and_are_no_wrong_answers() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    sample_as_files(&images, 6);
    let out = folder.path().join("run");
    let options = || Options {
        data: Some(&images),
        weights: vec![WeightsArg::Seeded],
        limit: Some(6),
        batch: Some(1),
        ..Options::default()
    };
    let gone = folder.path().join("gone");
    let first = plan(&options()).unwrap();
    run_until(&first, &out, 1).unwrap();
    fs::rename(&images, &gone).unwrap();
    let message = run(&first, &out).unwrap_err().to_string();
    assert!(message.contains("the same command goes on from there"), "{message}");
    assert!(log(&out).iter().all(|row| row.outcome.is_ok()));

    fs::rename(&gone, &images).unwrap();
    let outcome = run(&plan(&options()).unwrap(), &out).unwrap();
    assert_eq!((outcome.record.models[0].images, outcome.record.models[0].errors), (6, 0));
}

#[test]
fn a_run_is_called_finished_only_when_it_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path();
    let path = runs.join("run");
    let one = plan(&Options { limit: Some(1), ..Options::default() }).unwrap();
    let identity = Identity::of_plan(&one);
    // A folder where the report should be: it cannot be written.
    let dir = RunDir::open(&path, &identity, false).unwrap();
    fs::create_dir(path.join("report.md")).unwrap();
    let stop = AtomicBool::new(false);
    let mut progress = StopAfter { images: usize::MAX, stop: &stop, errors: Vec::new() };
    let error = evaluate(&one, &dir, &stop, &mut progress).unwrap_err();
    assert!(matches!(error, EvalError::RunFile { .. }), "{error}");
    drop(dir);

    assert_eq!(RunDir::find_unfinished(runs, &identity, &one.environment), Some(path.clone()));
    fs::remove_dir(path.join("report.md")).unwrap();
    run(&one, &path).unwrap();
    assert_eq!(RunDir::find_unfinished(runs, &identity, &one.environment), None);
}

#[test]
fn a_checkpoint_file_predicts_what_the_seeded_weights_in_it_do() {
    let folder = tempfile::tempdir().unwrap();
    let device = DeviceName::Flex.init().unwrap();
    let network = models::networks::by_name("timm-xception").unwrap().init(&device);
    let seeded = models::weights::seeded(network.as_ref(), "timm-xception").unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = seeded
        .tensors()
        .map(|tensor| (tensor.name.clone(), tensor.shape.to_vec(), tensor.to_bytes().unwrap().to_vec()))
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap();
        (name.clone(), view)
    });
    let weights = folder.path().join("weights.safetensors");
    fs::write(&weights, safetensors::serialize(views, None).unwrap()).unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    sample_as_files(&images, IMAGES);

    let out = folder.path().join("run");
    let options =
        Options { data: Some(&images), weights: vec![WeightsArg::Path(weights)], ..Options::default() };
    let outcome = run(&plan(&options).unwrap(), &out).unwrap();
    assert!(outcome.record.models[0].weights.label().starts_with("sha256:"));
    assert!(outcome.record.models[0].figures[0].reason.contains("weights other than the published file"));
    let frozen = models::reference::answers("timm-xception").unwrap();
    let mut rows = log(&out);
    rows.sort_by(|a, b| a.image.cmp(&b.image));
    for (index, row) in rows.iter().enumerate() {
        let there = TopK::of(frozen.image(index)).unwrap();
        assert_eq!(row.outcome.as_ref().unwrap().classes, there.classes, "{}", row.image);
        assert_eq!(row.label, dataset::labels::val_label(&row.image).unwrap());
    }
}

#[test]
fn an_interrupted_run_goes_on_and_ends_with_the_same_results() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    run(&plan(&Options::default()).unwrap(), &whole).unwrap();
    let expected: BTreeSet<String> = log(&whole).into_iter().map(|row| format!("{row:?}")).collect();

    // Interrupted on request, with other batch sizes before and after.
    let path = folder.path().join("interrupted");
    let outcome =
        run_until(&plan(&Options { batch: Some(1), ..Options::default() }).unwrap(), &path, 2).unwrap();
    assert!(outcome.interrupted());
    let kept = log(&path).len();
    assert!((2..IMAGES).contains(&kept), "{kept}");
    assert!(!path.join("results.csv").exists());
    let outcome = run(&plan(&Options { batch: Some(3), ..Options::default() }).unwrap(), &path).unwrap();
    assert!(!outcome.interrupted());
    assert_eq!(outcome.record.models[0].timed_images, IMAGES as u64);
    assert_eq!(results(&path), results(&whole));
    let classes = |path: &Path| -> BTreeSet<String> {
        log(path)
            .iter()
            .map(|row| format!("{} {:?}", row.image, row.outcome.as_ref().unwrap().classes))
            .collect()
    };
    assert_eq!(classes(&path), classes(&whole));

    // Killed: the last line is torn, and run.json still says that it runs.
    let log_path = path.join("predictions/timm-xception.csv");
    let bytes = fs::read(&log_path).unwrap();
    fs::write(&log_path, &bytes[..bytes.len() - 9]).unwrap();
    fs::remove_file(path.join("results.csv")).unwrap();
    run(&plan(&Options::default()).unwrap(), &path).unwrap();
    assert_eq!(results(&path), results(&whole));

    // Finished: giving the command again computes nothing and tells the same.
    let finished = fs::read(whole.join("predictions/timm-xception.csv")).unwrap();
    run(&plan(&Options::default()).unwrap(), &whole).unwrap();
    assert_eq!(fs::read(whole.join("predictions/timm-xception.csv")).unwrap(), finished);
    assert_eq!(log(&whole).into_iter().map(|row| format!("{row:?}")).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn a_run_directory_of_another_evaluation_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let one = Options { limit: Some(1), ..Options::default() };
    run(&plan(&one).unwrap(), &path).unwrap();
    let before = fs::read(path.join("run.json")).unwrap();

    let refusal = |options: &Options<'_>| run(&plan(options).unwrap(), &path).unwrap_err().to_string();
    let message = refusal(&Options { card: true, ..one });
    assert!(message.contains("the recipes of timm/xception differ (timm-333-bicubic there"), "{message}");
    let message = refusal(&Options { limit: Some(2), ..Options::default() });
    assert!(message.contains("the images or labels differ"), "{message}");
    assert_eq!(fs::read(path.join("run.json")).unwrap(), before);

    // Unless it is to be deleted.
    let card = plan(&Options { card: true, limit: Some(1), ..Options::default() }).unwrap();
    fs::write(path.join("notes.txt"), "mine").unwrap();
    RunDir::open(&path, &Identity::of_plan(&card), true).unwrap();
    assert!(!path.join("run.json").exists() && path.join("notes.txt").exists());

    let stranger = folder.path().join("stranger");
    fs::create_dir(&stranger).unwrap();
    fs::write(stranger.join("report.md"), "mine").unwrap();
    let message = RunDir::open(&stranger, &Identity::of_plan(&card), true).unwrap_err().to_string();
    assert!(message.contains("is not a run directory"), "{message}");
    assert_eq!(fs::read_to_string(stranger.join("report.md")).unwrap(), "mine");
}

#[test]
fn a_directory_is_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::of_plan(&plan(&Options { limit: Some(1), ..Options::default() }).unwrap());
    let _held = RunDir::open(folder.path(), &identity, false).unwrap();
    let error = RunDir::open(folder.path(), &identity, false).unwrap_err();
    assert!(matches!(error, EvalError::Locked { .. }), "{error}");
}

#[test]
fn an_unreadable_image_is_counted_and_named_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    sample_as_files(&images, 5);
    let name = |number: usize| images.join(format!("ILSVRC2012_val_{number:08}.JPEG"));
    let whole = fs::read(name(2)).unwrap();
    fs::write(name(2), &whole[..whole.len() / 2]).unwrap();
    fs::write(name(3), "").unwrap();
    fs::write(name(4), "not an image").unwrap();

    let out = folder.path().join("run");
    let options = Options { data: Some(&images), weights: vec![WeightsArg::Seeded], ..Options::default() };
    let outcome = run(&plan(&options).unwrap(), &out).unwrap();
    let model = &outcome.record.models[0];
    assert_eq!((model.images, model.errors), (5, 3));
    let named: Vec<String> =
        model.first_errors.iter().map(|error| format!("{}: {}", error.image, error.error)).collect();
    assert!(named[0].contains("00000002.JPEG: JPEG file is truncated"), "{named:?}");
    assert!(named[1].contains("00000003.JPEG: zero-byte file"), "{named:?}");
    assert!(named[2].contains("00000004.JPEG: not an image"), "{named:?}");
    assert!(outcome.check_any_prediction().is_ok());
    assert_eq!(log(&out).iter().filter(|row| row.outcome.is_err()).count(), 3);
}

#[test]
fn a_log_that_names_images_not_in_the_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let one = plan(&Options { limit: Some(1), ..Options::default() }).unwrap();
    run(&one, folder.path()).unwrap();
    let path = folder.path().join("predictions/timm-xception.csv");
    let text = fs::read_to_string(&path).unwrap().replace("sample_00000001", "sample_00000009");
    fs::write(&path, text).unwrap();
    let message = run(&one, folder.path()).unwrap_err().to_string();
    assert!(message.contains("sample_00000009.JPEG") && message.contains("is not in the data"), "{message}");
}

#[test]
fn weights_are_found_or_asked_for_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |weights: Vec<WeightsArg>| match plan(&Options { weights, ..Options::default() }) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    };
    let message = refusal(vec![WeightsArg::Path(folder.path().to_owned())]);
    assert!(message.contains("xception-43020ad28.pth, timm-xception.pth"), "{message}");
    let message = refusal(vec![WeightsArg::Model("timm/xception71".to_owned(), "file".into())]);
    assert!(message.contains("timm/xception71 is not among the selected models"), "{message}");

    // Found in the folder, by the catalog's name first: an empty file there is what is complained of.
    fs::write(folder.path().join("timm-xception.pth"), "").unwrap();
    let message = refusal(vec![WeightsArg::Path(folder.path().to_owned())]);
    assert!(message.contains("timm-xception.pth is not a checkpoint: it is empty"), "{message}");
    fs::write(folder.path().join("xception-43020ad28.pth"), "").unwrap();
    let message = refusal(vec![WeightsArg::Path(folder.path().to_owned())]);
    assert!(message.contains("xception-43020ad28.pth is not a checkpoint"), "{message}");
    // What names the model goes before what is said for all.
    let own = WeightsArg::Model(MODEL.to_owned(), folder.path().join("timm-xception.pth"));
    let message = refusal(vec![own, WeightsArg::Seeded]);
    assert!(message.contains("timm-xception.pth is not a checkpoint"), "{message}");
}

#[test]
fn shards_merge_into_the_run_that_was_not_sharded() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    sample_as_files(&data, 4);
    fs::write(data.join("ILSVRC2012_val_00000005.JPEG"), "no image").unwrap();
    let options =
        |shard| Options { data: Some(&data), weights: vec![WeightsArg::Seeded], shard, ..Options::default() };
    let whole = folder.path().join("whole");
    run(&plan(&options(None)).unwrap(), &whole).unwrap();
    let shards: Vec<_> = (1..=3)
        .map(|index| {
            let path = folder.path().join(format!("shard {index}"));
            let outcome = run(&plan(&options(Some(Shard { index, count: 3 }))).unwrap(), &path).unwrap();
            let [model] = &outcome.record.models[..] else { panic!("one model") };
            assert_eq!(model.images, if index == 3 { 1 } else { 2 });
            assert!(
                model.figures[0].reason.starts_with(&format!("shard {index}/3, ")),
                "{:?}",
                model.figures[0]
            );
            path
        })
        .collect();
    let catalog = Catalog::built_in();
    let merge = |runs: &[&std::path::PathBuf], out: &str| {
        let runs: Vec<_> = runs.iter().map(|&run| run.clone()).collect();
        eval::merge::merge(&runs, &folder.path().join(out), false, &catalog, vec!["test".to_owned()])
    };
    let [one, two, three] = &shards[..] else { panic!("three shards") };
    for round in 0..2 {
        let record = merge(&[three, one, two], "merged").unwrap();
        assert_eq!(record.sessions.len(), 3, "round {round}");
        let merged = folder.path().join("merged");
        assert_eq!(results(&merged), results(&whole));
        let names: Vec<String> = log(&merged).into_iter().map(|row| row.image).collect();
        assert!(names.len() == IMAGES && names.is_sorted(), "{names:?}");
    }

    let refusal = |runs: &[&std::path::PathBuf]| merge(runs, "other").unwrap_err().to_string();
    assert!(refusal(&[one, three]).contains("shards 2/3 are missing"), "{}", refusal(&[one, three]));
    assert!(refusal(&[one, two, two, three]).contains("shard 2/3 is there twice"));
    assert!(refusal(&[one, two, &whole]).contains("it is a run of all images, not a shard"));
    assert!(refusal(&[one, two, &data]).contains("data has no run.json"));
    // Another evaluation: other labels.
    let labels = folder.path().join("labels.txt");
    fs::write(&labels, "7\n7\n7\n7\n7\n").unwrap();
    let other = folder.path().join("other labels");
    let options = Options { labels: Some(&labels), ..options(Some(Shard { index: 3, count: 3 })) };
    run(&plan(&options).unwrap(), &other).unwrap();
    assert!(refusal(&[one, two, &other]).contains("the images or labels differ"));
    // An image that is lost from a log.
    let path = two.join("predictions/timm-xception.csv");
    let text = fs::read_to_string(&path).unwrap();
    let shorter: Vec<&str> = text.lines().take(2).collect();
    fs::write(&path, format!("{}\n", shorter.join("\n"))).unwrap();
    assert!(refusal(&[one, two, three]).contains("it has 1 rows for 2 images"));
    // Unfinished.
    let path = two.join("run.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"finished\"", "\"interrupted\"");
    fs::write(&path, text).unwrap();
    assert!(refusal(&[one, two, three]).contains("shard 2 is unfinished; finish it first: test"));
}

#[test]
fn a_shard_is_read_as_it_is_written() {
    assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
    assert_eq!(Shard { index: 2, count: 3 }.to_string(), "2/3");
    for (text, reason) in [("0/3", "counted from 1"), ("4/3", "I from 1 to N"), ("3", "I/N"), ("1/0", "I/N")]
    {
        let error = text.parse::<Shard>().unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
    for count in 1..7 {
        let all = (1..=count).map(|index| Shard { index, count });
        for images in 0..20 {
            let sizes = all.clone().map(|shard| (0..images).filter(|&i| shard.contains(i)).count());
            assert!(sizes.eq(all.clone().map(|shard| shard.size(images))), "{images} in {count}");
            assert!((0..images).all(|i| all.clone().filter(|shard| shard.contains(i)).count() == 1));
        }
    }
}

#[test]
fn real_labels_score_by_sets_and_leave_images_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    sample_as_files(&data, 3);
    let options = Options {
        data: Some(&data),
        weights: vec![WeightsArg::Seeded],
        label_set: LabelSet::Real,
        ..Options::default()
    };
    let out = folder.path().join("run");
    let record = run(&plan(&options).unwrap(), &out).unwrap().record;
    // The first validation file has no ReaL label, the second and third have two each.
    let model = &record.models[0];
    assert_eq!((model.images, model.unlabelled), (2, 1));
    let hits = log(&out)
        .iter()
        .filter(|row| {
            let number = dataset::labels::val_file_number(&row.image).unwrap();
            let real = &dataset::labels::real()[number - 1];
            row.outcome.as_ref().unwrap().classes.iter().any(|class| real.contains(class))
        })
        .count();
    assert_eq!(model.top5_hits, hits as u64);
    assert_eq!(model.figures[0].verdict, Verdict::NotComparable);
    assert!(model.figures[0].reason.contains("ReaL labels instead of the original ones"));
    let report = fs::read_to_string(out.join("report.md")).unwrap();
    assert!(report.contains("ReaL labels: 1 of 3 images have none and are left out of the accuracies."));
    // Not the same evaluation as one by the original labels; and nothing for other images.
    let original = Options { label_set: LabelSet::Original, weights: vec![WeightsArg::Seeded], ..options };
    let refused = run(&plan(&original).unwrap(), &out).unwrap_err().to_string();
    assert!(refused.contains("the label sets differ (real there, original now)"), "{refused}");
    let sample = plan(&Options { label_set: LabelSet::Real, ..Options::default() }).err().unwrap();
    assert!(sample.to_string().contains("5 of 5 images are not named ILSVRC2012_val_NNNNNNNN"), "{sample}");
}

/// A network whose device has memory for so many images at once.
struct Cramped {
    inner: Box<dyn Network>,
    most: usize,
}

impl Network for Cramped {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        // `resume_unwind` keeps the test's output quiet.
        if images.dims()[0] > self.most {
            std::panic::resume_unwind(Box::new("out of memory".to_owned()));
        }
        self.inner.forward(images)
    }

    fn observe(&self, images: Tensor<4>) -> (Tensor<2>, Vec<Stage>) {
        self.inner.observe(images)
    }

    fn layers(&self, input_size: usize) -> Vec<Layer> {
        self.inner.layers(input_size)
    }

    fn framework(&self) -> Framework {
        self.inner.framework()
    }

    fn tensors(&self) -> Vec<ModuleTensor> {
        self.inner.tensors()
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), WeightsError> {
        self.inner.load(checkpoint)
    }

    fn fold_norms(&mut self) {
        self.inner.fold_norms();
    }

    fn fuse(&self, _isa: Isa) -> Result<Program, GraphError> {
        // Burn's operations compute then, by `forward`.
        Err(GraphError::NoHead)
    }

    fn load_fused(
        &mut self,
        checkpoint: &Checkpoint,
        isa: Isa,
    ) -> Result<Result<Program, GraphError>, WeightsError> {
        self.load(checkpoint).map(|()| self.fuse(isa))
    }

    fn cast(&mut self, dtype: Dtype) {
        self.inner.cast(dtype);
    }
}

fn cramped(most: usize) -> Plan {
    let mut plan = plan(&Options { batch: Some(5), ..Options::default() }).unwrap();
    let planned = plan.models.remove(0);
    let entry = planned.model.network().unwrap();
    let mut inner = entry.init(plan.placement.burn_device());
    inner.load(&models::weights::seeded(inner.as_ref(), entry.name).unwrap()).unwrap();
    let classifier = Classifier::new(Box::new(Cramped { inner, most }), &plan.placement).unwrap();
    plan.models.push(PlannedModel { classifier, ..planned });
    plan
}

#[test]
fn a_run_in_another_type_is_another_run_and_compared_it_says_so() {
    let (f32_run, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let seen = plan(&Options { limit: Some(2), ..Options::default() }).unwrap();
    let outcome = run(&seen, f32_run.path()).unwrap();
    assert_eq!(outcome.record.sessions[0].engine, Isa::best().name());
    let report = fs::read_to_string(f32_run.path().join("report.md")).unwrap();
    assert!(report.contains("- device: `flex`, f32\n"), "{report}");
    if Isa::best_bf16().is_none() {
        // A CPU without it refuses, as another test says.
        return;
    }
    let bf16 = plan(&Options { limit: Some(2), dtype: Dtype::Bf16, ..Options::default() }).unwrap();
    let refused = run(&bf16, f32_run.path()).unwrap_err().to_string();
    assert!(refused.contains("the types of numbers differ (f32 there, bf16 now)"), "{refused}");
    run(&bf16, other.path()).unwrap();
    let [here, there] = [other.path(), f32_run.path()].map(|path| StoredRun::open(path).unwrap());
    let comparison = eval::compare::compare(&here, &there).unwrap();
    assert_eq!(comparison.notes, ["Types of numbers differ: bf16 and f32."]);
    // Rounded so, logits are near and not the same. Rows are in the order in which images were finished.
    let others = log(other.path());
    for row in log(f32_run.path()) {
        let other = others.iter().find(|other| other.image == row.image).unwrap();
        let [ours, theirs] = [&row, other].map(|row| row.outcome.as_ref().unwrap().logits[0]);
        assert!(ours != theirs && (ours - theirs).abs() < 1.0, "{row:?} {other:?}");
    }
}

#[test]
fn a_batch_too_large_for_memory_is_retried_smaller_and_recorded() {
    let (whole, small) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&plan(&Options::default()).unwrap(), whole.path()).unwrap();
    let outcome = run(&cramped(2), small.path()).unwrap();
    assert_eq!(results(small.path()), results(whole.path()));
    let smaller = &outcome.record.sessions[0].smaller_batches;
    assert_eq!((smaller.len(), smaller[0].id.as_str(), smaller[0].batch), (1, MODEL, 2));
    let report = fs::read_to_string(small.path().join("report.md")).unwrap();
    assert!(report.contains("did not fit into memory; 2 images at once were computed"), "{report}");

    let none = tempfile::tempdir().unwrap();
    let error = run(&cramped(0), none.path()).unwrap_err().to_string();
    assert!(error.contains("failed on a batch of one image: out of memory"), "{error}");
}

/// The labels are what the network says after the card's recipe, so that this swap is the explanation.
#[test]
fn swaps_are_tried_on_the_images_of_the_run() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sample_as_files(data.path(), 3);
    let options =
        || Options { data: Some(data.path()), weights: vec![WeightsArg::Seeded], ..Options::default() };
    let card = tempfile::tempdir().unwrap();
    run(&plan(&Options { card: true, ..options() }).unwrap(), card.path()).unwrap();
    let best = |row: &Prediction| format!("{} {}\n", row.image, row.outcome.as_ref().unwrap().classes[0]);
    let labels = card.path().join("labels.txt");
    fs::write(&labels, log(card.path()).iter().map(best).collect::<String>()).unwrap();

    let seen = plan(&Options { labels: Some(&labels), ..options() }).unwrap();
    let outcome = run(&seen, folder.path()).unwrap();
    let model = &outcome.record.models[0].clone();
    assert!(explain::is_wanted(model));
    let stop = AtomicBool::new(false);
    let mut told = Vec::new();
    let mut tell = |done, total| told.push((done, total));
    let found = explain::explain(&seen, &seen.models[0], model, 2, &stop, &mut tell).unwrap().unwrap();
    assert_eq!(told, [(0, 2), (1, 2)]);
    assert_eq!((found.images, found.needed_pp), (2, None));
    let swap = |factor: &str, name: &str| {
        let found = found.swaps.iter().find(|swap| swap.factor == factor && swap.swap == name);
        found.unwrap_or_else(|| panic!("{factor}: {name}"))
    };
    assert_eq!(swap("channels", "BGR").inputs_changed, 2);
    assert_eq!(swap("normalisation", "to [0, 1]").inputs_changed, 2);
    let card = swap("recipe", "card-342-bilinear");
    assert_eq!((card.inputs_changed, card.top1_hits), (2, 2));
    // Upright RGB images are the same to PIL and OpenCV.
    let opencv = swap("decoder", "as OpenCV reads it");
    assert_eq!((opencv.inputs_changed, opencv.best_class_changed, opencv.mcnemar_p), (0, 0, 1.0));

    // It stays with the run, and in its reports.
    let dir = RunDir::open(folder.path(), &Identity::of_plan(&seen), false).unwrap();
    let mut record = outcome.record;
    record.models[0].explanation = Some(found.clone());
    dir.write_reports_again(&record, Some(&seen.dataset)).unwrap();
    drop(dir);
    let again = run(&seen, folder.path()).unwrap();
    assert_eq!(again.record.models[0].explanation.as_ref(), Some(&found));
    for name in ["report.md", "report.html"] {
        let report = fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(report.contains("Why: timm/xception") && report.contains("zune-jpeg"), "{name}");
    }
    // A stop before the first image leaves nothing to say.
    stop.store(true, Ordering::Relaxed);
    assert_eq!(explain::explain(&seen, &seen.models[0], model, 2, &stop, &mut |_, _| ()).unwrap(), None);
}
