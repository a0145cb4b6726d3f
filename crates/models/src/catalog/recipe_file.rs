//! A recipe that a file states: a configuration of another program (`Recipe::from_json`), or keys in TOML.

use std::path::Path;
use std::sync::Arc;

use dataset::{Recipe, regular};
use toml::{Table, Value};

use super::recipes::stated;

/// Larger files are no recipes.
const MOST_BYTES: u64 = 1 << 20;

/// What is said where nothing can be read.
const SHAPE: &str = "a recipe's file has its keys at the top, under [recipe], in one entry [[recipes]], or in a text, recipe = \"...\"";

/// Whether `text` means a file: one is there, or it ends as those do that can be read.
pub(super) fn is_meant(text: &str) -> bool {
    let path = Path::new(text);
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ["json", "toml"].iter().any(|known| ending.eq_ignore_ascii_case(known)) || path.exists()
}

/// Reads the recipe at `path`, or says what is wrong with the file.
pub(super) fn read(path: &Path) -> Result<Arc<Recipe>, String> {
    let text = regular::read_text(path, MOST_BYTES).map_err(|error| format!("cannot be read: {error}"))?;
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let recipe = match text.trim_start().starts_with('{') {
        true => Recipe::from_json(&text, &file).map_err(|error| error.to_string()),
        false => from_toml(&text, &file),
    };
    recipe.map(Arc::new)
}

fn from_toml(text: &str, file: &str) -> Result<Recipe, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        format!("is neither JSON nor TOML: {}", error.to_string().trim_end())
    })?;
    let entry = match (table.get("recipes"), table.get("recipe")) {
        (Some(Value::Array(entries)), None) => match &entries[..] {
            [Value::Table(entry)] => entry,
            _ => {
                return Err(format!(
                    "has {} entries [[recipes]]; give it as a catalog, and the recipe by its name",
                    entries.len()
                ));
            }
        },
        (None, Some(Value::Table(entry))) => entry,
        (None, Some(Value::String(text))) => {
            return match Recipe::by_name(text) {
                Some(named) => Ok(named.as_ref().clone()),
                None => text.parse().map_err(|error| format!("recipe {text}: {error}")),
            };
        }
        (None, None) => &table,
        _ => return Err(format!("is not understood: {SHAPE}")),
    };
    let mut recipe = stated(entry).map_err(|reason| format!("{reason} ({SHAPE})"))?;
    if recipe.provenance.is_empty() {
        recipe.provenance = format!("stated by {file}");
    }
    Ok(recipe)
}

#[cfg(test)]
mod tests {
    use crate::Catalog;

    fn of(name: &str, text: &str) -> Result<(String, String, String), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let found = Catalog::built_in().recipe(path.to_str().unwrap());
        let found = found.map(|it| (it.name.clone(), it.keys(), it.provenance.clone()));
        found.map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FILE"))
    }

    const KEYS: &str = "resize = \"short:256\"\nfilter = \"pil-bilinear\"\ncrop = 224\nmean = \"half\"\nstd = [0.5, 0.5, 0.5]\n";

    #[test]
    fn keys_in_a_file_are_those_of_an_inline_recipe() {
        let inline = "resize=short:256,filter=pil-bilinear,crop=224,mean=half,std=half";
        let keys = Catalog::built_in().recipe(inline).unwrap().keys();
        let as_text = Catalog::built_in().recipe(&format!("{inline},offset=floor")).unwrap().keys();
        assert_eq!(of("mine.toml", &format!("recipe = \"{inline},offset=floor\"")).unwrap().1, as_text);
        for text in [KEYS.to_owned(), format!("[recipe]\n{KEYS}"), format!("[[recipes]]\n{KEYS}")] {
            let (name, found, provenance) = of("mine.toml", &text).unwrap();
            assert_eq!((name.as_str(), found.as_str()), (keys.as_str(), keys.as_str()));
            assert_eq!(provenance, "stated by mine.toml");
        }
        let named = of("no-ending", &format!("name = \"mine\"\nprovenance = \"p\"\n{KEYS}")).unwrap();
        assert_eq!((named.0.as_str(), named.2.as_str()), ("mine", "p"));
    }

    #[test]
    fn a_file_that_states_none_is_named_with_the_reason() {
        for (name, text, expected) in [
            ("a.json", "{\"a\": 1}", "FILE: it is none of the files that state a recipe"),
            ("a.toml", "crop = ", "FILE: is neither JSON nor TOML"),
            ("a.toml", "crop = 224", "FILE: `resize` is missing"),
            ("a.toml", "[[recipes]]\ncrop = 1\n[[recipes]]\ncrop = 1", "FILE: has 2 entries [[recipes]]"),
            ("a.toml", "recipes = 1", "FILE: is not understood"),
            ("a.toml", "crop = 224\ncorp = 1", "there is no key `corp`"),
        ] {
            let error = of(name, text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = Catalog::built_in().recipe("/no/such/config.json").unwrap_err().to_string();
        assert!(error.contains("/no/such/config.json: cannot be read: "), "{error}");
        let error = Catalog::built_in().recipe(env!("CARGO_MANIFEST_DIR")).unwrap_err().to_string();
        assert!(error.contains("cannot be read: ") && error.contains("folder"), "{error}");
    }
}
