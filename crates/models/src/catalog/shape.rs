//! Which keys a model's entry has and what each takes, by [`toml_keys`]. What an entry documents (`documented`, `errata`,
//! `tolerance`) is read by the crate `cards`.

use graph::complexity::INPUT_SIZES;
use toml::Table;
use toml_keys::{Key, Kind};

use super::CatalogError;

const MODEL: [Key; 7] = [
    Key::must("id", Kind::Text, r#"id = "mine/finetuned""#),
    Key::must("network", Kind::Text, r#"network = "timm-xception""#),
    Key::must("recipe", Kind::Text, r#"recipe = "timm-333-bicubic""#),
    Key::may("recipe_note", Kind::Text, r#"recipe_note = "what a reader should know of it""#),
    Key::must("input_size", Kind::Side(*INPUT_SIZES.start(), *INPUT_SIZES.end()), "input_size = 299"),
    Key::may("in_table", Kind::YesNo, "in_table = false"),
    Key::may("weights", Kind::Table(&WEIGHTS), r#"[models.weights] with url and file"#),
];

const WEIGHTS: [Key; 6] = [
    Key::must("url", Kind::Text, r#"url = "https://example.org/model.pth""#),
    Key::must("file", Kind::Text, r#"file = "model.pth""#),
    Key::may("member", Kind::Text, r#"member = "package/models/model.pth""#),
    Key::may("sha256_prefix", Kind::Text, r#"sha256_prefix = "43020ad28""#),
    Key::may("md5", Kind::Text, r#"md5 = "0a58e3b7378bc2990ea3b43d5981f1f6""#),
    Key::may("bytes", Kind::Bytes, "bytes = 91884032"),
];

/// Whether every value of the catalog `root` is of the kind that its key takes.
pub(super) fn check(root: &Table, origin: &str) -> Result<(), CatalogError> {
    let of_file = |reason| CatalogError::Key { origin: origin.to_owned(), reason };
    toml_keys::entries(root, "recipes", "a recipe").map_err(of_file)?;
    let models = toml_keys::entries(root, "models", "an entry").map_err(of_file)?;
    for (number, model) in (1..).zip(models) {
        if let Some(reason) = toml_keys::fault(&MODEL, model) {
            let id = toml_keys::entry_name(model, "id", number);
            return Err(CatalogError::Entry { origin: origin.to_owned(), id, reason });
        }
    }
    Ok(())
}
