//! `complexity`: FLOPs and parameters beside the documented ones, a line a figure, or by every counting rule.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cards::FigureName;
use clap::builder::PossibleValuesParser;
use eval::judge::counts::counts_of;
use eval::judge::{complexity_figures, counted_at};
use eval::record::FigureRecord;
use eval::report::Style;
use eval::verdict::Verdict;
use eval::{Claim, EvalError};
use models::complexity::{Cost, FlopsRule, ParamsRule};
use models::onnx::OnnxFile;
use models::{Catalog, Model, Network};

use crate::options::Select;
use crate::{EXIT_DIFFERS, EXIT_HOLDS, output};

/// Counts FLOPs and parameters, beside the documented ones: a line a figure
///
/// Counts follow from the network's description; no weights are needed. Each figure is counted by the rule that the
/// card gives for it, at the size that the source counted at. --all-rules shows what every rule that sources use counts,
/// at every size that matters; --rule, what one of them does.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    select: Select,

    /// An ONNX file with the 1000 classes of ILSVRC2012, or a folder of them; may be repeated. Counted at the size that the file
    /// takes, where it takes one only
    #[arg(long, value_name = "PATH", conflicts_with_all = ["positional", "all", "model", "card"])]
    onnx: Vec<PathBuf>,

    /// Side of the square input in pixels [default: the documented one; with --rule and --all-rules 224, too, and the model's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(32..=8192))]
    input_size: Option<u16>,

    /// Only this counting rule
    #[arg(long, value_name = "R", value_parser = PossibleValuesParser::new(rule_names()))]
    rule: Option<String>,

    /// Every counting rule
    #[arg(long, conflicts_with = "rule")]
    all_rules: bool,
}

fn rule_names() -> Vec<&'static str> {
    FlopsRule::ALL.map(FlopsRule::name).into_iter().chain(ParamsRule::ALL.map(ParamsRule::name)).collect()
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let selected = args.select.load()?;
    let files = [&args.onnx[..], &selected.definitions.onnx_files(&selected.cards)].concat();
    let selection = match &selected.cards[..] {
        [] if !args.onnx.is_empty() => Vec::new(),
        [] => selected.models()?,
        cards => selected.definitions.select_cards(cards)?,
    };
    let header: &[&str] = if args.by_rules() {
        &["model", "rule", "input", "count", "documented", "verdict", "meaning"]
    } else {
        &["model", "figure", "documented", "counted", "verdict", "count", "why"]
    };
    let mut table = Style::Terminal.table(header);
    let mut differs = false;
    let mut add = |model: &Model, structure: Structure<'_>| -> anyhow::Result<()> {
        let claims = selected.definitions.claims_of(model);
        let is_selected =
            |claim: &&Claim<'_>| selected.cards.is_empty() || selected.cards.contains(&claim.card.name);
        let subject = Counted { model, claim: claims.iter().find(is_selected), structure };
        for (verdict, cells) in lines(args, &subject)? {
            differs |= verdict == Some(Verdict::NotReproduced);
            table.add_row(cells);
        }
        Ok(())
    };
    for model in selection {
        add(model, Structure::Network(&model.network().build()))?;
    }
    for path in eval::onnx::files(&files)? {
        let (model, costs) = onnx(args, &path, selected.definitions.catalog())?;
        add(&model, Structure::Onnx(&costs))?;
    }
    let caveat = if files.is_empty() { String::new() } else { format!("{ONNX_CAVEAT}\n") };
    output::print(&format!("{table}\n{caveat}"))?;
    Ok(if differs { EXIT_DIFFERS } else { EXIT_HOLDS })
}

impl Args {
    fn by_rules(&self) -> bool {
        self.all_rules || self.rule.is_some()
    }
}

/// A row, with its verdict where there is one.
type Line = (Option<Verdict>, [String; 7]);

/// The rows of a model.
fn lines(args: &Args, subject: &Counted<'_>) -> Result<Vec<Line>, EvalError> {
    let model = subject.model;
    if !args.by_rules() {
        let figures = figures(args, subject)?;
        let lines = figures.iter().enumerate();
        return Ok(lines
            .map(|(index, figure)| (Some(figure.verdict), figure_cells(model, index, figure)))
            .collect());
    }
    let cells = |row: CountRow| {
        let cells = [
            model.id.clone(),
            row.rule.to_owned(),
            row.input_size.map_or_else(|| "-".to_owned(), |size| subject.input(size)),
            row.count.to_string(),
            row.documented.unwrap_or_default(),
            row.verdict.map_or_else(String::new, |verdict| verdict.to_string()),
            row.meaning,
        ];
        (row.verdict, cells)
    };
    Ok(rows(args, subject)?.into_iter().map(cells).collect())
}

