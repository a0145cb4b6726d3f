//! Sizes whose products wrap: the safe API answers with an error. It once took the wrapped product for the size and wrote
//! beyond its memory. The tests' profile checks for overflow, so that a product that wraps panics here, and is no error either.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, a panic is the report")]

use std::collections::BTreeMap;

use graph::{Builder, Graph, Padding, Parameter, Role, Value, Window};
use kernels::{Images, Isa, LoadError, Lowering, Program, SizeError, Threads, Unsupported};

const BITS: u32 = usize::BITS;
/// Two of them multiply to zero in a word.
const HALF: usize = 1 << (BITS / 2);

/// A kernel of a window over `channels` in and out.
fn kernel([from, to]: [usize; 2], [height, width]: [usize; 2]) -> Parameter {
    Parameter::new("kernel", Role::Conv { fan_in: 1 }, [to, from, height, width])
}

/// The graph with classes after `features`.
fn ended(mut on: Builder, features: Value) -> Graph {
    let x = on.global_average_pool(features);
    let x = on.linear(Parameter::new("fc", Role::Linear { fan_in: 8 }, [8, 4]), None, x);
    on.finish(x)
}

/// A network of one convolution with `window`, of one channel.
fn network(window: Window) -> Program {
    let (mut on, image) = Builder::new(1);
    let x = on.convolution(window, 1, kernel([1, 8], window.kernel), None, image);
    let lowering = Lowering::of(&ended(on, x)).unwrap();
    let taps = window.kernel[0] * window.kernel[1];
    let weights = [("kernel", 8 * taps), ("fc", 32)].map(|(key, len)| (key.to_owned(), vec![0.5; len]));
    lowering.load(&mut BTreeMap::from(weights), Isa::best()).unwrap()
}

#[test]
fn images_whose_product_wraps_are_refused() {
    let threads = Threads::new(2).unwrap();
    let program = network(Window::PIXEL);
    let tables = [[0.5; 256]];
    for size in [[HALF, HALF], [usize::MAX, 1], [1, usize::MAX], [HALF, HALF / 2], [usize::MAX / 3 + 1, 3]] {
        let [height, width] = size;
        let too_large = SizeError::TooLarge { height, width };
        for images in [
            Images::Planar { values: &[0.5; 4], channels: 1, size },
            Images::Planar { values: &[], channels: 1, size },
            Images::Bytes { values: &[1; 4], tables: &tables, size },
        ] {
            assert_eq!(images.count(), Err(too_large.clone()), "{size:?}");
            assert_eq!(images.to_planar(), Err(too_large.clone()), "{size:?}");
            assert_eq!(program.run(&images, &threads), Err(too_large.clone()), "{size:?}");
        }
    }
    let channels = Images::Planar { values: &[0.5; 4], channels: HALF, size: [HALF, 1] };
    assert!(matches!(channels.count(), Err(SizeError::TooLarge { .. })));
    let expected = SizeError::Channels { expected: 1, found: HALF };
    assert_eq!(program.run(&channels, &threads), Err(expected));
}

#[test]
fn values_that_are_not_whole_images_are_refused() {
    let threads = Threads::new(1).unwrap();
    let program = network(Window::PIXEL);
    for (values, size) in [(7, [2, 2]), (3, [2, 2]), (4, [0, 2]), (4, [2, 0])] {
        let values = &[0.5; 7][..values];
        let images = Images::Planar { values, channels: 1, size };
        let found = program.run(&images, &threads);
        assert!(matches!(found, Err(SizeError::Partial { .. })), "{values:?} {size:?}: {found:?}");
        assert_eq!(images.to_planar(), found, "{values:?} {size:?}");
    }
    let none = Images::Planar { values: &[], channels: 1, size: [0, 2] };
    assert_eq!(program.run(&none, &threads), Ok(Vec::new()));
}

