//! What there is to measure and what is claimed of it: models and recipes (a catalog) and cards, the built-in ones and those of a
//! user's files. A file may have all three; nothing in it changes what is there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cards::{Card, CardError, Cards, DEFAULT_CARD, FigureName, Row};
use dataset::Recipe;
use models::catalog::FindRecipeError;
use models::{Catalog, Model};

use crate::EvalError;
use crate::record::{ClaimRecord, RecipeId};
use crate::verdict::Verdict;

/// Models, recipes and cards.
#[derive(Debug, Clone)]
pub struct Definitions {
    catalog: Catalog,
    cards: Cards,
}

/// What a card claims of a model.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The card.
    pub card: &'a Card,
    /// Its row.
    pub row: &'a Row,
    /// The recipe of the claimed accuracies.
    pub(crate) recipe: RecipeId,
}

impl Definitions {
    /// Those of this project.
    pub fn built_in() -> Self {
        Self { catalog: Catalog::built_in(), cards: Cards::built_in() }
    }

    /// Adds a user's file: its models and recipes, and its card. Gives the card's name, if it has one.
    ///
    /// # Errors
    /// [`EvalError::Catalog`] and [`EvalError::Card`]; nothing of the file is added then.
    pub fn add_file(&mut self, path: &Path) -> Result<Option<String>, EvalError> {
        self.add_text(&Catalog::read(path)?, &path.display().to_string())
    }

    /// The same of a file's `text`, which is called `origin`.
    pub(crate) fn add_text(&mut self, text: &str, origin: &str) -> Result<Option<String>, EvalError> {
        let mut all = self.clone();
        all.catalog.add(text, origin)?;
        let name = all.cards.add(text, origin)?.map(str::to_owned);
        if let Some(card) = name.as_ref().and_then(|name| all.cards.get(name).ok()) {
            all.check_recipes(card)?;
        }
        *self = all;
        Ok(name)
    }

    /// Whether every recipe that `card` names is one.
    fn check_recipes(&self, card: &Card) -> Result<(), CardError> {
        let fault = |text: &Option<String>| {
            self.catalog.recipe(text.as_deref()?).err().map(|error| error.to_string())
        };
        let origin = || card.origin.clone();
        if let Some(reason) = fault(&card.recipe) {
            return Err(CardError::Key { origin: origin(), reason: format!("[card]: `recipe`: {reason}") });
        }
        for row in &card.rows {
            if let Some(reason) = fault(&row.recipe) {
                let name = format!("row `{}`", row.model);
                return Err(CardError::Row {
                    origin: origin(),
                    row: name,
                    reason: format!("`recipe`: {reason}"),
                });
            }
        }
        Ok(())
    }

    /// The name of the card that `--card` means: one that is known, or that of a file, which is added.
    ///
    /// # Errors
    /// [`EvalError::Card`] for what is neither, and what is wrong with the file.
    pub fn card_of(&mut self, name_or_file: &str) -> Result<String, EvalError> {
        let path = Path::new(name_or_file);
        let unknown = match self.cards.get(name_or_file) {
            Ok(card) => return Ok(card.name.clone()),
            Err(unknown) => unknown,
        };
        let is_path =
            path.components().count() > 1 || path.extension().is_some_and(|ending| ending == "toml");
        if !is_path && !path.exists() {
            return Err(unknown.into());
        }
        // A file that is there already, by --catalog.
        let origin = path.display().to_string();
        if let Some(card) = self.cards.all().iter().find(|card| card.origin == origin) {
            return Ok(card.name.clone());
        }
        let name = self.add_file(path).map_err(|error| match error {
            EvalError::Catalog(models::CatalogError::Syntax { .. }) if !origin.ends_with(".toml") => {
                EvalError::NoCard { path: path.to_owned() }
            }
            other => other,
        })?;
        name.ok_or_else(|| {
            let reason = "it claims nothing; a card has [card] and [[rows]] (docs/cards.md)".to_owned();
            EvalError::Card(CardError::Key { origin, reason })
        })
    }

    /// The models and recipes.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The cards.
    pub fn cards(&self) -> &Cards {
        &self.cards
    }

