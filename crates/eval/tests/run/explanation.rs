//! Swaps of single factors, tried on the images of a run.

use super::*;

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
    let mut networks = Networks::of(&seen);
    let classifier = &networks.load(0).unwrap().classifier;
    let mut told = Vec::new();
    let mut tell = |done, total| told.push((done, total));
    let dir = RunDir::open(folder.path(), &RunIdentity::of_plan(&seen), false).unwrap();
    let found = explain::explain(&seen, &dir, (&seen.models[0], classifier), model, 2, &stop, &mut tell)
        .unwrap()
        .unwrap();
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
    let dir = RunDir::open(folder.path(), &RunIdentity::of_plan(&seen), false).unwrap();
    assert_eq!(
        explain::explain(&seen, &dir, (&seen.models[0], classifier), model, 2, &stop, &mut |_, _| ())
            .unwrap(),
        None
    );
}

/// What the run tolerates, an explanation does.
#[test]
fn an_image_that_cannot_be_read_is_left_out() {
    let data = tempfile::tempdir().unwrap();
    sample_as_files(data.path(), 3);
    let options =
        Options { data: Some(data.path()), weights: vec![WeightsArg::Seeded], ..Options::default() };
    let seen = plan(&options).unwrap();
    let name = |number| data.path().join(format!("ILSVRC2012_val_{number:08}.JPEG"));
    // No file any more, and no image.
    fs::remove_file(name(1)).unwrap();
    fs::create_dir(name(1)).unwrap();
    fs::write(name(2), "no image").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(&seen, folder.path()).unwrap();
    assert_eq!(outcome.record.models[0].errors, 2);
    let model = &outcome.record.models[0];
    let stop = AtomicBool::new(false);
    let mut networks = Networks::of(&seen);
    let classifier = &networks.load(0).unwrap().classifier;
    let tried = explain::images_tried(&seen, 200);
    let dir = RunDir::open(folder.path(), &RunIdentity::of_plan(&seen), false).unwrap();
    let again =
        || explain::explain(&seen, &dir, (&seen.models[0], classifier), model, 200, &stop, &mut |_, _| ());
    let found = again().unwrap().unwrap();
    assert_eq!((tried, found.images, found.left_out), (3, 1, 2));
    assert!(found.is_of(3));
    assert_eq!(
        found.conclusion(),
        "no conclusion is drawn from 1 images, at least 30 are needed (2 images could not be tried)"
    );

    // What has no prediction may change, and is tried.
    fs::copy(name(3), name(2)).unwrap();
    assert_eq!(again().unwrap().unwrap().images, 2);
    // What has one may not: it is not what was counted.
    let mut bytes = fs::read(name(3)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(name(3), bytes).unwrap();
    let error = again().unwrap_err();
    assert!(matches!(error, EvalError::ImageChanged { .. }), "{error}");
    assert!(error.to_string().contains("ILSVRC2012_val_00000003.JPEG has changed"), "{error}");
}
