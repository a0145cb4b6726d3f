//! What lies at a path: images, their labels, and how sure one can be of both.
//!
//! Code map: `kind` tells what a file is, `scan` finds image files, `archive` those in a tar, `parquet` those in Hugging
//! Face's shards, `reopen` reads parts of such files and sees that they are the same ones, `list` reads label files,
//! `matching` says which image a line means, `detect` puts images and labels together (and holds the rules), `finish`
//! warns of what may surprise, `prescaled` of files that all have one size, `order` tells a list's order of classes, `known`
//! labels images by their names alone, `sample` is the embedded data set, `error` and `archive_problem` say what went wrong,
//! `remedy` what to give for it to go away.

mod archive;
mod archive_problem;
mod detect;
mod error;
mod finish;
mod kind;
mod known;
mod list;
mod matching;
mod order;
mod parquet;
mod prescaled;
mod remedy;
mod reopen;
mod sample;
mod scan;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive::Archive;
use memory::NoMemory;
use parquet::ParquetFiles;
use reopen::no_memory;
use sha2::{Digest, Sha256};

use crate::guard::guarded_or;
use crate::labels;

pub use archive_problem::ArchiveProblem;
pub use error::DatasetError;
pub use known::KnownLabels;
pub use remedy::Remedy;

/// One labelled image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelledImage {
    /// Path relative to the data set's root, with `/` between folders, for example
    /// `ILSVRC2012_val_00000001.JPEG` or `n01440764/ILSVRC2012_val_00000293.JPEG`.
    pub name: String,
    /// Class index, 0..999.
    pub label: u16,
}

/// How the images were found to be arranged. Displays as a short phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// The images embedded in this program.
    Sample,
    /// Images in one folder.
    Flat {
        /// The folder below the path that was given, where the images were not in that path itself.
        below: Option<String>,
    },
    /// A folder a class, named by its WNID.
    ClassFolders {
        /// How many of the 1,000 classes have a folder.
        classes: usize,
        /// The folder below the path that was given, where the images were not in that path itself.
        below: Option<String>,
    },
    /// A folder a class, named by its index, as in ImageNetV2.
    NumberedFolders {
        /// How many of the 1,000 classes have a folder.
        classes: usize,
        /// The folder below the path that was given, where the images were not in that path itself.
        below: Option<String>,
    },
    /// Folders of no particular meaning; a list says what is in them.
    Folders {
        /// How many folders hold images.
        folders: usize,
    },
    /// A tar archive, read in place.
    Tar {
        /// How images lie in it.
        inside: Box<Layout>,
    },
    /// Parquet files with the images' bytes in a column, read in place.
    Parquet {
        /// How many files.
        shards: usize,
    },
    /// The path is a list; the images are those that it names.
    ListFile,
}

/// Where the labels come from. Displays as a short phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelSource {
    /// Those of the embedded sample.
    Sample,
    /// The 50,000 known labels, by the number in the file name.
    BuiltIn,
    /// A list file.
    List(PathBuf),
    /// The development kit's ground truth; its ILSVRC2012_IDs are translated.
    GroundTruth(PathBuf),
    /// The names of the class folders: WNIDs.
    FolderNames,
    /// The names of the class folders: class indices.
    FolderNumbers,
    /// A column of the parquet files, by its name.
    Column(String),
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = match self {
            Self::Sample => return f.write_str("embedded sample"),
            Self::Tar { inside } => return write!(f, "tar archive read in place, {inside}"),
            Self::Parquet { shards: 1 } => return f.write_str("a parquet file read in place"),
            Self::Parquet { shards } => return write!(f, "{shards} parquet files read in place"),
            Self::ListFile => return f.write_str("files named by a list"),
            Self::Folders { folders } => return write!(f, "{folders} folders of images"),
            Self::Flat { below } => {
                f.write_str("flat folder")?;
                below
            }
            Self::ClassFolders { classes, below } => {
                write!(f, "a folder a class ({classes} of {} classes)", labels::CLASSES)?;
                below
            }
            Self::NumberedFolders { classes, below } => {
                write!(f, "a folder a class, by number ({classes} of {} classes)", labels::CLASSES)?;
                below
            }
        };
        below.as_ref().map_or(Ok(()), |below| write!(f, ", found in {below}/"))
    }
}

