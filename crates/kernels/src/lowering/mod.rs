//! A graph lowered to a program in two passes: which steps there are, the fewest passes over memory, is decided from the
//! structure alone; then the weights are read and packed, a layer at a time.
//!
//! The rules of fusion, a file each, of which each saves the reading and writing of a feature map:
//! * [`separable`]: a depthwise convolution that only a 1x1 convolution reads is computed while that one's multiplicands are
//!   laid out;
//! * [`epilogue`]: what follows an operation and reads nothing else is done before its result is stored;
//! * [`on_read`]: an activation that only convolutions read is applied where they read;
//! * [`head`]: the mean over all pixels and the fully connected layer after it.

mod chain;
mod epilogue;
mod head;
mod load;
mod on_read;
mod separable;

use graph::{Activation, Graph, Operation, Value, Window};
use thiserror::Error;

use chain::Chain;
use epilogue::PlannedFinish;
use head::Head;

use crate::activation::OnRead;
pub use load::LoadError;

/// What of a network these kernels lack; Burn's own operations have it.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum Unsupported {
    /// Neither all channels nor one a group.
    #[error("{at}: convolutions of {groups} groups on {channels} channels have no kernel")]
    Groups {
        /// Which convolution.
        at: String,
        /// Groups asked for.
        groups: usize,
        /// Input channels.
        channels: usize,
    },
    /// Something other than a convolution reads the image.
    #[error("the image is read by something other than one convolution without groups")]
    Image,
    /// The output's size is rounded up.
    #[error("{at}: pooling that rounds sizes up has no kernel")]
    CeilMode {
        /// Which pooling.
        at: String,
    },
    /// The network puts out maps.
    #[error("the network puts out feature maps where logits belong")]
    NoLogits,
    /// An operation that has a kernel elsewhere only, or none.
    #[error("{at}: {operation} has no kernel there")]
    Operation {
        /// Which one.
        at: String,
        /// What it computes.
        operation: &'static str,
    },
    /// Channels that do not fit together, or none.
    #[error("{at}: {found} channels come in where {expected} belong")]
    Channels {
        /// Which operation.
        at: String,
        /// What its parameters are made for.
        expected: usize,
        /// What comes in.
        found: usize,
    },
    /// A window without a kernel, a stride or a dilation, or one that is larger than any map.
    #[error("a window of kernel {kernel:?}, stride {stride:?} and dilation {dilation:?} slides over no map")]
    Window {
        /// Height and width.
        kernel: [usize; 2],
        /// Step down and to the right.
        stride: [usize; 2],
        /// Distance of its taps.
        dilation: [usize; 2],
    },
}

/// A graph's steps, for which no weight was read yet.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use graph::{Builder, Parameter, Role, Window};
/// use kernels::{Images, Isa, Lowering, Threads};
///
/// let (mut on, image) = Builder::new(3);
/// let kernel = Parameter::new("conv", Role::Conv { fan_in: 3 }, [16, 3, 1, 1]);
/// let x = on.convolution(Window::PIXEL, 1, kernel, None, image);
/// let x = on.global_average_pool(x);
/// let x = on.linear(Parameter::new("fc", Role::Linear { fan_in: 16 }, [16, 10]), None, x);
/// let lowering = Lowering::of(&on.finish(x))?;
///
/// let mut weights = BTreeMap::from([("conv".to_owned(), vec![0.5; 48]), ("fc".to_owned(), vec![0.1; 160])]);
/// let program = lowering.load(&mut weights, Isa::best())?;
/// let images = Images::Planar { values: &[1.0; 3 * 19 * 17], channels: 3, size: [19, 17] };
/// assert!(program.run(&images, &Threads::new(2)?)?.iter().all(|logit| (logit - 2.4).abs() < 1e-5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Lowering {
    /// Normalisations are folded in it.
    graph: Graph,
    steps: Vec<PlannedStep>,
    end: PlannedEnd,
}

/// What logits are made of when all steps are done.
#[derive(Debug, Clone, Copy)]
enum PlannedEnd {
    /// By the head, of what is at `features`.
    Head { head: Head, features: Source },
    /// They are this value of the program, of so many classes.
    Value { value: usize, classes: usize },
}

/// A step of which only the structure is known. Its result is the program's value of its index plus 1; value 0 is the image.
#[derive(Debug, Clone, PartialEq)]
struct PlannedStep {
    kind: PlannedKind,
    window: Window,
    input: Source,
    epilogue: Vec<PlannedFinish>,
    /// Channels of the result.
    width: usize,
}

/// What a step computes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum PlannedKind {
    /// A convolution over all channels, whose rows are windows of the input.
    Dense { convolution: Value },
    /// A convolution of one channel each.
    Depthwise { convolution: Value },
    /// A depthwise convolution and the 1x1 convolution after it, with what is between them.
    Separable { depthwise: Value, between: Option<Activation>, pointwise: Value },
    /// Max-pooling.
    MaxPool,
    /// The mean over all pixels: a map of one pixel.
    Average,
    /// A fully connected layer, which is a convolution of one pixel.
    Linear { linear: Value },
    /// The epilogue alone.
    Epilogue,
}

