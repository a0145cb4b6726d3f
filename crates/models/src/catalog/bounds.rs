//! What figures, tolerances and errata can be. A catalog that documents the impossible, or tolerates everything, would
//! make verdicts that mean nothing.

use std::ops::RangeInclusive;

use super::{Counted, Erratum, Figure, FigureName, Model};
use crate::complexity::{CountingRule, FlopsRule, ParamsRule};

/// What an accuracy can be in per cent, and how far one can lie from another in percentage points.
pub(super) const PER_CENT: RangeInclusive<f64> = 0.0..=100.0;

/// Decimals of an accuracy that mean something: one image of 50,000 is 0.002 %.
const ACCURACY_DECIMALS: u32 = 6;

/// The largest count in its unit; no network comes near.
const LARGEST_COUNT: f64 = 1e9;

/// What is wrong with the figures, tolerances and errata of `model`, and what would be right.
pub(super) fn fault(model: &Model) -> Option<String> {
    let figures = FigureName::ALL.into_iter().find_map(|name| {
        let printed = printed(model, name)?;
        of_figure(name, &format!("documented.{}", name.name()), printed)
    });
    let documented = &model.documented;
    figures
        .or_else(|| documented.flops_g.as_ref().and_then(|counted| of_padding(FigureName::FlopsG, counted)))
        .or_else(|| documented.params_m.as_ref().and_then(|counted| of_padding(FigureName::ParamsM, counted)))
        .or_else(|| model.errata.iter().enumerate().find_map(|(index, it)| of_erratum(model, index, it)))
        .or_else(|| of_order(model))
        .or_else(|| FigureName::ALL.into_iter().find_map(|name| of_tolerance(model, name)))
}

fn printed(model: &Model, name: FigureName) -> Option<&Figure> {
    let documented = &model.documented;
    match name {
        FigureName::Top1Pct => documented.top1_pct.as_ref(),
        FigureName::Top5Pct => documented.top5_pct.as_ref(),
        FigureName::FlopsG => documented.flops_g.as_ref().map(|counted| &counted.figure),
        FigureName::ParamsM => documented.params_m.as_ref().map(|counted| &counted.figure),
    }
}

/// Decimals of the printed figure that mean something.
fn decimals(model: &Model, name: FigureName) -> u32 {
    let documented = &model.documented;
    match name {
        FigureName::Top1Pct | FigureName::Top5Pct => printed(model, name).map_or(0, Figure::decimals),
        FigureName::FlopsG => documented.flops_g.as_ref().map_or(0, Counted::decimals),
        FigureName::ParamsM => documented.params_m.as_ref().map_or(0, Counted::decimals),
    }
}

fn of_figure(name: FigureName, key: &str, figure: &Figure) -> Option<String> {
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
fn of_padding<R>(name: FigureName, counted: &Counted<R>) -> Option<String> {
    let (key, figure, decimals) = (name.name(), counted.figure.as_str(), counted.decimals?);
    let printed = counted.figure.decimals();
    if decimals > printed {
        return Some(format!(
            "`documented.{key}.decimals` is {decimals}, but {figure} has {printed} decimals; it says how many of them mean \
             something, so leave it out or write 0 to {printed}"
        ));
    }
    let rest = counted.figure.in_units_of(printed) % 10_u128.pow(printed - decimals);
    (rest != 0).then(|| {
        format!(
            "`documented.{key}.decimals` is {decimals}, but other digits than zeros follow in {figure}; it is for figures \
             that were padded with zeros, so leave it out"
        )
    })
}

fn of_erratum(model: &Model, index: usize, erratum: &Erratum) -> Option<String> {
    let (name, corrected) = (erratum.figure, &erratum.corrected);
    let key = name.name();
    let Some(printed) = printed(model, name) else {
        return Some(format!(
            "there is an erratum of `{key}`, which is not documented; leave the erratum out"
        ));
    };
    if model.errata[..index].iter().any(|other| other.figure == name) {
        return Some(format!("there are two errata of `{key}`; leave one of them out"));
    }
    if let Some(fault) = of_figure(name, &format!("errata.corrected` of `{key}"), corrected) {
        return Some(fault);
    }
    if corrected.decimals() < decimals(model, name) {
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
fn of_order(model: &Model) -> Option<String> {
    let meant = |name| model.erratum(name).map(|erratum| &erratum.corrected).or_else(|| printed(model, name));
    let (top1, top5) = (meant(FigureName::Top1Pct)?, meant(FigureName::Top5Pct)?);
    (top1.value() > top5.value()).then(|| {
        format!(
            "top1_pct is {} and top5_pct {}; top-1 cannot be above top-5, so look whether they are interchanged",
            top1.as_str(),
            top5.as_str()
        )
    })
}

fn of_tolerance(model: &Model, name: FigureName) -> Option<String> {
    let (tolerance, key) = (model.tolerance.of(name)?, name.name());
    match name {
        FigureName::Top1Pct | FigureName::Top5Pct => (!PER_CENT.contains(&tolerance)).then(|| {
            format!(
                "`tolerance.{key}` is {tolerance}; it must be a number of percentage points from 0 to 100"
            )
        }),
        FigureName::FlopsG | FigureName::ParamsM => {
            let printed = printed(model, name).map_or(LARGEST_COUNT, Figure::value);
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
