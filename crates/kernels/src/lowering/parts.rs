//! What of a network the kernels lack is cut out of it: a node that has no kernel must not send all others elsewhere. That takes the
//! size of the image, because values that cross the border have their shapes' order there.

use graph::{Cut, Graph, Operation, Part, Shape, Value};

use super::check::check_each;
use super::held::{Form, Sized};
use super::{Lowering, Unsupported};
use crate::elsewhere::{Channels, Held};

/// How much of a network is computed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    /// Operations of the network, constants and the image not among them.
    pub operations: usize,
    /// Those of them that are computed elsewhere.
    pub elsewhere: usize,
    /// Names of these, each once, those that there are most of first.
    pub names: Vec<&'static str>,
}

impl Lowering {
    /// Decides the steps of `graph` for images of the height and width `image`, without those operations that the kernels lack:
    /// [`Lowering::parts`] says which these are, and [`Lowering::load_in_parts`] who computes them.
    ///
    /// # Errors
    /// [`Unsupported`] where so much is lacking that nothing of weight is left, and of networks of integers, which are not cut.
    pub fn in_parts(graph: &Graph, image: [usize; 2]) -> Result<Self, Unsupported> {
        let graph = graph.fold_norms();
        let is_empty = |shape: &Shape| shape.axes().contains(&0);
        let shapes = match graph.shapes(&Shape::map(graph.image_channels(), image)) {
            Ok(shapes) if !shapes.iter().any(is_empty) => shapes,
            // Nothing can be cut; that such an image does not fit is said where it is given.
            _ => return Self::plan(graph, Vec::new(), None),
        };
        let sized = Sized::of(&graph, image, shapes);
        let (lacking, reason) = lacking(&graph, &sized);
        let Some(reason) = reason else { return Self::plan(graph, Vec::new(), Some(sized)) };
        let is_weighty =
            |operation: &Operation| matches!(operation, Operation::Convolution(_) | Operation::Linear(_));
        let is_integer = |operation: &Operation| matches!(operation, Operation::IntegerProduct(_));
        let is_left = |(node, lacks): (&graph::Node, &bool)| !lacks && is_weighty(&node.operation);
        if !graph.nodes().iter().zip(&lacking).any(is_left)
            || graph.nodes().iter().any(|node| is_integer(&node.operation))
        {
            return Err(reason);
        }
        let Sized { shapes, comes_last, .. } = &sized;
        let Cut { graph, parts, of } = graph.cut(shapes, &lacking);
        let sized = Sized {
            image,
            shapes: of.iter().map(|value| shapes[value.index()].clone()).collect(),
            comes_last: of.iter().map(|value| comes_last[value.index()]).collect(),
        };
        Self::plan(graph, parts, Some(sized))
    }

    /// The parts that are computed elsewhere, in the order in which they are.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// How much of the network is computed elsewhere; none where nothing is.
    pub fn shares(&self) -> Option<Shares> {
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for name in self.parts.iter().flat_map(Part::operations) {
            match counts.iter_mut().find(|(other, _)| *other == name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name, 1)),
            }
        }
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let elsewhere = counts.iter().map(|&(_, count)| count).sum();
        let is_computed = |node: &&graph::Node| {
            !matches!(node.operation, Operation::Image(_) | Operation::Constant(_) | Operation::Given(_))
        };
        let here = self.graph.nodes().iter().filter(is_computed).count();
        (elsewhere > 0).then(|| Shares {
            operations: here + elsewhere,
            elsewhere,
            names: counts.into_iter().map(|(name, _)| name).collect(),
        })
    }
}

