//! Runs an ONNX file in tract or rten over images that are cropped and normalised already, and prints
//! what `tools/reference/peer_process.py` prints for the Python runtimes: one line of JSON.
//!
//! usage: peers tract|rten FILE.onnx IMAGES.npy [--batch N] [--threads N] [--limit N]
//!
//! `IMAGES.npy` holds f32 in C order, an image a row, in the layout that the file takes. One batch is run
//! beforehand and reported as `warm_up_s`, like the other runtimes' one; then all images, and their seconds.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use rten_tensor::prelude::*;
use tract_onnx::prelude::{
    DatumType, Framework, InferenceFact, InferenceModelExt, IntoRunnable, IntoTValue, multithread, tvec,
};

const USAGE: &str = "usage: peers tract|rten FILE.onnx IMAGES.npy [--batch N] [--threads N] [--limit N]";

/// Logits of one batch, from the batch's values, an image after the other.
type Network = Box<dyn FnMut(&[f32]) -> anyhow::Result<Vec<f32>>>;

fn main() -> anyhow::Result<()> {
    let mut words = Vec::new();
    let (mut batch, mut threads, mut limit) = (1, 1, usize::MAX);
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        let target = match word.as_str() {
            "--batch" => &mut batch,
            "--threads" => &mut threads,
            "--limit" => &mut limit,
            _ => {
                words.push(word);
                continue;
            }
        };
        *target = arguments.next().and_then(|n| n.parse().ok()).filter(|&n| n > 0).context(USAGE)?;
    }
    let [runtime, file, images] = words.as_slice() else { bail!(USAGE) };
    let (shape, values) = read_npy(Path::new(images)).with_context(|| format!("reading {images}"))?;
    let image_len: usize = shape[1..].iter().product();
    let count = shape[0].min(limit);
    ensure!(count > 0 && count.is_multiple_of(batch), "{count} images do not make whole batches of {batch}");
    let batch_shape: Vec<usize> = std::iter::once(batch).chain(shape[1..].iter().copied()).collect();
    let mut network = match runtime.as_str() {
        "tract" => tract(file, &batch_shape, threads),
        "rten" => rten(file, &batch_shape, threads),
        _ => bail!(USAGE),
    }
    .with_context(|| format!("loading {file} with {runtime}"))?;

    let batches = || values[..count * image_len].chunks_exact(batch * image_len);
    let start = Instant::now();
    network(batches().next().context("no images")?)?;
    let warm_up_s = start.elapsed().as_secs_f64();
    let mut logits = Vec::new();
    let start = Instant::now();
    for values in batches() {
        logits.extend(network(values)?);
    }
    let seconds = start.elapsed().as_secs_f64();

    let best: Vec<(usize, f32)> = logits.chunks_exact(logits.len() / count).map(best).collect();
    let classes: Vec<usize> = best.iter().map(|b| b.0).collect();
    let highest: Vec<f32> = best.iter().map(|b| b.1).collect();
    println!(
        r#"{{"images": {count}, "warm_up_s": {warm_up_s}, "seconds": {seconds}, "top1": {classes:?}, "logit1": {highest:?}}}"#
    );
    Ok(())
}

fn tract(file: &str, shape: &[usize], threads: usize) -> anyhow::Result<Network> {
    if threads > 1 {
        multithread::set_default_executor(multithread::Executor::multithread(threads));
    }
    let model = tract_onnx::onnx()
        .model_for_path(file)?
        .with_input_fact(0, InferenceFact::dt_shape(DatumType::F32, shape))?
        .into_optimized()?
        .into_runnable()?;
    let shape = shape.to_vec();
    Ok(Box::new(move |values| {
        let input = tract_onnx::prelude::Tensor::from_shape(&shape, values)?;
        let output = model.run(tvec!(input.into_tvalue()))?;
        Ok(output[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    }))
}

fn rten(file: &str, shape: &[usize], threads: usize) -> anyhow::Result<Network> {
    let mut options = rten::ModelOptions::with_all_ops();
    options.prepack_weights(true);
    let model = options.load_file(file)?;
    let pool = Arc::new(rten::ThreadPool::with_num_threads(threads));
    let shape = shape.to_vec();
    Ok(Box::new(move |values| {
        let input = rten_tensor::TensorView::from_data(shape.as_slice(), values);
        let options = rten::RunOptions::default().with_thread_pool(Some(Arc::clone(&pool)));
        let output: rten_tensor::Tensor<f32> = model.run_one(input.into(), Some(options))?.try_into()?;
        Ok(output.to_vec())
    }))
}

/// The class with the highest logit, the first of equals, and that logit.
fn best(logits: &[f32]) -> (usize, f32) {
    logits
        .iter()
        .copied()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, at| if at.1 > best.1 { at } else { best })
}

/// Shape and values of a `.npy` file of version 1, f32, C order: what `numpy.save` writes.
fn read_npy(file: &Path) -> anyhow::Result<(Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(file)?;
    ensure!(bytes.len() > 10 && bytes.starts_with(b"\x93NUMPY\x01\x00"), "not a .npy file of version 1.0");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(bytes.get(10..start).context("cut short")?)?;
    ensure!(
        header.contains("'descr': '<f4'") && header.contains("'fortran_order': False"),
        "not f32 in C order: {header}"
    );
    let (_, shape) = header.split_once("'shape': (").context("no shape")?;
    let (shape, _) = shape.split_once(')').context("no shape")?;
    let shape = shape
        .split(',')
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .map(str::parse)
        .collect::<Result<Vec<usize>, _>>()?;
    let values: Vec<f32> =
        bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    ensure!(!shape.is_empty() && values.len() == shape.iter().product::<usize>(), "cut short");
    Ok((shape, values))
}
