//! The recipes that a catalog knows: those with a name of ours, and a user's `[[recipes]]`.

use std::sync::Arc;

use dataset::guard::guarded_or;
use dataset::{RECIPES, Recipe, RecipeKeyError};
use thiserror::Error;
use toml::{Table, Value};

use super::Catalog;

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
}

impl Catalog {
    /// The recipe of that name, or that a text with `=` states: `key=value,key=value`.
    ///
    /// # Errors
    /// [`FindRecipeError`] if it is neither.
    pub fn recipe(&self, text: &str) -> Result<Arc<Recipe>, FindRecipeError> {
        if text.contains('=') {
            let recipe = text.parse().map(Arc::new);
            return recipe.map_err(|source| FindRecipeError::Keys { text: text.to_owned(), source });
        }
        let own = self.recipes.iter().find(|recipe| recipe.name == text).cloned();
        own.or_else(|| Recipe::by_name(text)).ok_or_else(|| self.unknown_recipe(text))
    }

    /// The recipe in the text of a file beside a model: `recipe = "NAME"` or `recipe = "key=value,key=value"`, or the keys of
    /// `[[recipes]]`, alone or under that line.
    ///
    /// # Errors
    /// In words, where it is none.
    pub fn recipe_in(&self, text: &str) -> Result<Arc<Recipe>, String> {
        let root = guarded_or(
            || toml::from_str::<Table>(text).map_err(|error| error.to_string()),
            |panic| format!("the reader of TOML failed ({panic})"),
        )?;
        let entry = match (root.get("recipe"), root.get("recipes")) {
            (Some(Value::String(text)), _) => return self.recipe(text).map_err(|error| error.to_string()),
            (Some(Value::Table(entry)), _) => entry,
            (None, Some(Value::Array(entries))) => match &entries[..] {
                [Value::Table(entry)] => entry,
                _ => return Err(format!("it has {} recipes where one belongs", entries.len())),
            },
            _ => &root,
        };
        let inline: Vec<String> =
            pairs(entry)?.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        if inline.is_empty() {
            return Err("it states no recipe".to_owned());
        }
        self.recipe(&inline.join(",")).map_err(|error| error.to_string())
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
        let text = |key: &str| match entry.get(key) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(format!("`{key}` must be text in quotes")),
        };
        let (name, summary, provenance) = (text("name")?, text("summary")?, text("provenance")?);
        let pairs = pairs(entry)?;
        let recipe = Recipe::named(&name, pairs).map_err(|error| error.to_string())?;
        if self.recipe_names().any(|known| known.eq_ignore_ascii_case(&name)) {
            return Err("the name exists already; choose another".to_owned());
        }
        self.recipes.push(Arc::new(Recipe { summary, provenance, ..recipe }));
        Ok(())
    }
}

/// What an entry says beside a recipe's keys.
const ABOUT: [&str; 3] = ["name", "summary", "provenance"];

/// The keys of an entry and their values as they are written inline.
fn pairs(entry: &Table) -> Result<Vec<(String, String)>, String> {
    let keys = entry.iter().filter(|(key, _)| !ABOUT.contains(&key.as_str()));
    keys.map(|(key, value)| Ok((key.clone(), written(key, value)?))).collect()
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
