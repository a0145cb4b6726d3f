//! Cards: files of one's own, and tables of others. What is read of either is written as TOML and is the same again.

use std::io;
use std::path::Path;

use cards::{Card, Cards, FigureName, foreign, to_toml};

use super::{MEMORY_BYTES, fixtures, put, texts};
use crate::{Outcome, Target};

pub(super) const CARD: Target = Target {
    name: "card",
    about: "a card of one's own: rows, errata, what a catalog documents",
    seeds: cards,
    words: &[
        b"[card]\n",
        b"[[rows]]\n",
        b"[[rows.errata]]\n",
        b"[[models]]\n",
        b"[models.documented]\n",
        b"rule = \"unstated\"",
        b"dtype = \"int8\"\n",
        b"decimals = 400\n",
        b"tolerance = { top1_pct = 99999 }\n",
        b"accuracy_tolerance_pp = nan\n",
        b"model = \"\\u202e\"\n",
        b"[[[[[[[[",
        b"{a={a={a={",
        b"\xff",
        b"\0",
    ],
    mend: None,
    memory_bytes: MEMORY_BYTES,
    read: read_card,
};

pub(super) const FOREIGN_CARD: Target = Target {
    name: "foreign-card",
    about: "tables of others: Markdown, timm's results, metafiles",
    seeds: pages,
    words: &[
        b"|",
        b"\\|",
        b"| --- |",
        b"[x](",
        b"](",
        b"<br>",
        b"&#1114112;",
        b"&#x",
        b"**",
        b"```\n",
        b"99999999999999999999G",
        b"1,014.45",
        b"model,top1,",
        b"\"",
        b"Models:\n",
        b"  - ",
        b"&a ",
        b"*a",
        b"!!binary ",
        b"? ",
        b"{{{{{{{{",
        b"[[[[[[[[",
        b"\xe4\xb8",
        b"\0",
    ],
    mend: None,
    memory_bytes: MEMORY_BYTES,
    read: read_page,
};

fn read_card(_folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let text = String::from_utf8_lossy(bytes);
    let mut known = Cards::built_in();
    let before = known.all().len();
    if outcome.of(known.add(&text, "card.toml").map(|name| name.map(str::to_owned))).is_some() {
        known.all().iter().skip(before).for_each(|card| check(card, outcome));
    }
}

fn read_page(folder: &Path, bytes: &[u8], outcome: &mut Outcome) {
    let path = folder.join("results.csv");
    put(&path, bytes);
    if let Some(reading) = outcome.of(foreign::read(&path, Some("page"))) {
        for unread in reading.unread.iter().chain(&reading.remarks) {
            assert!(unread.line > 0, "{unread}");
        }
        check(&reading.card, outcome);
    }
}

/// Whether a card has only what a card can have, and is the same once it is written.
fn check(card: &Card, outcome: &mut Outcome) {
    for row in &card.rows {
        for name in FigureName::ALL {
            if let Some(figure) = row.printed(name) {
                assert!(figure.value().is_finite(), "{figure:?}");
                outcome.say(name.name());
            }
        }
    }
    // A card without a head is called by its file, which a head cannot say of every name.
    let has_head = card.name != card.origin;
    let again = Card::of_toml(&to_toml(card, &[]), &card.origin, &card.name);
    assert!(!has_head || matches!(&again, Ok(Some(again)) if again == card), "{again:?} of {card:?}");
}

fn cards() -> io::Result<Vec<Vec<u8>>> {
    let head = "[card]\nname = \"mine\"\n";
    let mut seeds = texts([
        format!(
            "{head}title = \"t\"\nrecipe = \"card-342-bilinear\"\naccuracy_tolerance_pp = 0.1\n[[rows]]\nmodel = \"timm/xception\"\ntop1_pct = \"79.050\"\n\
             flops_g = {{ figure = \"9.200\", rule = \"unstated\", input_size = 224, decimals = 1 }}\n\
             [[rows.errata]]\nfigure = \"flops_g\"\ncorrected = \"9.3\"\nreason = \"r\"\n"
        ),
        format!("{head}[[rows]]\nmodel = \"a b\"\ndtype = \"int8\"\ncrop_pct = \"0.9\"\ntolerance = {{ params_m = 0.1 }}\nnote = \"n\"\n"),
        "[[models]]\nid = \"mine/x\"\ntolerance = { top1_pct = 0.2 }\n[models.documented]\ntop1_pct = \"79.050\"\n".to_owned(),
    ]);
    let own = fixtures("datasets/cards", &["xception.toml", "timm-results.toml"])?;
    // Under names that are not there yet.
    seeds.extend(
        own.iter()
            .map(|own| String::from_utf8_lossy(own).replacen("name = \"", "name = \"my-", 1).into_bytes()),
    );
    Ok(seeds)
}

fn pages() -> io::Result<Vec<Vec<u8>>> {
    fixtures("crates/cards/tests/foreign", &["zoo.md", "units.md", "results-imagenet.csv", "metafile.yml"])
}
