//! `eval --plan`: what the command would do, as text. Nothing is computed, downloaded, made or changed.

use std::path::{Path, PathBuf};

use dataset::Recipe;
use eval::record::{RunRecord, RunState};
use eval::run_dir::{RunDir, RunIdentity};
use eval::weights::{Downloader, ResolvedWeights, WeightsSource};
use eval::{EvalError, Part, Plan, PlannedModel, Sample, Shard, Standing, explain};
use indicatif::BinaryBytes;
use models::Model;

/// Where the run would be written.
pub(super) struct Out {
    /// The run directory.
    pub(super) path: PathBuf,
    /// Whether an earlier run there would be deleted.
    pub(super) fresh: bool,
}

/// What would run, and what exists of it. `explain` is the number of images that `--explain` names.
///
/// # Errors
/// Those of opening the run directory, and of reading its logs.
pub(super) fn text(
    plan: &Plan,
    identity: &RunIdentity,
    out: &Out,
    explain: Option<usize>,
) -> Result<String, EvalError> {
    let before = RunDir::look(&out.path, identity, out.fresh)?;
    let explain = explain.map(|images| explain::images_tried(plan, images));
    let goes_on = before.is_some() && !out.fresh;
    let part = plan.part_in(before.as_ref().filter(|_| goes_on));
    let standings = Standing::of_run(plan, part, &out.path, goes_on)?;
    let mut text = "Models\n".to_owned();
    for (planned, standing) in plan.models.iter().zip(&standings) {
        let PlannedModel { model, recipe, .. } = planned;
        text += &format!("  {}\n", model.id);
        let mut lines = self::recipe(recipe);
        lines.extend(weights(&planned.weights, model));
        // What was explained before stays.
        let record = before.iter().flat_map(|before| &before.models).find(|record| record.id == model.id);
        let explanation = record.filter(|_| goes_on).and_then(|record| record.explanation.as_ref());
        let explains = explain.is_some_and(|images| !explanation.is_some_and(|it| it.is_of(images)));
        lines.push(("images", images(standing, explains)));
        add(&mut text, "    ", &lines);
    }
    text += "Judged by\n";
    add(&mut text, "  ", &cards(plan));
    text += "Data\n";
    add(&mut text, "  ", &data(plan, part));
    text += "Computed\n";
    let placement = &plan.placement;
    let threads = placement.threads().count();
    let mut lines = vec![
        ("device", format!("{}, {}", placement.device(), placement.dtype())),
        ("batch", format!("{} images, {threads} threads", plan.batch)),
    ];
    if let Some(recheck) = plan.recheck {
        let which = format!("images near a hit, and {} % of the others, again in f32", recheck.audit_pct);
        lines.push(("recheck", which));
    }
    if let Some(images) = explain {
        let which = "whose accuracy is not reproduced or not comparable";
        lines.push(("explain", format!("{images} images of each model {which}")));
    }
    add(&mut text, "  ", &lines);
    text += "Run directory\n";
    let mut lines =
        vec![("path", absolute(&out.path)), ("there", there(&out.path, before.as_ref(), out.fresh))];
    if goes_on && plan.models.iter().any(|planned| planned.weights.source(&planned.model).is_none()) {
        lines.push(("", "whether it is of the same weights shows once they are downloaded".to_owned()));
    }
    add(&mut text, "  ", &lines);
    text += "Nothing was run. The same command without --plan runs it.\n";
    Ok(text)
}

/// Adds lines of a name and a value, moved in.
fn add(text: &mut String, indent: &str, lines: &[(&str, String)]) {
    for (name, value) in lines {
        *text += &format!("{indent}{name:<8} {value}\n");
    }
}

/// The cards that claim something of the models, and what the selected ones claim of models that are not here.
fn cards(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for card in plan.definitions.cards().all() {
        let claimed =
            plan.models.iter().filter(|planned| card.rows_of(&planned.model.id).next().is_some()).count();
        let selected = if plan.cards.contains(&card.name) { ", selected" } else { "" };
        if claimed > 0 {
            lines.push(("card", format!("{}: {claimed} of the models{selected}", card.name)));
        }
        let claims = plan.definitions.not_measured(std::slice::from_ref(&card.name));
        let mut absent: Vec<&str> = claims.iter().map(|claim| claim.model.as_str()).collect();
        absent.dedup();
        if !selected.is_empty() && !absent.is_empty() {
            lines.push((
                "",
                format!("not measured, because there is no such model here: {}", absent.join(", ")),
            ));
        }
    }
    if lines.is_empty() {
        lines.push(("card", "none claims anything of the models".to_owned()));
    }
    lines
}

