//! Decoding and each recipe on one core, for a 500x375 photograph-sized image: the sizes that most of
//! ILSVRC2012 has.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dataset::{Dataset, Decoded, RECIPES};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The sample's first image is 500x375, quality 92, 4:2:0.
const IMAGE: usize = 0;

fn recipes(criterion: &mut Criterion) {
    let sample = Dataset::sample();
    let bytes = sample.read(IMAGE).expect("the sample is embedded");
    let decoded = Decoded::from_bytes(&bytes).expect("the sample decodes");

    let mut group = criterion.benchmark_group("image_500x375");
    group.bench_function("decode", |bencher| {
        bencher.iter(|| Decoded::from_bytes(black_box(&bytes)).expect("the sample decodes"));
    });
    for recipe in RECIPES {
        group.bench_function(recipe.name, |bencher| {
            bencher.iter(|| recipe.crop(black_box(&decoded)).expect("the sample can be cropped"));
        });
    }
    let recipe = &RECIPES[0];
    let crop = recipe.crop(&decoded).expect("the sample can be cropped");
    let mut chw = vec![0.0; 3 * recipe.size * recipe.size];
    group.bench_function("normalise", |bencher| {
        bencher.iter(|| recipe.normalise.write_chw(black_box(&crop), &mut chw));
    });
    group.finish();
}

criterion_group!(benches, recipes);
criterion_main!(benches);
