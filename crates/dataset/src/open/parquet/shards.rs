//! The parquet files of a data set, told by their names: its splits, their numbers, and what else lies there.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::schema;
use crate::names;
use crate::open::error::{SHOWN, examples};
use crate::open::{DatasetError, scan};

/// Where shards lie below the folder that is given; `data` is Hugging Face's.
const USUAL_PLACES: [&str; 4] = ["", "data", "val", "validation"];

/// What parquet files there are in a folder.
pub(in crate::open) struct InFolder {
    /// Those of the data set, sorted; none where it has none. Of several splits, that which is for validation.
    pub(in crate::open) shards: Vec<PathBuf>,
    /// Those that are something else's.
    pub(in crate::open) passed_over: PassedOver,
}

/// Parquet files that are not read.
#[derive(Default)]
pub(in crate::open) struct PassedOver {
    pub(in crate::open) files: Vec<PathBuf>,
    /// Why not, for people.
    because: &'static str,
}

impl PassedOver {
    /// What to say of them.
    pub(in crate::open) fn warning(&self) -> Option<String> {
        let folder = scan::folder_of(self.files.first()?);
        let file_names = self.files.iter().filter_map(|path| path.file_name()?.to_str());
        Some(format!(
            "not read: {} in {} ({}), {}",
            if self.files.len() == 1 {
                "1 parquet file".to_owned()
            } else {
                format!("{} parquet files", self.files.len())
            },
            folder.display(),
            examples(file_names),
            self.because,
        ))
    }
}

/// Looks for the parquet files of the data set in `folder`. Images that lie beside them are meant before they are.
pub(in crate::open) fn in_folder(folder: &Path) -> Result<InFolder, DatasetError> {
    let mut passed_over = PassedOver::default();
    for place in USUAL_PLACES {
        let folder = if place.is_empty() { folder.to_owned() } else { folder.join(place) };
        // What cannot be listed is reported by the search for images.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let mut files: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_parquet_name(path)).collect();
        files.sort_unstable();
        if !files.is_empty() && scan::holds_images_itself(&folder) {
            let because = "since images lie beside; to evaluate such a file, give it as the path";
            return Ok(InFolder { shards: Vec::new(), passed_over: PassedOver { files, because } });
        }
        let mut splits: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for path in files {
            splits.entry(split(&path).to_owned()).or_default().push(path);
        }
        // One file tells what its split holds.
        let without =
            |files: &Vec<PathBuf>| files.first().is_some_and(|path| schema::is_without_images(path));
        for (_, files) in splits.extract_if(.., |_, files| without(files)) {
            passed_over.files.extend(files);
            passed_over.because = "which has no column of images";
        }
        if splits.is_empty() {
            continue;
        }
        let shards = match splits.len() {
            1 => splits.into_values().next().unwrap_or_default(),
            _ => {
                let or_none = |name: &'static str, split: &String| {
                    if split.is_empty() { name.to_owned() } else { split.clone() }
                };
                let known: Vec<String> = splits.keys().map(|split| or_none("numbers only", split)).collect();
                let validation = splits.into_iter().find(|(name, _)| name.starts_with("val"));
                let splits = || examples(known.iter().map(String::as_str));
                validation
                    .ok_or_else(|| DatasetError::ParquetSplits { path: folder.clone(), splits: splits() })?
                    .1
            }
        };
        return Ok(InFolder { shards, passed_over });
    }
    Ok(InFolder { shards: Vec::new(), passed_over })
}

fn is_parquet_name(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(names::is_hidden);
    !hidden && path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// `validation` of `validation-00003-of-00014.parquet`. Nothing of `0003.parquet`, as the hub names what it converted
/// itself: the folder there says the split.
fn split(path: &Path) -> &str {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let split = stem.split_once('-').map_or(stem, |(split, _)| split);
    if split.bytes().all(|byte| byte.is_ascii_digit()) { "" } else { split }
}

/// Which shard of how many, by the name.
fn numbered(path: &Path) -> Option<(usize, usize)> {
    let mut parts = path.file_stem()?.to_str()?.split('-').skip_while(|part| part.parse::<usize>().is_err());
    let index = parts.next()?.parse().ok()?;
    let ("of", count) = (parts.next()?, parts.next()?.parse().ok()?) else { return None };
    Some((index, count))
}

/// What to say of shards that the names of `paths` count and that are not there.
///
/// A name may declare any number of them, so nothing is done by that number but to look for the first that are missing.
pub(super) fn missing(paths: &[PathBuf]) -> Option<String> {
    let numbers: Vec<(usize, usize)> = paths.iter().filter_map(|path| numbered(path)).collect();
    let count = numbers.iter().map(|(_, count)| *count).max()?;
    let here: HashSet<usize> =
        numbers.iter().map(|(index, _)| *index).filter(|index| *index < count).collect();
    let missing = (0..count).filter(|index| !here.contains(index));
    // One more than is shown, so that the message says whether there are others.
    let first: Vec<String> = missing.take(SHOWN + 1).map(|index| format!("{index:05}")).collect();
    (!first.is_empty()).then(|| {
        let which = examples(first.iter().map(String::as_str));
        format!("{} of {count} shards are not there: {which}", count - here.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_numbered_by_their_names() {
        let of = |name: &str| (split(Path::new(name)).to_owned(), numbered(Path::new(name)));
        assert_eq!(of("validation-00003-of-00014.parquet"), ("validation".to_owned(), Some((3, 14))));
        assert_eq!(of("val-00000-of-00002-a1b2c3.parquet"), ("val".to_owned(), Some((0, 2))));
        assert_eq!(of("0000.parquet"), (String::new(), None));
        let paths = ["v-00000-of-00003.parquet", "v-00002-of-00003.parquet"].map(PathBuf::from);
        assert_eq!(missing(&paths).expect("a warning"), "1 of 3 shards are not there: 00001");
        let paths = ["v-00000-of-00100000000000000.parquet", "v-00002-of-00003.parquet"].map(PathBuf::from);
        assert_eq!(
            missing(&paths).expect("a warning"),
            "99999999999998 of 100000000000000 shards are not there: 00001, 00003, 00004, ..."
        );
        // Numbers from 1 on, or another data set's: whatever they are, not more are missing than are counted.
        let paths = ["v-00001-of-00002.parquet", "v-00002-of-00002.parquet"].map(PathBuf::from);
        assert_eq!(missing(&paths).expect("a warning"), "1 of 2 shards are not there: 00000");
    }
}
