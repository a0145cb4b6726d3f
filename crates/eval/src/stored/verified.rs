//! The figures of a run as a card of its own, to be written where tables of others stand: only what was measured, each with where
//! it is from.

use cards::{ACCURACY_TOLERANCE_PP, Card, Counted, Figure, FigureName, Row};
use models::complexity::CountingRule;

use super::StoredRun;
use crate::definitions::{Definitions, shown};
use crate::record::{ModelRecord, RunRecord, SAMPLE};
use crate::report::{CardPage, RowProvenance, WHOLE_SET};
use crate::verdict::Verdict;
use crate::weights::WeightsSource;

/// The measured figures of a run.
#[derive(Debug)]
pub struct Verified {
    /// As a card.
    pub card: Card,
    /// What was not measured, and is left out, a line each.
    pub left_out: Vec<String>,
    dataset: String,
    provenance: Vec<String>,
    rows: Vec<RowProvenance>,
}

impl Verified {
    /// The card with where its figures are from.
    pub fn page(&self) -> CardPage<'_> {
        CardPage {
            card: &self.card,
            dataset: self.dataset.clone(),
            provenance: self.provenance.clone(),
            rows: self.rows.clone(),
        }
    }
}

/// The figures of `run`, which `record` judges anew by the cards of `definitions`.
pub fn verified(run: &StoredRun, record: &RunRecord, definitions: &Definitions) -> Verified {
    let name = run.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut left_out = Vec::new();
    let accuracies = match (record.dataset.path == SAMPLE, record.shard) {
        _ if record.part().real_sample().is_some() => {
            Err("a random sample measures no figure of the whole set")
        }
        (true, _) => Err("the embedded sample is no validation set"),
        (_, Some(_)) => Err("it is a shard of a run; merge all of them first"),
        _ => Ok(()),
    };
    let mut rows = Vec::new();
    for model in &record.models {
        let of_model = match (&model.weights, accuracies) {
            (WeightsSource::Seeded, _) => Err("seeded weights have learned nothing"),
            (_, Ok(())) if model.recheck.is_some_and(|recheck| recheck.missed() > 0) => {
                Err("hits may be missed, because only some images were computed in f32")
            }
            (_, accuracies) => accuracies,
        };
        rows.push(row(record, model, definitions, of_model, &mut left_out));
    }
    let card = Card {
        name,
        title: Some("Measured by imagenet-eval".to_owned()),
        source: None,
        note: None,
        recipe: None,
        accuracy_tolerance_pp: ACCURACY_TOLERANCE_PP,
        rows,
        origin: run.path.display().to_string(),
    };
    let dataset = match record.dataset.is_ilsvrc2012_val {
        true => WHOLE_SET.to_owned(),
        false => format!("{} images, not the whole ILSVRC2012 validation set", record.dataset.images),
    };
    let provenance_of = |model: &ModelRecord| RowProvenance {
        images: model.images.to_string(),
        weights: model.weights.label(),
        recipe: model.recipe_in_full.clone().unwrap_or_else(|| model.recipe.clone()),
    };
    Verified {
        card,
        left_out,
        dataset,
        provenance: provenance(record),
        rows: record.models.iter().map(provenance_of).collect(),
    }
}

