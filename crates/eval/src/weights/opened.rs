//! The opening of a weight file, once for all that is read of it, and its first reading, for its hash.

use std::path::PathBuf;
use std::sync::Arc;

use dataset::regular::RegularFile;
use models::Model;

use super::cache::Cache;
use super::check::{Check, Fingerprint};
use super::locate::Located;
use super::resolved::{HashedFile, ResolvedWeights, unreadable};
use crate::{EvalError, NoWeights};

impl Located {
    /// Opens the file, once for all that is read of it.
    ///
    /// # Errors
    /// [`EvalError::Weights`] when it cannot be opened or is no regular file.
    pub(crate) fn open(&self, model: &Model) -> Result<OpenedWeights, EvalError> {
        let (path, is_cached) = match self {
            Self::Seeded => return Ok(OpenedWeights::Seeded),
            Self::Absent(path) => return Ok(OpenedWeights::Absent { path: path.clone() }),
            Self::Given(path) => (path, false),
            Self::Cached(path) => (path, true),
        };
        let file = Arc::new(RegularFile::open(path).map_err(unreadable(model, path))?);
        Ok(OpenedWeights::File { file, is_cached })
    }
}

/// Weights whose file is open and not read yet.
#[derive(Debug, Clone)]
pub(crate) enum OpenedWeights {
    /// To be generated from the seed.
    Seeded,
    /// A file.
    File {
        file: Arc<RegularFile>,
        /// Whether it is in the cache under the published file's name.
        is_cached: bool,
    },
    /// The published file, which is not in the cache.
    Absent { path: PathBuf },
}

impl OpenedWeights {
    /// Reads the file for its hash: which one it is, and what the catalog says of it.
    ///
    /// # Errors
    /// [`EvalError`] when it cannot be read, or a cached file is not the published one.
    pub(crate) fn identify(self, cache: &Cache, model: &Model) -> Result<ResolvedWeights, EvalError> {
        let (file, is_cached) = match self {
            Self::Seeded => return Ok(ResolvedWeights::Seeded),
            Self::Absent { path } => return Ok(ResolvedWeights::Absent { path }),
            Self::File { file, is_cached } => (file, is_cached),
        };
        let path = file.path();
        let Some(weights) = &model.weights else {
            let found = Fingerprint::of(&file).map_err(unreadable(model, path))?;
            return Ok(ResolvedWeights::File(HashedFile { file, is_cached, found, check: None }));
        };
        let found = Fingerprint::for_check(&file, weights).map_err(unreadable(model, path))?;
        let check = cache.judge(weights, &found).map_err(not_told(model))?;
        match check {
            Check::Differs(reason) if is_cached => Err(EvalError::NoWeights(NoWeights::Corrupt {
                id: model.id.clone(),
                path: path.to_owned(),
                reason,
                url: weights.url.clone(),
            })),
            check => Ok(ResolvedWeights::File(HashedFile { file, is_cached, found, check: Some(check) })),
        }
    }
}

