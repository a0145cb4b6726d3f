//! Values whose channels come last, which attention is made of: products of two of them, several as one, and elements of one in another
//! order once somebody needs them so.

use std::ops::Range;

use graph::{Operation, Shape, Value, Window};

use super::held::{Form, of_shape};
use super::parts::as_pixels;
use super::planner::{Begun, Planner};
use super::view::View;
use super::{PlannedKind, Source, Unsupported};
use crate::activation::OnRead;
use crate::gathered::{Gathered, Piece};
use crate::product::Matrices;

/// A value of the program as a part of another.
struct Rearranged {
    value: usize,
    /// Which of its elements.
    view: View,
    /// Which part of which axis they are, where they are not all.
    part: Option<(usize, Range<usize>)>,
}

impl Planner<'_> {
    /// Sees to it that `value` lies in memory, or what it is computed of on the way.
    pub(super) fn need(&mut self, value: Value) -> Result<(), Unsupported> {
        let graph = self.chain.graph();
        if self.stored[value.index()].is_some() || self.held[value.index()].form == Form::Constant {
            return Ok(());
        }
        let Some(view) = &self.views[value.index()] else {
            return graph.node(value).inputs.iter().try_for_each(|&input| self.need(input));
        };
        self.need(view.base)?;
        let (form, shape) = (self.held[value.index()].form, self.shape(value)?);
        let base = as_pixels(self.held[view.base.index()].form, self.shape(view.base)?);
        let held = as_pixels(form, shape);
        let source = Source { value: self.value(view.base), on_read: OnRead::AsStored };
        let is_there =
            view.is_held_as(form, shape) && (base.width, base.elements()) == (held.width, held.elements());
        if !is_there {
            let piece = Rearranged { value: source.value, view: view.clone(), part: None };
            let gathered = self.gathered(form, shape, vec![piece]);
            self.follow(value, Begun::new(PlannedKind::Gathered(gathered), Window::PIXEL, source));
            return Ok(());
        }
        if base.size != held.size {
            let begun = Begun::new(PlannedKind::Renamed(held.size), Window::PIXEL, source);
            self.push(begun, Vec::new(), held.width);
            self.stored[value.index()] = Some(self.steps.len());
        } else {
            self.stored[value.index()] = Some(source.value);
        }
        Ok(())
    }

    /// Values are rearranged only where shapes are known.
    fn shape(&self, value: Value) -> Result<&Shape, Unsupported> {
        let graph = self.chain.graph();
        let unsupported = || Unsupported::Operation {
            at: graph.place(value.index()),
            operation: graph.node(value).operation.name(),
        };
        self.shapes.map(|shapes| &shapes[value.index()]).ok_or_else(unsupported)
    }

    /// Where `value` lies in memory, numbers that are known included, and how.
    fn laid_out(&mut self, value: Value, comes_last: bool) -> Result<(usize, Form), Unsupported> {
        let held = self.held[value.index()];
        if held.form != Form::Constant {
            return Ok((self.value(value), held.form));
        }
        let form = of_shape(self.shape(value)?, comes_last).form;
        let held = as_pixels(form, self.shape(value)?);
        let source = Source { value: 0, on_read: OnRead::AsStored };
        let kind = PlannedKind::Known { constant: value, held };
        self.push(Begun::new(kind, Window::PIXEL, source), Vec::new(), held.width);
        Ok((self.steps.len(), form))
    }

    /// The step of a product of matrices.
    pub(super) fn product(&mut self, value: Value) -> Result<Begun, Unsupported> {
        let inputs = self.chain.graph().node(value).inputs.clone();
        let [(a, _), (b, form)] = [self.laid_out(inputs[0], true)?, self.laid_out(inputs[1], true)?];
        let axes = self.shape(inputs[0])?.axes();
        let (before, depth) = axes.split_at(axes.len() - 1);
        let (count, rows) = before.split_at(before.len() - 1);
        let matrices = Matrices { count: count.iter().product(), rows: rows[0], depth: depth[0] };
        let other = (b, as_pixels(form, self.shape(inputs[1])?));
        let size = as_pixels(self.held[value.index()].form, self.shape(value)?).size;
        let kind = PlannedKind::Product { other, matrices, size };
        Ok(Begun::new(kind, Window::PIXEL, Source { value: a, on_read: OnRead::AsStored }))
    }

    /// Whether the channels of maps are put together, or elements of vectors.
    pub(super) fn is_of_channels(&self, value: Value) -> bool {
        let node = self.chain.graph().node(value);
        let Operation::Concat(concat) = &node.operation else { return false };
        let all =
            |forms: &[Form]| node.inputs.iter().all(|input| forms.contains(&self.held[input.index()].form));
        concat.axis == 0 && (all(&[Form::Map, Form::Pixel]) || all(&[Form::Vector]))
    }

    /// The step that puts values one after the other along `axis`.
    pub(super) fn together(&mut self, value: Value, axis: usize) -> Result<Begun, Unsupported> {
        let inputs = self.chain.graph().node(value).inputs.clone();
        let form = self.held[value.index()].form;
        let comes_last = !matches!(form, Form::Map | Form::Pixel);
        let mut pieces = Vec::with_capacity(inputs.len());
        let mut begin = 0;
        for input in inputs {
            let (laid_out, held) = self.laid_out(input, comes_last)?;
            let shape = self.shape(input)?;
            let view = View::of(input, held, shape);
            let end = begin + shape.axes()[axis];
            pieces.push(Rearranged { value: laid_out, view, part: Some((axis, begin..end)) });
            begin = end;
        }
        let source = Source { value: pieces[0].value, on_read: OnRead::AsStored };
        let gathered = self.gathered(form, self.shape(value)?, pieces);
        Ok(Begun::new(PlannedKind::Gathered(gathered), Window::PIXEL, source))
    }

    /// What makes a value of `shape`, held in `form`, of these.
    fn gathered(&self, form: Form, shape: &Shape, pieces: Vec<Rearranged>) -> Gathered {
        let axes = shape.axes();
        let of_channels = if matches!(form, Form::Map | Form::Pixel) { 0 } else { axes.len() - 1 };
        let pieces = pieces.into_iter().map(|Rearranged { value, view, part }| {
            let mut parts: Vec<Range<usize>> = axes.iter().map(|&size| 0..size).collect();
            if let Some((axis, part)) = part {
                parts[axis] = part;
            }
            let mut distances = view.distances();
            let (channels, of_channels) = (distances.remove(of_channels), parts.remove(of_channels));
            Piece {
                value,
                pixels: parts,
                channel: of_channels.start,
                offset: view.offset,
                distances,
                channels,
            }
        });
        let pieces = pieces.collect();
        let mut axes = axes.to_vec();
        axes.remove(of_channels);
        Gathered { size: as_pixels(form, shape).size, axes, pieces }
    }
}