/// The model that an ONNX file is, and what counting rules see of it at the size that it takes.
fn onnx(args: &Args, path: &Path, catalog: &Catalog) -> anyhow::Result<(Model, Vec<Cost>)> {
    let id = Model::onnx_id(path).map_err(anyhow::Error::msg)?;
    let file = Arc::new(OnnxFile::open(path)?);
    let size = match args.input_size {
        Some(side) => [usize::from(side); 2],
        None => file.image()?.size.map(|declared| declared.unwrap_or(DEFAULT_SIDE)),
    };
    let costs = file.network(size)?.costs()?;
    // Counts need the crop alone of a recipe.
    let [height, width] = size;
    let recipe = format!("resize=none,crop={width}x{height},mean=imagenet,std=imagenet");
    Ok((Model::onnx(id, catalog.recipe(&recipe)?), costs))
}

/// The side of an image where neither the file nor --input-size says one, in pixels.
const DEFAULT_SIDE: usize = 224;

/// Rules count modules, which a file has no longer.
const ONNX_CAVEAT: &str = "Counted of the file's operations. Exporters fold normalisations into convolutions: rules that count them \
(thop, fvcore, paddle.flops), and parameters, are then below what the source's modules give.";

/// What is counted.
#[derive(Clone, Copy)]
enum Structure<'a> {
    /// A network, at any size.
    Network(&'a Network),
    /// What rules see of an ONNX file, at its one size.
    Onnx(&'a [Cost]),
}

/// A model whose operations and parameters are counted, and what is claimed of them.
struct Counted<'a> {
    model: &'a Model,
    claim: Option<&'a Claim<'a>>,
    structure: Structure<'a>,
}

impl Counted<'_> {
    /// The side at which the documented figures were counted; an ONNX file is counted at its own.
    fn counted_at(&self) -> usize {
        match self.structure {
            Structure::Network(_) => counted_at(self.model, self.claim),
            Structure::Onnx(_) => self.model.input_size,
        }
    }

    fn costs(&self, size: usize) -> Result<Cow<'_, [Cost]>, EvalError> {
        match self.structure {
            Structure::Network(network) => {
                network.costs(size).map(Cow::Owned).map_err(EvalError::shape(&self.model.id))
            }
            Structure::Onnx(costs) => Ok(Cow::Borrowed(costs)),
        }
    }

    /// An input of `size`, for people; only a file may take one that is no square.
    fn input(&self, size: usize) -> String {
        match (self.structure, self.model.recipe()) {
            (Structure::Onnx(_), Some(recipe)) => recipe.crop.to_string(),
            _ => size.to_string(),
        }
    }

    /// FLOPs and parameters by the rules of the claim, at the size that it was counted at.
    fn figures(&self, size: usize) -> Result<[FigureRecord; 2], EvalError> {
        let counts = counts_of(&self.costs(size)?, Some(size));
        Ok(complexity_figures(self.model, self.claim, &counts))
    }

    /// The rule of FLOPs and that of parameters, where the card says them.
    fn rules(&self) -> (Option<FlopsRule>, Option<ParamsRule>) {
        let row = self.claim.map(|claim| claim.row);
        let flops = row.and_then(|row| row.flops_g.as_ref()?.rule);
        (flops, row.and_then(|row| row.params_m.as_ref()?.rule))
    }
}

