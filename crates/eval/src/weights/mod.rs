//! Which weights each model is evaluated with, and whether they are the published ones.

mod cache;
mod check;
mod fetch;

use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use cache::Cache;
pub use check::{Check, Fingerprint};
pub use fetch::{Downloader, Transfer};
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
    /// Not known: the predictions were made elsewhere.
    Elsewhere {
        /// SHA-256 of the predictions.
        sha256: String,
    },
}

impl WeightsSource {
    /// The `weights` column of `results.csv`: short, and the same wherever the file lies.
    pub fn label(&self) -> String {
        match self {
            Self::Seeded => "seeded".to_owned(),
            Self::File { sha256, .. } => format!("sha256:{}", sha256.get(..16).unwrap_or(sha256)),
            Self::Elsewhere { .. } => "elsewhere".to_owned(),
        }
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
}

impl Located {
    /// Opens the weights for `network`.
    ///
    /// # Errors
    /// [`WeightsError`] when the file cannot be read or nothing is seeded for the network.
    pub(crate) fn open(&self, network: &dyn Network, network_name: &str) -> Result<Checkpoint, WeightsError> {
        match self {
            Self::Seeded => models::weights::seeded(network, network_name),
            Self::Given(path) | Self::Cached(path) => Checkpoint::open(path),
        }
    }

    /// Reads the file for its hash: which one it is, and whether it is the published one.
    ///
    /// # Errors
    /// [`EvalError`] when it cannot be read, or a cached file is not the published one.
    pub(crate) fn identify(&self, model: &Model) -> Result<WeightsSource, EvalError> {
        let cache = Cache::from_environment();
        match self {
            Self::Seeded => Ok(WeightsSource::Seeded),
            Self::Given(path) => from_file(&cache, model, path),
            Self::Cached(path) => published(&cache, model, path),
        }
    }
}

/// Finds each model's weights. Nothing is read yet.
///
/// # Errors
/// [`EvalError`] that names the argument or the file and says what to do.
pub(crate) fn locate(args: &[WeightsArg], models: &[&Model]) -> Result<Vec<Located>, EvalError> {
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
    models
        .iter()
        .map(|model| match wanted(args, model, models.len())? {
            Wanted::Seeded => Ok(Located::Seeded),
            Wanted::File(path) => Ok(Located::Given(path)),
            Wanted::Published => in_cache(model).map(Located::Cached),
        })
        .collect()
}

/// The models among `models` whose published weights `args` ask for and the cache lacks: what has to be
/// fetched before a plan can be made.
///
/// # Errors
/// [`EvalError`] when an argument contradicts itself.
pub fn lacking<'a>(args: &[WeightsArg], models: &[&'a Model]) -> Result<Vec<&'a Model>, EvalError> {
    let cache = Cache::from_environment();
    let mut lacking = Vec::new();
    for &model in models {
        let published = model.weights.as_ref();
        let wanted = matches!(wanted(args, model, models.len())?, Wanted::Published);
        if wanted && published.is_some_and(|weights| !cache.path(&weights.file).is_file()) {
            lacking.push(model);
        }
    }
    Ok(lacking)
}

/// What the arguments say for one model.
enum Wanted {
    Seeded,
    File(PathBuf),
    Published,
}

fn wanted(args: &[WeightsArg], model: &Model, selected: usize) -> Result<Wanted, EvalError> {
    // What names the model goes before what is said for all of them; of equals, the last wins.
    let own = args.iter().rev().find_map(|arg| match arg {
        WeightsArg::Model(id, file) if *id == model.id => Some(file),
        _ => None,
    });
    if let Some(file) = own {
        return Ok(Wanted::File(file.clone()));
    }
    let general = args.iter().rev().find(|arg| !matches!(arg, WeightsArg::Model(..)));
    match general {
        Some(WeightsArg::Seeded) => Ok(Wanted::Seeded),
        Some(WeightsArg::Path(path)) if path.is_dir() => in_folder(model, path).map(Wanted::File),
        Some(WeightsArg::Path(path)) if selected > 1 && path.exists() => Err(EvalError::WeightsArgument {
            argument: path.display().to_string(),
            reason: format!(
                "one file cannot serve {selected} models; name its model as {}={} or give a folder",
                model.id,
                path.display()
            ),
        }),
        Some(WeightsArg::Path(path)) => Ok(Wanted::File(path.clone())),
        Some(WeightsArg::Pretrained | WeightsArg::Model(..)) | None => Ok(Wanted::Published),
    }
}

/// `DIR`: the catalog's file name, or `<source>-<arch>` with the ending of a known format.
fn in_folder(model: &Model, folder: &Path) -> Result<PathBuf, EvalError> {
    const ENDINGS: [&str; 9] =
        ["pth", "pt", "bin", "safetensors", "h5", "hdf5", "keras", "weights.h5", "pdparams"];
    let mut names: Vec<String> = model.weights.iter().map(|weights| weights.file.clone()).collect();
    names.extend(ENDINGS.map(|ending| format!("{}.{ending}", model.file_stem())));
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        EvalError::WeightsArgument {
            argument: folder.display().to_string(),
            reason: format!("no weights for {} there; looked for {}", model.id, names.join(", ")),
        }
    })
}