    /// The models that are meant where none is named: those of the card `xception`, and a user's own.
    pub fn table(&self) -> impl Iterator<Item = &Model> {
        let of_card = self.cards.get(DEFAULT_CARD).into_iter().flat_map(|card| self.models_of(card));
        of_card.chain(self.catalog.own().iter().filter(|model| model.in_table))
    }

    /// The models that `card` has rows of, each once, in its order.
    pub fn models_of<'a>(&'a self, card: &'a Card) -> impl Iterator<Item = &'a Model> {
        let is_first =
            |(index, row): &(usize, &Row)| card.rows[..*index].iter().all(|other| other.model != row.model);
        let rows = card.rows.iter().enumerate().filter(is_first);
        rows.filter_map(|(_, row)| self.catalog.get(&row.model))
    }

    /// Selects models by ids and globs, in the catalog's order, each once; no pattern selects [`Self::table`].
    ///
    /// # Errors
    /// [`EvalError::Catalog`] for a pattern that matches nothing.
    pub fn select(&self, patterns: &[String]) -> Result<Vec<&Model>, EvalError> {
        let mut selected: Vec<&Model> = Vec::new();
        if patterns.is_empty() {
            selected.extend(self.table());
        }
        for pattern in patterns {
            selected.extend(self.catalog.select(pattern)?);
        }
        let is_selected = |model: &&Model| selected.iter().any(|other| other.id == model.id);
        Ok(self.catalog.models().iter().filter(is_selected).collect())
    }

    /// The catalog's models of the cards called `names`, in the cards' order, each once; [`Self::onnx_files`] gives the others.
    ///
    /// # Errors
    /// [`EvalError::Card`] for a card that is not known, [`EvalError::NothingToMeasure`] where one has no model that is.
    pub fn select_cards(&self, names: &[String]) -> Result<Vec<&Model>, EvalError> {
        let mut selected: Vec<&Model> = Vec::new();
        for name in names {
            let card = self.cards.get(name)?;
            for model in self.models_of(card) {
                if selected.iter().all(|other| other.id != model.id) {
                    selected.push(model);
                }
            }
            if card.onnx_files().is_empty() && self.models_of(card).next().is_none() {
                let first = card.rows.first().map(|row| row.model.clone()).unwrap_or_default();
                let nearest = self.catalog.nearest(&first);
                return Err(EvalError::NothingToMeasure {
                    card: name.clone(),
                    rows: card.rows.len(),
                    first,
                    nearest,
                });
            }
        }
        Ok(selected)
    }

    /// The ONNX files that the cards called `names` have rows of.
    pub fn onnx_files(&self, names: &[String]) -> Vec<PathBuf> {
        let cards = self.cards.all().iter().filter(|card| names.contains(&card.name));
        cards.flat_map(Card::onnx_files).collect()
    }

    /// All that is claimed of `model`, in the cards' order.
    pub fn claims_of<'a>(&'a self, model: &'a Model) -> Vec<Claim<'a>> {
        let claims = self.cards.claims_of(&model.id);
        claims.map(|(card, row)| Claim { card, row, recipe: self.recipe_of(model, row) }).collect()
    }

    /// What the cards called `names` claim of models that are not here, figure by figure.
    pub fn not_measured(&self, names: &[String]) -> Vec<ClaimRecord> {
        let cards = self.cards.all().iter().filter(|card| names.contains(&card.name));
        let rows = cards.flat_map(|card| card.rows.iter().map(move |row| (card, row)));
        let absent = rows.filter(|(_, row)| row.onnx.is_none() && self.catalog.get(&row.model).is_none());
        let figures = absent.flat_map(|(card, row)| FigureName::ALL.map(|figure| (card, row, figure)));
        let record = |(card, row, figure): (&Card, &Row, FigureName)| {
            Some(ClaimRecord {
                card: card.name.clone(),
                model: row.model.clone(),
                recipe: row.recipe.clone().unwrap_or_default(),
                figure,
                documented: row.printed(figure)?.as_str().to_owned(),
                measured: String::new(),
                rule: row.rule(figure).map(str::to_owned),
                verdict: Verdict::NotComparable,
                reason: "not measured: there is no such model here".to_owned(),
            })
        };
        figures.filter_map(record).collect()
    }

