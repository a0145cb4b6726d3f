//! Latency at batch 1 and throughput at batch 16 of each network, bytes in and logits out: what an evaluation pays for an image once
//! it is cropped. Networks of the catalog have seeded weights; `BENCH_ONNX` measures ONNX files in their place. Where the
//! kernels compute, the first network is computed by Burn's own operations as well.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{chosen_models, chosen_onnx, chosen_placement};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use dataset::Normalisation;
use models::onnx::OnnxFile;
use models::{Classifier, Images, Model, Placement};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCHES: [usize; 2] = [1, 16];
/// Single images whose latencies are ranked: the 99th percentile is the second longest.
const LATENCIES: usize = 200;
/// But no longer than that.
const LATENCIES_TIME: Duration = Duration::from_secs(8);
/// Side of an image where an ONNX file leaves it open, in pixels.
const SIDE: usize = 224;

/// A network to measure.
struct Subject {
    id: String,
    /// Height and width.
    size: [usize; 2],
    classifier: Classifier,
}

fn load(model: &Model, placement: &Placement, kernels: bool) -> Subject {
    let entry = model.network();
    let network = entry.build();
    let weights = models::weights::seeded(&network, entry.name).expect("seeded weights");
    let classifier = if kernels {
        Classifier::load(&network, &weights, placement).unwrap_or_else(|error| panic!("BENCH_DTYPE: {error}"))
    } else {
        Classifier::load_without_kernels(&network, &weights, placement).expect("seeded weights fit")
    };
    Subject { id: model.id.clone(), size: [model.input_size; 2], classifier }
}

fn load_onnx(path: &Path, placement: &Placement) -> Subject {
    let load = || -> Result<Subject, Box<dyn std::error::Error>> {
        let id = Model::onnx_id(path)?;
        let file = Arc::new(OnnxFile::open(path)?);
        let size = file.image()?.size.map(|declared| declared.unwrap_or(SIDE));
        let classifier = Classifier::load_onnx(&file.network(size)?, placement)?;
        Ok(Subject { id, size, classifier })
    };
    load().unwrap_or_else(|error| panic!("BENCH_ONNX: {}: {error}", path.display()))
}

fn networks(criterion: &mut Criterion) {
    let placement = chosen_placement();
    let files: Vec<PathBuf> = chosen_onnx();
    for path in &files {
        measure(criterion, &load_onnx(path, &placement), &placement);
    }
    if !files.is_empty() {
        return;
    }
    let mut compared = false;
    for model in chosen_models() {
        let subject = load(&model, &placement, true);
        measure(criterion, &subject, &placement);
        // Once, because a network takes Burn seconds.
        if !compared && subject.classifier.program().is_some() {
            compared = true;
            measure(criterion, &load(&model, &placement, false), &placement);
        }
    }
}

fn measure(criterion: &mut Criterion, subject: &Subject, placement: &Placement) {
    let Subject { id, size, classifier } = subject;
    let tables = Normalisation::HALF.table();
    let name = format!("{id}/{}-{}-{}", placement.device(), placement.dtype(), classifier.engine());
    let mut group = criterion.benchmark_group(&name);
    // A dozen networks in a few minutes: few samples, as many iterations in each.
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));
    for batch in BATCHES {
        let bytes: Vec<u8> =
            (0..batch * size[0] * size[1] * 3).map(|i| ((i * 2_654_435_761) >> 16) as u8).collect();
        let images = Images::Bytes { values: &bytes, tables: &tables, size: *size };
        group.throughput(Throughput::Elements(batch as u64));
        let mut has_run = false;
        group.bench_function(format!("batch_{batch}"), |bencher| {
            has_run = true;
            bencher.iter(|| classifier.logits(&images));
        });
        // What --test, or a filter that names another, leaves out is not measured here either.
        if has_run && batch == 1 && !std::env::args().any(|argument| argument == "--test") {
            latencies(&name, classifier, &images);
        }
    }
    group.finish();
}

/// Prints the median and the 99th percentile of single images, which Criterion's means of many do not show.
#[allow(clippy::print_stdout, reason = "a benchmark reports where Criterion does")]
fn latencies(name: &str, classifier: &Classifier, images: &Images<'_>) {
    let begin = Instant::now();
    let mut times = Vec::with_capacity(LATENCIES);
    while times.len() < LATENCIES && (begin.elapsed() < LATENCIES_TIME || times.is_empty()) {
        let begin = Instant::now();
        drop(black_box(classifier.logits(images)));
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    let ms = |share: f64| {
        let index = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len()) - 1;
        times[index].as_secs_f64() * 1e3
    };
    println!(
        "{name}/batch_1         latency: median {:.2} ms, 99th percentile {:.2} ms, of {} images\n",
        ms(0.5),
        ms(0.99),
        times.len()
    );
}

criterion_group!(benches, networks);
criterion_main!(benches);