fn row(
    record: &RunRecord,
    model: &ModelRecord,
    definitions: &Definitions,
    accuracies: Result<(), &str>,
    left_out: &mut Vec<String>,
) -> Row {
    let entry = definitions.catalog().get(&model.id);
    let claims = entry.map(|entry| definitions.claims_of(entry)).unwrap_or_default();
    let claim = shown(&claims, &record.cards, &model.recipe(), record.dtype_of_hits().name());
    let claimed = claim.map(|claim| claim.row);
    let mut leave_out =
        |name: FigureName, reason: &str| left_out.push(format!("{} {}: {reason}", model.id, name.name()));
    let mut accuracy = |name| match (accuracies, model.figure(name)) {
        (Ok(()), Some(figure)) if !figure.reproduced.is_empty() && model.images > 0 => {
            figure_of(&figure.reproduced)
        }
        (Err(reason), _) => {
            leave_out(name, reason);
            None
        }
        _ => {
            leave_out(name, "it was not measured");
            None
        }
    };
    let (top1_pct, top5_pct) = (accuracy(FigureName::Top1Pct), accuracy(FigureName::Top5Pct));
    let flops = claimed.and_then(|row| row.flops_g.as_ref()).and_then(|flops| Some((flops, flops.rule?)));
    let flops_g = counted(model, FigureName::FlopsG, flops);
    let params =
        claimed.and_then(|row| row.params_m.as_ref()).and_then(|params| Some((params, params.rule?)));
    let params_m = counted(model, FigureName::ParamsM, params);
    for (name, is_there) in
        [(FigureName::FlopsG, flops_g.is_some()), (FigureName::ParamsM, params_m.is_some())]
    {
        if !is_there {
            leave_out(name, "no card says by which rule it is to be counted, or the run has no count by it");
        }
    }
    Row {
        model: model.id.clone(),
        input_size: model
            .recipe()
            .recipe()
            .filter(|recipe| recipe.crop.is_square())
            .map(|recipe| recipe.crop.width),
        top1_pct,
        top5_pct,
        flops_g,
        params_m,
        source: claimed.and_then(|row| row.source.clone()),
        ..Row::default()
    }
}

/// A count of the run by the rule that is claimed, with as many decimals as are printed.
fn counted<R: CountingRule>(
    model: &ModelRecord,
    name: FigureName,
    claimed: Option<(&Counted<R>, R)>,
) -> Option<Counted<R>> {
    let (claimed, rule) = claimed?;
    // What was counted by another rule, or at another size, is another figure, and not comparable.
    let figure = model.figure(name).filter(|figure| figure.verdict != Verdict::NotComparable)?;
    let count = rule.figure(figure.count?).count;
    let (unit, decimals) = (u128::from(R::UNIT), claimed.figure.decimals());
    let scaled = (u128::from(count) * 10_u128.pow(decimals) + unit / 2) / unit;
    let digits = 10_u128.pow(decimals);
    let text = match decimals {
        0 => scaled.to_string(),
        _ => format!("{}.{:0width$}", scaled / digits, scaled % digits, width = decimals as usize),
    };
    Some(Counted {
        figure: figure_of(&text)?,
        rule: Some(rule),
        input_size: claimed.input_size,
        decimals: None,
        source_figure: None,
    })
}

fn figure_of(text: &str) -> Option<Figure> {
    Figure::try_from(text.to_owned()).ok()
}

/// Where the figures are from, a line each.
fn provenance(record: &RunRecord) -> Vec<String> {
    let environment = &record.environment;
    let started = record.sessions.first().map_or("elsewhere", |session| session.started_utc.as_str());
    let mut lines = vec![format!(
        "Measured by imagenet-eval {}, revision {}, {started}, on {} in {}.",
        environment.version,
        environment.git_revision,
        record.device,
        record.numbers()
    )];
    let dataset = &record.dataset;
    lines.push(format!(
        "Data: {} images ({}), fingerprint {}; label set {}.",
        dataset.images,
        dataset.layout,
        dataset.fingerprint,
        dataset.label_set.name()
    ));
    for model in &record.models {
        let recipe = model.recipe_in_full.as_deref().unwrap_or(&model.recipe);
        let rules: Vec<&str> = model.figures.iter().filter_map(|figure| figure.rule.as_deref()).collect();
        lines.push(format!(
            "{}: {} images, {} and {} hits, {} errors; weights {}; recipe {recipe}; counted by {}.",
            model.id,
            model.images,
            model.top1_hits,
            model.top5_hits,
            model.errors,
            model.weights.label(),
            rules.join("; ")
        ));
    }
    lines
}
