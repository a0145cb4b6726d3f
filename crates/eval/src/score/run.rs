//! `score --out`: a run directory of predictions that were made elsewhere, so that they are reported and compared like a run.
//!
//! It says what is known and no more: classes without logits, no device, no recipe, no weights, no counts. The predictions' file
//! stands for all of them, by its SHA-256.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use cards::{Figure, FigureName};
use dataset::KnownLabels;
use dataset::labels::{self, LabelSet, VAL_IMAGES};
use models::{Dtype, Model};
use sha2::{Digest as _, Sha256};

use super::{Inputs, Predictions, Ranked};
use crate::EvalError;
use crate::definitions::{Definitions, shown};
use crate::logs::digests::hex;
use crate::logs::predictions::Prediction;
use crate::metrics::TopK;
use crate::pixels::Pixels;
use crate::provenance::{Environment, Invocation};
use crate::record::{
    AccuracyTolerance, DatasetRecord, ELSEWHERE, FigureRecord, ModelRecord, RecipeId, RunRecord, RunState,
    SCHEMA_VERSION,
};
use crate::run_dir::paths;
use crate::run_dir::{Finished, RunDir, RunIdentity, read_record};
use crate::stored::stored_run::StoredRun;
use crate::verdict::Verdict;
use crate::weights::WeightsSource;

/// How predictions are written down as a run.
#[derive(Debug)]
pub struct ScoreRun<'a> {
    /// What they were made from, where that is known.
    pub inputs: Option<&'a Inputs>,
    /// What they were scored by.
    pub known: Option<&'a KnownLabels>,
    /// The label set.
    pub label_set: LabelSet,
    /// The model that they are of, if it is in the catalog.
    pub model: Option<&'a Model>,
    /// What is claimed of it.
    pub definitions: &'a Definitions,
    /// The cards that were selected, by name.
    pub cards: &'a [String],
    /// How far an accuracy may lie from the printed one.
    pub tolerance: AccuracyTolerance,
    /// The run directory.
    pub out: &'a Path,
    /// Whether an earlier run there is to be deleted.
    pub fresh: bool,
    /// Program and command line, for the record.
    pub invocation: Invocation,
}

/// Writes `predictions`, which [`super::score`] has scored, as a run directory.
///
/// # Errors
/// Those of [`RunDir::open`]; [`EvalError::Predictions`] when two names mean one image.
pub fn write(predictions: &Predictions, run: &ScoreRun<'_>) -> Result<RunRecord, EvalError> {
    let rows = rows(predictions, run)?;
    let own;
    let model = match run.model {
        Some(model) => model,
        None => {
            own = undocumented(&id_of(&predictions.path))
                .map_err(|reason| EvalError::Predictions { path: predictions.path.clone(), reason })?;
            &own
        }
    };
    let mut record = RunRecord {
        schema_version: SCHEMA_VERSION,
        state: RunState::Finished,
        command: run.invocation.command.clone(),
        environment: Environment::of(&run.invocation.git_revision),
        device: ELSEWHERE.to_owned(),
        dtype: Dtype::default(),
        recheck: None,
        sessions: Vec::new(),
        tolerance: run.tolerance,
        dataset: dataset(predictions, &rows, run),
        pixels: run.inputs.map_or_else(Pixels::default, |inputs| inputs.pixels.clone()),
        sample: None,
        shard: None,
        decoder_warnings: Vec::new(),
        cards: run.cards.to_vec(),
        models: Vec::new(),
        not_measured: run.definitions.not_measured(run.cards),
    };
    check_apart(&predictions.path, run.out, &model.id)?;
    let weights = WeightsSource::Elsewhere { sha256: predictions.sha256.clone() };
    let claims = run.definitions.claims_of(model);
    let elsewhere = RecipeId::recorded(ELSEWHERE, None);
    let recipe = run.inputs.map_or(&elsewhere, |inputs| &inputs.recipe);
    let claim = shown(&claims, run.cards, recipe, Dtype::default().name());
    let unjudged = ModelRecord {
        recipe: recipe.name.clone(),
        recipe_in_full: recipe.in_full().map(str::to_owned),
        ..unjudged(model, |figure| claim?.row.printed(figure), weights)
    };
    let stored = StoredRun { path: run.out.to_owned(), record: record.clone() };
    record.models.push(stored.judge(
        &record,
        &unjudged,
        (run.definitions, model),
        (&rows, None),
        (0.0, 0),
    )?);

    let mut dir = RunDir::open_waiting(run.out, &RunIdentity::of_record(&record), run.fresh, &mut |_| false)?;
    let names: Vec<&str> = rows.iter().map(|row| row.image.as_str()).collect();
    let finished = Finished {
        record: &record,
        rows: &[&rows],
        confidences: &[HashMap::new()],
        rechecks: &[],
        // Nothing was read but what was predicted; a manifest has what was read.
        digests: run.inputs.map(|inputs| (names.as_slice(), &inputs.digests)),
        images: None,
    };
    dir.stage_finished(&finished)?.commit()?;
    dir.delete_outdated([model.id.as_str()].into_iter())?;
    Ok(record)
}

