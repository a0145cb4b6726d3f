//! A run that stops, for whatever reason, goes on where it stopped; and a directory belongs to one evaluation.

use std::io::ErrorKind;

use super::*;

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
    assert!(report.contains("different builds") && report.contains("revision 0123456789abcdef"), "{report}");

    // Nothing is left to compute, so nobody else computed anything.
    let record =
        run(&plan(&Options { batch: Some(3), ..Options::default() }).unwrap(), folder.path()).unwrap().record;
    assert_eq!(record.sessions.len(), 2);
}

#[test]
fn data_that_go_away_stop_the_run_and_are_no_wrong_answers() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
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
    let identity = RunIdentity::of_plan(&one);
    // A folder where the report should be: it cannot be written.
    let mut dir = RunDir::open(&path, &identity, false).unwrap();
    fs::create_dir(path.join("report.md")).unwrap();
    let stop = AtomicBool::new(false);
    let mut progress = StopAfter { images: usize::MAX, stop: &stop, errors: Vec::new() };
    let error = evaluate(&one, &mut dir, &mut Networks::of(&one), &stop, &mut progress).unwrap_err();
    // Of this file and for this reason: on a full disk the run fails at another, and what follows says nothing.
    let EvalError::RunFile { path: refused, source, .. } = &error else { panic!("{error}") };
    assert_eq!((refused, source.kind()), (&path.join("report.md"), ErrorKind::IsADirectory), "{error}");
    drop(dir);

    assert_eq!(RunDir::find_unfinished(runs, &identity, &one.environment), Some(path.clone()));
    fs::remove_dir(path.join("report.md")).unwrap();
    run(&one, &path).unwrap();
    assert_eq!(RunDir::find_unfinished(runs, &identity, &one.environment), None);
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
    let outcome = started_over(&card, &path).unwrap();
    assert_eq!((outcome.record.models[0].images, outcome.record.sessions.len()), (0, 1));
    assert!(!path.join("results.csv").exists() && path.join("notes.txt").exists());

    let stranger = folder.path().join("stranger");
    fs::create_dir(&stranger).unwrap();
    fs::write(stranger.join("report.md"), "mine").unwrap();
    let message = RunDir::open(&stranger, &RunIdentity::of_plan(&card), true).unwrap_err().to_string();
    assert!(message.contains("is not a run directory"), "{message}");
    assert_eq!(fs::read_to_string(stranger.join("report.md")).unwrap(), "mine");
}

#[test]
fn a_directory_is_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let identity = RunIdentity::of_plan(&plan(&Options { limit: Some(1), ..Options::default() }).unwrap());
    let _held = RunDir::open(folder.path(), &identity, false).unwrap();
    let error = RunDir::open(folder.path(), &identity, false).unwrap_err();
    assert!(matches!(error, EvalError::Locked { .. }), "{error}");
    // It is said whom one would wait for.
    assert!(error.to_string().contains(&format!("(process {}", std::process::id())), "{error}");
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
