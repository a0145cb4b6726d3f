//! Random samples: which images they are, what they are judged as, how they go on, grow, are sharded and merged. The 50,000 files are one
//! small picture, and the network knows one class.

use sha2::{Digest as _, Sha256};

use super::*;

/// A network that sees the same in every picture.
struct Stubborn(usize);

impl Forward for Stubborn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let logits = Tensor::zeros([images.dims()[0], 1000], &images.device());
        logits.slice_assign(
            [0..images.dims()[0], self.0..self.0 + 1],
            Tensor::ones([images.dims()[0], 1], &images.device()),
        )
    }
}

const KEYS: &str = "resize=exact:72x72,filter=pil-nearest,mean=half,std=half";

/// All names of the validation set in `folder`, for one picture.
fn whole_set(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let first = folder.join("ILSVRC2012_val_00000001.JPEG");
    fs::write(&first, dataset::Dataset::sample().read(0).unwrap()).unwrap();
    for number in 2..=50_000 {
        fs::hard_link(&first, folder.join(format!("ILSVRC2012_val_{number:08}.JPEG"))).unwrap();
    }
}

/// A model of one's own, of which a card claims these accuracies.
fn claimed(folder: &Path, top1: &str, top5: &str) -> Definitions {
    let path = folder.join(format!("{top1}-{top5}.toml"));
    let text = format!(
        "[[models]]\nid = \"own/x\"\nnetwork = \"timm-xception\"\nrecipe = \"{KEYS}\"\ninput_size = 72\n\
         [models.documented]\ntop1_pct = \"{top1}\"\ntop5_pct = \"{top5}\"\n"
    );
    fs::write(&path, text).unwrap();
    let mut definitions = Definitions::built_in();
    definitions.add_file(&path).unwrap();
    definitions
}

/// A run of that network, stopped after so many images.
fn run_stubborn(
    definitions: &Definitions,
    options: &Options<'_>,
    path: &Path,
    images: usize,
) -> Result<Outcome, EvalError> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
    let weights = vec![WeightsArg::Path(fixtures.join("narrow.safetensors"))];
    let tar_digests = options.tar_digests.clone();
    let options = Options { weights, batch: Some(8), tar_digests, ..*options };
    let plan = plan_of(definitions, "own/x", &options)?;
    let classifier = Classifier::by_burn(Box::new(Stubborn(65)), &plan.placement);
    let weights = plan.models[0].weights.source(&plan.models[0].model).unwrap();
    let mut networks = Networks::of(&plan);
    networks.insert(0, LoadedModel { classifier, exact: None, weights });
    run_with(&plan, &mut networks, path, images)
}

fn sampled(text: &str) -> Option<Sample> {
    Some(text.parse().unwrap())
}

/// All on one folder, because 50,000 files take a while to make.
#[test]
fn samples_of_the_whole_set() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("val");
    whole_set(&data);
    a_sample_is_the_same_images_however_it_was_computed(&data);
    a_growing_sample_stops_when_all_is_decided(&data);
    pixels_are_verified_by_digests_of_the_tar(&data);
}

