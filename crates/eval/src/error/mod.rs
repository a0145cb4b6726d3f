//! Why an evaluation cannot start or go on. Every message says what, where and what to do.

mod convert;
mod evidence;
mod no_weights;
mod remedy;

use std::io;
use std::path::PathBuf;

use cards::CardError;
use dataset::DatasetError;
use models::catalog::{CatalogError, FindRecipeError};
use models::onnx::OnnxError;
use models::weights::WeightsError;
use models::{ComputeError, PlacementError, ShapeError};
pub use no_weights::NoWeights;
pub use remedy::{Argument, Remedy};
use thiserror::Error;

pub use evidence::EvidenceError;

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
        "{} is no TOML, so it is no card; one can be made of a table in Markdown, of timm's results or of a metafile",
        path.display()
    )]
    NoCard {
        /// The file.
        path: PathBuf,
    },
    /// A card of models that there are none of.
    #[error(
        "none of the {rows} rows of the card `{card}` is about a model that is here; the first is about {first}, and the nearest \
         models are {}. Name models of your own",
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
    /// Images near a hit are to be computed again in f32, and all are.
    #[error(
        "everything is computed in f32, so that nothing can be computed again in f32; compute in another type of numbers"
    )]
    NothingToRecheck,
    /// The recipe of the card is asked for, and it is not known which that is.
    #[error("{reason}; name the recipe, or take each model's own")]
    CardRecipe {
        /// Why not.
        reason: String,
    },
    /// A run that was judged by a card of a file.
    #[error(
        "{}: the run was made with the card `{card}`, which is not built in; name its file",
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
    /// A sample or digests that no verdict can rest on.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
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
    /// A file or folder that was named as ONNX files makes no models.
    #[error("{}: {reason}", path.display())]
    OnnxArgument {
        /// What was named.
        path: PathBuf,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// An ONNX file whose recipe is not known.
    #[error(
        "{}: how its images are prepared is not known. Give a recipe, for instance {example}, or say it in {}, as \
         recipe = \"{example}\"; it is in the description of the weights",
        path.display(),
        toml.display()
    )]
    OnnxRecipe {
        /// The file.
        path: PathBuf,
        /// Where its recipe could be said.
        toml: PathBuf,
        /// A recipe as a text.
        example: String,
    },
    /// A model has no weights to be evaluated with.
    #[error(transparent)]
    NoWeights(#[from] NoWeights),
    /// There is no such recipe, or it is stated wrongly.
    #[error("{}", convert::recipe_fault(fault))]
    Recipe {
        /// What is wrong with it; not a source, because the message says all of it.
        fault: FindRecipeError,
    },
    /// ReaL labels for images that have none.
    #[error(
        "{count} of {total} images are not named ILSVRC2012_val_NNNNNNNN, the first: {first}; ReaL labels are known for the validation files, by their numbers"
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
    #[error("{} has no run.json, so it is no run directory; give the folder that an evaluation wrote", path.display())]
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
    #[error("{id} is in no catalog; name its catalog")]
    NotInCatalog {
        /// The model.
        id: String,
    },
    /// A run of predictions made elsewhere, of no model that anything is documented of.
    #[error(
        "{} has predictions of no documented model, so that there is nothing to judge them by. Score them as a model's, or compare \
         them with another run",
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
        "{}: {id} was evaluated with the network {network}, and the catalog has {now} for it. Evaluate again, or name the catalog that the run was made with",
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
        /// What to give, where something can be given.
        remedy: Option<Remedy>,
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
        "{}: {count} of {total} images have no label, the first: {first}; their names are not ILSVRC2012_val_NNNNNNNN, so give a list of labels, or the images",
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
    /// A file of predictions that lies where its run is to be written.
    #[error("{}: it lies in {}, where it would be overwritten. Choose another folder", path.display(), out.display())]
    WouldOverwrite {
        /// The file.
        path: PathBuf,
        /// The folder.
        out: PathBuf,
    },
    /// Labels were given, and not for all images.
    #[error(
        "{}: {count} of {total} images are not among the labels that were given, the first: {first}; complete the list or the \
         images, or leave both out, which scores files named ILSVRC2012_val_NNNNNNNN by their known labels",
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
    #[error("{}: {reason}. Give the manifest.json of prepared inputs, or its folder", path.display())]
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
        /// What to give, where something can be given.
        remedy: Option<Remedy>,
    },
    /// A file of the run directory cannot be written or read.
    #[error("cannot {action} {}: {source}. Make room there, or choose another folder", path.display())]
    RunFile {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// A folder that is to become a run directory has files that would be overwritten.
    #[error(
        "{} is not a run directory (it has no run.json), and {} would be overwritten. Move that away, or choose another folder",
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
        "{} is in the way of what has to be written there, and was not written by the run in {}. Move it away, or choose another folder",
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
         is deleted or overwritten. Delete the folder yourself, or choose another",
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
         ask for fewer threads"
    )]
    NoThread {
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// An image is not any more what the run has predictions of.
    #[error(
        "{image} has changed since the run read it: its SHA-256 was {before} and is {now} ({} has all of them). There are predictions \
         of what it was, and a run is over one set of images: put the file back, choose another folder, or start over",
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
    /// Images that the run has predictions of, and no digests.
    #[error(
        "{} lacks {count} of the {total} images that the run has predictions of, the first: {first}; without their digests nobody \
         can show that they are read as the same bytes from now on. Put the file back, choose another folder, or start over, which \
         deletes the predictions there",
        path.display()
    )]
    DigestsMissing {
        /// The run's digests.
        path: PathBuf,
        /// How many images it lacks.
        count: usize,
        /// How many have a prediction.
        total: usize,
        /// The first that it lacks.
        first: String,
    },
    /// The run directory was made by a different evaluation.
    #[error(
        "{} holds another evaluation: {what} differ ({before} there, {now} now). Choose another folder, or start over, which deletes what is there",
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
        "another evaluation is writing to {} ({holder}). Wait for it, or choose another folder",
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
        "{} cannot be understood: {reason}. Repair it, choose another folder, or start over, which deletes the predictions there",
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
        "{} cannot be understood: {reason}. Repair it, or give the command of its evaluation again to start over",
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
         command goes on from there, also with fewer threads"
    )]
    DeviceFailed {
        /// The model.
        id: String,
        /// The device's words.
        reason: String,
    },
    /// There is no memory for one image beside the threads.
    #[error(
        "there is no memory to evaluate one image at a time with {threads} threads, which takes {} MiB at least. Give the process \
         more (ulimit -v, the container's limit), or ask for fewer threads",
        bytes >> 20
    )]
    NoMemoryForOne {
        /// Threads that decode images.
        threads: usize,
        /// What is needed at least.
        bytes: u64,
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
