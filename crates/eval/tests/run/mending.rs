//! Images that change: one that could not be read is tried again, one that has a prediction may not change, and equal runs
//! have equal bytes.

use super::*;

const LOG: &str = "predictions/timm-xception.csv";

fn options(data: &Path) -> Options<'_> {
    Options { data: Some(data), weights: vec![WeightsArg::Seeded], batch: Some(3), ..Options::default() }
}

fn image(data: &Path, number: usize) -> std::path::PathBuf {
    data.join(format!("ILSVRC2012_val_{number:08}.JPEG"))
}

/// Whatever a run wrote but what says when and how fast.
fn untimed(run: &Path) -> Vec<String> {
    let read = |name: &str| fs::read_to_string(run.join(name)).unwrap();
    vec![read(LOG), read("confidences/timm-xception.csv"), read("digests.csv"), results(run)]
}

#[test]
fn what_is_mended_is_computed_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    sample_as_files(&data, IMAGES);
    let (whole, mended) = (folder.path().join("whole"), folder.path().join("mended"));
    run(&plan(&options(&data)).unwrap(), &whole).unwrap();
    let digests = fs::read_to_string(whole.join("digests.csv")).unwrap();
    assert!(digests.starts_with("image,sha256\nILSVRC2012_val_00000001.JPEG,"), "{digests}");
    assert_eq!(digests.lines().count(), 1 + IMAGES);

    // One is damaged, one is no image at all.
    let [two, four] = [2, 4].map(|number| image(&data, number));
    let (good, other) = (fs::read(&two).unwrap(), fs::read(&four).unwrap());
    fs::write(&two, &good[..good.len() / 3]).unwrap();
    fs::write(&four, "no image").unwrap();
    let record = run(&plan(&options(&data)).unwrap(), &mended).unwrap().record;
    assert_eq!((record.models[0].errors, record.sessions.len()), (2, 1));

    // Tried again in vain, nothing has changed.
    let all = |run: &Path| -> Vec<Vec<u8>> {
        let names = [LOG, "digests.csv", "run.json", "results.csv", "report.md", "report.html"];
        names.iter().map(|name| fs::read(run.join(name)).unwrap()).collect()
    };
    let before = all(&mended);
    run(&plan(&options(&data)).unwrap(), &mended).unwrap();
    assert_eq!(all(&mended), before);

    // One after the other is mended, which changes the sizes of the files, and so the fingerprint.
    fs::write(&two, &good).unwrap();
    let record = run(&plan(&options(&data)).unwrap(), &mended).unwrap().record;
    assert_eq!((record.models[0].errors, record.sessions.len()), (1, 2));
    assert_eq!(record.sessions[1].images_before, IMAGES - 2);
    fs::write(&four, &other).unwrap();
    let record = run(&plan(&options(&data)).unwrap(), &mended).unwrap().record;
    assert_eq!((record.models[0].errors, record.models[0].images), (0, IMAGES as u64));
    let fresh: RunRecord = serde_json::from_slice(&fs::read(whole.join("run.json")).unwrap()).unwrap();
    assert_eq!(record.dataset, fresh.dataset);
    assert_eq!(untimed(&mended), untimed(&whole));
}

#[test]
fn an_image_with_a_prediction_may_not_change() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    sample_as_files(&data, IMAGES);
    let three = image(&data, 3);
    let good = fs::read(&three).unwrap();
    fs::write(image(&data, 5), "no image").unwrap();
    let out = folder.path().join("run");
    run(&plan(&options(&data)).unwrap(), &out).unwrap();
    let before = untimed(&out);

    // Another size, as of a mended image, and a mended one beside it.
    fs::write(&three, [good.as_slice(), b"more"].concat()).unwrap();
    fs::write(image(&data, 5), &good).unwrap();
    let error = run(&plan(&options(&data)).unwrap(), &out).unwrap_err();
    assert!(matches!(error, EvalError::ImageChanged { .. }), "{error}");
    assert!(error.to_string().contains("ILSVRC2012_val_00000003.JPEG has changed"), "{error}");
    assert_eq!(untimed(&out), before);

    // The same size: it shows as soon as the image is read again, because its row is lost.
    fs::write(&three, &good).unwrap();
    let log = fs::read_to_string(out.join(LOG)).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| !line.contains("00000003")).collect();
    fs::write(out.join(LOG), lines.join("\n") + "\n").unwrap();
    let mut flipped = good.clone();
    let last = flipped.len() - 40;
    flipped[last] ^= 1;
    fs::write(&three, &flipped).unwrap();
    // This run has no prediction of it any more, so that the new bytes stand for it.
    let record = run(&plan(&options(&data)).unwrap(), &out).unwrap().record;
    assert_eq!(record.models[0].errors, 0);
    let digests = fs::read_to_string(out.join("digests.csv")).unwrap();
    assert_eq!(digests.lines().count(), 1 + IMAGES, "{digests}");
    assert_ne!(digests, before[2]);
}

