//! An ONNX file as it lies on the disk: its messages, and its tensors' elements once they are asked for. Nothing here knows what
//! an operation computes.

mod element;
mod external;
mod proto;
mod value_info;
mod values;
mod wire;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dataset::guard::guarded_or;
use dataset::regular::RegularFile;
use memory::NoMemory;

pub use element::ElementType;
use element::Layout;
use external::ExternalFiles;
pub(super) use external::Place;
pub(super) use proto::{AttributeValue, GraphProto, NodeProto, TensorProto};
use proto::{MOST_NODES, ModelProto, TensorData};
pub use value_info::Dimension;
pub(super) use value_info::ValueInfoProto;
pub(super) use values::Elements;
use wire::{Source, Span};

use super::error::OnnxError;

/// The first and the last opset that is read.
pub const OPSETS: [i64; 2] = [7, 22];

/// Elements of a tensor that are read at a time.
const PIECE_ELEMENTS: usize = 1 << 18;

/// Rows of a matrix that are read at a time where it is transposed.
const TRANSPOSED_ROWS: usize = 64;

/// The standard's own operations have this domain, or its long name.
const STANDARD: [&str; 2] = ["", "ai.onnx"];

/// An ONNX file that was read, but for its tensors.
#[derive(Debug)]
pub struct OnnxFile {
    file: Arc<RegularFile>,
    model: ModelProto,
    graph: GraphProto,
    opset: i64,
    external: Mutex<ExternalFiles>,
}

/// The tensor that is all that a file holds, its axes and its elements.
///
/// # Errors
/// [`OnnxError`] where it holds something else.
pub(super) fn read_tensor(file: &Arc<RegularFile>) -> Result<(TensorProto, Vec<usize>, Elements), OnnxError> {
    let no_tensor = |what: &str| OnnxError::Damaged { path: file.path().to_owned(), reason: what.to_owned() };
    let span = Span { start: 0, len: file.size_bytes() };
    let tensor = Source::new(file).tensor(span).map_err(|fault| no_tensor(fault.what))?;
    let graph = GraphProto::default();
    let model = ModelProto::default();
    let alone =
        OnnxFile { file: Arc::clone(file), model, graph, opset: OPSETS[1], external: Mutex::default() };
    let (axes, elements) = (alone.shape(&tensor)?, alone.elements(&tensor)?);
    Ok((tensor, axes, elements))
}

/// Writes some rows of a matrix of so many columns to its transpose: of those of `rows` rows from row `first` on.
pub(super) fn transpose(piece: &[f32], columns: usize, (rows, first): (usize, usize), to: &mut [f32]) {
    /// Columns that are taken together: what lies beside each other in the transpose is then still in the first-level cache.
    const TOGETHER: usize = 64;
    for from in (0..columns).step_by(TOGETHER) {
        for (row, piece) in piece.chunks_exact(columns).enumerate() {
            for column in from..columns.min(from + TOGETHER) {
                to[column * rows + first + row] = piece[column];
            }
        }
    }
}