fn unreadable<'a>(model: &'a Model, path: &'a Path) -> impl Fn(std::io::Error) -> EvalError + 'a {
    move |source| EvalError::weights(&model.id)(WeightsError::Io { path: path.to_owned(), source })
}

/// The record of what was first seen is at fault, not the weights.
fn not_told(model: &Model) -> impl Fn(std::io::Error) -> EvalError + '_ {
    |source| EvalError::FirstSeen { id: model.id.clone(), source }
}

fn from_file(cache: &Cache, model: &Model, path: &Path) -> Result<WeightsSource, EvalError> {
    let (found, published) = match &model.weights {
        Some(weights) => {
            let found = Fingerprint::for_check(path, weights).map_err(unreadable(model, path))?;
            let verdict = cache.judge(weights, &found).map_err(not_told(model))?;
            (found, matches!(verdict, Check::Published | Check::AsFirstSeen))
        }
        None => (Fingerprint::of(path).map_err(unreadable(model, path))?, false),
    };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Ok(WeightsSource::File { path, sha256: found.sha256, published })
}

fn not_published(model: &Model) -> EvalError {
    EvalError::WeightsArgument {
        argument: "pretrained".to_owned(),
        reason: format!("the catalog knows no published weights for {}; pass --weights FILE", model.id),
    }
}

fn in_cache(model: &Model) -> Result<PathBuf, EvalError> {
    let weights = model.weights.as_ref().ok_or_else(|| not_published(model))?;
    let path = Cache::from_environment().path(&weights.file);
    match path.is_file() {
        true => Ok(path),
        false => Err(EvalError::WeightsMissing { id: model.id.clone(), url: weights.url.clone(), path }),
    }
}

fn published(cache: &Cache, model: &Model, path: &Path) -> Result<WeightsSource, EvalError> {
    let weights = model.weights.as_ref().ok_or_else(|| not_published(model))?;
    let found = Fingerprint::for_check(path, weights).map_err(unreadable(model, path))?;
    match cache.judge(weights, &found).map_err(not_told(model))? {
        Check::Published | Check::AsFirstSeen => {}
        // Put there by hand: from now on it is what is expected.
        Check::Unknown => {
            cache.trust(&weights.file, &found).map_err(|source| EvalError::WeightsUnrecorded {
                id: model.id.clone(),
                file: weights.file.clone(),
                cache: cache.folder().to_owned(),
                source,
            })?;
        }
        Check::Differs(reason) => {
            return Err(EvalError::WeightsCorrupt {
                id: model.id.clone(),
                path: path.to_owned(),
                reason,
                url: weights.url.clone(),
            });
        }
    }
    Ok(WeightsSource::File { path: path.to_owned(), sha256: found.sha256, published: true })
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
            let located = locate(&[WeightsArg::Path(file.clone())], &[&model]).unwrap();
            let source = located[0].identify(&model).unwrap();
            let WeightsSource::File { sha256, published, .. } = &source else { panic!("{source:?}") };
            assert_eq!((sha256.as_str(), *published), (ABC, expected));
            assert_eq!(source.label(), "sha256:ba7816bf8f01cfea");
        }
    }

    #[test]
    fn a_hash_that_somebody_cut_short_has_a_label_all_the_same() {
        for (sha256, label) in [(ABC, "sha256:ba7816bf8f01cfea"), ("abc", "sha256:abc"), ("", "sha256:")] {
            let source =
                WeightsSource::File { path: PathBuf::new(), sha256: sha256.to_owned(), published: true };
            assert_eq!(source.label(), label);
        }
    }

    #[test]
    fn a_cache_that_cannot_be_written_or_read_is_what_is_complained_of() {
        let folder = tempfile::tempdir().unwrap();
        let mut model = model(folder.path(), "ba7816bf");
        let file = folder.path().join("x.pth");
        std::fs::write(&file, "abc").unwrap();
        // Nothing to tell the file by, so that it is to be recorded.
        model.weights.as_mut().unwrap().sha256_prefix = None;
        let cache = Cache::new(folder.path().to_owned());
        // A folder where the lock should be is in the way of root too.
        let lock = folder.path().join("first-seen.json.lock");
        std::fs::create_dir(&lock).unwrap();
        let error = published(&cache, &model, &file).unwrap_err().to_string();
        let expected = format!("mine/x: cannot record in {} what x.pth is: ", folder.path().display());
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains("Make the folder writable, or pass --weights FILE"), "{error}");
        std::fs::remove_dir(&lock).unwrap();
        let record = folder.path().join("first-seen.json");
        std::fs::write(&record, "{").unwrap();
        for error in [published(&cache, &model, &file), from_file(&cache, &model, &file)] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains(&record.display().to_string()) && error.contains("remove it"), "{error}");
            assert!(!error.contains("cannot read the weights"), "{error}");
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
