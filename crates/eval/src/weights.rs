//! Which weights each model is evaluated with, and whether they are the published ones.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use models::catalog::PublishedWeights;
use models::weights::sha256_file;
use models::{Checkpoint, Model, Network, WeightsError};
use serde::{Deserialize, Serialize};

use crate::EvalError;

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

/// Where a model's weights come from: part of every result's provenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum WeightsSource {
    /// Generated from the seed.
    Seeded,
    /// Read from a file.
    File {
        /// The file.
        path: PathBuf,
        /// SHA-256 of its bytes.
        sha256: String,
        /// Whether that is the file the catalog documents.
        published: bool,
    },
}

impl WeightsSource {
    /// The `weights` column of `results.csv`: short, and the same wherever the file lies.
    pub fn label(&self) -> String {
        match self {
            Self::Seeded => "seeded".to_owned(),
            Self::File { sha256, .. } => format!("sha256:{}", &sha256[..16]),
        }
    }

    /// Opens the weights for `network`.
    ///
    /// # Errors
    /// [`WeightsError`] when the file cannot be read or nothing is seeded for the network.
    pub fn open(&self, network: &dyn Network, network_name: &str) -> Result<Checkpoint, WeightsError> {
        match self {
            Self::Seeded => models::weights::seeded(network, network_name),
            Self::File { path, .. } => Checkpoint::open(path),
        }
    }
}

/// Finds each model's weights. Nothing is loaded yet, but every file is read once for its hash, so
/// that a missing one is known before the first image.
///
/// # Errors
/// [`EvalError`] that names the argument or the file and says what to do.
pub fn resolve(args: &[WeightsArg], models: &[&Model]) -> Result<Vec<WeightsSource>, EvalError> {
    for arg in args {
        if let WeightsArg::Model(id, file) = arg
            && !models.iter().any(|model| model.id == *id)
        {
            return Err(EvalError::WeightsArgument {
                argument: format!("{id}={}", file.display()),
                reason: format!("{id} is not among the selected models"),
            });
        }
    }
    models.iter().map(|model| resolve_one(args, model, models.len())).collect()
}

fn resolve_one(args: &[WeightsArg], model: &Model, selected: usize) -> Result<WeightsSource, EvalError> {
    // What names the model goes before what is said for all of them; of equals, the last wins.
    let own = args.iter().rev().find_map(|arg| match arg {
        WeightsArg::Model(id, file) if *id == model.id => Some(file),
        _ => None,
    });
    if let Some(file) = own {
        return from_file(model, file);
    }
    let general = args.iter().rev().find(|arg| !matches!(arg, WeightsArg::Model(..)));
    match general {
        Some(WeightsArg::Seeded) => Ok(WeightsSource::Seeded),
        Some(WeightsArg::Path(path)) if path.is_dir() => from_file(model, &in_folder(model, path)?),
        Some(WeightsArg::Path(path)) if selected > 1 && path.exists() => Err(EvalError::WeightsArgument {
            argument: path.display().to_string(),
            reason: format!(
                "one file cannot serve {selected} models; name its model as {}={} or give a folder",
                model.id,
                path.display()
            ),
        }),
        Some(WeightsArg::Path(path)) => from_file(model, path),
        Some(WeightsArg::Pretrained | WeightsArg::Model(..)) | None => published(model),
    }
}

/// `DIR`: the catalog's file name, or `<source>-<arch>` with the ending of a known format.
fn in_folder(model: &Model, folder: &Path) -> Result<PathBuf, EvalError> {
    const ENDINGS: [&str; 4] = ["pth", "pt", "safetensors", "bin"];
    let mut names: Vec<String> = model.weights.iter().map(|weights| weights.file.clone()).collect();
    names.extend(ENDINGS.map(|ending| format!("{}.{ending}", model.file_stem())));
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        EvalError::WeightsArgument {
            argument: folder.display().to_string(),
            reason: format!("no weights for {} there; looked for {}", model.id, names.join(", ")),
        }
    })
}

fn from_file(model: &Model, path: &Path) -> Result<WeightsSource, EvalError> {
    let sha256 = sha256_file(path).map_err(EvalError::weights(&model.id))?;
    let published = model.weights.as_ref().is_some_and(|weights| differs(weights, &sha256).is_none());
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Ok(WeightsSource::File { path, sha256, published })
}

/// How a file with this hash differs from the published one; `None` when it is that file.
fn differs(published: &PublishedWeights, sha256: &str) -> Option<String> {
    match &published.sha256_prefix {
        Some(prefix) if sha256.starts_with(prefix) => None,
        Some(prefix) => Some(format!("its SHA-256 is {sha256}, which should begin with {prefix}")),
        None => Some("the catalog has no SHA-256 to tell it by".to_owned()),
    }
}

fn published(model: &Model) -> Result<WeightsSource, EvalError> {
    let Some(weights) = &model.weights else {
        return Err(EvalError::WeightsArgument {
            argument: "pretrained".to_owned(),
            reason: format!("the catalog knows no published weights for {}; pass --weights FILE", model.id),
        });
    };
    let path = cache_folder().join(&weights.file);
    if !path.is_file() {
        return Err(EvalError::WeightsMissing { id: model.id.clone(), url: weights.url.clone(), path });
    }
    let source = from_file(model, &path)?;
    if let WeightsSource::File { sha256, published: false, .. } = &source
        && let Some(reason) = differs(weights, sha256)
    {
        return Err(EvalError::WeightsCorrupt {
            id: model.id.clone(),
            path,
            reason,
            url: weights.url.clone(),
        });
    }
    Ok(source)
}

/// Where published weights are kept: `IMAGENET_EVAL_CACHE`, else the user's cache directory.
pub fn cache_folder() -> PathBuf {
    match std::env::var_os("IMAGENET_EVAL_CACHE") {
        Some(folder) => folder.into(),
        None => dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("imagenet-eval"),
    }
}

#[cfg(test)]
mod tests {
    use models::Catalog;

    use super::*;

    /// SHA-256 of `abc`, the example of FIPS 180-2.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// A model whose published file begins with these digits of its hash.
    fn model(folder: &Path, sha256_prefix: &str) -> Model {
        let entry = format!(
            "[[models]]\nid = \"mine/x\"\nnetwork = \"timm-xception\"\nrecipe = \"card-342-bilinear\"\n\
             input_size = 299\n[models.weights]\nurl = \"https://example.org/x.pth\"\nfile = \"x.pth\"\n\
             sha256_prefix = \"{sha256_prefix}\"\n"
        );
        let path = folder.join("catalog.toml");
        std::fs::write(&path, entry).unwrap();
        let mut catalog = Catalog::built_in();
        catalog.add_file(&path).unwrap();
        catalog.select("mine/x").unwrap()[0].clone()
    }

    #[test]
    fn a_file_is_the_published_one_by_its_hash_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("renamed.pth");
        std::fs::write(&file, "abc").unwrap();
        for (prefix, expected) in [("ba7816bf", true), ("ba7816b0", false)] {
            let model = model(folder.path(), prefix);
            let source = resolve(&[WeightsArg::Path(file.clone())], &[&model]).unwrap().remove(0);
            let WeightsSource::File { sha256, published, .. } = &source else { panic!("{source:?}") };
            assert_eq!((sha256.as_str(), *published), (ABC, expected));
            assert_eq!(source.label(), "sha256:ba7816bf8f01cfea");
        }
    }

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
