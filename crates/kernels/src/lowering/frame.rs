//! A frame of zeros that only a max-pool reads is the pool's: its windows take the zeros for pixels, and the frame is no pass over
//! memory. Keras puts one before the pool of ResNet's stem.

use graph::operations::PadWith;
use graph::{Operation, Padding, Value, Window};

use super::chain::Chain;

/// Whether `value` is a frame that the max-pool after it brings along.
pub(super) fn is_the_pools(chain: &Chain<'_>, value: Value) -> bool {
    chain.only_reader(value).is_some_and(|reader| before(chain, reader).is_some())
}

/// What the max-pool `value` is of where a frame comes before it, and its window, which has the frame for its padding.
pub(super) fn before(chain: &Chain<'_>, value: Value) -> Option<(Value, Window)> {
    let node = chain.graph().node(value);
    let Operation::MaxPool(pool) = &node.operation else { return None };
    let framed = node.inputs[0];
    let Operation::Pad(pad) = &chain.graph().node(framed).operation else { return None };
    let [[0, 0], [top, bottom], [left, right]] = pad.widths[..] else { return None };
    // A number that is 0 adds nothing to what a window of the pool reads but zeros.
    let of_zeros = pad.with == PadWith::Constant(0.0);
    if !of_zeros
        || pool.window.padding != Padding::Explicit([0; 4])
        || pool.ceil_mode
        || chain.only_reader(framed) != Some(value)
    {
        return None;
    }
    let window = Window { padding: Padding::Explicit([top, left, bottom, right]), ..pool.window };
    Some((chain.graph().node(framed).inputs[0], window))
}

#[cfg(test)]
mod tests {
    use graph::operations::Pad;

    use super::super::tests::Net;
    use super::super::{Lowering, Unsupported};
    use super::*;

    fn framed(net: &mut Net, with: f32, x: Value) -> Value {
        net.on.push(Pad { widths: vec![[0, 0], [1, 1], [2, 0]], with: PadWith::Constant(with) }, &[x])
    }

    #[test]
    fn a_frame_of_zeros_before_a_pool_is_the_pools() {
        let (mut net, x) = Net::new();
        let x = framed(&mut net, 0.0, x);
        let x = net.on.max_pool(Window { kernel: [3; 2], ..Window::PIXEL }, x);
        let steps = net.steps(x);
        assert_eq!(steps.len(), 2, "{steps:#?}");
        assert!(
            steps[1].starts_with("MaxPool { of_zeros_too: true, ceil_mode: false } of Source { value: 1,"),
            "{steps:#?}"
        );
    }

    #[test]
    fn another_frame_is_a_step_or_has_no_kernel() {
        let pool = |net: &mut Net, x| net.on.max_pool(Window { kernel: [3; 2], ..Window::PIXEL }, x);
        let (mut net, x) = Net::new();
        let x = framed(&mut net, 0.0, x);
        let pooled = pool(&mut net, x);
        let again = pool(&mut net, x);
        let x = net.on.add(pooled, again);
        let steps = net.steps(x);
        assert!(
            steps[1].starts_with("Move(Pixels(") && steps[2].contains("of_zeros_too: false"),
            "{steps:#?}"
        );
        let (mut net, x) = Net::new();
        let x = framed(&mut net, 1.0, x);
        let x = pool(&mut net, x);
        let x = net.on.global_average_pool(x);
        let fc = graph::Parameter::new("fc", graph::Role::Linear { fan_in: 8 }, [8, 4]);
        let x = net.on.linear(fc, None, x);
        let refused = Lowering::of(&net.on.finish(x)).unwrap_err();
        assert!(matches!(refused, Unsupported::Operation { operation: "padding", .. }), "{refused}");
    }
}
