//! Files that are no classifiers: each is an error that says why, in bounded memory and time, whatever it declares. Files are written
//! here, message by message; damaged ones by the thousand are the fuzz target `onnx`.

mod message;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use message::{Message, attribute_graph, model, node, opset, tensor, value};
use models::onnx::OnnxFile;

use super::folder;

/// What comes of the file, for images of 32 x 32 pixels: the error, or nothing.
fn refusal(path: &Path) -> Option<String> {
    let file = match OnnxFile::open(path) {
        Ok(file) => Arc::new(file),
        Err(error) => return Some(error.to_string()),
    };
    file.data_files().and_then(|_| file.network([32; 2])).err().map(|error| error.to_string())
}

/// What is said of a model of this content.
fn said(model: &Message) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, model.bytes()).unwrap();
    refusal(&path).unwrap_or_default()
}

fn assert_said(model: &Message, words: &[&str]) {
    let said = said(model);
    assert!(words.iter().all(|word| said.contains(word)), "{words:?} are not said: {said}");
}

/// A network of these nodes and tensors, of an image to `out` of these axes.
fn network(nodes: &[Message], tensors: &[Message], out: &[i64]) -> Message {
    let inputs = [value("image", 1, &[1, 3, 32, 32])];
    model(nodes, tensors, &inputs, &[value("out", 1, out)])
}

/// Logits of the mean of each channel, by the weights `head`, `[3, 1000]`.
fn head(of: &str) -> Vec<Message> {
    vec![
        node("GlobalAveragePool", &[of], &["pooled"]),
        node("Flatten", &["pooled"], &["flat"]),
        node("MatMul", &["flat", "head"], &["out"]),
    ]
}

fn head_weights() -> Message {
    tensor("head", 1, &[3, 1000]).with_bytes(9, &[0x3d; 12_000])
}

#[test]
fn the_files_that_others_are_made_of_are_sound() {
    assert_eq!(said(&network(&head("image"), &[head_weights()], &[1, 1000])), "");
}

#[test]
fn a_file_that_is_cut_short_is_said_to_be() {
    let whole = fs::read(folder().join("text_convolutions.onnx")).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("model.onnx");
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let said = refusal(&path).unwrap_or_else(|| panic!("{len} of {} bytes are a model", whole.len()));
        let words = ["cut short", "damaged", "is empty", "holds no graph", "of which opset"];
        assert!(words.iter().any(|word| said.contains(word)), "{len} bytes: {said}");
    }
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("model.onnx");
    for bytes in [&b"\x89PNG\r\n\x1a\n"[..], b"PK\x03\x04", b"<html>", b"\x80\x02}q\x00.", &[0xff; 100]] {
        fs::write(&path, bytes).unwrap();
        let said = refusal(&path).unwrap();
        assert!(said.contains("is no ONNX model"), "{bytes:?}: {said}");
    }
    assert!(refusal(temporary.path()).unwrap().contains("cannot read"));
    assert!(refusal(&temporary.path().join("none.onnx")).unwrap().contains("cannot read"));
}

