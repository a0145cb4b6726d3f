//! What figures, tolerances and errata can be. A card that claims the impossible, or tolerates everything, would
//! make verdicts that mean nothing.

use std::ops::RangeInclusive;

use graph::complexity::{CountingRule, FlopsRule, INPUT_SIZES, ParamsRule};

use crate::card::Row;
use crate::figures::{Counted, Erratum, Figure, FigureName};

/// What an accuracy can be in per cent, and how far one can lie from another in percentage points.
pub(crate) const PER_CENT: RangeInclusive<f64> = 0.0..=100.0;

/// Decimals of an accuracy that mean something: one image of 50,000 is 0.002 %.
const ACCURACY_DECIMALS: u32 = 6;

/// The largest count in its unit; no network comes near.
const LARGEST_COUNT: f64 = 1e9;

/// What is wrong with the figures, tolerances and errata of `row`, and what would be right. `path` is what stands before the
/// figures' keys where the row was read: nothing, or `documented.` in a model's own entry.
pub(crate) fn fault(row: &Row, path: &str) -> Option<String> {
    let figures = FigureName::ALL.into_iter().find_map(|name| {
        let printed = row.printed(name)?;
        of_figure(name, &format!("{path}{}", name.name()), printed)
    });
    let sides = || {
        let flops = row.flops_g.as_ref().and_then(|counted| counted.input_size);
        let params = row.params_m.as_ref().and_then(|counted| counted.input_size);
        let own = row.input_size.map(|side| ("input_size".to_owned(), side));
        let counted = [("flops_g", flops), ("params_m", params)];
        let counted =
            counted.into_iter().filter_map(|(key, side)| Some((format!("{path}{key}.input_size"), side?)));
        own.into_iter().chain(counted).find_map(|(key, side)| of_side(&key, side))
    };
    figures
        .or_else(|| row.flops_g.as_ref().and_then(|counted| of_padding(FigureName::FlopsG, path, counted)))
        .or_else(|| row.params_m.as_ref().and_then(|counted| of_padding(FigureName::ParamsM, path, counted)))
        .or_else(sides)
        .or_else(|| row.errata.iter().enumerate().find_map(|(index, it)| of_erratum(row, index, it)))
        .or_else(|| of_order(row))
        .or_else(|| FigureName::ALL.into_iter().find_map(|name| of_tolerance(row, name)))
}

/// Decimals of the printed figure that mean something.
fn decimals(row: &Row, name: FigureName) -> u32 {
    match name {
        FigureName::Top1Pct | FigureName::Top5Pct => row.printed(name).map_or(0, Figure::decimals),
        FigureName::FlopsG => row.flops_g.as_ref().map_or(0, Counted::decimals),
        FigureName::ParamsM => row.params_m.as_ref().map_or(0, Counted::decimals),
    }
}

fn of_side(key: &str, side: usize) -> Option<String> {
    let (least, most) = (INPUT_SIZES.start(), INPUT_SIZES.end());
    (!INPUT_SIZES.contains(&side)).then(|| format!("{key} is {side}; it must be {least} to {most}"))
}

pub(crate) fn of_figure(name: FigureName, key: &str, figure: &Figure) -> Option<String> {
    let text = figure.as_str();
    let (possible, what, most) = match name {
        FigureName::Top1Pct | FigureName::Top5Pct => {
            (PER_CENT.contains(&figure.value()), "an accuracy is 0 to 100 per cent", ACCURACY_DECIMALS)
        }
        FigureName::FlopsG => (
            figure.value() > 0.0 && figure.value() <= LARGEST_COUNT,
            "FLOPs are more than 0, in units of 10^9",
            FlopsRule::UNIT.ilog10(),
        ),
        FigureName::ParamsM => (
            figure.value() > 0.0 && figure.value() <= LARGEST_COUNT,
            "parameters are more than 0, in units of 10^6",
            ParamsRule::UNIT.ilog10(),
        ),
    };
    if !possible {
        return Some(format!("`{key}` is {text}; {what}"));
    }
    (figure.decimals() > most).then(|| format!("`{key}` is {text}; it can have {most} decimals at most"))
}

/// `decimals` are those of the figure before zeros were put behind it, so there are no more of them than are printed, and
/// nothing but zeros follows.
fn of_padding<R>(name: FigureName, path: &str, counted: &Counted<R>) -> Option<String> {
    let (key, figure, decimals) = (name.name(), counted.figure.as_str(), counted.decimals?);
    let printed = counted.figure.decimals();
    if decimals > printed {
        return Some(format!(
            "`{path}{key}.decimals` is {decimals}, but {figure} has {printed} decimals; it says how many of them mean \
             something, so leave it out or write 0 to {printed}"
        ));
    }
    let rest = counted.figure.in_units_of(printed) % 10_u128.pow(printed - decimals);
    (rest != 0).then(|| {
        format!(
            "`{path}{key}.decimals` is {decimals}, but other digits than zeros follow in {figure}; it is for figures \
             that were padded with zeros, so leave it out"
        )
    })
}

fn of_erratum(row: &Row, index: usize, erratum: &Erratum) -> Option<String> {
    let (name, corrected) = (erratum.figure, &erratum.corrected);
    let key = name.name();
    let Some(printed) = row.printed(name) else {
        return Some(format!(
            "there is an erratum of `{key}`, which is not documented; leave the erratum out"
        ));
    };
    if row.errata[..index].iter().any(|other| other.figure == name) {
        return Some(format!("there are two errata of `{key}`; leave one of them out"));
    }
    if let Some(fault) = of_figure(name, &format!("errata.corrected` of `{key}"), corrected) {
        return Some(fault);
    }
    if corrected.decimals() < decimals(row, name) {
        return Some(format!(
            "the erratum of `{key}` corrects {} to {}, which has fewer decimals; write it as it should have been printed",
            printed.as_str(),
            corrected.as_str()
        ));
    }
    let most = corrected.decimals().max(printed.decimals());
    (corrected.in_units_of(most) == printed.in_units_of(most)).then(|| {
        format!("the erratum of `{key}` corrects {} to itself; leave the erratum out", printed.as_str())
    })
}

/// An image whose best class is right has a right one among five.
pub(crate) fn of_order(row: &Row) -> Option<String> {
    let meant = |name| row.erratum(name).map(|erratum| &erratum.corrected).or_else(|| row.printed(name));
    let (top1, top5) = (meant(FigureName::Top1Pct)?, meant(FigureName::Top5Pct)?);
    (top1.value() > top5.value()).then(|| {
        format!(
            "top1_pct is {} and top5_pct {}; top-1 cannot be above top-5, so look whether they are interchanged",
            top1.as_str(),
            top5.as_str()
        )
    })
}

fn of_tolerance(row: &Row, name: FigureName) -> Option<String> {
    let (tolerance, key) = (row.tolerance.of(name)?, name.name());
    match name {
        FigureName::Top1Pct | FigureName::Top5Pct => (!PER_CENT.contains(&tolerance)).then(|| {
            format!(
                "`tolerance.{key}` is {tolerance}; it must be a number of percentage points from 0 to 100"
            )
        }),
        FigureName::FlopsG | FigureName::ParamsM => {
            let printed = row.printed(name).map_or(LARGEST_COUNT, Figure::value);
            // By half of the figure, FLOPs and multiply-accumulates are one.
            let possible = (0.0..printed / 2.0).contains(&tolerance);
            (!possible).then(|| {
                format!(
                    "`tolerance.{key}` is {tolerance}; it must be a number from 0 on, in the figure's unit, and less than \
                     half of the figure"
                )
            })
        }
    }
}
