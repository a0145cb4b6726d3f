//! Every instruction set of this CPU against the plain loops, on odd sizes: networks of the shapes that
//! fusion treats differently, for one image and several, on one thread and several.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod twice;

use graph::{Activation, Operation, Padding, Role, Window};
use kernels::reference::Map;
use kernels::{Images, Isa, LoadError, Lowering, Program, SizeError, Threads};
use twice::networks::{Body, NETWORKS, SAME, window};
use twice::{Numbers, Twice, UNARY};

/// Ends other than a mean and one fully connected layer.
const ENDS: &[(&str, Body)] = &[
    ("two fully connected layers with an activation between", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 40, 1, &x);
        let x = on.relu(&x);
        let x = on.mean(1.0, &x);
        let x = on.linear(70, &x);
        let x = on.activation(Activation::HardSwish, &x);
        on.linear(21, &x)
    }),
    ("the mean itself, times a factor, with a ReLU before and after", |on, x| {
        let x = on.conv(window(3, 1, 1, 0), 21, 1, &x);
        let x = on.relu(&x);
        let x = on.mean(0.5, &x);
        on.relu(&x)
    }),
    ("logits that something else reads too, and a sum of vectors", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 150, 1, &x);
        let x = on.mean(1.0, &x);
        let y = on.linear(21, &x);
        let z = on.relu(&y);
        let z = on.linear(21, &z);
        let z = on.add(&z, &y);
        let z = on.affine(&z);
        on.add(&z, &y)
    }),
    ("a mean normalised, called a map of one pixel on the way", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 37, 1, &x);
        let x = on.normalised_mean(true, &x);
        on.linear(21, &x)
    }),
    ("a mean normalised, called otherwise", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 37, 1, &x);
        let x = on.normalised_mean(false, &x);
        on.linear(21, &x)
    }),
    ("the mean of what attention puts out", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 37, 1, &x);
        let x = on.mean_of_attention([2, 16], &x);
        on.linear(21, &x)
    }),
    ("means of two maps", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 21, 1, &x);
        let y = on.depthwise(window(3, 2, 1, 1), &x);
        let (x, y) = (on.mean(1.0, &x), on.mean(3.0, &y));
        on.add(&x, &y)
    }),
];

fn build(isa: Isa, body: Body, images: &[Map]) -> (Program, Vec<f64>) {
    let mut program = None;
    let mut expected = Vec::new();
    for image in images {
        let (mut on, x) = Twice::new(image);
        let result = body(&mut on, x);
        let is_logits = result.1.shape == [21, 1, 1];
        let (built, logits) = if is_logits { on.end(isa, result) } else { on.finish(isa, &result, 21) };
        expected.extend(logits);
        program = Some(built);
    }
    (program.unwrap(), expected)
}

fn images(count: usize, [height, width]: [usize; 2]) -> (Vec<f32>, Vec<Map>) {
    let values = Numbers(3).take(count * 3 * height * width);
    let maps = values
        .chunks_exact(3 * height * width)
        .map(|image| Map { shape: [3, height, width], values: image.iter().map(|&x| f64::from(x)).collect() })
        .collect();
    (values, maps)
}

#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(*found) - expected).abs();
        assert!(difference <= tolerance * scale, "{what}: logit {index} is {found}, not {expected}");
    }
}

/// Runs a network on `count` images: as plain loops compute it, by any number of threads, each image for itself.
fn assert_computes(isa: Isa, (name, body): (&str, Body), size: [usize; 2], count: usize) -> Program {
    // bf16 has 8 bits of precision, and a network has a few roundings one after another.
    let tolerance = if isa.rounds_to_bf16() { 4e-2 } else { 2e-6 };
    let (values, maps) = images(count, size);
    let (program, expected) = build(isa, body, &maps);
    let mut first = None;
    for threads in [1, 2, 3] {
        let threads = Threads::new(threads).unwrap();
        let run = |values| program.run(&Images::Planar { values, channels: 3, size }, &threads).unwrap();
        let found = run(&values);
        let what = format!("{isa:?}, {name}, {size:?}, {} threads", threads.count());
        assert_close(&what, &found, &expected, tolerance);
        // The buffers hold what the first call left.
        assert_eq!(run(&values), found, "{what}, again");
        // Neither the threads nor the other images of a batch change a bit.
        assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{what}");
        let alone = run(&values[values.len() - values.len() / count..]);
        assert_eq!(alone, found[found.len() - found.len() / count..], "{what}, alone");
    }
    program
}

