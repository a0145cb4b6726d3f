//! Predictions held against what `prepare` wrote.

use std::fs;
use std::sync::atomic::AtomicBool;

use dataset::labels::LabelSet;
use dataset::{Dataset, Recipe};
use models::Threads;

use super::*;
use crate::Definitions;
use crate::prepare::{Preparation, TensorFormat, TensorLayout, TensorSpec, TensorValues, prepare};
use crate::provenance::Invocation;
use crate::record::AccuracyTolerance;
use crate::score::run::{ScoreRun, write};
use crate::score::{read, score};

const KEYS: &str = "resize=exact:8x8,filter=pil-nearest,mean=half,std=half";

/// Two images and a file that is none, prepared.
fn prepared(folder: &Path) -> PathBuf {
    let (data, out) = (folder.join("data"), folder.join("prepared"));
    fs::create_dir_all(&data).unwrap();
    for number in 1..=2 {
        let bytes = Dataset::sample().read(number).unwrap().into_owned();
        fs::write(data.join(format!("ILSVRC2012_val_{number:08}.JPEG")), bytes).unwrap();
    }
    fs::write(data.join("ILSVRC2012_val_00000003.JPEG"), "no image").unwrap();
    let recipe: Recipe = KEYS.parse().unwrap();
    let work = Preparation {
        dataset: &Dataset::open(&data, None).unwrap(),
        data: "data".to_owned(),
        recipe: &recipe,
        spec: TensorSpec { values: TensorValues::U8, layout: TensorLayout::Nhwc, format: TensorFormat::Raw },
        out: &out,
        invocation: invocation(),
    };
    prepare(&work, &Threads::new(1).unwrap(), &AtomicBool::new(false), || ()).unwrap().unwrap();
    out
}

fn invocation() -> Invocation {
    Invocation { command: vec!["test".to_owned()], git_revision: "0".to_owned() }
}

fn opened(folder: &Path, text: &str) -> Result<(Inputs, Predictions), EvalError> {
    let file = folder.join("predictions.csv");
    fs::write(&file, text).unwrap();
    let mut predictions = read(&file)?;
    let inputs = Inputs::open(&folder.join("prepared"), &mut predictions, None)?;
    Ok((inputs, predictions))
}

#[test]
fn predictions_are_of_the_prepared_images() {
    let folder = tempfile::tempdir().unwrap();
    let out = prepared(folder.path());
    let tensor = fs::read_dir(out.join("tensors")).unwrap().next().unwrap().unwrap().path();
    let ending = tensor.extension().unwrap().to_string_lossy().into_owned();
    // By the image, by the tensor, with folders of another machine or without. The one that is no image counts as wrong.
    for name in ["ILSVRC2012_val_0000000#.JPEG", "/mnt/x/tensors/ILSVRC2012_val_0000000#.JPEG.END"] {
        let line =
            |number: &str, class| format!("{},{class}\n", name.replace('#', number).replace("END", &ending));
        let (inputs, predictions) = opened(folder.path(), &(line("2", 970) + &line("1", 7))).unwrap();
        assert_eq!((inputs.images, inputs.tensors, inputs.beside), (3, 2, 2));
        assert_eq!(inputs.pixels, Pixels::Unverified);
        let found = score(&predictions, None, LabelSet::Original).unwrap();
        assert_eq!((found.images, found.top1_hits, found.errors), (3, 1, 1));

        let definitions = Definitions::built_in();
        let run = ScoreRun {
            inputs: Some(&inputs),
            known: None,
            label_set: LabelSet::Original,
            model: Some(definitions.catalog().get("timm/xception").unwrap()),
            definitions: &definitions,
            cards: &[],
            tolerance: AccuracyTolerance::new(None),
            out: &folder.path().join("run"),
            fresh: true,
            invocation: invocation(),
        };
        let record = write(&predictions, &run).unwrap();
        let [model] = &record.models[..] else { panic!("one model") };
        assert_eq!((model.images, model.errors), (3, 1));
        assert!(model.recipe_in_full.as_deref().is_some_and(|keys| keys.contains("exact:8x8")), "{model:?}");
        assert!(
            model.figures[0].reason.contains("instead of timm-333-bicubic"),
            "{}",
            model.figures[0].reason
        );
        let digests = fs::read_to_string(folder.path().join("run/digests.csv")).unwrap();
        assert_eq!(digests.lines().count(), 4, "{digests}");
        let claims = definitions.claims_of(definitions.catalog().get("timm/xception").unwrap());
        let judged = found.judged(&claims[0], AccuracyTolerance::new(None), Some(&inputs));
        assert!(judged[0].judgement.reason.contains("instead of timm-333-bicubic"), "{judged:?}");
    }
}

#[test]
fn what_was_made_from_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = prepared(folder.path());
    let name = |number: usize| format!("ILSVRC2012_val_{number:08}.JPEG");
    let (one, two, three, four) = (name(1), name(2), name(3), name(4));
    let refusal = |text: String| opened(folder.path(), &text).err().map(|error| error.to_string()).unwrap();
    for (text, reason) in [
        (format!("{one},1\n{two},1\n{four},1\n"), "1 of 3 predictions are of images that it does not have"),
        (format!("{one},1\n"), "1 of its inputs have no prediction (ILSVRC2012_val_00000002.JPEG)"),
        (
            format!("{one},1\n{two},1\n{three},1\n"),
            "line 3 of the predictions is of ILSVRC2012_val_00000003.JPEG, of which there is no tensor",
        ),
        (format!("{one},1\na/{one},1\n{two},1\n"), "which has one already"),
        (
            format!("image,label,prediction\n{one},66,1\n{two},970,1\n"),
            "was prepared with the label 65, and is 66",
        ),
    ] {
        assert!(refusal(text.clone()).contains(reason), "{text}: {}", refusal(text.clone()));
    }
    let both = format!("{one},1\n{two},1\n");
    let tensor = fs::read_dir(out.join("tensors")).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&tensor).unwrap();
    fs::write(&tensor, "other").unwrap();
    assert!(refusal(both.clone()).contains("1 tensors beside it are not those that were prepared"));
    // On the device's own machine they may be gone.
    fs::remove_file(&tensor).unwrap();
    assert_eq!(opened(folder.path(), &both).unwrap().0.beside, 1);
    fs::write(&tensor, bytes).unwrap();

    let manifest = out.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    for (from, to, reason) in [
        ("exact:8x8", "exact:8y8", "is none"),
        ("\"image_sha256\": \"", "\"image_sha256\": \"x", "is no SHA-256"),
        ("\"schema_version\": 1", "\"schema_version\": 9", "schema_version is 9"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&manifest, text.replace(from, to)).unwrap();
        assert!(refusal(both.clone()).contains(reason), "{}", refusal(both.clone()));
    }
}
