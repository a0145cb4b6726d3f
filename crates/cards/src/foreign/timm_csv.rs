//! timm's `results-imagenet.csv`: a row a model. Its columns are known by their names; timm's own files have had `cropt_pct` for
//! `crop_pct`.

use super::Reading;
use super::cell::{accuracy, params, side};
use crate::card::Row;
use crate::figures::Figure;

/// Who publishes these models.
const SOURCE: &str = "timm";

/// Marks in the names of timm's files about other images, whose columns are the same.
const OTHER_IMAGES: [&str; 6] = ["imagenet-real", "imagenet-a", "imagenet-r", "imagenetv2", "inv2", "sketch"];

/// Columns that say what another one says, or nothing of a claim.
const PASSED_OVER: [&str; 4] = ["top1_diff", "top5_diff", "rank_diff", "top1_rank"];

pub(super) fn read(text: &str, stem: &str, reading: &mut Reading) -> Result<(), String> {
    if let Some(mark) = OTHER_IMAGES.iter().find(|mark| stem.contains(*mark)) {
        return Err(format!(
            "by its name (`{mark}`) it is about other images than the ILSVRC2012 validation set"
        ));
    }
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let headings = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |names: &[&str]| headings.iter().position(|heading| names.contains(&heading.trim()));
    let (Some(model), Some(top1)) = (column(&["model"]), column(&["top1"])) else {
        return Err("its first line has no columns `model` and `top1`".to_owned());
    };
    let columns = Columns {
        model,
        top1,
        top1_err: column(&["top1_err"]),
        top5: column(&["top5"]),
        top5_err: column(&["top5_err"]),
        param_count: column(&["param_count"]),
        img_size: column(&["img_size"]),
        crop_pct: column(&["crop_pct", "cropt_pct"]),
        interpolation: column(&["interpolation"]),
        source: column(&["source"]),
        note: column(&["note"]),
    };
    for (index, heading) in headings.iter().enumerate() {
        if !columns.has(index) && !PASSED_OVER.contains(&heading.trim()) {
            reading.remark(1, &format!("column `{heading}`"), "it is no figure of a card, and left out");
        }
    }
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line) as usize;
                if record.len() != headings.len() {
                    let reason = format!("it has {} cells, the heading has {}", record.len(), headings.len());
                    reading.unread(line, "a row", reason);
                    continue;
                }
                let row = columns.row(line, &record, reading);
                reading.add(line, row);
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line) as usize;
                reading.unread(line, "a row", error.to_string());
            }
        }
    }
    Ok(())
}

/// Where each column stands.
struct Columns {
    model: usize,
    top1: usize,
    top1_err: Option<usize>,
    top5: Option<usize>,
    top5_err: Option<usize>,
    param_count: Option<usize>,
    img_size: Option<usize>,
    crop_pct: Option<usize>,
    interpolation: Option<usize>,
    source: Option<usize>,
    note: Option<usize>,
}

impl Columns {
    fn has(&self, index: usize) -> bool {
        let Self { top1_err, top5, top5_err, param_count, img_size, crop_pct, interpolation, .. } = *self;
        let optional = [
            top1_err,
            top5,
            top5_err,
            param_count,
            img_size,
            crop_pct,
            interpolation,
            self.source,
            self.note,
        ];
        [self.model, self.top1].contains(&index) || optional.contains(&Some(index))
    }

    fn row(&self, line: usize, record: &csv::StringRecord, reading: &mut Reading) -> Row {
        let cell =
            |column: Option<usize>| column.and_then(|column| record.get(column)).unwrap_or_default().trim();
        let name = cell(Some(self.model));
        let model = if name.contains('/') { name.to_owned() } else { format!("{SOURCE}/{name}") };
        let mut kept = |column: &str, cell: &str, read: Result<Option<Figure>, String>| {
            read.unwrap_or_else(|reason| {
                let what = format!("`{name}`, {column} `{cell}`");
                reading.unread(line, &what, format!("{reason}; the figure is left out"));
                None
            })
        };
        let mut pct = |name: &str, column, error_column| {
            let (printed, error) = (cell(column), cell(error_column));
            let figure = kept(name, printed, accuracy(printed))?;
            let error = kept(&format!("{name}_err"), error, accuracy(error));
            let sums = error.is_none_or(|error| sum_is_100(&figure, &error));
            let reason = || Err(format!("{printed} and {name}_err do not add up to 100"));
            if sums { Some(figure) } else { kept(name, printed, reason()) }
        };
        let top1_pct = pct("top1", Some(self.top1), self.top1_err);
        let top5_pct = pct("top5", self.top5, self.top5_err);
        let crop_pct = kept("crop_pct", cell(self.crop_pct), accuracy(cell(self.crop_pct)));
        let mut other = |column: &str, cell: &str, reason: String| {
            reading.unread(
                line,
                &format!("`{name}`, {column} `{cell}`"),
                format!("{reason}; it is left out"),
            );
        };
        let params_m = params(cell(self.param_count), Some(6)).unwrap_or_else(|reason| {
            other("param_count", cell(self.param_count), reason);
            None
        });
        let input_size = side(cell(self.img_size)).unwrap_or_else(|reason| {
            other("img_size", cell(self.img_size), reason);
            None
        });
        let text = |column| Some(cell(column)).filter(|text| !text.is_empty()).map(str::to_owned);
        let (interpolation, source, note) = (text(self.interpolation), text(self.source), text(self.note));
        Row {
            model,
            input_size,
            crop_pct,
            interpolation,
            top1_pct,
            top5_pct,
            params_m,
            source,
            note,
            ..Row::default()
        }
    }
}

/// Whether two figures add up to 100, to the digit.
fn sum_is_100(one: &Figure, other: &Figure) -> bool {
    let decimals = one.decimals().max(other.decimals());
    one.in_units_of(decimals) + other.in_units_of(decimals) == 100 * 10_u128.pow(decimals)
}