/// What a step or the head reads.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Source {
    /// A value of the program.
    value: usize,
    /// What is applied to what is read.
    on_read: OnRead,
}

impl Lowering {
    /// Decides the steps of `graph`, whose normalisations are folded first.
    ///
    /// # Errors
    /// [`Unsupported`] where the kernels lack something.
    pub fn of(graph: &Graph) -> Result<Self, Unsupported> {
        let graph = graph.fold_norms();
        let widths = check(&graph)?;
        let output = graph.output();
        let head = head::find(&graph);
        let stored = vec![None; graph.nodes().len()];
        let mut planner = Planner { chain: Chain::of(&graph), widths, stored, steps: Vec::new() };
        planner.stored[Value::IMAGE.index()] = Some(0);
        for value in graph.values().take_while(|&value| head.is_none_or(|head| value != head.pool)) {
            planner.emit(value)?;
        }
        let end = match head {
            Some(head) => PlannedEnd::Head { head, features: planner.source(head.features) },
            None => {
                PlannedEnd::Value { value: planner.value(output), classes: planner.widths[output.index()] }
            }
        };
        let steps = planner.steps;
        Ok(Self { graph, steps, end })
    }

    /// The steps in words, a line each, for tests and for people.
    #[cfg(test)]
    fn described(&self) -> Vec<String> {
        self.steps
            .iter()
            .map(|step| format!("{:?} of {:?} then {:?}", step.kind, step.input, step.epilogue))
            .collect()
    }
}

/// Channels of every value of the graph, or what of it has no kernel, whatever the size of the image.
fn check(graph: &Graph) -> Result<Vec<usize>, Unsupported> {
    let mut widths: Vec<usize> = Vec::with_capacity(graph.nodes().len());
    let mut are_vectors: Vec<bool> = Vec::with_capacity(graph.nodes().len());
    let mut image_is_read = false;
    for (index, node) in graph.nodes().iter().enumerate() {
        let at = || graph.place(index);
        let width = node.inputs.first().map_or(0, |input| widths[input.index()]);
        let fits = |expected: usize| match width {
            // Without weights there is nothing to multiply, nor a size to tell from.
            found if found != expected || found == 0 => {
                Err(Unsupported::Channels { at: at(), expected, found })
            }
            _ => Ok(()),
        };
        let reads_image = node.inputs.contains(&Value::IMAGE);
        let unsupported = || Err(Unsupported::Operation { at: at(), operation: node.operation.name() });
        let mut is_vector = node.inputs.first().is_some_and(|input| are_vectors[input.index()]);
        // Some operations are of maps, and one is of vectors.
        let takes = match node.operation {
            Operation::Convolution(_) | Operation::MaxPool(_) | Operation::GlobalAveragePool(_) => {
                Some(false)
            }
            Operation::Linear(_) => Some(true),
            _ => None,
        };
        if takes.is_some_and(|vector| vector != is_vector) {
            return unsupported();
        }
        widths.push(match &node.operation {
            Operation::Image(image) => image.channels,
            Operation::Convolution(convolution) => {
                let [from, to] = convolution.channels();
                let groups = convolution.groups;
                if groups != 1 && (groups != from || from != to) {
                    return Err(Unsupported::Groups { at: at(), groups, channels: from });
                }
                if reads_image && (groups != 1 || image_is_read) {
                    return Err(Unsupported::Image);
                }
                fits(from)?;
                check_window(convolution.window)?;
                match to {
                    0 => return Err(Unsupported::Channels { at: at(), expected: 1, found: 0 }),
                    to => to,
                }
            }
            _ if reads_image => return Err(Unsupported::Image),
            Operation::BatchNorm(norm) => {
                fits(norm.norm.channels())?;
                width
            }
            Operation::Activation(_) | Operation::Scale(_) => width,
            Operation::GlobalAveragePool(_) => {
                is_vector = true;
                width
            }
            Operation::MaxPool(pool) => {
                check_window(pool.window)?;
                if pool.ceil_mode {
                    return Err(Unsupported::CeilMode { at: at() });
                }
                width
            }
            Operation::Add(_) => {
                let other = node.inputs.get(1).map_or(Value::IMAGE.index(), |input| input.index());
                fits(widths[other])?;
                if are_vectors[other] != is_vector {
                    return unsupported();
                }
                width
            }
            Operation::Linear(linear) => {
                let [from, to] = linear.widths();
                fits(from)?;
                match to {
                    0 => return Err(Unsupported::Channels { at: at(), expected: 1, found: 0 }),
                    to => to,
                }
            }
            #[expect(unreachable_patterns, reason = "an operation without a kernel needs no line here")]
            _ => return unsupported(),
        });
        are_vectors.push(is_vector);
        image_is_read |= reads_image;
    }
    if !are_vectors[graph.output().index()] {
        return Err(Unsupported::NoLogits);
    }
    Ok(widths)
}

fn check_window(window: Window) -> Result<(), Unsupported> {
    let Window { kernel, stride, dilation, .. } = window;
    if window.is_sound() { Ok(()) } else { Err(Unsupported::Window { kernel, stride, dilation }) }
}

