//! Which weights each model is evaluated with: what `--weights` says, and where that is found.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use models::Model;

use super::cache::Cache;
use crate::{EvalError, NoWeights};

/// One `--weights` argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightsArg {
    /// `pretrained`: the published files.
    Pretrained,
    /// `seeded`: the stand-in that the frozen answers were computed with.
    Seeded,
    /// A file, or a folder with a file a model.
    Path(PathBuf),
    /// `ID=FILE`: a file for one model.
    Model(String, PathBuf),
}

impl FromStr for WeightsArg {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "pretrained" => Self::Pretrained,
            "seeded" => Self::Seeded,
            // A model's id has a slash before the equals sign; so may a path, which is told by being
            // there.
            _ => match text.split_once('=') {
                Some((id, file)) if id.contains('/') && !Path::new(text).exists() => {
                    Self::Model(id.to_owned(), file.into())
                }
                _ => Self::Path(text.into()),
            },
        })
    }
}

/// Weights that were found and not looked into yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Located {
    /// To be generated from the seed.
    Seeded,
    /// A file that was named.
    Given(PathBuf),
    /// The published file, in the cache.
    Cached(PathBuf),
    /// The published file, which the cache lacks: it would lie at this path.
    Absent(PathBuf),
}

/// Finds each model's weights. Nothing is read yet. Published files that the cache lacks are an error unless `may_be_absent`.
///
/// # Errors
/// [`EvalError`] that names the argument or the file and says what to do.
pub(crate) fn locate(
    args: &[WeightsArg],
    models: &[&Model],
    may_be_absent: bool,
) -> Result<Vec<Located>, EvalError> {
    for arg in args {
        if let WeightsArg::Model(id, file) = arg
            && !models.iter().any(|model| model.id == *id)
        {
            return Err(EvalError::NoWeights(NoWeights::Argument {
                argument: format!("{id}={}", file.display()),
                reason: format!("{id} is not among the selected models"),
            }));
        }
    }
    models
        .iter()
        .map(|model| match wanted(args, model, models.len())? {
            Asked::Seeded => Ok(Located::Seeded),
            Asked::File(path) => Ok(Located::Given(path)),
            Asked::Published => in_cache(model, may_be_absent),
        })
        .collect()
}

/// What the arguments say for one model.
enum Asked {
    Seeded,
    File(PathBuf),
    Published,
}

fn wanted(args: &[WeightsArg], model: &Model, selected: usize) -> Result<Asked, EvalError> {
    // What names the model goes before what is said for all of them; of equals, the last wins.
    let own = args.iter().rev().find_map(|arg| match arg {
        WeightsArg::Model(id, file) if *id == model.id => Some(file),
        _ => None,
    });
    if let Some(file) = own {
        return Ok(Asked::File(file.clone()));
    }
    let general = args.iter().rev().find(|arg| !matches!(arg, WeightsArg::Model(..)));
    match general {
        Some(WeightsArg::Seeded) => Ok(Asked::Seeded),
        Some(WeightsArg::Path(path)) if path.is_dir() => in_folder(model, path).map(Asked::File),
        Some(WeightsArg::Path(path)) if selected > 1 && path.exists() => {
            Err(EvalError::NoWeights(NoWeights::Argument {
                argument: path.display().to_string(),
                reason: format!(
                    "one file cannot serve {selected} models; name its model as {}={} or give a folder",
                    model.id,
                    path.display()
                ),
            }))
        }
        Some(WeightsArg::Path(path)) => Ok(Asked::File(path.clone())),
        Some(WeightsArg::Pretrained | WeightsArg::Model(..)) | None => Ok(Asked::Published),
    }
}

/// `DIR`: the catalog's file name, or `<source>-<arch>` with the ending of a known format.
fn in_folder(model: &Model, folder: &Path) -> Result<PathBuf, EvalError> {
    const ENDINGS: [&str; 9] =
        ["pth", "pt", "bin", "safetensors", "h5", "hdf5", "keras", "weights.h5", "pdparams"];
    let mut names: Vec<String> = model.weights.iter().map(|weights| weights.file.clone()).collect();
    names.extend(ENDINGS.map(|ending| format!("{}.{ending}", model.file_stem())));
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        EvalError::NoWeights(NoWeights::Argument {
            argument: folder.display().to_string(),
            reason: format!("no weights for {} there; looked for {}", model.id, names.join(", ")),
        })
    })
}

fn not_published(model: &Model) -> EvalError {
    EvalError::NoWeights(NoWeights::Argument {
        argument: "pretrained".to_owned(),
        reason: format!("the catalog knows no published weights for {}; give a file of your own", model.id),
    })
}

fn in_cache(model: &Model, may_be_absent: bool) -> Result<Located, EvalError> {
    let weights = model.weights.as_ref().ok_or_else(|| not_published(model))?;
    let path = Cache::from_environment().path(weights);
    match path.is_file() {
        true => Ok(Located::Cached(path)),
        false if may_be_absent => Ok(Located::Absent(path)),
        false => Err(missing(model, path)),
    }
}

/// The published weights of `model` are not at `path`, where the cache would have them.
pub(super) fn missing(model: &Model, path: PathBuf) -> EvalError {
    let url = model.weights.as_ref().map(|weights| weights.url.clone()).unwrap_or_default();
    EvalError::NoWeights(NoWeights::Missing { id: model.id.clone(), url, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_apart() {
        let parse = |text: &str| text.parse::<WeightsArg>().unwrap();
        assert_eq!(parse("seeded"), WeightsArg::Seeded);
        assert_eq!(parse("pretrained"), WeightsArg::Pretrained);
        assert_eq!(parse("timm/x=a=b.pth"), WeightsArg::Model("timm/x".to_owned(), "a=b.pth".into()));
        assert_eq!(parse("x=1.pth"), WeightsArg::Path("x=1.pth".into()));
        assert_eq!(parse("/weights/x.pth"), WeightsArg::Path("/weights/x.pth".into()));
    }
}
