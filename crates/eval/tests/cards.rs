//! Claims against what networks count, and cards in the form of others' tables and back.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::path::{Path, PathBuf};

use cards::foreign::{self, Form};
use cards::{DEFAULT_CARD, FigureName, Row, to_toml};
use eval::judge::complexity_figures;
use eval::judge::counts::{CountRecord, counts};
use eval::record::RunRecord;
use eval::report::{CardPage, WHOLE_SET, card_text, claims_csv};
use eval::stored::StoredRun;
use eval::stored::verified::verified;
use eval::verdict::Verdict;
use eval::{Definitions, Remedy};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// What is built in, and a card of a file.
fn with(text: &str) -> Result<Definitions, eval::EvalError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    fs::write(&path, text).unwrap();
    let mut definitions = Definitions::built_in();
    definitions.add_file(&path).map(|_| definitions)
}

fn counts_of(definitions: &Definitions, row: &Row) -> Vec<CountRecord> {
    let model = definitions.catalog().get(&row.model).unwrap();
    let mut sizes =
        vec![model.input_size, row.flops_g.as_ref().unwrap().input_size.unwrap_or(model.input_size)];
    sizes.dedup();
    counts(&model.network().build(), &sizes).unwrap()
}

/// `figure` with its digit number `index` from the end one more or one less.
fn changed(figure: &str, index: usize, up: bool) -> String {
    let digits: Vec<usize> =
        figure.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
    let at = digits[digits.len() - 1 - index];
    let digit = figure[at..=at].parse::<u8>().unwrap();
    let other = if up { (digit + 1) % 10 } else { (digit + 9) % 10 };
    format!("{}{other}{}", &figure[..at], &figure[at + 1..])
}

/// Every count that the table claims, changed by one in the last digit that means something: never reproduced, nor an erratum.
#[test]
fn a_figure_that_was_changed_is_flagged() {
    let built_in = Definitions::built_in();
    let text = fs::read_to_string(repository("datasets/cards/xception.toml")).unwrap();
    let text = text.replacen("name = \"xception\"", "name = \"copy\"", 1);
    let mut flagged = 0;
    for row in &built_in.cards().get(DEFAULT_CARD).unwrap().rows {
        let counts = counts_of(&built_in, row);
        let padding = |name| match name {
            FigureName::FlopsG => row.flops_g.as_ref().map(|it| it.figure.decimals() - it.decimals()),
            _ => row.params_m.as_ref().map(|it| it.figure.decimals() - it.decimals()),
        };
        for (index, name) in [FigureName::FlopsG, FigureName::ParamsM].into_iter().enumerate() {
            let printed = row.printed(name).unwrap().as_str();
            for up in [true, false] {
                let wrong = changed(printed, padding(name).unwrap() as usize, up);
                let begin = text.find(&format!("model = \"{}\"\n", row.model)).unwrap();
                let (before, after) = text.split_at(begin);
                let line = format!("{} = {{ figure = \"{printed}\"", name.name());
                assert!(after.contains(&line), "{line}");
                let copy = format!("{before}{}", after.replacen(&line, &line.replace(printed, &wrong), 1));
                let definitions = with(&copy).unwrap();
                let model = definitions.catalog().get(&row.model).unwrap();
                let claims = definitions.claims_of(model);
                assert_eq!(claims.len(), 2, "{}", row.model);
                let verdict =
                    |claim: usize| complexity_figures(model, Some(&claims[claim]), &counts)[index].verdict;
                assert_eq!(verdict(1), Verdict::NotReproduced, "{} {wrong}", row.model);
                // The table's own claim is judged as ever.
                assert_ne!(verdict(0), Verdict::NotReproduced);
                flagged += 1;
            }
        }
    }
    assert_eq!(flagged, 48);
}

#[test]
fn each_card_is_judged_by_its_own_tolerance_and_rule() {
    let card = |tolerance: &str, rule: &str| {
        let head = format!("[card]\nname = \"own\"\n[[rows]]\nmodel = \"timm/xception\"\n{tolerance}");
        with(&format!("{head}flops_g = {{ figure = \"9.3\", rule = \"{rule}\", input_size = 224 }}\n"))
            .unwrap()
    };
    let verdicts = |definitions: &Definitions| {
        let model = definitions.catalog().get("timm/xception").unwrap();
        let claims = definitions.claims_of(model);
        let counts = counts_of(definitions, claims[0].row);
        claims
            .iter()
            .map(|claim| complexity_figures(model, Some(claim), &counts)[0].verdict)
            .collect::<Vec<_>>()
    };
    use Verdict::{NotComparable, NotReproduced, Reproduced};
    assert_eq!(verdicts(&card("", "thop-flops")), [Reproduced, NotReproduced]);
    assert_eq!(verdicts(&card("tolerance = { flops_g = 0.2 }\n", "thop-flops")), [Reproduced, Reproduced]);
    assert_eq!(verdicts(&card("", "unstated")), [Reproduced, NotComparable]);
    let source_prints =
        |figure: &str| verdicts(&card("", &format!("unstated\", source_figure = \"{figure}")));
    assert_eq!(source_prints("9.300"), [Reproduced, NotComparable]);
    assert_eq!(source_prints("9.200"), [Reproduced, NotReproduced]);
}