/// Whether `predictions` is none of the files that are about to be written or deleted in `out`: what is scored would be gone.
fn check_apart(predictions: &Path, out: &Path, id: &str) -> Result<(), EvalError> {
    let (Ok(file), Ok(run)) = (predictions.canonicalize(), out.canonicalize()) else { return Ok(()) };
    let before = read_record(out).ok().flatten();
    let before = before.iter().flat_map(|before| &before.models).map(|model| model.id.as_str());
    if !paths::files(&run, before.chain([id])).contains(&file) {
        return Ok(());
    }
    Err(EvalError::WouldOverwrite { path: predictions.to_owned(), out: out.to_owned() })
}

/// The rows in the order of the images' names.
fn rows(predictions: &Predictions, run: &ScoreRun<'_>) -> Result<Vec<Prediction>, EvalError> {
    let label = |ranked: &Ranked| {
        let listed = run.known.and_then(|known| known.get(&ranked.image));
        listed.or_else(|| labels::val_label(&ranked.image)).or(ranked.label)
    };
    let row = |ranked: &Ranked| {
        let top = (!ranked.classes.is_empty()).then(|| TopK::of_ranked(&ranked.classes));
        let outcome = top.ok_or_else(|| "no prediction in the file".to_owned());
        // A manifest calls them as the data set does.
        let image = if run.inputs.is_some() { ranked.image.clone() } else { name(&ranked.image) };
        Some(Prediction { image, label: label(ranked)?, outcome })
    };
    let mut rows: Vec<Prediction> = predictions.images.iter().filter_map(row).collect();
    rows.sort_by(|a, b| a.image.cmp(&b.image));
    match rows.windows(2).find(|pair| pair[0].image == pair[1].image) {
        Some(pair) => Err(EvalError::Predictions {
            path: predictions.path.clone(),
            reason: format!("{} is predicted twice, by different paths", pair[0].image),
        }),
        None => Ok(rows),
    }
}

/// An image of the validation set is called as in a flat folder of its files, whatever the path, so that runs over them can be
/// compared; any other as the file calls it.
fn name(image: &str) -> String {
    labels::val_file_number(image)
        .map_or_else(|| image.to_owned(), |number| format!("ILSVRC2012_val_{number:08}.JPEG"))
}

fn dataset(predictions: &Predictions, rows: &[Prediction], run: &ScoreRun<'_>) -> DatasetRecord {
    if let Some(inputs) = run.inputs {
        let layout = format!(
            "predictions made elsewhere, {}, of inputs of {}",
            predictions.format.name(),
            inputs.dataset.layout
        );
        return DatasetRecord { layout, label_set: run.label_set, ..inputs.dataset.clone() };
    }
    let (mut fingerprint, mut names) = (Sha256::new(), Sha256::new());
    for Prediction { image, label, .. } in rows {
        // Sizes are not known.
        fingerprint.update(format!("{image}\0{label}\0-\n"));
        names.update(format!("{image}\0{label}\n"));
    }
    let numbers: HashSet<usize> = rows
        .iter()
        .filter(|row| labels::val_label(&row.image) == Some(row.label))
        .filter_map(|row| labels::val_file_number(&row.image))
        .collect();
    let source = if run.known.is_some() {
        "given by a list or by images"
    } else {
        "by file number where that is known, else from the file"
    };
    DatasetRecord {
        path: predictions.path.display().to_string(),
        layout: format!("predictions made elsewhere, {}", predictions.format.name()),
        labels: source.to_owned(),
        label_set: run.label_set,
        images: rows.len(),
        fingerprint: hex(fingerprint.finalize()),
        names_sha256: Some(hex(names.finalize())),
        is_ilsvrc2012_val: rows.len() == VAL_IMAGES && numbers.len() == VAL_IMAGES,
        warnings: Vec::new(),
    }
}

