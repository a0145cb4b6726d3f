//! The graph in the making: an operation is added with its shape known, and what needs no operation is not added. What depends on
//! no image is computed at once; reshapes that undo each other, and transpositions, vanish.

use std::sync::Arc;

use graph::operations::{Constant, Gather, Operation, Reshape, Transpose};
use graph::{Builder, Graph, Parameter, Role, Shape, Value};

use super::constants::OnnxWeights;
use super::file::{Elements, OnnxFile, TensorProto};
use super::known::{Floats, Ints, Known, is_first_left_out, kept};
use super::trouble::Trouble;
use crate::execute;

/// Channels of an image.
pub(super) const CHANNELS: usize = 3;

/// Elements of a value at most, as numbers of four bytes: beyond it a file asks for more memory than a classifier needs.
const MOST_ELEMENTS: u64 = 1 << 29;

/// Elements of all constants that are computed and kept, together, beyond as many as the file has bytes: a small file must not ask for
/// much memory.
const MOST_COMPUTED: u64 = 1 << 22;

/// The graph in the making.
pub(super) struct Emitter {
    on: Builder,
    /// Of every value.
    shapes: Vec<Shape>,
    file: Arc<OnnxFile>,
    weights: OnnxWeights,
    /// For keys of what is computed.
    made: usize,
    /// Elements that were computed, of all constants together.
    computed: u64,
}

impl Emitter {
    /// A graph of an image of a height and width.
    pub(super) fn new(file: Arc<OnnxFile>, size: [usize; 2]) -> Self {
        let (on, _) = Builder::new(CHANNELS);
        let weights = OnnxWeights::new(Arc::clone(&file));
        Self { on, shapes: vec![Shape::map(CHANNELS, size)], file, weights, made: 0, computed: 0 }
    }

    /// The finished graph and its weights.
    pub(super) fn finish(self, output: Value) -> (Graph, OnnxWeights) {
        (self.on.finish(output).pruned(), self.weights)
    }

    pub(super) fn shape(&self, value: Value) -> &Shape {
        &self.shapes[value.index()]
    }

    /// The operation that puts out `value`, and what it reads.
    pub(super) fn operation(&self, value: Value) -> (&Operation, &[Value]) {
        let node = self.on.node(value);
        (&node.operation, &node.inputs)
    }

    /// The parameter of a value that no image changes.
    pub(super) fn constant(&self, value: Value) -> Option<&Parameter> {
        match self.operation(value).0 {
            Operation::Constant(constant) => Some(&constant.parameter),
            _ => None,
        }
    }

    /// The numbers of a value that no image changes.
    pub(super) fn numbers(&self, value: Value) -> Result<Option<Vec<f32>>, Trouble> {
        match self.constant(value) {
            Some(parameter) => Ok(Some(self.weights.values(&parameter.key)?)),
            None => Ok(None),
        }
    }

    fn new_key(&mut self) -> String {
        self.made += 1;
        // Names of a file may be any text, so that one that begins so is possible, but no exporter writes it.
        format!("computed/{}", self.made)
    }

    fn push_constant(&mut self, key: String, shape: Shape) -> Value {
        let parameter = Parameter::new(key, Role::Constant, shape.axes());
        self.shapes.push(shape);
        self.on.push(Constant { parameter }, &[])
    }

    /// An initialiser of the file.
    pub(super) fn initializer(&mut self, name: &str, index: usize, axes: Vec<usize>) -> Floats {
        self.weights.add_initializer(name, index);
        Floats { value: self.push_constant(name.to_owned(), kept(&axes)), axes }
    }

    /// A tensor that a node holds, by the name of what the node puts out.
    pub(super) fn tensor(&mut self, name: &str, tensor: &TensorProto) -> Result<Known, Trouble> {
        let axes = self.file.shape(tensor)?;
        if tensor.element.is_float() {
            self.weights.add_attribute(name, tensor.clone());
            return Ok(Floats { value: self.push_constant(name.to_owned(), kept(&axes)), axes }.into());
        }
        Ok(self.ints(tensor)?.into())
    }

    /// A tensor of integers.
    pub(super) fn ints(&self, tensor: &TensorProto) -> Result<Ints, Trouble> {
        let axes = self.file.shape(tensor)?;
        match self.file.elements(tensor)? {
            Elements::Ints(values) => Ok(Ints { axes, values, element: tensor.element }),
            Elements::Floats(_) => Err(format!("`{}` holds floating-point numbers", tensor.name).into()),
        }
    }

    /// Numbers.
    pub(super) fn values(&mut self, values: Vec<f32>, axes: impl Into<Vec<usize>>) -> Floats {
        let axes = axes.into();
        let key = self.new_key();
        self.computed += values.len() as u64;
        self.weights.add_values(&key, values);
        Floats { value: self.push_constant(key, kept(&axes)), axes }
    }

    /// The key of the transposed of a constant matrix.
    pub(super) fn transposed(&mut self, of: &str, axes: [usize; 2]) -> String {
        let key = self.new_key();
        self.weights.add_transposed(&key, of, axes);
        key
    }

