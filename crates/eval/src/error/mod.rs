//! Why an evaluation cannot start or go on. Every message says what, where and what to do.

mod convert;

use std::io;
use std::path::PathBuf;

use cards::CardError;
use dataset::DatasetError;
use models::catalog::{CatalogError, FindRecipeError};
use models::onnx::OnnxError;
use models::weights::WeightsError;
use models::{ComputeError, PlacementError, ShapeError};
use thiserror::Error;

/// An evaluation that cannot start or go on.
#[derive(Debug, Error)]
pub enum EvalError {
    /// The catalog or the selection from it.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A card or the choice of one.
    #[error(transparent)]
    Card(#[from] CardError),
    /// A file that was given for a card is none.
    #[error(
        "{} is no TOML, so it is no card; `card read {}` makes one of a table in Markdown, of timm's results or of a metafile",
        path.display(),
        path.display()
    )]
    NoCard {
        /// The file.
        path: PathBuf,
    },
    /// A card of models that there are none of.
    #[error(
        "none of the {rows} rows of the card `{card}` is about a model that is here; the first is about {first}, and the nearest \
         models are {}. Name models of your own with --catalog FILE",
        nearest.join(", ")
    )]
    NothingToMeasure {
        /// The card.
        card: String,
        /// How many rows it has.
        rows: usize,
        /// The model of the first of them.
        first: String,
        /// Models that are here and resemble it.
        nearest: Vec<String>,
    },
    /// `--recipe card`, and it is not known which that is.
    #[error("--recipe card: {reason}; name the recipe, or use source")]
    CardRecipe {
        /// Why not.
        reason: String,
    },
    /// A run that was judged by a card of a file.
    #[error(
        "{}: the run was made with the card `{card}`, which is not built in; name its file (--card FILE or --catalog FILE)",
        path.display()
    )]
    NoSuchCard {
        /// The run directory.
        path: PathBuf,
        /// The card.
        card: String,
    },
    /// The images or labels.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A random sample is wanted of images that are not the whole validation set.
    #[error(
        "a random sample is drawn from all 50,000 images of the validation set, and {data} has not all of them by name, or others beside \
         them ({images} images; {missing} of the 50,000 are missing{}). Give the whole set with --data, or take a part without a \
         promise by --limit N or --shard I/N",
        first.as_ref().map_or_else(String::new, |first| format!(", {first} first"))
    )]
    NotTheWholeSet {
        /// Where the images are.
        data: String,
        /// How many there are.
        images: usize,
        /// How many of the 50,000 are not there.
        missing: usize,
        /// The first of those.
        first: Option<String>,
    },
    /// A file that should hold the digests of the verified tar's images does not.
    #[error("{} holds no digests of ILSVRC2012_img_val.tar: {reason}. Make it with `dataset check TAR --write-digests FILE`", path.display())]
    TarDigests {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The device, its type of numbers or its threads.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// A weight file.
    #[error("{id}: {source}")]
    Weights {
        /// The model.
        id: String,
        /// What is wrong with the file.
        #[source]
        source: Box<WeightsError>,
    },
    /// An ONNX file that is no classifier here.
    #[error("{id}: {source}")]
    Onnx {
        /// The model.
        id: String,
        /// What is wrong with the file.
        #[source]
        source: Box<OnnxError>,
    },
    /// A file or folder that `--onnx` names makes no models.
    #[error("--onnx {}: {reason}", path.display())]
    OnnxArgument {
        /// What was named.
        path: PathBuf,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// `--weights` names something that is not there or does not fit the selection.
    #[error("--weights {argument}: {reason}")]
    WeightsArgument {
        /// The argument as given.
        argument: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Published weights are wanted and not at hand.
    #[error(
        "{id}: the published weights are not here. Download {url} and put it at {} (without --offline that is done here), or pass --weights FILE",
        path.display()
    )]
    WeightsMissing {
        /// The model.
        id: String,
        /// Where they are published.
        url: String,
        /// Where they are looked for.
        path: PathBuf,
    },
    /// Published weights could not be fetched.
    #[error(
        "{id}: {reason}. Put the file at {} yourself, name a mirror with IMAGENET_EVAL_MIRROR, or pass --weights FILE",
        path.display()
    )]
    WeightsFetch {
        /// The model.
        id: String,
        /// What went wrong, with the address.
        reason: String,
        /// Where the file belongs.
        path: PathBuf,
    },
    /// A cached file is not the published one.
    #[error("{id}: {} is not the published file: {reason}. `cargo xtask weights fetch {id}` gets it again from {url}", path.display())]
    WeightsCorrupt {
        /// The model.
        id: String,
        /// The file.
        path: PathBuf,
        /// How it differs.
        reason: String,
        /// Where the right one is.
        url: String,
    },
    /// What was first seen in the cache cannot be read.
    #[error("{id}: whether its weights are the published ones cannot be told: {source}")]
    FirstSeen {
        /// The model.
        id: String,
        /// The record's file, what is wrong with it, and what to do.
        #[source]
        source: io::Error,
    },
    /// A file that the catalog cannot tell was found in the cache, and what it is cannot be noted there.
    #[error(
        "{id}: cannot record in {} what {file} is: {source}. Make the folder writable, or pass --weights FILE",
        cache.display()
    )]
    WeightsUnrecorded {
        /// The model.
        id: String,
        /// The file in the cache.
        file: String,
        /// The cache.
        cache: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// There is no such recipe, or it is stated wrongly.
    #[error("--recipe {}", convert::recipe_fault(fault))]
    Recipe {
        /// What is wrong with it; not a source, because the message says all of it.
        fault: FindRecipeError,
    },
    /// ReaL labels for images that have none.
    #[error(
        "--label-set real: {count} of {total} images are not named ILSVRC2012_val_NNNNNNNN, the first: {first}; ReaL labels are known for the validation files, by their numbers"
    )]
    NoRealLabels {
        /// How many.
        count: usize,
        /// Of how many.
        total: usize,
        /// The first of them.
        first: String,
    },
    /// A run directory was meant, and is none.
    #[error("{} has no run.json, so it is no run directory; give the folder that eval --out named", path.display())]
    NoRun {
        /// What was given.
        path: PathBuf,
    },
    /// A run that has images left to do.
    #[error("{} is unfinished; finish it first: {command}", path.display())]
    UnfinishedRun {
        /// The run directory.
        path: PathBuf,
        /// The command that goes on with it.
        command: String,
    },
    /// A run's model is not documented anywhere.
    #[error("{id} is in no catalog; name its catalog with --catalog FILE")]
    NotInCatalog {
        /// The model.
        id: String,
    },
    /// A run of predictions made elsewhere, of no model that anything is documented of.
    #[error(
        "{} has predictions of no documented model, so that there is nothing to judge them by. Score them with --model ID, or compare \
         them with another run (--against RUN)",
        path.display()
    )]
    NoModelNamed {
        /// The run directory.
        path: PathBuf,
    },
    /// A network that computes nothing where parity is looked at.
    #[error("{id}: {source}")]
    Parity {
        /// The model's id.
        id: String,
        /// What the device says.
        source: ComputeError,
    },
    /// A network that cannot take an image of the size.
    #[error("{id}: {source}")]
    Shape {
        /// The model's id.
        id: String,
        /// Where, and why.
        source: ShapeError,
    },
    /// A run's model is documented, with another network than the run's.
    #[error(
        "{}: {id} was evaluated with the network {network}, and the catalog has {now} for it. Name the catalog that the run was made with (--catalog FILE), or evaluate again",
        path.display()
    )]
    OtherNetwork {
        /// The run directory.
        path: PathBuf,
        /// The model.
        id: String,
        /// The run's network.
        network: String,
        /// The catalog's.
        now: String,
    },
    /// Runs that measure different things.
    #[error("{} and {} cannot be compared: {reason}", path.display(), against.display())]
    NotTheSameTask {
        /// A run directory.
        path: PathBuf,
        /// The other.
        against: PathBuf,
        /// What differs.
        reason: String,
    },
    /// A file of predictions that is not understood.
    #[error("{}: {reason}", path.display())]
    Predictions {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        reason: String,
    },
    /// Predictions for images whose label nobody knows.
    #[error(
        "{}: {count} of {total} images have no label, the first: {first}; their names are not ILSVRC2012_val_NNNNNNNN, so give a list with --labels FILE, or the images with --data PATH",
        path.display()
    )]
    NoLabel {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// Of how many.
        total: usize,
        /// The first of them.
        first: String,
    },
    /// Labels were given, and not for all images.
    #[error(
        "{}: {count} of {total} images are not among the labels that were given, the first: {first}; complete the list or the \
         images, or leave both --labels and --data out, which scores files named ILSVRC2012_val_NNNNNNNN by their known labels",
        path.display()
    )]
    NotListed {
        /// The file of predictions.
        path: PathBuf,
        /// How many.
        count: usize,
        /// Of how many.
        total: usize,
        /// The first of them.
        first: String,
    },
    /// A manifest of prepared inputs that cannot be used.
    #[error("{}: {reason}. Give the manifest.json that `prepare` wrote, or its folder", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Inputs cannot be written to a folder.
    #[error("nothing is prepared in {}: {reason}", path.display())]
    NotPrepared {
        /// The folder.
        path: PathBuf,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// Runs that do not make up one evaluation.
    #[error("cannot merge {}: {reason}", path.display())]
    Merge {
        /// The run directory.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A file of the run directory cannot be written or read.
    #[error("cannot {action} {}: {source}. Choose another folder with --out, or make room there", path.display())]
    RunFile {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// `--out` names a folder with files that would be overwritten.
    #[error(
        "{} is not a run directory (it has no run.json), and {} would be overwritten. Move that away, or choose another --out",
        path.display(),
        strange.display()
    )]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// The file in the way.
        strange: PathBuf,
    },
    /// A file that no run wrote is where the run has to write.
    #[error(
        "{} is in the way of what has to be written there, and was not written by the run in {}. Move it away, or choose another --out",
        strange.display(),
        path.display()
    )]
    InTheWay {
        /// The folder.
        path: PathBuf,
        /// The file in the way.
        strange: PathBuf,
    },
    /// `run.json` is not one of this program's.
    #[error(
        "{} is not a record that this program understands ({reason}), so nobody can tell which files in {} are a run's, and none \
         is deleted or overwritten. Choose another --out, or delete the folder yourself",
        record.display(),
        path.display()
    )]
    ForeignRecord {
        /// The folder.
        path: PathBuf,
        /// The file.
        record: PathBuf,
        /// Line and reason.
        reason: String,
    },
    /// Not one thread can be started that reads images.
    #[error(
        "the system starts no thread to read images: {source}. Give the process more memory or threads (ulimit -v, ulimit -u), or \
         ask for fewer with --threads"
    )]
    NoThread {
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// An image is not any more what the run has predictions of.
    #[error(
        "{image} has changed since the run read it: its SHA-256 was {before} and is {now} ({} has all of them). There are predictions \
         of what it was, and a run is over one set of images: put the file back, choose another --out, or add --fresh to start over",
        path.display()
    )]
    ImageChanged {
        /// The run's digests.
        path: PathBuf,
        /// The image.
        image: String,
        /// Its digest when it was read.
        before: String,
        /// Its digest now, or why it has none.
        now: String,
    },
    /// The run directory was made by a different evaluation.
    #[error(
        "{} holds another evaluation: {what} differ ({before} there, {now} now). Choose another --out, or add --fresh to start over (what is there is deleted)",
        path.display()
    )]
    OtherRun {
        /// The run directory.
        path: PathBuf,
        /// What differs.
        what: String,
        /// Its value in the directory.
        before: String,
        /// Its value now.
        now: String,
    },
    /// Another process works in the run directory.
    #[error(
        "another evaluation is writing to {} ({holder}). Wait for it (`eval --wait` does), or choose another --out",
        path.display()
    )]
    Locked {
        /// The run directory.
        path: PathBuf,
        /// The other process, as it has named itself.
        holder: String,
    },
    /// A file of the run directory is not what this version writes.
    #[error(
        "{} cannot be understood: {reason}. Repair it, choose another --out, or add --fresh to start over (which deletes the predictions there)",
        path.display()
    )]
    DamagedRun {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        reason: String,
    },
    /// A file that was only to be read cannot be.
    #[error("cannot read {}: {source}. Check the path, and that this user may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// A file of a stored run, which was only to be read, is not what this version writes.
    #[error(
        "{} cannot be understood: {reason}. Repair it, or give the command of its evaluation again with --fresh",
        path.display()
    )]
    DamagedStoredRun {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        reason: String,
    },
    /// The images cannot be reached any more.
    #[error("{source}. The run stopped; what is done is kept, and the same command goes on from there")]
    DataLost {
        /// What could not be read.
        #[source]
        source: DatasetError,
    },
    /// The device lacks memory whatever the size of the batch.
    #[error(
        "{id}: the device failed on a batch of one image: {reason}. The run stopped; what is done is kept, and the same \
         command goes on from there, also with fewer --threads"
    )]
    DeviceFailed {
        /// The model.
        id: String,
        /// The device's words.
        reason: String,
    },
    /// The network fails on image after image, for no want of memory.
    #[error(
        "{id}: the network failed on {images}, together and each alone: {reason}. The run stopped; what is done is kept, and the \
         same command goes on from there. Please report it"
    )]
    ComputationFailed {
        /// The model.
        id: String,
        /// The images of the last batch.
        images: String,
        /// What failed, in its own words.
        reason: String,
    },
    /// Not one image could be evaluated.
    #[error(
        "not one of the {images} images could be evaluated; the first: {first}. See the prediction log for the others"
    )]
    AllFailed {
        /// Number of images.
        images: usize,
        /// The first image's error.
        first: String,
    },
}
