//! Latency at batch 1 and throughput at batch 8 of each network, seeded weights, normalisations
//! folded, input and output on the host: what an evaluation pays for an image.

use std::time::Duration;

use benches::{chosen_device, chosen_models};
use burn::tensor::{Device, Tensor, TensorData};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use models::{Model, Network};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCHES: [usize; 2] = [1, 8];

fn load(model: &Model, device: &Device) -> Box<dyn Network> {
    let entry = model.network().expect("only models with a network are chosen");
    let mut network = entry.init(device);
    let weights = models::weights::seeded(network.as_ref(), entry.name).expect("seeded weights");
    network.load(&weights).expect("seeded weights fit");
    network.fold_norms();
    network
}

fn networks(criterion: &mut Criterion) {
    let name = chosen_device();
    let device = name.init().unwrap_or_else(|error| panic!("BENCH_DEVICE: {error}"));
    for model in chosen_models() {
        let network = load(&model, &device);
        let mut group = criterion.benchmark_group(format!("{}/{name}", model.id));
        group.sample_size(10).measurement_time(Duration::from_secs(15));
        for batch in BATCHES {
            let shape = [batch, 3, model.input_size, model.input_size];
            let images: Vec<f32> = models::weights::unit("input", shape.iter().product(), 0).collect();
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(format!("batch_{batch}"), |bencher| {
                bencher.iter(|| {
                    let images = TensorData::new(images.clone(), shape);
                    network.forward(Tensor::from_data(images, &device)).into_data()
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, networks);
criterion_main!(benches);
