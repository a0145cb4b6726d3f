//! The figures that a source prints for a model, to the digit, and how far one's own may lie from them.

use serde::de::{DeserializeOwned, IntoDeserializer, value};
use serde::{Deserialize, Deserializer, Serialize};

/// A figure and the rule by which it was counted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, bound = "R: DeserializeOwned")]
pub struct Counted<R> {
    /// The figure as printed.
    pub figure: Figure,
    /// The counting rule; none where the source does not say it ([`UNSTATED`]).
    #[serde(deserialize_with = "stated")]
    pub rule: Option<R>,
    /// Side of the square input that was counted, where it matters, in pixels.
    pub input_size: Option<usize>,
    /// Decimals that mean something, where the source padded a rounder figure with zeros.
    pub decimals: Option<u32>,
    /// What the row's own source prints, where the card has the figure from there: a copy can be held to it though nobody knows
    /// how it was counted.
    pub source_figure: Option<Figure>,
}

/// The word for the rule of a figure whose source does not say how it counted.
pub const UNSTATED: &str = "unstated";

fn stated<'de, R: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<R>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = |name: String| {
        R::deserialize(IntoDeserializer::<value::Error>::into_deserializer(name))
            .map_err(serde::de::Error::custom)
    };
    (name != UNSTATED).then(|| known(name)).transpose()
}

/// A number as printed: its text, so that no digit is gained or lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Figure(String);

/// How many characters a figure may have, which no printed one reaches.
const LONGEST_FIGURE: usize = 20;

/// A figure that is known to be misprinted. Only a measurement that gives the corrected figure makes a misprint of
/// the printed one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erratum {
    /// Which figure.
    pub figure: FigureName,
    /// The misprint itself, where the erratum is about no other print.
    pub printed: Option<Figure>,
    /// What should have been printed, to the digit.
    pub corrected: Figure,
    /// Why it is taken for a misprint.
    pub reason: String,
}

/// The figures of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FigureName {
    /// Top-1 accuracy.
    Top1Pct,
    /// Top-5 accuracy.
    Top5Pct,
    /// FLOPs.
    FlopsG,
    /// Parameters.
    ParamsM,
}

impl FigureName {
    /// All figures, in the order of a row.
    pub const ALL: [Self; 4] = [Self::Top1Pct, Self::Top5Pct, Self::FlopsG, Self::ParamsM];

    /// Their names.
    pub(crate) const NAMES: [&str; 4] =
        [Self::Top1Pct.name(), Self::Top5Pct.name(), Self::FlopsG.name(), Self::ParamsM.name()];

    /// The name in cards, in `claims.csv` and in `run.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Top1Pct => "top1_pct",
            Self::Top5Pct => "top5_pct",
            Self::FlopsG => "flops_g",
            Self::ParamsM => "params_m",
        }
    }
}

/// How far a row's figures may lie from the printed ones, each in its own unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// In percentage points.
    pub top1_pct: Option<f64>,
    /// In percentage points.
    pub top5_pct: Option<f64>,
    /// In units of 1e9. Without it, the printed digits have to agree.
    pub flops_g: Option<f64>,
    /// In units of 1e6. Without it, the printed digits have to agree.
    pub params_m: Option<f64>,
}

impl Tolerance {
    /// That of `figure`, if it has one of its own.
    pub fn of(&self, figure: FigureName) -> Option<f64> {
        match figure {
            FigureName::Top1Pct => self.top1_pct,
            FigureName::Top5Pct => self.top5_pct,
            FigureName::FlopsG => self.flops_g,
            FigureName::ParamsM => self.params_m,
        }
    }
}

impl Figure {
    /// The printed text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number.
    pub fn value(&self) -> f64 {
        // The constructor let only decimal numbers through.
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// How many decimals were printed.
    pub fn decimals(&self) -> u32 {
        self.0.split_once('.').map_or(0, |(_, decimals)| decimals.len() as u32)
    }

    /// The number in units of its decimal number `decimals`, exactly; further decimals are cut off.
    ///
    /// ```
    /// use cards::Figure;
    ///
    /// let figure = Figure::try_from("9.198".to_owned())?;
    /// assert_eq!([figure.in_units_of(1), figure.in_units_of(3), figure.in_units_of(4)], [91, 9_198, 91_980]);
    /// # Ok::<(), String>(())
    /// ```
    pub fn in_units_of(&self, decimals: u32) -> u128 {
        let (whole, printed) = self.0.split_once('.').unwrap_or((&self.0, ""));
        let padded = printed.chars().chain(std::iter::repeat('0')).take(decimals as usize);
        let digits: String = whole.chars().chain(padded).collect();
        // The constructor let only so many digits through that they fit.
        digits.parse().unwrap_or(u128::MAX)
    }

    /// The figure with its first `decimals` decimals, as text.
    pub fn cut_to(&self, decimals: u32) -> &str {
        let point = self.0.find('.').unwrap_or(self.0.len());
        let end = if decimals == 0 { point } else { point + 1 + decimals as usize };
        self.0.get(..end).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for Figure {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if text.len() > LONGEST_FIGURE {
            return Err(format!("a figure has at most {LONGEST_FIGURE} digits, such as 79.050"));
        }
        let valid = match text.split_once('.') {
            Some((whole, decimals)) => digits(whole) && digits(decimals),
            None => digits(&text),
        };
        if valid { Ok(Self(text)) } else { Err(format!("`{text}` is not a decimal number such as 79.050")) }
    }
}

impl From<Figure> for String {
    fn from(figure: Figure) -> Self {
        figure.0
    }
}

impl<R> Counted<R> {
    /// Decimals that mean something.
    pub fn decimals(&self) -> u32 {
        self.decimals.unwrap_or_else(|| self.figure.decimals())
    }

    /// What the source prints, where the table padded it with zeros.
    pub fn unpadded(&self) -> Option<&str> {
        let text = self.figure.cut_to(self.decimals());
        (text != self.figure.as_str()).then_some(text)
    }
}
