//! What kind of value stands under each key of a catalog. It is looked at before the types are filled, because a person who
//! writes a catalog knows keys and figures, not the types of this program.

use toml::{Table, Value};

use super::figures::{Figure, FigureName};
use super::{CatalogError, INPUT_SIZES};
use crate::complexity::{FlopsRule, ParamsRule};
use crate::dtype::Dtype;

/// What a key takes.
enum Kind {
    Text,
    /// A number as printed, in quotes.
    Figure,
    /// A number from 0 on without decimals.
    Whole,
    /// The side of an input in pixels. That it is one of [`INPUT_SIZES`] is looked at later.
    Side,
    /// A number from 0 on without decimals, as large as a file can be.
    Bytes,
    Number,
    YesNo,
    OneOf(&'static [&'static str]),
    Table(&'static [Key]),
    /// `[[name]]`, any number of times.
    Tables(&'static [Key]),
}

/// A key of a table. Keys that are not listed are left to the reader of types, which knows them all.
struct Key {
    name: &'static str,
    kind: Kind,
    /// What it looks like when it is right.
    example: &'static str,
    required: bool,
}

const fn may(name: &'static str, kind: Kind, example: &'static str) -> Key {
    Key { name, kind, example, required: false }
}

const fn must(name: &'static str, kind: Kind, example: &'static str) -> Key {
    Key { name, kind, example, required: true }
}

const TOLERANCE_PP: Key = may("accuracy_tolerance_pp", Kind::Number, "accuracy_tolerance_pp = 0.05");

const MODEL: [Key; 10] = [
    must("id", Kind::Text, r#"id = "mine/finetuned""#),
    must("network", Kind::Text, r#"network = "timm-xception""#),
    must("recipe", Kind::Text, r#"recipe = "timm-333-bicubic""#),
    may("recipe_note", Kind::Text, r#"recipe_note = "what a reader should know of it""#),
    must("input_size", Kind::Side, "input_size = 299"),
    may("in_table", Kind::YesNo, "in_table = false"),
    may("weights", Kind::Table(&WEIGHTS), r#"[models.weights] with url and file"#),
    may("documented", Kind::Table(&DOCUMENTED), r#"[models.documented] with top1_pct = "79.050""#),
    may("errata", Kind::Tables(&ERRATUM), r#"[[models.errata]] with figure = "flops_g""#),
    may("tolerance", Kind::Table(&TOLERANCE), "tolerance = { top1_pct = 0.1 }"),
];

const WEIGHTS: [Key; 5] = [
    must("url", Kind::Text, r#"url = "https://example.org/model.pth""#),
    must("file", Kind::Text, r#"file = "model.pth""#),
    may("sha256_prefix", Kind::Text, r#"sha256_prefix = "43020ad28""#),
    may("md5", Kind::Text, r#"md5 = "0a58e3b7378bc2990ea3b43d5981f1f6""#),
    may("bytes", Kind::Bytes, "bytes = 91884032"),
];

const DOCUMENTED: [Key; 5] = [
    may("top1_pct", Kind::Figure, r#"top1_pct = "79.050""#),
    may("top5_pct", Kind::Figure, r#"top5_pct = "94.392""#),
    may(
        "flops_g",
        Kind::Table(&FLOPS),
        r#"flops_g = { figure = "9.198", rule = "thop-flops", input_size = 224 }"#,
    ),
    may("params_m", Kind::Table(&PARAMS), r#"params_m = { figure = "22.856", rule = "thop" }"#),
    may("dtype", Kind::OneOf(&Dtype::NAMES), r#"dtype = "bf16""#),
];

const FLOPS: [Key; 4] = [
    must("figure", Kind::Figure, r#"figure = "9.198""#),
    must("rule", Kind::OneOf(&FlopsRule::NAMES), r#"rule = "thop-flops""#),
    may("input_size", Kind::Side, "input_size = 224"),
    may("decimals", Kind::Whole, "decimals = 1"),
];

const PARAMS: [Key; 4] = [
    must("figure", Kind::Figure, r#"figure = "22.856""#),
    must("rule", Kind::OneOf(&ParamsRule::NAMES), r#"rule = "trainable""#),
    may("input_size", Kind::Side, "input_size = 224"),
    may("decimals", Kind::Whole, "decimals = 1"),
];

const ERRATUM: [Key; 3] = [
    must("figure", Kind::OneOf(&FigureName::NAMES), r#"figure = "flops_g""#),
    must(
        "corrected",
        Kind::Figure,
        r#"corrected = "15.214", the figure that should have been printed; an erratum is the verdict only where it is reproduced"#,
    ),
    must("reason", Kind::Text, r#"reason = "two digits transposed""#),
];

const TOLERANCE: [Key; 4] = [
    may("top1_pct", Kind::Number, "top1_pct = 0.1"),
    may("top5_pct", Kind::Number, "top5_pct = 0.1"),
    may("flops_g", Kind::Number, "flops_g = 0.01"),
    may("params_m", Kind::Number, "params_m = 0.01"),
];

/// Whether every value of the catalog `root` is of the kind that its key takes.
pub(super) fn check(root: &Table, origin: &str) -> Result<(), CatalogError> {
    let of_file = |reason| CatalogError::Key { origin: origin.to_owned(), reason };
    if let Some(value) = root.get(TOLERANCE_PP.name) {
        value_fault(&TOLERANCE_PP, value, "").map_or(Ok(()), |reason| Err(of_file(reason)))?;
    }
    match root.get("recipes") {
        None => {}
        Some(Value::Array(recipes)) if recipes.iter().all(Value::is_table) => {}
        Some(_) => {
            let reason = "a recipe begins with the line [[recipes]], in two pairs of brackets";
            return Err(of_file(reason.to_owned()));
        }
    }
    let models = match root.get("models") {
        None => return Ok(()),
        Some(Value::Array(models)) => models,
        Some(_) => return Err(of_file(ENTRIES.to_owned())),
    };
    for (number, model) in (1..).zip(models) {
        let Value::Table(model) = model else { return Err(of_file(ENTRIES.to_owned())) };
        if let Some(reason) = table_fault(&MODEL, model, "") {
            let id = model.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
            let id = id.map_or_else(|| format!("entry {number}"), str::to_owned);
            return Err(CatalogError::Entry { origin: origin.to_owned(), id, reason });
        }
    }
    Ok(())
}

const ENTRIES: &str = "an entry begins with the line [[models]], in two pairs of brackets";

/// The first fault of `table`, which is called `path` (with a point at its end, unless it is the entry itself).
fn table_fault(keys: &[Key], table: &Table, path: &str) -> Option<String> {
    keys.iter().find_map(|key| match table.get(key.name) {
        Some(value) => value_fault(key, value, path),
        None if key.required => Some(format!("`{path}{}` is missing; write {}", key.name, key.example)),
        None => None,
    })
}

fn value_fault(key: &Key, value: &Value, path: &str) -> Option<String> {
    let name = format!("{path}{}", key.name);
    let wrong =
        |what: &str| Some(format!("`{name}` is {}, and must be {what}: {}", shown(value), key.example));
    match (&key.kind, value) {
        (Kind::Text, Value::String(_))
        | (Kind::Number, Value::Integer(_) | Value::Float(_))
        | (Kind::YesNo, Value::Boolean(_)) => None,
        (Kind::Text, _) => wrong("text in quotes"),
        (Kind::Number, _) => wrong("a number without quotes"),
        (Kind::YesNo, _) => wrong("true or false"),
        (Kind::Whole | Kind::Side, Value::Integer(number)) if (0..=i64::from(u32::MAX)).contains(number) => {
            None
        }
        (Kind::Bytes, Value::Integer(0..)) => None,
        (Kind::Whole | Kind::Bytes, _) => wrong("a whole number from 0 on, without quotes"),
        (Kind::Side, _) => {
            let (least, most) = (INPUT_SIZES.start(), INPUT_SIZES.end());
            wrong(&format!("a whole number from {least} to {most}, without quotes"))
        }
        (Kind::Figure, Value::String(text)) => {
            let fault = Figure::try_from(text.clone()).err()?;
            Some(format!("`{name}`: {fault}; write it as it is printed: {}", key.example))
        }
        (Kind::Figure, _) => wrong("in quotes, with every digit that is printed"),
        (Kind::OneOf(names), Value::String(text)) => {
            let unknown = !names.contains(&text.as_str());
            unknown
                .then(|| format!("`{name}` is `{text}`, which there is not; there are {}", names.join(", ")))
        }
        (Kind::OneOf(names), _) => wrong(&format!("one of {} in quotes", names.join(", "))),
        (Kind::Table(keys), Value::Table(table)) => table_fault(keys, table, &format!("{name}.")),
        (Kind::Table(_), _) => wrong("keys with values"),
        (Kind::Tables(keys), Value::Array(tables)) => tables.iter().find_map(|table| match table {
            Value::Table(table) => table_fault(keys, table, &format!("{name}.")),
            _ => wrong("keys with values"),
        }),
        (Kind::Tables(_), _) => wrong("keys with values, in two pairs of brackets"),
    }
}

/// A value as a person wrote it, or what it is.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{text}\""),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(answer) => answer.to_string(),
        Value::Datetime(date) => date.to_string(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "keys with values".to_owned(),
    }
}
