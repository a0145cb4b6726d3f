//! What a run writes: the framework's predictions, hits by either set of labels, errors by name, and where its weights came from.

use super::*;

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
    assert_eq!(record.state, RunState::Finished);
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
fn a_checkpoint_file_predicts_what_the_seeded_weights_in_it_do() {
    let folder = tempfile::tempdir().unwrap();
    let network = models::networks::by_name("timm-xception").unwrap().build();
    let seeded = models::weights::seeded(&network, "timm-xception").unwrap();
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
fn an_unreadable_image_is_counted_and_named_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
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
fn real_labels_score_by_sets_and_leave_images_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
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
    assert!(results(other.path()).contains(",seeded,flex/bf16,"), "{}", results(other.path()));
    let [here, there] = [other.path(), f32_run.path()].map(|path| StoredRun::open(path).unwrap());
    let comparison = eval::stored::compare::compare(&here, &there, eval::stored::compare::Over::All).unwrap();
    assert_eq!(comparison.notes, ["Types of numbers differ: bf16 and f32."]);
    // Rounded so, logits are near and not the same. Rows are in the order in which images were finished.
    let others = log(other.path());
    for row in log(f32_run.path()) {
        let other = others.iter().find(|other| other.image == row.image).unwrap();
        let [ours, theirs] = [&row, other].map(|row| row.outcome.as_ref().unwrap().logits[0]);
        assert!(ours != theirs && (ours - theirs).abs() < 1.0, "{row:?} {other:?}");
    }
}
