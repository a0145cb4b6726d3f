//! A file made into a graph, for images of one size: with every size known, shapes are numbers, and what exporters compute of
//! them vanishes.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use dataset::guard::guarded_or;
use graph::complexity::Cost;
use graph::operations::{Operation, Transpose};
use graph::{Graph, Shape, ShapeError, Value};

use super::call::Call;
use super::constants::OnnxWeights;
use super::emitter::{CHANNELS, Emitter};
use super::error::OnnxError;
use super::evaluate::{OnnxTensor, OnnxValues};
use super::file::{ElementType, NodeProto, OnnxFile, ValueInfoProto};
use super::known::{Floats, Ints, Known, MOST_INTS, Quantised};
use super::operations::{self, TakesIntegers};
use super::order;
use super::signature::{CLASSES, Declared, ImageInput};
use super::trouble::Trouble;
use super::unread;

/// Integers that nodes read at most, all together, so that a file of many nodes ends.
const MOST_READ: usize = 1 << 24;

/// A network that an ONNX file describes, for images of one size.
#[derive(Debug, Clone)]
pub struct OnnxNetwork {
    graph: Graph,
    weights: OnnxWeights,
    size: [usize; 2],
    notes: Vec<String>,
    operations: BTreeMap<String, OperationCount>,
}

/// How many nodes of an operation there are, of those that the output depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperationCount {
    /// Those that no image changes: computed while the file was imported.
    pub folded: usize,
    /// Those that are computed of every image.
    pub computed: usize,
}

impl OnnxNetwork {
    /// Its operations. Parameters are called as the file calls them.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Its weights, which lie in the file until they are read.
    pub fn weights(&self) -> &OnnxWeights {
        &self.weights
    }

    /// Height and width of the images that it is for.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// What was done to it that a reader of its results should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What counting rules see of it, in the order of execution.
    ///
    /// # Errors
    /// [`ShapeError`] where an operation's work cannot be counted.
    pub fn costs(&self) -> Result<Vec<Cost>, ShapeError> {
        self.graph.costs(&Shape::map(CHANNELS, self.size))
    }

    /// Elements of the largest value that is computed.
    ///
    /// # Errors
    /// [`ShapeError`] where an operation cannot take what comes in.
    pub fn largest_value(&self) -> Result<u64, ShapeError> {
        let shapes = self.graph.shapes(&Shape::map(CHANNELS, self.size))?;
        Ok(shapes.iter().filter_map(|shape| shape.elements().ok()).max().unwrap_or(0))
    }

    /// Nodes of the file that its output depends on, by operation.
    pub fn operations(&self) -> &BTreeMap<String, OperationCount> {
        &self.operations
    }
}

impl OnnxFile {
    /// The network for images of `size`, height and width.
    ///
    /// # Errors
    /// [`OnnxError`]: what it takes or puts out is of no classifier, a node is not supported, or the size is not the file's.
    pub fn network(self: &Arc<Self>, size: [usize; 2]) -> Result<OnnxNetwork, OnnxError> {
        guarded_or(
            || Import::new(self, size)?.network(),
            |panic| self.damaged(format!("its importer failed ({panic})")),
        )
    }
}

