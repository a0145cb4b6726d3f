//! Images that decode and that libjpeg warns of, as bit rot makes them.

use super::*;

/// A copy of the sample's first images, of which the second has bytes that belong to no segment.
fn with_a_warned_image(folder: &Path) -> &'static str {
    sample_as_files(folder, 2);
    let name = "ILSVRC2012_val_00000002.JPEG";
    let mut bytes = fs::read(folder.join(name)).unwrap();
    let tables = bytes.windows(2).position(|pair| pair == [0xff, 0xdb]).unwrap();
    bytes.splice(tables..tables, [0; 3]);
    fs::write(folder.join(name), bytes).unwrap();
    name
}

#[test]
fn they_are_counted_and_named_and_have_predictions() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let name = with_a_warned_image(data.path());
    let options =
        || Options { data: Some(data.path()), weights: vec![WeightsArg::Seeded], ..Options::default() };
    let seen = plan(&options()).unwrap();
    let outcome = run(&seen, folder.path()).unwrap();
    let warned = &outcome.record.decoder_warnings;
    let words = "Corrupt JPEG data: 3 extraneous bytes before marker 0xdb";
    assert_eq!(warned.len(), 1);
    assert_eq!((warned[0].image.as_str(), warned[0].warnings, warned[0].first.as_str()), (name, 1, words));
    assert!(log(folder.path()).iter().all(|row| row.outcome.is_ok()));
    assert_eq!(outcome.record.models[0].errors, 0);
    let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(report.contains("libjpeg warns of 1 images, which decode and may be damaged"), "{report}");
    let stored = fs::read_to_string(folder.path().join("run.json")).unwrap();
    assert!(stored.contains("\"decoder_warnings\"") && stored.contains(words));

    // They stay known when there is nothing left to decode, and an explanation names those that it tried.
    let again = run(&plan(&options()).unwrap(), folder.path()).unwrap();
    assert_eq!(again.record.decoder_warnings, *warned);
    let (stop, model) = (AtomicBool::new(false), &outcome.record.models[0]);
    let mut networks = Networks::of(&seen);
    let classifier = &networks.load(0).unwrap().classifier;
    let dir = RunDir::open(folder.path(), &RunIdentity::of_plan(&seen), false).unwrap();
    let found = explain::explain(&seen, &dir, (&seen.models[0], classifier), model, 2, &stop, &mut |_, _| ())
        .unwrap()
        .unwrap();
    assert_eq!(found.decoder_warnings, *warned);
    assert!(found.conclusion().contains(&format!("{name} ({words})")), "{}", found.conclusion());
}

/// Looks at `run.json` as each image is finished, which a kill would leave as it is then.
struct AsItIsThen<'a> {
    record: &'a Path,
    known: Vec<bool>,
}

impl Progress for AsItIsThen<'_> {
    fn model(&mut self, _planned: &PlannedModel, _loaded: Option<&LoadedModel>) {}

    fn start(&mut self, _done: usize, _total: usize) {}

    fn image(&mut self, _top1_pct: f64) {
        self.known.push(fs::read_to_string(self.record).unwrap().contains("3 extraneous bytes"));
    }

    fn error(&mut self, _image: &str, _error: &str) {}

    fn smaller_batches(&mut self, _id: &str, _batch: usize) {}
    fn fewer_at_once(&mut self, _images: usize, _threads: usize) {}

    fn finish(&mut self) {}
}

#[test]
fn a_run_that_is_killed_has_lost_none() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    with_a_warned_image(data.path());
    let weights = vec![WeightsArg::Seeded];
    let seen = plan(&Options { data: Some(data.path()), weights, ..Options::default() }).unwrap();
    let mut dir = RunDir::open(folder.path(), &RunIdentity::of_plan(&seen), false).unwrap();
    let mut progress = AsItIsThen { record: &folder.path().join("run.json"), known: Vec::new() };
    let stop = AtomicBool::new(false);
    evaluate(&seen, &mut dir, &mut Networks::of(&seen), &stop, &mut progress).unwrap();
    assert_eq!(progress.known, [true, true]);
}