#[test]
fn every_instruction_set_computes_what_plain_loops_do() {
    for isa in Isa::available() {
        for &network in NETWORKS.iter().chain(ENDS) {
            for (size, count) in [([9, 9], 1), ([12, 17], 3), ([23, 8], 2)] {
                assert_computes(isa, network, size, count);
            }
        }
    }
}

#[test]
fn many_rows_and_deep_channels_are_cut_into_blocks() {
    for isa in Isa::available() {
        let tolerance = if isa.rounds_to_bf16() { 4e-2 } else { 2e-6 };
        let body: Body = |on, x| {
            let x = on.conv(window(3, 1, 1, 1), 40, 1, &x);
            let x = on.depthwise(window(3, 1, 1, 1), &x);
            let x = on.pixel(370, &x);
            let x = on.max_pool(window(3, 4, 1, 1), &x);
            let x = on.depthwise(window(3, 1, 1, 1), &x);
            on.pixel(100, &x)
        };
        let size = [61, 43];
        let (values, maps) = images(1, size);
        let (program, expected) = build(isa, body, &maps);
        for threads in [1, 2, 5] {
            let threads = Threads::new(threads).unwrap();
            let found =
                program.run(&Images::Planar { values: &values, channels: 3, size }, &threads).unwrap();
            assert_close(&format!("{isa:?}, {} threads", threads.count()), &found, &expected, tolerance);
        }
    }
}

/// Layers that are large enough for Strassen's algorithm, with the number of their weights: rows of every source but the image, every
/// epilogue, odd numbers of pixels and of panels, and a depth whose second half is shorter.
const LARGE: &[(&str, usize, Body)] = &[
    ("separable, bias and ReLU", 312 * 601, |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 312, 1, &x);
        let x = on.depthwise(window(3, 1, 1, 1), &x);
        let x = on.pixel(601, &x);
        on.relu(&x)
    }),
    ("pixels, normalisation and ReLU", 312 * 520, |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 312, 1, &x);
        let x = on.relu(&x);
        let x = on.pixel(520, &x);
        let x = on.affine(&x);
        on.relu(&x)
    }),
    ("pixels times a gate", 312 * 520, |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 312, 1, &x);
        let gate = on.pooled(&x);
        let x = on.binary(graph::operations::Binary::Mul, &x, &gate);
        on.pixel(520, &x)
    }),
    ("strided windows, residual", 9 * 50 * 416, |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 50, 1, &x);
        let y = on.conv(window(3, 2, 1, 1), 416, 1, &x);
        let shortcut = on.conv(window(1, 2, 1, 0), 416, 1, &x);
        on.add(&y, &shortcut)
    }),
];

#[test]
fn large_layers_are_multiplied_by_halves() {
    for isa in Isa::available() {
        for &(name, weights, body) in LARGE {
            for size in [[9, 9], [12, 11], [1, 3]] {
                let program = assert_computes(isa, (name, body), size, 2);
                // Halves take 7/4 of the memory, and all that is padded or small takes a third at most.
                let by_halves = program.weight_bytes() > weights * size_of::<f32>() * 3 / 2;
                assert_eq!(
                    by_halves,
                    !isa.rounds_to_bf16(),
                    "{isa:?}, {name}: {} bytes",
                    program.weight_bytes()
                );
            }
        }
    }
}

