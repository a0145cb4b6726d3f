//! Latency at batch 1 and throughput at batch 16 of each network, seeded weights, bytes in and logits out: what an
//! evaluation pays for an image once it is cropped. Where the kernels compute, the first network is computed by Burn's own
//! operations as well.

use std::time::Duration;

use benches::{chosen_models, chosen_placement};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use dataset::Normalisation;
use models::{Classifier, Images, Model, Placement};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCHES: [usize; 2] = [1, 16];

fn load(model: &Model, placement: &Placement, kernels: bool) -> Classifier {
    let entry = model.network();
    let network = entry.build();
    let weights = models::weights::seeded(&network, entry.name).expect("seeded weights");
    if kernels {
        Classifier::load(&network, &weights, placement).unwrap_or_else(|error| panic!("BENCH_DTYPE: {error}"))
    } else {
        Classifier::load_without_kernels(&network, &weights, placement).expect("seeded weights fit")
    }
}

fn networks(criterion: &mut Criterion) {
    let placement = chosen_placement();
    let mut compared = false;
    for model in chosen_models() {
        let classifier = load(&model, &placement, true);
        measure(criterion, &model, &classifier, &placement);
        // Once, because a network takes Burn seconds.
        if !compared && classifier.program().is_some() {
            compared = true;
            measure(criterion, &model, &load(&model, &placement, false), &placement);
        }
    }
}

fn measure(criterion: &mut Criterion, model: &Model, classifier: &Classifier, placement: &Placement) {
    let tables = Normalisation::HALF.table();
    let mut group = criterion.benchmark_group(format!(
        "{}/{}-{}-{}",
        model.id,
        placement.device(),
        placement.dtype(),
        classifier.engine()
    ));
    // A dozen networks in a few minutes: few samples, as many iterations in each.
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));
    for batch in BATCHES {
        let size = model.input_size;
        let bytes: Vec<u8> =
            (0..batch * size * size * 3).map(|i| ((i * 2_654_435_761) >> 16) as u8).collect();
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("batch_{batch}"), |bencher| {
            let images = Images::Bytes { values: &bytes, tables: &tables, size: [size; 2] };
            bencher.iter(|| classifier.logits(&images));
        });
    }
    group.finish();
}

criterion_group!(benches, networks);
criterion_main!(benches);
