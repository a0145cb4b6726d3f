//! Tables of others: read as cards, and measured figures written as such tables.

use std::path::{Path, PathBuf};

use anyhow::Context;
use cards::Cards;
use cards::foreign::Form;
use clap::builder::PossibleValuesParser;
use eval::report::card_text;
use eval::stored::StoredRun;
use eval::stored::verified::verified;
use models::complexity::{FlopsRule, ParamsRule};

use super::Out;
use crate::options::JudgedBy;
use crate::output::note;
use crate::{EXIT_DIFFERS, EXIT_HOLDS, output};

#[derive(clap::Args)]
pub(super) struct ReadArgs {
    /// The table of others; its form shows by its content
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What the card is called [default: the name of the file, or of its folder]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// By which rule all its FLOPs were counted
    #[arg(long, value_name = "R", value_parser = PossibleValuesParser::new(FlopsRule::NAMES))]
    flops_rule: Option<String>,

    /// By which rule all its parameters were counted
    #[arg(long, value_name = "R", value_parser = PossibleValuesParser::new(ParamsRule::NAMES))]
    params_rule: Option<String>,

    #[command(flatten)]
    out: Out,
}

#[derive(clap::Args)]
pub(super) struct WriteArgs {
    /// A run directory
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// The form: markdown, timm-csv or metafile
    #[arg(long, value_name = "FORM", value_parser = PossibleValuesParser::new(Form::ALL.map(Form::name)))]
    to: String,

    #[command(flatten)]
    out: Out,

    #[command(flatten)]
    judged_by: JudgedBy,
}

/// `card read`.
pub(super) fn read(args: &ReadArgs) -> anyhow::Result<u8> {
    let mut reading = cards::foreign::read(&args.file, args.name.as_deref())?;
    let card = &mut reading.card;
    // A file of the same name as a card of ours is another table.
    if args.name.is_none() && Cards::built_in().get(&card.name).is_ok() {
        card.name += "-read";
    }
    let flops = FlopsRule::ALL.into_iter().find(|rule| Some(rule.name()) == args.flops_rule.as_deref());
    let params = ParamsRule::ALL.into_iter().find(|rule| Some(rule.name()) == args.params_rule.as_deref());
    for row in &mut card.rows {
        row.flops_g.iter_mut().for_each(|counted| counted.rule = flops);
        row.params_m.iter_mut().for_each(|counted| counted.rule = params);
    }
    let from = args.file.file_name().unwrap_or(args.file.as_os_str()).to_string_lossy();
    let remarks = [format!("Read from {from} ({}) by `card read`.", reading.form.name())];
    for unread in &reading.remarks {
        note(&format!("{}: {unread}", args.file.display()));
    }
    for unread in &reading.unread {
        note(&format!("not read: {}: {unread}", args.file.display()));
    }
    let (rows, unread) = (reading.card.rows.len(), reading.unread.len());
    put(&cards::to_toml(&reading.card, &remarks), args.out.out.as_deref())?;
    note(&format!("{rows} rows read, {unread} rows or figures not"));
    Ok(if unread == 0 { EXIT_HOLDS } else { EXIT_DIFFERS })
}

/// `card write`.
pub(super) fn write(args: &WriteArgs) -> anyhow::Result<u8> {
    let (definitions, cards) = args.judged_by.load()?;
    let run = StoredRun::open(&args.run)?;
    let record = run.judged(&definitions, &cards, None)?;
    let verified = verified(&run, &record, &definitions);
    for line in &verified.left_out {
        note(&format!("left out: {line}"));
    }
    let form = Form::ALL.into_iter().find(|form| form.name() == args.to).unwrap_or(Form::Markdown);
    put(&card_text(&verified.page(), form), args.out.out.as_deref())?;
    Ok(EXIT_HOLDS)
}

/// Writes `text` to the file `out`, whole or not at all, or to standard output.
fn put(text: &str, out: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = out else { return output::print(text) };
    eval::run_dir::write_whole(path, text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}
