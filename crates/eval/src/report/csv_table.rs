//! `results.csv`: a row a model.

use cards::FigureName;
use models::Dtype;
use serde::Serialize;

use crate::record::{ModelRecord, RunRecord};

/// The columns, in order. Empty where nothing is documented.
#[derive(Serialize)]
struct ResultsRow<'a> {
    id: &'a str,
    source: &'a str,
    arch: &'a str,
    recipe: &'a str,
    weights: String,
    device: &'a str,
    images: u64,
    errors: u64,
    top1_hits: u64,
    top5_hits: Option<u64>,
    top1_pct: &'a str,
    top5_pct: &'a str,
    documented_top1_pct: &'a str,
    documented_top5_pct: &'a str,
    flops_g: &'a str,
    documented_flops_g: &'a str,
    params_m: &'a str,
    documented_params_m: &'a str,
    seconds: String,
    images_per_s: String,
    verdict: &'a str,
}

/// The content of `results.csv`. But for the two columns of times it depends only on the figures.
pub fn results_csv(record: &RunRecord) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let device = device(record);
    for model in &record.models {
        writer.serialize(row(model, &device)).expect("writing to memory does not fail");
    }
    let bytes = writer.into_inner().expect("writing to memory does not fail");
    String::from_utf8(bytes).expect("every cell is UTF-8")
}

/// The device's name, with the type of numbers where it is not the usual one.
fn device(record: &RunRecord) -> String {
    if record.dtype == Dtype::default() {
        record.device.clone()
    } else {
        format!("{}/{}", record.device, record.dtype)
    }
}

fn row<'a>(model: &'a ModelRecord, device: &'a str) -> ResultsRow<'a> {
    let reproduced = |name| model.figure(name).map_or("", |figure| figure.reproduced.as_str());
    let documented =
        |name| model.figure(name).and_then(|figure| figure.documented.as_deref()).unwrap_or_default();
    let (source, arch) = model.id.split_once('/').unwrap_or(("", &model.id));
    ResultsRow {
        id: &model.id,
        source,
        arch,
        recipe: &model.recipe,
        weights: model.weights.label(),
        device,
        images: model.images,
        errors: model.errors,
        top1_hits: model.top1_hits,
        top5_hits: Some(model.top5_hits).filter(|_| !reproduced(FigureName::Top5Pct).is_empty()),
        top1_pct: reproduced(FigureName::Top1Pct),
        top5_pct: reproduced(FigureName::Top5Pct),
        documented_top1_pct: documented(FigureName::Top1Pct),
        documented_top5_pct: documented(FigureName::Top5Pct),
        flops_g: reproduced(FigureName::FlopsG),
        documented_flops_g: documented(FigureName::FlopsG),
        params_m: reproduced(FigureName::ParamsM),
        documented_params_m: documented(FigureName::ParamsM),
        seconds: format!("{:.1}", model.seconds),
        images_per_s: format!("{:.2}", model.images_per_s()),
        verdict: model.verdict.name(),
    }
}