/// Convolutions of 3x3 taps that Winograd's algorithm computes, every padding and epilogue, with their weights' number at its 16 places.
const PATCHES: &[(&str, usize, Body)] = &[
    ("padded by one, ReLU before and a residual", 16 * (32 * 48 + 48 * 32), |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 18, 1, &x);
        let y = on.relu(&x);
        let y = on.conv(window(3, 1, 1, 1), 33, 1, &y);
        let y = on.relu(&y);
        let y = on.conv(window(3, 1, 1, 1), 18, 1, &y);
        on.add(&y, &x)
    }),
    ("without padding, and more of it on one side", 16 * (16 * 16 + 16 * 64), |on, x| {
        // Six pixels wider than the image, which may be small.
        let x = on.conv(window(1, 1, 1, 3), 16, 1, &x);
        let lopsided = Window { padding: Padding::Explicit([0, 2, 3, 1]), ..window(3, 1, 1, 0) };
        let x = on.conv(lopsided, 16, 1, &x);
        on.conv(window(3, 1, 1, 0), 50, 1, &x)
    }),
    ("sets of groups, of which the last is smaller", 16 * (5 * 16 * 16), |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 72, 1, &x);
        let y = on.relu(&x);
        let y = on.conv(window(3, 1, 1, 1), 72, 18, &y);
        on.add(&y, &x)
    }),
    ("functions before, after and between", 16 * (48 * 48 * 2), |on, x| {
        let x = on.conv(Window { stride: [1; 2], ..SAME }, 40, 1, &x);
        let y = on.unary(UNARY[0], &x);
        let y = on.conv(Window { stride: [1; 2], ..SAME }, 40, 1, &y);
        let y = on.affine(&y);
        let y = on.unary(UNARY[2], &y);
        let y = on.add(&y, &x);
        let y = on.conv(window(3, 1, 1, 1), 40, 1, &y);
        on.activation(Activation::HardSwish, &y)
    }),
];

#[test]
fn convolutions_of_3x3_take_fewer_products() {
    for isa in Isa::available() {
        for &(name, weights, body) in PATCHES {
            for size in [[9, 9], [12, 17], [1, 3], [4, 2], [40, 31]] {
                let program = assert_computes(isa, (name, body), size, 2);
                // All else takes a fourth of it at most.
                let bytes = program.weight_bytes();
                let expected = weights * size_of::<f32>();
                let is_so = bytes >= expected && bytes < expected * 5 / 4;
                assert_eq!(is_so, !isa.rounds_to_bf16(), "{isa:?}, {name}: {bytes} bytes, not {expected}");
            }
        }
    }
}

