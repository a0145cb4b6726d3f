//! What of a graph has no kernel, told from its structure before anything is planned.

use graph::operations::{Binary, Convolution, PadWith};
use graph::{Graph, Operation, Padding, Shape, Value, Window};

use super::{Unsupported, groups};

/// What a value of the graph is, as the kernels hold it: pixels of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// Its channels.
    pub(super) width: usize,
    /// Its axes.
    pub(super) form: Form,
}

/// Which axes a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Channels, height and width.
    Map,
    /// Channels, height and width, of which the last two are 1: held as a vector is.
    Pixel,
    /// Height, width and channels: as a map is held anyway.
    Last,
    /// Height, width and channels, of which the first two are 1: held as a vector is.
    LastPixel,
    /// Channels alone.
    Vector,
    /// Any other axes, of which the last are the channels of pixels.
    Rows,
    /// All elements of a map of so many pixels in a row, channel after channel. It is held as the map is.
    Flat { pixels: usize },
    /// Numbers that are the same for every image, which only a step that takes them in knows.
    Constant,
}

/// A convolution of one channel each.
pub(super) fn is_depthwise(convolution: &Convolution) -> bool {
    let [from, to] = convolution.channels();
    convolution.groups > 1 && convolution.groups == from && from == to
}

/// What every value of the graph is, or what of it has no kernel, whatever the size of the image.
pub(super) fn check(graph: &Graph) -> Result<Vec<Held>, Unsupported> {
    let mut held: Vec<Held> = Vec::with_capacity(graph.nodes().len());
    for index in 0..graph.nodes().len() {
        held.push(Check { graph, held: &held, index, shapes: None }.held()?);
    }
    match held[graph.output().index()].form {
        Form::Vector | Form::Pixel => Ok(held),
        _ => Err(Unsupported::NoLogits),
    }
}

/// Which operations of the graph have no kernel, and why, where its values have these shapes.
pub(super) fn check_each(graph: &Graph, shapes: &[Shape]) -> Vec<Option<Unsupported>> {
    let mut held: Vec<Held> = Vec::with_capacity(graph.nodes().len());
    let mut lacking = Vec::with_capacity(graph.nodes().len());
    for (index, shape) in shapes.iter().enumerate() {
        let found = Check { graph, held: &held, index, shapes: Some(shapes) }.held();
        held.push(found.clone().unwrap_or_else(|_| of_shape(shape)));
        lacking.push(found.err());
    }
    lacking
}

/// How a value of `shape` that comes from elsewhere is held.
fn of_shape(shape: &Shape) -> Held {
    match *shape.axes() {
        [width, 1, 1] => Held { width, form: Form::Pixel },
        [width, _, _] => Held { width, form: Form::Map },
        [width] => Held { width, form: Form::Vector },
        [.., width] => Held { width, form: Form::Rows },
        [] => Held { width: 1, form: Form::Rows },
    }
}

/// One operation, and what is before it.
struct Check<'a> {
    graph: &'a Graph,
    held: &'a [Held],
    index: usize,
    /// Of all values, where they are known.
    shapes: Option<&'a [Shape]>,
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
        self.graph.nodes()[self.index].inputs.iter().map(|input| self.held[input.index()])
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
                if matches!(input.form, Form::Last | Form::LastPixel) {
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
            Operation::Add(_) => {
                let [a, b] = self.two()?;
                self.expect(a.width, b.width)?;
                let is_map = |form| matches!(form, Form::Map | Form::Pixel);
                if a.form != b.form && !(is_map(a.form) && is_map(b.form)) {
                    return self.unsupported();
                }
                if a.form == Form::Map { a } else { b }
            }
            Operation::Binary(function) => self.binary(*function)?,
            Operation::Linear(linear) => {
                let [from, to] = linear.widths();
                let input = self.input()?;
                match input.form {
                    Form::Vector | Form::Last | Form::LastPixel => self.expect(from, input.width)?,
                    Form::Flat { pixels } => self.expect(from, input.width * pixels)?,
                    _ => return self.unsupported(),
                }
                if to == 0 {
                    return Err(Unsupported::Channels { at: self.at(), expected: 1, found: 0 });
                }
                let form = match input.form {
                    Form::Last | Form::LastPixel => input.form,
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
                let is_of_channels = matches!(input.form, Form::Last | Form::LastPixel | Form::Vector);
                if norm.axes != 1 || !is_of_channels || input.width == 0 {
                    return self.unsupported();
                }
                input
            }
            Operation::Given(given) => of_shape(&given.shape),
            Operation::Concat(concat) => self.concat(concat.axis)?,
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
        let inputs = &self.graph.nodes()[self.index].inputs;
        self.shapes.is_none_or(|shapes| {
            inputs.iter().all(|input| shapes[input.index()] == shapes[inputs[0].index()])
        })
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
                if has_kernel && self.is_a_channel(value, constant) { Ok(value) } else { self.unsupported() }
            }
            _ if !matches!(function, Binary::Add | Binary::Mul) || a.width != b.width => self.unsupported(),
            (a_form, b_form) if a_form == b_form && self.are_alike() => Ok(a),
            (Form::Map, Form::Pixel) => Ok(a),
            (Form::Pixel, Form::Map) => Ok(b),
            _ => self.unsupported(),
        }
    }

    /// Whether `constant` is one number, or one a channel of `value`.
    fn is_a_channel(&self, value: Held, constant: Value) -> bool {
        let Operation::Constant(constant) = &self.graph.node(constant).operation else { return false };
        let axes = &constant.parameter.shape[..];
        match (value.form, axes) {
            (_, axes) if axes.iter().all(|&size| size == 1) => true,
            (Form::Map | Form::Pixel, &[channels, 1, 1])
            | (Form::Vector | Form::Last | Form::LastPixel, &[channels])
            | (Form::Last | Form::LastPixel, &[1, 1, channels]) => channels == value.width,
            _ => false,
        }
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