/// The record of what was first seen is at fault, not the weights.
fn not_told(model: &Model) -> impl Fn(std::io::Error) -> EvalError + '_ {
    |source| EvalError::NoWeights(NoWeights::FirstSeen { id: model.id.clone(), source })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use models::catalog::PublishedWeights;
    use models::{Catalog, Checkpoint};

    use super::super::{Forgotten, ForgottenFile, WeightsArg, WeightsSource, locate};
    use super::*;
    use crate::Remedy;

    /// SHA-256 of `abc`, the example of FIPS 180-2.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// A model whose published file begins with these digits of its hash.
    fn model(sha256_prefix: &str) -> Model {
        let entry = format!(
            "[[models]]\nid = \"mine/x\"\nnetwork = \"timm-xception\"\nrecipe = \"card-342-bilinear\"\n\
             input_size = 299\n[models.weights]\nurl = \"https://example.org/x.pth\"\nfile = \"x.pth\"\n\
             sha256_prefix = \"{sha256_prefix}\"\n"
        );
        let mut catalog = Catalog::built_in();
        catalog.add(&entry, "catalog.toml").unwrap();
        catalog.select("mine/x").unwrap()[0].clone()
    }

    /// What a run would record of the weights, had they been loaded.
    fn recorded(cache: &Cache, model: &Model, located: &Located) -> Result<WeightsSource, EvalError> {
        located.open(model)?.identify(cache, model)?.record(cache, model, None)
    }

    #[test]
    fn a_file_is_the_published_one_by_its_hash_alone() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let file = folder.path().join("renamed.pth");
        std::fs::write(&file, "abc").unwrap();
        for (prefix, expected) in [("ba7816bf", true), ("BA7816BF8", true), ("ba7816b0", false)] {
            let model = model(prefix);
            let located = locate(&[WeightsArg::Path(file.clone())], &[&model], false).unwrap();
            let source = recorded(&cache, &model, &located[0]).unwrap();
            let WeightsSource::File { sha256, published, .. } = &source else { panic!("{source:?}") };
            assert_eq!((sha256.as_str(), *published), (ABC, expected));
            assert_eq!(source.label(), "sha256:ba7816bf8f01cfea");
        }
    }

    /// What was hashed and what is loaded are of one file, wherever the link that named it leads by then.
    #[cfg(unix)]
    #[test]
    fn a_link_that_changes_while_weights_are_read_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let path = |name: &str| folder.path().join(name);
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
        let link = path("link");
        let model = model("ba7816bf");
        for (file, other) in [
            ("narrow-zip.pth", "narrow-half.pth"),
            ("narrow-legacy.pth", "narrow-zip.pth"),
            ("narrow.safetensors", "narrow-zip.pth"),
            ("narrow-paddle26.pdparams", "narrow-paddle-tuples.pdparams"),
            ("narrow-keras.h5", "narrow-keras-swapped.h5"),
            ("narrow-keras3.keras", "narrow-tf215.keras"),
        ] {
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(fixtures.join(file), &link).unwrap();
            let first = Checkpoint::open(&fixtures.join(file)).unwrap();
            let opened = Located::Given(link.clone()).open(&model).unwrap();
            std::fs::remove_file(&link).unwrap();
            std::os::unix::fs::symlink(fixtures.join(other), &link).unwrap();
            let OpenedWeights::File { file: handle, .. } = &opened else { panic!("a file was given") };
            let checkpoint = Checkpoint::read(handle).unwrap();
            std::fs::remove_file(&link).unwrap();
            for (here, there) in checkpoint.tensors().zip(first.tensors()) {
                assert_eq!(here.name, there.name, "{file}");
                assert_eq!(
                    here.to_bytes().unwrap()[..],
                    there.to_bytes().unwrap()[..],
                    "{file}: {}",
                    here.name
                );
            }
            let resolved = opened.identify(&cache, &model).unwrap();
            let source = resolved.record(&cache, &model, None).unwrap();
            let whole = RegularFile::open(&fixtures.join(file)).unwrap();
            let WeightsSource::File { sha256, .. } = source else { panic!("a file was given") };
            assert_eq!(sha256, Fingerprint::of(&whole).unwrap().sha256, "{file}");
        }
    }

    #[test]
    fn weights_that_were_written_to_while_they_were_read_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let file = folder.path().join("x.pth");
        std::fs::write(&file, "abc").unwrap();
        let model = model("ba7816bf");
        let opened = Located::Given(file.clone()).open(&model).unwrap();
        let resolved = opened.identify(&cache, &model).unwrap();
        std::fs::write(&file, "abcd").unwrap();
        let error = resolved.record(&cache, &model, None).unwrap_err().to_string();
        assert!(error.contains("x.pth was changed while it was read"), "{error}");
    }

    #[test]
    fn a_cache_that_cannot_be_written_or_read_is_what_is_complained_of() {
        let folder = tempfile::tempdir().unwrap();
        let mut model = model("ba7816bf");
        let file = folder.path().join("x.pth");
        std::fs::write(&file, "abc").unwrap();
        // Nothing to tell the file by, so that it is to be recorded.
        model.weights.as_mut().unwrap().sha256_prefix = None;
        let cache = Cache::new(folder.path().to_owned());
        // A folder where the lock should be is in the way of root too.
        let lock = folder.path().join("first-seen.json.lock");
        std::fs::create_dir(&lock).unwrap();
        let cached = Located::Cached(file.clone());
        let error = recorded(&cache, &model, &cached).unwrap_err().to_string();
        let expected = format!("mine/x: cannot record in {} what x.pth is: ", folder.path().display());
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains("Make the folder writable, or give a file of your own"), "{error}");
        std::fs::remove_dir(&lock).unwrap();
        let record = folder.path().join("first-seen.json");
        std::fs::write(&record, "{").unwrap();
        for located in [cached, Located::Given(file)] {
            let error = recorded(&cache, &model, &located).unwrap_err().to_string();
            assert!(error.contains(&record.display().to_string()) && error.contains("remove it"), "{error}");
            assert!(!error.contains("cannot read the weights"), "{error}");
        }
    }

    /// Recorded when it is loaded, refused when it is another, and forgotten by name.
    #[test]
    fn what_is_first_seen_can_be_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut model = model("ba7816bf");
        model.weights.as_mut().unwrap().sha256_prefix = None;
        let weights = model.weights.clone().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        assert_eq!(cache.forget(&weights).unwrap(), None);
        assert!(!cache.folder().exists(), "nothing to forget makes no cache");
        let path = cache.path(&weights);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "abc").unwrap();
        let located = Located::Cached(path.clone());
        let source = recorded(&cache, &model, &located).unwrap();
        assert!(source.is_published(Some(&weights)), "{source:?}");
        // Another file: refused, and the way out is named.
        std::fs::write(&path, "abcd").unwrap();
        let error = recorded(&cache, &model, &located).unwrap_err();
        assert!(error.to_string().contains("first-seen.json says"), "{error}");
        assert_eq!(error.remedy(), Some(Remedy::WeightsAgain("mine/x".to_owned())));
        // It stays where it is, since somebody has put it there.
        let forgotten = cache.forget(&weights).unwrap().unwrap();
        assert_eq!(forgotten, Forgotten { sha256: ABC.to_owned(), cached: ForgottenFile::Kept });
        recorded(&cache, &model, &located).unwrap();
        // The file first seen would be seen first again; it is set aside, and never over another.
        let aside = |number: &str| path.with_file_name(format!("x.pth.forgotten{number}"));
        for number in ["", "-2"] {
            let forgotten = cache.forget(&weights).unwrap().unwrap();
            assert_eq!(forgotten.cached, ForgottenFile::SetAside(aside(number)));
            assert!(!path.exists() && aside(number).exists());
            std::fs::write(&path, number).unwrap();
            recorded(&cache, &model, &located).unwrap();
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(cache.forget(&weights).unwrap().unwrap().cached, ForgottenFile::Absent);
        assert_eq!(cache.forget(&weights).unwrap(), None);
    }

    #[test]
    fn files_of_two_addresses_share_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().to_owned());
        let weights = model("ba7816bf").weights.unwrap();
        let other = PublishedWeights { url: "https://example.org/y.pth".to_owned(), ..weights.clone() };
        assert_ne!(cache.path(&weights), cache.path(&other));
        assert_ne!(cache.part(&weights), cache.part(&other));
        assert_eq!(cache.path(&weights).file_name(), cache.path(&other).file_name());
        // The table's files are where they have always been; one of that name from elsewhere is not.
        let catalog = Catalog::built_in();
        for model in catalog.models() {
            let weights = model.weights.as_ref().unwrap();
            assert_eq!(cache.path(weights), folder.path().join(&weights.file));
            let planted = PublishedWeights { url: other.url.clone(), ..weights.clone() };
            assert_ne!(cache.path(&planted), cache.path(weights));
        }
    }
}