/// The outputs of `file` for `inputs`.
pub(super) fn evaluate(file: &Arc<OnnxFile>, inputs: Vec<OnnxTensor>) -> Result<Vec<OnnxTensor>, OnnxError> {
    let mut import = Import::without_image(file, [1; 2]);
    import.initializers()?;
    for (declared, tensor) in file.inputs().into_iter().zip(inputs) {
        let known = match tensor.values {
            OnnxValues::Floats(values) => import.on.values(values, tensor.axes).into(),
            OnnxValues::Ints(values, element) => Ints { axes: tensor.axes, values, element }.into(),
        };
        import.known.insert(&declared.name, known);
    }
    let outputs = &file.graph().outputs;
    import.nodes(outputs.iter().map(|output| output.name.as_str()))?;
    let mut tensors = Vec::with_capacity(outputs.len());
    for output in outputs {
        let (axes, values) = match import.known.get(output.name.as_str()) {
            Some(Known::Ints(ints)) => {
                (ints.axes.clone(), OnnxValues::Ints(ints.values.clone(), ints.element))
            }
            Some(Known::Quantised(quantised)) => {
                let ints = import.on.known_integers(quantised);
                let ints = ints.map_err(|trouble| import.file_trouble(trouble))?;
                let ints = ints.ok_or_else(|| file.damaged("an output has more integers than are read"))?;
                (ints.axes, OnnxValues::Ints(ints.values, ints.element))
            }
            Some(Known::Floats(floats)) => {
                let numbers =
                    import.on.numbers(floats.value).map_err(|trouble| import.file_trouble(trouble))?;
                (floats.axes.clone(), OnnxValues::Floats(numbers.unwrap_or_default()))
            }
            _ => {
                return Err(OnnxError::Node {
                    path: file.path().to_owned(),
                    node: format!("`{}`", output.name),
                    operation: "output".to_owned(),
                    opset: file.opset(),
                    reason: "nothing puts it out that is supported".to_owned(),
                });
            }
        };
        tensors.push(OnnxTensor { name: output.name.clone(), axes, values });
    }
    Ok(tensors)
}

struct Import<'a> {
    file: &'a Arc<OnnxFile>,
    size: [usize; 2],
    on: Emitter,
    known: HashMap<&'a str, Known>,
    /// Integers that are known, all together.
    ints: usize,
    /// Integers that nodes read, all together.
    read: usize,
    notes: Vec<String>,
    operations: BTreeMap<String, OperationCount>,
}

impl<'a> Import<'a> {
    fn without_image(file: &'a Arc<OnnxFile>, size: [usize; 2]) -> Self {
        let on = Emitter::new(Arc::clone(file), size);
        let known = HashMap::from([("", Known::Nothing)]);
        Self { file, size, on, known, ints: 0, read: 0, notes: Vec::new(), operations: BTreeMap::new() }
    }

    fn new(file: &'a Arc<OnnxFile>, size: [usize; 2]) -> Result<Self, OnnxError> {
        let image = file.image()?;
        if image.size.into_iter().zip(size).any(|(declared, given)| declared.is_some_and(|it| it != given)) {
            let [height, width] =
                image.size.map(|side| side.map_or("any".to_owned(), |side| side.to_string()));
            return Err(file.not_a_classifier(format!(
                "it takes images of {height}x{width} pixels (height x width), and not of {}x{}; give a recipe with that crop",
                size[0], size[1]
            )));
        }
        let mut import = Self::without_image(file, size);
        if let Some(batch) = image.batch {
            import.notes.push(format!("made for batches of {batch}; computed image by image"));
        }
        let input = import.image(&image)?;
        import.known.insert(file.inputs()[0].name.as_str(), input.into());
        Ok(import)
    }

    fn network(mut self) -> Result<OnnxNetwork, OnnxError> {
        self.initializers()?;
        // Outputs of integers are classes that were chosen already.
        let is_float = |output: &&ValueInfoProto| output.element.is_none_or(|element| element.is_float());
        let outputs: Vec<&ValueInfoProto> = self.file.graph().outputs.iter().filter(is_float).collect();
        self.nodes(outputs.iter().map(|output| output.name.as_str()))?;
        let logits = self.logits(&outputs)?;
        let (graph, weights) = self.on.finish(logits);
        Ok(OnnxNetwork { graph, weights, size: self.size, notes: self.notes, operations: self.operations })
    }

