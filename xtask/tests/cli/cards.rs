//! Cards: listed, shown, read from tables of others, selected.

use super::*;

const PAGE: &str = "# Ours\n\n| model | source | top1 | top5 | flops(G) | params(M) | input size |\n|---|---|---|---|---|---|---|\n\
                    | xception | timm | 79.050 | 94.392 | 9.199 | 22.856 | 299 |\n| other | elsewhere | 8.05.7 | 90.0 | 1 | 2 | 224 |\n";

#[test]
fn cards_are_listed_and_shown() {
    xtask(&["card", "list"]).assert().success().stdout(contains("xception").and(contains("timm-results")));
    xtask(&["card", "show", "xception"]).assert().success().stdout(
        contains("15.241").and(contains("erratum: flops_g should be 15.214 (two digits transposed)")),
    );
    for verb in [&["card", "show", "xcepton"][..], &["eval", "--card", "xcepton"]] {
        let wrong = contains("there is no card `xcepton`").and(contains("did you mean xception?"));
        xtask(verb).assert().code(2).stderr(wrong);
    }
}

#[test]
fn a_table_of_others_is_read_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("ours.md"), PAGE).unwrap();
    let (page, card) = (path("ours.md"), path("ours.toml"));
    let read = ["card", "read", &page, "--flops-rule", "thop-flops", "--params-rule", "thop", "--out", &card];
    // A figure was not read, so that it is said by line and by the exit code.
    xtask(&read).assert().code(1).stderr(contains("line 6, `other`, top1 `8.05.7`"));
    let shown = contains("Not measured, because there is no such model here: elsewhere/other.");
    xtask(&["card", "show", &card]).assert().success().stdout(shown);
    // 9.199 is not what the rule gives at 299 pixels, nor at 224.
    xtask(&["complexity", "--card", &card]).assert().code(1).stdout(contains("not reproduced"));
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/sample");
    let sample = sample.to_str().unwrap();
    xtask(&["compare", sample, "--card", &card]).assert().code(1);
    xtask(&["compare", sample]).assert().success();
    // A file that is no card says how to make one.
    xtask(&["eval", "--card", &page]).assert().code(2).stderr(contains("card read"));
    fs::write(path("nothing.md"), "no table\n").unwrap();
    xtask(&["card", "read", &path("nothing.md")]).assert().code(2).stderr(contains("cannot read a card"));
}

#[test]
fn measured_figures_are_written_and_nothing_else() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/sample");
    for form in ["markdown", "timm-csv", "metafile"] {
        xtask(&["card", "write", sample.to_str().unwrap(), "--to", form])
            .assert()
            .success()
            .stdout(contains("xception65p").and(contains("79.05").not()))
            .stderr(contains("left out: timm/xception top1_pct: seeded weights have learned nothing"));
    }
}
