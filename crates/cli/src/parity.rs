//! `parity`: the embedded sample and seeded weights against the frameworks' frozen answers.

use std::collections::HashSet;

use eval::parity::{Parity, TOLERANCE, parity};
use eval::report::Style;
use models::{Catalog, DeviceName, Dtype, Model, Placement, reference};

use crate::options::Select;
use crate::output::note;
use crate::process::processors;
use crate::{EXIT_DIFFERS, EXIT_HOLDS, output};

/// Compares networks with their source frameworks, logit by logit
///
/// Runs the embedded sample and a seeded input through each network with seeded weights, and compares
/// with what the network's own framework computed for them: every logit, and the order of the five
/// best classes. A network whose framework's answers are not frozen is named; others of its family stand for it.
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
    let (compared, others): (Vec<&Model>, Vec<&Model>) =
        selection.iter().copied().partition(|model| reference::answers(&model.network).is_some());
    anyhow::ensure!(!compared.is_empty(), "nothing is compared: {}", not_frozen(&others));
    let placement = Placement::new(args.device, args.dtype, processors())?;
    let mut rows = Vec::new();
    for model in &compared {
        note(&format!("{} on {} in {} ...", model.id, args.device, args.dtype));
        rows.push(parity(model, &placement)?);
    }
    let mut text = table(&rows);
    if !others.is_empty() {
        text += &format!("Not compared: {}.\n", not_frozen(&others));
    }
    output::print(&text)?;
    Ok(if rows.iter().all(Parity::holds) { EXIT_HOLDS } else { EXIT_DIFFERS })
}

/// Which of `models` have no frozen answers, and which ones have that are of the same families.
fn not_frozen(models: &[&Model]) -> String {
    let catalog = Catalog::built_in();
    let ids = |models: &[&Model]| models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>().join(", ");
    let families: HashSet<&str> = models.iter().map(|model| model.network().family).collect();
    let frozen: Vec<&Model> =
        catalog.models().iter().filter(|model| families.contains(model.network().family)).collect();
    let frozen: Vec<&Model> =
        frozen.into_iter().filter(|model| reference::answers(&model.network).is_some()).collect();
    format!(
        "no answers of their frameworks are frozen for {}; of the same operations, there are those of {}",
        ids(models),
        ids(&frozen)
    )
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