    fn initializers(&mut self) -> Result<(), OnnxError> {
        let file = self.file;
        for (index, tensor) in file.graph().initializers.iter().enumerate() {
            let axes = file.shape(tensor)?;
            let known = if tensor.element.is_float() {
                self.on.initializer(&tensor.name, index, axes).into()
            } else if tensor.element.is_eight_bits() {
                let of = self.on.initializer(&tensor.name, index, axes);
                Quantised { of, element: tensor.element }.into()
            } else if tensor.element.layout().is_some() && axes.iter().product::<usize>() <= MOST_INTS {
                Known::Ints(self.on.ints(tensor).map_err(|trouble| self.file_trouble(trouble))?)
            } else {
                // Whoever reads it says so.
                continue;
            };
            self.count(&known)?;
            self.known.insert(&tensor.name, known);
        }
        Ok(())
    }

    /// Imports the nodes that `outputs` depend on.
    fn nodes(&mut self, outputs: impl Iterator<Item = &'a str>) -> Result<(), OnnxError> {
        let order = order::needed_for(self.file, outputs)?;
        order.into_iter().try_for_each(|node| self.node(&self.file.graph().nodes[node]))
    }

    fn file_trouble(&self, trouble: Trouble) -> OnnxError {
        match trouble {
            Trouble::File(error) => error,
            Trouble::Node(reason) => self.file.damaged(reason),
        }
    }

    fn count(&mut self, known: &Known) -> Result<(), OnnxError> {
        if let Known::Ints(ints) = known {
            self.ints += ints.values.len();
            if self.ints > 4 * MOST_INTS {
                return Err(self.file.damaged("it computes with more integers than shapes and places need"));
            }
        }
        Ok(())
    }

    /// The image as the file has it.
    fn image(&mut self, image: &ImageInput) -> Result<Floats, OnnxError> {
        let [height, width] = self.size;
        if !image.channels_last {
            return Ok(self.on.floats(Value::IMAGE, [1, CHANNELS, height, width]));
        }
        let pushed = self.on.push(Transpose { axes: vec![1, 2, 0] }, &[Value::IMAGE]);
        let value = pushed.map_err(|trouble| self.file_trouble(trouble))?;
        Ok(self.on.floats(value, [1, height, width, CHANNELS]))
    }

