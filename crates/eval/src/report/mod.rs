//! What a run found, for people and for spreadsheets.

mod csv_table;
mod junit;
mod markdown;
mod table;

pub use csv_table::results_csv;
pub use junit::junit_xml;
pub use markdown::markdown;
pub use table::{Style, figures_table, summary_lines};