fn a_sample_is_the_same_images_however_it_was_computed(data: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let definitions = claimed(folder.path(), "79.050", "94.392");
    let options =
        |sample, shard| Options { data: Some(data), sample: sampled(sample), shard, ..Options::default() };
    let names = |path: &Path| -> Vec<String> {
        let log = predictions::read(&path.join("predictions/own-x.csv")).unwrap();
        log.into_iter().map(|row| row.image).collect()
    };

    let whole = folder.path().join("whole");
    let outcome = run_stubborn(&definitions, &options("90:3", None), &whole, 20).unwrap();
    assert!(outcome.interrupted());
    let outcome = run_stubborn(&definitions, &options("90:3", None), &whole, usize::MAX).unwrap();
    let [model] = &outcome.record.models[..] else { panic!("one model") };
    assert_eq!((model.images, outcome.record.images(), names(&whole).len()), (90, 90, 90));
    let figure = model.figure(FigureName::Top1Pct).unwrap();
    assert_eq!(figure.verdict, Verdict::NotReproduced);
    assert!(
        figure.reason.contains("; p = ") && figure.reason.contains("sample 90:3 of 50000"),
        "{}",
        figure.reason
    );
    let read = |name: &str| fs::read_to_string(whole.join(name)).unwrap();
    let record: serde_json::Value = serde_json::from_str(&read("run.json")).unwrap();
    assert_eq!(record["sample"], serde_json::json!({"images": 90, "seed": 3}));
    assert!(read("claims.csv").contains("sample 90:3 of 50000"), "{}", read("claims.csv"));
    for report in ["report.md", "report.html"] {
        assert!(read(report).contains("a random sample") && read(report).contains("90:3"), "{report}");
    }

    // Another sample is another evaluation.
    for other in ["90:4", "91:3"] {
        let error = run_stubborn(&definitions, &options(other, None), &whole, 1).unwrap_err().to_string();
        assert!(error.contains("the samples differ") && error.contains(other), "{error}");
    }
    let growing = Options { sample: sampled("90:3").map(|it| it.growing(None)), ..options("90:3", None) };
    let error = run_stubborn(&definitions, &growing, &whole, 1).unwrap_err().to_string();
    assert!(error.contains("90:3, growing until decided"), "{error}");

    // The sample first, then the shard; merged, it is judged as a sample again.
    let shards: Vec<_> = (1..=2)
        .map(|index| {
            let path = folder.path().join(format!("shard {index}"));
            let options = options("90:3", Some(Shard::new(index, 2).unwrap()));
            let outcome = run_stubborn(&definitions, &options, &path, usize::MAX).unwrap();
            let reason = &outcome.record.models[0].figures[0].reason;
            assert_eq!(*reason, format!("shard {index}/2, 45 of 90 images; sample 90:3 of 50000"));
            path
        })
        .collect();
    let merged = folder.path().join("merged");
    let by = (&definitions, &[][..]);
    eval::stored::merge::merge(&shards, &merged, false, by, Some(data), invocation()).unwrap();
    assert_eq!((results(&merged), names(&merged)), (results(&whole), names(&whole)));

    // Read back, it is judged by the card at hand.
    let record = StoredRun::open(&merged).unwrap();
    let consistent = record.judged(&claimed(folder.path(), "0.100", "0.5"), &[], None).unwrap();
    let figure = &consistent.models[0].figures[0];
    assert_eq!(figure.verdict, Verdict::NotComparable);
    assert!(figure.reason.starts_with("consistent; excludes differences above "), "{}", figure.reason);
    assert!(record.judged(&definitions, &[], None).unwrap().differs());
}

#[test]
fn a_sample_is_one_of_the_whole_set() {
    let folder = tempfile::tempdir().unwrap();
    sample_as_files(folder.path(), 3);
    for data in [Some(folder.path()), None] {
        let options = Options { data, sample: sampled("2"), ..Options::default() };
        let error = plan(&options).err().unwrap().to_string();
        assert!(error.contains("a random sample is drawn from all 50,000 images"), "{error}");
        let missing = if data.is_some() {
            "49997 of the 50,000 are missing, ILSVRC2012_val_00000004 first"
        } else {
            "50000 of the 50,000"
        };
        assert!(error.contains(missing), "{error}");
    }
}