#[test]
fn data_beside_the_model_stays_in_its_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let inside = temporary.path().join("inside");
    fs::create_dir_all(inside.join("deeper")).unwrap();
    let path = inside.join("model.onnx");
    let said = |location: &str, more: &[(&str, &str)]| {
        let mut head = tensor("head", 1, &[3, 1000]).with_number(14, 1);
        for (key, value) in [&[("location", location)], more].concat() {
            let entry = Message::new().with_text(1, key).with_text(2, value);
            head = head.with(13, &entry);
        }
        fs::write(&path, network(&self::head("image"), &[head], &[1, 1000]).bytes()).unwrap();
        refusal(&path).unwrap_or_default()
    };
    let data = [0x3d; 12_000];
    for place in [inside.join("weights"), inside.join("deeper/weights"), temporary.path().join("weights")] {
        fs::write(place, data).unwrap();
    }
    assert_eq!(said("weights", &[]), "");
    assert_eq!(said("./deeper/weights", &[]), "");
    let absolute = inside.join("weights");
    for outside in
        ["../weights", "deeper/../../weights", "/etc/passwd", absolute.to_str().unwrap(), "", "..\\weights"]
    {
        let said = said(outside, &[]);
        assert!(said.contains("outside the model's folder"), "{outside}: {said}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../weights", inside.join("link")).unwrap();
        assert!(said("link", &[]).contains("outside the model's folder"));
        std::os::unix::fs::symlink("deeper/weights", inside.join("inner")).unwrap();
        assert_eq!(said("inner", &[]), "");
    }
    assert!(said("missing", &[]).contains("`missing` beside the model"));
    assert!(said("deeper", &[]).contains("`deeper` beside the model"));
    assert!(said("weights", &[("offset", "1")]).contains("cut short or of another model"));
    assert!(said("weights", &[("offset", "18446744073709551615")]).contains("cut short or of another model"));
    assert!(said("weights", &[("offset", "-4")]).contains("no number"));
    assert!(said("weights", &[("length", "11999")]).contains("its shape 12000"));
}

#[test]
fn a_fixture_beside_which_its_data_are_not_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("text_beside.onnx");
    fs::copy(folder().join("text_beside.onnx"), &path).unwrap();
    assert!(refusal(&path).unwrap().contains("`text_beside.onnx_data` beside the model"));
    fs::copy(folder().join("text_beside.onnx_data"), temporary.path().join("text_beside.onnx_data")).unwrap();
    assert_eq!(refusal(&path), None);
}

#[test]
fn nodes_that_read_each_other_are_refused() {
    let circle = [node("Add", &["image", "b"], &["a"]), node("Relu", &["a"], &["b"])];
    let nodes = [&circle[..], &head("a")].concat();
    assert_said(&network(&nodes, &[head_weights()], &[1, 1000]), &["is computed from itself"]);
    let nodes = [&[node("Add", &["image", "a"], &["a"])][..], &head("a")].concat();
    assert_said(&network(&nodes, &[head_weights()], &[1, 1000]), &["`a` is computed from itself"]);
    let twice = [node("Relu", &["image"], &["a"]), node("Neg", &["image"], &["a"])];
    let nodes = [&twice[..], &head("a")].concat();
    assert_said(&network(&nodes, &[head_weights()], &[1, 1000]), &["two nodes put out `a`"]);
    assert_said(
        &network(&head("nothing"), &[head_weights()], &[1, 1000]),
        &["`nothing`, which nothing puts out"],
    );
}

#[test]
fn many_nodes_end() {
    let relu = node("Relu", &["image"], &["x"]);
    let million = model(&vec![relu; 1_000_000], &[], &[value("image", 1, &[1, 3, 32, 32])], &[]);
    assert_said(&million, &["it has 1000000 nodes"]);
    // A chain as long as is read, of what is kept and of what vanishes.
    for operation in ["Neg", "Identity"] {
        let name = |at: usize| if at == 0 { "image".to_owned() } else { format!("v{at}") };
        let chain = (0..20_000).map(|at| node(operation, &[&name(at)], &[&name(at + 1)]));
        let nodes: Vec<Message> = chain.chain(head("v20000")).collect();
        assert_eq!(said(&network(&nodes, &[head_weights()], &[1, 1000])), "");
    }
    // Integers that are read again and again.
    let shape = tensor("shape", 7, &[1]).with_bytes(9, &(1_i64 << 20).to_le_bytes());
    let mut nodes = vec![
        node("ConstantOfShape", &["shape"], &["zeros"])
            .with(5, &message::attribute_tensor("value", &tensor("", 7, &[1]).with_bytes(9, &[0; 8]))),
    ];
    nodes.extend((0..100).map(|at| node("ReduceMax", &["zeros"], &[&format!("m{at}")])));
    nodes.extend((1..100).map(|at| {
        let before = if at == 1 { "m0".to_owned() } else { format!("s{}", at - 1) };
        node("Add", &[&before, &format!("m{at}")], &[&format!("s{at}")])
    }));
    nodes.push(node("Expand", &["image", "s99"], &["a"]));
    nodes.extend(head("a"));
    assert_said(&network(&nodes, &[head_weights(), shape], &[1, 1000]), &["longer with integers"]);
}

