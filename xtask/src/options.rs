//! Options that several verbs have.

use std::path::PathBuf;

use clap::Args;
use eval::report::shell_command;
use models::Catalog;

/// Models to look at, those of the catalog's table by default.
#[derive(Args)]
pub(crate) struct Select {
    /// Models by id or glob, such as timm/xception or 'timm/*' [default: the table's]
    #[arg(value_name = "ID_OR_GLOB", conflicts_with_all = ["all", "model"])]
    positional: Vec<String>,

    /// All models of the documented table, and of --catalog; others are named, such as timm/resnet18
    #[arg(long, conflicts_with = "model")]
    all: bool,

    /// A model by id or glob; may be repeated
    #[arg(long, value_name = "ID_OR_GLOB")]
    model: Vec<String>,

    #[command(flatten)]
    pub(crate) catalog: CatalogArgs,
}

impl Select {
    /// A line about the catalog's models that a selection without names passes over, empty if there are none.
    pub(crate) fn passed_over(&self, catalog: &Catalog) -> String {
        let ids: Vec<&str> =
            catalog.models().iter().filter(|model| !model.in_table).map(|model| model.id.as_str()).collect();
        if ids.is_empty() || !self.patterns().is_empty() {
            String::new()
        } else {
            format!("Beside the table, when named: {}.\n", ids.join(", "))
        }
    }

    /// The arguments that make this selection again, for a shell, with a space before each.
    pub(crate) fn as_arguments(&self) -> String {
        self.catalog.as_arguments(self.patterns())
    }

    /// The patterns; none means the table.
    pub(crate) fn patterns(&self) -> Vec<String> {
        [self.positional.as_slice(), self.model.as_slice()].concat()
    }
}

/// Where models are documented.
#[derive(Args, Clone)]
pub(crate) struct CatalogArgs {
    /// Entries of your own, added to the built-in ones (same keys as datasets/catalog.toml)
    #[arg(long, value_name = "FILE")]
    catalog: Vec<PathBuf>,
}

impl CatalogArgs {
    /// The built-in catalog with the user's files.
    pub(crate) fn load(&self) -> anyhow::Result<Catalog> {
        let mut catalog = Catalog::built_in();
        for path in &self.catalog {
            catalog.add_file(path)?;
        }
        Ok(catalog)
    }

    /// The arguments that name these catalogs, and then `patterns`, for a shell, with a space before each.
    pub(crate) fn as_arguments(&self, patterns: impl IntoIterator<Item = String>) -> String {
        let catalogs = self.catalog.iter().map(|path| format!("--catalog={}", path.display()));
        let arguments: Vec<String> = catalogs.chain(patterns).collect();
        if arguments.is_empty() { String::new() } else { format!(" {}", shell_command(&arguments)) }
    }
}

/// Reads `--tolerance`.
pub(crate) fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err("a number of percentage points from 0 to 100 is needed".to_owned()),
    }
}
