//! Keras's weight files: HDF5 as Keras 1 and 2 write it, and `.weights.h5` and `.keras` of Keras 3.
//!
//! Names in them cannot be trusted: Keras numbers layers without a name of their own (`conv2d_17`) by
//! what the process had built before. Keras 2 therefore loads by the order of layers in the file's
//! attributes, and so is done here. Keras 3 files say a layer's class and its place among layers of the
//! class (`layers/separable_conv2d_3/vars/0`), which gives the same order. Names serve to refuse what
//! certainly is something else: [`align`] tells.

mod align;
mod part;

use std::error::Error;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::{DType, Shape, TensorData};
use burn_store::bridge;
use burn_store::burn_pack::{Error as PackError, Tensor as PackTensor};
use dataset::regular::{Cursor, RegularFile};
use hdf5_pure::{AttrValue, Dataset, File, Group};
use part::Part;
use zip::{CompressionMethod, ZipArchive};

use super::error::WeightsError;
use super::module_tensors::ModuleTensor;

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// The member of a `.keras` archive that holds the weights.
const ARCHIVED: &str = "model.weights.h5";

/// How a ZIP archive begins.
const ARCHIVE: &[u8] = b"PK\x03\x04";

/// How much smaller compression can have made a file: floats do not shrink much. Declaring more is a contradiction.
const COMPRESSION: u64 = 16;

/// A layer's tensors, named `<layer>/<leaf>`.
#[derive(Debug)]
struct Layer {
    name: String,
    tensors: Vec<PackTensor>,
}

/// How the layers of a file are told.
#[derive(Debug)]
enum Layers {
    /// Keras 1 and 2: by their order.
    Ordered(Vec<Layer>),
    /// Keras 3: by class and place among the layers of that class.
    ByClass(Vec<Layer>),
}

/// An opened file, its tensors unread.
#[derive(Debug)]
pub(super) struct KerasFile {
    path: PathBuf,
    layers: Layers,
}

/// Whether a file is HDF5, or an archive of Keras 3's. PyTorch's files are archives too.
pub(super) fn looks_like_keras(start: &[u8], file: &Arc<RegularFile>) -> bool {
    start.starts_with(SIGNATURE) || (start.starts_with(ARCHIVE) && archived(file).is_some())
}

/// The archive in `file` and the number of the weights in it; `None` where it is no archive, or not of Keras's.
fn archived(file: &Arc<RegularFile>) -> Option<(ZipArchive<Cursor>, usize)> {
    let archive = ZipArchive::new(Cursor::new(Arc::clone(file))).ok()?;
    let index = archive.index_for_name(ARCHIVED)?;
    Some((archive, index))
}

/// The HDF5 file that is a member of the archive in `file`.
fn open_archived(
    file: &Arc<RegularFile>,
    mut archive: ZipArchive<Cursor>,
    index: usize,
) -> Result<File, ReadError> {
    let size = file.size_bytes();
    let damaged = |error: &dyn Error| ReadError::Contradiction(error.to_string());
    let contradiction = || ReadError::Contradiction("its directory contradicts its size".to_owned());
    let member = archive.by_index_raw(index).map_err(|error| damaged(&error))?;
    let (method, len, start) = (member.compression(), member.size(), member.data_start());
    drop(member);
    match method {
        CompressionMethod::Stored => {
            let end = start.and_then(|start| start.checked_add(len));
            let start = start.filter(|_| end.is_some_and(|end| end <= size)).ok_or_else(contradiction)?;
            Ok(File::from_source(Part::of(file, start, len))?)
        }
        // Keras does not do so, but who packs an archive again does. HDF5 is read here and there, which compressed
        // bytes do not allow, so they are held in memory.
        CompressionMethod::Deflated if len <= size.saturating_mul(COMPRESSION) => {
            let mut inflated = Vec::new();
            let member = archive.by_index(index).map_err(|error| damaged(&error))?;
            // One byte more than there should be: the sum of what was inflated is checked at its end.
            member.take(len.saturating_add(1)).read_to_end(&mut inflated).map_err(|error| damaged(&error))?;
            if inflated.len() as u64 != len {
                return Err(contradiction());
            }
            Ok(File::from_bytes(inflated)?)
        }
        CompressionMethod::Deflated => Err(contradiction()),
        method => Err(ReadError::Method(method)),
    }
}

