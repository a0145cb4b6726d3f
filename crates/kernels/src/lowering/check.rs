//! What of a graph has no kernel, told from its structure before anything is planned.

use graph::operations::{Binary, Convolution, PadWith, Reduction};
use graph::{Graph, Operation, Padding, Shape, Value, Window};

use super::held::{Form, Held, Sized, is_a_channel, is_of_rows, of_shape};
use super::view::View;
use super::{Unsupported, groups};

/// Places of elements that are written down for all values that are rearranged, one for each element of an axis, at most.
const MOST_PLACES: usize = 1 << 22;

/// Elements of all numbers that are known, repeated to be as many as a value has, at most: they are kept so.
const MOST_KNOWN: u64 = 1 << 26;

/// A convolution of one channel each.
pub(super) fn is_depthwise(convolution: &Convolution) -> bool {
    let [from, to] = convolution.channels();
    convolution.groups > 1 && convolution.groups == from && from == to
}

/// What every value of a graph is.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) held: Vec<Held>,
    /// Of values that are others' elements rearranged, which these are.
    pub(super) views: Vec<Option<View>>,
    /// Places of elements that are written down for these.
    places: usize,
    /// Elements of numbers that are known, repeated.
    known: u64,
}

impl Checked {
    fn new() -> Self {
        Self { held: Vec::new(), views: Vec::new(), places: 0, known: 0 }
    }

    /// Takes in what the next value is.
    fn push(&mut self, next: Next) {
        self.held.push(next.held);
        self.views.push(next.view);
        self.places += next.places;
        self.known += next.known;
    }
}

/// What a value is.
#[derive(Debug)]
struct Next {
    held: Held,
    view: Option<View>,
    places: usize,
    known: u64,
}

/// What every value of the graph is, or what of it has no kernel: whatever the size of the image, or for values of these shapes.
pub(super) fn check(graph: &Graph, sized: Option<&Sized>) -> Result<Checked, Unsupported> {
    let mut checked = Checked::new();
    for index in 0..graph.nodes().len() {
        let next = Check { graph, checked: &checked, index, sized }.next()?;
        checked.push(next);
    }
    match checked.held[graph.output().index()].form {
        Form::Vector | Form::Pixel => Ok(checked),
        _ => Err(Unsupported::NoLogits),
    }
}

/// Which operations of the graph have no kernel, and why, where its values have these shapes.
pub(super) fn check_each(graph: &Graph, sized: &Sized) -> Vec<Option<Unsupported>> {
    let mut checked = Checked::new();
    let mut lacking = Vec::with_capacity(graph.nodes().len());
    for (index, shape) in sized.shapes.iter().enumerate() {
        let found = Check { graph, checked: &checked, index, sized: Some(sized) }.next();
        lacking.push(found.as_ref().err().cloned());
        let held = of_shape(shape, sized.comes_last[index]);
        checked.push(found.unwrap_or(Next { held, view: None, places: 0, known: 0 }));
    }
    lacking
}

/// One operation, and what is before it.
struct Check<'a> {
    graph: &'a Graph,
    checked: &'a Checked,
    index: usize,
    sized: Option<&'a Sized>,
}

