//! What is printed fits the screen, and is text whatever names and messages say.

use super::*;

#[test]
fn tables_fit_the_screen_and_keep_every_word() {
    for verb in
        [&["complexity", "timm/xception", "ppcls/*"][..], &["weights", "list"], &["parity", "timm/resnet18"]]
    {
        let words = |text: &str| -> Vec<String> {
            let word = |word: &&str| word.chars().any(char::is_alphanumeric);
            let mut words: Vec<String> = text.split_whitespace().filter(word).map(str::to_owned).collect();
            words.sort();
            words.dedup();
            words
        };
        let at = |width: &str| printed(xtask(verb).env("COLUMNS", width));
        let whole = at("1000");
        for width in ["150", "80", "60"] {
            let text = at(width);
            // Below the tables are sentences and addresses, which a terminal folds itself.
            let table = text
                .lines()
                .take_while(|line| !line.starts_with("Cache:") && !line.starts_with("Tolerance,"));
            let widest = table.map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width.parse().unwrap(), "{verb:?} at {width}: {widest}\n{text}");
            assert_eq!(words(&text), words(&whole), "{verb:?} at {width}");
        }
        let piped = printed(&mut xtask(verb));
        assert_eq!(piped, at("150"), "{verb:?}");
    }
}

#[test]
fn names_are_text_in_every_output() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out, summary) =
        (folder.path().join("data"), folder.path().join("run"), folder.path().join("summary.md"));
    let bad = "<b>[x](javascript:alert(1))`|<b>.JPEG";
    for class in ["000", "001"] {
        fs::create_dir_all(data.join(class)).unwrap();
    }
    fs::write(data.join("000").join(bad), "<script>").unwrap();
    fs::write(data.join("001/good.JPEG"), dataset::Dataset::sample().read(0).unwrap()).unwrap();
    let (data_path, out_path) = (data.to_str().unwrap(), out.to_str().unwrap());
    let model = ["eval", "--model", "timm/resnet18", "--weights", "seeded"];
    let printed = printed(
        xtask(&[&model[..], &["--data", data_path, "--out", out_path]].concat())
            .env("GITHUB_STEP_SUMMARY", &summary),
    );
    assert!(printed.contains(bad), "{printed}");
    let shown = "&lt;b&gt;&#91;x&#93;(javascript:alert(1))&#96;&#124;&lt;b&gt;.JPEG";
    for file in [out.join("report.md"), summary] {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains(shown) && !text.contains("<b>") && !text.contains("]("), "{text}");
        assert!(!text.contains("<script>"), "{text}");
    }
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("&lt;b&gt;[x](javascript:alert(1))`|&lt;b&gt;.JPEG") && !page.contains("<b>["));
    assert!(page.contains("&lt;script&gt;") && page.matches("<script>").count() == 1);
    // A terminal is not told anything by a name.
    let output =
        xtask(&["dataset", "check", "no\u{1b}]0;such\u{7}\n::error::folder"]).assert().code(EXIT_WRONG);
    let said = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(said.contains("\\u{1b}]0;such\\u{7}") && !said.contains(['\u{1b}', '\u{7}']), "{said}");
    assert!(
        said.lines().skip(1).all(|line| line.starts_with("  ") && !line.trim().starts_with("::")),
        "{said}"
    );
}