    /// The recipe of the accuracies that `row` claims of `model`.
    fn recipe_of(&self, model: &Model, row: &Row) -> RecipeId {
        // The recipes of built-in cards are tested, those of a file were looked for when it was added.
        let stated = row.recipe.as_ref().and_then(|text| self.catalog.recipe(text).ok());
        stated.map_or_else(|| own_recipe(model), |recipe| recipe.as_ref().into())
    }

    /// The recipe with which the row of `cards` about `model` was measured, where the row says another than the model's own.
    pub(crate) fn stated_recipe(
        &self,
        cards: &[String],
        id: &str,
    ) -> Option<Result<Arc<Recipe>, FindRecipeError>> {
        let claims = self.cards.claims_of(id);
        let row = claims.into_iter().find(|(card, _)| cards.contains(&card.name)).map(|(_, row)| row)?;
        row.recipe.as_ref().map(|text| self.catalog.recipe(text))
    }

    /// The recipe that the pages of `cards` state for all their rows; of no card, that of the table's.
    ///
    /// # Errors
    /// [`EvalError::CardRecipe`] where a card states none, or they state several.
    pub(crate) fn card_recipe(&self, cards: &[String]) -> Result<&str, EvalError> {
        let default = [DEFAULT_CARD.to_owned()];
        let names = if cards.is_empty() { &default } else { cards };
        let mut stated: Option<&str> = None;
        for name in names {
            let recipe = self.cards.get(name)?.recipe.as_deref().ok_or_else(|| EvalError::CardRecipe {
                reason: format!("the card `{name}` states no recipe for all its rows"),
            })?;
            if stated.is_some_and(|before| before != recipe) {
                let reason = "the selected cards state different recipes".to_owned();
                return Err(EvalError::CardRecipe { reason });
            }
            stated = Some(recipe);
        }
        Ok(stated.unwrap_or_default())
    }
}

/// The recipe of the weights' source.
pub(crate) fn own_recipe(model: &Model) -> RecipeId {
    model.recipe().map_or_else(|| RecipeId::recorded(&model.recipe, None), |recipe| recipe.as_ref().into())
}