impl KerasFile {
    pub(super) fn open(file: &Arc<RegularFile>) -> Result<Self, WeightsError> {
        let (path, size) = (file.path(), file.size_bytes());
        let damaged = |reason: String| WeightsError::Damaged {
            path: path.to_owned(),
            format: "HDF5 as Keras writes it",
            reason,
        };
        let file = match archived(file) {
            Some((archive, index)) => open_archived(file, archive, index),
            None => File::from_source(Part::of(file, 0, size)).map_err(ReadError::Format),
        };
        let layers = file.and_then(|file| Reader { file: Arc::new(file), size }.layers());
        let layers = layers.map_err(|error| match error {
            ReadError::Format(error) => damaged(error.to_string()),
            ReadError::Contradiction(reason) => damaged(reason),
            ReadError::Method(method) => {
                WeightsError::Compressed { path: path.to_owned(), member: ARCHIVED, method }
            }
        })?;
        let Some(layers) = layers else { return Err(WeightsError::NoTensors { path: path.to_owned() }) };
        Ok(Self { path: path.to_owned(), layers })
    }

    /// Every tensor of the file, as it calls them.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &PackTensor> {
        let (Layers::Ordered(layers) | Layers::ByClass(layers)) = &self.layers;
        layers.iter().flat_map(|layer| &layer.tensors)
    }

    /// The file's tensors under the names of `network`, whose tensors come in topological order. Shapes
    /// are not compared; a tensor without a place keeps its name.
    ///
    /// # Errors
    /// [`WeightsError::KerasLayers`] when the layers are others, or in another order.
    pub(super) fn align(&self, network: &[&ModuleTensor]) -> Result<Vec<PackTensor>, WeightsError> {
        align::align(&self.layers, network)
            .map_err(|reason| WeightsError::KerasLayers { path: self.path.clone(), reason })
    }
}

enum ReadError {
    Format(hdf5_pure::Error),
    Contradiction(String),
    /// Of an archive, by which its weights are compressed.
    Method(CompressionMethod),
}

impl From<hdf5_pure::Error> for ReadError {
    fn from(error: hdf5_pure::Error) -> Self {
        Self::Format(error)
    }
}

/// Finds the layers in an HDF5 file.
struct Reader {
    file: Arc<File>,
    /// Of the whole file, in bytes: no tensor is larger.
    size: u64,
}

impl Reader {
    fn layers(&self) -> Result<Option<Layers>, ReadError> {
        let root = self.file.root();
        // A whole model of Keras 2 keeps its weights in a group; Keras 3 has groups by other names, which
        // changed with TensorFlow 2.12's first files of the kind.
        let groups = root.groups()?;
        let has = |name: &str| groups.iter().any(|group| group == name);
        if has("model_weights") {
            let layers = self.ordered(&root.group("model_weights")?, "model_weights/")?;
            return Ok(layers.map(Layers::Ordered));
        }
        for container in ["layers", "_layer_checkpoint_dependencies"] {
            if has(container) {
                return Ok(Some(Layers::ByClass(self.by_class(&root, container)?)));
            }
        }
        Ok(self.ordered(&root, "")?.map(Layers::Ordered))
    }

    fn ordered(&self, group: &Group, prefix: &str) -> Result<Option<Vec<Layer>>, ReadError> {
        let Some(names) = strings(group, "layer_names")? else { return Ok(None) };
        let mut layers = Vec::new();
        for name in names {
            let weights = strings(&group.group(&name)?, "weight_names")?.unwrap_or_default();
            let tensors = weights
                .iter()
                .map(|weight| {
                    let path = format!("{prefix}{name}/{weight}");
                    self.tensor(weight.clone(), path)
                })
                .collect::<Result<Vec<_>, _>>()?;
            if !tensors.is_empty() {
                layers.push(Layer { name, tensors });
            }
        }
        Ok(Some(layers))
    }

