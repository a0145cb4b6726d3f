//! Cards in TOML: what a row may say, in the words of who writes one; the built-in ones; what is written is read again.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use cards::{Card, CardError, Cards, DEFAULT_CARD, FigureName, to_toml};

const OWN: &str = r#"
[[models]]
id = "mine/finetuned"
network = "timm-xception"
recipe = "card-342-bilinear"
input_size = 299
"#;

fn add(text: &str) -> Result<Option<Card>, CardError> {
    Card::of_toml(text, "catalog.toml", "catalog.toml")
}

#[test]
fn the_table_is_complete_and_its_misprint_an_erratum() {
    let cards = Cards::built_in();
    let card = cards.get(DEFAULT_CARD).unwrap();
    assert_eq!((card.rows.len(), card.recipe.as_deref()), (12, Some("card-342-bilinear")));
    for row in &card.rows {
        assert!(FigureName::ALL.into_iter().all(|name| row.printed(name).is_some()), "{}", row.model);
        assert!(row.rule(FigureName::FlopsG).is_some() && row.rule(FigureName::ParamsM).is_some());
    }
    let xception65 = card.rows_of("timm/xception65").next().unwrap();
    assert_eq!(xception65.erratum(FigureName::FlopsG).unwrap().corrected.as_str(), "15.214");
    assert_eq!(xception65.printed(FigureName::FlopsG).unwrap().as_str(), "15.241");
    for card in cards.all() {
        let again = Card::of_toml(&to_toml(card, &["a remark".to_owned()]), &card.origin, "x").unwrap();
        assert_eq!(again.as_ref(), Some(card));
    }
}

