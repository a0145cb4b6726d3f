//! What a run found, for people and for spreadsheets.

mod card;
mod cells;
mod claims_csv;
mod csv_table;
mod facts;
mod fold;
mod foreign;
mod grid;
mod html;
mod junit;
mod markdown;
mod screen;
mod style;
mod table;
#[cfg(test)]
mod tests;

pub use card::{CardPage, RowProvenance, WHOLE_SET, card_text};
pub use claims_csv::claims_csv;
pub use csv_table::results_csv;
use foreign::escaped;
pub use foreign::{shell_command, visible};
pub use grid::TextTable;
pub use html::html;
pub use junit::junit_xml;
pub use markdown::markdown;
pub use style::Style;
pub use table::{explanation_table, figures_table, summary_lines, summary_table};