/// What the images are.
fn data(plan: &Plan, part: Part) -> Vec<(&'static str, String)> {
    let (record, all) = (&plan.dataset_record, plan.dataset.items().len());
    let mut lines = vec![
        ("path", record.path.clone()),
        ("layout", record.layout.clone()),
        ("labels", format!("{}, from {}", record.label_set.name(), record.labels)),
        ("images", format!("{all}, fingerprint {}", record.fingerprint)),
    ];
    let sampled = Part { shard: None, ..part }.size(all);
    lines.extend(part.sample.map(|sample| ("sample", format!("{sample}{}", grows(sample)))));
    let shard = |shard: Shard| ("shard", format!("{shard}, {} of {sampled}", shard.size(sampled)));
    lines.extend(part.shard.map(shard));
    lines.extend(record.warnings.iter().map(|warning| ("warning", warning.clone())));
    lines
}

/// How a sample goes on.
fn grows(sample: Sample) -> String {
    let Some(until) = sample.until else { return String::new() };
    let precise = until.precision_pp.map(|pp| format!(", or differences above {pp} points are excluded"));
    format!(", which grows by half at a time until accuracies are refuted{}", precise.unwrap_or_default())
}

/// Lines about a recipe: what it is called and for, and all that it does.
fn recipe(recipe: &Recipe) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if recipe.name != recipe.keys() {
        let summary = if recipe.summary.is_empty() { "" } else { ": " };
        lines.push(("recipe", format!("{}{summary}{}", recipe.name, recipe.summary)));
    }
    lines.push((if lines.is_empty() { "recipe" } else { "" }, recipe.keys()));
    lines.extend(recipe.caveat().map(|caveat| ("", caveat.to_owned())));
    lines
}

/// Lines about a model's weights: which they are, and where from.
fn weights(weights: &ResolvedWeights, model: &Model) -> Vec<(&'static str, String)> {
    let published = model.weights.as_ref();
    match (weights.source(model), weights) {
        (Some(source @ WeightsSource::File { .. }), _) => {
            let what = match published {
                _ if source.is_published(published) => "the published file",
                _ if weights.is_first_sight() => {
                    "in the cache, never seen before: recorded once it is loaded"
                }
                Some(_) => "not the published file",
                None => "a file that was named; the catalog knows no published one",
            };
            let WeightsSource::File { path, sha256, evidence, .. } = source else { return Vec::new() };
            let size = evidence.bytes.map(|bytes| format!(", {}", BinaryBytes(bytes))).unwrap_or_default();
            let from = format!("{}{size}", path.display());
            vec![("weights", format!("sha256:{sha256}")), ("", what.to_owned()), ("", from)]
        }
        (None, ResolvedWeights::Absent { path }) => {
            let size = published.and_then(|weights| weights.bytes);
            let size = size.map_or_else(|| "size unknown".to_owned(), |bytes| BinaryBytes(bytes).to_string());
            let address = published.map(|weights| Downloader::from_environment().address(weights));
            vec![
                ("weights", format!("the published file, which would be downloaded ({size})")),
                ("", format!("from {}", address.unwrap_or_default())),
                ("", format!("to {}", path.display())),
            ]
        }
        _ => vec![("weights", "seeded: generated, from no file".to_owned())],
    }
}

/// How many images are done, and what is left. With `explains`, the model is explained if its accuracy asks for that.
fn images(standing: &Standing, explains: bool) -> String {
    let (done, left, failed) = (standing.predicted(), standing.left(), standing.failed());
    let all = done + left;
    let again = if failed > 0 { format!(", {failed} of them tried again") } else { String::new() };
    match left {
        0 if explains => {
            format!(
                "{done} of {all} done: nothing is left, and the network would be loaded only to explain it"
            )
        }
        0 => format!("{done} of {all} done: nothing is left, and no network would be loaded"),
        _ => format!("{done} of {all} done, {left} to do{again}"),
    }
}

/// What is at `path` already, and what would become of it.
fn there(path: &Path, before: Option<&RunRecord>, fresh: bool) -> String {
    let Some(before) = before else {
        return match path.exists() {
            true => "a folder without a run, which would be begun in it".to_owned(),
            false => "nothing yet; it would be made".to_owned(),
        };
    };
    let state = match before.state {
        RunState::Finished => "a finished run",
        RunState::Interrupted => "an interrupted run",
        RunState::Running => "a killed run, or one that another process is computing",
    };
    match (fresh, before.state) {
        (true, _) => format!("{state}, which would be deleted"),
        (false, RunState::Finished) => {
            format!("{state} of this evaluation, which would be judged and written anew")
        }
        (false, RunState::Interrupted) => format!("{state} of this evaluation, which would go on"),
        (false, RunState::Running) => {
            "a run of this evaluation, which was killed and would go on, or which another process is computing".to_owned()
        }
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
