//! Resolved, opened, loaded: each step on its own, and what it leaves undone.

use super::*;

/// A checkpoint, and not of the network.
fn other_network() -> Vec<WeightsArg> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
    vec![WeightsArg::Path(fixtures.join("narrow.safetensors"))]
}

#[test]
fn a_finished_run_given_again_loads_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let one = plan(&Options { limit: Some(2), ..Options::default() }).unwrap();
    let mut networks = Networks::of(&one);
    assert!(networks.get(0).is_none(), "a plan has loaded nothing");
    run_with(&one, &mut networks, folder.path(), usize::MAX).unwrap();
    assert!(networks.get(0).is_some());
    let files = ["run.json", "results.csv", "predictions/timm-xception.csv", "report.html", "report.md"];
    let all = || files.map(|name| fs::read(folder.path().join(name)).unwrap());
    let before = all();

    let mut networks = Networks::of(&one);
    let outcome = run_with(&one, &mut networks, folder.path(), usize::MAX).unwrap();
    assert!(networks.get(0).is_none() && !outcome.interrupted());
    assert_eq!(all(), before);

    // An image is left: it is loaded again.
    let log = folder.path().join("predictions/timm-xception.csv");
    let text = fs::read_to_string(&log).unwrap();
    let kept: Vec<&str> = text.lines().take(2).collect();
    fs::write(&log, kept.join("\n") + "\n").unwrap();
    run_with(&one, &mut networks, folder.path(), usize::MAX).unwrap();
    assert!(networks.get(0).is_some());
    assert_eq!(fs::read_to_string(&log).unwrap(), text);
}

#[test]
fn only_models_with_images_left_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let definitions = Definitions::built_in();
    let both =
        plan_of(&definitions, "timm/xception*", &Options { limit: Some(1), ..Options::default() }).unwrap();
    let at = |id: &str| both.models.iter().position(|planned| planned.model.id == id).unwrap();
    let (done, left) = (at(MODEL), at("timm/xception41"));
    run(&both, folder.path()).unwrap();
    let log = folder.path().join("predictions/timm-xception41.csv");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.lines().next().unwrap().to_owned() + "\n").unwrap();

    let counts =
        |standings: &[Standing]| [done, left].map(|at| (standings[at].predicted(), standings[at].left()));
    assert_eq!(counts(&Standing::of_run(&both, both.part, folder.path(), true).unwrap()), [(1, 0), (0, 1)]);
    assert_eq!(counts(&Standing::of_run(&both, both.part, folder.path(), false).unwrap()), [(0, 1), (0, 1)]);
    let mut networks = Networks::of(&both);
    run_with(&both, &mut networks, folder.path(), usize::MAX).unwrap();
    assert!(networks.get(done).is_none() && networks.get(left).is_some());
    assert_eq!(fs::read_to_string(&log).unwrap(), text);
}

/// That a checkpoint is of another network shows when it is loaded, after the run directory was opened.
#[test]
fn weights_that_do_not_load_leave_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = plan(&Options { weights: other_network(), ..Options::default() }).unwrap();
    let new = folder.path().join("new/run");
    let error = run(&wrong, &new).unwrap_err();
    assert!(matches!(error, EvalError::Weights { .. }), "{error}");
    assert!(!folder.path().join("new").exists(), "what was made is taken back");
    // What somebody else has made stays.
    let notes = folder.path().join("notes");
    fs::create_dir(&notes).unwrap();
    run(&wrong, &notes).unwrap_err();
    run(&wrong, &notes.join("run")).unwrap_err();
    assert_eq!(
        fs::read_dir(&notes).unwrap().map(|it| it.unwrap().file_name()).collect::<Vec<_>>(),
        [".lock"]
    );

    // A run that was to be started over is still there.
    let old = folder.path().join("old");
    run(&plan(&Options { limit: Some(1), ..Options::default() }).unwrap(), &old).unwrap();
    let before = fs::read(old.join("run.json")).unwrap();
    started_over(&wrong, &old).unwrap_err();
    assert_eq!(fs::read(old.join("run.json")).unwrap(), before);
    assert!(old.join("results.csv").exists());
}

#[test]
fn a_look_at_a_run_directory_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let one = plan(&Options { limit: Some(1), ..Options::default() }).unwrap();
    let identity = RunIdentity::of_plan(&one);
    assert!(RunDir::look(&path, &identity, false).unwrap().is_none());
    assert!(!path.exists());
    run(&one, &path).unwrap();
    let found = RunDir::look(&path, &identity, false).unwrap().unwrap();
    assert_eq!(found.state, RunState::Finished);

    let card =
        RunIdentity::of_plan(&plan(&Options { card: true, limit: Some(1), ..Options::default() }).unwrap());
    let error = RunDir::look(&path, &card, false).unwrap_err();
    assert!(matches!(error, EvalError::OtherRun { .. }), "{error}");
    assert!(RunDir::look(&path, &card, true).unwrap().is_some());
    let error = RunDir::look(&path.join("results.csv/run"), &identity, false).unwrap_err();
    assert!(error.to_string().starts_with("cannot create"), "{error}");
}
