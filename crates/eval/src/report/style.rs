//! Where tables are shown.

/// Where a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// In a terminal, or wherever standard output goes; tables fit its width.
    Terminal,
    /// In a Markdown file.
    Markdown,
}