/// The reference report is from before there were cards; it is read, and judged by them.
#[test]
fn a_run_is_judged_by_every_card() {
    let run = StoredRun::open(&repository("reports/sample")).unwrap();
    let own = "[card]\nname = \"own\"\n[[rows]]\nmodel = \"timm/xception\"\ntop1_pct = \"79.0\"\n\
               flops_g = { figure = \"9.199\", rule = \"thop-flops\", input_size = 224 }\n\
               [[rows]]\nmodel = \"timm/no_such\"\ntop1_pct = \"1.0\"\n";
    let definitions = with(own).unwrap();
    let judged = |cards: &[String]| run.judged(&definitions, cards, None).unwrap();
    let claims = |record: &RunRecord| -> Vec<(String, String)> {
        let of_model = record
            .claims()
            .filter(|claim| claim.model.starts_with("timm/xception") && claim.model.len() == 13);
        of_model
            .map(|claim| (claim.card.clone(), format!("{} {}", claim.figure.name(), claim.verdict)))
            .collect()
    };
    let all = [
        ("xception", "top1_pct not comparable"),
        ("xception", "top5_pct not comparable"),
        ("xception", "flops_g reproduced"),
        ("xception", "params_m reproduced"),
        ("own", "top1_pct not comparable"),
        ("own", "flops_g not reproduced"),
    ];
    let all = all.map(|(card, said)| (card.to_owned(), said.to_owned()));
    let record = judged(&[]);
    assert_eq!(claims(&record), all);
    // The table's figures are shown and decide, unless another card is selected.
    assert_eq!((record.models[0].card.as_deref(), record.differs()), (Some("xception"), false));
    let selected = judged(&["own".to_owned()]);
    assert_eq!(claims(&selected), all);
    assert_eq!((selected.models[0].card.as_deref(), selected.differs()), (Some("own"), true));
    assert_eq!(selected.models[1].card, None);
    let absent = selected.claims().last().unwrap();
    assert_eq!((absent.model.as_str(), absent.verdict), ("timm/no_such", Verdict::NotComparable));
    assert!(
        selected
            .not_compared()
            .iter()
            .any(|line| line.contains("timm/no_such top1_pct of card own: not measured"))
    );
    let text = claims_csv(&selected);
    assert!(text.starts_with("card,model,recipe,figure,documented,measured,rule,verdict,reason\n"), "{text}");
    let row = "own,timm/xception,timm-333-bicubic,flops_g,9.199,9.198,thop-flops,not reproduced,";
    assert!(text.contains(row), "{text}");

    // A run that was made with a card of a file is judged by it again, or not at all.
    let stored = StoredRun { path: run.path.clone(), record: selected };
    assert_eq!(stored.judged(&definitions, &[], None).unwrap().cards, ["own"]);
    let error = stored.judged(&Definitions::built_in(), &[], None).unwrap_err();
    assert!(error.to_string().contains("made with the card `own`, which is not built in"), "{error}");
    assert_eq!(error.remedy(), Some(Remedy::CardFile));
}

#[test]
fn what_is_read_and_written_is_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    for (name, form) in [
        ("zoo.md", Form::Markdown),
        ("units.md", Form::Markdown),
        ("results-imagenet.csv", Form::TimmCsv),
        ("metafile.yml", Form::Metafile),
    ] {
        let reading =
            foreign::read(&repository("crates/cards/tests/foreign").join(name), Some("page")).unwrap();
        assert_eq!(reading.form, form);
        let page = CardPage {
            card: &reading.card,
            dataset: WHOLE_SET.to_owned(),
            provenance: vec!["Written by a [test](x)".to_owned()],
            rows: Vec::new(),
        };
        let path = folder.path().join(name);
        fs::write(&path, card_text(&page, form)).unwrap();
        let again = foreign::read(&path, Some("page")).unwrap();
        assert_eq!(again.unread, [], "{name}");
        assert_eq!(again.card.rows, reading.card.rows, "{name}");
        assert_eq!(again.card.title, reading.card.title, "{name}");
    }
}

/// Text from elsewhere is text, and comes back as it was.
#[test]
fn hostile_names_are_text_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a|b", "[x](y)", "<img src=x>", "*a* `b`", "a\\|b", "=1+1", "# x", "- a: 'b' \"c\" \\"] {
        let row = Row { model: format!("mine/{name}"), note: Some(name.to_owned()), ..Row::default() };
        let mut card = Definitions::built_in().cards().get(DEFAULT_CARD).unwrap().clone();
        card.rows = vec![Row { top1_pct: card.rows[0].top1_pct.clone(), ..row }];
        let toml = to_toml(&card, &[]);
        assert_eq!(cards::Card::of_toml(&toml, &card.origin, "x").unwrap().unwrap(), card);
        for (file, form) in [("x.md", Form::Markdown), ("x.csv", Form::TimmCsv), ("x.yml", Form::Metafile)] {
            let page = CardPage {
                card: &card,
                dataset: WHOLE_SET.to_owned(),
                provenance: Vec::new(),
                rows: Vec::new(),
            };
            let path = folder.path().join(file);
            fs::write(&path, card_text(&page, form)).unwrap();
            let again = foreign::read(&path, Some("page")).unwrap();
            assert_eq!(again.card.rows, card.rows, "{name} as {}", form.name());
        }
    }
}

/// Seeded weights have learned nothing, and the sample is no validation set: only counts are written.
#[test]
fn what_was_not_measured_is_not_written() {
    let run = StoredRun::open(&repository("reports/sample")).unwrap();
    let definitions = Definitions::built_in();
    let record = run.judged(&definitions, &[], None).unwrap();
    let written = verified(&run, &record, &definitions);
    assert_eq!(written.left_out.len(), 24);
    assert!(
        written.left_out[0].starts_with("timm/xception top1_pct: seeded weights"),
        "{:?}",
        written.left_out
    );
    for form in Form::ALL {
        let text = card_text(&written.page(), form);
        assert!(!text.contains("79.05") && text.contains("xception65p"), "{text}");
        if form != Form::TimmCsv {
            // As it was counted, not as it is printed.
            assert!(text.contains("15.214") || text.contains("15214000000"), "{text}");
        }
        assert!(text.contains("imagenet-eval"), "{text}");
    }
}
