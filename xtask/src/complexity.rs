//! `complexity`: FLOPs and parameters by every counting rule, beside the documented ones.

use clap::builder::PossibleValuesParser;
use eval::judge::complexity_figures;
use eval::report::Style;
use eval::verdict::Verdict;
use models::Model;
use models::catalog::FigureName;
use models::complexity::{FlopsRule, ParamsRule};

use crate::options::Select;
use crate::{EXIT_DIFFERS, EXIT_HOLDS, output};

/// Counts FLOPs and parameters by every rule that sources use
///
/// Counts follow from the network's description; no weights are needed. The documented figures stand
/// beside the rule that the catalog gives for them, with a verdict.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    select: Select,

    /// Side of the square input in pixels [default: 224, the model's and the documented one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(32..=8192))]
    input_size: Option<u16>,

    /// Only this counting rule
    #[arg(long, value_name = "R", value_parser = PossibleValuesParser::new(rule_names()))]
    rule: Option<String>,
}

fn rule_names() -> Vec<&'static str> {
    FlopsRule::ALL.map(FlopsRule::name).into_iter().chain(ParamsRule::ALL.map(ParamsRule::name)).collect()
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let catalog = args.select.catalog.load()?;
    let selection = eval::plan::select(&catalog, &args.select.patterns())?;
    let mut table =
        Style::Terminal.table(&["model", "rule", "input", "count", "documented", "verdict", "meaning"]);
    let mut differs = false;
    for model in &selection {
        for row in rows(args, model)? {
            differs |= row.verdict == Some(Verdict::NotReproduced);
            table.add_row([
                model.id.clone(),
                row.rule.to_owned(),
                row.input_size.map_or_else(|| "-".to_owned(), |size| size.to_string()),
                row.count.to_string(),
                row.documented.unwrap_or_default(),
                row.verdict.map_or_else(String::new, |verdict| verdict.to_string()),
                row.meaning,
            ]);
        }
    }
    let text = format!("{table}\n");
    output::print(&text)?;
    Ok(if differs { EXIT_DIFFERS } else { EXIT_HOLDS })
}

/// One count.
struct Row {
    rule: &'static str,
    /// What the rule counts and, beside a documented figure, at which size.
    meaning: String,
    input_size: Option<usize>,
    count: u64,
    documented: Option<String>,
    verdict: Option<Verdict>,
}

fn rows(args: &Args, model: &Model) -> anyhow::Result<Vec<Row>> {
    let device = models::DeviceName::default().init()?;
    let network = model.network().init(&device);
    let (documented, counted_at) = (&model.documented, model.counted_at());
    let [flops, params] = complexity_figures(model, &network.layers(counted_at));
    let wanted = |name: &str| args.rule.as_deref().is_none_or(|rule| rule == name);

    let mut sizes = match args.input_size {
        Some(size) => vec![usize::from(size)],
        None => vec![224, model.input_size, counted_at],
    };
    sizes.sort_unstable();
    sizes.dedup();
    let mut rows = Vec::new();
    for rule in FlopsRule::ALL.into_iter().filter(|rule| wanted(rule.name())) {
        for &size in &sizes {
            let here = size == counted_at && documented.flops_g.as_ref().is_some_and(|it| it.rule == rule);
            rows.push(Row {
                rule: rule.name(),
                meaning: if here { explained(rule, size, model) } else { rule.meaning().to_owned() },
                input_size: Some(size),
                count: rule.count(&network.layers(size)),
                documented: printed(here, &flops.documented, flops.figure),
                verdict: here.then_some(flops.verdict),
            });
        }
    }
    let layers = network.layers(counted_at);
    for rule in ParamsRule::ALL.into_iter().filter(|rule| wanted(rule.name())) {
        let here = documented.params_m.as_ref().is_some_and(|it| it.rule == rule);
        rows.push(Row {
            rule: rule.name(),
            meaning: rule.meaning().to_owned(),
            input_size: None,
            count: rule.count(&layers),
            documented: printed(here, &params.documented, params.figure),
            verdict: here.then_some(params.verdict),
        });
    }
    Ok(rows)
}

/// The rule behind a documented figure, with the size that a reader would not guess.
fn explained(rule: FlopsRule, size: usize, model: &Model) -> String {
    let mut text = format!("{} at {size}x{size}", rule.meaning());
    if size != model.input_size {
        text += &format!(", not {}", model.input_size);
    }
    text
}

fn printed(here: bool, documented: &Option<String>, figure: FigureName) -> Option<String> {
    let unit = if figure == FigureName::FlopsG { "G" } else { "M" };
    documented.as_ref().filter(|_| here).map(|printed| format!("{printed} {unit}"))
}