fn a_growing_sample_stops_when_all_is_decided(data: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let growing = |precision_pp| {
        let sample = sampled("40:1").map(|sample| sample.growing(precision_pp));
        Options { data: Some(data), sample, ..Options::default() }
    };
    // What is wrong is refuted at the first look.
    let wrong = claimed(folder.path(), "79.050", "94.392");
    let refuted = folder.path().join("refuted");
    let outcome = run_stubborn(&wrong, &growing(None), &refuted, usize::MAX).unwrap();
    assert_eq!((outcome.record.images(), outcome.record.differs()), (40, true));

    // What is right grows until it is known closely enough; a stop on the way changes nothing.
    let right = claimed(folder.path(), "0.100", "0.5");
    let known = folder.path().join("known");
    let images: Vec<usize> = [30, 40, usize::MAX]
        .into_iter()
        .map(|images| run_stubborn(&right, &growing(Some(8.0)), &known, images).unwrap().record.images())
        .collect();
    assert_eq!(images, [40, 90, 135]);
    let once = folder.path().join("once");
    run_stubborn(&right, &growing(Some(8.0)), &once, usize::MAX).unwrap();
    assert_eq!(results(&known), results(&once));
    let text = fs::read_to_string(once.join("report.md")).unwrap();
    assert!(text.contains("differences above 8 points are excluded"), "{text}");

    // Given again, it is as it was; held against other figures, it is judged anew; to another precision, it goes on.
    let record = |path: &Path| fs::read_to_string(path.join("run.json")).unwrap();
    let before = record(&once);
    run_stubborn(&right, &growing(Some(8.0)), &once, usize::MAX).unwrap();
    assert_eq!(record(&once), before);
    let outcome = run_stubborn(&right, &growing(Some(5.0)), &once, usize::MAX).unwrap();
    assert!(outcome.record.images() > images[2] && !outcome.interrupted());
    assert!(StoredRun::open(&once).unwrap().judged(&wrong, &[], None).unwrap().differs());
}

/// Digests of the verified tar, as if it had this picture everywhere, but for the files that `is_other` names by their numbers.
fn tar_digests(folder: &Path, is_other: impl Fn(usize) -> bool) -> TarDigests {
    let digest = |text: &[u8]| -> [u8; 32] { Sha256::digest(text).into() };
    let picture = digest(&dataset::Dataset::sample().read(0).unwrap());
    let names: Vec<String> = (1..=50_000).map(|number| format!("ILSVRC2012_val_{number:08}.JPEG")).collect();
    let of = |number| if is_other(number) { digest(b"other") } else { picture };
    let images = names.iter().zip(1..).map(|(name, number)| (name.as_str(), of(number)));
    let path = TarDigests::cached(folder);
    fs::write(&path, TarDigests::text(images, VAL_TAR_MD5).unwrap()).unwrap();
    TarDigests::read(&path).unwrap()
}

/// A verdict says by what the images are known, and other pictures under the right names are not compared.
fn pixels_are_verified_by_digests_of_the_tar(data: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let definitions = claimed(folder.path(), "79.050", "94.392");
    let found = |name: &str, tar_digests: Option<TarDigests>| {
        let options =
            Options { data: Some(data), sample: sampled("40:3"), tar_digests, ..Options::default() };
        let outcome = run_stubborn(&definitions, &options, &folder.path().join(name), usize::MAX).unwrap();
        let figure = &outcome.record.models[0].figures[0];
        (outcome.record.pixels.clone(), figure.verdict, figure.reason.clone())
    };
    let (pixels, verdict, reason) = found("unverified", None);
    assert_eq!((pixels, verdict), (Pixels::Unverified, Verdict::NotReproduced));
    assert!(reason.ends_with("; unverified pixels"), "{reason}");
    // Given again once the digests are at hand, the same run is verified.
    for name in ["verified", "unverified"] {
        let (pixels, verdict, reason) = found(name, Some(tar_digests(folder.path(), |_| false)));
        assert_eq!((pixels, verdict), (Pixels::Digests { images: 40 }, Verdict::NotReproduced));
        assert!(
            reason.ends_with("; pixels of ILSVRC2012_img_val.tar, verified by digests taken from it"),
            "{reason}"
        );
    }
    let (pixels, verdict, reason) = found("other", Some(tar_digests(folder.path(), |_| true)));
    assert!(matches!(pixels, Pixels::Other { others: 40, .. }), "{pixels:?}");
    assert_eq!(verdict, Verdict::NotComparable);
    assert!(
        reason.starts_with("40 images are not those of ILSVRC2012_img_val.tar (ILSVRC2012_val_"),
        "{reason}"
    );
    let report = fs::read_to_string(folder.path().join("other/report.md")).unwrap();
    assert!(report.contains("- pixels: 40 images are not those of"), "{report}");
}