/// What predictions of no documented model are called: an id as the catalog has them, by the name of their file.
fn id_of(path: &Path) -> String {
    const LONGEST: usize = 100;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    format!("score/{}", stem.chars().take(LONGEST).map(plain).collect::<String>())
}

/// A model of which nothing is documented.
fn undocumented(id: &str) -> Result<Model, String> {
    let entry = serde_json::json!({ "id": id, "network": ELSEWHERE, "recipe": ELSEWHERE, "input_size": 0 });
    serde_json::from_value(entry).map_err(|error| error.to_string())
}

/// What is known before anything is counted.
fn unjudged<'a>(
    model: &Model,
    printed: impl Fn(FigureName) -> Option<&'a Figure>,
    weights: WeightsSource,
) -> ModelRecord {
    let not_known = |figure| FigureRecord {
        figure,
        documented: printed(figure).map(|printed| printed.as_str().to_owned()),
        reproduced: String::new(),
        count: None,
        rule: None,
        interval_pct: None,
        sampled: None,
        verdict: Verdict::NotComparable,
        reason: "predictions do not tell it".to_owned(),
    };
    ModelRecord {
        id: model.id.clone(),
        network: model.network.clone(),
        recipe: ELSEWHERE.to_owned(),
        recipe_in_full: None,
        recipe_note: None,
        weights,
        images: 0,
        unlabelled: 0,
        errors: 0,
        top1_hits: 0,
        top5_hits: 0,
        recheck: None,
        seconds: 0.0,
        timed_images: 0,
        card: None,
        figures: vec![not_known(FigureName::FlopsG), not_known(FigureName::ParamsM)],
        claims: Vec::new(),
        counts: Vec::new(),
        diagnosis: None,
        explanation: None,
        verdict: Verdict::NotComparable,
        first_errors: Vec::new(),
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::Remedy;
    use crate::score::{read, score};

    /// A file of predictions, scored and written as a run.
    fn run(folder: &Path, name: &str, text: &str, model: Option<&str>) -> RunRecord {
        let (file, out) = (folder.join(format!("{name}.csv")), folder.join(name));
        std::fs::write(&file, text).unwrap();
        let predictions = read(&file).unwrap();
        score(&predictions, None, LabelSet::Original).unwrap();
        let definitions = Definitions::built_in();
        let run = ScoreRun {
            inputs: None,
            known: None,
            label_set: LabelSet::Original,
            model: model.map(|id| definitions.catalog().select(id).unwrap()[0]),
            definitions: &definitions,
            cards: &[],
            tolerance: AccuracyTolerance::new(None),
            out: &out,
            fresh: false,
            invocation: Invocation { command: vec!["test".to_owned()], git_revision: "0".to_owned() },
        };
        // Once more tells the same.
        write(&predictions, &run).unwrap();
        write(&predictions, &run).unwrap()
    }

    const A: &str = "ILSVRC2012_val_00000001"; // class 65
    const B: &str = "ILSVRC2012_val_00000002"; // class 970

    #[test]
    fn predictions_made_elsewhere_are_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let five = format!("/data/{B}.JPEG,970,1,2,3,4\n/data/{A}.JPEG,1,2,3,4,65\n");
        let record = run(folder.path(), "five", &five, Some("timm/xception"));
        let model = &record.models[0];
        assert_eq!((model.images, model.errors, model.top1_hits, model.top5_hits), (2, 0, 1, 2));
        assert_eq!(model.figures[0].reason, "2 images, not the 50,000 with their labels");
        let out = folder.path().join("five");
        let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(
            read("predictions/timm-xception.csv").lines().skip(1).collect::<Vec<_>>(),
            [format!("{A}.JPEG,65,1,2,3,4,65,,,,,,ok"), format!("{B}.JPEG,970,970,1,2,3,4,,,,,,ok")]
        );
        let row = read("results.csv").lines().nth(1).unwrap().to_owned();
        assert!(row.starts_with(
            "timm/xception,timm,xception,elsewhere,elsewhere,elsewhere,2,0,1,2,50.000,100.000,"
        ));
        assert!(row.contains(",94.392,,9.198,,22.856,"), "{row}");
        assert!(read("report.md").contains("- device: not known, predictions made elsewhere"));
        assert!(read("junit.xml").contains("documented 9.198, measured what is not known: not comparable"));
        assert!(read("report.md").contains("not known") && read("report.html").contains("timm/xception"));

        // One class an image says nothing of top-5, nor does a file of no model of anything documented.
        let record = run(folder.path(), "one", &format!("{A},65\n{B},1\n"), None);
        let model = &record.models[0];
        assert_eq!(
            (model.id.as_str(), model.top1_hits, model.figures[1].reproduced.as_str()),
            ("score/one", 1, "")
        );
        assert_eq!(model.figures[1].reason, "fewer than five classes an image are known");
        let results = std::fs::read_to_string(folder.path().join("one/results.csv")).unwrap();
        assert!(results.contains(",2,0,1,,50.000,,"), "{results}");

        let undocumented = StoredRun::open(&folder.path().join("one")).unwrap();
        let error = undocumented.judged(&Definitions::built_in(), &[], None).unwrap_err();
        assert!(error.to_string().contains("Score them as a model's"), "{error}");
        assert_eq!(error.remedy(), Some(Remedy::ModelOrOtherRun));
        // Its name is one that every system can have a log of.
        let record = run(folder.path(), "mine [1] <b>", &format!("{A},65\n"), None);
        assert_eq!(record.models[0].id, "score/mine__1___b_");
        assert_eq!(id_of(Path::new(&format!("{}.csv", "é\n".repeat(200)))).len(), "score/".len() + 100);

        // Read back, they can be compared and judged.
        run(folder.path(), "other", &format!("{A},65\n{B},970\n"), Some("timm/xception"));
        let open = |name: &str| StoredRun::open(&folder.path().join(name)).unwrap();
        let rows = |name: &str| open(name).rows("timm/xception").unwrap();
        let names = |name: &str| rows(name).into_iter().map(|row| row.image).collect::<Vec<_>>();
        assert_eq!(names("other"), names("five"));
        assert_eq!(rows("other")[1].outcome.as_ref().unwrap().classes[0], 970);
        let judged = open("five").judged(&Definitions::built_in(), &[], None).unwrap();
        assert_eq!(judged.models[0].figures[0].reproduced, "50.000");
    }

    #[test]
    fn what_is_scored_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), "five", &format!("{A},65\n{B},1\n"), Some("timm/xception"));
        let out = folder.path().join("five");
        let log = out.join("predictions/timm-xception.csv");
        let before = std::fs::read(&log).unwrap();
        let predictions = read(&log).unwrap();
        let definitions = Definitions::built_in();
        // As the model that wrote it, or as another.
        for id in ["timm/xception", "timm/xception41"] {
            let run = ScoreRun {
                inputs: None,
                known: None,
                label_set: LabelSet::Original,
                model: Some(definitions.catalog().select(id).unwrap()[0]),
                definitions: &definitions,
                cards: &[],
                tolerance: AccuracyTolerance::new(None),
                out: &out,
                fresh: true,
                invocation: Invocation { command: Vec::new(), git_revision: "0".to_owned() },
            };
            let error = write(&predictions, &run).unwrap_err();
            assert!(error.to_string().contains("would be overwritten. Choose another folder"), "{error}");
            assert_eq!(error.remedy(), Some(Remedy::OtherFolder));
            assert_eq!(std::fs::read(&log).unwrap(), before);
        }
    }

    #[test]
    fn the_whole_set_is_judged_as_a_run_is() {
        let folder = tempfile::tempdir().unwrap();
        let line = |number: usize| {
            let name = format!("ILSVRC2012_val_{number:08}.JPEG");
            format!("{name},{}\n", labels::val_label(&name).unwrap())
        };
        let all: String = (1..=VAL_IMAGES).map(line).collect();
        let record = run(folder.path(), "all", &all, Some("timm/xception"));
        let figure = &record.models[0].figures[0];
        assert_eq!((figure.verdict, figure.reproduced.as_str()), (Verdict::NotReproduced, "100.000"));
    }
}
