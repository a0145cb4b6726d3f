//! The passes over small graphs: shapes, costs, folding, and the sentences of what does not fit.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeMap;

use graph::complexity::{Cost, FlopsRule, ParamsRule};
use graph::operations::{Convolution, ConvolutionWeights, MaxPool};
use graph::{
    Activation, Builder, Graph, Normalisation, Operation, Padding, Parameter, Role, Shape, Value,
    Weights as _, Window,
};

/// Channels of the only feature maps.
const CHANNELS: usize = 2;

fn kernel(key: &str, from: usize, side: usize) -> Parameter {
    Parameter::new(key, Role::Conv { fan_in: from * side * side }, [CHANNELS, from, side, side])
}

fn norm(key: &str) -> Normalisation {
    let [gamma, beta, mean, variance] =
        [("gamma", Role::Gamma), ("beta", Role::Beta), ("mean", Role::Mean), ("variance", Role::Variance)]
            .map(|(leaf, role)| Parameter::new(format!("{key}.{leaf}"), role, [CHANNELS]));
    Normalisation { gamma, beta, mean, variance, epsilon: 0.5 }
}

const THREE: Window = Window { kernel: [3; 2], ..Window::PIXEL };

/// A convolution with a bias, its normalisation, and a ReLU; with `shortcut`, what the convolution puts out is read again.
fn network(shortcut: bool) -> Graph {
    let (mut on, image) = Builder::new(1);
    let bias = Parameter::new("conv.bias", Role::ConvBias, [CHANNELS]);
    let conv = on.convolution(THREE, 1, kernel("conv.weight", 1, 3), Some(bias), image);
    let x = on.batch_norm(norm("norm"), conv);
    let mut x = on.relu(x);
    on.stage("stem", x);
    if shortcut {
        x = on.add(x, conv);
    }
    let x = on.global_average_pool(x);
    let x = on.scale(0.5, x);
    let weight = Parameter::new("fc.weight", Role::Linear { fan_in: CHANNELS }, [CHANNELS, 3]);
    let x = on.linear(weight, None, x);
    on.finish(x)
}

fn names(graph: &Graph) -> Vec<&'static str> {
    graph.nodes().iter().map(|node| node.operation.name()).collect()
}

#[test]
fn a_normalisation_is_folded_into_the_convolution_before_it() {
    let folded = network(false).fold_norms();
    let expected = [
        "image",
        "convolution",
        "ReLU",
        "global average pooling",
        "constant factor",
        "fully connected layer",
    ];
    assert_eq!(names(&folded), expected);
    assert_eq!(folded.stages()[0].value.index(), 2);
    assert_eq!(folded.output().index(), 5);
    assert_eq!(folded.fold_norms(), folded);
    // Nothing else of the network changed: it asks for the same parameters, and makes the same shapes.
    let keys = |graph: &Graph| {
        let parameters = graph.nodes().iter().flat_map(|node| node.operation.parameters());
        let mut keys: Vec<String> = parameters.map(|parameter| parameter.key.clone()).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&folded), keys(&network(false)));
    let image = Shape::map(1, [5, 6]);
    assert_eq!(folded.shapes(&image).unwrap().last(), network(false).shapes(&image).unwrap().last());
}

#[test]
fn a_convolution_that_two_read_keeps_its_normalisation_apart() {
    let graph = network(true);
    assert_eq!(graph.fold_norms(), graph);
}

#[test]
fn a_second_normalisation_stays() {
    let (mut on, image) = Builder::new(1);
    let x = on.convolution(THREE, 1, kernel("conv", 1, 3), None, image);
    let x = on.batch_norm(norm("first"), x);
    let x = on.batch_norm(norm("second"), x);
    assert_eq!(names(&on.finish(x).fold_norms()), ["image", "convolution", "batch normalisation"]);
}