/// Which operations are computed elsewhere: those that have no kernel, and what stands between two of these alone and is no
/// multiplication of matrices, since a value that crosses the border costs more than it. And the first that has no kernel.
fn lacking(graph: &Graph, sized: &Sized) -> (Vec<bool>, Option<Unsupported>) {
    let found = check_each(graph, sized);
    let mut lacking: Vec<bool> = found.iter().map(Option::is_some).collect();
    let first = found.into_iter().flatten().next();
    let nodes = graph.nodes();
    let is_light = |value: Value| {
        !matches!(
            nodes[value.index()].operation,
            Operation::Image(_) | Operation::Constant(_) | Operation::Convolution(_) | Operation::Linear(_)
        )
    };
    let is_constant = |value: Value| matches!(nodes[value.index()].operation, Operation::Constant(_));
    let mut readers = vec![Vec::new(); nodes.len()];
    let mut after = lacking.clone();
    for value in graph.values() {
        let inputs = &nodes[value.index()].inputs;
        inputs.iter().for_each(|input| readers[input.index()].push(value));
        let mut computed = inputs.iter().filter(|&&input| !is_constant(input)).peekable();
        let is_after = computed.peek().is_some() && computed.all(|input| after[input.index()]);
        after[value.index()] |= is_light(value) && is_after;
    }
    let mut before = lacking.clone();
    for value in graph.values().collect::<Vec<_>>().into_iter().rev() {
        let readers = &readers[value.index()];
        let is_before = value != graph.output()
            && !readers.is_empty()
            && readers.iter().all(|reader| before[reader.index()]);
        before[value.index()] |= is_light(value) && is_before;
    }
    lacking.iter_mut().zip(after).zip(before).for_each(|((lacks, after), before)| *lacks |= after && before);
    (lacking, first)
}

/// A value of `shape`, which the kernels hold in `form`, as pixels of channels.
pub(super) fn as_pixels(form: Form, shape: &Shape) -> Held {
    match (form, shape.axes()) {
        (Form::Map, &[width, height, columns]) => {
            Held { size: [height, columns], width, channels: Channels::First }
        }
        (Form::Last, &[height, columns, width]) => {
            Held { size: [height, columns], width, channels: Channels::Last }
        }
        (Form::Flat { pixels }, axes) => {
            let width = axes.iter().product::<usize>() / pixels.max(1);
            Held { size: [1, pixels], width, channels: Channels::First }
        }
        (Form::Rows, &[ref rows @ .., width]) => {
            Held { size: [rows.iter().product(), 1], width, channels: Channels::Last }
        }
        (_, axes) => Held { size: [1, 1], width: axes.iter().product(), channels: Channels::Last },
    }
}

#[cfg(test)]
mod tests {
    use graph::operations::Softmax;
    use graph::{Parameter, Role, Window};

    use super::super::tests::Net;
    use super::*;

    fn end(mut net: Net, x: Value) -> Graph {
        let x = net.on.global_average_pool(x);
        let x = net.on.linear(Parameter::new("fc", Role::Linear { fan_in: 8 }, [8, 4]), None, x);
        net.on.finish(x)
    }

    #[test]
    fn an_operation_without_a_kernel_is_a_part_of_its_own() {
        let (mut net, x) = Net::new();
        let x = net.pixel(x);
        let x = net.on.push(Softmax { axis: 0, log: false }, &[x]);
        let x = net.on.relu(x);
        let x = net.on.push(Softmax { axis: 1, log: false }, &[x]);
        let x = net.pixel(x);
        let graph = end(net, x);
        assert!(Lowering::of(&graph).is_err());
        let lowering = Lowering::in_parts(&graph, [5, 4]).unwrap();
        assert_eq!(lowering.parts().len(), 1, "a ReLU between two is theirs");
        let shares = lowering.shares().unwrap();
        assert_eq!((shares.operations, shares.elsewhere), (8, 3));
        assert_eq!(shares.names, ["softmax", "ReLU"]);
        let steps = lowering.described();
        assert!(steps[2].starts_with("Call") && steps[3].starts_with("Move(Unpacked"), "{steps:#?}");
    }

    #[test]
    fn what_has_kernels_is_not_cut() {
        let (mut net, x) = Net::new();
        let x = net.pixel(x);
        let graph = end(net, x);
        let lowering = Lowering::in_parts(&graph, [5, 4]).unwrap();
        assert_eq!((lowering.shares(), lowering.parts().len()), (None, 0));
    }

    #[test]
    fn a_network_of_which_nothing_of_weight_has_a_kernel_is_not_cut() {
        let (mut on, x) = graph::Builder::new(3);
        let x = on.push(Softmax { axis: 0, log: false }, &[x]);
        let x = on.max_pool(Window::PIXEL, x);
        let x = on.global_average_pool(x);
        let refused = Lowering::in_parts(&on.finish(x), [5, 4]).unwrap_err();
        assert!(matches!(refused, Unsupported::Operation { operation: "softmax", .. }), "{refused}");
    }
}
