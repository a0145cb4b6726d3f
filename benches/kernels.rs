//! The fused separable convolution at the size that most of a network's time goes to (Xception's middle flow,
//! 19x19x728), for every instruction set of this CPU, against the plain loops it is tested with and against the
//! crate `gemm` doing the matrix multiplication alone. One thread; throughput is in floating-point operations, so
//! that every line can be read as a share of the peak.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use graph::operations::Convolution;
use graph::{Activation, Builder, Padding, Parameter, Role, Window};
use kernels::reference::{self, Map};
use kernels::{Images, Isa, Lowering, Program, Threads};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZE: usize = 19;
const CHANNELS: usize = 728;
/// Separable convolutions one after another, so that the rest of the little network does not count.
const REPEATS: usize = 8;

fn values(count: usize, scale: f32) -> Vec<f32> {
    (0..count).map(|i| ((i * 2_654_435_761 % 2003) as f32 / 1001.0 - 1.0) * scale).collect()
}

/// A layer of the network, with its kernel and its bias.
struct WeightedConvolution {
    convolution: Convolution,
    kernel: Vec<f32>,
    bias: Option<Vec<f32>>,
}

fn depthwise() -> WeightedConvolution {
    let window = Window { kernel: [3; 2], padding: Padding::Explicit([1; 4]), ..Window::PIXEL };
    let kernel = Parameter::new("depthwise", Role::Conv { fan_in: 9 }, [CHANNELS, 1, 3, 3]);
    WeightedConvolution {
        convolution: Convolution {
            window,
            groups: CHANNELS,
            kernel,
            bias: None,
            is_subclass: false,
            norm: None,
        },
        kernel: values(CHANNELS * 9, 0.4),
        bias: None,
    }
}

fn pointwise(from: usize) -> WeightedConvolution {
    let kernel =
        Parameter::new(format!("pointwise{from}"), Role::Conv { fan_in: from }, [CHANNELS, from, 1, 1]);
    let bias = Some(Parameter::new("bias", Role::ConvBias, [CHANNELS]));
    WeightedConvolution {
        convolution: Convolution {
            window: Window::PIXEL,
            groups: 1,
            kernel,
            bias,
            is_subclass: false,
            norm: None,
        },
        kernel: values(from * CHANNELS, 0.05),
        bias: Some(values(CHANNELS, 0.1)),
    }
}

/// `REPEATS` of ReLU, depthwise 3x3 and pointwise after a small stem.
fn network(isa: Isa) -> Program {
    let (mut on, image) = Builder::new(3);
    let mut weights = BTreeMap::from([("fc".to_owned(), values(CHANNELS * 16, 0.05))]);
    for layer in [pointwise(3), depthwise(), pointwise(CHANNELS)] {
        let bias = layer.convolution.bias.as_ref().zip(layer.bias);
        weights.extend(bias.map(|(bias, values)| (bias.key.clone(), values)));
        weights.insert(layer.convolution.kernel.key, layer.kernel);
    }
    let mut x = on.push(pointwise(3).convolution, &[image]);
    for _ in 0..REPEATS {
        x = on.relu(x);
        x = on.push(depthwise().convolution, &[x]);
        x = on.push(pointwise(CHANNELS).convolution, &[x]);
    }
    let x = on.global_average_pool(x);
    let fc = Parameter::new("fc", Role::Linear { fan_in: CHANNELS }, [CHANNELS, 16]);
    let x = on.linear(fc, None, x);
    let lowering = Lowering::of(&on.finish(x)).expect("the kernels have all of it");
    lowering.load(&mut weights, isa).expect("every layer has weights")
}

/// Floating-point operations of the separable convolutions.
fn operations() -> u64 {
    (2 * REPEATS * SIZE * SIZE * CHANNELS * (CHANNELS + 9)) as u64
}

fn separable(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("separable_19x19x728");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    let threads = Threads::new(1).expect("the caller's thread");
    let pixels = values(3 * SIZE * SIZE, 1.0);
    let images = Images::Planar { values: &pixels, channels: 3, size: [SIZE; 2] };
    group.throughput(Throughput::Elements(operations()));
    for isa in Isa::available() {
        let program = network(isa);
        group
            .bench_function(isa.name(), |bencher| bencher.iter(|| program.run(black_box(&images), &threads)));
    }

    let map = Map {
        shape: [CHANNELS, SIZE, SIZE],
        values: values(CHANNELS * SIZE * SIZE, 1.0).into_iter().map(f64::from).collect(),
    };
    group.throughput(Throughput::Elements(operations() / REPEATS as u64));
    let (depthwise, pointwise) = (depthwise(), pointwise(CHANNELS));
    group.bench_function("scalar_reference", |bencher| {
        bencher.iter(|| {
            let x = reference::activation(Activation::Relu, black_box(&map));
            let x = reference::convolution(&depthwise.convolution, &depthwise.kernel, None, &x);
            reference::convolution(&pointwise.convolution, &pointwise.kernel, pointwise.bias.as_deref(), &x)
        });
    });
    gemm_alone(&mut group);
    group.finish();
}

/// The multiplication without anything around it, its multiplicands already there.
fn gemm_alone(group: &mut BenchmarkGroup<'_, WallTime>) {
    let (m, n, k) = (SIZE * SIZE, CHANNELS, CHANNELS);
    let (a, b, mut c) = (values(m * k, 1.0), values(k * n, 0.05), vec![0.0_f32; m * n]);
    group.throughput(Throughput::Elements((2 * m * n * k) as u64));
    group.bench_function("gemm_crate_alone", |bencher| {
        bencher.iter(|| {
            multiply(&a, &b, &mut c, [m, n, k]);
            black_box(&mut c);
        });
    });
}

/// `c = a * b`, row-major.
#[expect(unsafe_code, reason = "the crate `gemm` takes pointers")]
fn multiply(a: &[f32], b: &[f32], c: &mut [f32], [m, n, k]: [usize; 3]) {
    assert!(a.len() == m * k && b.len() == k * n && c.len() == m * n, "matrices of the sizes given");
    let (rows_of_c, rows_of_a, rows_of_b) = (n as isize, k as isize, n as isize);
    // SAFETY: the matrices hold what their sizes and strides say, and `c` is borrowed mutably.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            rows_of_c,
            false,
            a.as_ptr(),
            1,
            rows_of_a,
            b.as_ptr(),
            1,
            rows_of_b,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

criterion_group!(benches, separable);
criterion_main!(benches);
