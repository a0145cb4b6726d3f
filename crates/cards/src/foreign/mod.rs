//! Cards of others: the tables of VastModelZOO's pages (Markdown), timm's `results-imagenet.csv`, and the `metafile.yml` of
//! mmpretrain. What of them cannot be read is said line by line; nothing is left out in silence.
//!
//! None of these forms says by which rule FLOPs and parameters were counted, so that their rules are
//! [`UNSTATED`](crate::UNSTATED): who knows better writes it into the card. They are written again by `eval::report`.

mod cell;
mod markdown;
mod metafile;
mod timm_csv;
mod yaml;

use std::fmt;
use std::path::Path;

pub use cell::scaled;

use dataset::guard::guarded_or;
use dataset::regular;

use crate::ACCURACY_TOLERANCE_PP;
use crate::bounds;
use crate::card::{Card, Row};
use crate::error::CardError;
use crate::figures::FigureName;
use crate::file::{fault_of_model, fault_of_name};

/// Pages are read whole; the longest of these tables have less than 1 MB.
const MAX_BYTES: u64 = 16 << 20;

/// The form of a table of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A table in Markdown, as VastModelZOO's pages have them.
    Markdown,
    /// timm's results: `model,top1,top1_err,top5,top5_err,param_count,img_size,crop_pct,interpolation`.
    TimmCsv,
    /// The models of an mmpretrain `metafile.yml`.
    Metafile,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Markdown, Self::TimmCsv, Self::Metafile];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::TimmCsv => "timm-csv",
            Self::Metafile => "metafile",
        }
    }

    /// Which of them `text` has, if one.
    fn of(text: &str) -> Option<Self> {
        let is_csv = text.lines().next().is_some_and(|heading| {
            let mut columns = heading.trim_start_matches('\u{feff}').split(',').map(str::trim);
            columns.clone().any(|column| column == "model")
                && columns.any(|column| column.starts_with("top1"))
        });
        let is_yaml = || text.lines().any(|line| line.trim_end() == "Models:");
        let is_markdown = || text.lines().any(|line| line.contains('|'));
        match () {
            () if is_csv => Some(Self::TimmCsv),
            () if is_yaml() => Some(Self::Metafile),
            () if is_markdown() => Some(Self::Markdown),
            () => None,
        }
    }
}

/// Something on a page that is not in the card that was read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The line, counted from 1.
    pub line: usize,
    /// The row or the column, and what stands there.
    pub what: String,
    /// Why it is not in the card.
    pub reason: String,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}: {}", self.line, self.what, self.reason)
    }
}

/// What was read of a page.
#[derive(Debug)]
pub struct Reading {
    /// The form it had.
    pub form: Form,
    /// The card.
    pub card: Card,
    /// Rows and figures that could not be read.
    pub unread: Vec<Unread>,
    /// What no card has a place for, such as a column of speeds.
    pub remarks: Vec<Unread>,
}

impl Reading {
    fn new(form: Form, name: &str, origin: &str) -> Self {
        let card = Card {
            name: name.to_owned(),
            title: None,
            source: None,
            note: None,
            recipe: None,
            accuracy_tolerance_pp: ACCURACY_TOLERANCE_PP,
            rows: Vec::new(),
            origin: origin.to_owned(),
        };
        Self { form, card, unread: Vec::new(), remarks: Vec::new() }
    }

    fn unread(&mut self, line: usize, what: &str, reason: impl Into<String>) {
        self.unread.push(Unread { line, what: what.to_owned(), reason: reason.into() });
    }

    fn remark(&mut self, line: usize, what: &str, reason: impl Into<String>) {
        self.remarks.push(Unread { line, what: what.to_owned(), reason: reason.into() });
    }

    /// Adds `row` without the figures that cannot be, each of which is said.
    fn add(&mut self, line: usize, mut row: Row) {
        let what = format!("row `{}`", row.model);
        if let Some(reason) = fault_of_model(&row.model) {
            return self.unread(line, "a row", reason);
        }
        for name in FigureName::ALL {
            let fault = row.printed(name).and_then(|figure| bounds::of_figure(name, name.name(), figure));
            if let Some(reason) = fault {
                self.unread(line, &what, format!("{reason}; the figure is left out"));
                remove(&mut row, name);
            }
        }
        if let Some(reason) = bounds::of_order(&row) {
            self.unread(line, &what, format!("{reason}; both are left out"));
            remove(&mut row, FigureName::Top1Pct);
            remove(&mut row, FigureName::Top5Pct);
        }
        if let Err(CardError::Row { reason, .. }) = self.card.add(row, "", &what) {
            self.unread(line, &what, reason);
        }
    }
}

fn remove(row: &mut Row, name: FigureName) {
    match name {
        FigureName::Top1Pct => row.top1_pct = None,
        FigureName::Top5Pct => row.top5_pct = None,
        FigureName::FlopsG => row.flops_g = None,
        FigureName::ParamsM => row.params_m = None,
    }
}

/// Reads the table of others in the file `path`; the card is called `name`, or else after the file.
///
/// # Errors
/// [`CardError`] when the file cannot be read, is none of the forms, or has no row that can be read.
pub fn read(path: &Path, name: Option<&str>) -> Result<Reading, CardError> {
    let text = regular::read_text(path, MAX_BYTES)
        .map_err(|source| CardError::Io { path: path.to_owned(), source })?;
    let name = name.map_or_else(|| name_of(path), str::to_owned);
    let foreign = |reason: String| CardError::Foreign { path: path.to_owned(), reason };
    if let Some(reason) = fault_of_name(&name) {
        return Err(foreign(reason));
    }
    let origin = path.display().to_string();
    let read = || read_text(&text, &name, &origin, path.file_stem().and_then(|stem| stem.to_str()));
    let reading =
        guarded_or(|| read().map_err(foreign), |panic| foreign(format!("its reader failed ({panic})")))?;
    if reading.card.rows.is_empty() {
        let first = reading.unread.iter().take(3).map(|unread| format!("\n  {unread}")).collect::<String>();
        return Err(foreign(format!("no row of it could be read{first}")));
    }
    Ok(reading)
}

fn read_text(text: &str, name: &str, origin: &str, stem: Option<&str>) -> Result<Reading, String> {
    let form = Form::of(text).ok_or(
        "it is no Markdown with a table, no results of timm (a first line with model,top1,..) and no metafile (a line `Models:`)",
    )?;
    let mut reading = Reading::new(form, name, origin);
    match form {
        Form::Markdown => markdown::read(text, &mut reading),
        Form::TimmCsv => timm_csv::read(text, stem.unwrap_or_default(), &mut reading)?,
        Form::Metafile => metafile::read(text, &mut reading)?,
    }
    Ok(reading)
}

/// What a card is called after its file: by its folder where the file is a folder's page.
fn name_of(path: &Path) -> String {
    const LONGEST: usize = 60;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let is_page = ["readme", "metafile", "index"].contains(&stem.to_ascii_lowercase().as_str());
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = folder.filter(|_| is_page).unwrap_or_else(|| stem.into_owned());
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = name.chars().take(LONGEST).map(plain).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() { "card".to_owned() } else { name.to_owned() }
}