/// FLOPs and parameters by the documented rules, judged where they are counted at the documented size.
fn figures(args: &Args, subject: &Counted<'_>) -> Result<[FigureRecord; 2], EvalError> {
    let (model, counted_at) = (subject.model, subject.counted_at());
    let size = match subject.structure {
        Structure::Network(_) => args.input_size.map_or(counted_at, usize::from),
        Structure::Onnx(_) => counted_at,
    };
    if size == counted_at {
        let [mut flops, params] = subject.figures(size)?;
        flops.reason = explained(&flops, size, model);
        return Ok([flops, params]);
    }
    // As the model counted at another size, which nobody documented.
    let mut elsewhere = model.clone();
    elsewhere.input_size = size;
    let mut row = subject.claim.map(|claim| claim.row.clone());
    if let Some(flops) = row.as_mut().and_then(|row| row.flops_g.as_mut()) {
        flops.input_size = Some(size);
    }
    let mut claim = subject.claim.cloned();
    if let (Some(claim), Some(row)) = (&mut claim, &row) {
        claim.row = row;
    }
    let [mut flops, params] =
        Counted { model: &elsewhere, claim: claim.as_ref(), structure: subject.structure }.figures(size)?;
    if flops.documented.is_some() {
        flops.verdict = Verdict::NotComparable;
        flops.reason = format!("{}; documented at {counted_at}x{counted_at}", flops.rule.unwrap_or_default());
        flops.rule = None;
    }
    Ok([flops, params])
}

fn figure_cells(model: &Model, index: usize, figure: &FigureRecord) -> [String; 7] {
    let (name, unit) = if figure.figure == FigureName::FlopsG { ("FLOPs", "G") } else { ("params", "M") };
    let why = match (&figure.documented, &figure.rule) {
        (None, Some(rule)) => format!("{rule}; {}", figure.reason),
        _ => figure.reason.clone(),
    };
    [
        // Once a model, as in a run's table.
        if index == 0 { model.id.clone() } else { String::new() },
        name.to_owned(),
        figure.documented.as_ref().map_or_else(|| "-".to_owned(), |printed| format!("{printed} {unit}")),
        figure.counted_text().map_or_else(String::new, |counted| format!("{counted} {unit}")),
        figure.verdict.to_string(),
        figure.count.map_or_else(String::new, |count| count.to_string()),
        why,
    ]
}

/// One count.
struct CountRow {
    rule: &'static str,
    /// What the rule counts and, beside a documented figure, at which size.
    meaning: String,
    input_size: Option<usize>,
    count: u64,
    documented: Option<String>,
    verdict: Option<Verdict>,
}

fn rows(args: &Args, subject: &Counted<'_>) -> Result<Vec<CountRow>, EvalError> {
    let (model, counted_at) = (subject.model, subject.counted_at());
    let [flops, params] = subject.figures(counted_at)?;
    let (flops_rule, params_rule) = subject.rules();
    let wanted = |name: &str| args.rule.as_deref().is_none_or(|rule| rule == name);

    let mut sizes = match (subject.structure, args.input_size) {
        (Structure::Onnx(_), _) => vec![counted_at],
        (Structure::Network(_), Some(size)) => vec![usize::from(size)],
        (Structure::Network(_), None) => vec![224, model.input_size, counted_at],
    };
    sizes.sort_unstable();
    sizes.dedup();
    let mut rows = Vec::new();
    for rule in FlopsRule::ALL.into_iter().filter(|rule| wanted(rule.name())) {
        for &size in &sizes {
            let here = size == counted_at && flops_rule == Some(rule);
            rows.push(CountRow {
                rule: rule.name(),
                meaning: if here { explained(&flops, size, model) } else { rule.meaning().to_owned() },
                input_size: Some(size),
                count: rule.count(&subject.costs(size)?),
                documented: printed(here, &flops.documented, flops.figure),
                verdict: here.then_some(flops.verdict),
            });
        }
    }
    let costs = subject.costs(counted_at)?;
    for rule in ParamsRule::ALL.into_iter().filter(|rule| wanted(rule.name())) {
        let here = params_rule == Some(rule);
        rows.push(CountRow {
            rule: rule.name(),
            meaning: if here { params.reason.clone() } else { rule.meaning().to_owned() },
            input_size: None,
            count: rule.count(&costs),
            documented: printed(here, &params.documented, params.figure),
            verdict: here.then_some(params.verdict),
        });
    }
    Ok(rows)
}

/// The reason of the verdict on documented FLOPs, with the size that a reader would not guess.
fn explained(flops: &FigureRecord, size: usize, model: &Model) -> String {
    if size == model.input_size {
        return flops.reason.clone();
    }
    format!("{}; the model is evaluated at {1}x{1}", flops.reason, model.input_size)
}

fn printed(here: bool, documented: &Option<String>, figure: FigureName) -> Option<String> {
    let unit = if figure == FigureName::FlopsG { "G" } else { "M" };
    documented.as_ref().filter(|_| here).map(|printed| format!("{printed} {unit}"))
}