/// The steps so far.
struct Planner<'a> {
    chain: Chain<'a>,
    /// Channels of every value of the graph.
    widths: Vec<usize>,
    /// The value of the program that holds a value of the graph, once a step has computed it.
    stored: Vec<Option<usize>>,
    steps: Vec<PlannedStep>,
}

impl Planner<'_> {
    /// Adds the step of `value`, unless another step does its work.
    fn emit(&mut self, value: Value) -> Result<(), Unsupported> {
        let graph = self.chain.graph();
        let node = graph.node(value);
        if self.stored[value.index()].is_some()
            || separable::is_on_the_way(&self.chain, value)
            || on_read::is_applied_on_read(&self.chain, &self.stored, value)
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
            Operation::MaxPool(pool) => (PlannedKind::MaxPool, pool.window, input(self), None),
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
            #[expect(unreachable_patterns, reason = "an operation without a kernel needs no line here")]
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
    fn source(&self, value: Value) -> Source {
        on_read::source(&self.chain, &self.stored, value)
    }

    /// The value of the program that holds `value`.
    fn value(&self, value: Value) -> usize {
        self.stored[value.index()].expect("what is read was computed before")
    }
}

#[cfg(test)]
mod tests {
    //! What one file's rule does is tested in that file; here is what all of them share.

    use graph::{Builder, Normalisation, Parameter, Role};

    use super::*;

    /// A builder whose parameters need no names.
    pub(super) struct Net {
        pub(super) on: Builder,
        count: usize,
    }

    impl Net {
        /// After a stem of 8 channels.
        pub(super) fn new() -> (Self, Value) {
            let (on, image) = Builder::new(3);
            let mut net = Self { on, count: 0 };
            let x = net.conv(3, 8, 1, Window::PIXEL, image);
            (net, x)
        }

        fn key(&mut self) -> String {
            self.count += 1;
            format!("p{}", self.count)
        }

        pub(super) fn conv(
            &mut self,
            from: usize,
            to: usize,
            groups: usize,
            window: Window,
            x: Value,
        ) -> Value {
            let [height, width] = window.kernel;
            let shape = [to, from / groups, height, width];
            let kernel = Parameter::new(self.key(), Role::Conv { fan_in: 1 }, shape);
            self.on.convolution(window, groups, kernel, None, x)
        }

        pub(super) fn pixel(&mut self, x: Value) -> Value {
            self.conv(8, 8, 1, Window::PIXEL, x)
        }

        pub(super) fn depthwise(&mut self, x: Value) -> Value {
            self.conv(8, 8, 8, Window { kernel: [3; 2], ..Window::PIXEL }, x)
        }

        pub(super) fn norm(&mut self, x: Value) -> Value {
            let [gamma, beta, mean, variance] = [Role::Gamma, Role::Beta, Role::Mean, Role::Variance]
                .map(|role| Parameter::new(self.key(), role, [8]));
            self.on.batch_norm(Normalisation { gamma, beta, mean, variance, epsilon: 1e-3 }, x)
        }

        /// The steps of the network that puts out classes of `x`.
        pub(super) fn steps(mut self, x: Value) -> Vec<String> {
            let x = self.on.global_average_pool(x);
            let x = self.on.linear(Parameter::new("fc", Role::Linear { fan_in: 8 }, [8, 4]), None, x);
            Lowering::of(&self.on.finish(x)).unwrap().described()
        }
    }

    #[test]
    fn what_has_no_kernel_is_refused_with_its_place() {
        let refusal = |build: fn(&mut Net, Value) -> Value| {
            let (mut net, x) = Net::new();
            let x = build(&mut net, x);
            let x = net.on.global_average_pool(x);
            let x = net.on.linear(Parameter::new("fc", Role::Linear { fan_in: 8 }, [8, 4]), None, x);
            Lowering::of(&net.on.finish(x)).unwrap_err().to_string()
        };
        let grouped = refusal(|net, x| net.conv(8, 8, 2, Window::PIXEL, x));
        assert_eq!(grouped, "p2: convolutions of 2 groups on 8 channels have no kernel");
        assert_eq!(
            refusal(|net, x| net.conv(7, 8, 1, Window::PIXEL, x)),
            "p2: 8 channels come in where 7 belong"
        );
        let again = "the image is read by something other than one convolution without groups";
        assert_eq!(refusal(|net, _| net.conv(3, 8, 1, Window::PIXEL, Value::IMAGE)), again);
        assert_eq!(refusal(|net, _| net.on.relu(Value::IMAGE)), again);
        let flat = refusal(|net, x| {
            let x = net.on.global_average_pool(x);
            net.pixel(x)
        });
        assert_eq!(flat, "p2: convolution has no kernel there");
        let still = refusal(|net, x| net.on.max_pool(Window { stride: [0, 1], ..Window::PIXEL }, x));
        assert!(still.ends_with("slides over no map"), "{still}");
        let ceil = refusal(|net, x| {
            net.on.push(graph::operations::MaxPool { window: Window::PIXEL, ceil_mode: true }, &[x])
        });
        assert_eq!(ceil, "operation 2: pooling that rounds sizes up has no kernel");
    }
}
