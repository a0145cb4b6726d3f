//! Sizes whose products wrap: the safe API answers with an error. It once took the wrapped product for the size and wrote
//! beyond its memory. The tests' profile checks for overflow, so that a product that wraps panics here, and is no error either.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use kernels::{Convolution, Graph, GraphError, Images, Isa, Padding, Program, SizeError, Threads, Window};

const BITS: u32 = usize::BITS;
/// Two of them multiply to zero in a word.
const HALF: usize = 1 << (BITS / 2);

fn pixelwise(channels: [usize; 2]) -> Convolution {
    let weights = vec![0.5; channels[0] * channels[1]];
    Convolution { window: Window::PIXEL, channels, groups: 1, weights, bias: None }
}

/// A network of one convolution with `window`, of one channel.
fn network(window: Window) -> Program {
    let (mut graph, image) = Graph::new(Isa::best(), 1);
    let weights = vec![0.5; 8 * window.kernel[0] * window.kernel[1]];
    let x = graph.convolution(&Convolution { window, weights, ..pixelwise([1, 8]) }, image).unwrap();
    graph.finish(x, 1.0, &[0.5; 8 * 4], None).unwrap()
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
        let (mut graph, image) = Graph::new(Isa::best(), 1);
        let refused =
            |found| assert!(matches!(found, Err(GraphError::Window { .. })), "{window:?}: {found:?}");
        refused(graph.convolution(&Convolution { window, ..pixelwise([1, 8]) }, image));
        let x = graph.convolution(&pixelwise([1, 8]), image).unwrap();
        refused(graph.max_pool(window, x));
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
        let (mut graph, image) = Graph::new(Isa::best(), channels[0]);
        let window = Window { kernel, ..Window::PIXEL };
        let convolution = Convolution { window, channels, groups, weights: vec![0.5; weights], bias: None };
        let found = graph.convolution(&convolution, image);
        assert!(
            matches!(found, Err(GraphError::Weights { .. } | GraphError::Groups { .. } | GraphError::Image)),
            "{channels:?} {kernel:?} {groups}: {found:?}"
        );
    }
    let (mut graph, image) = Graph::new(Isa::best(), 1);
    assert_eq!(graph.add(image, image), Err(GraphError::Image));
    assert_eq!(graph.finish(image, 1.0, &[0.5; 4], None).err(), Some(GraphError::Image));
}