/// Maps that are computed by bands, most of them too large to be there as a whole.
const WIDENED: &[(&str, Body)] = &[
    ("a residual after both", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 18, 1, &x);
        let y = on.pixel(150, &x);
        let y = on.relu(&y);
        let y = on.depthwise(window(3, 1, 1, 1), &y);
        let y = on.relu(&y);
        let y = on.pixel(18, &y);
        on.add(&y, &x)
    }),
    ("strides and functions, a gate after the depthwise convolution", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 18, 1, &x);
        let x = on.pixel(150, &x);
        let x = on.unary(UNARY[0], &x);
        let x = on.depthwise(Window { kernel: [5, 3], stride: [2, 1], ..SAME }, &x);
        let x = on.unary(UNARY[1], &x);
        let gate = on.pooled(&x);
        let x = on.binary(graph::operations::Binary::Mul, &x, &gate);
        on.pixel(21, &x)
    }),
    ("dilation, and bands that read nothing but padding", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 18, 1, &x);
        let x = on.pixel(150, &x);
        let x = on.depthwise(window(3, 1, 2, 13), &x);
        on.pixel(21, &x)
    }),
    ("the image's own windows, and a convolution of groups that reads what they put out", |on, x| {
        let x = on.conv(window(3, 2, 1, 1), 48, 1, &x);
        let x = on.relu(&x);
        let x = on.depthwise(window(3, 1, 1, 1), &x);
        let x = on.pixel(96, &x);
        let x = on.unary(UNARY[0], &x);
        let y = on.conv(window(3, 2, 1, 1), 96, 6, &x);
        on.conv(window(3, 2, 1, 0), 48, 1, &y)
    }),
    ("pixels taken two by two, an odd number in each line", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 18, 1, &x);
        let x = on.pixel(312, &x);
        let x = on.relu(&x);
        let x = on.depthwise(window(3, 2, 1, 0), &x);
        on.pixel(520, &x)
    }),
    ("three that follow one another: separable convolutions and a pooling, a shortcut after it", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 40, 1, &x);
        let shortcut = on.conv(window(1, 2, 1, 0), 72, 1, &x);
        let y = on.depthwise(window(3, 1, 1, 1), &x);
        let y = on.pixel(150, &y);
        let y = on.relu(&y);
        let y = on.depthwise(window(3, 1, 1, 1), &y);
        let y = on.pixel(72, &y);
        let y = on.max_pool(window(3, 2, 1, 1), &y);
        on.add(&y, &shortcut)
    }),
    (
        "five that follow one another, strides, dilation, one that reads fewer lines than it goes on",
        |on, x| {
            let x = on.conv(window(3, 1, 1, 1), 72, 1, &x);
            let x = on.relu(&x);
            let x = on.depthwise(window(5, 1, 1, 2), &x);
            let x = on.pixel(150, &x);
            let x = on.unary(UNARY[1], &x);
            let x = on.depthwise(Window { kernel: [2, 3], stride: [3, 1], ..SAME }, &x);
            let x = on.pixel(90, &x);
            let x = on.depthwise(window(3, 1, 2, 2), &x);
            let x = on.affine(&x);
            let x = on.pixel(72, &x);
            on.average_pool(window(3, 2, 1, 1), &x)
        },
    ),
    ("a pooling of what the image's convolution puts out, and the mean of that", |on, x| {
        let x = on.conv(window(3, 1, 1, 1), 150, 1, &x);
        let x = on.relu(&x);
        let x = on.pool(true, false, true, window(3, 2, 1, 1), &x);
        on.unary(UNARY[0], &x)
    }),
];

#[test]
fn a_map_that_is_computed_by_bands_is_the_same_map() {
    for isa in Isa::available() {
        for &network in WIDENED {
            for size in [[9, 9], [61, 43]] {
                assert_computes(isa, network, size, 2);
            }
        }
    }
}

#[test]
fn bytes_give_the_bits_that_their_values_give() {
    let size = [11, 13];
    let (_, maps) = images(1, size);
    let (program, _) = build(Isa::best(), NETWORKS[1].1, &maps);
    let threads = Threads::new(2).unwrap();
    let bytes: Vec<u8> = Numbers(5).take(2 * 3 * 11 * 13).iter().map(|x| (x.abs() * 255.0) as u8).collect();
    let tables: [[f32; 256]; 3] =
        std::array::from_fn(|c| std::array::from_fn(|v| (v as f32 / 255.0 - 0.4) / (0.2 + c as f32 * 0.1)));
    let mut planar = vec![0.0; bytes.len()];
    for (index, &byte) in bytes.iter().enumerate() {
        let (image, at, channel) = (index / 429, index % 429 / 3, index % 3);
        planar[image * 429 + channel * 143 + at] = tables[channel][usize::from(byte)];
    }
    let from_bytes = program.run(&Images::Bytes { values: &bytes, tables: &tables, size }, &threads);
    let from_planar = program.run(&Images::Planar { values: &planar, channels: 3, size }, &threads);
    assert_eq!(from_bytes, from_planar);
}

