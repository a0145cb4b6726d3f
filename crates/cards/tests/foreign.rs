//! Tables of others: what is read of each form, and what is said line by line of what is not.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::path::{Path, PathBuf};

use cards::foreign::{Form, Reading, read};
use cards::{Card, FigureName, Row, to_toml};

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(name)
}

fn of(name: &str) -> Reading {
    let reading = read(&page(name), None).unwrap();
    // What was read is a card.
    let again = Card::of_toml(&to_toml(&reading.card, &[]), &reading.card.origin, "x").unwrap().unwrap();
    assert_eq!(again, reading.card);
    reading
}

/// The figures of a row as text, in the order of [`FigureName::ALL`], and its side.
fn figures(row: &Row) -> String {
    let printed = FigureName::ALL.map(|name| row.printed(name).map_or("-", |figure| figure.as_str()));
    format!("{} {} {}", row.model, printed.join(" "), row.input_size.unwrap_or_default())
}

fn rows(reading: &Reading) -> Vec<String> {
    reading.card.rows.iter().map(figures).collect()
}

fn unread(reading: &Reading) -> Vec<String> {
    reading.unread.iter().map(ToString::to_string).collect()
}

#[test]
fn pages_of_the_zoo() {
    let reading = of("zoo.md");
    assert_eq!((reading.form, reading.card.name.as_str()), (Form::Markdown, "zoo"));
    assert_eq!(reading.card.title.as_deref(), Some("Xception"));
    assert_eq!(
        rows(&reading),
        [
            "timm/xception 79.050 94.392 9.198 22.856 299",
            "keras/xception 79.000 94.500 9.200 22.900 299",
            "official/ResNeSt-50 81.04 - 11.988 27.483 224",
            "pytorch/MobileViT 61.918 - 0.009010 22.50 224",
            "official/mobileone_s0 71.4 - 0.3054 2.079 224",
            "mmcls/resnet18_cifar - - 0.560 11.17 32",
        ]
    );
    let first = &reading.card.rows[0];
    assert!(first.source.as_ref().unwrap().ends_with("/v0.6.5/timm/models/xception.py"));
    // No page says by which rule it counted.
    assert_eq!((first.rule(FigureName::FlopsG), first.rule(FigureName::ParamsM)), (None, None));
    assert_eq!(
        unread(&reading),
        [
            "line 13, `MobileViT`, top5 `8.05.7`: `8.05.7` is not a decimal number such as 79.050; it is left out",
            "line 15, `resnet18_cifar`, its accuracies: they are about `CIFAR-10`, not the ILSVRC2012 validation set; they are left out",
            "line 16, row `short`: it has 3 cells, its heading has 8",
        ]
    );
}

#[test]
fn units_headings_and_marks() {
    let reading = of("units.md");
    assert_eq!(
        rows(&reading),
        [
            "Swin-T 81.2 95.5 4.5 28 224",
            "Swin-B 84.5 97.0 47.1 88 384",
            "YOLOv5n-cls 64.6 85.4 0.5 2.5 224",
            "YOLOv5x-cls 79.0 94.4 15.9 48.1 224",
            "timm/resnext50_32x4d 81.108 95.326 4.288 25.029 224",
            "official;mmcls/RepVGG-A0 72.41 90.50 1.36 8.30 224",
            "mine/a | b <x> 1.0 2.0 3 4 224",
        ]
    );
    let card = &reading.card;
    assert_eq!(card.rows[0].note.as_deref(), Some("pretrain: ImageNet-1K"));
    assert_eq!(card.rows[2].flops_g.as_ref().unwrap().input_size, Some(224));
    assert!(card.rows[2].source.as_ref().unwrap().ends_with("yolov5n-cls.pt"));
    assert_eq!(card.rows[4].note.as_deref(), Some("the heading of its FLOPs is MACs(G)"));
    assert_eq!(card.rows[5].source.as_ref().unwrap().split(' ').count(), 2);
    assert_eq!(unread(&reading), [""; 0]);
    let remarks: Vec<String> = reading.remarks.iter().map(ToString::to_string).collect();
    assert_eq!(remarks, ["line 8, column `Speed ONNX CPU (ms)`: it is no figure of a card, and left out"]);
}