    fn node(&mut self, node: &'a NodeProto) -> Result<(), OnnxError> {
        let opset = self.file.opset();
        let path = self.file.path();
        let trouble = |trouble: Trouble| match trouble {
            Trouble::File(error) => error,
            Trouble::Node(reason) => OnnxError::Node {
                path: path.to_owned(),
                node: format!("`{}`", node.title()),
                operation: node.op_type.clone(),
                opset,
                reason,
            },
        };
        let name = operations::name(node);
        let importer = operations::by_name(&name);
        let importer = importer.ok_or_else(|| trouble(unread::operation(self.file, node)))?;
        let takes = TakesIntegers::of(&name);
        let mut moved = None;
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            let known = self.known.get(input.as_str());
            let known = known.ok_or_else(|| trouble(unread::input(self.file, input)))?;
            if let Known::Ints(ints) = known {
                self.read += ints.values.len();
            }
            inputs.push(taken(&mut self.on, known.clone(), takes, &mut moved).map_err(trouble)?);
        }
        if self.read > MOST_READ {
            return Err(self.file.damaged("it computes longer with integers than shapes and places need"));
        }
        let mut call = Call { on: &mut self.on, node, opset, inputs, asked: RefCell::new(HashSet::new()) };
        let outputs = importer(&mut call).map_err(trouble)?;
        call.on.check_computed().map_err(trouble)?;
        if let Some(unasked) = call.unasked() {
            return Err(trouble(format!("its attribute `{unasked}` is not supported").into()));
        }
        let is_computed = outputs
            .iter()
            .any(|known| matches!(known, Known::Floats(of) | Known::Quantised(Quantised { of, .. }) if self.on.constant(of.value).is_none()));
        let count = self.operations.entry(node.op_type.clone()).or_default();
        *(if is_computed { &mut count.computed } else { &mut count.folded }) += 1;
        for (name, known) in node.outputs.iter().zip(outputs) {
            let known = match (moved, known) {
                (Some(element), Known::Floats(of)) => Quantised { of, element }.into(),
                (_, known) => known,
            };
            self.count(&known)?;
            self.known.insert(name, known);
        }
        Ok(())
    }

    /// The logits: the output that has an element a class, before a final softmax.
    fn logits(&mut self, outputs: &[&'a ValueInfoProto]) -> Result<Value, OnnxError> {
        let file = self.file;
        let mut vectors = Vec::new();
        let mut others = Vec::new();
        for &output in outputs {
            match self.known.get(output.name.as_str()) {
                Some(Known::Floats(floats)) if is_vector(&floats.axes) => {
                    vectors.push((output, floats.clone()));
                }
                Some(Known::Floats(floats)) => others.push(format!("`{}` {:?}", output.name, floats.axes)),
                _ => others.push(Declared(output).to_string()),
            }
        }
        let (output, floats) = match &vectors[..] {
            [one] => one.clone(),
            [] => {
                let hint = match others.len() {
                    0 => "it puts out no floating-point numbers".to_owned(),
                    _ => format!("it puts out {}, and no number a class", others.join(", ")),
                };
                return Err(file.not_a_classifier(hint));
            }
            several => {
                let list: Vec<String> = several
                    .iter()
                    .map(|(output, floats)| format!("`{}` {:?}", output.name, floats.axes))
                    .collect();
                return Err(file.not_a_classifier(format!(
                    "it puts out {}; which of them are the logits? Export the network with that output alone",
                    list.join(" and ")
                )));
            }
        };
        match floats.axes.iter().product::<usize>() {
            CLASSES => {}
            1001 => {
                return Err(file.not_a_classifier(format!(
                    "`{}` has 1001 classes, the first a background that TensorFlow's networks have. Cut it off: \
                     export the network with its output sliced, `logits[:, 1:]`",
                    output.name
                )));
            }
            classes => {
                return Err(file.not_a_classifier(format!("`{}` has {classes} classes", output.name)));
            }
        }
        let mut value = floats.value;
        let logits = loop {
            match self.on.operation(value) {
                (Operation::Reshape(_), &[before]) => value = before,
                (Operation::Softmax(softmax), &[before]) => {
                    let name = if softmax.log { "LogSoftmax" } else { "Softmax" };
                    self.notes.push(format!("its final {name} was taken off: logits are those before it"));
                    break before;
                }
                _ => break floats.value,
            }
        };
        if self.on.constant(logits).is_some() {
            return Err(file.not_a_classifier(format!("`{}` does not depend on the image", output.name)));
        }
        Ok(self.on.reshape(logits, Shape::vector(CLASSES)))
    }
}

/// Whether no more than one axis has more than one element.
fn is_vector(axes: &[usize]) -> bool {
    axes.iter().filter(|&&size| size != 1).count() == 1
}

/// An input as its operation takes it. Of moved integers, the type is kept aside.
fn taken(
    on: &mut Emitter,
    known: Known,
    takes: TakesIntegers,
    moved: &mut Option<ElementType>,
) -> Result<Known, Trouble> {
    match (known, takes) {
        (Known::Quantised(quantised), TakesIntegers::Moved) => {
            moved.get_or_insert(quantised.element);
            Ok(quantised.of.into())
        }
        (Known::Ints(ints), TakesIntegers::Moved) if ints.element.is_eight_bits() => {
            moved.get_or_insert(ints.element);
            let values = ints.values.into_iter().map(|value| value as f32).collect();
            Ok(on.values(values, ints.axes).into())
        }
        (Known::Quantised(quantised), TakesIntegers::Known) => {
            Ok(on.known_integers(&quantised)?.map_or(quantised.into(), Known::Ints))
        }
        (known, _) => Ok(known),
    }
}