    /// Adds an operation, or finds a value that is what it computes.
    pub(super) fn push(
        &mut self,
        operation: impl Into<Operation>,
        inputs: &[Value],
    ) -> Result<Value, Trouble> {
        let operation = operation.into();
        let shapes: Vec<&Shape> = inputs.iter().map(|&input| self.shape(input)).collect();
        let shape = operation.shape(&shapes)?;
        if shape.elements()? > MOST_ELEMENTS {
            return Err(format!("{shape} are more elements than a classifier computes").into());
        }
        match (&operation, inputs) {
            (Operation::Reshape(_), &[input]) => return Ok(self.reshape(input, shape)),
            (Operation::Transpose(transpose), &[input]) => {
                if let Some(value) = self.transpose(transpose, input)? {
                    return Ok(value);
                }
            }
            (Operation::Expand(_) | Operation::Slice(_), &[input]) if self.shape(input) == &shape => {
                return Ok(input);
            }
            _ => {}
        }
        if !inputs.is_empty() && inputs.iter().all(|&input| self.constant(input).is_some()) {
            return self.compute(&operation, inputs, shape);
        }
        self.shapes.push(shape);
        Ok(self.on.push(operation, inputs))
    }

    /// The value of an operation that no image changes.
    fn compute(&mut self, operation: &Operation, inputs: &[Value], shape: Shape) -> Result<Value, Trouble> {
        self.computed += shape.elements()?;
        self.check_computed()?;
        let mut read = Vec::with_capacity(inputs.len());
        for &input in inputs {
            read.push((self.shape(input).clone(), self.numbers(input)?.unwrap_or_default()));
        }
        let values = execute::evaluate(operation, &mut self.weights, read)
            .map_err(|reason| format!("what depends on no image cannot be computed: {reason}"))?;
        let key = self.new_key();
        self.weights.add_values(&key, values);
        Ok(self.push_constant(key, shape))
    }

    /// Refuses a file that asks for more memory than its size tells.
    pub(super) fn check_computed(&self) -> Result<(), Trouble> {
        if self.computed > MOST_COMPUTED.saturating_add(self.file.file().size_bytes()) {
            return Err("what depends on no image has more elements than a classifier's weights".into());
        }
        Ok(())
    }

    /// `input` in another shape of as many elements.
    pub(super) fn reshape(&mut self, input: Value, shape: Shape) -> Value {
        if self.shape(input) == &shape {
            return input;
        }
        if let Some(parameter) = self.constant(input) {
            let of = parameter.key.clone();
            let key = self.new_key();
            self.weights.add_same(&key, &of);
            return self.push_constant(key, shape);
        }
        if let (Operation::Reshape(_), &[before]) = self.operation(input) {
            return self.reshape(before, shape);
        }
        let (operation, before) = match self.shuffled(input, &shape) {
            Some((places, before)) => (Gather { axis: 0, places }.into(), before),
            None => (Operation::from(Reshape { shape: shape.clone() }), input),
        };
        self.shapes.push(shape);
        self.on.push(operation, &[before])
    }

    /// Which channels of a map `input` is in the shape `shape`, where it is one cut into groups whose order was changed: ShuffleNet's
    /// exchange of channels.
    fn shuffled(&self, input: Value, shape: &Shape) -> Option<(Vec<usize>, Value)> {
        let (Operation::Transpose(transpose), &[cut]) = self.operation(input) else { return None };
        let (Operation::Reshape(_), &[before]) = self.operation(cut) else { return None };
        let &[groups, of_group, height, width] = self.shape(cut).axes() else { return None };
        let is_shuffle = transpose.axes == [1, 0, 2, 3]
            && self.shape(before) == shape
            && shape.axes() == [groups * of_group, height, width];
        let place = |at: usize| at % groups * of_group + at / groups;
        is_shuffle.then(|| ((0..groups * of_group).map(place).collect(), before))
    }

    /// What a transposition is where it moves nothing, undoes another or only moves axes of one element.
    fn transpose(&mut self, transpose: &Transpose, input: Value) -> Result<Option<Value>, Trouble> {
        let axes = self.shape(input).axes().to_vec();
        if let (Operation::Transpose(before), &[first]) = self.operation(input) {
            let together = transpose.axes.iter().map(|&axis| before.axes[axis]).collect();
            return self.push(Transpose { axes: together }, &[first]).map(Some);
        }
        let larger = |axis: &&usize| axes[**axis] != 1;
        let moved = transpose.axes.iter().filter(larger);
        if moved.is_sorted() {
            let shape = Shape::new(transpose.axes.iter().map(|&axis| axes[axis]).collect::<Vec<_>>());
            return Ok(Some(self.reshape(input, shape)));
        }
        if let (Some(parameter), &[rows, columns]) = (self.constant(input), &axes[..]) {
            let of = parameter.key.clone();
            let key = self.transposed(&of, [rows, columns]);
            return Ok(Some(self.push_constant(key, Shape::new([columns, rows]))));
        }
        Ok(None)
    }

    /// A value as the ONNX value of `axes`.
    pub(super) fn floats(&mut self, value: Value, axes: impl Into<Vec<usize>>) -> Floats {
        let axes = axes.into();
        Floats { value: self.reshape(value, kept(&axes)), axes }
    }

    /// A value of the graph that has the ONNX `axis` of `of`, and which of its axes that is.
    pub(super) fn at_axis(&mut self, of: &Floats, axis: usize) -> (Value, usize) {
        match axis {
            axis if !is_first_left_out(&of.axes) => (of.value, axis),
            0 => (self.whole(of), 0),
            axis => (of.value, axis - 1),
        }
    }

    /// A value of the graph with every axis that the ONNX value has.
    pub(super) fn whole(&mut self, of: &Floats) -> Value {
        self.reshape(of.value, Shape::new(of.axes.clone()))
    }
}
