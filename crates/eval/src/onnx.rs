//! Models that are ONNX files: which files are meant, by which recipe each is prepared, and their networks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataset::Recipe;
use models::onnx::{OnnxFile, OnnxNetwork};
use models::{Catalog, Model};

use crate::EvalError;
use crate::definitions::Definitions;
use crate::plan::RecipeArg;

/// A model that is an ONNX file, read but for its weights.
pub(crate) struct OnnxModel {
    pub(crate) model: Model,
    pub(crate) recipe: Arc<Recipe>,
    pub(crate) file: Arc<OnnxFile>,
    pub(crate) network: OnnxNetwork,
}

/// The files that `paths` name, folders opened.
///
/// # Errors
/// [`EvalError::OnnxArgument`] for what is not there, a folder without such files, or two files of one id.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, EvalError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        let refused = |reason: String| EvalError::OnnxArgument { path: path.clone(), reason };
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let entries = entries.map_err(|error| refused(format!("cannot be read: {error}")))?;
        let is_onnx =
            |path: &PathBuf| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx"));
        let mut inside: Vec<PathBuf> =
            entries.into_iter().map(|entry| entry.path()).filter(is_onnx).collect();
        if inside.is_empty() {
            return Err(refused("no .onnx file is in the folder".to_owned()));
        }
        inside.sort();
        files.extend(inside);
    }
    let ids = files.iter().map(|path| id(path).map(|id| id.to_ascii_lowercase()));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    for (index, path) in files.iter().enumerate() {
        if let Some(other) = ids[..index].iter().position(|other| *other == ids[index]) {
            return Err(EvalError::OnnxArgument {
                path: path.clone(),
                reason: format!(
                    "its stem is that of {}, and a model's files are called by it; rename one of them",
                    files[other].display()
                ),
            });
        }
    }
    Ok(files)
}

/// Refuses a file that is called as a model of the catalog that is selected beside it: their logs would be one file.
pub(crate) fn check_beside<'a>(
    files: &[PathBuf],
    mut selected: impl Iterator<Item = &'a str>,
) -> Result<(), EvalError> {
    selected.try_for_each(|model| {
        let is_called_so = |path: &&PathBuf| id(path).is_ok_and(|id| id.eq_ignore_ascii_case(model));
        match files.iter().find(is_called_so) {
            None => Ok(()),
            Some(path) => Err(EvalError::OnnxArgument {
                path: path.clone(),
                reason: format!("the catalog has a model `{model}`, which is selected too; rename the file"),
            }),
        }
    })
}

fn id(path: &Path) -> Result<String, EvalError> {
    Model::onnx_id(path).map_err(|reason| EvalError::OnnxArgument { path: path.to_owned(), reason })
}

impl OnnxModel {
    /// Reads the file at `path`, whose recipe is the one asked for, the one of its row in `cards`, or the one beside it.
    ///
    /// # Errors
    /// [`EvalError`] where there is no recipe, or the file is no classifier for its crop.
    pub(crate) fn open(
        path: &Path,
        asked: &RecipeArg,
        definitions: &Definitions,
        cards: &[String],
    ) -> Result<Self, EvalError> {
        let id = id(path)?;
        let failed = EvalError::onnx(&id);
        let file = Arc::new(OnnxFile::open(path).map_err(&failed)?);
        // What it takes is said before what is to be given to it.
        file.image().map_err(&failed)?;
        let recipe = match (asked.stated(definitions, cards)?, definitions.stated_recipe(cards, &id)) {
            (Some(recipe), _) => recipe,
            (None, Some(of_row)) => of_row.map_err(|fault| EvalError::Recipe { fault })?,
            (None, None) => {
                let side = file.image().ok().and_then(|image| image.size[0]);
                beside(path, side, definitions.catalog())?
            }
        };
        let network = file.network(recipe.crop.axes()).map_err(&failed)?;
        let model = Model::onnx(id.clone(), Arc::clone(&recipe));
        Ok(Self { model, recipe, file, network })
    }
}

/// The model called `id` where it is an ONNX file that a row of `cards` names, or of any card where none is given; its recipe is the row's, or
/// the one beside the file. The file itself is not read.
///
/// # Errors
/// [`EvalError`] where there is no recipe.
pub fn of_card(definitions: &Definitions, cards: &[String], id: &str) -> Result<Option<Model>, EvalError> {
    let is_meant = |name: &String| cards.is_empty() || cards.contains(name);
    for (card, row) in definitions.cards().claims_of(id).filter(|(card, _)| is_meant(&card.name)) {
        let Some(file) = card.onnx_file(row) else { continue };
        let recipe = match &row.recipe {
            Some(text) => definitions.catalog().recipe(text).map_err(|fault| EvalError::Recipe { fault })?,
            None => beside(&file, None, definitions.catalog())?,
        };
        return Ok(Some(Model::onnx(row.model.clone(), recipe)));
    }
    Ok(None)
}

/// The recipe in `<stem>.toml` beside the file, which takes images of `side` pixels where it takes one size.
fn beside(path: &Path, side: Option<usize>, catalog: &Catalog) -> Result<Arc<Recipe>, EvalError> {
    let toml = path.with_extension("toml");
    if toml.exists() {
        return catalog.recipe(&toml.to_string_lossy()).map_err(|fault| EvalError::Recipe { fault });
    }
    let side = side.unwrap_or(224);
    let short = side * 8 / 7;
    let example = format!("resize=short:{short},filter=pil-bilinear,crop={side},mean=imagenet,std=imagenet");
    Err(EvalError::OnnxRecipe { path: path.to_owned(), toml, example })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_stems() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("more")).unwrap();
        for name in ["a.onnx", "b.ONNX", "note.txt", "more/A.onnx"] {
            std::fs::write(path(name), []).unwrap();
        }
        let all = files(&[folder.path().to_owned()]).unwrap();
        assert_eq!(all, [path("a.onnx"), path("b.ONNX")]);
        let error = files(&[path("a.onnx"), path("more")]).unwrap_err().to_string();
        assert!(error.contains("rename one of them"), "{error}");
        let error = files(&[path("a.onnx"), path("more/../a.onnx")]).unwrap_err().to_string();
        assert!(error.contains("rename one of them"), "{error}");
        for name in ["my net.onnx", "\u{e9}.onnx", "a\nb.onnx", ".."] {
            let error = files(&[path("b.ONNX").join(name)]).unwrap_err().to_string();
            assert!(error.contains("makes no model's id"), "{error}");
        }
        assert!(check_beside(&all, ["timm/a", "onnx/c"].into_iter()).is_ok());
        let error = check_beside(&all, ["timm/a", "onnx/A"].into_iter()).unwrap_err().to_string();
        assert!(error.contains("`onnx/A`"), "{error}");
    }
}