/// By hand: `gamma / sqrt(variance + epsilon) * (conv - mean) + beta`.
#[test]
fn folded_weights_are_the_convolutions_times_the_factor() {
    let values = [
        ("conv.weight", vec![1.0; 2 * 9]),
        ("conv.bias", vec![3.0, 4.0]),
        ("norm.gamma", vec![1.0, -6.0]),
        ("norm.beta", vec![0.25, 0.5]),
        ("norm.mean", vec![2.0, 1.0]),
        // With the epsilon: 0.25 and 9.
        ("norm.variance", vec![-0.25, 8.5]),
    ];
    let mut weights: BTreeMap<String, Vec<f32>> =
        values.into_iter().map(|(key, values)| (key.to_owned(), values)).collect();
    let folded = network(false).fold_norms();
    let Operation::Convolution(convolution) = &folded.nodes()[1].operation else { panic!("{folded}") };
    let ConvolutionWeights { kernel, bias } = convolution.read(&mut weights).unwrap();
    assert_eq!(kernel, [[2.0; 9], [-2.0; 9]].concat());
    assert_eq!(bias, Some(vec![2.0 * (3.0 - 2.0) + 0.25, -2.0 * (4.0 - 1.0) + 0.5]));
    weights.remove("norm.mean");
    let error = convolution.read(&mut weights).unwrap_err();
    assert_eq!(error.to_string(), "there is no weight `norm.mean`");
    assert_eq!(weights.read(&convolution.kernel).unwrap().len(), 18);
}

#[test]
fn costs_are_those_before_folding() {
    let costs = network(false).costs(&Shape::map(1, [5, 6])).unwrap();
    let expected = [
        Cost::Conv { macs: 2 * 3 * 4 * 9, parameters: 18 + 2, is_subclass: false },
        Cost::BatchNorm { elements: 2 * 3 * 4, channels: 2, with_activation: false },
        Cost::AveragePool { elements_in: 2 * 3 * 4, elements_out: 2 },
        Cost::Linear { macs: 6, parameters: 6 },
    ];
    assert_eq!(costs, expected);
    assert_eq!(FlopsRule::Macs.count(&costs), 216 + 6);
    assert_eq!(ParamsRule::WithRunningStatistics.count(&costs), 20 + 8 + 6);
}

/// A count that no number holds is the largest number, and no panic.
#[test]
fn counts_do_not_wrap() {
    let (mut on, image) = Builder::new(1);
    let parameter = Parameter::new("wide", Role::Conv { fan_in: 1 }, [2, 1, 1 << 31, 1 << 31]);
    let huge = Window { kernel: [1; 2], ..Window::PIXEL };
    let x = on.convolution(huge, 1, parameter, None, image);
    let costs = on.finish(x).costs(&Shape::map(1, [1 << 20, 1 << 20])).unwrap();
    for rule in FlopsRule::ALL {
        assert_eq!(rule.count(&costs), u64::MAX, "{rule}");
    }
}

#[test]
fn what_does_not_fit_is_said_with_its_place() {
    let said = |build: fn(&mut Builder, Value) -> Value, image: Shape| {
        let (mut on, value) = Builder::new(2);
        let x = build(&mut on, value);
        on.finish(x).shapes(&image).unwrap_err().to_string()
    };
    let image = || Shape::map(2, [4, 4]);
    assert_eq!(
        said(|_, x| x, Shape::map(3, [4, 4])),
        "operation 0 (image): 3 channels come in where 2 belong"
    );
    assert_eq!(
        said(|_, x| x, Shape::vector(4)),
        "operation 0 (image): 4 comes in where a feature map belongs"
    );
    assert_eq!(
        said(|on, x| on.convolution(THREE, 1, kernel("conv", 3, 3), None, x), image()),
        "conv (convolution): 2 channels come in where 3 belong"
    );
    assert_eq!(
        said(
            |on, x| on.convolution(
                Window { kernel: [5; 2], ..Window::PIXEL },
                1,
                kernel("conv", 2, 5),
                None,
                x
            ),
            image()
        ),
        "conv (convolution): a map of [4, 4] pixels is smaller than a window of [5, 5] with a dilation of [1, 1]"
    );
    // Two channels out do not make three groups.
    let three = Parameter::new("conv", Role::Conv { fan_in: 1 }, [2, 1, 1, 1]);
    let (mut on, x) = Builder::new(3);
    let x = on.convolution(Window::PIXEL, 3, three, None, x);
    assert_eq!(
        on.finish(x).shapes(&Shape::map(3, [4, 4])).unwrap_err().to_string(),
        "conv (convolution): 2 channels cannot be divided into 3 groups"
    );
    let pooled = |on: &mut Builder, x| {
        let pooled = on.max_pool(THREE, x);
        on.add(x, pooled)
    };
    assert_eq!(said(pooled, image()), "operation 2 (sum): 2x4x4 and 2x2x2 cannot be added");
    let flat = |on: &mut Builder, x| {
        let x = on.global_average_pool(x);
        on.max_pool(THREE, x)
    };
    assert_eq!(said(flat, image()), "operation 2 (max-pooling): 2 comes in where a feature map belongs");
    assert_eq!(said(|_, x| x, Shape::map(2, [1 << 40, 1 << 40])).lines().count(), 1);
    let (mut on, x) = Builder::new(2);
    let x = on.push(graph::operations::Add, &[x]);
    let error = on.finish(x).shapes(&image()).unwrap_err().to_string();
    assert_eq!(error, "operation 1 (sum): 1 values come in where 2 belong");
}

