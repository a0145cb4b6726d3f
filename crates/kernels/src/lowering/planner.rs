//! The steps of a graph, decided an operation after the other by the rules of fusion.

use graph::operations::{Gather, Given, Pad, Slice};
use graph::{Graph, Operation, Part, Shape, Value, Window};

use super::chain::Chain;
use super::check::{Checked, is_depthwise};
use super::epilogue::{self, Known, PlannedFinish};
use super::gated::{self, Gated};
use super::held::{Form, Held};
use super::parts::as_pixels;
use super::view::View;
use super::{PlannedKind, PlannedStep, Source, Unsupported, frame, groups, on_read, separable};
use crate::activation::OnRead;
use crate::moves::{Along, Move, Piece, Run, runs};
use crate::simd::BLOCK;

/// The steps so far.
pub(super) struct Planner<'a> {
    pub(super) chain: Chain<'a>,
    /// What every value of the graph is.
    pub(super) held: &'a [Held],
    /// Of values that are others' elements rearranged, which these are.
    pub(super) views: &'a [Option<View>],
    /// Of all values, where they are known.
    pub(super) shapes: Option<&'a [Shape]>,
    /// What is cut out.
    parts: &'a [Part],
    /// The first element of each value that a part puts out, among those of all.
    begins: Vec<Vec<usize>>,
    /// The value of the program that a part's call puts out, once it was called.
    called: Vec<Option<usize>>,
    /// The value of the program that holds a value of the graph, once a step has computed it.
    pub(super) stored: Vec<Option<usize>>,
    pub(super) steps: Vec<PlannedStep>,
}

/// A step, but for what is done to its result.
pub(super) struct Begun {
    kind: PlannedKind,
    window: Window,
    input: Source,
    first: Option<PlannedFinish>,
}

impl Begun {
    pub(super) fn new(kind: PlannedKind, window: Window, input: Source) -> Self {
        Self { kind, window, input, first: None }
    }
}

impl<'a> Planner<'a> {
    /// Of a graph and what its values are, of which only the image is there.
    pub(super) fn new(
        graph: &'a Graph,
        checked: &'a Checked,
        shapes: Option<&'a [Shape]>,
        parts: &'a [Part],
    ) -> Self {
        let Checked { held, views, .. } = checked;
        let mut stored = vec![None; graph.nodes().len()];
        stored[Value::IMAGE.index()] = Some(0);
        let called = vec![None; parts.len()];
        let begins = parts.iter().map(|part| {
            let lengths = part.shapes.iter().flat_map(Shape::elements);
            let begin = |at: &mut usize, len: u64| Some(std::mem::replace(at, *at + len as usize));
            lengths.scan(0, begin).collect()
        });
        let begins = begins.collect();
        let chain = Chain::of(graph);
        let mut planner =
            Self { chain, held, views, shapes, parts, begins, called, stored, steps: Vec::new() };
        let windows_its_rows = |&reader: &Value| {
            planner.chain.convolution(reader).is_some_and(|convolution| convolution.groups == 1)
        };
        if !planner.chain.readers(Value::IMAGE).iter().all(windows_its_rows) || graph.nodes().len() == 1 {
            // Other steps read pixels whose channels are padded.
            let width = held[Value::IMAGE.index()].width;
            let image = Source { value: 0, on_read: OnRead::AsStored };
            let begun = Begun::new(
                PlannedKind::Move(Move::Channels(vec![Run { from: 0, len: width }])),
                Window::PIXEL,
                image,
            );
            planner.push(begun, Vec::new(), width);
            planner.stored[Value::IMAGE.index()] = Some(1);
        }
        planner
    }

    pub(super) fn into_steps(self) -> Vec<PlannedStep> {
        self.steps
    }

    pub(super) fn push(&mut self, begun: Begun, epilogue: Vec<PlannedFinish>, width: usize) {
        let Begun { kind, window, input, .. } = begun;
        self.steps.push(PlannedStep { kind, window, input, epilogue, width });
    }

