//! Where the elements of a value that was only rearranged lie in the value that it was made of: reshapes, transpositions, slices and
//! repetitions after one another are one rearrangement, which is no pass over memory until somebody needs the value in a form of its
//! own. Attention is full of them.

use graph::operations::Slice;
use graph::{Operation, Shape, Value};

use super::held::Form;
use crate::buffer::padded;

/// So many elements, so far apart in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    size: usize,
    stride: usize,
}

/// A value as elements of another one, which lies in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The value of the graph that lies in memory.
    pub(super) base: Value,
    /// The first element.
    pub(super) offset: usize,
    /// Of each axis runs, the last fastest; none of an axis of one element.
    axes: Vec<Vec<Run>>,
}

/// The runs of an axis, of which one of a single element is none.
fn axis(size: usize, stride: usize) -> Vec<Run> {
    if size == 1 { Vec::new() } else { vec![Run { size, stride }] }
}

impl View {
    /// A value of `shape` that is held in `form`, as it lies in memory.
    pub(super) fn of(base: Value, form: Form, shape: &Shape) -> Self {
        let axes = match (form, shape.axes()) {
            (Form::Map | Form::Pixel, &[width, height, columns]) => {
                let stride = padded(width);
                vec![axis(width, 1), axis(height, columns * stride), axis(columns, stride)]
            }
            (Form::Flat { pixels }, axes) => {
                let width = axes.iter().product::<usize>() / pixels.max(1);
                vec![[axis(width, 1), axis(pixels, padded(width))].concat()]
            }
            (_, axes) => {
                let mut strides = vec![1; axes.len()];
                if let [.., of_pixels, _] = &mut strides[..] {
                    *of_pixels = padded(axes[axes.len() - 1]);
                }
                for place in (0..axes.len().saturating_sub(2)).rev() {
                    strides[place] = strides[place + 1] * axes[place + 1];
                }
                axes.iter().zip(strides).map(|(&size, stride)| axis(size, stride)).collect()
            }
        };
        Self { base, offset: 0, axes }
    }

    /// What `operation` makes of it, of the shape `shape`; none where that is no rearrangement of elements, or none that runs of equal
    /// distances say.
    pub(super) fn after(&self, operation: &Operation, shape: &Shape) -> Option<Self> {
        let mut after = self.clone();
        match operation {
            Operation::Transpose(transpose) => {
                after.axes =
                    transpose.axes.iter().map(|&axis| self.axes.get(axis).cloned()).collect::<Option<_>>()?;
            }
            Operation::Slice(slice) => after.choose(slice)?,
            Operation::Gather(gather) => {
                let (&begin, len) = (gather.places.first()?, gather.places.len());
                let step = gather.places.get(1).map_or(Some(1), |second| second.checked_sub(begin))?;
                let is_slice = gather.places.windows(2).all(|two| two[0].checked_add(step) == Some(two[1]));
                if !is_slice {
                    return None;
                }
                after.choose(&Slice { axis: gather.axis, begin, step, len })?;
            }
            Operation::Expand(_) => {
                let new = shape.axes().len().checked_sub(self.axes.len())?;
                after.axes = shape
                    .axes()
                    .iter()
                    .enumerate()
                    .map(|(place, &size)| {
                        let before = place.checked_sub(new).map(|place| &self.axes[place]);
                        before.filter(|runs| !runs.is_empty()).cloned().unwrap_or_else(|| axis(size, 0))
                    })
                    .collect();
            }
            Operation::Reshape(_) => after.axes = self.regrouped(shape.axes())?,
            _ => return None,
        }
        Some(after)
    }

    /// Takes some elements of an axis.
    fn choose(&mut self, &Slice { axis: place, begin, step, len }: &Slice) -> Option<()> {
        let runs = self.axes.get_mut(place)?;
        match runs[..] {
            [] if begin == 0 && len == 1 => {}
            [Run { stride, .. }] => {
                self.offset += begin * stride;
                *runs = axis(len, step * stride);
            }
            _ => return None,
        }
        Some(())
    }

    /// The same elements in other axes.
    fn regrouped(&self, axes: &[usize]) -> Option<Vec<Vec<Run>>> {
        let mut runs: Vec<Run> = Vec::new();
        for &run in self.axes.iter().flatten() {
            match runs.last_mut() {
                Some(last) if last.stride == run.size * run.stride => {
                    *last = Run { size: last.size * run.size, stride: run.stride };
                }
                _ => runs.push(run),
            }
        }
        // From the last axis on, as elements run.
        let mut regrouped = Vec::with_capacity(axes.len());
        for &size in axes.iter().rev() {
            let mut left = size;
            let mut of_axis = Vec::new();
            while left > 1 {
                let Run { size, stride } = runs.pop()?;
                if left.is_multiple_of(size) {
                    of_axis.push(Run { size, stride });
                    left /= size;
                } else if size.is_multiple_of(left) {
                    of_axis.push(Run { size: left, stride });
                    runs.push(Run { size: size / left, stride: stride * left });
                    left = 1;
                } else {
                    return None;
                }
            }
            of_axis.reverse();
            regrouped.push(of_axis);
        }
        regrouped.reverse();
        runs.is_empty().then_some(regrouped)
    }

    /// Whether its elements lie where those of a value of `shape` lie that is held in `form`.
    pub(super) fn is_held_as(&self, form: Form, shape: &Shape) -> bool {
        let runs = |view: &Self| {
            let shape: Vec<usize> =
                view.axes.iter().map(|runs| runs.iter().map(|run| run.size).product()).collect();
            view.regrouped(&shape)
        };
        self.offset == 0 && runs(self) == runs(&Self::of(self.base, form, shape))
    }

