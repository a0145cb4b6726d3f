//! The steps of a graph, decided an operation after the other by the rules of fusion.

use graph::{Graph, Operation, Value, Window};

use super::chain::Chain;
use super::epilogue::{self, PlannedFinish};
use super::{PlannedKind, PlannedStep, Source, Unsupported, frame, on_read, separable};
use crate::activation::OnRead;

/// The steps so far.
pub(super) struct Planner<'a> {
    chain: Chain<'a>,
    /// Channels of every value of the graph.
    widths: &'a [usize],
    /// The value of the program that holds a value of the graph, once a step has computed it.
    stored: Vec<Option<usize>>,
    steps: Vec<PlannedStep>,
}

impl<'a> Planner<'a> {
    /// Of a graph and the channels of its values, of which only the image is there.
    pub(super) fn new(graph: &'a Graph, widths: &'a [usize]) -> Self {
        let mut stored = vec![None; graph.nodes().len()];
        stored[Value::IMAGE.index()] = Some(0);
        Self { chain: Chain::of(graph), widths, stored, steps: Vec::new() }
    }

    pub(super) fn into_steps(self) -> Vec<PlannedStep> {
        self.steps
    }

    /// Adds the step of `value`, unless another step does its work.
    pub(super) fn emit(&mut self, value: Value) -> Result<(), Unsupported> {
        let graph = self.chain.graph();
        let node = graph.node(value);
        if self.stored[value.index()].is_some()
            || separable::is_on_the_way(&self.chain, value)
            || on_read::is_applied_on_read(&self.chain, &self.stored, value)
            || frame::is_the_pools(&self.chain, value)
        {
            return Ok(());
        }
        let unsupported = || {
            Err(Unsupported::Operation { at: graph.place(value.index()), operation: node.operation.name() })
        };
        let input =
            |planner: &Self| Source { value: planner.value(node.inputs[0]), on_read: OnRead::AsStored };
        let (kind, window, source, first) = match &node.operation {
            Operation::Image(_) => return Ok(()),
            Operation::Convolution(convolution) if convolution.groups == 1 => {
                match separable::depthwise_before(&self.chain, value) {
                    Some(separable::Before { depthwise, between }) => {
                        let Operation::Convolution(before) = &graph.node(depthwise).operation else {
                            return unsupported();
                        };
                        let kind = PlannedKind::Separable { depthwise, between, pointwise: value };
                        (kind, before.window, self.source(graph.node(depthwise).inputs[0]), None)
                    }
                    None => {
                        let kind = PlannedKind::Dense { convolution: value };
                        (kind, convolution.window, self.source(node.inputs[0]), None)
                    }
                }
            }
            Operation::Convolution(convolution) => {
                let kind = PlannedKind::Depthwise { convolution: value };
                (kind, convolution.window, self.source(node.inputs[0]), None)
            }
            Operation::MaxPool(pool) => match frame::before(&self.chain, value) {
                Some((framed, window)) => {
                    let source = Source { value: self.value(framed), on_read: OnRead::AsStored };
                    (PlannedKind::MaxPool { of_zeros_too: true }, window, source, None)
                }
                None => (PlannedKind::MaxPool { of_zeros_too: false }, pool.window, input(self), None),
            },
            Operation::AveragePool(pool) => (PlannedKind::AveragePool, pool.window, input(self), None),
            Operation::BatchNorm(_) => {
                (PlannedKind::Epilogue, Window::PIXEL, input(self), Some(PlannedFinish::Affine(value)))
            }
            &Operation::Activation(activation) => (
                PlannedKind::Epilogue,
                Window::PIXEL,
                input(self),
                Some(PlannedFinish::Activation(activation)),
            ),
            Operation::Add(_) => {
                let residual = PlannedFinish::Residual(self.value(node.inputs[1]));
                (PlannedKind::Epilogue, Window::PIXEL, input(self), Some(residual))
            }
            Operation::GlobalAveragePool(_) => {
                (PlannedKind::Average, Window::PIXEL, self.source(node.inputs[0]), None)
            }
            Operation::Linear(_) => {
                (PlannedKind::Linear { linear: value }, Window::PIXEL, self.source(node.inputs[0]), None)
            }
            Operation::Scale(scale) => {
                let factor = PlannedFinish::Scale(scale.factor as f32);
                (PlannedKind::Epilogue, Window::PIXEL, input(self), Some(factor))
            }
            _ => return unsupported(),
        };
        let mut epilogue: Vec<PlannedFinish> = first.into_iter().collect();
        let done = epilogue::follow(&self.chain, &self.stored, value, &mut epilogue);
        let width = self.widths[value.index()];
        self.steps.push(PlannedStep { kind, window, input: source, epilogue, width });
        // Nobody reads what is within the chain, so all of it may be called stored.
        done.into_iter().for_each(|value| self.stored[value.index()] = Some(self.steps.len()));
        Ok(())
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
