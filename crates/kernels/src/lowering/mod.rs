//! A graph lowered to a program in two passes: which steps there are, the fewest passes over memory, is decided from the
//! structure alone; then the weights are read and packed, a layer at a time.
//!
//! The rules of fusion, a file each, of which each saves the reading and writing of a feature map:
//! * [`separable`]: a depthwise convolution that only a 1x1 convolution reads is computed while that one's multiplicands are
//!   laid out;
//! * [`epilogue`]: what follows an operation and reads nothing else is done before its result is stored;
//! * [`on_read`]: an activation that only convolutions read is applied where they read;
//! * [`gated`]: a factor a channel that only a 1x1 convolution reads is applied while its multiplicands are laid out;
//! * [`frame`]: zeros around a map are read by the max-pool after them as it pools;
//! * [`groups`]: a convolution of groups becomes convolutions of some of them at a time;
//! * [`tail`]: the last layers are computed of all images at once;
//! * [`head`]: the mean over all pixels and the fully connected layer after it.
//! * [`view`]: reshapes, transpositions and slices after one another are one rearrangement of elements.
//!
//! What has no kernel is cut out before, where that is asked for ([`parts`]).

mod chain;
mod check;
mod constants;
mod epilogue;
mod frame;
mod gated;
mod groups;
mod head;
mod held;
mod load;
mod on_read;
mod parts;
mod planner;
mod rows;
mod separable;
mod tail;
mod view;

use std::collections::BTreeMap;
use std::ops::Range;

use graph::{Activation, Graph, Part, Shape, Value, Window};
use thiserror::Error;

use check::{Checked, check};
use epilogue::PlannedFinish;
use head::Head;
use held::{Form, Sized};
use planner::Planner;

use crate::activation::OnRead;
use crate::elsewhere::Held;
use crate::gathered::Gathered;
use crate::moves::Move;
use crate::product::Matrices;
pub use load::LoadError;
pub use parts::Shares;

/// What of a network these kernels lack; Burn's own operations have it.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum Unsupported {
    /// Groups that do not divide the channels.
    #[error("{at}: {channels} channels cannot be divided into {groups} groups")]
    Groups {
        /// Which convolution.
        at: String,
        /// Groups asked for.
        groups: usize,
        /// Input channels.
        channels: usize,
    },
    /// The output's size is rounded up, and padding counts.
    #[error("{at}: average pooling that counts padding and rounds sizes up has no kernel")]
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
    /// What is cut out of it.
    parts: Vec<Part>,
    /// Shapes and forms of values to which numbers that are known are repeated.
    maps: BTreeMap<Value, (Shape, Form)>,
    /// Height and width of the only images that the steps can be run on, where they are not for all.
    image: Option<[usize; 2]>,
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

impl PlannedEnd {
    /// How many of the last steps are computed of all images at once.
    fn tail(&self, steps: &[PlannedStep]) -> usize {
        match *self {
            Self::Head { .. } => 0,
            Self::Value { value, .. } => tail::len(steps, value),
        }
    }
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

impl PlannedStep {
    /// Whether its result has one size, whatever the image's.
    fn has_a_size(&self) -> bool {
        matches!(
            self.kind,
            PlannedKind::Product { .. }
                | PlannedKind::Gathered(_)
                | PlannedKind::Known { .. }
                | PlannedKind::Renamed(_)
                | PlannedKind::Call { .. }
        ) || self.epilogue.iter().any(|finish| matches!(finish, PlannedFinish::ConstantMap { .. }))
    }
}

/// What a step computes.
#[derive(Debug, Clone, PartialEq)]
enum PlannedKind {
    /// A convolution over all channels, whose rows are windows of the input; pixels times this value of the program, where there is one.
    Dense { convolution: Value, gate: Option<usize> },
    /// A convolution of one channel each.
    Depthwise { convolution: Value },
    /// Some groups of a convolution, of their channels alone.
    Groups { convolution: Value, groups: Range<usize> },
    /// A convolution of groups whose sets are whole blocks of channels.
    Grouped { convolution: Value },
    /// A depthwise convolution and the 1x1 convolution after it, with what is between them.
    Separable { depthwise: Value, between: Option<Activation>, pointwise: Value },
    /// Max-pooling; `of_zeros_too` where padding is zeros that take part.
    MaxPool { of_zeros_too: bool, ceil_mode: bool },
    /// The mean of each window; `count_padding` where zeros around the map take part.
    AveragePool { count_padding: bool, ceil_mode: bool },
    /// The mean over all pixels: a map of one pixel.
    Average,
    /// A fully connected layer of a map of so many pixels, which is a convolution whose window is the map.
    Linear { linear: Value, pixels: usize },
    /// Nothing: elements are put elsewhere.
    Move(Move),
    /// Each pixel's channels less their mean, over their deviation.
    LayerNorm { epsilon: f64 },
    /// The epilogue alone.
    Epilogue,
    /// Products of matrices: those of the input times those of another value of the program.
    Product { other: (usize, Held), matrices: Matrices, size: [usize; 2] },
    /// Of each pixel's channels the exponentials over their sum.
    Softmax,
    /// Elements of values in another order.
    Gathered(Gathered),
    /// Numbers that are known, as a value of the program.
    Known { constant: Value, held: Held },
    /// Nothing: the same elements are another number of pixels high and wide.
    Renamed([usize; 2]),
    /// A part that is computed elsewhere, of these values of the program.
    Call { part: usize, reads: Vec<(usize, Held)> },
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
        Self::plan(graph.fold_norms(), Vec::new(), None)
    }

