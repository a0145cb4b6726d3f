//! A factor a channel that only a 1x1 convolution reads, as after squeeze and excite: the map is multiplied while the convolution's rows
//! are laid out, and the product is no pass over memory.

use graph::operations::Binary;
use graph::{Operation, Value, Window};

use super::chain::Chain;
use super::held::{Form, Held};
use super::separable;

/// A map and the value of one pixel that it is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gated {
    pub(super) map: Value,
    pub(super) gate: Value,
}

/// What `value` is the product of, where the convolution that reads it computes it on the way.
pub(super) fn on_the_way(
    chain: &Chain<'_>,
    held: &[Held],
    stored: &[Option<usize>],
    value: Value,
) -> Option<Gated> {
    let node = chain.graph().node(value);
    if stored[value.index()].is_some() || !matches!(node.operation, Operation::Binary(Binary::Mul)) {
        return None;
    }
    let reader = chain.only_reader(value)?;
    let convolution = chain.convolution(reader)?;
    let forms = |&[a, b]: &[Value; 2]| [held[a.index()].form, held[b.index()].form];
    let inputs: [Value; 2] = node.inputs[..].try_into().ok()?;
    let [map, gate] = match forms(&inputs) {
        [Form::Map, Form::Pixel] => inputs,
        [Form::Pixel, Form::Map] => [inputs[1], inputs[0]],
        _ => return None,
    };
    let is_of_pixels = convolution.groups == 1 && convolution.window == Window::PIXEL;
    (is_of_pixels && separable::depthwise_before(chain, reader).is_none()).then_some(Gated { map, gate })
}

#[cfg(test)]
mod tests {
    use graph::Shape;
    use graph::operations::Reshape;

    use super::super::tests::Net;
    use super::*;

    #[test]
    fn a_gate_is_applied_where_a_1x1_convolution_reads() {
        let (mut net, x) = Net::new();
        let x = net.depthwise(x);
        let gate = net.on.global_average_pool(x);
        let gate = net.on.push(Reshape { shape: Shape::map(8, [1, 1]) }, &[gate]);
        let y = net.on.push(Binary::Mul, &[x, gate]);
        let y = net.pixel(y);
        let steps = net.steps(y);
        assert!(steps[3].contains("gate: Some(3)") && steps[3].contains("value: 2"), "{steps:#?}");
        assert_eq!(steps.len(), 4, "{steps:#?}");
    }
}