    fn known(&self) -> Known<'_> {
        Known { chain: &self.chain, held: self.held, views: self.views, stored: &self.stored }
    }

    /// Adds the step of `value`, unless another step does its work.
    pub(super) fn emit(&mut self, value: Value) -> Result<(), Unsupported> {
        if let Some(view) = &self.views[value.index()] {
            // One that rearranges another needs that in memory; now, so that no chain of them is as deep as a stack.
            return match self.views[view.base.index()] {
                Some(_) => self.need(view.base),
                None => Ok(()),
            };
        }
        if self.stored[value.index()].is_some()
            || separable::is_on_the_way(&self.chain, value)
            || on_read::is_applied_on_read(&self.chain, &self.stored, value)
            || self.gated(value).is_some()
            || frame::is_the_pools(&self.chain, value)
        {
            return Ok(());
        }
        let node = self.chain.graph().node(value);
        for &input in &node.inputs {
            self.need(input)?;
        }
        // What it reads may have been put in order, and it computed before that was stored.
        if self.stored[value.index()].is_some() {
            return Ok(());
        }
        let begun = match node.operation {
            Operation::Image(_) | Operation::Constant(_) => return Ok(()),
            _ if epilogue::is_a_name(&node.operation) => {
                self.stored[value.index()] = Some(self.value(node.inputs[0]));
                return Ok(());
            }
            _ => self.begin(value)?,
        };
        self.follow(value, begun);
        Ok(())
    }

    /// Adds the step of `value` that is begun, with what can be done before its result is stored.
    pub(super) fn follow(&mut self, value: Value, begun: Begun) {
        let mut epilogue: Vec<PlannedFinish> = begun.first.into_iter().collect();
        let done = self.known().follow(value, &mut epilogue);
        self.push(begun, epilogue, self.held[value.index()].width);
        // Nobody reads what is within the chain, so all of it may be called stored.
        done.into_iter().for_each(|value| self.stored[value.index()] = Some(self.steps.len()));
    }

    /// The step of `value`, after those that it needs.
    fn begin(&mut self, value: Value) -> Result<Begun, Unsupported> {
        let graph = self.chain.graph();
        let node = graph.node(value);
        let unsupported = || {
            Err(Unsupported::Operation { at: graph.place(value.index()), operation: node.operation.name() })
        };
        let as_stored =
            |planner: &Self, value| Source { value: planner.value(value), on_read: OnRead::AsStored };
        let moved = |moved: Move, planner: &Self| {
            Begun::new(PlannedKind::Move(moved), Window::PIXEL, as_stored(planner, node.inputs[0]))
        };
        Ok(match &node.operation {
            Operation::Convolution(convolution) if convolution.groups == 1 => {
                match separable::depthwise_before(&self.chain, value) {
                    Some(separable::Before { depthwise, between }) => {
                        let Operation::Convolution(before) = &graph.node(depthwise).operation else {
                            return unsupported();
                        };
                        let kind = PlannedKind::Separable { depthwise, between, pointwise: value };
                        Begun::new(kind, before.window, self.source(graph.node(depthwise).inputs[0]))
                    }
                    None => {
                        let gated = self.gated(node.inputs[0]);
                        let gate = gated.map(|Gated { gate, .. }| self.value(gate));
                        let input = match gated {
                            Some(Gated { map, .. }) => as_stored(self, map),
                            None => self.source(node.inputs[0]),
                        };
                        let kind = PlannedKind::Dense { convolution: value, gate };
                        Begun::new(kind, convolution.window, input)
                    }
                }
            }
            Operation::Convolution(convolution) if is_depthwise(convolution) => {
                let kind = PlannedKind::Depthwise { convolution: value };
                Begun::new(kind, convolution.window, self.source(node.inputs[0]))
            }
            Operation::Convolution(_) => self.groups(value)?,
            Operation::MaxPool(pool) => match frame::before(&self.chain, value) {
                Some((framed, window)) => {
                    let kind = PlannedKind::MaxPool { of_zeros_too: true, ceil_mode: false };
                    Begun::new(kind, window, as_stored(self, framed))
                }
                None => {
                    let kind = PlannedKind::MaxPool { of_zeros_too: false, ceil_mode: pool.ceil_mode };
                    Begun::new(kind, pool.window, as_stored(self, node.inputs[0]))
                }
            },
            Operation::AveragePool(pool) => {
                let kind = PlannedKind::AveragePool {
                    count_padding: pool.count_padding && pool.window.has_padding(),
                    ceil_mode: pool.ceil_mode,
                };
                Begun::new(kind, pool.window, as_stored(self, node.inputs[0]))
            }
            Operation::GlobalAveragePool(_) => {
                Begun::new(PlannedKind::Average, Window::PIXEL, self.source(node.inputs[0]))
            }
            Operation::Linear(_) => {
                let pixels = match self.held[node.inputs[0].index()].form {
                    Form::Flat { pixels } => pixels,
                    _ => 1,
                };
                Begun::new(
                    PlannedKind::Linear { linear: value, pixels },
                    Window::PIXEL,
                    self.source(node.inputs[0]),
                )
            }
            Operation::LayerNorm(norm) => {
                let kind = PlannedKind::LayerNorm { epsilon: norm.epsilon };
                Begun::new(kind, Window::PIXEL, as_stored(self, node.inputs[0]))
            }
            Operation::Given(given) => {
                let called = self.call(given, &node.inputs);
                let held = as_pixels(self.held[value.index()].form, &given.shape);
                let begin = self.begins[given.part][given.place];
                let source = Source { value: called, on_read: OnRead::AsStored };
                Begun::new(PlannedKind::Move(Move::Unpacked { begin, held }), Window::PIXEL, source)
            }
            Operation::MatMul(_) => self.product(value)?,
            Operation::Softmax(_) => {
                Begun::new(PlannedKind::Softmax, Window::PIXEL, as_stored(self, node.inputs[0]))
            }
            Operation::Reduce(_) => {
                Begun::new(PlannedKind::Average, Window::PIXEL, as_stored(self, node.inputs[0]))
            }
            Operation::Concat(concat) if !self.is_of_channels(value) => self.together(value, concat.axis)?,
            Operation::Concat(_) => {
                let piece = |&input: &Value| Piece {
                    value: self.value(input),
                    width: self.held[input.index()].width,
                };
                moved(Move::Concat(node.inputs.iter().map(piece).collect()), self)
            }
            &Operation::Slice(Slice { axis, begin, step, len }) => {
                moved(chosen(axis, (0..len).map(|at| begin + at * step).collect()), self)
            }
            Operation::Gather(Gather { axis, places }) => moved(chosen(*axis, places.clone()), self),
            Operation::Pad(Pad { widths, with }) => {
                let along = |axis: usize| {
                    let [before, after] = widths[axis];
                    Along::Padded { before, after, with: *with }
                };
                moved(Move::Pixels([along(1), along(2)]), self)
            }
            _ => {
                let bases = node.inputs.iter().filter(|input| self.stored[input.index()].is_some());
                let known = self.known();
                let Some((base, finish)) =
                    bases.into_iter().find_map(|&base| Some((base, known.finish(value, base)?)))
                else {
                    return unsupported();
                };
                Begun {
                    first: Some(finish),
                    ..Begun::new(PlannedKind::Epilogue, Window::PIXEL, as_stored(self, base))
                }
            }
        })
    }

    /// The value that the call of a part puts out, which is made where it was not yet.
    fn call(&mut self, given: &Given, inputs: &[Value]) -> usize {
        if let Some(called) = self.called[given.part] {
            return called;
        }
        let part = &self.parts[given.part];
        let shapes = part.graph.nodes().iter().filter_map(|node| match &node.operation {
            Operation::Given(given) => Some(&given.shape),
            _ => None,
        });
        let read = |(&input, shape): (&Value, &Shape)| {
            (self.value(input), as_pixels(self.held[input.index()].form, shape))
        };
        let reads: Vec<_> = inputs.iter().zip(shapes).map(read).collect();
        let first = reads.first().map_or(0, |&(value, _)| value);
        let kind = PlannedKind::Call { part: given.part, reads };
        let source = Source { value: first, on_read: OnRead::AsStored };
        self.push(Begun::new(kind, Window::PIXEL, source), Vec::new(), BLOCK);
        self.called[given.part] = Some(self.steps.len());
        self.steps.len()
    }

    /// The steps of a convolution of groups, of which the last puts their channels together.
    fn groups(&mut self, value: Value) -> Result<Begun, Unsupported> {
        let graph = self.chain.graph();
        let Some(convolution) = self.chain.convolution(value) else {
            return Err(Unsupported::Groups { at: graph.place(value.index()), groups: 0, channels: 0 });
        };
        let input = self.source(graph.node(value).inputs[0]);
        if groups::are_whole_blocks(convolution) {
            return Ok(Begun::new(PlannedKind::Grouped { convolution: value }, convolution.window, input));
        }
        let [from, to] = convolution.channels().map(|channels| channels / convolution.groups);
        let mut pieces = Vec::new();
        for groups in groups::sets(convolution) {
            let channels = groups.start * from..groups.end * from;
            let some = Source { value: input.value, on_read: OnRead::AsStored };
            let width = channels.len();
            let chosen = PlannedKind::Move(Move::Channels(vec![Run { from: channels.start, len: width }]));
            self.push(Begun::new(chosen, Window::PIXEL, some), Vec::new(), width);
            let chosen = Source { value: self.steps.len(), on_read: input.on_read };
            let width = groups.len() * to;
            let kind = PlannedKind::Groups { convolution: value, groups };
            self.push(Begun::new(kind, convolution.window, chosen), Vec::new(), width);
            pieces.push(Piece { value: self.steps.len(), width });
        }
        let first = Source { value: pieces[0].value, on_read: OnRead::AsStored };
        Ok(Begun::new(PlannedKind::Move(Move::Concat(pieces)), Window::PIXEL, first))
    }

    /// What `value` is the product of, where the convolution that reads it computes it on the way.
    fn gated(&self, value: Value) -> Option<Gated> {
        gated::on_the_way(&self.chain, self.held, &self.stored, value)
    }

    /// Where to read `value`.
    pub(super) fn source(&self, value: Value) -> Source {
        on_read::source(&self.chain, &self.stored, value)
    }

    /// The value of the program that holds `value`.
    pub(super) fn value(&self, value: Value) -> usize {
        self.stored[value.index()].expect("what is read was computed before")
    }
}

/// The step that takes these places of an axis of a map or of a vector.
fn chosen(axis: usize, places: Vec<usize>) -> Move {
    match axis {
        0 => Move::Channels(runs(places)),
        1 => Move::Pixels([Along::Places(places), Along::ALL]),
        _ => Move::Pixels([Along::ALL, Along::Places(places)]),
    }
}