/// Which of `claims` a model is shown with: of the cards called `selected`, or of the first card that claims anything, the one
/// under the conditions of the measurement, else the first.
pub(crate) fn shown<'c, 'a>(
    claims: &'c [Claim<'a>],
    selected: &[String],
    recipe: &RecipeId,
    dtype: &str,
) -> Option<&'c Claim<'a>> {
    let is_selected = |claim: &&Claim<'_>| selected.is_empty() || selected.contains(&claim.card.name);
    let first = claims.iter().find(is_selected)?;
    let of_card = || claims.iter().filter(|claim| claim.card.name == first.card.name);
    let fits = |claim: &&Claim<'_>| claim.recipe == *recipe && claim.row.precision.name() == dtype;
    of_card().find(fits).or_else(|| of_card().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> Result<Definitions, EvalError> {
        let folder = tempfile::tempdir().unwrap();
        let mut definitions = Definitions::built_in();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            definitions.add_file(&path)?;
        }
        Ok(definitions)
    }

    const MODEL: &str = "[[models]]\nid = \"mine/x\"\nnetwork = \"timm-xception\"\nrecipe = \"card-342-bilinear\"\ninput_size = 299\n";
    const DOCUMENTED: &str = "[models.documented]\ntop1_pct = \"79.0\"\n";

    #[test]
    fn the_table_is_the_default_cards() {
        let definitions = Definitions::built_in();
        assert_eq!(definitions.table().count(), 12);
        for card in definitions.cards().all() {
            definitions.check_recipes(card).unwrap();
            assert!(card.rows.iter().all(|row| row.printed(cards::FigureName::Top1Pct).is_some()));
        }
        let with = |more: &str| with(&[("own.toml", &format!("{MODEL}{more}"))]).unwrap();
        assert_eq!(with(DOCUMENTED).table().count(), 13);
        assert_eq!(with("in_table = false\n").table().count(), 12);
    }

    #[test]
    fn a_file_may_have_models_recipes_and_a_card() {
        let recipe = "[[recipes]]\nname = \"ours\"\nresize = \"short:320\"\nfilter = \"pil-box\"\ncrop = 299\nmean = \"half\"\nstd = \"half\"\n";
        let card = "[card]\nname = \"ours\"\nrecipe = \"ours\"\n[[rows]]\nmodel = \"timm/xception\"\nrecipe = \"ours\"\ntop1_pct = \"79.0\"\n";
        let definitions = with(&[("all.toml", &format!("{recipe}{MODEL}{DOCUMENTED}{card}"))]).unwrap();
        let model = definitions.catalog().get("timm/xception").unwrap();
        let claims = definitions.claims_of(model);
        let named: Vec<_> =
            claims.iter().map(|claim| (claim.card.name.as_str(), claim.recipe.name.as_str())).collect();
        assert_eq!(named, [("xception", "timm-333-bicubic"), ("ours", "ours")]);
        // The file's own model is claimed by its card, too.
        let own = definitions.claims_of(definitions.catalog().get("mine/x").unwrap());
        assert_eq!((own.len(), own[0].card.name.as_str()), (1, "ours"));
        let ids: Vec<_> =
            definitions.select_cards(&["ours".to_owned()]).unwrap().iter().map(|it| it.id.clone()).collect();
        assert_eq!(ids, ["timm/xception", "mine/x"]);
        assert_eq!(definitions.card_recipe(&["ours".to_owned()]).unwrap(), "ours");
        assert_eq!(definitions.card_recipe(&[]).unwrap(), "card-342-bilinear");
        let error = definitions.card_recipe(&["timm-results".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("the card `timm-results` states no recipe"), "{error}");
        // The first card that claims a model is the one that it is shown with.
        let shown = |selected: &[String]| {
            shown(&claims, selected, &claims[1].recipe, "f32").map(|claim| claim.card.name.clone())
        };
        assert_eq!(shown(&[]).as_deref(), Some("xception"));
        assert_eq!(shown(&["ours".to_owned()]).as_deref(), Some("ours"));
        assert_eq!(shown(&["timm-results".to_owned()]), None);
    }

    #[test]
    fn what_is_wrong_is_said_and_nothing_is_added() {
        let card = |rows: &str| format!("[card]\nname = \"c\"\n{rows}");
        for (text, expected) in [
            (
                card("[[rows]]\nmodel = \"timm/xception\"\nrecipe = \"car-342\"\n"),
                "row `timm/xception`: `recipe`: there is no recipe `car-342`",
            ),
            (
                card("recipe = \"nosuch\"\n[[rows]]\nmodel = \"x\"\n"),
                "[card]: `recipe`: there is no recipe `nosuch`",
            ),
            (
                card("").replace("\"c\"", "\"xception\"") + "[[rows]]\nmodel = \"x\"\n",
                "there is a card `xception` already",
            ),
        ] {
            let error = with(&[("c.toml", &text)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let mut definitions = Definitions::built_in();
        let error = definitions.card_of("xcepton").unwrap_err().to_string();
        assert!(
            error.contains("there is no card `xcepton`") && error.contains("did you mean xception?"),
            "{error}"
        );
        let unmeasured = with(&[("c.toml", &card("[[rows]]\nmodel = \"timm/xceptoin\"\n"))]).unwrap();
        let error = unmeasured.select_cards(&["c".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("timm/xceptoin") && error.contains("timm/xception"), "{error}");
    }

    /// A user's file must not change how another's models are judged.
    #[test]
    fn a_files_tolerance_holds_for_its_own_entries() {
        let entry = |id: &str| MODEL.replace("mine/x", id);
        let definitions = with(&[
            ("loose.toml", &format!("accuracy_tolerance_pp = 50\n{}{DOCUMENTED}", entry("loose/x"))),
            ("none.toml", &format!("{}{DOCUMENTED}", entry("none/x"))),
            ("exact.toml", &format!("accuracy_tolerance_pp = 0.0\n{}{DOCUMENTED}", entry("exact/x"))),
        ])
        .unwrap();
        let of = |id: &str| {
            definitions.claims_of(definitions.catalog().get(id).unwrap())[0].card.accuracy_tolerance_pp
        };
        assert_eq!(["timm/xception", "loose/x", "none/x", "exact/x"].map(of), [0.05, 50.0, 0.05, 0.0]);
    }
}
