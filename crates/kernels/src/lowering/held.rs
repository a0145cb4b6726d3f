//! How the kernels hold the values of a graph: as pixels of channels, whose axes a value's shape and who reads it tell.

use graph::{Graph, Operation, Shape};

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

/// Whether numbers of these axes are one, or one a channel of `value`.
pub(super) fn is_a_channel(value: Held, axes: &[usize]) -> bool {
    match (value.form, axes) {
        (_, axes) if axes.iter().all(|&size| size == 1) => true,
        (Form::Map | Form::Pixel, &[channels, 1, 1]) => channels == value.width,
        (form, &[ref before @ .., channels]) if is_of_rows(form) => {
            channels == value.width && before.iter().all(|&size| size == 1)
        }
        _ => false,
    }
}

/// Whether the last axis of a value is its channels.
pub(super) fn is_of_rows(form: Form) -> bool {
    matches!(form, Form::Vector | Form::Last | Form::LastPixel | Form::Rows)
}

/// What is known of a graph's values where the size of the image is.
#[derive(Debug, Clone)]
pub(super) struct Sized {
    /// Height and width of the image.
    pub(super) image: [usize; 2],
    pub(super) shapes: Vec<Shape>,
    /// Of which values the channels come last, though they have three axes.
    pub(super) comes_last: Vec<bool>,
}

impl Sized {
    pub(super) fn of(graph: &Graph, image: [usize; 2], shapes: Vec<Shape>) -> Self {
        Self { image, comes_last: comes_last(graph, &shapes), shapes }
    }
}

/// Whether the channels of values of three axes come last, by who reads them: nothing of such a value tells.
fn comes_last(graph: &Graph, shapes: &[Shape]) -> Vec<bool> {
    let mut comes_last = vec![false; graph.nodes().len()];
    for (index, node) in graph.nodes().iter().enumerate().rev() {
        let wants = match &node.operation {
            Operation::Linear(_) | Operation::LayerNorm(_) | Operation::MatMul(_) => true,
            Operation::Softmax(softmax) => softmax.axis == 2,
            Operation::Reduce(reduce) => reduce.axes == [0, 1],
            Operation::Activation(_)
            | Operation::Unary(_)
            | Operation::Scale(_)
            | Operation::Add(_)
            | Operation::Binary(_) => comes_last[index],
            _ => false,
        };
        if wants {
            node.inputs.iter().for_each(|input| comes_last[input.index()] = true);
        }
    }
    comes_last.iter().zip(shapes).map(|(&last, shape)| last && shape.axes().len() == 3).collect()
}

/// How a value of `shape` is held that no kernel of maps puts out.
pub(super) fn of_shape(shape: &Shape, comes_last: bool) -> Held {
    match *shape.axes() {
        [1, 1, width] if comes_last => Held { width, form: Form::LastPixel },
        [_, _, width] if comes_last => Held { width, form: Form::Last },
        [width, 1, 1] => Held { width, form: Form::Pixel },
        [width, _, _] => Held { width, form: Form::Map },
        [width] => Held { width, form: Form::Vector },
        [.., width] => Held { width, form: Form::Rows },
        [] => Held { width: 1, form: Form::Rows },
    }
}
