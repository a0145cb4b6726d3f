//! The recipes that a catalog knows: those with a name of ours, and a user's `[[recipes]]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataset::{RECIPES, Recipe, RecipeKeyError};
use thiserror::Error;
use toml::{Table, Value};

use super::{Catalog, recipe_file};

/// Why a text is no recipe.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FindRecipeError {
    /// It has no `=`, and no recipe is called so.
    #[error("there is no recipe `{name}`; there are {}{}", known.join(", "), nearest.as_ref().map_or_else(String::new, |nearest| format!(" (did you mean {nearest}?)")))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The recipe whose name resembles it, if one does.
        nearest: Option<String>,
        /// Recipes there are.
        known: Vec<String>,
    },
    /// Its keys are wrong.
    #[error("recipe {text}: {source}")]
    Keys {
        /// What was asked for.
        text: String,
        /// What is wrong with it.
        #[source]
        source: RecipeKeyError,
    },
    /// A file states none.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Catalog {
    /// The recipe of that name, that a file states, or that a text with `=` states: `key=value,key=value`.
    ///
    /// # Errors
    /// [`FindRecipeError`] if it is none of these.
    pub fn recipe(&self, text: &str) -> Result<Arc<Recipe>, FindRecipeError> {
        let own = self.recipes.iter().find(|recipe| recipe.name == text).cloned();
        if let Some(named) = own.or_else(|| Recipe::by_name(text)) {
            return Ok(named);
        }
        if recipe_file::is_meant(text) {
            let path = Path::new(text);
            let recipe = recipe_file::read(path);
            return recipe.map_err(|reason| FindRecipeError::File { path: path.to_owned(), reason });
        }
        if text.contains('=') {
            let recipe = text.parse().map(Arc::new);
            return recipe.map_err(|source| FindRecipeError::Keys { text: text.to_owned(), source });
        }
        Err(self.unknown_recipe(text))
    }

    fn unknown_recipe(&self, name: &str) -> FindRecipeError {
        let known: Vec<String> = self.recipe_names().map(str::to_owned).collect();
        let alike = known.iter().map(|known| (strsim::jaro_winkler(name, known), known));
        let nearest = alike.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(alike, _)| *alike > 0.7);
        FindRecipeError::Unknown {
            name: name.to_owned(),
            nearest: nearest.map(|(_, name)| name.clone()),
            known: known.clone(),
        }
    }

    fn recipe_names(&self) -> impl Iterator<Item = &str> {
        RECIPES.iter().map(|recipe| recipe.name).chain(self.recipes.iter().map(|recipe| recipe.name.as_str()))
    }

    /// Adds a user's recipe, an entry of `[[recipes]]`, or says what is wrong with it.
    pub(super) fn add_recipe(&mut self, entry: &Table) -> Result<(), String> {
        let recipe = stated(entry)?;
        // Without a name it is called by its keys, which nobody can ask for.
        if !entry.contains_key("name") {
            return Err("`name` is missing".to_owned());
        }
        if self.recipe_names().any(|known| known.eq_ignore_ascii_case(&recipe.name)) {
            return Err("the name exists already; choose another".to_owned());
        }
        self.recipes.push(Arc::new(recipe));
        Ok(())
    }
}

/// The recipe that a table states, called by its `name` or by its keys.
pub(super) fn stated(entry: &Table) -> Result<Recipe, String> {
    let text = |key: &str| match entry.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{key}` must be text in quotes")),
    };
    let (name, summary, provenance) = (text("name")?, text("summary")?, text("provenance")?);
    let about = ["name", "summary", "provenance"];
    let keys = entry.iter().filter(|(key, _)| !about.contains(&key.as_str()));
    let pairs = keys.map(|(key, value)| Ok((key.clone(), written(key, value)?)));
    let pairs = pairs.collect::<Result<Vec<_>, String>>()?;
    let recipe = match name {
        Some(name) => Recipe::named(&name, pairs),
        None => Recipe::unnamed(pairs),
    };
    let recipe = recipe.map_err(|error| error.to_string())?;
    let (summary, provenance) = (summary.unwrap_or_default(), provenance.unwrap_or_default());
    Ok(Recipe { summary, provenance, ..recipe })
}

/// A value as it is written inline.
fn written(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Array(values) => {
            let values = values.iter().map(|value| match value {
                Value::Integer(_) | Value::Float(_) => written(key, value),
                _ => Err(format!("`{key}` is a list of something else than numbers")),
            });
            Ok(values.collect::<Result<Vec<_>, _>>()?.join("/"))
        }
        _ => Err(format!("`{key}` must be text in quotes, a number or a list of numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "[[recipes]]\nname = \"mine\"\nresize = \"exact:100x80\"\nfilter = \"opencv-area\"\n\
                       mean = [0.5, 0.5, 0.5]\nstd = \"0.5/0.25/1\"\nscale = 127.5\nsummary = \"s\"\n";

    fn add(text: &str) -> Result<Catalog, String> {
        let mut catalog = Catalog::built_in();
        catalog.add(text, "own.toml").map(|()| catalog).map_err(|error| error.to_string())
    }

    #[test]
    fn a_users_recipe_is_stated_by_the_keys_of_an_inline_one() {
        let catalog = add(OWN).unwrap();
        let recipe = catalog.recipe("mine").unwrap();
        let inline = "filter=opencv-area,resize=exact:100x80,mean=half,std=0.5/0.25/1,scale=127.5";
        assert_eq!(recipe.keys(), catalog.recipe(inline).unwrap().keys());
        assert_eq!((recipe.name.as_str(), recipe.summary.as_str()), ("mine", "s"));
        let error = catalog.recipe("mime").unwrap_err().to_string();
        assert!(error.contains("(did you mean mine?)"), "{error}");
        assert!(catalog.recipe("crop=1").unwrap_err().to_string().contains("`resize` is missing"));
    }

    #[test]
    fn what_is_wrong_names_the_file_and_the_recipe() {
        for (from, to, expected) in [
            ("\"mine\"", "\"card\"", "recipe `card`: `card` cannot be a recipe's name"),
            ("\"mine\"", "\"Timm-333-bicubic\"", "the name exists already"),
            ("\"mine\"", "7", "recipe `entry 1`: `name` must be text in quotes"),
            ("resize =", "resise =", "there is no key `resise`; did you mean `resize`?"),
            ("opencv-area", "opencv-aria", "did you mean `opencv-area`?"),
            ("[0.5, 0.5, 0.5]", "[\"a\"]", "`mean` is a list of something else than numbers"),
            ("[0.5, 0.5, 0.5]", "[0.5]", "three numbers"),
            (
                "scale = 127.5",
                "scale = true",
                "`scale` must be text in quotes, a number or a list of numbers",
            ),
            ("[[recipes]]", "[recipes]", "begins with the line [[recipes]]"),
        ] {
            let error = add(&OWN.replace(from, to)).unwrap_err();
            assert!(error.starts_with("the catalog own.toml") && error.contains(expected), "{error}");
        }
        let model =
            "[[models]]\nid = \"mine/x\"\nnetwork = \"timm-resnet18\"\nrecipe = \"mine\"\ninput_size = 100\n";
        let error = add(&format!("{OWN}{model}")).unwrap_err();
        assert!(error.contains("crops 100x80 pixels; an entry's crop is a square"), "{error}");
    }
}