impl Check<'_> {
    fn at(&self) -> String {
        self.graph.place(self.index)
    }

    fn unsupported<T>(&self) -> Result<T, Unsupported> {
        let operation = self.graph.nodes()[self.index].operation.name();
        Err(Unsupported::Operation { at: self.at(), operation })
    }

    fn inputs(&self) -> impl Iterator<Item = Held> {
        self.graph.nodes()[self.index].inputs.iter().map(|input| self.checked.held[input.index()])
    }

    /// The shape of the value, and of what is read.
    fn shapes(&self) -> Option<(&Shape, Vec<&Shape>)> {
        let shapes = &self.sized?.shapes;
        let inputs = self.graph.nodes()[self.index].inputs.iter();
        Some((&shapes[self.index], inputs.map(|input| &shapes[input.index()]).collect()))
    }

    /// As a value of the shape that it has, where that is known.
    fn by_shape(&self, comes_last: bool) -> Option<Held> {
        let (shape, _) = self.shapes()?;
        let places: usize = shape.axes().iter().sum();
        let is_sound = !shape.axes().is_empty() && !shape.axes().contains(&0);
        (is_sound && self.checked.places + places <= MOST_PLACES).then(|| of_shape(shape, comes_last))
    }

    /// What the value is, and whose elements rearranged where no step computes it.
    fn next(&self) -> Result<Next, Unsupported> {
        let places = self.shapes().map_or(0, |(shape, _)| shape.axes().iter().sum());
        let refused = match self.held() {
            Ok(held) => {
                let is_together = matches!(self.graph.nodes()[self.index].operation, Operation::Concat(_));
                let places = if is_together { places } else { 0 };
                return Ok(Next { held, view: None, places, known: self.repeated(held) });
            }
            Err(refused) => refused,
        };
        let rearranged = self.view().and_then(|view| {
            let held = self.by_shape(self.sized?.comes_last[self.index])?;
            Some(Next { held, view: Some(view), places, known: 0 })
        });
        rearranged.ok_or(refused)
    }

    /// Elements of numbers that are known, where they are repeated to be as many as the value has.
    fn repeated(&self, held: Held) -> u64 {
        let node = &self.graph.nodes()[self.index];
        let is_of_two = matches!(node.operation, Operation::Binary(_) | Operation::Add(_));
        let is_known = |input: &&Value| self.checked.held[input.index()].form == Form::Constant;
        let known = node.inputs.iter().find(is_known).filter(|_| is_of_two);
        let elements = self.shapes().and_then(|(shape, _)| shape.elements().ok());
        match known {
            Some(&known) if !self.is_a_channel(held, known) => elements.unwrap_or(0),
            _ => 0,
        }
    }

    /// The value as elements of one that lies in memory.
    fn view(&self) -> Option<View> {
        let shapes = &self.sized?.shapes;
        let node = &self.graph.nodes()[self.index];
        let &[input] = &node.inputs[..] else { return None };
        let held = self.checked.held[input.index()];
        if held.form == Form::Constant {
            return None;
        }
        let shape = &shapes[self.index];
        let before = self.checked.views[input.index()].as_ref();
        // Else the value before has to lie in memory.
        before
            .and_then(|view| view.after(&node.operation, shape))
            .or_else(|| View::of(input, held.form, &shapes[input.index()]).after(&node.operation, shape))
    }

    /// The only thing that is read.
    fn input(&self) -> Result<Held, Unsupported> {
        match self.inputs().next() {
            Some(Held { form: Form::Constant, .. }) | None => self.unsupported(),
            Some(input) => Ok(input),
        }
    }

    /// The only thing that is read, which has to be a map.
    fn map(&self) -> Result<Held, Unsupported> {
        match self.input()? {
            input @ Held { form: Form::Map | Form::Pixel, .. } => Ok(input),
            _ => self.unsupported(),
        }
    }

    fn expect(&self, expected: usize, found: usize) -> Result<(), Unsupported> {
        // Without weights there is nothing to multiply, nor a size to tell from.
        if found != expected || found == 0 {
            return Err(Unsupported::Channels { at: self.at(), expected, found });
        }
        Ok(())
    }

    fn held(&self) -> Result<Held, Unsupported> {
        let map = |width| Held { width, form: Form::Map };
        Ok(match &self.graph.nodes()[self.index].operation {
            Operation::Image(image) => map(image.channels),
            Operation::Constant(constant) => Held { width: constant.parameter.len(), form: Form::Constant },
            Operation::Convolution(convolution) => self.convolution(convolution)?,
            Operation::BatchNorm(norm) => {
                let input = self.input()?;
                // Its channels are the first axis.
                if matches!(input.form, Form::Last | Form::LastPixel | Form::Rows) {
                    return self.unsupported();
                }
                self.expect(norm.norm.channels(), input.width)?;
                input
            }
            Operation::Activation(_) | Operation::Scale(_) => self.input()?,
            Operation::Unary(function) if crate::unary::has_kernel(*function) => self.input()?,
            Operation::GlobalAveragePool(_) => Held { form: Form::Vector, ..self.map()? },
            Operation::MaxPool(pool) => {
                check_window(pool.window)?;
                map(self.map()?.width)
            }
            Operation::AveragePool(pool) => {
                check_window(pool.window)?;
                if pool.count_padding && pool.ceil_mode && pool.window.padding != Padding::Explicit([0; 4]) {
                    return Err(Unsupported::CeilMode { at: self.at() });
                }
                map(self.map()?.width)
            }
            Operation::Pad(pad) => {
                let input = self.map()?;
                let has_kernel =
                    matches!(pad.with, PadWith::Constant(0.0) | PadWith::Edge | PadWith::Reflection);
                if pad.widths.len() != 3 || pad.widths[0] != [0; 2] || !has_kernel {
                    return self.unsupported();
                }
                map(input.width)
            }
            Operation::Add(_) if self.inputs().any(|input| input.form == Form::Constant) => {
                self.binary(Binary::Add)?
            }
            Operation::Add(_) => {
                let [a, b] = self.two()?;
                self.expect(a.width, b.width)?;
                let is_map = |form| matches!(form, Form::Map | Form::Pixel);
                if (a.form != b.form && !(is_map(a.form) && is_map(b.form))) || !self.are_alike() {
                    return self.unsupported();
                }
                if a.form == Form::Map { a } else { b }
            }
            Operation::Binary(function) => self.binary(*function)?,
            Operation::Linear(linear) => {
                let [from, to] = linear.widths();
                let input = self.input()?;
                match input.form {
                    Form::Vector | Form::Last | Form::LastPixel | Form::Rows => {
                        self.expect(from, input.width)?;
                    }
                    Form::Flat { pixels } => self.expect(from, input.width * pixels)?,
                    _ => return self.unsupported(),
                }
                if to == 0 {
                    return Err(Unsupported::Channels { at: self.at(), expected: 1, found: 0 });
                }
                let form = match input.form {
                    Form::Last | Form::LastPixel | Form::Rows => input.form,
                    _ => Form::Vector,
                };
                Held { width: to, form }
            }
            Operation::Reshape(reshape) => self.reshape(reshape.shape.axes())?,
            Operation::Transpose(transpose) => {
                let input = self.input()?;
                let form = match (input.form, &transpose.axes[..]) {
                    (Form::Map, [1, 2, 0]) => Form::Last,
                    (Form::Last, [2, 0, 1]) => Form::Map,
                    (Form::Pixel, [1, 2, 0]) => Form::LastPixel,
                    (Form::LastPixel, [2, 0, 1]) => Form::Pixel,
                    _ => return self.unsupported(),
                };
                Held { form, ..input }
            }
            Operation::LayerNorm(norm) => {
                let input = self.input()?;
                if norm.axes != 1 || !is_of_rows(input.form) || input.width == 0 {
                    return self.unsupported();
                }
                input
            }
            Operation::Given(given) => {
                let comes_last = self.sized.is_some_and(|sized| sized.comes_last[self.index]);
                of_shape(&given.shape, comes_last)
            }
            Operation::Concat(concat) => match self.concat(concat.axis) {
                Ok(held) => held,
                Err(refused) => self.rows_together().ok_or(refused)?,
            },
            Operation::MatMul(_) => match self.product() {
                Some(held) => held,
                None => return self.unsupported(),
            },
            Operation::Softmax(softmax) => {
                let input = self.input()?;
                let last = self.shapes().and_then(|(shape, _)| shape.axes().len().checked_sub(1));
                let has_kernel = is_of_rows(input.form) && last == Some(softmax.axis) && !softmax.log;
                if !has_kernel || input.width == 0 {
                    return self.unsupported();
                }
                input
            }
            Operation::Reduce(reduce) => {
                let input = self.input()?;
                let all_but_last = self.shapes().map_or(0, |(shape, _)| shape.axes().len().saturating_sub(1));
                let has_kernel = reduce.to == Reduction::Mean
                    && matches!(input.form, Form::Last | Form::Rows)
                    && all_but_last > 0
                    && reduce.axes.iter().copied().eq(0..all_but_last);
                match self.by_shape(true) {
                    Some(held) if has_kernel => held,
                    _ => return self.unsupported(),
                }
            }
            Operation::Slice(slice) => self.chosen(slice.axis, slice.len)?,
            Operation::Gather(gather) => self.chosen(gather.axis, gather.places.len())?,
            _ => return self.unsupported(),
        })
    }

    fn convolution(&self, convolution: &Convolution) -> Result<Held, Unsupported> {
        let [from, to] = convolution.channels();
        let groups = convolution.groups;
        let input = self.map()?;
        let divides = |channels: usize| groups > 0 && channels.is_multiple_of(groups);
        if let Some(channels) = [from, to].into_iter().find(|&channels| !divides(channels)) {
            return Err(Unsupported::Groups { at: self.at(), groups, channels });
        }
        self.expect(from, input.width)?;
        check_window(convolution.window)?;
        if groups > groups::MOST && !is_depthwise(convolution) {
            return self.unsupported();
        }
        if to == 0 {
            return Err(Unsupported::Channels { at: self.at(), expected: 1, found: 0 });
        }
        let stays = input.form == Form::Pixel && convolution.window == Window::PIXEL;
        Ok(Held { width: to, form: if stays { Form::Pixel } else { Form::Map } })
    }

    fn two(&self) -> Result<[Held; 2], Unsupported> {
        match self.inputs().collect::<Vec<_>>()[..] {
            [a, b] if a.form != Form::Constant && b.form != Form::Constant => Ok([a, b]),
            _ => self.unsupported(),
        }
    }

    /// Whether what is read has one shape, as far as that is known.
    fn are_alike(&self) -> bool {
        self.shapes().is_none_or(|(shape, inputs)| inputs.iter().all(|input| *input == shape))
    }

    /// Of a value and numbers that are known, one for all or one a channel; of two alike; or of a map and a factor or a summand a
    /// channel that is computed.
    fn binary(&self, function: Binary) -> Result<Held, Unsupported> {
        let inputs: Vec<Held> = self.inputs().collect();
        let [a, b] = inputs[..] else { return self.unsupported() };
        let inputs = &self.graph.nodes()[self.index].inputs;
        match (a.form, b.form) {
            (Form::Constant, Form::Constant) => self.unsupported(),
            (Form::Constant, _) | (_, Form::Constant) => {
                let (value, constant) =
                    if b.form == Form::Constant { (a, inputs[1]) } else { (b, inputs[0]) };
                let has_kernel = match function {
                    Binary::Add | Binary::Sub | Binary::Mul => true,
                    Binary::Div => b.form == Form::Constant,
                    _ => false,
                };
                let is_first = b.form != Form::Constant;
                if has_kernel
                    && (self.is_a_channel(value, constant) || self.is_a_map(function, is_first, value))
                {
                    Ok(value)
                } else {
                    self.unsupported()
                }
            }
            _ if !matches!(function, Binary::Add | Binary::Mul) || a.width != b.width => self.unsupported(),
            (a_form, b_form) if a_form == b_form && self.are_alike() => Ok(a),
            (Form::Map, Form::Pixel) => Ok(a),
            (Form::Pixel, Form::Map) => Ok(b),
            _ => self.unsupported(),
        }
    }

    /// Whether the numbers that are known can be repeated to be as many as `value` has, and be added or multiplied.
    fn is_a_map(&self, function: Binary, is_first: bool, value: Held) -> bool {
        let is_held = matches!(value.form, Form::Map | Form::Last | Form::Rows);
        let Some((shape, inputs)) = self.shapes() else { return false };
        let of_value = inputs[usize::from(is_first)];
        let few =
            shape.elements().is_ok_and(|elements| self.checked.known.saturating_add(elements) <= MOST_KNOWN);
        is_held && few && of_value == shape && !(function == Binary::Sub && is_first)
    }

    /// Whether `constant` is one number, or one a channel of `value`.
    fn is_a_channel(&self, value: Held, constant: Value) -> bool {
        let Operation::Constant(constant) = &self.graph.node(constant).operation else { return false };
        is_a_channel(value, &constant.parameter.shape)
    }

    /// Values put one after the other along whichever axis.
    fn rows_together(&self) -> Option<Held> {
        let (_, inputs) = self.shapes()?;
        let rank = inputs.first()?.axes().len();
        let comes_last = &self.sized?.comes_last;
        let alike = inputs
            .iter()
            .all(|input| input.axes().len() == rank && input.axes().iter().all(|&size| size > 0));
        self.by_shape(comes_last[self.index]).filter(|_| alike)
    }

    /// The product of matrices of which at least one is computed, as many in one value as in the other.
    fn product(&self) -> Option<Held> {
        let (_, inputs) = self.shapes()?;
        let [a, b] = inputs[..] else { return None };
        let is_held = |held: Held| is_of_rows(held.form) || held.form == Form::Constant;
        let (&[ref before_a @ .., rows, depth], &[ref before_b @ .., _, _]) = (a.axes(), b.axes()) else {
            return None;
        };
        (before_a == before_b && rows > 0 && depth > 0 && self.inputs().all(is_held))
            .then(|| self.by_shape(true))?
    }

    /// Only how the same elements are called changes.
    fn reshape(&self, axes: &[usize]) -> Result<Held, Unsupported> {
        let Held { width, form } = self.input()?;
        let is_vector =
            |axes: &[usize], len: usize| axes.iter().filter(|&&size| size != 1).eq([&len]) || len == 1;
        let is_one_pixel = matches!(form, Form::Vector | Form::Pixel | Form::LastPixel);
        Ok(match (form, axes) {
            (_, &[channels, 1, 1]) if is_one_pixel && channels == width => Held { width, form: Form::Pixel },
            (_, &[1, 1, channels]) if is_one_pixel && channels == width => {
                Held { width, form: Form::LastPixel }
            }
            (_, &[channels]) if is_one_pixel && channels == width => Held { width, form: Form::Vector },
            (Form::Flat { pixels }, axes) if is_vector(axes, width * pixels) && axes.len() == 1 => {
                Held { width, form }
            }
            (Form::Map, &[len]) if width > 0 && len.is_multiple_of(width) && len > 0 => {
                Held { width, form: Form::Flat { pixels: len / width } }
            }
            _ => return self.unsupported(),
        })
    }

    fn concat(&self, axis: usize) -> Result<Held, Unsupported> {
        let inputs: Vec<Held> = self.inputs().collect();
        let Some(first) = inputs.first() else { return self.unsupported() };
        let is_vector = first.form == Form::Vector;
        let fits = |input: &Held| match input.form {
            Form::Map | Form::Pixel => !is_vector,
            Form::Vector => is_vector,
            _ => false,
        };
        if axis != 0 || !inputs.iter().all(fits) {
            return self.unsupported();
        }
        let width = inputs.iter().try_fold(0_usize, |sum, input| sum.checked_add(input.width));
        match width {
            Some(width) if width > 0 => Ok(Held { width, form: first.form }),
            _ => self.unsupported(),
        }
    }

    /// So many elements of an axis.
    fn chosen(&self, axis: usize, len: usize) -> Result<Held, Unsupported> {
        let input = self.input()?;
        match (input.form, axis) {
            _ if len == 0 => self.unsupported(),
            (Form::Map | Form::Pixel | Form::Vector, 0) => Ok(Held { width: len, ..input }),
            (Form::Map | Form::Pixel, 1 | 2) => Ok(Held { form: Form::Map, ..input }),
            _ => self.unsupported(),
        }
    }
}

fn check_window(window: Window) -> Result<(), Unsupported> {
    let Window { kernel, stride, dilation, .. } = window;
    if window.is_sound() { Ok(()) } else { Err(Unsupported::Window { kernel, stride, dilation }) }
}