impl fmt::Display for LabelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sample => f.write_str("sample"),
            Self::BuiltIn => f.write_str("built-in ILSVRC2012 labels by file number"),
            Self::List(path) => write!(f, "list {}", path.display()),
            Self::GroundTruth(path) => {
                write!(f, "development kit's ground truth {} (ILSVRC2012_IDs, translated)", path.display())
            }
            Self::FolderNames => f.write_str("folder names (WNID)"),
            Self::FolderNumbers => f.write_str("folder names (class index)"),
            Self::Column(name) => write!(f, "column `{name}` of the parquet files"),
        }
    }
}

impl LabelSource {
    /// What gives the labels, where it may be in another order of the classes than is meant.
    fn noun(&self) -> Option<&'static str> {
        match self {
            Self::List(_) | Self::GroundTruth(_) => Some("a list"),
            Self::FolderNumbers => Some("a numbering of folders"),
            Self::Column(_) => Some("a column"),
            Self::Sample | Self::BuiltIn | Self::FolderNames => None,
        }
    }

    /// What to do when labels from here contradict the known ones: a sentence.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::List(_) | Self::GroundTruth(_) => {
                "Leave the list out, or mend it: a label is a class index 0..999 in sorted WNID order."
            }
            Self::FolderNames => {
                "Put each file into the folder of its class, or give the right labels with a list."
            }
            Self::FolderNumbers => {
                "Name each folder by its class index in sorted WNID order, or give the right labels with a list."
            }
            Self::Column(_) => "Get the parquet files again, or give the right labels with a list.",
            Self::Sample | Self::BuiltIn => "These labels are part of this program: report it.",
        }
    }
}

/// How a data set's labels compare with the known ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelCheck {
    /// Images whose label is known: ILSVRC2012 validation files by their number, others by the WNID of their folder.
    pub known: usize,
    /// Those of them that are known by their folder.
    pub by_folder: usize,
    /// Those that the data set labels otherwise.
    pub wrong: usize,
    /// What the data set's labels are, for people: class indices, counted from 1, permuted, ...
    pub order: String,
}

/// Labelled images, in the byte order of their names.
#[derive(Debug, Clone)]
pub struct Dataset {
    root: PathBuf,
    items: Vec<LabelledImage>,
    layout: Layout,
    label_source: LabelSource,
    warnings: Vec<String>,
    /// Images that were links to nothing when the data set was opened. One that leads nowhere later is a disk that went
    /// away.
    dead_links: HashSet<String>,
    store: Store,
}

/// An image file is read whole. The largest of the validation set has 14 MB.
const MAX_IMAGE_BYTES: u64 = 1 << 30;

/// What holds the images' bytes.
#[derive(Debug, Clone)]
enum Store {
    Embedded,
    /// Files below the root.
    Files,
    Tar(Arc<Archive>),
    Parquet(Arc<ParquetFiles>),
}

