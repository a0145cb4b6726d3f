//! `parity`: the embedded sample and seeded weights against the frameworks' frozen answers.

use eval::parity::{Parity, TOLERANCE, parity};
use eval::report::Style;
use models::{DeviceName, Dtype, Placement};

use crate::options::Select;
use crate::output::note;
use crate::process::processors;
use crate::{EXIT_DIFFERS, EXIT_HOLDS, output};

/// Compares networks with their source frameworks, logit by logit
///
/// Runs the embedded sample and a seeded input through each network with seeded weights, and compares
/// with what the network's own framework computed for them: every logit, and the order of the five
/// best classes.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    select: Select,

    /// Where to compute: flex; ndarray, wgpu, vulkan or cuda, where they are built in
    #[arg(long, value_name = "NAME", default_value_t = DeviceName::Flex)]
    device: DeviceName,

    /// What to compute in: f32, or where the device has it f16 (GPUs) and bf16 (GPUs, CPUs with AVX512-BF16). Only
    /// f32 is expected to hold
    #[arg(long, value_name = "TYPE", default_value_t = Dtype::F32)]
    dtype: Dtype,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let selected = args.select.load()?;
    let selection = selected.models()?;
    let placement = Placement::new(args.device, args.dtype, processors())?;
    let mut rows = Vec::new();
    for model in &selection {
        note(&format!("{} on {} in {} ...", model.id, args.device, args.dtype));
        rows.push(parity(model, &placement)?);
    }
    let text = table(&rows);
    output::print(&text)?;
    Ok(if rows.iter().all(Parity::holds) { EXIT_HOLDS } else { EXIT_DIFFERS })
}

fn table(rows: &[Parity]) -> String {
    let mut table = Style::Terminal.table(&[
        "model",
        "device",
        "computed by",
        "type",
        "images",
        "max |logit - frozen|",
        "probe",
        "tolerance",
        "top-1 equal",
        "top-5 equal, in order",
        "parity",
    ]);
    for row in rows {
        table.add_row([
            row.id.clone(),
            row.device.to_string(),
            row.engine.clone(),
            row.dtype.to_string(),
            row.images.to_string(),
            format!("{:.2e}", row.max_difference),
            format!("{:.2e}", row.probe_difference),
            format!("{:.2e}", row.tolerance),
            format!("{}/{}", row.equal_top1, row.images),
            format!("{}/{}", row.equal_top5, row.images),
            if row.holds() { "holds" } else { "BROKEN" }.to_owned(),
        ]);
    }
    let mut text = format!(
        "{table}\nTolerance, on every logit: {TOLERANCE:e} times the standard deviation of the frozen logits, or of 1.\n"
    );
    for row in rows {
        if let Some(difference) = &row.first_difference {
            text += &format!("{}: the first stage that differs: {difference}\n", row.id);
        }
    }
    text
}
