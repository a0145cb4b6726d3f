//! Options that several verbs have.

use std::path::PathBuf;

use clap::Args;
use eval::Definitions;
use eval::report::shell_command;
use models::Model;

/// Models to look at, those of the catalog's table by default.
#[derive(Args)]
pub(crate) struct Select {
    /// Models by id or glob, such as timm/xception or 'timm/*' [default: the table's]
    #[arg(value_name = "ID_OR_GLOB", conflicts_with_all = ["all", "model", "card"])]
    positional: Vec<String>,

    /// All models of the documented table (the card xception), and of --catalog; others are named, such as timm/resnet18
    #[arg(long, conflicts_with_all = ["model", "card"])]
    all: bool,

    /// A model by id or glob; may be repeated
    #[arg(long, value_name = "ID_OR_GLOB")]
    model: Vec<String>,

    /// The models that a card has rows of: its name (`card list`) or its file; may be repeated
    #[arg(long, value_name = "NAME_OR_FILE", conflicts_with = "model")]
    card: Vec<String>,

    #[command(flatten)]
    pub(crate) catalog: CatalogArgs,
}

/// What was selected, and what is known beside it.
pub(crate) struct Selection {
    pub(crate) definitions: Definitions,
    /// The cards that were selected, by name; none where models were.
    pub(crate) cards: Vec<String>,
    patterns: Vec<String>,
}

impl Selection {
    /// The models.
    pub(crate) fn models(&self) -> anyhow::Result<Vec<&Model>> {
        Ok(match &self.cards[..] {
            [] => self.definitions.select(&self.patterns)?,
            cards => {
                let models = self.definitions.select_cards(cards)?;
                if models.is_empty() {
                    anyhow::bail!(
                        "the rows of {} are about ONNX files, of which neither published weights nor frozen answers are known; eval, \
                         compare and complexity take such a card",
                        cards.join(", ")
                    );
                }
                models
            }
        })
    }

    /// A line about the catalog's models that a selection without names passes over, empty if there are none.
    pub(crate) fn passed_over(&self) -> String {
        let is_named = !self.patterns.is_empty() || !self.cards.is_empty();
        let is_in = |model: &&Model| self.definitions.table().any(|other| other.id == model.id);
        let all = self.definitions.catalog().models().iter().filter(|model| !is_in(model));
        let ids: Vec<&str> = all.map(|model| model.id.as_str()).collect();
        if is_named || ids.is_empty() {
            String::new()
        } else {
            format!("Beside the table, when named: {}.\n", ids.join(", "))
        }
    }
}

impl Select {
    /// Reads the files that it names, and finds the cards.
    pub(crate) fn load(&self) -> anyhow::Result<Selection> {
        let (definitions, cards) = self.catalog.load_with(&self.card)?;
        Ok(Selection { definitions, cards, patterns: self.patterns() })
    }

    /// The arguments that make this selection again, for a shell, with a space before each.
    pub(crate) fn as_arguments(&self) -> String {
        let catalogs = self.catalog.catalog.iter().map(|path| format!("--catalog={}", path.display()));
        let cards = self.card.iter().map(|card| format!("--card={card}"));
        let arguments: Vec<String> = catalogs.chain(cards).chain(self.patterns()).collect();
        if arguments.is_empty() { String::new() } else { format!(" {}", shell_command(&arguments)) }
    }

    /// The patterns; none means the table.
    pub(crate) fn patterns(&self) -> Vec<String> {
        [self.positional.as_slice(), self.model.as_slice()].concat()
    }
}

/// Files with models, recipes and claims.
#[derive(Args)]
pub(crate) struct CatalogArgs {
    /// Models, recipes and a card of your own, added to the built-in ones (docs/cards.md)
    #[arg(long, value_name = "FILE")]
    catalog: Vec<PathBuf>,
}

impl CatalogArgs {
    /// What is built in, with the user's files.
    pub(crate) fn load(&self) -> anyhow::Result<Definitions> {
        let mut definitions = Definitions::built_in();
        for path in &self.catalog {
            definitions.add_file(path)?;
        }
        Ok(definitions)
    }

    /// The same with the files of `cards`, and what those are called.
    pub(crate) fn load_with(&self, cards: &[String]) -> anyhow::Result<(Definitions, Vec<String>)> {
        let mut definitions = self.load()?;
        let mut names: Vec<String> = Vec::new();
        for card in cards {
            let name = definitions.card_of(card)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok((definitions, names))
    }
}

/// By which cards a verb judges.
#[derive(Args)]
pub(crate) struct JudgedBy {
    /// Judge by this card: its name (`card list`) or its file; may be repeated [default: those that the run was made with, else the
    /// first that claims something of a model]
    #[arg(long, value_name = "NAME_OR_FILE")]
    card: Vec<String>,

    #[command(flatten)]
    catalog: CatalogArgs,
}

impl JudgedBy {
    /// What is known, and the cards by name.
    pub(crate) fn load(&self) -> anyhow::Result<(Definitions, Vec<String>)> {
        self.catalog.load_with(&self.card)
    }
}

/// Reads `--tolerance`.
pub(crate) fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err("a number of percentage points from 0 to 100 is needed".to_owned()),
    }
}
