//! Keras's weight files: HDF5 as Keras 1 and 2 write it, and `.weights.h5` and `.keras` of Keras 3.
//!
//! Names in them cannot be trusted: Keras numbers layers without a name of their own (`conv2d_17`) by
//! what the process had built before. Keras 2 therefore loads by the order of layers in the file's
//! attributes, and so is done here. Keras 3 files say a layer's class and its place among layers of the
//! class (`layers/separable_conv2d_3/vars/0`), which gives the same order. Names serve to refuse what
//! certainly is something else.

use std::collections::{HashMap, HashSet};
use std::fs::File as DiskFile;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{DType, Shape, TensorData};
use burn_store::bridge;
use burn_store::burn_pack::{Error as PackError, Tensor as PackTensor};
use hdf5_pure::{AttrValue, Dataset, File, FormatError, Group, Source};

use super::error::WeightsError;
use super::module_tensors::ModuleTensor;

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// The member of a `.keras` archive that holds the weights.
const ARCHIVED: &str = "model.weights.h5";

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
pub(super) fn looks_like_keras(start: &[u8], path: &Path) -> bool {
    start.starts_with(SIGNATURE)
        || (start.starts_with(b"PK\x03\x04") && matches!(archived(path), Ok(Some(_))))
}

/// Where the weights lie in a `.keras` archive; `None` in any other archive.
fn archived(path: &Path) -> io::Result<Option<(u64, u64)>> {
    let mut archive = zip::ZipArchive::new(DiskFile::open(path)?).map_err(io::Error::other)?;
    let Some(index) = archive.index_for_name(ARCHIVED) else { return Ok(None) };
    let member = archive.by_index_raw(index).map_err(io::Error::other)?;
    if member.compression() != zip::CompressionMethod::Stored {
        return Err(io::Error::other(format!("its {ARCHIVED} is compressed, which Keras does not do")));
    }
    let start = member.data_start().ok_or_else(|| io::Error::other("its directory names no place"))?;
    Ok(Some((start, member.size())))
}

/// A part of a file, which HDF5 sees as all there is.
struct Part {
    file: Mutex<DiskFile>,
    start: u64,
    len: u64,
}

impl Source for Part {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
        use std::io::{Read, Seek, SeekFrom};

        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(FormatError::UnexpectedEof { expected: buf.len(), available: 0 });
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.start + offset))
            .and_then(|_| file.read_exact(buf))
            .map_err(|error| FormatError::Source(error.to_string()))
    }
}

impl KerasFile {
    pub(super) fn open(path: &Path) -> Result<Self, WeightsError> {
        let damaged = |reason: String| WeightsError::Damaged {
            path: path.to_owned(),
            format: "HDF5 as Keras writes it",
            reason,
        };
        let io_error = |source| WeightsError::Io { path: path.to_owned(), source };
        let size = path.metadata().map_err(io_error)?.len();
        let file = match archived(path) {
            Ok(Some((start, len))) if start.checked_add(len).is_some_and(|end| end <= size) => {
                let file = Mutex::new(DiskFile::open(path).map_err(io_error)?);
                File::from_source(Part { file, start, len })
            }
            Ok(Some(_)) => return Err(damaged("its directory contradicts its size".to_owned())),
            // No archive, then: HDF5 itself.
            Ok(None) | Err(_) => File::open_streaming(path),
        };
        let file = Arc::new(file.map_err(|error| damaged(error.to_string()))?);
        let layers = Reader { file, size }.layers().map_err(|error| match error {
            ReadError::Format(error) => damaged(error.to_string()),
            ReadError::Contradiction(reason) => damaged(reason),
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
        let expected = expected_layers(network);
        let tensors = match &self.layers {
            Layers::Ordered(layers) => align_by_order(layers, &expected),
            Layers::ByClass(layers) => Ok(align_by_class(layers, &expected)),
        };
        tensors.map_err(|reason| WeightsError::KerasLayers { path: self.path.clone(), reason })
    }
}

/// A layer of the network: its name and its tensors' last parts, in order.
struct Expected<'a> {
    name: &'a str,
    tensors: Vec<(&'a str, &'a ModuleTensor)>,
}

impl Expected<'_> {
    /// Whether the name is Keras's own numbering.
    fn is_numbered(&self) -> bool {
        let (class, place) = split_number(self.name);
        place > 0 && matches!(class, "conv2d" | "batch_normalization")
    }

    /// The name of the layer's class in files of Keras 3.
    fn class(&self) -> &'static str {
        match &self.tensors[..] {
            [("depthwise_kernel", _), ..] => "separable_conv2d",
            [("gamma", _), ..] => "batch_normalization",
            [("kernel", tensor), ..] if tensor.shape.len() == 4 => "conv2d",
            _ => "dense",
        }
    }
}