#[test]
fn tensors_are_not_larger_than_their_data() {
    for tensor in [
        tensor("head", 1, &[500_000, 1000]).with_bytes(9, &[0; 100]),
        tensor("head", 1, &[3, 1000]),
        tensor("head", 1, &[3, 1000]).with_bytes(4, &[0; 8]),
        tensor("head", 10, &[3, 1000]).with_bytes(9, &[0; 6002]),
    ] {
        let model = network(&head("image"), &[tensor], &[1, 1000]);
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("model.onnx");
        fs::write(&path, model.bytes()).unwrap();
        let file = Arc::new(OnnxFile::open(&path).unwrap());
        let said = match file.network([32; 2]) {
            Err(error) => error.to_string(),
            // Weights are read when they are loaded.
            Ok(network) => {
                let placement =
                    models::Placement::new(models::DeviceName::Flex, models::Dtype::F32, 1).unwrap();
                let loaded = models::Classifier::load_onnx(&network, &placement);
                loaded.err().map(|error| error.to_string()).unwrap_or_default()
            }
        };
        assert!(said.contains("`head`") || said.contains("cannot be multiplied"), "{said}");
    }
    for shape in [&[-3, 1000][..], &[i64::MAX, i64::MAX], &[1 << 40, 1 << 40]] {
        let model = network(&head("image"), &[tensor("head", 1, shape)], &[1, 1000]);
        assert_said(&model, &["has the shape"]);
    }
}

#[test]
fn models_of_something_else_say_what_they_are() {
    // A mask an image.
    let mask = network(&[node("Relu", &["image"], &["out"])], &[], &[1, 3, 32, 32]);
    assert_said(&mask, &["no image classifier", "`out` [1, 3, 32, 32], and no number a class"]);
    let image = value("image", 1, &[1, 3, 32, 32]);
    let relu = || vec![node("Relu", &["image"], &["out"])];
    let out = || [value("out", 1, &[1, 1000])];
    let of = |inputs: &[Message]| model(&relu(), &[], inputs, &out());
    assert_said(&of(&[value("tokens", 7, &[1, 128])]), &["`tokens`", "looks like a model of text"]);
    assert_said(&of(&[image.clone(), value("mask", 1, &[1, 32])]), &["it has 2 inputs", "`image`", "`mask`"]);
    assert_said(&of(&[]), &["it has no input"]);
    assert_said(
        &of(&[value("image", 2, &[1, 3, 32, 32])]),
        &["uint8", "export the network without the cast"],
    );
    assert_said(&of(&[value("image", 1, &[1, 1, 28, 28])]), &["whose channels are not the 3"]);
    assert_said(&of(&[value("image", 1, &[1, 3, 224, 224])]), &["224x224", "32x32"]);
    assert_said(&of(&[value("image", 1, &[3, 32, 32])]), &["of 3 axes"]);
    let ten = tensor("head", 1, &[3, 10]).with_bytes(9, &[0x3d; 120]);
    assert_said(&network(&head("image"), &[ten], &[1, 10]), &["has 10 classes"]);
    let background = tensor("head", 1, &[3, 1001]).with_bytes(9, &[0x3d; 12_012]);
    assert_said(&network(&head("image"), &[background], &[1, 1001]), &["1001 classes", "background"]);
    let constant = network(
        &[node("Identity", &["c"], &["out"])],
        &[tensor("c", 1, &[1000]).with_bytes(9, &[0; 4000])],
        &[1000],
    );
    assert_said(&constant, &["does not depend on the image"]);
}