/// Bytes of one size have one fingerprint, and two digests.
#[test]
fn runs_over_other_bytes_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    sample_as_files(&data, 2);
    let evaluated = |name: &str| {
        let out = folder.path().join(name);
        run(&plan(&options(&data)).unwrap(), &out).unwrap();
        StoredRun::open(&out).unwrap()
    };
    let (one, same) = (evaluated("one"), evaluated("same"));
    let two = image(&data, 2);
    let mut flipped = fs::read(&two).unwrap();
    let last = flipped.len() - 40;
    flipped[last] ^= 1;
    fs::write(&two, &flipped).unwrap();
    let other = evaluated("other");
    assert_eq!(one.record.dataset.fingerprint, other.record.dataset.fingerprint);
    let notes =
        |other| eval::stored::compare::compare(&one, other, eval::stored::compare::Over::All).unwrap().notes;
    assert_eq!(notes(&same), [""; 0]);
    assert_eq!(
        notes(&other),
        [
            "1 of 2 images were read as other bytes by the other run (ILSVRC2012_val_00000002.JPEG first): they are not the same files."
        ]
    );
}

/// Two models see one set of bytes, in whatever session.
#[test]
fn models_of_a_run_see_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    sample_as_files(&data, 3);
    let definitions = Definitions::built_in();
    let both = || two_models(&definitions, &data);
    let out = folder.path().join("run");
    run(&both().unwrap(), &out).unwrap();
    let path = out.join("predictions/timm-resnet18.csv");
    let log = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = log.lines().filter(|line| !line.contains("00000002")).collect();
    fs::write(&path, kept.join("\n") + "\n").unwrap();

    let two = image(&data, 2);
    let good = fs::read(&two).unwrap();
    let mut flipped = good.clone();
    let last = flipped.len() - 40;
    flipped[last] ^= 1;
    fs::write(&two, &flipped).unwrap();
    let error = run(&both().unwrap(), &out).unwrap_err().to_string();
    assert!(error.contains("ILSVRC2012_val_00000002.JPEG has changed since the run read it"), "{error}");
    fs::write(&two, &good).unwrap();
    run(&both().unwrap(), &out).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), log);
}

fn two_models(definitions: &Definitions, data: &Path) -> Result<Plan, EvalError> {
    Plan::new(Request {
        definitions,
        cards: &[],
        patterns: &["timm/xception".to_owned(), "timm/resnet18".to_owned()],
        onnx: &[],
        recipe: RecipeArg::Source,
        weights: &[WeightsArg::Seeded],
        weights_may_be_absent: false,
        data: Some(data),
        labels: None,
        limit: None,
        label_set: LabelSet::Original,
        tar_digests: None,
        sample: None,
        shard: None,
        device: DeviceName::Flex,
        dtype: Dtype::F32,
        isa: None,
        recheck: None,
        batch: 2,
        threads: 2,
        tolerance_pp: None,
        invocation: invocation(),
    })
}

#[test]
fn equal_runs_have_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    run(&plan(&Options { batch: Some(4), ..Options::default() }).unwrap(), &one).unwrap();
    run_until(&plan(&Options { batch: Some(1), ..Options::default() }).unwrap(), &other, 2).unwrap();
    // As if it had been finished in another order.
    let log = fs::read_to_string(other.join(LOG)).unwrap();
    let mut lines: Vec<&str> = log.lines().collect();
    lines[1..].reverse();
    fs::write(other.join(LOG), lines.join("\n") + "\n").unwrap();
    run(&plan(&Options { batch: Some(2), ..Options::default() }).unwrap(), &other).unwrap();
    assert_eq!(untimed(&one), untimed(&other));
    let names: Vec<String> = super::log(&other).into_iter().map(|row| row.image).collect();
    assert!(names.len() == IMAGES && names.is_sorted(), "{names:?}");
}