/// `conv2d_3` is the fourth `conv2d`, which is the first.
fn split_number(name: &str) -> (&str, usize) {
    match name.rsplit_once('_').map(|(class, place)| (class, place.parse::<usize>())) {
        Some((class, Ok(place))) => (class, place),
        _ => (name, 0),
    }
}

fn expected_layers<'a>(network: &[&'a ModuleTensor]) -> Vec<Expected<'a>> {
    let mut layers: Vec<Expected<'a>> = Vec::new();
    for tensor in network {
        let (name, leaf) = tensor.name.rsplit_once('/').unwrap_or((&tensor.name, ""));
        match layers.last_mut() {
            Some(layer) if layer.name == name => layer.tensors.push((leaf, tensor)),
            _ => layers.push(Expected { name, tensors: vec![(leaf, tensor)] }),
        }
    }
    layers
}

/// Last parts of names that say what a tensor is. Keras 1 wrote others (`block1_conv1_W`), which go by
/// their place alone.
const LEAVES: [&str; 8] = [
    "kernel",
    "bias",
    "depthwise_kernel",
    "pointwise_kernel",
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
];

fn leaf(tensor: &PackTensor) -> &str {
    let name = tensor.name.rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default()
}

fn align_by_order(layers: &[Layer], expected: &[Expected<'_>]) -> Result<Vec<PackTensor>, String> {
    const ADVICE: &str = "use the file of exactly this network";
    let own_names: HashSet<&str> =
        expected.iter().filter(|layer| !layer.is_numbered()).map(|layer| layer.name).collect();
    if layers.len() != expected.len() {
        let in_file: HashSet<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
        let mut reason =
            format!("it has {} layers with weights, the network {}", layers.len(), expected.len());
        if let Some(absent) = expected.iter().find(|it| !it.is_numbered() && !in_file.contains(it.name)) {
            reason += &format!("; {} is not among them", absent.name);
        }
        return Err(format!("{reason}; {ADVICE}"));
    }
    let mut tensors = Vec::new();
    for (layer, expected) in layers.iter().zip(expected) {
        if layer.name != expected.name && own_names.contains(layer.name.as_str()) {
            return Err(format!("{} stands where {} belongs; {ADVICE}", layer.name, expected.name));
        }
        let fits =
            layer.tensors.len() == expected.tensors.len()
                && layer.tensors.iter().zip(&expected.tensors).all(|(tensor, (expected, _))| {
                    leaf(tensor) == *expected || !LEAVES.contains(&leaf(tensor))
                });
        if !fits {
            let list = |leaves: Vec<&str>| leaves.join(", ");
            return Err(format!(
                "{} holds {}, where {} of the network has {}; {ADVICE}",
                layer.name,
                list(layer.tensors.iter().map(leaf).collect()),
                expected.name,
                list(expected.tensors.iter().map(|(leaf, _)| *leaf).collect())
            ));
        }
        tensors.extend(
            layer
                .tensors
                .iter()
                .zip(&expected.tensors)
                .map(|(found, (_, wanted))| renamed(found, &wanted.name)),
        );
    }
    Ok(tensors)
}

fn align_by_class(layers: &[Layer], expected: &[Expected<'_>]) -> Vec<PackTensor> {
    // Numbers may have gaps where layers of the class have no weights; their order counts.
    let mut by_class: HashMap<&str, Vec<(usize, &Layer)>> = HashMap::new();
    for layer in layers {
        let (class, place) = split_number(&layer.name);
        by_class.entry(class).or_default().push((place, layer));
    }
    for places in by_class.values_mut() {
        places.sort_by_key(|(place, _)| *place);
    }
    let mut taken: HashMap<&str, usize> = HashMap::new();
    let mut tensors = Vec::new();
    for expected in expected {
        let place = taken.entry(expected.class()).or_default();
        let found = by_class.get(expected.class()).and_then(|places| places.get(*place));
        *place += 1;
        let Some((_, layer)) = found else { continue };
        for (index, tensor) in layer.tensors.iter().enumerate() {
            let name = expected.tensors.get(index).map_or(&tensor.name, |(_, wanted)| &wanted.name);
            tensors.push(renamed(tensor, name));
        }
    }
    // What no layer of the network has asked for is reported as not of this network.
    for (class, places) in by_class {
        let rest = places.into_iter().skip(taken.get(class).copied().unwrap_or(0));
        tensors.extend(rest.flat_map(|(_, layer)| layer.tensors.iter().cloned()));
    }
    tensors
}

fn renamed(tensor: &PackTensor, name: &str) -> PackTensor {
    let mut tensor = tensor.clone();
    name.clone_into(&mut tensor.name);
    tensor
}

enum ReadError {
    Format(hdf5_pure::Error),
    Contradiction(String),
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
        // Keras compresses only where it is told to; floats do not shrink much.
        const COMPRESSION: u64 = 16;
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
