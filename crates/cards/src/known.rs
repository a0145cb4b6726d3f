//! The cards that are known: the built-in ones, then a user's own.

use std::path::Path;

use crate::card::{Card, Row};
use crate::error::CardError;

/// The cards of `datasets/cards/`, in the order in which they are asked for a model that several claim.
const BUILT_IN: [(&str, &str); 4] = [
    ("datasets/cards/xception.toml", include_str!("../../../datasets/cards/xception.toml")),
    ("datasets/cards/timm-results.toml", include_str!("../../../datasets/cards/timm-results.toml")),
    ("datasets/cards/resnet.toml", include_str!("../../../datasets/cards/resnet.toml")),
    ("datasets/cards/efficientnet-lite.toml", include_str!("../../../datasets/cards/efficientnet-lite.toml")),
];

/// The card whose models `eval --all` measures.
pub const DEFAULT_CARD: &str = "xception";

/// Cards by name.
///
/// ```
/// use cards::Cards;
///
/// let cards = Cards::built_in();
/// let row = cards.get("xception")?.rows_of("timm/xception").next().expect("the table has it");
/// let top1 = row.top1_pct.as_ref().expect("with its accuracies");
/// assert_eq!((top1.as_str(), top1.decimals()), ("79.050", 3));
///
/// let error = cards.get("xcepton").unwrap_err();
/// assert!(error.to_string().contains("did you mean xception?"));
/// # Ok::<(), cards::CardError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cards {
    all: Vec<Card>,
}

impl Cards {
    /// The built-in cards.
    ///
    /// # Panics
    /// If an embedded card is invalid, which a test rules out.
    pub fn built_in() -> Self {
        let mut cards = Self { all: Vec::new() };
        for (origin, text) in BUILT_IN {
            cards.add(text, origin).expect("the embedded cards are valid").expect("with rows");
        }
        cards
    }

    /// All of them, in the order in which they are asked.
    pub fn all(&self) -> &[Card] {
        &self.all
    }

    /// The card called `name`.
    ///
    /// # Errors
    /// [`CardError::Unknown`] with the nearest name.
    pub fn get(&self, name: &str) -> Result<&Card, CardError> {
        self.all.iter().find(|card| card.name == name).ok_or_else(|| self.unknown(name))
    }

    /// What each card claims of the model with this `id`, in their order.
    pub fn claims_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = (&'a Card, &'a Row)> {
        self.all.iter().flat_map(move |card| card.rows_of(id).map(move |row| (card, row)))
    }

    /// Adds the card that a file's `text` has, and says what it is called; nothing if the file claims nothing.
    ///
    /// # Errors
    /// [`CardError`], also where a card of this name is there.
    pub fn add(&mut self, text: &str, origin: &str) -> Result<Option<&str>, CardError> {
        let file_name = Path::new(origin).file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(mut card) = Card::of_toml(text, origin, file_name.as_deref().unwrap_or(origin))? else {
            return Ok(None);
        };
        let is_there = |name: &str| self.all.iter().any(|other| other.name.eq_ignore_ascii_case(name));
        // Files of one name lie in several folders.
        if Some(&card.name) == file_name.as_ref() && is_there(&card.name) {
            origin.clone_into(&mut card.name);
        }
        if let Some(other) = self.all.iter().find(|other| other.name.eq_ignore_ascii_case(&card.name)) {
            let reason = format!(
                "there is a card `{}` already, of {}; choose another name under [card]",
                other.name, other.origin
            );
            return Err(CardError::Key { origin: origin.to_owned(), reason });
        }
        self.all.push(card);
        Ok(self.all.last().map(|card| card.name.as_str()))
    }

    fn unknown(&self, name: &str) -> CardError {
        let known: Vec<String> = self.all.iter().map(|card| card.name.clone()).collect();
        let alike = known.iter().map(|known| (strsim::jaro_winkler(name, known), known));
        let nearest = alike.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(alike, _)| *alike > 0.7);
        CardError::Unknown {
            name: name.to_owned(),
            nearest: nearest.map(|(_, name)| name.clone()),
            known: known.clone(),
        }
    }
}