/// PyTorch 2.11.0's `torch.nn.functional.max_pool2d(x, 3, stride, padding, ceil_mode=True)`, its output's height and width.
#[test]
fn sizes_that_are_rounded_up_are_pytorchs() {
    for (size, stride, padding, expected) in CEIL {
        let window = Window {
            kernel: [3; 2],
            stride: [stride; 2],
            padding: Padding::Explicit([padding; 4]),
            ..Window::PIXEL
        };
        let (mut on, image) = Builder::new(1);
        let pool = MaxPool { window, ceil_mode: true };
        let x = on.push(pool, &[image]);
        let shapes = on.finish(x).shapes(&Shape::map(1, [size; 2])).unwrap();
        assert_eq!(shapes[1], Shape::map(1, [expected; 2]), "{size} by {stride}, padding {padding}");
    }
}

#[test]
fn activations_are_their_definitions() {
    let of = |activation: Activation| [-7.0, -1.5, 0.0, 1.5, 7.0].map(|x| activation.of(x));
    assert_eq!(of(Activation::Relu), [0.0, 0.0, 0.0, 1.5, 7.0]);
    assert_eq!(of(Activation::Relu6), [0.0, 0.0, 0.0, 1.5, 6.0]);
    assert_eq!(of(Activation::HardSwish), [0.0, -0.375, 0.0, 1.125, 7.0]);
    assert!(Activation::ALL.iter().all(|activation| activation.of(f64::NAN).is_nan()));
}

#[test]
fn a_graph_is_described_a_line_an_operation() {
    let text = network(true).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "1: convolution of 0, conv.weight [2, 1, 3, 3], conv.bias [2]");
    assert_eq!(lines[3..5], ["3: ReLU of 2 = stem", "4: sum of 3 and 1"]);
    assert_eq!(lines.last(), Some(&"logits: 7"));
    let convolution = Convolution {
        window: THREE,
        groups: 2,
        kernel: kernel("k", 1, 3),
        bias: None,
        is_subclass: false,
        norm: None,
    };
    assert_eq!(convolution.channels(), [2, 2]);
}

/// Size, stride, padding, and the size that comes out.
const CEIL: [(usize, usize, usize, usize); 56] = [
    (4, 1, 0, 2),
    (4, 1, 1, 4),
    (4, 2, 0, 2),
    (4, 2, 1, 3),
    (4, 3, 0, 2),
    (4, 3, 1, 2),
    (4, 4, 0, 1),
    (4, 4, 1, 2),
    (5, 1, 0, 3),
    (5, 1, 1, 5),
    (5, 2, 0, 2),
    (5, 2, 1, 3),
    (5, 3, 0, 2),
    (5, 3, 1, 2),
    (5, 4, 0, 2),
    (5, 4, 1, 2),
    (6, 1, 0, 4),
    (6, 1, 1, 6),
    (6, 2, 0, 3),
    (6, 2, 1, 4),
    (6, 3, 0, 2),
    (6, 3, 1, 3),
    (6, 4, 0, 2),
    (6, 4, 1, 2),
    (7, 1, 0, 5),
    (7, 1, 1, 7),
    (7, 2, 0, 3),
    (7, 2, 1, 4),
    (7, 3, 0, 3),
    (7, 3, 1, 3),
    (7, 4, 0, 2),
    (7, 4, 1, 2),
    (8, 1, 0, 6),
    (8, 1, 1, 8),
    (8, 2, 0, 4),
    (8, 2, 1, 5),
    (8, 3, 0, 3),
    (8, 3, 1, 3),
    (8, 4, 0, 2),
    (8, 4, 1, 3),
    (9, 1, 0, 7),
    (9, 1, 1, 9),
    (9, 2, 0, 4),
    (9, 2, 1, 5),
    (9, 3, 0, 3),
    (9, 3, 1, 4),
    (9, 4, 0, 3),
    (9, 4, 1, 3),
    (10, 1, 0, 8),
    (10, 1, 1, 10),
    (10, 2, 0, 5),
    (10, 2, 1, 6),
    (10, 3, 0, 4),
    (10, 3, 1, 4),
    (10, 4, 0, 3),
    (10, 4, 1, 3),
];
