//! What is known of an ONNX value once a size of image is: integers are numbers where they say shapes and places; floating-point
//! values are values of the graph, and so are the integers of quantised networks.
//!
//! The graph leaves the batch's axis out (`graph::Shape`), so that whatever it computes is computed of each image alone. With one
//! image, an ONNX value of two axes or more whose first has one element is kept without that axis; every other is kept as it is,
//! such as the windows of an image, which some networks put where a batch would be. Repetition of the smaller value and all
//! operations on later axes mean the same in both forms.

use graph::{Shape, Value};

use super::file::ElementType;
use super::trouble::Trouble;

/// An ONNX value.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// Integers or bools, which no image changes.
    Ints(Ints),
    /// A value of the graph.
    Floats(Floats),
    /// Integers that a value of the graph holds.
    Quantised(Quantised),
    /// An optional input that is not given.
    Nothing,
}

/// Integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ints {
    pub(super) axes: Vec<usize>,
    pub(super) values: Vec<i64>,
    pub(super) element: ElementType,
}

/// Floating-point numbers, computed by the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Floats {
    pub(super) value: Value,
    /// The axes that the ONNX value has for one image.
    pub(super) axes: Vec<usize>,
}

/// Integers that are computed of the image, and weights of eight bits, which are many: numbers of f32, which has all integers of 16
/// bits. Sums of 32 bits are there rounded to the nearest, as their conversion to f32 is, so that nothing else is made of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quantised {
    pub(super) of: Floats,
    pub(super) element: ElementType,
}

/// The most integers that a value has: places and shapes are few, and a file must not ask for more.
pub(super) const MOST_INTS: usize = 1 << 21;

/// The shape that the graph has for a value of these ONNX axes.
pub(super) fn kept(axes: &[usize]) -> Shape {
    match axes {
        [1, rest @ ..] if !rest.is_empty() => Shape::new(rest),
        axes => Shape::new(axes),
    }
}

/// Whether the first axis is left out in the graph.
pub(super) fn is_first_left_out(axes: &[usize]) -> bool {
    axes.len() > 1 && axes[0] == 1
}

impl Ints {
    pub(super) fn new(axes: impl Into<Vec<usize>>, values: Vec<i64>) -> Self {
        Self { axes: axes.into(), values, element: ElementType::I64 }
    }

    /// One axis.
    pub(super) fn vector(values: Vec<i64>) -> Self {
        Self::new([values.len()], values)
    }

    /// The only element.
    pub(super) fn single(&self) -> Option<i64> {
        match self.values[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    /// The elements of another shape, each at the place that `place` says of its index.
    ///
    /// # Errors
    /// Where they are too many.
    pub(super) fn picked(
        &self,
        axes: Vec<usize>,
        place: impl Fn(&[usize]) -> usize,
    ) -> Result<Self, Trouble> {
        check_count(&axes)?;
        let values = indices(&axes).map(|index| self.values[place(&index)]).collect();
        Ok(Self { axes, values, element: self.element })
    }
}

/// Refuses a shape of more integers than shapes and places need.
pub(super) fn check_count(axes: &[usize]) -> Result<(), Trouble> {
    let count = axes.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis));
    match count {
        Some(count) if count <= MOST_INTS => Ok(()),
        _ => Err(format!("{axes:?} are more elements than shapes and places need").into()),
    }
}

/// How far apart neighbours along each axis lie, the last axis fastest.
pub(super) fn strides(axes: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; axes.len()];
    for axis in (1..axes.len()).rev() {
        strides[axis - 1] = strides[axis] * axes[axis];
    }
    strides
}

/// The place of the element at `index` in a value of `axes` that is repeated to as many axes as `index` has.
pub(super) fn place_repeated(axes: &[usize], index: &[usize]) -> usize {
    let behind = index.len() - axes.len();
    let strides = strides(axes);
    (0..axes.len()).map(|axis| if axes[axis] == 1 { 0 } else { index[behind + axis] * strides[axis] }).sum()
}

/// Every index of a value of `axes`, the last axis fastest.
pub(super) fn indices(axes: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let axes = axes.to_vec();
    let count: usize = axes.iter().product();
    (0..count).map(move |mut flat| {
        let mut index = vec![0; axes.len()];
        for (axis, &size) in axes.iter().enumerate().rev() {
            index[axis] = flat % size;
            flat /= size;
        }
        index
    })
}