    /// The steps of a graph whose normalisations are folded, of which `parts` are cut out, and of whose values this is known.
    fn plan(graph: Graph, parts: Vec<Part>, sized: Option<Sized>) -> Result<Self, Unsupported> {
        let checked = check(&graph, sized.as_ref())?;
        let image = sized.as_ref().map(|sized| sized.image);
        let shapes = sized.map(|sized| sized.shapes);
        let Checked { held, .. } = &checked;
        let output = graph.output();
        let head = head::find(&graph).filter(|head| held[head.pool.index()].form == Form::Vector);
        let mut planner = Planner::new(&graph, &checked, shapes.as_deref(), &parts);
        for value in graph.values().take_while(|&value| head.is_none_or(|head| value != head.pool)) {
            planner.emit(value)?;
        }
        planner.need(head.map_or(output, |head| head.features))?;
        let end = match head {
            Some(head) => PlannedEnd::Head { head, features: planner.source(head.features) },
            None => PlannedEnd::Value { value: planner.value(output), classes: held[output.index()].width },
        };
        let steps = planner.into_steps();
        let like = steps.iter().flat_map(|step| &step.epilogue).filter_map(|finish| match *finish {
            PlannedFinish::ConstantMap { like, .. } => Some(like),
            _ => None,
        });
        let of = |value: Value| {
            Some((value, (shapes.as_ref()?[value.index()].clone(), checked.held[value.index()].form)))
        };
        let maps = like.filter_map(of).collect();
        let image = image.filter(|_| steps.iter().any(PlannedStep::has_a_size));
        Ok(Self { graph, parts, maps, image, steps, end })
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
        let grouped = refusal(|net, x| net.conv(6, 8, 3, Window::PIXEL, x));
        assert_eq!(grouped, "p2: 8 channels cannot be divided into 3 groups");
        assert_eq!(
            refusal(|net, x| net.conv(7, 8, 1, Window::PIXEL, x)),
            "p2: 8 channels come in where 7 belong"
        );
        let flat = refusal(|net, x| {
            let x = net.on.global_average_pool(x);
            net.pixel(x)
        });
        assert_eq!(flat, "p2: convolution has no kernel there");
        let last = refusal(|net, x| {
            let x = net.on.push(graph::operations::Transpose { axes: vec![1, 2, 0] }, &[x]);
            net.norm(x)
        });
        assert_eq!(last, "p2: batch normalisation has no kernel there");
        let still = refusal(|net, x| net.on.max_pool(Window { stride: [0, 1], ..Window::PIXEL }, x));
        assert!(still.ends_with("slides over no map"), "{still}");
        let ceil = refusal(|net, x| {
            let window = Window { padding: graph::Padding::Explicit([1; 4]), ..Window::PIXEL };
            net.on.push(graph::operations::AveragePool { window, ceil_mode: true, count_padding: true }, &[x])
        });
        assert_eq!(
            ceil,
            "operation 2: average pooling that counts padding and rounds sizes up has no kernel"
        );
    }
}
