//! What identifies a recipe: what it does, whatever it is called.

use std::fmt;

use dataset::Recipe;

/// A recipe by its name and in full.
#[derive(Debug, Clone)]
pub(crate) struct RecipeId {
    pub(crate) name: String,
    keys: String,
}

impl RecipeId {
    /// What a run recorded. Recipes of runs from before the keys were stored are known by their names.
    pub(crate) fn recorded(name: &str, keys: Option<&str>) -> Self {
        let by_name = || Recipe::by_name(name).map_or_else(|| name.to_owned(), |recipe| recipe.keys());
        Self { name: name.to_owned(), keys: keys.map_or_else(by_name, str::to_owned) }
    }

    /// The recipe, where its keys are known.
    pub(crate) fn recipe(&self) -> Option<Recipe> {
        self.keys.parse().ok()
    }

    /// What identifies it: the keys; the name where nobody knows them.
    pub(crate) fn keys(&self) -> &str {
        &self.keys
    }

    /// The keys, where they are known.
    pub(crate) fn in_full(&self) -> Option<&str> {
        self.keys.contains('=').then_some(self.keys.as_str())
    }

    /// How both are called where they are told apart: by their names, unless those are the same.
    pub(crate) fn told_apart<'a>(&'a self, other: &'a Self) -> [&'a str; 2] {
        match self.name == other.name {
            true => [&self.keys, &other.keys],
            false => [&self.name, &other.name],
        }
    }
}

impl From<&Recipe> for RecipeId {
    fn from(recipe: &Recipe) -> Self {
        Self { name: recipe.name.clone(), keys: recipe.keys() }
    }
}

impl PartialEq for RecipeId {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

impl fmt::Display for RecipeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_what_it_does() {
        let named = RecipeId::recorded("card-342-bilinear", None);
        let card = Recipe::by_name("card-342-bilinear").unwrap();
        assert_eq!(named, RecipeId::from(card.as_ref()));
        let stated = RecipeId::recorded("mine", Some(&card.keys()));
        assert_eq!(named, stated);
        let other = RecipeId::recorded("mine", Some(&card.keys().replace("342", "343")));
        assert_ne!(stated, other);
        assert!(stated.told_apart(&other)[0].starts_with("decoder=pil"));
        assert_eq!(named.told_apart(&other), ["card-342-bilinear", "mine"]);
        assert_eq!(RecipeId::recorded("elsewhere", None).in_full(), None);
    }
}