#[test]
fn maps_whose_product_wraps_are_refused() {
    let threads = Threads::new(1).unwrap();
    // Padding makes a large map of a small image.
    let wide = u32::MAX as usize;
    for padding in [[wide; 4], [wide, wide, 0, 0], [0, 0, wide, wide / 2]] {
        let window = Window { padding: Padding::Explicit(padding), ..Window::PIXEL };
        let images = Images::Planar { values: &[0.5; 4], channels: 1, size: [2, 2] };
        let found = network(window).run(&images, &threads);
        assert!(
            matches!(found, Err(SizeError::TooLarge { .. } | SizeError::OutOfMemory { .. })),
            "{padding:?}: {found:?}"
        );
    }
}

#[test]
fn windows_without_sense_are_refused() {
    let most = usize::MAX;
    for window in [
        Window { kernel: [0, 3], ..Window::PIXEL },
        Window { kernel: [HALF, HALF], ..Window::PIXEL },
        Window { kernel: [most, 1], dilation: [2, 1], ..Window::PIXEL },
        Window { stride: [0, 1], ..Window::PIXEL },
        Window { dilation: [1, 0], ..Window::PIXEL },
        Window { padding: Padding::Explicit([most, 0, 0, 0]), ..Window::PIXEL },
        Window { padding: Padding::Explicit([0, 0, 0, most / 2]), ..Window::PIXEL },
    ] {
        let refused = |graph: Graph| {
            let found = Lowering::of(&graph);
            assert!(matches!(found, Err(Unsupported::Window { .. })), "{window:?}: {found:?}");
        };
        let (mut on, image) = Builder::new(1);
        let x = on.convolution(window, 1, kernel([1, 8], window.kernel), None, image);
        refused(ended(on, x));
        let (mut on, image) = Builder::new(1);
        let x = on.convolution(Window::PIXEL, 1, kernel([1, 8], [1, 1]), None, image);
        let x = on.max_pool(window, x);
        refused(ended(on, x));
        assert_eq!(window.output([9, 9]), None, "{window:?}");
    }
}

#[test]
fn weights_that_no_product_explains_are_refused() {
    // Each product wraps to the number of weights that is given.
    for (channels, kernel, groups, weights) in [
        ([HALF, HALF], [1, 1], 1, 0),
        ([1, HALF], [HALF, 1], 1, 0),
        ([1, 8], [HALF / 2, HALF / 4], 1, 0),
        ([0, 8], [1, 1], 1, 0),
        ([1, 0], [1, 1], 1, 0),
        ([0, 0], [1, 1], 0, 0),
        ([usize::MAX, usize::MAX], [1, 1], 1, 1),
        ([usize::MAX / 2 + 1, 2], [1, 1], 1, 0),
    ] {
        let (mut on, image) = Builder::new(channels[0]);
        let window = Window { kernel, ..Window::PIXEL };
        let x = on.convolution(window, groups, self::kernel(channels, kernel), None, image);
        let x = on.global_average_pool(x);
        let x = on.linear(Parameter::new("fc", Role::Linear { fan_in: 1 }, [channels[1], 4]), None, x);
        let values =
            BTreeMap::from([("kernel".to_owned(), vec![0.5; weights]), ("fc".to_owned(), Vec::new())]);
        match Lowering::of(&on.finish(x)) {
            Ok(lowering) => {
                let found = lowering.load(&mut values.clone(), Isa::best());
                assert!(matches!(found, Err(LoadError::Length { .. })), "{channels:?} {kernel:?}: {found:?}");
            }
            Err(
                Unsupported::Channels { .. }
                | Unsupported::Groups { .. }
                | Unsupported::Operation { .. }
                | Unsupported::Window { .. },
            ) => {}
            Err(other) => panic!("{channels:?} {kernel:?} {groups}: {other}"),
        }
    }
    let (mut on, image) = Builder::new(1);
    let sum = on.add(image, image);
    let few = |found: Result<Lowering, Unsupported>| {
        assert!(matches!(found, Err(Unsupported::Channels { expected: 8, found: 1, .. })), "{found:?}");
    };
    few(Lowering::of(&ended(on, sum)));
    let (on, image) = Builder::new(1);
    few(Lowering::of(&ended(on, image)));
}
