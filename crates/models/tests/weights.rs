//! Weight files against the strict loader: files that PyTorch wrote (`fixtures/README.md` says what
//! is in each) for a narrow Xception, and seeded weights against their formula.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod narrow;

use std::io::{Read as _, Write as _};
use std::path::Path;

use models::Checkpoint;
use models::weights::{ModuleTensor, Role, unit};
use narrow::{Loaded, fixture, frozen, logits, network};

fn load(file: &str) -> Loaded {
    narrow::load("timm", &fixture(file)).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(path: &Path) -> String {
    narrow::refusal("timm", path)
}

fn assert_logits(network: &Loaded, key: &str, what: &str) {
    narrow::assert_close(what, &logits(network), &frozen("timm", key), 1e-4);
}

#[test]
fn every_form_that_pytorch_writes_gives_pytorchs_logits() {
    let files = [
        "narrow-zip.pth",
        "narrow-legacy.pth",
        "narrow-ckpt.pth",
        "narrow-ckpt-ema.pth",
        "narrow-ckpt-model.pth",
        "narrow-ckpt-train.pth",
        "narrow-views.pth",
        "narrow.safetensors",
    ];
    for file in files {
        let network = load(file);
        assert_logits(&network, "logits", file);
    }
}

#[test]
fn half_precision_weights_are_widened() {
    let network = load("narrow-half.pth");
    assert_logits(&network, "logits_half", "narrow-half.pth");
}

#[test]
fn the_origin_names_the_part_of_a_training_checkpoint() {
    let origin = Checkpoint::open(&fixture("narrow-ckpt-ema.pth")).unwrap().origin().to_owned();
    assert!(origin.ends_with("narrow-ckpt-ema.pth (its `state_dict_ema`)"), "{origin}");
}

#[test]
fn a_tensor_too_few_too_many_or_of_another_shape_is_named() {
    let message = refusal(&fixture("narrow-missing.pth"));
    assert!(message.contains("missing: block7.rep.4.pointwise.weight."), "{message}");
    let message = refusal(&fixture("narrow-extra.pth"));
    assert!(message.contains("not of this network: head.weight"), "{message}");
    let message = refusal(&fixture("narrow-shape.pth"));
    assert!(
        message.contains("block5.rep.1.pointwise.weight is [8, 9, 1, 1] in the file, [8, 8, 1, 1] in the"),
        "{message}"
    );
}

#[test]
fn a_pickle_that_calls_a_function_is_never_executed() {
    // Executed, the first two would run a shell and the third would evaluate Python. Beside good
    // weights such a call is inert; in place of a tensor it leaves the tensor missing.
    for file in ["narrow-evil.pth", "narrow-evil-legacy.pth"] {
        let network = load(file);
        assert_logits(&network, "logits", file);
    }
    let message = refusal(&fixture("narrow-evil-tensor.pth"));
    assert!(message.contains("missing: fc.weight"), "{message}");
}

#[test]
fn values_that_ruin_every_output_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("diverged.safetensors");
    let bytes = std::fs::read(fixture("narrow.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for (name, value) in [("block2.rep.1.conv1.weight", f32::NAN), ("bn3.running_var", -1.0)] {
        let views = file.iter().map(|(key, view)| {
            let mut data = view.data().to_vec();
            if key == name {
                data[..4].copy_from_slice(&value.to_le_bytes());
            }
            (key.to_owned(), (view.dtype(), view.shape().to_vec(), data))
        });
        let views: Vec<_> = views.collect();
        let views = views.iter().map(|(key, (dtype, shape, data))| {
            (key.clone(), safetensors::tensor::TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let message = refusal(&path);
        assert!(message.contains(&format!("in 1 tensors: {name}.")), "{message}");
    }
}

#[test]
fn a_checkpoint_cut_anywhere_is_refused_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["narrow-zip.pth", "narrow-legacy.pth", "narrow.safetensors"] {
        let whole = std::fs::read(fixture(file)).unwrap();
        for percent in [0, 1, 10, 30, 60, 90, 99] {
            let path = folder.path().join(file);
            std::fs::write(&path, &whole[..whole.len() * percent / 100]).unwrap();
            let message = refusal(&path);
            assert!(message.contains(file), "{percent} %: {message}");
        }
    }
}

#[test]
fn what_is_no_checkpoint_is_told_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    for (content, expected) in [
        (&b""[..], "is empty (0 bytes)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "begins with \"version https://git-lfs"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", "begins like no format"),
    ] {
        std::fs::write(&path, content).unwrap();
        let message = Checkpoint::open(&path).unwrap_err().to_string();
        assert!(message.contains("weights.pth") && message.contains(expected), "{message}");
    }
    let message = Checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("cannot read the weights"), "{message}");
}

/// Tensors of `narrow.safetensors` by other names.
fn renamed(path: &Path, name: impl Fn(&str) -> String) {
    let bytes = std::fs::read(fixture("narrow.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let views = file.iter().map(|(key, view)| (name(key), view));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// `narrow-zip.pth` with `prefix` before every name of its state dict.
fn prefixed_pth(path: &Path, prefix: &str) {
    let names: Vec<String> =
        Checkpoint::open(&fixture("narrow-zip.pth")).unwrap().tensors().map(|it| it.name.clone()).collect();
    let mut archive = zip::ZipArchive::new(std::fs::File::open(fixture("narrow-zip.pth")).unwrap()).unwrap();
    let mut out = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let name = member.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        if name.ends_with("data.pkl") {
            for name in &names {
                // BINUNICODE: X, the length in four bytes, the text.
                let text =
                    |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
                let (old, new) = (text(name), text(&format!("{prefix}{name}")));
                let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
                bytes.splice(at..at + old.len(), new);
            }
        }
        out.start_file(name, options).unwrap();
        out.write_all(&bytes).unwrap();
    }
    out.finish().unwrap();
}

#[test]
fn what_wrappers_put_before_every_name_is_taken_off_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let prefixes =
        ["module.", "_orig_mod.", "model.", "net.", "module._orig_mod.", "model.net.module.", "model.model."];
    for prefix in prefixes {
        let safetensors = folder.path().join("x.safetensors");
        renamed(&safetensors, |name| format!("{prefix}{name}"));
        let pth = folder.path().join("x.pth");
        prefixed_pth(&pth, prefix);
        for path in [safetensors, pth] {
            let checkpoint = Checkpoint::open(&path).unwrap();
            assert_eq!(checkpoint.prefix(), Some(prefix), "{}", path.display());
            assert!(!checkpoint.origin().contains('('), "names are no dictionary: {}", checkpoint.origin());
            let network = narrow::load("timm", &path).unwrap_or_else(|error| panic!("{prefix}: {error}"));
            assert_logits(&network, "logits", prefix);
        }
    }
    assert_eq!(Checkpoint::open(&fixture("narrow-zip.pth")).unwrap().prefix(), None);
    assert_eq!(Checkpoint::open(&fixture("narrow-ckpt-model.pth")).unwrap().prefix(), None);
}

#[test]
fn a_prefix_that_cannot_be_taken_off_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    // One name is left out: nothing that lies beside the network is dropped in silence.
    let all_but = |prefix: &'static str| {
        move |name: &str| if name == "fc.bias" { "loss.scale".to_owned() } else { format!("{prefix}{name}") }
    };
    for prefix in ["model.", "state_dict.", "_orig_mod.", "backbone.", "student.encoder."] {
        renamed(&path, all_but(prefix));
        let message = refusal(&path);
        assert!(message.contains(&format!("names with `{prefix}` in front")), "{message}");
        assert!(message.contains("; loss.scale not,") && !message.contains("another network"), "{message}");
    }
    renamed(&path, |name| format!("backbone.{name}"));
    let message = refusal(&path);
    assert!(message.contains("All tensors have this network's names with `backbone.` in front"), "{message}");
}

#[test]
fn a_torchscript_file_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scripted.pt");
    for members in [
        &["scripted/data.pkl", "scripted/code/__torch__/timm/models/xception.py", "scripted/constants.pkl"][..],
        &["archive/data.pkl", "archive/code/__torch__.py"],
        &["old/model.json", "old/tensors/0"],
    ] {
        let mut out = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for member in members {
            out.start_file(*member, zip::write::SimpleFileOptions::default()).unwrap();
            out.write_all(b"\x80\x02}.").unwrap();
        }
        out.finish().unwrap();
        let message = refusal(&path);
        assert!(message.contains("scripted.pt is a TorchScript file"), "{message}");
        assert!(message.contains("torch.jit.load(\"scripted.pt\").state_dict()"), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_before_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    for (path, expected) in [
        (socket.as_path(), "it is a socket"),
        (&fifo, "it is a pipe (fifo)"),
        (&link, "it is a pipe (fifo)"),
        (Path::new("/dev/zero"), "it is a device"),
        (folder.path(), "it is a folder"),
    ] {
        let message = Checkpoint::open(path).unwrap_err().to_string();
        assert!(message.contains(&format!("{}: {expected}", path.display())), "{message}");
    }
}

#[test]
fn seeded_values_follow_the_formula() {
    // From tools/reference/seeded.py: unit("conv1.weight", 4, 0) and unit("input", 3, 0).
    let close = |name, expected: &[f32]| {
        assert_eq!(unit(name, expected.len(), 0).collect::<Vec<_>>(), expected, "{name}");
    };
    close("conv1.weight", &[0.090_149_88, 0.490_323_42, -0.954_156_64, 0.472_395_54]);
    close("input", &[-0.804_363_37, 0.304_720_76, -0.592_751_5]);
}

#[test]
fn the_narrow_network_is_described_in_checkpoint_order() {
    let network = network("timm");
    let first: Vec<&str> = network.tensors().take(6).map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(
        first,
        ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "conv2.weight"]
    );
    let linear =
        ModuleTensor { name: "fc.weight".to_owned(), shape: vec![10, 14], role: Role::Linear { fan_in: 14 } };
    assert!(network.tensors().any(|tensor| *tensor == linear));
}
