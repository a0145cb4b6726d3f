//! A finished run whose command is given again: it stays a finished run, whatever ends that command.

use super::*;

/// What `run.json` says while a run is under way.
struct Watch<'a> {
    record: &'a Path,
    seen: Vec<RunState>,
}

impl Progress for Watch<'_> {
    fn model(&mut self, _planned: &PlannedModel, _loaded: Option<&LoadedModel>) {}

    fn start(&mut self, _done: usize, _total: usize) {
        let record: RunRecord = serde_json::from_slice(&fs::read(self.record).unwrap()).unwrap();
        self.seen.push(record.state);
    }

    fn image(&mut self, _top1_pct: f64) {}

    fn error(&mut self, _image: &str, _error: &str) {}

    fn smaller_batches(&mut self, _id: &str, _batch: usize) {}
    fn fewer_at_once(&mut self, _images: usize, _threads: usize) {}

    fn finish(&mut self) {}
}

/// Gives the command of `plan` again, stopped from outside or not, and says what the record was meanwhile.
fn again(plan: &Plan, path: &Path, stopped: bool) -> (Result<Outcome, EvalError>, Vec<RunState>) {
    let mut dir = RunDir::open(path, &RunIdentity::of_plan(plan), false).unwrap();
    let record = path.join("run.json");
    let mut watch = Watch { record: &record, seen: Vec::new() };
    let outcome = evaluate(plan, &mut dir, &mut Networks::of(plan), &AtomicBool::new(stopped), &mut watch);
    (outcome, watch.seen)
}

#[test]
fn a_finished_run_is_one_at_every_moment_of_being_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&Options::default()).unwrap();
    run(&plan, folder.path()).unwrap();
    let text = || fs::read_to_string(folder.path().join("run.json")).unwrap();
    let before = text();
    for stopped in [false, true] {
        let (outcome, seen) = again(&plan, folder.path(), stopped);
        outcome.unwrap();
        assert_eq!(seen, [RunState::Finished], "stopped: {stopped}");
        assert_eq!(text(), before, "stopped: {stopped}");
    }
}

#[test]
fn a_file_that_cannot_be_understood_does_not_unfinish_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&Options::default()).unwrap();
    run(&plan, folder.path()).unwrap();
    let [record, digests] = ["run.json", "digests.csv"].map(|name| folder.path().join(name));
    let before = fs::read(&record).unwrap();
    fs::write(&digests, "garbage\nx").unwrap();
    let error = again(&plan, folder.path(), false).0.unwrap_err().to_string();
    assert!(error.contains("digests.csv"), "{error}");
    assert!(fs::read(&record).unwrap() == before, "the record changed");
}

#[test]
fn a_run_without_the_digests_of_what_it_has_does_not_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let both = plan(&Options { limit: Some(2), ..Options::default() }).unwrap();
    run_until(
        &plan(&Options { limit: Some(2), batch: Some(1), ..Options::default() }).unwrap(),
        folder.path(),
        1,
    )
    .unwrap();
    let digests = folder.path().join("digests.csv");
    let before = fs::read_to_string(&digests).unwrap();
    let refused = |expected: &str| {
        let error = run(&both, folder.path()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("digests.csv"), "{error}");
        let error = Standing::of_run(&both, both.part, folder.path(), true).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    fs::remove_file(&digests).unwrap();
    refused("images that the run has predictions of, the first: sample_");
    assert!(!digests.exists(), "a bare heading");
    fs::write(&digests, "image,sha256\n").unwrap();
    refused("images that the run has predictions of");
    fs::write(&digests, "garbage\nx\n").unwrap();
    refused("its first line should be image,sha256");
    fs::write(&digests, before).unwrap();
    run(&both, folder.path()).unwrap();
}
