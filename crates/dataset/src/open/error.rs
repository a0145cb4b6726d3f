//! Everything that can be wrong with a data set. A message says what, where and what to do.

use std::io;
use std::path::PathBuf;

use memory::NoMemory;

use super::archive_problem::ArchiveProblem;
use super::remedy::Remedy;
use crate::labels::CLASSES;

/// Why a path is not a data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// Nothing at the path.
    #[error("{}: no such file or folder; give the folder with the validation images, their tar archive, parquet files, or a list file", path.display())]
    Missing {
        /// What was given.
        path: PathBuf,
    },
    /// The operating system does not let us read it.
    #[error("{}: cannot be read: {cause}{}", path.display(), permission_hint(cause))]
    Unreadable {
        /// A folder, a list or an image.
        path: PathBuf,
        /// What the operating system says. Not a `#[source]`: the message has it already, since it
        /// also goes where only one line is kept.
        cause: io::Error,
    },
    /// There is no memory for an image's file or its pixels: nothing that the image could be blamed for.
    #[error("{}: {cause}. Give the process more memory (ulimit -v, the container's limit), or ask for fewer threads", path.display())]
    NoMemory {
        /// The image.
        path: PathBuf,
        /// How much was asked for.
        cause: NoMemory,
    },
    /// Something that has no content of its own to read, under an image's name.
    #[error("{}: is not a regular file (a pipe or device?); replace it with the image, or remove it", path.display())]
    NotAFile {
        /// The image.
        path: PathBuf,
    },
    /// A place for an image in a parquet file that holds none, or a damaged one. It is that image's error.
    #[error("{}: cannot be read: {reason}", path.display())]
    NoContent {
        /// The image.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An image was given where a folder of images was meant.
    #[error("{}: is one image; give the folder that holds the images", path.display())]
    SingleImage {
        /// What was given.
        path: PathBuf,
    },
    /// A folder without images, here or where they are usually kept.
    #[error(
        "{}: no images (.jpg, .jpeg, .png) in it, nor in {looked_in} below it; \
         unpack the validation archive there or give another folder", path.display()
    )]
    NoImages {
        /// What was given.
        path: PathBuf,
        /// The subfolders that were tried, for people.
        looked_in: String,
    },
    /// A file name that is not text; names identify images in logs and reports.
    #[error("{}: the name is not valid UTF-8; rename the file", path.display())]
    NameNotUtf8 {
        /// Shown as well as it can be.
        path: PathBuf,
    },
    /// A file name with a line break, a tab or the like, which would break the lines of a log.
    #[error("{path:?}: the name has a control character in it (a line break or tab?); rename the file")]
    NameWithControl {
        /// Shown escaped.
        path: PathBuf,
    },
    /// Subfolders with images whose names are not class names.
    #[error(
        "{}: {count} subfolders with images are not named by an ILSVRC2012 WNID (such as n01440764) or, all of them, by a class index 0..999: {examples}; \
         rename or remove them, or give the labels with a list", path.display()
    )]
    UnknownFolders {
        /// The folder that holds them.
        path: PathBuf,
        /// How many.
        count: usize,
        /// The first few names.
        examples: String,
    },
    /// Flat images, no list, and names that tell nothing.
    #[error(
        "{}: {count} of {total} images have no label: {examples}; their names are not ILSVRC2012_val_NNNNNNNN and \
         {no_list}; give a list with a line \"NAME LABEL\" an image", path.display()
    )]
    Unlabelled {
        /// The folder.
        path: PathBuf,
        /// How many have none.
        count: usize,
        /// How many images there are.
        total: usize,
        /// The first few names.
        examples: String,
        /// Why no list gives the labels, for people.
        no_list: String,
    },
    /// A file that is no list of any sensible size.
    #[error(
        "{}: {bytes} bytes are neither a folder, a tar archive, a parquet file nor a label list; give one of these",
        path.display()
    )]
    NotAList {
        /// What was given.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// A tar archive that cannot be used.
    #[error("{}: {problem}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong. Not a `#[source]`: the message has it already.
        problem: ArchiveProblem,
    },
    /// A parquet file that cannot be used.
    #[error("{}: cannot be used as a parquet file of images: {reason}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do where that can be said.
        reason: String,
        /// What to give, where something can be given.
        remedy: Option<Remedy>,
    },
    /// Parquet files of several splits, none of which is for validation.
    #[error(
        "{}: parquet files of several splits ({splits}), none of them named validation-...; give the file, or a folder \
         with the files of one split", path.display()
    )]
    ParquetSplits {
        /// The folder.
        path: PathBuf,
        /// The first few of their names.
        splits: String,
    },
    /// Parquet files without a row.
    #[error("{}: its parquet files have no rows; get them again", path.display())]
    ParquetWithoutRows {
        /// What was given.
        path: PathBuf,
    },
    /// Labels of a parquet file that are no class indices.
    #[error(
        "{}: {count} of {total} images have a label that is no class index 0..{}, first: {name} has {label}{}; give \
         labels with a list", path.display(), CLASSES - 1,
        if *label == -1 { " (no label: a test split?)" } else { "" }
    )]
    ParquetLabels {
        /// What was given.
        path: PathBuf,
        /// How many.
        count: usize,
        /// Of how many.
        total: usize,
        /// The first of them.
        name: String,
        /// Its label.
        label: i64,
    },
    /// An archive that cannot be read in place.
    #[error(
        "{}: is compressed by {by}, so that images cannot be read in place; unpack it and give the folder, or its tar \
         uncompressed", path.display()
    )]
    Compressed {
        /// What was given.
        path: PathBuf,
        /// The program.
        by: &'static str,
    },
    /// Bare labels where a list with names is needed.
    #[error(
        "{}: the list has labels but no names; give the folder of the images, and this list as its labels",
        path.display()
    )]
    ListWithoutNames {
        /// What was given.
        path: PathBuf,
    },
    /// The list is not text.
    #[error("{}: the list is not UTF-8 text (line {line}); save it as UTF-8", path.display())]
    ListNotUtf8 {
        /// The list.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The list names nothing.
    #[error("{}: the list is empty; it needs a line \"NAME LABEL\" an image", path.display())]
    ListEmpty {
        /// The list.
        path: PathBuf,
    },
    /// A line that is neither `NAME LABEL` nor, where all lines are such, `LABEL`.
    #[error("{}, line {line}: {text:?} is not \"NAME LABEL\" (separated by a space, tab or comma)", path.display())]
    ListLine {
        /// The list.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// A label that is neither a number nor a WNID.
    #[error(
        "{}, line {line}: the label {label:?} is not a number; a label is a class index 0..999 in sorted WNID order, \
         or a WNID (class names are not unique); a heading line has to go", path.display()
    )]
    LabelNotANumber {
        /// The list.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What it says.
        label: String,
    },
    /// A number that is no class index.
    #[error(
        "{}, line {line}: label {label} is not in 0..999, the class indices in sorted WNID order{}", path.display(),
        background_hint(*label)
    )]
    LabelOutOfRange {
        /// The list.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What it says.
        label: i64,
    },
    /// Labels 1..1000.
    #[error(
        "{}, line {line}: label 1000, and no label 0: the list counts classes from 1 (or keeps 0 for a background \
         class); subtract 1 from every label. The ILSVRC2012_IDs of the development kit \
         (ILSVRC2012_validation_ground_truth.txt) are in another order: for ILSVRC2012_val_* files leave the list \
         out, their labels are built in", path.display()
    )]
    OneBased {
        /// The list.
        path: PathBuf,
        /// Of the first 1000; counted from 1.
        line: usize,
    },
    /// Labels 1..1000 in another order of the classes.
    #[error(
        "{}: its labels are {order}; evaluated as class indices they would be wrong for nearly every image. For \
         ILSVRC2012_val_* files leave the list out, their labels are built in; otherwise renumber it", path.display()
    )]
    OtherClassOrder {
        /// The list.
        path: PathBuf,
        /// Which, for people.
        order: String,
    },
    /// Labels that contradict known ones so often that every figure would be nonsense.
    #[error(
        "the labels from {labels} are not the known ones for {wrong} of {known} images (known by file number or WNID folder): \
         {name} is {label} there, known {known_label}; they are {order}. {advice}"
    )]
    LabelsWrong {
        /// Where they come from, for people.
        labels: String,
        /// How many contradict.
        wrong: usize,
        /// Of how many that are known.
        known: usize,
        /// What they are instead, for people.
        order: String,
        /// The first image with a wrong label.
        name: String,
        /// Its label.
        label: u16,
        /// What it is known to be.
        known_label: u16,
        /// What to do, a sentence.
        advice: &'static str,
        /// What to give, where something can be given.
        remedy: Option<Remedy>,
    },
    /// Labels without names for images in several folders.
    #[error(
        "{}: has labels without names, and the images in {} lie in folders, where an order of names may go by folders or by \
         file names: {name} has label {by_folders} by the one and {by_files} by the other; write a line \"NAME LABEL\" an image",
        list.display(), path.display()
    )]
    BareOverFolders {
        /// The list.
        list: PathBuf,
        /// The folder.
        path: PathBuf,
        /// The first image whose label depends on it.
        name: String,
        /// Its label when images are sorted by folder and then by name.
        by_folders: u16,
        /// Its label when images are sorted by file name, whatever the folder.
        by_files: u16,
    },
    /// A listed name that goes into a folder, which is a link, and back.
    #[error(
        "{}, line {line}: {written} goes through a link and back, so that it is another file than {plain}; write the \
         plain path", path.display()
    )]
    ListedThroughLink {
        /// The list.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// As the list has it.
        written: String,
        /// What it looks like.
        plain: String,
    },
    /// Images that are links, none of which leads to a file.
    #[error(
        "{}: all {count} images are links to files that are not there: {examples}; is a disk not mounted?", path.display()
    )]
    DeadLinks {
        /// The folder.
        path: PathBuf,
        /// How many images there are.
        count: usize,
        /// The first few names.
        examples: String,
    },
    /// An image that was a link to nothing when the data set was opened. It is that image's error.
    #[error(
        "{}: cannot be read: it is a link to a file that is not there; put the file there, or remove the link", path.display()
    )]
    DeadLink {
        /// The image.
        path: PathBuf,
    },
    /// A panic within a reader, which is an error like any other of a damaged file.
    #[error("{}: cannot be read: {reason} (an error within the program; is the file damaged?)", path.display())]
    ReaderFailed {
        /// What was given.
        path: PathBuf,
        /// The panic's words.
        reason: String,
    },
    /// A line of Kaggle's list that is not as Kaggle writes them.
    #[error(
        "{}, line {line}: {text:?} is not \"ImageId,WNID x0 y0 x1 y1\", as the other lines of LOC_val_solution.csv; \
         get the file again", path.display()
    )]
    KaggleLine {
        /// The list.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// The development kit's ground truth beside images that it says nothing about.
    #[error(
        "{}: holds the classes of ILSVRC2012_val_00000001 to _00050000, but {count} of {total} images in {} are named \
         otherwise: {examples}; give a list with names", list.display(), path.display()
    )]
    GroundTruthOfOthers {
        /// The list.
        list: PathBuf,
        /// The folder.
        path: PathBuf,
        /// How many have other names.
        count: usize,
        /// How many images there are.
        total: usize,
        /// The first few names.
        examples: String,
    },
    /// One image, two labels.
    #[error(
        "{}, line {line}: {name} has label {label}, but line {first_line} gives it {first_label}; remove one", path.display()
    )]
    DuplicateName {
        /// The list.
        path: PathBuf,
        /// The later line, counted from 1.
        line: usize,
        /// The earlier line, counted from 1.
        first_line: usize,
        /// The image.
        name: String,
        /// On the later line.
        label: u16,
        /// On the earlier line.
        first_label: u16,
    },
    /// A name that could be several images.
    #[error(
        "{}, line {line}: {name} fits several images ({examples}); write it with its folder", path.display()
    )]
    AmbiguousName {
        /// The list.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// As the list writes it.
        name: String,
        /// The first few images.
        examples: String,
    },
    /// The list and the folder have nothing in common.
    #[error(
        "{}: names none of the {images} images in {}; names in it are like {example}. Give the list that belongs to \
         these images", list.display(), path.display()
    )]
    ListCoversNone {
        /// The list.
        list: PathBuf,
        /// The folder.
        path: PathBuf,
        /// How many images there are.
        images: usize,
        /// The first name in the list.
        example: String,
    },
    /// The list names images that are not there.
    #[error(
        "{}: {count} of the {total} files that it names are not in {}: {examples}; complete the images, or shorten \
         the list", list.display(), path.display()
    )]
    ListedFilesAbsent {
        /// The list.
        list: PathBuf,
        /// Where they were looked for.
        path: PathBuf,
        /// How many are missing.
        count: usize,
        /// How many it names.
        total: usize,
        /// The first few names.
        examples: String,
    },
    /// Bare labels, and not as many as images.
    #[error(
        "{}: {lines} labels without names for {images} images in {}; without names there must be one line an image, \
         in the order of the file names", list.display(), path.display()
    )]
    CountMismatch {
        /// The list.
        list: PathBuf,
        /// The folder.
        path: PathBuf,
        /// Labels in the list.
        lines: usize,
        /// Images in the folder.
        images: usize,
    },
}

fn background_hint(label: i64) -> &'static str {
    if label == CLASSES as i64 {
        "; if the list is of 1001 classes, of which 0 is the background, subtract 1 from every label"
    } else {
        ""
    }
}

fn permission_hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => "; make it readable for this user (chmod -R u+rX)",
        _ => "",
    }
}

/// How many names a message shows.
pub(super) const SHOWN: usize = 3;

/// The first few names, for a message.
pub(super) fn examples<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let mut text = names.by_ref().take(SHOWN).collect::<Vec<_>>().join(", ");
    if names.next().is_some() {
        text.push_str(", ...");
    }
    text
}

const _: () = assert!(CLASSES == 1000, "the messages above say 0..999");
