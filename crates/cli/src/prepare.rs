//! `prepare`: the exact inputs of a recipe as files, for a device that runs elsewhere.

use std::num::NonZero;
use std::path::PathBuf;

use clap::value_parser;
use dataset::Dataset;
use eval::prepare::{MANIFEST, Preparation, TensorFormat, TensorLayout, TensorSpec, TensorValues, prepare};
use eval::report::visible;
use models::Threads;

use crate::options::CatalogArgs;
use crate::output::note;
use crate::process::{invocation, processors, stop_on_signal};
use crate::progress::Count;
use crate::{EXIT_HOLDS, EXIT_INTERRUPTED, EXIT_WRONG, output};

/// Writes the exact input tensors of a recipe, with a manifest of hashes, for a device that runs elsewhere
///
/// A tensor is a file an image, in DIR/tensors under the image's name; DIR/manifest.json says the recipe by its keys, the shape, and for
/// each image the SHA-256 of its bytes and of its tensor.
///
/// Interrupted, the same command goes on: files that are right already are not written again. An image that cannot be read or
/// decoded has no tensor and is named in the manifest; the exit code is 2 then.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A recipe's name, its keys, or a file that states one (as `eval --recipe`; source and card are of a model, so they mean nothing here)
    #[arg(long, value_name = "RECIPE")]
    recipe: String,

    /// The images, as for eval
    #[arg(long, value_name = "PATH")]
    data: PathBuf,

    /// A list of labels, as for eval: the manifest has them
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// The folder to write to: a new one, an empty one, or that of the same preparation
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// f32 (the network's input: normalised) or u8 (pixels, which the device normalises)
    #[arg(long, value_name = "VALUES", default_value_t = TensorValues::F32)]
    values: TensorValues,

    /// nchw or nhwc, a batch of one in front
    #[arg(long, value_name = "LAYOUT", default_value_t = TensorLayout::Nchw)]
    layout: TensorLayout,

    /// npz (NumPy's archive with one array, `input`) or raw (the numbers alone, little-endian)
    #[arg(long, value_name = "FORMAT", default_value_t = TensorFormat::Npz)]
    format: TensorFormat,

    /// Only the first N images, in the order of their names
    #[arg(long, value_name = "N")]
    limit: Option<NonZero<usize>>,

    /// Threads [default: one a processor]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    #[command(flatten)]
    catalog: CatalogArgs,
}

/// Images without a tensor that are named.
const SHOWN: usize = 5;

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let recipe = args.catalog.load()?.catalog().recipe(&args.recipe)?;
    let mut dataset = Dataset::open(&args.data, args.labels.as_deref())?;
    dataset.truncate(args.limit.map_or(usize::MAX, NonZero::get));
    let threads = Threads::new(args.threads.map_or_else(processors, usize::from))?;
    let spec = TensorSpec { values: args.values, layout: args.layout, format: args.format };
    let work = Preparation {
        dataset: &dataset,
        data: std::path::absolute(&args.data).unwrap_or_else(|_| args.data.clone()).display().to_string(),
        recipe: &recipe,
        spec,
        out: &args.out,
        invocation: invocation(),
    };
    let stop = stop_on_signal("Stopping after the images at hand; once more to stop at once.")?;
    let mut count = Count::new(dataset.items().len());
    let prepared = prepare(&work, &threads, &stop, || count.image());
    count.finish();
    let Some(manifest) = prepared? else {
        note(&format!(
            "Interrupted: what was written to {} stays. The same command goes on from there.",
            args.out.display()
        ));
        return Ok(EXIT_INTERRUPTED);
    };
    let failed: Vec<_> = manifest.images.iter().filter(|image| image.error.is_some()).collect();
    let [n, a, b, c] = manifest.shape;
    let mut text = format!(
        "{} tensors of {n}x{a}x{b}x{c} {} ({}) by {}\nManifest: {}\n",
        manifest.images.len() - failed.len(),
        spec.values,
        spec.layout,
        visible(&manifest.recipe_in_full),
        args.out.join(MANIFEST).display(),
    );
    if let Some(caveat) = recipe.caveat() {
        text += &format!("{caveat}\n");
    }
    output::print(&text)?;
    for image in failed.iter().take(SHOWN) {
        note(&format!("{} has no tensor: {}", image.image, image.error.as_deref().unwrap_or_default()));
    }
    if failed.is_empty() {
        return Ok(EXIT_HOLDS);
    }
    note(&format!(
        "error: {} of {} images have no tensor; the manifest names them",
        failed.len(),
        manifest.images.len()
    ));
    Ok(EXIT_WRONG)
}
