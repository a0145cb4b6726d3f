//! Tensors in a file of their own, which the standard calls external data: never outside the model's folder, one handle a file.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use dataset::regular::RegularFile;

use super::wire::Span;

/// The files that a model's tensors lie in, each opened once.
#[derive(Debug, Default)]
pub(crate) struct ExternalFiles {
    files: BTreeMap<String, Arc<RegularFile>>,
}

/// Where a tensor's bytes lie.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) file: Arc<RegularFile>,
    pub(crate) span: Span,
}

impl ExternalFiles {
    /// Where the tensor of these keys lies, which has `bytes` bytes.
    ///
    /// # Errors
    /// Why it does not lie there, and what to do.
    pub(crate) fn place(
        &mut self,
        model: &Path,
        entries: &[(String, String)],
        bytes: u64,
    ) -> Result<Place, String> {
        let value = |key: &str| entries.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str());
        let number = |key: &str| match value(key) {
            None => Ok(None),
            Some(text) => {
                text.parse::<u64>().map(Some).map_err(|_| format!("its {key} `{text}` is no number"))
            }
        };
        let location = value("location").ok_or("it is said to lie in another file, but not in which")?;
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let file = match self.files.get(location) {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(open(model, location)?);
                self.files.insert(location.to_owned(), Arc::clone(&file));
                file
            }
        };
        if let Some(length) = length.filter(|&length| length != bytes) {
            return Err(format!("it has {length} bytes in `{location}`, and its shape {bytes}"));
        }
        let there = file.size_bytes();
        if offset.checked_add(bytes).is_none_or(|end| end > there) {
            return Err(format!(
                "`{location}` has {there} bytes, and it would lie at {offset} to {}; the file is cut short or of another model",
                offset.saturating_add(bytes)
            ));
        }
        Ok(Place { file, span: Span { start: offset, len: bytes } })
    }

    /// The files that were opened, by their names in the model.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Arc<RegularFile>)> {
        self.files.iter().map(|(name, file)| (name.as_str(), file))
    }
}

/// Opens what a model calls `location`: a path below its folder, links included.
fn open(model: &Path, location: &str) -> Result<RegularFile, String> {
    let outside = || {
        format!(
            "`{location}` lies outside the model's folder, where nothing is read; put the file beside the model and export it so"
        )
    };
    let relative = PathBuf::from(location);
    let is_below = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if location.is_empty() || !is_below || location.contains('\\') {
        return Err(outside());
    }
    let folder = match model.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let missing = |error: std::io::Error| {
        format!(
            "`{location}` beside the model: {error}. A model of several files needs all of them in one folder"
        )
    };
    let path = folder.join(relative).canonicalize().map_err(missing)?;
    if !path.starts_with(folder.canonicalize().map_err(missing)?) {
        return Err(outside());
    }
    RegularFile::open(&path).map_err(missing)
}
