//! A card out of a TOML file: `[card]` and `[[rows]]`, and what the file's own `[[models]]` document. The models themselves
//! and the recipes of such a file are read by the crate `models`, from the same text.

use std::path::Path;

use graph::complexity::{FlopsRule, INPUT_SIZES, ParamsRule};
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Table;
use toml_keys::{Key, Kind};

use crate::card::{Card, Precision, Row};
use crate::error::CardError;
use crate::figures::{Counted, Erratum, Figure, FigureName, Tolerance, UNSTATED};
use crate::{ACCURACY_TOLERANCE_PP, bounds};

/// A figure as text, or what is wrong with it.
const FIGURE: Kind = Kind::Figure(|text| Figure::try_from(text.to_owned()).err());
const SIDE: Kind = Kind::Side(*INPUT_SIZES.start(), *INPUT_SIZES.end());

const FLOPS_RULES: [&str; FlopsRule::NAMES.len() + 1] = and_unstated(&FlopsRule::NAMES);
const PARAMS_RULES: [&str; ParamsRule::NAMES.len() + 1] = and_unstated(&ParamsRule::NAMES);

/// `names` and [`UNSTATED`].
const fn and_unstated<const N: usize>(names: &[&'static str]) -> [&'static str; N] {
    let mut all = [UNSTATED; N];
    let mut index = 0;
    while index < names.len() {
        all[index] = names[index];
        index += 1;
    }
    all
}

const MODEL_EXAMPLE: &str = r#"model = "timm/xception""#;

const TOLERANCE_PP: Key = Key::may("accuracy_tolerance_pp", Kind::Number, "accuracy_tolerance_pp = 0.05");

const CARD: [Key; 6] = [
    Key::must("name", Kind::Text, r#"name = "mine""#),
    Key::may("title", Kind::Text, r#"title = "What our team claims""#),
    Key::may("source", Kind::Text, r#"source = "https://example.org/table.html""#),
    Key::may("note", Kind::Text, r#"note = "what a reader should know of it""#),
    Key::may("recipe", Kind::Text, r#"recipe = "card-342-bilinear""#),
    TOLERANCE_PP,
];

const ROW: [Key; 15] = [
    Key::may("model", Kind::Text, MODEL_EXAMPLE),
    Key::may("onnx", Kind::Text, r#"onnx = "resnet50.onnx""#),
    Key::may("recipe", Kind::Text, r#"recipe = "card-342-bilinear""#),
    Key::may("input_size", SIDE, "input_size = 299"),
    Key::may("crop_pct", FIGURE, r#"crop_pct = "0.875""#),
    Key::may("interpolation", Kind::Text, r#"interpolation = "bicubic""#),
    Key::may("source", Kind::Text, r#"source = "https://example.org/table.html""#),
    Key::may("note", Kind::Text, r#"note = "what a reader should know of it""#),
    TOP1,
    TOP5,
    FLOPS_G,
    PARAMS_M,
    DTYPE,
    Key::may("errata", Kind::Tables(&ERRATUM), r#"[[rows.errata]] with figure = "flops_g""#),
    Key::may("tolerance", Kind::Table(&TOLERANCE), "tolerance = { top1_pct = 0.1 }"),
];

/// What a model's own entry claims; its other keys are the models' business.
const MODEL: [Key; 3] = [
    Key::may("documented", Kind::Table(&DOCUMENTED), r#"[models.documented] with top1_pct = "79.050""#),
    Key::may("errata", Kind::Tables(&ERRATUM), r#"[[models.errata]] with figure = "flops_g""#),
    Key::may("tolerance", Kind::Table(&TOLERANCE), "tolerance = { top1_pct = 0.1 }"),
];

const DOCUMENTED: [Key; 5] = [TOP1, TOP5, FLOPS_G, PARAMS_M, DTYPE];

const TOP1: Key = Key::may("top1_pct", FIGURE, r#"top1_pct = "79.050""#);
const TOP5: Key = Key::may("top5_pct", FIGURE, r#"top5_pct = "94.392""#);
const FLOPS_G: Key = Key::may(
    "flops_g",
    Kind::Table(&FLOPS),
    r#"flops_g = { figure = "9.198", rule = "thop-flops", input_size = 224 }"#,
);
const PARAMS_M: Key =
    Key::may("params_m", Kind::Table(&PARAMS), r#"params_m = { figure = "22.856", rule = "thop" }"#);
const DTYPE: Key = Key::may("dtype", Kind::OneOf(&Precision::NAMES), r#"dtype = "bf16""#);

const FLOPS: [Key; 5] = [
    Key::must("figure", FIGURE, r#"figure = "9.198""#),
    Key::must("rule", Kind::OneOf(&FLOPS_RULES), r#"rule = "thop-flops""#),
    Key::may("input_size", SIDE, "input_size = 224"),
    Key::may("decimals", Kind::Whole, "decimals = 1"),
    Key::may("source_figure", FIGURE, r#"source_figure = "9.198""#),
];

const PARAMS: [Key; 5] = [
    Key::must("figure", FIGURE, r#"figure = "22.856""#),
    Key::must("rule", Kind::OneOf(&PARAMS_RULES), r#"rule = "trainable""#),
    Key::may("input_size", SIDE, "input_size = 224"),
    Key::may("decimals", Kind::Whole, "decimals = 1"),
    Key::may("source_figure", FIGURE, r#"source_figure = "22.856""#),
];

const ERRATUM: [Key; 4] = [
    Key::must("figure", Kind::OneOf(&FigureName::NAMES), r#"figure = "flops_g""#),
    Key::may("printed", FIGURE, r#"printed = "15.241""#),
    Key::must(
        "corrected",
        FIGURE,
        r#"corrected = "15.214", the figure that should have been printed; an erratum is the verdict only where it is reproduced"#,
    ),
    Key::must("reason", Kind::Text, r#"reason = "two digits transposed""#),
];

const TOLERANCE: [Key; 4] = [
    Key::may("top1_pct", Kind::Number, "top1_pct = 0.1"),
    Key::may("top5_pct", Kind::Number, "top5_pct = 0.1"),
    Key::may("flops_g", Kind::Number, "flops_g = 0.01"),
    Key::may("params_m", Kind::Number, "params_m = 0.01"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardFile {
    accuracy_tolerance_pp: Option<f64>,
    card: Option<Head>,
    #[serde(default)]
    rows: Vec<RowEntry>,
    #[serde(default)]
    models: Vec<ModelEntry>,
    #[serde(default, rename = "recipes")]
    _recipes: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: String,
    title: Option<String>,
    source: Option<String>,
    note: Option<String>,
    recipe: Option<String>,
    accuracy_tolerance_pp: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowEntry {
    model: Option<String>,
    onnx: Option<String>,
    recipe: Option<String>,
    #[serde(default)]
    dtype: Precision,
    input_size: Option<usize>,
    crop_pct: Option<Figure>,
    interpolation: Option<String>,
    source: Option<String>,
    note: Option<String>,
    top1_pct: Option<Figure>,
    top5_pct: Option<Figure>,
    flops_g: Option<Counted<FlopsRule>>,
    params_m: Option<Counted<ParamsRule>>,
    #[serde(default)]
    errata: Vec<Erratum>,
    #[serde(default)]
    tolerance: Tolerance,
}

/// A model's own entry, of which the other keys are read by the crate `models`.
#[derive(Deserialize)]
struct ModelEntry {
    #[serde(default)]
    id: String,
    #[serde(default)]
    documented: Documented,
    #[serde(default)]
    errata: Vec<Erratum>,
    tolerance: Option<Tolerance>,
}

/// What a model's own entry documents: any of the figures, or none.
#[derive(Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Documented {
    top1_pct: Option<Figure>,
    top5_pct: Option<Figure>,
    flops_g: Option<Counted<FlopsRule>>,
    params_m: Option<Counted<ParamsRule>>,
    #[serde(default)]
    dtype: Precision,
}

impl Card {
    /// The card that `text` has, a TOML file called `origin`; none if it claims nothing. Without a name of its own it is called
    /// `file_name`.
    ///
    /// # Errors
    /// [`CardError`] for what is no TOML, keys that there are not, values that their keys do not take, and figures that cannot be.
    pub fn of_toml(text: &str, origin: &str, file_name: &str) -> Result<Option<Self>, CardError> {
        let origin = origin.to_owned();
        let syntax = |source| CardError::Syntax { origin: origin.clone(), source };
        let of_file = |reason| CardError::Key { origin: origin.clone(), reason };
        let root: Table = toml_keys::read(text, syntax, of_file)?;
        check(&root, &origin)?;
        let file: CardFile = toml_keys::read(text, syntax, of_file)?;
        let of_head = file.card.as_ref().and_then(|head| head.accuracy_tolerance_pp);
        if of_head.is_some() && file.accuracy_tolerance_pp.is_some() {
            let reason = "accuracy_tolerance_pp stands there twice, once under [card]; leave one of them out";
            return Err(of_file(reason.to_owned()));
        }
        let own_pp = of_head.or(file.accuracy_tolerance_pp);
        let tolerance = own_pp.unwrap_or(ACCURACY_TOLERANCE_PP);
        if !bounds::PER_CENT.contains(&tolerance) {
            return Err(CardError::Tolerance { origin, tolerance });
        }
        let has_head = file.card.is_some();
        if !has_head && !file.rows.is_empty() {
            return Err(of_file(
                "its [[rows]] are of no card; write [card] with name = \"mine\" above them".to_owned(),
            ));
        }
        let mut card = Self::of_head(file.card, file_name, tolerance, &origin);
        if let Some(reason) = has_head.then(|| fault_of_name(&card.name)).flatten() {
            return Err(of_file(reason));
        }
        for (number, entry) in (1..).zip(file.rows) {
            let called = |name: Option<&String>| match name {
                Some(name) => format!("row `{name}`"),
                None => format!("row `entry {number}`"),
            };
            let row = called(entry.model.as_ref().or(entry.onnx.as_ref()));
            let row_entry = Row::try_from(entry);
            let entry = row_entry.map_err(|reason| CardError::Row { origin: origin.clone(), row, reason })?;
            let name = called(Some(&entry.model));
            card.add(entry, "", &name)?;
        }
        for entry in file.models {
            // A tolerance of the file is about its models too where nothing is documented: `compare` holds runs to it.
            let claims = entry.documented != Documented::default() || !entry.errata.is_empty();
            if claims || entry.tolerance.is_some() || own_pp.is_some() {
                let row = Row::from(entry);
                let name = format!("model `{}`", row.model);
                card.add(row, "documented.", &name)?;
            }
        }
        match card.rows.is_empty() {
            true if has_head => {
                Err(of_file("it has no rows; write [[rows]] with model = \"timm/xception\"".to_owned()))
            }
            true => Ok(None),
            false => Ok(Some(card)),
        }
    }

    fn of_head(head: Option<Head>, file_name: &str, accuracy_tolerance_pp: f64, origin: &str) -> Self {
        let (name, title, source, note, recipe) = match head {
            Some(Head { name, title, source, note, recipe, .. }) => (name, title, source, note, recipe),
            None => (file_name.to_owned(), None, None, None, None),
        };
        let origin = origin.to_owned();
        Self { name, title, source, note, recipe, accuracy_tolerance_pp, rows: Vec::new(), origin }
    }

    /// Adds `row`, if it is possible and the only one of its kind. `path` is what stands before its figures' keys.
    pub(crate) fn add(&mut self, row: Row, path: &str, name: &str) -> Result<(), CardError> {
        let twice = || {
            self.rows.iter().any(|other| other.is_about_the_same(&row)).then(|| {
                "there is a row of this model already, with the same recipe, dtype and input_size; leave one of them out".to_owned()
            })
        };
        let fault = fault_of_model(&row.model).or_else(|| bounds::fault(&row, path)).or_else(twice);
        if let Some(reason) = fault {
            return Err(CardError::Row { origin: self.origin.clone(), row: name.to_owned(), reason });
        }
        self.rows.push(row);
        Ok(())
    }
}

impl TryFrom<RowEntry> for Row {
    type Error = String;

    fn try_from(entry: RowEntry) -> Result<Self, String> {
        let of_file = entry.onnx.as_deref().map(onnx_id).transpose()?;
        let model = match (entry.model, of_file) {
            (None, None) => {
                return Err(format!("`model` is missing; write {MODEL_EXAMPLE}, or onnx = \"file.onnx\""));
            }
            (Some(model), Some(id)) if model != id => {
                return Err(format!(
                    "its model is `{model}`, but that of its ONNX file is called `{id}`; leave `model` out"
                ));
            }
            (Some(model), _) => model,
            (None, Some(id)) => id,
        };
        Ok(Self {
            model,
            onnx: entry.onnx,
            recipe: entry.recipe,
            precision: entry.dtype,
            input_size: entry.input_size,
            crop_pct: entry.crop_pct,
            interpolation: entry.interpolation,
            top1_pct: entry.top1_pct,
            top5_pct: entry.top5_pct,
            flops_g: entry.flops_g,
            params_m: entry.params_m,
            errata: entry.errata,
            tolerance: entry.tolerance,
            source: entry.source,
            note: entry.note,
        })
    }
}

/// The id of the model that is this ONNX file.
fn onnx_id(file: &str) -> Result<String, String> {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).filter(|stem| !stem.is_empty());
    let stem = stem
        .ok_or_else(|| format!("`onnx` is {file:?}, which names no file; write onnx = \"resnet50.onnx\""))?;
    Ok(format!("onnx/{stem}"))
}

impl From<ModelEntry> for Row {
    fn from(ModelEntry { id, documented, errata, tolerance }: ModelEntry) -> Self {
        Self {
            model: id,
            precision: documented.dtype,
            top1_pct: documented.top1_pct,
            top5_pct: documented.top5_pct,
            flops_g: documented.flops_g,
            params_m: documented.params_m,
            errata,
            tolerance: tolerance.unwrap_or_default(),
            ..Self::default()
        }
    }
}

/// Whether every value of `root` that is a card's business is of the kind that its key takes.
fn check(root: &Table, origin: &str) -> Result<(), CardError> {
    let of_file = |reason| CardError::Key { origin: origin.to_owned(), reason };
    let head = root.get("card").map(|head| match head.as_table() {
        Some(head) => toml_keys::fault(&CARD, head).map(|fault| format!("[card]: {fault}")),
        None => Some("a card begins with the line [card], in one pair of brackets".to_owned()),
    });
    if let Some(reason) = TOLERANCE_PP.fault(root).or_else(|| head.flatten()) {
        return Err(of_file(reason));
    }
    for (kind, what, name, keys) in
        [("row", "a row", "rows", &ROW[..]), ("model", "an entry", "models", &MODEL[..])]
    {
        let entries = toml_keys::entries(root, name, what).map_err(of_file)?;
        for (number, entry) in (1..).zip(entries) {
            if let Some(reason) = toml_keys::fault(keys, entry) {
                let key = if kind == "row" { "model" } else { "id" };
                let row = format!("{kind} `{}`", toml_keys::entry_name(entry, key, number));
                return Err(CardError::Row { origin: origin.to_owned(), row, reason });
            }
        }
    }
    Ok(())
}

/// What is wrong with a card's name.
pub(crate) fn fault_of_name(name: &str) -> Option<String> {
    const LONGEST: usize = 100;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    (!plain || !begins || name.len() > LONGEST).then(|| {
        format!(
            "[card]: its name is {name:?}; a name has letters, digits, '.', '_' and '-', begins with a letter or a digit, and has \
             {LONGEST} characters at most"
        )
    })
}

/// What is wrong with the name of a row's model. Cards of others call models as they like, so it need not be an id.
pub(crate) fn fault_of_model(name: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let wrong = name.is_empty()
        || name.ends_with('/')
        || name.len() > LONGEST
        || name.trim() != name
        || name.contains(invisible);
    wrong.then(|| {
        format!("its model is {name:?}; write an id such as timm/xception, in at most {LONGEST} visible characters")
    })
}