#[test]
fn what_is_not_read_is_named() {
    let with = |node: Message, more: &[Message]| {
        let tensors = [&[head_weights()][..], more].concat();
        network(&[&[node][..], &head("a")].concat(), &tensors, &[1, 1000])
    };
    assert_said(
        &with(node("GridSample", &["image"], &["a"]), &[]),
        &["`a` (GridSample, opset 13)", "nearest are"],
    );
    let branch = attribute_graph("then_branch");
    assert_said(
        &with(node("If", &["image"], &["a"]).with(5, &branch), &[]),
        &["(If, opset 13)", "graphs of its own"],
    );
    assert_said(&with(node("Loop", &["image"], &["a"]), &[]), &["graphs of its own"]);
    let custom = node("Fancy", &["image"], &["a"]).with_text(7, "my.domain");
    assert_said(&with(custom.clone(), &[]), &["an operation of `my.domain`"]);
    let function = Message::new().with_text(1, "Fancy").with_text(10, "my.domain");
    assert_said(&with(custom, &[]).with(25, &function), &["a function that the file defines", "inliner"]);
    // Integers of four bits, texts, complex numbers, and a type that there is not yet.
    for (element, name) in [(22, "int4"), (8, "string"), (14, "complex64"), (77, "type 77")] {
        let odd = tensor("odd", element, &[3]).with_bytes(9, &[0; 2]);
        assert_said(&with(node("Add", &["image", "odd"], &["a"]), &[odd]), &["`odd`", name]);
    }
    let sparse = with(node("Relu", &["image"], &["a"]), &[]).with_graph_field(15, &Message::new());
    assert_said(&sparse, &["sparse initialisers"]);
    let unknown =
        node("Relu", &["image"], &["a"]).with(5, &Message::new().with_text(1, "slope").with_number(3, 1));
    assert_said(&with(unknown, &[]), &["its attribute `slope` is not supported"]);
    for (version, word) in [(6, "opset 6"), (23, "opset 23"), (-1, "opset -1")] {
        let old = message::model_of_opset(&opset(version), &head("image"), &[head_weights()]);
        assert_said(&old, &[word, "7 to 22"]);
    }
}

#[test]
fn names_may_be_any_text() {
    // Names that the reader gives what it computes, an empty one, one twice.
    let odd = |name: &str| tensor(name, 1, &[1, 3, 1, 1]).with_bytes(9, &[0x3d; 12]);
    let shape = tensor("shape", 7, &[3]).with_bytes(9, &[3_i64, 1, 1].map(i64::to_le_bytes).concat());
    for name in ["computed/1", "computed/2", "../x", "a\nb", "\u{1b}[31m"] {
        let nodes = [
            node("Reshape", &[name, "shape"], &["r"]),
            node("Exp", &["r"], &["e"]),
            node("Reshape", &["e", "shape"], &["computed/3"]),
            node("Mul", &["image", "computed/3"], &["a"]),
        ];
        let nodes = [&nodes[..], &head("a")].concat();
        assert_eq!(
            said(&network(&nodes, &[odd(name), odd(name), head_weights(), shape.clone()], &[1, 1000])),
            ""
        );
    }
}

#[test]
fn what_no_image_changes_is_not_computed_forever() {
    // 2^21 elements become 2^30 by and by, and products of large matrices.
    let large = tensor("c", 7, &[2]).with_bytes(9, &[1448_i64, 1448].map(i64::to_le_bytes).concat());
    let mut nodes = vec![node("ConstantOfShape", &["c"], &["m0"])];
    nodes.extend((0..200).map(|at| node("MatMul", &[&format!("m{at}"), "m0"], &[&format!("m{}", at + 1)])));
    nodes.push(node("ReduceMax", &["m200"], &["s"]));
    nodes.push(node("Mul", &["image", "s"], &["a"]));
    nodes.extend(head("a"));
    let said = said(&network(&nodes, &[head_weights(), large], &[1, 1000]));
    assert!(said.contains("what depends on no image"), "{said}");
}
