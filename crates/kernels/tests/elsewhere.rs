//! Parts of networks that somebody else computes between the kernels' steps.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use graph::operations::{Reshape, Transpose, Unary};
use graph::{Builder, Graph, Parameter, Role, Shape, Value, Window};
use kernels::{Elsewhere, Images, Isa, Lowering, Program, SizeError, Threads};

const SIZE: [usize; 2] = [5, 7];

/// Sines of what it is given; of numbers beyond `most` it gives up.
#[derive(Debug)]
struct Sines {
    most: f32,
}

impl Elsewhere for Sines {
    fn compute(&self, inputs: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>, String> {
        match inputs.iter().flatten().find(|x| x.abs() > self.most) {
            Some(_) => Err("too large a number".to_owned()),
            None => Ok(inputs.into_iter().map(|values| values.into_iter().map(f32::sin).collect()).collect()),
        }
    }
}

/// Numbers without a pattern.
fn numbers(seed: usize, count: usize) -> Vec<f32> {
    (0..count).map(|at| (((at * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0) * 0.7).collect()
}

struct Net {
    on: Builder,
    weights: BTreeMap<String, Vec<f32>>,
}

impl Net {
    fn parameter(&mut self, role: Role, shape: &[usize]) -> Parameter {
        let key = format!("p{}", self.weights.len());
        self.weights.insert(key.clone(), numbers(self.weights.len(), shape.iter().product()));
        Parameter::new(key, role, shape)
    }

    fn pixel(&mut self, from: usize, to: usize, x: Value) -> Value {
        let kernel = self.parameter(Role::Conv { fan_in: from }, &[to, from, 1, 1]);
        self.on.convolution(Window::PIXEL, 1, kernel, None, x)
    }

    fn end(mut self, from: usize, x: Value) -> (Graph, BTreeMap<String, Vec<f32>>) {
        let x = self.on.global_average_pool(x);
        let weight = self.parameter(Role::Linear { fan_in: from }, &[from, 4]);
        let x = self.on.linear(weight, None, x);
        (self.on.finish(x), self.weights)
    }
}

/// Convolutions with sines between them: of a map whose channels come first, and of one whose channels come last; `otherwise` without.
fn network(is_with_sines: bool) -> (Graph, BTreeMap<String, Vec<f32>>) {
    let (on, image) = Builder::new(3);
    let mut net = Net { on, weights: BTreeMap::new() };
    let sine = |net: &mut Net, x| if is_with_sines { net.on.push(Unary::Sin, &[x]) } else { x };
    let x = net.pixel(3, 21, image);
    let y = sine(&mut net, x);
    let y = net.on.relu(y);
    let y = net.pixel(21, 21, y);
    let x = net.on.add(x, y);
    let rows = net.on.push(Reshape { shape: Shape::new([21, SIZE[0] * SIZE[1]]) }, &[x]);
    let rows = net.on.push(Transpose { axes: vec![1, 0] }, &[rows]);
    let weight = net.parameter(Role::Linear { fan_in: 21 }, &[21, 10]);
    let rows = net.on.linear(weight, None, rows);
    let rows = sine(&mut net, rows);
    let map = net.on.push(Transpose { axes: vec![1, 0] }, &[rows]);
    let map = net.on.push(Reshape { shape: Shape::map(10, SIZE) }, &[map]);
    net.end(10, map)
}

fn program(most: f32, isa: Isa) -> Program {
    let (graph, mut weights) = network(true);
    let lowering = Lowering::in_parts(&graph, SIZE).unwrap();
    assert_eq!(lowering.parts().len(), 2, "{lowering:?}");
    let made = lowering.load_in_parts(&mut weights, isa, |part, _| {
        assert_eq!(part.operations().collect::<Vec<_>>(), ["sine"]);
        Ok(Arc::new(Sines { most }) as Arc<dyn Elsewhere>)
    });
    made.unwrap()
}

/// The same by plain loops in f64, of an image `[3, height, width]`.
fn expected(image: &[f32]) -> Vec<f64> {
    let (_, weights) = network(true);
    let pixels = SIZE[0] * SIZE[1];
    let weight = |key: &str, at: usize| f64::from(weights[key][at]);
    let mut sums = [0.0; 10];
    for pixel in 0..pixels {
        let x: Vec<f64> = (0..21)
            .map(|to| (0..3).map(|c| f64::from(image[c * pixels + pixel]) * weight("p0", to * 3 + c)).sum())
            .collect();
        let y: Vec<f64> = x.iter().map(|x| x.sin().max(0.0)).collect();
        let sum: Vec<f64> = (0..21)
            .map(|to| x[to] + (0..21).map(|from| y[from] * weight("p1", to * 21 + from)).sum::<f64>())
            .collect();
        for (to, total) in sums.iter_mut().enumerate() {
            *total += (0..21).map(|from| sum[from] * weight("p2", from * 10 + to)).sum::<f64>().sin();
        }
    }
    (0..4).map(|class| (0..10).map(|c| sums[c] / pixels as f64 * weight("p3", c * 4 + class)).sum()).collect()
}

#[test]
fn parts_are_computed_between_steps_whatever_the_threads_and_the_batch() {
    let count = 5;
    let values = numbers(99, count * 3 * SIZE[0] * SIZE[1]);
    let images: Vec<&[f32]> = values.chunks_exact(values.len() / count).collect();
    for isa in Isa::available() {
        let tolerance = if isa.rounds_to_bf16() { 4e-2 } else { 2e-6 };
        let program = program(f32::INFINITY, isa);
        let run = |values: &[f32], threads: usize| {
            let images = Images::Planar { values, channels: 3, size: SIZE };
            program.run(&images, &Threads::new(threads).unwrap()).unwrap()
        };
        let together = run(&values, 1);
        for (image, found) in images.iter().zip(together.chunks_exact(4)) {
            for (found, expected) in found.iter().zip(expected(image)) {
                let difference = (f64::from(*found) - expected).abs();
                assert!(difference < tolerance, "{isa:?}: {found}, not {expected}");
            }
        }
        for threads in [1, 2, 3] {
            assert_eq!(run(&values, threads), together, "{isa:?}, {threads} threads");
            let alone: Vec<f32> = images.iter().flat_map(|image| run(image, threads)).collect();
            assert_eq!(alone, together, "{isa:?}, {threads} threads, alone");
        }
    }
}

#[test]
fn a_part_that_gives_up_is_an_error_and_the_next_images_are_computed() {
    let program = program(50.0, Isa::best());
    let good = numbers(3, 3 * SIZE[0] * SIZE[1]);
    let mut bad = good.clone();
    bad[7] = 1e6;
    for threads in [1, 2, 3] {
        let threads = Threads::new(threads).unwrap();
        let run = |values: &[f32]| program.run(&Images::Planar { values, channels: 3, size: SIZE }, &threads);
        let expected = run(&good).unwrap();
        let refused = SizeError::Elsewhere { reason: "too large a number".to_owned() };
        assert_eq!(run(&[&good[..], &bad, &good].concat()), Err(refused));
        assert_eq!(run(&good), Ok(expected));
    }
}

#[test]
fn an_image_of_another_size_than_it_was_cut_for_is_refused() {
    let program = program(f32::INFINITY, Isa::best());
    let values = vec![0.5; 3 * 6 * 7];
    let found = program
        .run(&Images::Planar { values: &values, channels: 3, size: [6, 7] }, &Threads::new(1).unwrap());
    assert_eq!(found, Err(SizeError::OtherSize { expected: SIZE, found: [6, 7] }));
}
