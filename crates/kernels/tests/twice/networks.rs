//! Networks of the shapes that fusion treats differently.

use graph::operations::{Binary, PadWith, Unary};
use graph::{Activation, Padding, Window};

use super::{Pair, Twice, UNARY};

pub(crate) fn window(kernel: usize, stride: usize, dilation: usize, pad: usize) -> Window {
    Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [dilation; 2],
        padding: Padding::Explicit([pad; 4]),
    }
}

pub(crate) const SAME: Window =
    Window { kernel: [3; 2], stride: [2; 2], dilation: [1; 2], padding: Padding::Same };

/// A network's body, from the image to the features.
pub(crate) type Body = fn(&mut Twice, Pair) -> Pair;

pub(crate) const NETWORKS: &[(&str, Body)] = &[
    ("stem", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 5, 1, &x);
        let x = on.relu(&x);
        on.conv(window(3, 1, 1, 0), 33, 1, &x)
    }),
    ("attention between convolutions, of heads of an odd depth", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 21, 1, &x);
        let x = on.attention([3, 5], &x);
        on.conv(window(3, 1, 1, 1), 33, 1, &x)
    }),
    ("attention after attention", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 33, 1, &x);
        let x = on.attention([1, 32], &x);
        let x = on.relu(&x);
        on.attention([2, 20], &x)
    }),
    ("separable, ReLU before and after", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 17, 1, &x);
        let shortcut = on.conv(window(1, 2, 1, 0), 35, 1, &x);
        let x = on.relu(&x);
        let x = on.depthwise(window(3, 1, 1, 1), &x);
        let x = on.pixel(50, &x);
        let x = on.relu(&x);
        let x = on.depthwise(window(3, 1, 1, 1), &x);
        let x = on.pixel(35, &x);
        let x = on.max_pool(window(3, 2, 1, 1), &x);
        on.add(&x, &shortcut)
    }),
    ("the shortcut after the pool, padded as TensorFlow does", |on, x| {
        let x = on.conv(window(3, 1, 1, 0), 20, 1, &x);
        let y = on.depthwise(window(3, 1, 1, 1), &x);
        let y = on.pixel(40, &y);
        let y = on.max_pool(SAME, &y);
        let shortcut = on.conv(Window { kernel: [1; 2], ..SAME }, 40, 1, &x);
        let x = on.add(&y, &shortcut);
        on.relu(&x)
    }),
    ("strides and dilation in the depthwise convolution, ReLU between", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 16, 1, &x);
        let x = on.depthwise(window(3, 2, 1, 1), &x);
        let x = on.relu(&x);
        let x = on.pixel(48, &x);
        let x = on.depthwise(window(3, 1, 2, 2), &x);
        let x = on.pixel(31, &x);
        on.relu(&x)
    }),
    ("pointwise before depthwise, residual", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 24, 1, &x);
        let mut y = x.clone();
        for _ in 0..3 {
            y = on.relu(&y);
            y = on.pixel(24, &y);
            y = on.depthwise(window(3, 1, 1, 1), &y);
        }
        on.add(&x, &y)
    }),
    ("normalisation and ReLU first, read twice", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 18, 1, &x);
        let x = on.affine(&x);
        let x = on.relu(&x);
        let y = on.depthwise(window(3, 1, 1, 1), &x);
        let y = on.pixel(18, &y);
        let y = on.affine(&y);
        let y = on.relu(&y);
        let y = on.depthwise(window(3, 1, 1, 1), &y);
        let y = on.pixel(18, &y);
        let x = on.add(&y, &x);
        let x = on.affine(&x);
        on.relu(&x)
    }),
    (
        "every activation in every place: on the image's convolution, between, after a sum, stored alone, before the mean",
        |on, x| {
            let mut x = on.conv(window(3, 1, 1, 1), 24, 1, &x);
            for activation in Activation::ALL {
                // Wide enough that six is reached.
                let wide = on.affine(&x);
                let y = on.activation(activation, &wide);
                let y = on.depthwise(window(3, 1, 1, 1), &y);
                let y = on.activation(activation, &y);
                let y = on.pixel(24, &y);
                let y = on.add(&y, &x);
                let y = on.activation(activation, &y);
                // Read twice, of which one is no convolution.
                let z = on.activation(activation, &wide);
                let z = on.add(&z, &y);
                let pooled = on.max_pool(window(3, 1, 1, 1), &z);
                let z = on.activation(activation, &pooled);
                x = on.add(&z, &pooled);
                x = on.activation(activation, &x);
            }
            on.activation(Activation::HardSwish, &x)
        },
    ),
    ("activation before the sum", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 24, 1, &x);
        let y = on.pixel(24, &x);
        let y = on.activation(Activation::Relu6, &y);
        let y = on.add(&y, &x);
        let z = on.depthwise(window(3, 1, 1, 1), &y);
        let z = on.activation(Activation::HardSwish, &z);
        on.add(&y, &z)
    }),
    ("pools of many taps, of which the last may be padding", |on, x| {
        // 9x9 become 6x6, of which the last window has 9 pixels and then 7 of padding.
        let x = on.conv(window(4, 1, 1, 0), 18, 1, &x);
        let y = on.max_pool(window(4, 4, 1, 1), &x);
        on.pixel(7, &y)
    }),
    ("overlapping pools of many taps", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 18, 1, &x);
        let x = on.max_pool(window(5, 2, 1, 2), &x);
        on.pixel(9, &x)
    }),
    ("an image of many channels' padding", |on, x| {
        let wide = Window { kernel: [7, 7], padding: Padding::Explicit([3; 4]), ..Window::PIXEL };
        let x = on.conv(wide, 2, 1, &x);
        on.max_pool(window(6, 6, 1, 1), &x)
    }),
    ("residual blocks of dense convolutions, ReLU after the sum", |on, x| {
        let x = on.conv(window(7, 2, 1, 3), 33, 1, &x);
        let x = on.relu(&x);
        let x = on.max_pool(window(3, 2, 1, 1), &x);
        let y = on.conv(window(3, 1, 1, 1), 33, 1, &x);
        let y = on.relu(&y);
        let y = on.conv(window(3, 1, 1, 1), 33, 1, &y);
        let x = on.add(&y, &x);
        let x = on.relu(&x);
        let shortcut = on.conv(window(1, 2, 1, 0), 50, 1, &x);
        let y = on.conv(window(3, 2, 1, 1), 50, 1, &x);
        let y = on.relu(&y);
        let y = on.conv(window(3, 1, 1, 1), 50, 1, &y);
        let x = on.add(&y, &shortcut);
        on.relu(&x)
    }),
    ("a shortcut by average pooling, of windows that end beyond the map too, and a sum of pools", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 34, 1, &x);
        let x = on.relu(&x);
        let pooled = on.average_pool(Window { kernel: [2; 2], ..SAME }, &x);
        let shortcut = on.pixel(51, &pooled);
        let y = on.conv(window(3, 2, 1, 1), 51, 1, &x);
        let x = on.add(&y, &shortcut);
        let x = on.relu(&x);
        let wide = on.average_pool(
            Window { kernel: [4, 3], padding: Padding::Explicit([2, 0, 1, 2]), ..Window::PIXEL },
            &x,
        );
        let again = on.average_pool(
            Window { kernel: [4, 3], padding: Padding::Explicit([2, 0, 1, 2]), ..Window::PIXEL },
            &wide,
        );
        let sum = on.add(&again, &wide);
        on.activation(Activation::HardSwish, &sum)
    }),
    (
        "a pool of a frame of zeros; normalisation and ReLU first, a strided pool of one pixel beside them",
        |on, x| {
            let x = on.conv(window(7, 2, 1, 3), 20, 1, &x);
            // Some of its elements are below zero, also at its edges.
            let x = on.max_pool_of_frame(1, window(3, 1, 1, 0), &x);
            let y = on.affine(&x);
            let y = on.relu(&y);
            let shortcut = on.max_pool(window(1, 2, 1, 0), &x);
            let y = on.conv(window(1, 1, 1, 0), 9, 1, &y);
            let y = on.affine(&y);
            let y = on.relu(&y);
            let y = on.conv(window(3, 2, 1, 1), 20, 1, &y);
            let x = on.add(&shortcut, &y);
            let x = on.affine(&x);
            on.relu(&x)
        },
    ),
    (
        "convolutions of groups: of few channels, of more than a block, of one channel that becomes three",
        |on, x| {
            let x = on.conv(window(3, 1, 1, 1), 24, 1, &x);
            let x = on.relu(&x);
            let x = on.conv(window(3, 1, 1, 1), 36, 6, &x);
            let x = on.relu(&x);
            let y = on.conv(window(3, 2, 1, 1), 40, 2, &x);
            let shortcut = on.conv(window(1, 2, 1, 0), 40, 1, &x);
            let x = on.add(&y, &shortcut);
            on.conv(window(3, 1, 1, 1), 120, 40, &x)
        },
    ),
    (
        "convolutions of groups that are whole blocks of channels together: the last set smaller, of one group each, of pixels",
        |on, x| {
            let x = on.conv(window(3, 2, 1, 1), 40, 1, &x);
            let y = on.relu(&x);
            let y = on.conv(window(3, 1, 1, 1), 40, 20, &y);
            let x = on.add(&x, &y);
            let x = on.relu(&x);
            let x = on.conv(window(1, 1, 1, 0), 48, 1, &x);
            let x = on.conv(window(3, 1, 2, 2), 96, 3, &x);
            let x = on.affine(&x);
            let x = on.relu(&x);
            on.conv(window(1, 1, 1, 0), 96, 24, &x)
        },
    ),
    ("channels put together, cut apart and shuffled", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 21, 1, &x);
        let x = on.relu(&x);
        let y = on.pixel(10, &x);
        let all = on.concat(&[&x, &y, &x]);
        let all = on.affine(&all);
        let all = on.relu(&all);
        let odd = on.channels((0..52).filter(|at| at % 2 == 1).collect(), &all);
        let some = on.channels((7..33).collect(), &all);
        let sum = on.add(&odd, &some);
        let z = on.depthwise(window(3, 1, 1, 1), &sum);
        on.concat(&[&z, &y])
    }),
    ("a gate of every kind, which is computed of the map", |on, x| {
        let mut x = on.conv(window(3, 2, 1, 1), 24, 1, &x);
        for function in UNARY {
            let x2 = on.affine(&x);
            let y = on.unary(function, &x2);
            let gate = on.pooled(&y);
            let gate = on.pixel(6, &gate);
            let gate = on.relu(&gate);
            let gate = on.pixel(24, &gate);
            let gate = on.unary(Unary::Sigmoid, &gate);
            let y = on.binary(Binary::Mul, &gate, &y);
            x = on.binary(Binary::Mul, &y, &x);
            x = on.binary(Binary::Add, &x, &gate);
        }
        x
    }),
    ("a gate that a 1x1 convolution reads", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 40, 1, &x);
        let y = on.depthwise(window(5, 1, 1, 2), &x);
        let y = on.activation(Activation::HardSwish, &y);
        let gate = on.pooled(&y);
        let gate = on.pixel(40, &gate);
        let gate = on.unary(Unary::Sigmoid, &gate);
        let y = on.binary(Binary::Mul, &y, &gate);
        let y = on.pixel(40, &y);
        on.add(&y, &x)
    }),
    ("numbers that are known", |on, x| {
        let x = on.scaled(&x);
        let y = on.conv(window(3, 1, 1, 1), 20, 1, &x);
        let mut z = on.max_pool(window(3, 1, 1, 1), &y);
        for function in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div] {
            for channels in [1, 20] {
                z = on.with_constant(function, channels, false, &z);
            }
        }
        let z = on.with_constant(Binary::Sub, 20, true, &z);
        let z = on.with_constant(Binary::Sub, 1, true, &z);
        let z = on.unary(Unary::Tanh, &z);
        on.with_constant(Binary::Mul, 1, true, &z)
    }),
    ("pools whose sizes are rounded up, and that count padding; the image pooled", |on, x| {
        let y = on.average_pool(window(2, 1, 1, 0), &x);
        let y = on.conv(window(3, 1, 1, 1), 19, 1, &y);
        let a = on.pool(true, false, false, window(3, 2, 1, 1), &y);
        let b = on.pool(false, true, false, window(3, 2, 1, 1), &y);
        let c = on.pool(false, true, true, window(2, 2, 1, 0), &y);
        let d = on.pool(true, false, true, window(2, 2, 1, 0), &y);
        let e = on.pool(false, false, true, window(3, 2, 1, 1), &y);
        let all = on.concat(&[&a, &b]);
        let others = on.concat(&[&c, &d]);
        let all = on.pixel(8, &all);
        let others = on.pixel(8, &others);
        let all = on.concat(&[&all, &others]);
        let e = on.pooled(&e);
        let e = on.pixel(16, &e);
        on.binary(Binary::Mul, &all, &e)
    }),
    ("channels last: layer normalisation and fully connected layers of pixels", |on, x| {
        let x = on.conv(window(4, 4, 1, 1), 21, 1, &x);
        let x = on.channels_last(70, &x);
        let y = on.depthwise(window(3, 1, 1, 1), &x);
        let y = on.channels_last(33, &y);
        on.add(&x, &y)
    }),
    ("frames and pixels from elsewhere", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 20, 1, &x);
        let x = on.framed(PadWith::Reflection, [2, 1, 0, 2], &x);
        let x = on.conv(window(3, 1, 1, 0), 17, 1, &x);
        let x = on.framed(PadWith::Edge, [1, 0, 3, 1], &x);
        let x = on.framed(PadWith::Constant(0.0), [0, 1, 1, 0], &x);
        let x = on.doubled(&x);
        on.conv(window(3, 2, 1, 0), 9, 1, &x)
    }),
    ("nothing to fuse: results read twice, windows that are not square", |on, x| {
        let odd = Window { kernel: [1, 5], padding: Padding::Explicit([0, 1, 0, 2]), ..Window::PIXEL };
        let x = on.conv(odd, 19, 1, &x);
        let y = on.depthwise(Window { kernel: [5, 3], ..Window::PIXEL }, &x);
        let z = on.affine(&y);
        let w = on.relu(&z);
        let sum = on.add(&w, &y);
        let pooled = on.max_pool(window(2, 2, 1, 0), &sum);
        let again = on.max_pool(window(2, 2, 1, 0), &z);
        on.add(&pooled, &again)
    }),
    (
        "pieces of whole blocks beside one that is not, by every kernel that writes there, read again by windows",
        |on, x| {
            let x = on.conv(window(3, 1, 1, 1), 32, 1, &x);
            let a = on.conv(window(3, 1, 1, 1), 16, 1, &x);
            let a = on.unary(UNARY[0], &a);
            let b = on.depthwise(window(3, 1, 1, 1), &x);
            let b = on.relu(&b);
            let c = on.max_pool(window(3, 1, 1, 1), &x);
            let d = on.average_pool(window(3, 1, 1, 1), &x);
            let e = on.conv(window(5, 1, 1, 2), 32, 2, &x);
            let f = on.depthwise(window(3, 1, 1, 1), &x);
            let f = on.pixel(32, &f);
            let g = on.pixel(21, &x);
            // Whole blocks again after two that are none alone.
            let h = on.pixel(20, &x);
            let i = on.pixel(12, &x);
            let j = on.pixel(16, &x);
            let all = on.concat(&[&a, &b, &c, &d, &e, &f, &h, &i, &j, &g]);
            // Each of them once more, where it lies.
            let a = on.depthwise(window(5, 1, 1, 2), &a);
            let b = on.conv(window(3, 2, 1, 1), 32, 2, &b);
            let c = on.max_pool(window(3, 2, 1, 1), &c);
            let d = on.conv(window(3, 1, 1, 1), 24, 1, &d);
            let e = on.average_pool(window(3, 2, 1, 1), &e);
            let gate = on.pooled(&all);
            let all = on.binary(Binary::Mul, &all, &gate);
            let all = on.pixel(24, &all);
            let all = on.add(&all, &d);
            let all = on.max_pool(window(3, 2, 1, 1), &all);
            let a = on.max_pool(window(3, 2, 1, 1), &a);
            on.concat(&[&a, &all, &b, &c, &e])
        },
    ),
    (
        "blocks of a map's channels, read where they are by every window, and put beside each other",
        |on, x| {
            let x = on.conv(window(3, 1, 1, 1), 96, 1, &x);
            let some = |on: &mut Twice, range: std::ops::Range<usize>| on.channels(range.collect(), &x);
            let (a, b, c, d) = (some(on, 0..32), some(on, 16..48), some(on, 48..96), some(on, 8..40));
            let a = on.depthwise(window(3, 1, 1, 1), &a);
            let a = on.pixel(48, &a);
            let b = on.conv(window(3, 1, 1, 1), 16, 1, &b);
            let c = on.conv(window(3, 1, 1, 1), 48, 3, &c);
            let d = on.pixel(16, &d);
            let all = on.concat(&[&a, &b, &c, &d]);
            let x = on.channels((16..112).collect(), &all);
            on.depthwise(window(3, 2, 1, 1), &x)
        },
    ),
    ("steps by bands that end among the channels of another map, and begin there", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 16, 1, &x);
        let a = on.pixel(96, &x);
        let a = on.relu(&a);
        let a = on.depthwise(window(3, 1, 1, 1), &a);
        let b = on.pixel(48, &x);
        let b = on.depthwise(window(5, 1, 1, 2), &b);
        let all = on.concat(&[&b, &a]);
        let some = on.channels((32..96).collect(), &all);
        let y = on.depthwise(window(3, 1, 1, 1), &some);
        let y = on.pixel(32, &y);
        let y = on.depthwise(window(3, 1, 1, 1), &y);
        let y = on.pixel(24, &y);
        let all = on.pixel(24, &all);
        on.add(&y, &all)
    }),
];