    /// Of each axis, how far its elements are from the first.
    pub(super) fn distances(&self) -> Vec<Vec<usize>> {
        let of_axis = |runs: &Vec<Run>| {
            runs.iter().fold(vec![0], |distances, run| {
                distances
                    .iter()
                    .flat_map(|distance| (0..run.size).map(move |at| distance + at * run.stride))
                    .collect()
            })
        };
        self.axes.iter().map(of_axis).collect()
    }
}

#[cfg(test)]
mod tests {
    use graph::operations::{Expand, Gather, Reshape, Transpose};

    use super::*;

    /// The elements of a value of `axes` that is held in `form` after `operations`, each of which has the shape beside it; an element
    /// is its number in the order of the axes.
    fn elements(form: Form, axes: &[usize], operations: &[(Operation, &[usize])]) -> Option<Vec<usize>> {
        let shape = Shape::new(axes);
        let base = View::of(Value::IMAGE, form, &shape);
        let mut memory = std::collections::BTreeMap::new();
        for (number, at) in places(&base).into_iter().enumerate() {
            assert!(memory.insert(at, number).is_none(), "two elements in one place");
        }
        let mut view = base;
        for (operation, axes) in operations {
            view = view.after(operation, &Shape::new(*axes))?;
        }
        Some(places(&view).into_iter().map(|at| memory[&at]).collect())
    }

    fn places(view: &View) -> Vec<usize> {
        view.distances().iter().fold(vec![view.offset], |places, axis| {
            places.iter().flat_map(|place| axis.iter().map(move |distance| place + distance)).collect()
        })
    }

    fn reshape(axes: &[usize]) -> Operation {
        Reshape { shape: Shape::new(axes) }.into()
    }

    fn transpose(axes: &[usize]) -> Operation {
        Transpose { axes: axes.to_vec() }.into()
    }

    #[test]
    fn rearrangements_after_one_another_are_one() {
        // MobileViT's patches of 2x2 pixels.
        let unfolded = elements(
            Form::Map,
            &[3, 4, 4],
            &[
                (reshape(&[6, 2, 2, 2]), &[6, 2, 2, 2]),
                (transpose(&[0, 2, 1, 3]), &[6, 2, 2, 2]),
                (reshape(&[3, 4, 4]), &[3, 4, 4]),
                (transpose(&[2, 1, 0]), &[4, 4, 3]),
            ],
        );
        let mut expected = Vec::new();
        for (pixel, patch) in (0..4).flat_map(|pixel| (0..4).map(move |patch| (pixel, patch))) {
            let (row, column) = (patch / 2 * 2 + pixel / 2, patch % 2 * 2 + pixel % 2);
            expected.extend((0..3).map(|channel| channel * 16 + row * 4 + column));
        }
        assert_eq!(unfolded, Some(expected));
    }

    #[test]
    fn a_part_of_an_axis_is_a_view() {
        let slice = Slice { axis: 1, begin: 1, step: 2, len: 2 };
        let gather = Gather { axis: 0, places: vec![1] };
        let found = elements(Form::Rows, &[2, 5], &[(slice.into(), &[2, 2]), (gather.into(), &[1, 2])]);
        assert_eq!(found, Some(vec![6, 8]));
        let out_of_order = Gather { axis: 1, places: vec![1, 0, 2] };
        assert_eq!(elements(Form::Rows, &[2, 5], &[(out_of_order.into(), &[2, 3])]), None);
    }

    #[test]
    fn an_axis_of_one_element_is_repeated() {
        let expand = Expand { shape: Shape::new([3, 2, 2]) };
        let found = elements(Form::Rows, &[1, 2], &[(expand.into(), &[3, 2, 2])]);
        assert_eq!(found, Some([0, 1].repeat(6)));
    }

    #[test]
    fn axes_that_do_not_fit_together_are_no_view() {
        let transposed = (transpose(&[1, 0]), &[5, 2][..]);
        let found = elements(Form::Rows, &[2, 5], &[transposed.clone(), (reshape(&[10]), &[10])]);
        assert_eq!(found, Some(vec![0, 5, 1, 6, 2, 7, 3, 8, 4, 9]));
        let cut =
            elements(Form::Rows, &[4, 6], &[(transpose(&[1, 0]), &[6, 4]), (reshape(&[3, 8]), &[3, 8])]);
        assert_eq!(cut.map(|elements| elements[..8].to_vec()), Some(vec![0, 6, 12, 18, 1, 7, 13, 19]));
        assert_eq!(
            elements(Form::Rows, &[4, 6], &[(transpose(&[1, 0]), &[6, 4]), (reshape(&[8, 3]), &[8, 3])]),
            None
        );
    }

    #[test]
    fn what_lies_as_it_would_anyway_is_known() {
        let view = View::of(Value::IMAGE, Form::Last, &Shape::new([4, 3, 5]));
        let rows = Shape::new([12, 5]);
        let view = view.after(&reshape(&[12, 5]), &rows).unwrap();
        assert!(view.is_held_as(Form::Rows, &rows));
        let columns = Shape::new([5, 12]);
        let view = view.after(&transpose(&[1, 0]), &columns).unwrap();
        assert!(!view.is_held_as(Form::Rows, &columns));
        assert!(
            view.after(&reshape(&[5, 4, 3]), &Shape::new([5, 4, 3]))
                .unwrap()
                .is_held_as(Form::Map, &Shape::map(5, [4, 3]))
        );
    }
}