impl OnnxFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`OnnxError`]: what is no regular file, is no ONNX model, is damaged, or of an opset that is not read.
    pub fn open(path: &Path) -> Result<Self, OnnxError> {
        let io = |source| OnnxError::Io { path: path.to_owned(), source };
        Self::read(Arc::new(RegularFile::open(path).map_err(io)?))
    }

    /// [`OnnxFile::open`] of a file that is open already.
    ///
    /// # Errors
    /// As [`OnnxFile::open`].
    pub fn read(file: Arc<RegularFile>) -> Result<Self, OnnxError> {
        let path = file.path().to_owned();
        guarded_or(
            || Self::parse(file),
            |panic| OnnxError::Damaged { path, reason: format!("its reader failed ({panic})") },
        )
    }

    fn parse(file: Arc<RegularFile>) -> Result<Self, OnnxError> {
        let path = || file.path().to_owned();
        let no_model = |reason: &str| OnnxError::NoModel { path: path(), reason: reason.to_owned() };
        if file.size_bytes() == 0 {
            return Err(no_model("it is empty (0 bytes)"));
        }
        let damaged = |reason| OnnxError::Damaged { path: path(), reason };
        let mut model = Source::new(&file).model().map_err(|fault| {
            // Files of other formats are no messages from their first bytes on.
            if fault.at < 64 {
                return no_model(&format!(
                    "it is cut short, or its first bytes are those of another format ({})",
                    fault.what
                ));
            }
            damaged(format!("at byte {}, {}", fault.at, fault.what))
        })?;
        let graph = model.graph.take().ok_or_else(|| no_model("it holds no graph"))?;
        let opset = model.opsets.iter().find(|(domain, _)| STANDARD.contains(&domain.as_str()));
        let opset = opset.ok_or_else(|| no_model("it does not say of which opset it is"))?.1;
        if graph.nodes_in_file > MOST_NODES {
            return Err(OnnxError::NotAClassifier {
                path: path(),
                reason: format!(
                    "it has {} nodes; more than {MOST_NODES} are not read. Simplify it, with onnxsim say",
                    graph.nodes_in_file
                ),
            });
        }
        let [least, most] = OPSETS;
        if !(least..=most).contains(&opset) {
            return Err(OnnxError::Opset { path: path(), found: opset, least, most });
        }
        if graph.sparse_initializers > 0 {
            return Err(damaged("it has sparse initialisers, which are not read".to_owned()));
        }
        Ok(Self { file, model, graph, opset, external: Mutex::default() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The file itself.
    pub fn file(&self) -> &Arc<RegularFile> {
        &self.file
    }

    /// Its opset.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// Who wrote it, in its own words.
    pub fn producer(&self) -> &str {
        &self.model.producer
    }

    /// The functions that it defines, by domain and name, none of which is read.
    pub(super) fn functions(&self) -> &[(String, String)] {
        &self.model.functions
    }

    pub(super) fn graph(&self) -> &GraphProto {
        &self.graph
    }

    /// Whether an operation of this domain is the standard's.
    pub(super) fn is_standard(domain: &str) -> bool {
        STANDARD.contains(&domain)
    }

    pub(super) fn damaged(&self, reason: impl Into<String>) -> OnnxError {
        OnnxError::Damaged { path: self.path().to_owned(), reason: reason.into() }
    }

    /// Opens whatever files the tensors lie in, so that a run knows them by the bytes that it computes with.
    ///
    /// # Errors
    /// [`OnnxError::External`] where one is not there.
    pub fn data_files(&self) -> Result<Vec<Arc<RegularFile>>, OnnxError> {
        for tensor in &self.graph.initializers {
            if matches!(tensor.data, TensorData::External(_)) {
                self.place(tensor)?;
            }
        }
        let external = self.external.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(external.iter().map(|(_, file)| Arc::clone(file)).collect())
    }

    /// The shape of `tensor`.
    ///
    /// # Errors
    /// [`OnnxError::Damaged`] where it is none.
    pub(super) fn shape(&self, tensor: &TensorProto) -> Result<Vec<usize>, OnnxError> {
        let wrong = || self.damaged(format!("`{}` has the shape {:?}", tensor.name, tensor.dims));
        let shape = tensor.dims.iter().map(|&dim| usize::try_from(dim).map_err(|_| wrong()));
        let shape = shape.collect::<Result<Vec<_>, _>>()?;
        shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis)).ok_or_else(wrong)?;
        Ok(shape)
    }

    /// Where the elements of a tensor lie that are stored as they are in memory.
    fn place(&self, tensor: &TensorProto) -> Result<Option<Place>, OnnxError> {
        let layout = tensor.element.layout().ok_or_else(|| self.unreadable(tensor))?;
        let len: usize = self.shape(tensor)?.iter().product();
        let bytes = (len as u64).saturating_mul(layout.bytes() as u64);
        match &tensor.data {
            TensorData::Raw(span) if span.len != bytes => Err(self.damaged(format!(
                "`{}` has {} bytes, and {} elements of {} need {bytes}",
                tensor.name, span.len, len, tensor.element
            ))),
            &TensorData::Raw(span) => Ok(Some(Place { file: Arc::clone(&self.file), span })),
            TensorData::External(entries) => {
                let mut external = self.external.lock().unwrap_or_else(PoisonError::into_inner);
                let placed = external.place(self.path(), entries, bytes);
                placed.map(Some).map_err(|reason| OnnxError::External {
                    path: self.path().to_owned(),
                    tensor: tensor.name.clone(),
                    reason,
                })
            }
            TensorData::Typed { .. } | TensorData::None => Ok(None),
        }
    }

    fn unreadable(&self, tensor: &TensorProto) -> OnnxError {
        self.damaged(format!("`{}` is of {}, which is not read here", tensor.name, tensor.element))
    }

    fn no_memory(&self, tensor: &TensorProto, NoMemory { bytes }: NoMemory) -> OnnxError {
        OnnxError::OutOfMemory { path: self.path().to_owned(), tensor: tensor.name.clone(), bytes }
    }

    /// Gives the elements of a tensor that is stored as it is in memory to `take`, so many at a time and in order, so that a large
    /// tensor is not in memory twice; whether it is stored so.
    fn by_pieces(
        &self,
        tensor: &TensorProto,
        at_a_time: usize,
        mut take: impl FnMut(&[u8], Layout) -> Result<(), NoMemory>,
    ) -> Result<bool, OnnxError> {
        let layout = tensor.element.layout().ok_or_else(|| self.unreadable(tensor))?;
        let Some(Place { file, span }) = self.place(tensor)? else { return Ok(false) };
        let no_memory = |error| self.no_memory(tensor, error);
        let whole = usize::try_from(span.len).unwrap_or(usize::MAX);
        let most = at_a_time.max(1).saturating_mul(layout.bytes()).min(whole);
        let mut piece = memory::filled(0, most).map_err(no_memory)?;
        let mut at = 0;
        while at < span.len {
            let piece = &mut piece[..most.min((span.len - at) as usize)];
            let io = |source| OnnxError::Io { path: file.path().to_owned(), source };
            file.read_exact_at(piece, span.start + at).map_err(io)?;
            take(piece, layout).map_err(no_memory)?;
            at += piece.len() as u64;
        }
        Ok(true)
    }

    /// The elements of `tensor`, a matrix of these axes, transposed; `None` where they are no floating-point numbers, or not stored as they are
    /// in memory.
    ///
    /// # Errors
    /// As [`OnnxFile::elements`].
    pub(super) fn transposed(
        &self,
        tensor: &TensorProto,
        [rows, columns]: [usize; 2],
    ) -> Result<Option<Vec<f32>>, OnnxError> {
        let shape = self.shape(tensor)?;
        if !tensor.element.is_float() || shape.iter().product::<usize>() != rows * columns {
            return Ok(None);
        }
        let mut to: Vec<f32> =
            memory::filled(0.0, rows * columns).map_err(|error| self.no_memory(tensor, error))?;
        let mut row = 0;
        let is_there = self.by_pieces(tensor, columns * TRANSPOSED_ROWS, |bytes, layout| {
            let mut piece = Elements::room(layout, bytes.len() / layout.bytes())?;
            piece.extend_raw(bytes, layout);
            if let Elements::Floats(piece) = piece {
                transpose(&piece, columns, (rows, row), &mut to);
                row += piece.len() / columns.max(1);
            }
            Ok(())
        })?;
        Ok(is_there.then_some(to))
    }

    /// The elements of `tensor`.
    ///
    /// # Errors
    /// [`OnnxError`] where they are not there, are of a type that is not read, or do not fit into memory.
    pub(super) fn elements(&self, tensor: &TensorProto) -> Result<Elements, OnnxError> {
        let layout = tensor.element.layout().ok_or_else(|| self.unreadable(tensor))?;
        let len: usize = self.shape(tensor)?.iter().product();
        let short = |found: usize| {
            self.damaged(format!("`{}` has {found} elements, and its shape {len}", tensor.name))
        };
        let mut elements = None;
        let is_there = self.by_pieces(tensor, PIECE_ELEMENTS, |bytes, layout| {
            let elements = match &mut elements {
                Some(elements) => elements,
                none => none.insert(Elements::room(layout, len)?),
            };
            elements.extend_raw(bytes, layout);
            Ok(())
        })?;
        if let (true, Some(elements)) = (is_there, elements) {
            return Ok(elements);
        }
        let TensorData::Typed { numbers, spans } = &tensor.data else {
            // Of a tensor without elements, no piece was there either.
            return match len {
                0 if tensor.element.is_float() => Ok(Elements::Floats(Vec::new())),
                0 => Ok(Elements::Ints(Vec::new())),
                _ => Err(short(0)),
            };
        };
        // As bytes, and as numbers of up to eight bytes each.
        let bytes = usize::try_from(spans.iter().map(|span| span.len).sum::<u64>()).unwrap_or(usize::MAX);
        let bytes = bytes.saturating_mul(1 + 8 / layout.bytes().min(8));
        if !memory::can_have(bytes) {
            return Err(self.no_memory(tensor, NoMemory { bytes }));
        }
        let source = Source::new(&self.file);
        let mut bytes = Vec::new();
        for &span in spans {
            bytes.extend(source.bytes(span).map_err(|fault| self.damaged(fault.what))?);
        }
        let elements = values::of_typed(&bytes, *numbers, tensor.element, layout, len);
        let elements = elements.map_err(|reason| self.damaged(format!("`{}`: {reason}", tensor.name)))?;
        if elements.len() == len { Ok(elements) } else { Err(short(elements.len())) }
    }

    /// Whether nobody has written to its files since they were opened.
    ///
    /// # Errors
    /// [`OnnxError::Changed`] if somebody has.
    pub fn check_unchanged(&self) -> Result<(), OnnxError> {
        let external = self.external.lock().unwrap_or_else(PoisonError::into_inner);
        for file in [&self.file].into_iter().chain(external.iter().map(|(_, file)| file)) {
            let io = |source| OnnxError::Io { path: file.path().to_owned(), source };
            if !file.is_unchanged().map_err(io)? {
                return Err(OnnxError::Changed { path: file.path().to_owned() });
            }
        }
        Ok(())
    }
}