#[test]
fn a_row_may_name_an_onnx_file() {
    let of = |row: &str| {
        Card::of_toml(
            &format!("[card]\nname = \"c\"\n[[rows]]\n{row}\ntop1_pct = \"70.0\"\n"),
            "a/b/c.toml",
            "c",
        )
    };
    let card = of("onnx = \"files/resnet50.v2.onnx\"").unwrap().unwrap();
    assert_eq!(card.rows[0].model, "onnx/resnet50.v2");
    assert_eq!(card.onnx_files(), [std::path::Path::new("a/b/files/resnet50.v2.onnx")]);
    let again = Card::of_toml(&to_toml(&card, &[]), "a/b/c.toml", "c").unwrap();
    assert_eq!(again.as_ref(), Some(&card));
    assert_eq!(of("onnx = \"x.onnx\"\nmodel = \"onnx/x\"").unwrap().unwrap().rows[0].model, "onnx/x");
    for (row, said) in [
        (
            "onnx = \"x.onnx\"\nmodel = \"timm/xception\"",
            "row `timm/xception`: its model is `timm/xception`, but that of its ONNX file is called `onnx/x`",
        ),
        ("onnx = \"..\"", "names no file"),
        ("", "row `entry 1`: `model` is missing; write model = \"timm/xception\", or onnx = \"file.onnx\""),
    ] {
        let error = of(row).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn the_card_of_the_documentation_is_one() {
    let text = include_str!("../../../docs/cards.md");
    let mut examples = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let card = add(examples.next().unwrap()).unwrap().unwrap();
    assert_eq!((card.name.as_str(), card.rows.len(), card.rows[1].errata.len()), ("mine", 3, 1));
    let card = add(examples.next().unwrap()).unwrap().unwrap();
    assert_eq!((card.name.as_str(), card.rows[0].model.as_str()), ("catalog.toml", "mine/finetuned"));
    assert_eq!(examples.next(), None);
}

/// A user's entry with these lines behind its own.
fn refused(lines: &str) -> String {
    said(&format!("{OWN}{lines}"))
}

fn said(text: &str) -> String {
    let error = match add(text) {
        Ok(_) => panic!("taken: {text}"),
        Err(error) => error,
    };
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let message = format!("{error}: {source}");
    // What only this program's author knows.
    for word in
        ["struct", "expected", "usize", "u32", "u64", "f64", "invalid type", "variant", "sequence", "map"]
    {
        assert!(!message.contains(word), "`{word}` for {text}: {message}");
    }
    assert!(message.contains("catalog.toml"), "{message}");
    message
}

fn documented(keys: &str) -> String {
    format!("[models.documented]\n{keys}\n")
}

#[test]
fn figures_have_to_be_possible() {
    let flops = |keys: &str| documented(&format!("flops_g = {{ rule = \"macs\", {keys} }}"));
    let params = |keys: &str| documented(&format!("params_m = {{ rule = \"thop\", {keys} }}"));
    let tolerance = |keys: &str| {
        let figures =
            "flops_g = { figure = \"9.2\", rule = \"macs\" }\nparams_m = { figure = \"4\", rule = \"thop\" }";
        format!("tolerance = {{ {keys} }}\n{}", documented(figures))
    };
    for (lines, expected) in [
        (
            documented("flops_g = { figure = \"1\", rule = \"macs\", input_size = 1 }"),
            "documented.flops_g.input_size is 1; it must be 32 to 8192",
        ),
        (documented("top1_pct = \"79,05\""), "`79,05` is not a decimal number"),
        (documented("top1_pct = \"170\""), "`documented.top1_pct` is 170; an accuracy is 0 to 100 per cent"),
        (documented("top5_pct = \"100.001\""), "`documented.top5_pct` is 100.001; an accuracy is"),
        (documented("top1_pct = \"79.0000001\""), "it can have 6 decimals at most"),
        (documented("top1_pct = \"94.5\"\ntop5_pct = \"79.0\""), "top-1 cannot be above top-5"),
        (documented("top1_pct = \"9999999999999999999999\""), "has at most 20 digits"),
        (documented("top1_pct = \"-1\""), "`-1` is not a decimal number"),
        (documented("top1_pct = \"1e1\""), "`1e1` is not a decimal number"),
        (documented("top1_pct = \"nan\""), "`nan` is not a decimal number"),
        (flops("figure = \"0.000\""), "`documented.flops_g` is 0.000; FLOPs are more than 0"),
        (flops("figure = \"99999999999\""), "`documented.flops_g` is 99999999999; FLOPs are"),
        (flops("figure = \"1.0000000001\""), "it can have 9 decimals at most"),
        (params("figure = \"0\""), "`documented.params_m` is 0; parameters are more than 0"),
        (params("figure = \"1.0000001\""), "it can have 6 decimals at most"),
        (
            flops("figure = \"9.198\", decimals = 400"),
            "`documented.flops_g.decimals` is 400, but 9.198 has 3 decimals",
        ),
        (
            params("figure = \"22.9\", decimals = 2"),
            "`documented.params_m.decimals` is 2, but 22.9 has 1 decimals",
        ),
        (params("figure = \"22.910\", decimals = 1"), "other digits than zeros follow in 22.910"),
        (flops("figure = \"9.198\", decimals = 0"), "other digits than zeros follow in 9.198"),
        (
            tolerance("top1_pct = 99999"),
            "`tolerance.top1_pct` is 99999; it must be a number of percentage points from 0 to 100",
        ),
        (tolerance("top5_pct = -0.01"), "`tolerance.top5_pct` is -0.01; it must be"),
        (tolerance("top5_pct = nan"), "`tolerance.top5_pct` is NaN; it must be"),
        (tolerance("flops_g = 4.6"), "`tolerance.flops_g` is 4.6; it must be a number from 0 on"),
        (tolerance("params_m = inf"), "`tolerance.params_m` is inf; it must be a number from 0 on"),
    ] {
        let message = refused(&lines);
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("model `mine/finetuned`"), "{message}");
    }
    for lines in [
        documented("top1_pct = \"0\"\ntop5_pct = \"100\""),
        documented("top1_pct = \"79.05\"\ntop5_pct = \"79.050\""),
        flops("figure = \"9.200\", decimals = 1"),
        params("figure = \"22.000\", decimals = 0"),
        tolerance("top1_pct = 1, top5_pct = 0.5, flops_g = 4.5, params_m = 0"),
    ] {
        add(&format!("{OWN}{lines}")).unwrap();
    }
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_a_card() {
    for (lines, expected) in [
        (
            documented("flops_g = \"9.198\""),
            "`documented.flops_g` is \"9.198\", and must be keys with values: flops_g = { figure",
        ),
        (
            documented("top1_pct = 79.05"),
            "`documented.top1_pct` is 79.05, and must be in quotes, with every digit that is printed",
        ),
        (documented("top1_pct = [1]"), "`documented.top1_pct` is a list, and must be in quotes"),
        (
            documented("flops_g = { figure = \"9.198\" }"),
            "`documented.flops_g.rule` is missing; write rule = \"thop-flops\"",
        ),
        (
            documented("flops_g = { rule = \"macs\" }"),
            "`documented.flops_g.figure` is missing; write figure =",
        ),
        (
            documented("flops_g = { figure = \"1\", rule = \"mac\" }"),
            "`documented.flops_g.rule` is `mac`, which there is not; there are macs, flops",
        ),
        (
            documented("params_m = { figure = \"1\", rule = 3 }"),
            "`documented.params_m.rule` is 3, and must be one of trainable, with-running-statistics, thop, unstated in quotes",
        ),
        (
            documented("flops_g = { figure = \"1\", rule = \"macs\", decimals = -1 }"),
            "`documented.flops_g.decimals` is -1, and must be a whole number from 0 on",
        ),
        (
            documented("flops_g = { figure = \"1\", rule = \"macs\", decimals = \"1\" }"),
            "`documented.flops_g.decimals` is \"1\", and must be a whole number",
        ),
        (
            documented("dtype = \"f8\""),
            "`documented.dtype` is `f8`, which there is not; there are f32, f16, bf16, int8",
        ),
        ("tolerance = 0.1\n".to_owned(), "`tolerance` is 0.1, and must be keys with values: tolerance = {"),
        (
            "tolerance = { top1_pct = \"0.1\" }\n".to_owned(),
            "`tolerance.top1_pct` is \"0.1\", and must be a number without quotes",
        ),
        ("documented = \"79\"\n".to_owned(), "`documented` is \"79\", and must be keys with values"),
        (
            "errata = \"flops\"\n".to_owned(),
            "`errata` is \"flops\", and must be keys with values, in two pairs of brackets",
        ),
    ] {
        let message = refused(&lines);
        assert!(message.contains(expected) && message.contains("model `mine/finetuned`"), "{message}");
    }
    let row = "[[rows]]\nmodel = \"timm/xception\"\n";
    let card = "[card]\nname = \"own\"\n";
    for (text, expected) in [
        ("models = 3\n".to_owned(), "an entry begins with the line [[models]], in two pairs of brackets"),
        ("rows = 3\n".to_owned(), "a row begins with the line [[rows]], in two pairs of brackets"),
        ("card = 3\n".to_owned(), "a card begins with the line [card], in one pair of brackets"),
        (
            "accuracy_tolerance_pp = \"0.1\"\n".to_owned(),
            "`accuracy_tolerance_pp` is \"0.1\", and must be a number without quotes",
        ),
        (format!("accuracy_tolerance_pp = inf\n{OWN}"), "accuracy_tolerance_pp is inf; it must be"),
        (format!("accuracy_tolerance_pp = -1.0\n{OWN}"), "accuracy_tolerance_pp is -1; it must be"),
        (format!("accuracy_tolerance_pp = 1\n{card}accuracy_tolerance_pp = 1\n{row}"), "stands there twice"),
        (row.to_owned(), "its [[rows]] are of no card; write [card]"),
        (card.to_owned(), "it has no rows; write [[rows]]"),
        (format!("[card]\n{row}"), "[card]: `name` is missing; write name ="),
        (format!("{card}{row}").replace("own", "../own"), "its name is \"../own\"; a name has letters"),
        (format!("{card}{row}{row}"), "row `timm/xception`: there is a row of this model already"),
        (format!("{card}[[rows]]\ntop1_pct = \"1\"\n"), "row `entry 1`: `model` is missing; write model ="),
        (format!("{card}{row}").replace("timm/xception", " x"), "its model is \" x\"; write an id"),
        (
            format!("{card}{row}top1_pct = \"170\"\n"),
            "row `timm/xception`: `top1_pct` is 170; an accuracy is",
        ),
        (format!("{card}{row}input_size = 31\n"), "input_size is 31; it must be 32 to 8192"),
        (format!("{card}{row}flops_g = {{ figure = \"1\", rule = \"mac\" }}\n"), "paddle-flops, unstated"),
        (format!("{card}{row}colour = \"red\"\n"), "unknown field `colour`"),
    ] {
        let message = match text.contains("colour") {
            false => said(&text),
            // The reader of TOML lists the keys that there are.
            true => std::error::Error::source(&add(&text).unwrap_err()).unwrap().to_string(),
        };
        assert!(message.contains(expected), "{message}");
    }
    // The same model under other conditions is another row.
    let rows = format!(
        "{card}{row}{row}dtype = \"int8\"\n{row}recipe = \"card-342-bilinear\"\n{row}input_size = 224\n"
    );
    assert_eq!(add(&rows).unwrap().unwrap().rows.len(), 4);
}

#[test]
fn a_file_that_claims_nothing_is_no_card() {
    assert_eq!(add(OWN).unwrap(), None);
    assert_eq!(add("[[recipes]]\nname = \"x\"\n").unwrap(), None);
    let card = add(&format!("accuracy_tolerance_pp = 0.5\n{OWN}")).unwrap().unwrap();
    assert_eq!((card.accuracy_tolerance_pp, card.rows[0].model.as_str()), (0.5, "mine/finetuned"));
}

#[test]
fn cards_are_told_apart_by_their_names() {
    let mut cards = Cards::built_in();
    let documented = format!("{OWN}[models.documented]\ntop1_pct = \"1\"\n");
    assert_eq!(cards.add(&documented, "a/own.toml").unwrap(), Some("own.toml"));
    assert_eq!(cards.add(&documented, "b/own.toml").unwrap(), Some("b/own.toml"));
    let error = cards.add("[card]\nname = \"Xception\"\n[[rows]]\nmodel = \"x\"\n", "c.toml").unwrap_err();
    assert!(error.to_string().contains("there is a card `xception` already"), "{error}");
    let error = cards.get("timm-result").unwrap_err().to_string();
    assert!(
        error.contains(
            "there are xception, timm-results, resnet, efficientnet-lite, own.toml, b/own.toml (did you mean timm-results?)"
        ),
        "{error}"
    );
}

#[test]
fn an_erratum_has_a_corrected_figure() {
    let erratum = |lines: &str| {
        let figures = "top1_pct = \"79.0\"\ntop5_pct = \"94.0\"\nflops_g = { figure = \"15.241\", rule = \"thop-flops\", input_size = 224 }";
        format!("{}[[models.errata]]\nreason = \"digits transposed\"\n{lines}", documented(figures))
    };
    for (lines, expected) in [
        (
            "figure = \"flops_g\"",
            "`errata.corrected` is missing; write corrected = \"15.214\", the figure that should have been printed",
        ),
        ("figure = \"flops_g\"\ncorrected = 15.214", "`errata.corrected` is 15.214, and must be in quotes"),
        (
            "figure = \"flops\"\ncorrected = \"15.214\"",
            "`errata.figure` is `flops`, which there is not; there are top1_pct",
        ),
        (
            "figure = \"params_m\"\ncorrected = \"15.214\"",
            "there is an erratum of `params_m`, which is not documented",
        ),
        ("figure = \"flops_g\"\ncorrected = \"15\"", "corrects 15.241 to 15, which has fewer decimals"),
        ("figure = \"flops_g\"\ncorrected = \"0.000\"", "is 0.000; FLOPs are more than 0"),
        ("figure = \"flops_g\"\ncorrected = \"15.2410\"", "corrects 15.241 to itself"),
        ("figure = \"top1_pct\"\ncorrected = \"179.0\"", "is 179.0; an accuracy is 0 to 100 per cent"),
        (
            "figure = \"top1_pct\"\ncorrected = \"97.0\"",
            "top1_pct is 97.0 and top5_pct 94.0; top-1 cannot be above top-5",
        ),
        (
            "figure = \"flops_g\"\ncorrected = \"15.214\"\n[[models.errata]]\nreason = \"again\"\nfigure = \"flops_g\"\ncorrected = \"15.215\"",
            "there are two errata of `flops_g`",
        ),
    ] {
        let message = refused(&erratum(lines));
        assert!(message.contains(expected), "{message}");
    }
    add(&format!("{OWN}{}", erratum("figure = \"flops_g\"\ncorrected = \"15.214\""))).unwrap();
}