#[test]
fn what_is_not_a_number_reaches_the_logits() {
    let size = [9, 9];
    let (mut values, maps) = images(1, size);
    values[100] = f32::NAN;
    for isa in Isa::available() {
        for &(name, network) in NETWORKS.iter().chain(ENDS) {
            let (program, _) = build(isa, network, &maps);
            let batch = Images::Planar { values: &values, channels: 3, size };
            let logits = program.run(&batch, &Threads::new(1).unwrap()).unwrap();
            assert!(logits.iter().any(|logit| logit.is_nan()), "{isa:?}, {name}: {logits:?}");
        }
    }
}

#[test]
fn images_that_are_too_small_have_no_logits() {
    let (_, maps) = images(1, [9, 9]);
    let (program, _) = build(Isa::best(), NETWORKS[0].1, &maps);
    let batch = Images::Planar { values: &[0.0; 27], channels: 3, size: [3, 3] };
    let threads = Threads::new(1).unwrap();
    assert_eq!(program.run(&batch, &threads), Err(SizeError::TooSmall { height: 3, width: 3 }));
    let none = Images::Planar { values: &[], channels: 3, size: [9, 9] };
    assert_eq!(program.run(&none, &threads), Ok(Vec::new()));
}

#[test]
fn maps_of_different_sizes_are_not_added() {
    // The plain loops add what lies side by side, so that only the graph is looked at.
    let (mut on, image) = Twice::new(&images(1, [9, 9]).1[0]);
    let x = on.pixel(8, &image);
    let y = on.conv(window(1, 2, 1, 0), 8, 1, &x);
    let z = on.pixel(8, &x);
    let sum = (on.on.add(z.0, y.0), z.1);
    let (program, _) = on.finish(Isa::best(), &sum, 4);
    let batch = Images::Planar { values: &[0.5; 3 * 81], channels: 3, size: [9, 9] };
    let error = program.run(&batch, &Threads::new(2).unwrap()).unwrap_err();
    assert!(matches!(error, SizeError::Unequal { .. }), "{error}");
}

#[test]
fn max_pooling_keeps_what_is_not_a_number() {
    // One NaN at each place of a window, so that it is the first, one in the middle and the last that is compared.
    for place in 0..9 {
        for isa in Isa::available() {
            let (mut on, image) = Twice::new(&Map { shape: [1, 3, 3], values: vec![0.5; 9] });
            let x = on.pixel(1, &image);
            let pooled = on.max_pool(window(3, 3, 1, 0), &x);
            let (program, _) = on.finish(isa, &pooled, 1);
            let mut values = [0.5; 9];
            values[place] = f32::NAN;
            let batch = Images::Planar { values: &values, channels: 1, size: [3, 3] };
            let logits = program.run(&batch, &Threads::new(1).unwrap()).unwrap();
            assert!(logits[0].is_nan(), "{isa:?}, place {place}: {logits:?}");
        }
    }
}

/// What of a structure has no kernel is refused by the tests of `lowering`; here are weights that do not fit one.
#[test]
fn weights_of_another_length_are_refused() {
    let (mut on, image) = Twice::new(&images(1, [9, 9]).1[0]);
    let (x, _) = on.pixel(8, &image);
    let pooled = on.on.global_average_pool(x);
    let weight = on.parameter(Role::Linear { fan_in: 8 }, &[8, 4], &[0.5; 31]);
    let logits = on.on.linear(weight.clone(), None, pooled);
    let graph = on.on.finish(logits);
    let lowering = Lowering::of(&graph).unwrap();
    let error = lowering.load(&mut on.weights, Isa::best()).unwrap_err();
    assert_eq!(error, LoadError::Length { key: weight.key.clone(), expected: 32, found: 31 });
    on.weights.remove(&weight.key);
    let error = lowering.load(&mut on.weights, Isa::best()).unwrap_err();
    assert_eq!(error.to_string(), format!("there is no weight `{}`", weight.key));
    assert!(matches!(graph.node(graph.output()).operation, Operation::Linear(_)));
}
