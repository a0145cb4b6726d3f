//! `inspect`: what an ONNX file or a checkpoint is, before anything is run on it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eval::report::Style;
use models::complexity::ParamsRule;
use models::onnx::{OnnxError, OnnxFile, OnnxNetwork};
use models::{Checkpoint, Classifier, ComputedBy, Shares};

use crate::{EXIT_DIFFERS, EXIT_HOLDS, output};

/// What an ONNX file or a checkpoint is: inputs, operations, what computes each, what is not supported and where, parameters
///
/// Exit code 1 where an ONNX file cannot be evaluated, with the reason.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An ONNX file, or a checkpoint of any format that is read
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// Side of the square image, in pixels, where an ONNX file leaves it open
    #[arg(long, value_name = "N", default_value = "224", value_parser = clap::value_parser!(u16).range(1..=8192))]
    input_size: u16,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let path = args.path.as_path();
    match OnnxFile::open(path) {
        Ok(file) => onnx(&Arc::new(file), args.input_size.into()),
        // What does not look like one is perhaps a checkpoint.
        Err(no_model @ OnnxError::NoModel { .. }) => match Checkpoint::open(path) {
            Ok(checkpoint) => self::checkpoint(path, &checkpoint),
            Err(_) if path.extension().is_some_and(|ending| ending == "onnx") => Err(no_model.into()),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn checkpoint(path: &Path, checkpoint: &Checkpoint) -> anyhow::Result<u8> {
    let mut table = Style::Terminal.table(&["tensor", "shape", "type"]);
    let (mut tensors, mut elements) = (0, 0_u64);
    for tensor in checkpoint.tensors() {
        let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
        table.add_row([tensor.name.clone(), shape.join("x"), format!("{:?}", tensor.dtype)]);
        tensors += 1;
        elements += tensor.shape.iter().map(|&axis| axis as u64).product::<u64>();
    }
    let prefix =
        checkpoint.prefix().map(|prefix| format!("; `{prefix}` stood before every name")).unwrap_or_default();
    let text = format!(
        "{}: a checkpoint from {}, {tensors} tensors of {elements} elements{prefix}\n{table}\n",
        path.display(),
        checkpoint.origin()
    );
    output::print(&text)?;
    Ok(EXIT_HOLDS)
}

fn onnx(file: &Arc<OnnxFile>, side: usize) -> anyhow::Result<u8> {
    let mut text = format!("{}: ONNX, opset {}", file.path().display(), file.opset());
    if !file.producer().is_empty() {
        let _ = write!(text, ", by {}", file.producer());
    }
    text += "\n";
    let _ = writeln!(text, "takes     {}", file.declared_inputs().join(", "));
    let _ = writeln!(text, "puts out  {}", file.declared_outputs().join(", "));
    let network =
        file.image().and_then(|image| file.network(image.size.map(|declared| declared.unwrap_or(side))));
    match &network {
        Ok(network) => text += &of_network(file, network)?,
        Err(error) => {
            let _ = writeln!(text, "{}", counts(file));
            for (operation, node) in file.unsupported() {
                let _ = writeln!(text, "not supported: {operation}, first at `{node}`");
            }
            let _ = writeln!(text, "cannot be evaluated: {error}");
        }
    }
    output::print(&text)?;
    Ok(if network.is_ok() { EXIT_HOLDS } else { EXIT_DIFFERS })
}

/// The operations of a file that is no network here.
fn counts(file: &OnnxFile) -> String {
    let unsupported = file.unsupported();
    let mut table = Style::Terminal.table(&["operation", "nodes", "supported"]);
    for (operation, count) in file.operations() {
        let supported = if unsupported.contains_key(operation) { "no" } else { "yes" };
        table.add_row([operation.to_owned(), count.to_string(), supported.to_owned()]);
    }
    table.to_string()
}

fn of_network(file: &OnnxFile, network: &OnnxNetwork) -> anyhow::Result<String> {
    let computed_by = Classifier::computed_by(network);
    let engine = match computed_by {
        ComputedBy::Kernels => "kernels",
        ComputedBy::Both(_) => "both",
        ComputedBy::Burn(_) => "Burn",
    };
    let mut table = Style::Terminal.table(&["operation", "nodes", "folded", engine, "not needed"]);
    let all: BTreeMap<&str, usize> = file.operations();
    for (operation, nodes) in all {
        let count = network.operations().get(operation).copied().unwrap_or_default();
        let rest = nodes - count.folded - count.computed;
        let cell = |count: usize| if count == 0 { String::new() } else { count.to_string() };
        table.add_row([
            operation.to_owned(),
            nodes.to_string(),
            cell(count.folded),
            cell(count.computed),
            cell(rest),
        ]);
    }
    let [height, width] = network.size();
    let mut text = format!("image     {width}x{height} pixels\n{table}\n");
    let computed = network.graph().nodes().len();
    match computed_by {
        ComputedBy::Kernels => {
            let _ = writeln!(text, "{computed} operations are left, computed by the kernels");
        }
        ComputedBy::Both(Shares { operations, elsewhere, names }) => {
            let _ = writeln!(
                text,
                "{operations} operations are left, {elsewhere} of them computed by Burn's operations, since the kernels lack them or compute nothing between them: {}",
                names.join(", ")
            );
        }
        ComputedBy::Burn(reason) => {
            let _ = writeln!(
                text,
                "{computed} operations are left, computed by Burn's operations, since the kernels lack something: {reason}"
            );
        }
    }
    for note in network.notes() {
        let _ = writeln!(text, "{note}");
    }
    let parameters = ParamsRule::Trainable.count(&network.costs()?);
    let _ =
        writeln!(text, "{parameters} parameters of convolutions, fully connected layers and normalisations");
    Ok(text)
}