impl Dataset {
    /// Looks at `path`, a folder of images or of parquet files, a tar archive, a parquet file or a list file, and
    /// finds every image a label. `labels` names a list file that is used instead of anything found by looking.
    ///
    /// Understood are: a flat folder with a list in or beside it (`val.txt`, `val_list.txt`,
    /// `val_map.txt`, `labels.txt`, `dataset.txt`, Kaggle's `LOC_val_solution.csv`, the development kit's
    /// `ILSVRC2012_validation_ground_truth.txt`); a flat folder of `ILSVRC2012_val_*` files, whose labels
    /// are known; a folder a class, named by WNID, or by class index as in ImageNetV2; any of these one
    /// of the usual levels down (`val`, `ILSVRC2012_img_val`, `ILSVRC/Data/CLS-LOC/val`, ...); a tar
    /// archive of images or Hugging Face's parquet files, read in place.
    ///
    /// # Errors
    /// [`DatasetError`]: the path, the images or the labels are not what they should be. The message
    /// says what to do.
    ///
    /// ```
    /// use dataset::{Dataset, Layout};
    /// # let folder = std::env::temp_dir().join(format!("dataset-open-example-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    ///
    /// std::fs::write(folder.join("ILSVRC2012_val_00000001.JPEG"), "pixels")?;
    /// let dataset = Dataset::open(&folder, None)?;
    /// assert_eq!(dataset.items()[0].label, 65);
    /// assert_eq!(dataset.layout(), &Layout::Flat { below: None });
    /// assert_eq!(&*dataset.read(0)?, b"pixels");
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: &Path, labels: Option<&Path>) -> Result<Self, DatasetError> {
        let open = || {
            let mut dataset = detect::open(path, labels)?;
            dataset.warnings.extend(prescaled::warning(&dataset));
            Ok(dataset)
        };
        guarded_or(open, |reason| DatasetError::ReaderFailed { path: path.to_owned(), reason })
    }

    /// The data set embedded in this program: 24 drawn images, saved the many ways in which
    /// ILSVRC2012 files occur. Their labels are valid but arbitrary.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            root: PathBuf::new(),
            items: sample::items(),
            layout: Layout::Sample,
            label_source: LabelSource::Sample,
            warnings: Vec::new(),
            dead_links: HashSet::new(),
            store: Store::Embedded,
        }
    }

    /// The images, in the byte order of their names.
    #[must_use]
    pub fn items(&self) -> &[LabelledImage] {
        &self.items
    }

    /// The whole content of image `index`'s file.
    ///
    /// # Errors
    /// [`DatasetError::Unreadable`], [`DatasetError::NotAFile`], [`DatasetError::DeadLink`] and
    /// [`DatasetError::NoContent`], which name the path; [`DatasetError::concerns_one_image`] says whether the others may
    /// be well.
    ///
    /// # Panics
    /// If there is no item `index`.
    pub fn read(&self, index: usize) -> Result<Cow<'_, [u8]>, DatasetError> {
        let name = &self.items[index].name;
        let failed = |reason| DatasetError::NoContent { path: self.root.join(name), reason };
        guarded_or(|| self.read_unguarded(name), failed)
    }

    fn read_unguarded(&self, name: &str) -> Result<Cow<'_, [u8]>, DatasetError> {
        let path = self.root.join(name);
        let bytes = match &self.store {
            Store::Embedded => return Ok(Cow::Borrowed(sample::bytes(name))),
            Store::Tar(archive) => archive.read(name),
            Store::Parquet(shards) => match shards.read(name) {
                Ok(bytes) => Ok(bytes),
                Err(parquet::ReadError::Unreadable(cause)) => Err(cause),
                Err(parquet::ReadError::NoContent(reason)) => {
                    return Err(DatasetError::NoContent { path, reason });
                }
            },
            Store::Files => match fs::metadata(&path) {
                // A pipe without a writer, or an endless device, would hold up the run for ever.
                Ok(found) if !found.is_file() => return Err(DatasetError::NotAFile { path }),
                // A file with a hole can declare any length.
                Ok(found) if found.len() > MAX_IMAGE_BYTES => {
                    let reason = format!("it has {} bytes, which no image has", found.len());
                    return Err(DatasetError::NoContent { path, reason });
                }
                Ok(_) => memory::asking(|| fs::read(&path)),
                Err(cause) if self.dead_links.contains(name) && scan::leads_nowhere(&cause) => {
                    return Err(DatasetError::DeadLink { path });
                }
                Err(cause) => Err(cause),
            },
        };
        bytes.map(Cow::Owned).map_err(|cause| match no_memory(&cause) {
            Some(cause) => DatasetError::NoMemory { path, cause },
            None => DatasetError::Unreadable { path, cause },
        })
    }

    /// The error of a process that has no memory for what image `index` becomes.
    ///
    /// # Panics
    /// If there is no item `index`.
    #[must_use]
    pub fn no_memory(&self, index: usize, cause: NoMemory) -> DatasetError {
        DatasetError::NoMemory { path: self.root.join(&self.items[index].name), cause }
    }

    /// Gives all bytes of the archive that the images are read from to `piece`, in their order, until that says no. Whether it came to
    /// the end; none where the images lie in no tar.
    ///
    /// # Errors
    /// [`DatasetError::Unreadable`], also where the archive is not the one that was opened.
    pub fn read_archive(&self, piece: impl FnMut(&[u8]) -> bool) -> Option<Result<bool, DatasetError>> {
        let Store::Tar(archive) = &self.store else { return None };
        let unreadable = |cause| DatasetError::Unreadable { path: archive.path().to_owned(), cause };
        Some(archive.read_all(piece).map_err(unreadable))
    }

    /// How the images are arranged.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where the labels come from.
    #[must_use]
    pub fn label_source(&self) -> &LabelSource {
        &self.label_source
    }

    /// Compares the labels with those that are known.
    #[must_use]
    pub fn label_check(&self) -> LabelCheck {
        let known = order::known(&self.items, &self.label_source);
        let wrong = known.iter().filter(|(item, known)| item.label != *known).count();
        let by_folder = known.iter().filter(|(item, _)| labels::val_label(&item.name).is_none()).count();
        LabelCheck {
            known: known.len(),
            by_folder,
            wrong,
            order: order::of(&order::pairs(&known)).to_string(),
        }
    }

    /// A key that orders images as they are stored, which is the order to read many in: a disk then reads on,
    /// and a page of a parquet file is near the last.
    ///
    /// # Panics
    /// If there is no item `index`.
    #[must_use]
    pub fn stored_at(&self, index: usize) -> impl Ord + use<> {
        let name = &self.items[index].name;
        let place = match &self.store {
            Store::Embedded | Store::Files => None,
            Store::Tar(archive) => archive.offset_of(name).map(|offset| (0, offset)),
            Store::Parquet(shards) => shards.place(name),
        };
        (place, index)
    }

    /// What a person should know before trusting figures from this data set, a sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Identifies the data set: SHA-256, in hexadecimal, over one line an item in name order, `name`,
    /// a zero byte, the label, a zero byte, the file's length in bytes, a newline. The length of a
    /// file that cannot be looked at is `-`, and so is that of a row of a parquet file, for which a line a
    /// parquet file follows, its name, a zero byte, its length, a newline. Pixels are not read: 50,000 files
    /// take a second.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for item in &self.items {
            let length = match &self.store {
                Store::Embedded => Some(sample::bytes(&item.name).len() as u64),
                Store::Files => fs::metadata(self.root.join(&item.name)).ok().map(|found| found.len()),
                Store::Tar(archive) => archive.len_of(&item.name),
                // Known only by reading all images; the files themselves are hashed in below.
                Store::Parquet(_) => None,
            };
            let length = length.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
            hash.update(format!("{}\0{}\0{length}\n", item.name, item.label));
        }
        if let Store::Parquet(shards) = &self.store {
            shards.files().for_each(|(name, bytes)| hash.update(format!("{name}\0{bytes}\n")));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether this is the embedded sample (or the first part of it).
    #[must_use]
    pub fn is_sample(&self) -> bool {
        self.layout == Layout::Sample
    }

    /// Whether the images are the whole ILSVRC2012 validation set, by name: the 50,000 known file
    /// numbers, each exactly once, and nothing else. Only then is an accuracy comparable with a
    /// documented one.
    #[must_use]
    pub fn is_complete_ilsvrc2012_val(&self) -> bool {
        let mut seen = vec![false; labels::VAL_IMAGES];
        self.items.len() == labels::VAL_IMAGES
            && self.items.iter().all(|item| {
                labels::val_file_number(&item.name)
                    .is_some_and(|number| !std::mem::replace(&mut seen[number - 1], true))
            })
    }

    /// Keeps the first `limit` images, in name order.
    pub fn truncate(&mut self, limit: usize) {
        self.items.truncate(limit);
    }
}
