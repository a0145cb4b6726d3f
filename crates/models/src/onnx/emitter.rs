//! The graph in the making: an operation is added with its shape known, and what needs no operation is not added. What depends on
//! no image is computed at once; reshapes that undo each other, and transpositions, vanish.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use graph::operations::{Constant, Gather, Operation, Product, Reshape, Transpose};
use graph::{Builder, Graph, Parameter, Role, Shape, Value};

use super::constants::{Dequantisation, OnnxWeights};
use super::file::{Elements, OnnxFile, TensorProto};
use super::known::{Floats, Ints, Known, MOST_INTS, Quantised, is_first_left_out, kept};
use super::scaled::Scaled;
use super::trouble::Trouble;
use crate::execute;

/// Channels of an image.
pub(super) const CHANNELS: usize = 3;

/// Elements of a value at most, as numbers of four bytes: beyond it a file asks for more memory than a classifier needs.
const MOST_ELEMENTS: u64 = 1 << 29;

/// Axes of a value that is computed, beside the batch's.
const MOST_AXES: usize = 7;

/// Elements of all constants that are computed and kept, together, beyond as many as the file has bytes: a small file must not ask for
/// much memory.
const MOST_COMPUTED: u64 = 1 << 22;

/// How often all of them may be read, so that a file of many nodes ends.
const MOST_READS: u64 = 64;

/// Multiplications for all of them together.
const MOST_WORK: u64 = 1 << 33;

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
    /// Elements that were read of constants.
    read: Cell<u64>,
    /// Multiplications for constants.
    work: u64,
    /// What is known of values that are integers times a scale.
    pub(super) scaled: HashMap<Value, Scaled>,
}