#[test]
fn results_of_timm() {
    let reading = of("results-imagenet.csv");
    assert_eq!(reading.form, Form::TimmCsv);
    assert_eq!(
        rows(&reading),
        [
            "timm/eva_giant_patch14_560.m30m_ft_in22k_in1k 89.786 98.992 - 1014.45 560",
            "timm/xception65 83.180 96.592 - 39.92 299",
            "timm/resnet18 69.744 89.082 - 11.69 224",
            "timm/contradicts - 90.000 - 1.00 224",
            "timm/impossible - 94.000 - - 0",
        ]
    );
    let resnet = &reading.card.rows[2];
    assert_eq!(resnet.crop_pct.as_ref().map(|it| it.as_str()), Some("0.875"));
    assert_eq!(resnet.interpolation.as_deref(), Some("bilinear"));
    let said = unread(&reading).join("\n");
    for expected in [
        "line 5, `contradicts`, top1 `80.000`: 80.000 and top1_err do not add up to 100; the figure is left out",
        "line 6, `impossible`, param_count `x`: `x` is not a number with a unit",
        "line 6, `impossible`, img_size `224x256`: `224x256` is not the side of a square input",
        "line 6, row `timm/impossible`: `top1_pct` is 170.0; an accuracy is 0 to 100 per cent; the figure is left out",
        "line 7, a row: it has 2 cells, the heading has 9",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(reading.unread.len(), 5);

    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("results-imagenet-real.csv");
    fs::copy(page("results-imagenet.csv"), &other).unwrap();
    let error = read(&other, None).unwrap_err().to_string();
    assert!(error.contains("(`imagenet-real`) it is about other images"), "{error}");
}

#[test]
fn metafiles() {
    let reading = of("metafile.yml");
    // A metafile is called by its folder.
    assert_eq!((reading.form, reading.card.name.as_str()), (Form::Metafile, "foreign"));
    assert_eq!(
        rows(&reading),
        [
            "mmpretrain/resnet50_8xb32_in1k 76.55 93.06 4.12 25.56 0",
            "mmpretrain/beit-base - - - 86.530984 0",
            "mmpretrain/wrong - 93.0 - 1 0",
        ]
    );
    let said = unread(&reading);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("line 35, model `wrong`, FLOPs: `4.1e9` is not a decimal number"),
        "{said:?}"
    );
    assert!(said[1].starts_with("line 41, model `wrong`, Top 1 Accuracy: `76.5.5` is not"), "{said:?}");
    let remarks: Vec<String> = reading.remarks.iter().map(ToString::to_string).collect();
    assert!(remarks[0].contains("it is about Image Classification on CIFAR-10"), "{remarks:?}");
    assert!(remarks[2].contains("Recall@1: it is no figure of a card"), "{remarks:?}");
}

#[test]
fn what_is_no_table_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, expected) in [
        ("x.md", "# nothing\n", "it is no Markdown with a table, no results of timm"),
        ("x.md", "| a | b |\n| - | - |\n| 1 | 2 |\n", "it has no table with a column of models"),
        ("x.csv", "model,top1\nresnet18,x\n,\n", ""),
        ("x.yml", "Models:\n  - &a\n    Name: x\n", "anchors and aliases"),
        ("x.yml", "Models:\n  - Name: !x y\n", "tags (!) are not read"),
        ("x.yml", "Models:\n - [\n", "it is no YAML"),
        ("x.yml", &format!("Models:\n  {}", "[".repeat(100)), "more than 64 deep"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        match read(&path, None) {
            Ok(reading) => assert!(expected.is_empty() && reading.unread.len() == 2, "{:?}", reading.unread),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(expected) && error.contains(name), "{error}");
            }
        }
    }
    let error = read(&page("zoo.md"), Some("../x")).unwrap_err().to_string();
    assert!(error.contains("its name is \"../x\""), "{error}");
    assert!(
        read(&folder.path().join("none.md"), None).unwrap_err().to_string().contains("cannot read the card")
    );
}
