//! A card as timm's results, with columns for where the figures are from behind timm's own.

use cards::{Figure, Row};

use super::super::foreign::visible;
use super::{CardPage, RowProvenance, parts};

const COLUMNS: [&str; 11] = [
    "model",
    "top1",
    "top1_err",
    "top5",
    "top5_err",
    "param_count",
    "img_size",
    "crop_pct",
    "interpolation",
    "source",
    "note",
];

/// Who publishes the models that timm's own tables call without a source.
const SOURCE: &str = "timm";

pub(super) fn text(page: &CardPage<'_>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let is_measured = !page.rows.is_empty();
    let mut headings = COLUMNS.to_vec();
    if is_measured {
        headings.extend(["dataset", "images", "weights", "recipe", "measured_by"]);
    }
    writer.write_record(&headings).expect("writing to memory does not fail");
    for (index, row) in page.card.rows.iter().enumerate() {
        let mut cells = cells(row);
        if is_measured {
            let RowProvenance { images, weights, recipe } = page.rows.get(index).cloned().unwrap_or_default();
            let by = page.provenance.first().cloned().unwrap_or_default();
            cells.extend([page.dataset.clone(), images, weights, recipe, by].map(|text| visible(&text)));
        }
        writer.write_record(&cells).expect("writing to memory does not fail");
    }
    let bytes = writer.into_inner().expect("writing to memory does not fail");
    String::from_utf8(bytes).expect("every cell is UTF-8")
}

fn cells(row: &Row) -> Vec<String> {
    let (source, name) = parts(&row.model);
    let model = if source == SOURCE { name } else { &row.model };
    let text = |text: &Option<String>| text.as_deref().map(visible).unwrap_or_default();
    let printed =
        |figure: &Option<Figure>| figure.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default();
    let rest = |figure: &Option<Figure>| figure.as_ref().map(rest_to_100).unwrap_or_default();
    vec![
        visible(model),
        printed(&row.top1_pct),
        rest(&row.top1_pct),
        printed(&row.top5_pct),
        rest(&row.top5_pct),
        row.params_m.as_ref().map(|params| params.figure.as_str().to_owned()).unwrap_or_default(),
        row.input_size.map(|side| side.to_string()).unwrap_or_default(),
        printed(&row.crop_pct),
        text(&row.interpolation),
        text(&row.source),
        text(&row.note),
    ]
}

/// What an accuracy lacks of 100 per cent, to the digit.
fn rest_to_100(figure: &Figure) -> String {
    let decimals = figure.decimals();
    let unit = 10_u128.pow(decimals);
    let rest = (100 * unit).saturating_sub(figure.in_units_of(decimals));
    match decimals {
        0 => rest.to_string(),
        decimals => format!("{}.{:0width$}", rest / unit, rest % unit, width = decimals as usize),
    }
}