    fn by_class(&self, root: &Group, container: &str) -> Result<Vec<Layer>, ReadError> {
        let group = root.group(container)?;
        let mut layers = Vec::new();
        for name in group.groups()? {
            let layer = group.group(&name)?;
            if !layer.groups()?.iter().any(|group| group == "vars") {
                continue;
            }
            let mut places = layer.group("vars")?.datasets()?;
            places.sort_by_key(|place| (place.len(), place.clone()));
            let tensors = places
                .iter()
                .map(|place| {
                    self.tensor(format!("{name}/{place}"), format!("{container}/{name}/vars/{place}"))
                })
                .collect::<Result<Vec<_>, _>>()?;
            if !tensors.is_empty() {
                layers.push(Layer { name, tensors });
            }
        }
        Ok(layers)
    }

    fn tensor(&self, name: String, path: String) -> Result<PackTensor, ReadError> {
        let dataset = self.file.dataset(&path)?;
        let kind = dataset.dtype()?;
        if !matches!(kind, hdf5_pure::DType::F32 | hdf5_pure::DType::F64) {
            return Err(ReadError::Contradiction(format!("{path} holds {kind}; f32 and f64 are read here")));
        }
        let shape = self.shape(&dataset, &path)?;
        let (file, declared) = (Arc::clone(&self.file), Shape::from(shape.clone()));
        Ok(bridge::deferred(name, DType::F32, declared, None, move || {
            let values = file.dataset(&path).and_then(|dataset| dataset.read_f32());
            let values = values.map_err(|error| PackError::IoError(format!("{path}: {error}")))?;
            if values.len() != shape.iter().product::<usize>() {
                return Err(PackError::ValidationError(format!("{path} contradicts its shape")));
            }
            Ok(TensorData::new(values, shape.clone()))
        }))
    }

    /// The shape, which must not ask for more than the file can hold.
    fn shape(&self, dataset: &Dataset, path: &str) -> Result<Vec<usize>, ReadError> {
        // Keras compresses only where it is told to.
        let shape = dataset.shape()?;
        let width = dataset.element_size()?;
        let bytes = shape.iter().try_fold(width, |bytes, &side| bytes.checked_mul(side));
        if bytes.is_none_or(|bytes| bytes > self.size.saturating_mul(COMPRESSION)) {
            return Err(ReadError::Contradiction(format!("{path} declares more than the file can hold")));
        }
        Ok(shape.into_iter().map(|side| side as usize).collect())
    }
}

/// The strings of an attribute, which Keras cuts into `name0`, `name1`, ... above HDF5's 64 kB.
fn strings(group: &Group, name: &str) -> Result<Option<Vec<String>>, ReadError> {
    let attributes = group.attrs()?;
    if let Some(value) = attributes.get(name) {
        return texts(value, name).map(Some);
    }
    let mut all = Vec::new();
    for index in 0.. {
        match attributes.get(&format!("{name}{index}")) {
            Some(value) => all.extend(texts(value, name)?),
            None => break,
        }
    }
    Ok(if all.is_empty() { None } else { Some(all) })
}

fn texts(value: &AttrValue, name: &str) -> Result<Vec<String>, ReadError> {
    match value {
        AttrValue::StringArray(texts)
        | AttrValue::AsciiStringArray(texts)
        | AttrValue::VarLenStringArray(texts)
        | AttrValue::VarLenAsciiStringArray(texts)
        | AttrValue::StringArraySized { values: texts, .. }
        | AttrValue::AsciiStringArraySized { values: texts, .. } => Ok(texts.clone()),
        AttrValue::String(text)
        | AttrValue::AsciiString(text)
        | AttrValue::VarLenString(text)
        | AttrValue::VarLenAsciiString(text)
        | AttrValue::StringSized { value: text, .. }
        | AttrValue::AsciiStringSized { value: text, .. } => Ok(vec![text.clone()]),
        // An empty list has no element type of its own: numpy calls it float64.
        AttrValue::F64Array(values) if values.is_empty() => Ok(Vec::new()),
        _ => Err(ReadError::Contradiction(format!("its attribute {name} is not made of text"))),
    }
}