impl Emitter {
    /// A graph of an image of a height and width.
    pub(super) fn new(file: Arc<OnnxFile>, size: [usize; 2]) -> Self {
        let (on, _) = Builder::new(CHANNELS);
        let weights = OnnxWeights::new(Arc::clone(&file));
        Self {
            on,
            shapes: vec![Shape::map(CHANNELS, size)],
            file,
            weights,
            made: 0,
            computed: 0,
            read: Cell::new(0),
            work: 0,
            scaled: HashMap::new(),
        }
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
            Some(parameter) => {
                self.read.set(self.read.get().saturating_add(parameter.len() as u64));
                self.check_computed()?;
                Ok(Some(self.weights.values(&parameter.key)?))
            }
            None => Ok(None),
        }
    }

    fn new_key(&mut self) -> String {
        loop {
            self.made += 1;
            let key = format!("computed/{}", self.made);
            if !self.weights.has(&key) {
                return key;
            }
        }
    }

    /// `name`, or where something is called so already, another key: names of a file may be any text.
    fn key_of(&mut self, name: &str) -> String {
        if self.weights.has(name) { self.new_key() } else { name.to_owned() }
    }

    fn push_constant(&mut self, key: String, shape: Shape) -> Value {
        let parameter = Parameter::new(key, Role::Constant, shape.axes());
        self.shapes.push(shape);
        self.on.push(Constant { parameter }, &[])
    }

    /// An initialiser of the file.
    pub(super) fn initializer(&mut self, name: &str, index: usize, axes: Vec<usize>) -> Floats {
        let key = self.key_of(name);
        self.weights.add_initializer(&key, index);
        Floats { value: self.push_constant(key, kept(&axes)), axes }
    }

    /// A tensor that a node holds, by the name of what the node puts out.
    pub(super) fn tensor(&mut self, name: &str, tensor: &TensorProto) -> Result<Known, Trouble> {
        let axes = self.file.shape(tensor)?;
        if tensor.element.is_float() {
            let key = self.key_of(name);
            self.weights.add_attribute(&key, tensor.clone());
            return Ok(Floats { value: self.push_constant(key, kept(&axes)), axes }.into());
        }
        if tensor.element.is_eight_bits() {
            let key = self.key_of(name);
            self.weights.add_attribute(&key, tensor.clone());
            let of = Floats { value: self.push_constant(key, kept(&axes)), axes };
            return Ok(Quantised { of, element: tensor.element }.into());
        }
        Ok(self.ints(tensor)?.into())
    }

    /// Quantised integers that no image changes, where they are few enough to be places and shapes.
    pub(super) fn known_integers(&self, quantised: &Quantised) -> Result<Option<Ints>, Trouble> {
        let Quantised { of, element } = quantised;
        if of.axes.iter().product::<usize>() > MOST_INTS {
            return Ok(None);
        }
        let numbers = self.numbers(of.value)?;
        Ok(numbers.map(|numbers| {
            let values = numbers.into_iter().map(|number| number as i64).collect();
            Ints { axes: of.axes.clone(), values, element: *element }
        }))
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

    /// Integers of a constant as floating-point numbers, which are computed once they are read.
    pub(super) fn dequantised(&mut self, of: &Floats, by: Dequantisation) -> Option<Floats> {
        let parameter = self.constant(of.value)?;
        let (of_key, axes) = (parameter.key.clone(), of.axes.clone());
        let key = self.new_key();
        self.weights.add_dequantised(&key, &of_key, by);
        Some(Floats { value: self.push_constant(key, kept(&axes)), axes })
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
        if !matches!(operation, Operation::Reshape(_)) {
            let axes =
                shapes.iter().map(|shape| shape.axes().len()).max().unwrap_or(0).max(shape.axes().len());
            if axes > MOST_AXES {
                return Err(
                    format!("it computes a value of {axes} axes; up to {MOST_AXES} are supported").into()
                );
            }
        }
        if shape.elements()?.max(repeated(&operation, &shapes, &shape)) > MOST_ELEMENTS {
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
        let first = inputs.first().map(|&input| self.shape(input));
        self.work = self.work.saturating_add(work(operation, first, &shape));
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

    /// Refuses a file that asks for more memory, or more time, than its size tells.
    pub(super) fn check_computed(&self) -> Result<(), Trouble> {
        let most = MOST_COMPUTED.saturating_add(self.file.file().size_bytes());
        if self.computed > most {
            return Err("what depends on no image has more elements than a classifier's weights".into());
        }
        if self.read.get() > most.saturating_mul(MOST_READS) || self.work > MOST_WORK {
            return Err("what depends on no image takes longer to compute than a classifier's weights".into());
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

/// Elements of the largest matrices that a product repeats along each other.
fn repeated(operation: &Operation, inputs: &[&Shape], output: &Shape) -> u64 {
    let is_product = match operation {
        Operation::MatMul(_) => true,
        Operation::IntegerProduct(integers) => matches!(integers.of, Product::MatMul(_)),
        _ => false,
    };
    let depth = inputs.first().and_then(|a| a.axes().last()).map_or(0, |&depth| depth as u64);
    match output.axes() {
        [before @ .., rows, columns] if is_product => {
            let count = before.iter().fold(1_u64, |product, &size| product.saturating_mul(size as u64));
            count.saturating_mul(depth).saturating_mul((*rows).max(*columns) as u64)
        }
        _ => 0,
    }
}

/// About how many multiplications an operation of constants is, beyond one an element.
fn work(operation: &Operation, first: Option<&Shape>, output: &Shape) -> u64 {
    let elements = output.elements().unwrap_or(u64::MAX);
    let product =
        |sizes: &[usize]| sizes.iter().fold(1_u64, |product, &size| product.saturating_mul(size as u64));
    let depth = first.and_then(|shape| shape.axes().last()).map_or(1, |&depth| depth as u64);
    let each = match operation {
        Operation::Convolution(convolution) => product(&convolution.kernel.shape[1..]),
        Operation::Linear(linear) => product(&linear.weight.shape[..1]),
        Operation::MaxPool(pool) => product(&pool.window.kernel),
        Operation::AveragePool(pool) => product(&pool.window.kernel),
        Operation::IntegerProduct(integers) => match &integers.of {
            Product::Convolution(convolution) => product(&convolution.kernel.shape[1..]),
            Product::Linear(linear) => product(&linear.weight.shape[..1]),
            Product::MatMul(_) => depth,
        },
        Operation::MatMul(_) => depth,
        _ => 1,
    };
    elements.saturating_mul(each)
}
