//! Weight files as a person meets them who is careless, or as an attacker makes them: caches, catalogs, downloads.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use models::Catalog;

use super::*;

/// The smallest network.
const NETWORK: &str = "timm-resnet18";

/// A whole checkpoint of the smallest network, by safetensors, with `shift` added to its last bias and `prefix` before all
/// names.
fn checkpoint(shift: f32, prefix: &str) -> Vec<u8> {
    let catalog = Catalog::built_in();
    let entry = catalog.select("timm/resnet18").unwrap()[0].network();
    let network = entry.build();
    let seeded = models::weights::seeded(&network, entry.name).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = seeded
        .tensors()
        .map(|tensor| {
            let mut bytes = tensor.to_bytes().unwrap().to_vec();
            if tensor.name == "fc.bias" {
                let first = f32::from_le_bytes(bytes[..4].try_into().unwrap()) + shift;
                bytes[..4].copy_from_slice(&first.to_le_bytes());
            }
            (format!("{prefix}{}", tensor.name), tensor.shape.to_vec(), bytes)
        })
        .collect();
    let view = |shape: &[usize], bytes| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap()
    };
    let views = tensors.iter().map(|(name, shape, bytes)| (name, view(shape, bytes)));
    safetensors::serialize(views, None).unwrap()
}

/// A catalog of one model, `mine/x`, whose weights are described by these lines.
fn catalog(path: &Path, weights: &str) -> String {
    let entry = format!(
        "[[models]]\nid = \"mine/x\"\nnetwork = \"{NETWORK}\"\nrecipe = \"timm-256-bilinear\"\ninput_size = 224\n\
         [models.documented]\ntop1_pct = \"69.8\"\n[models.weights]\n{weights}"
    );
    fs::write(path, entry).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A server that has what `content` holds under every name; its address.
fn serve(content: &Arc<Mutex<Vec<u8>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let content = Arc::clone(content);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let head =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            if head.count() > 0 {
                let body = content.lock().unwrap().clone();
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        }
    });
    base
}

fn with_cache(cache: &Path, arguments: &[&str]) -> Command {
    let mut command = xtask(arguments);
    command.env("IMAGENET_EVAL_CACHE", cache).env_remove("IMAGENET_EVAL_MIRROR").env("NO_PROXY", "127.0.0.1");
    command
}

/// The weights of the first model in the record of the run in `out`.
fn weights_of(out: &Path) -> serde_json::Value {
    let record: serde_json::Value = serde_json::from_slice(&fs::read(out.join("run.json")).unwrap()).unwrap();
    record["models"][0]["weights"].clone()
}

#[test]
fn nothing_is_fetched_for_an_evaluation_that_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let images = sample_as_files(&folder.path().join("images"), 1);
    let (missing, file, other, new) = (path("missing"), path("file"), path("other"), path("new"));
    fs::write(&file, "mine").unwrap();
    xtask(&["eval", "--model", "timm/resnet18", "--limit", "1", "--out", &other]).assert().success();
    let images = images.to_str().unwrap();
    for (data, out, more, why) in [
        (missing.as_str(), &new, ["--limit", "1"], "missing"),
        (images, &new, ["--recipe", "nosuch"], "nosuch"),
        (images, &new, ["--device", "wgpu"], "wgpu"),
        (images, &new, ["--dtype", "f16"], "f16"),
        (images, &file, ["--limit", "1"], "not a directory"),
        (images, &other, ["--limit", "1"], "holds another evaluation"),
    ] {
        let run = ["eval", "--model", "timm/xception", "--data", data, "--out", out];
        let mut command = with_cache(&folder.path().join("cache"), &[&run[..], &more].concat());
        // Nobody answers there.
        let output = command.env("IMAGENET_EVAL_MIRROR", "http://127.0.0.1:1").output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(why) && !error.contains("127.0.0.1"), "{error}");
    }
}

#[test]
fn two_catalogs_with_one_file_name_get_their_own_files() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let mut digests = Vec::new();
    for (name, shift) in [("a", 0.0), ("b", 1.0)] {
        let base = serve(&Arc::new(Mutex::new(checkpoint(shift, ""))));
        let toml = folder.path().join(name).with_extension("toml");
        let toml = catalog(&toml, &format!("url = \"{base}/model.pth\"\nfile = \"model.pth\"\n"));
        with_cache(&cache, &["weights", "fetch", "--catalog", &toml, "mine/x"]).assert().success();
        let out = folder.path().join(name);
        let run =
            ["eval", "--catalog", &toml, "--model", "mine/x", "--weights", "pretrained", "--limit", "1"];
        with_cache(&cache, &[&run[..], &["--offline", "--out", out.to_str().unwrap()]].concat())
            .assert()
            .success();
        let weights = weights_of(&out);
        assert_eq!(weights["published"], true);
        digests.push(weights["sha256"].as_str().unwrap().to_owned());
    }
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn a_catalog_cannot_name_a_file_outside_the_cache_or_one_of_the_caches_own() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    let victim = folder.path().join("bashrc");
    fs::write(&victim, "mine").unwrap();
    let base = serve(&Arc::new(Mutex::new(b"theirs".to_vec())));
    let toml = folder.path().join("catalog.toml");
    let absolute = victim.to_str().unwrap();
    let files =
        ["../bashrc", absolute, "..", ".bashrc", "", "a/b", "a\\\\b", "first-seen.json", "x.part", "x.lock"];
    for file in files {
        let toml = catalog(&toml, &format!("url = \"{base}/x\"\nfile = \"{file}\"\n"));
        with_cache(&cache, &["weights", "fetch", "--catalog", &toml, "mine/x"])
            .assert()
            .code(EXIT_WRONG)
            .stderr(contains("mine/x").and(contains("give a plain file name")));
    }
    for prefix in ["", "7", "0123456", "0123456g"] {
        let weights = format!("url = \"{base}/x\"\nfile = \"x\"\nsha256_prefix = \"{prefix}\"\n");
        let toml = catalog(&toml, &weights);
        with_cache(&cache, &["weights", "fetch", "--catalog", &toml, "mine/x"])
            .assert()
            .code(EXIT_WRONG)
            .stderr(contains("8 to 64 hexadecimal digits"));
    }
    // One of the table's names, as some file systems compare them.
    for file in ["Xception41_pretrained.pdparams", "XCEPTION41_pretrained.PDPARAMS"] {
        let toml = catalog(&toml, &format!("url = \"{base}/x\"\nfile = \"{file}\"\n"));
        with_cache(&cache, &["weights", "list", "--catalog", &toml, "mine/x"])
            .assert()
            .code(EXIT_WRONG)
            .stderr(contains("those of ppcls/xception41"));
    }
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0, "a refused catalog leaves nothing behind");
}

#[test]
fn an_error_message_is_never_trusted_and_a_first_sight_can_be_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let content = Arc::new(Mutex::new(b"{\"error\": \"AccessDenied\"}".to_vec()));
    let base = serve(&content);
    let toml = folder.path().join("catalog.toml");
    let toml = catalog(&toml, &format!("url = \"{base}/x.pth\"\nfile = \"x.pth\"\n"));
    let weights = |verb: &str| with_cache(&cache, &["weights", verb, "--catalog", &toml, "mine/x"]);
    weights("fetch").assert().code(EXIT_WRONG).stderr(contains("is no checkpoint of mine/x's network"));
    assert!(!cache.join("first-seen.json").exists());
    weights("forget").assert().success().stdout(contains("no first sight is recorded"));
    *content.lock().unwrap() = checkpoint(0.0, "");
    weights("fetch").assert().success().stderr(contains("its SHA-256 is recorded"));
    weights("verify").assert().success().stdout(contains("the file first seen"));
    // The publisher replaces the file: refused until the old one is forgotten.
    *content.lock().unwrap() = checkpoint(1.0, "");
    weights("fetch").assert().success().stderr(contains("the file first seen"));
    let file = in_a_folder_of(&cache, "x.pth");
    fs::remove_file(&file).unwrap();
    weights("fetch")
        .assert()
        .code(EXIT_WRONG)
        .stderr(contains("first-seen.json").and(contains("`cargo xtask weights forget --catalog=")));
    weights("forget").assert().success().stdout(contains("is forgotten;").and(contains("not here")));
    weights("fetch").assert().success().stderr(contains("its SHA-256 is recorded"));
    weights("forget").assert().success().stdout(contains("x.pth.forgotten"));
    assert!(file.with_file_name("x.pth.forgotten").exists() && !file.exists());
    weights("list").assert().success().stdout(contains("not here"));
}

/// The one file called `name` in the folders of `cache`.
fn in_a_folder_of(cache: &Path, name: &str) -> PathBuf {
    let folders = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    folders.map(|folder| folder.join(name)).find(|path| path.exists()).unwrap()
}

#[test]
fn what_is_put_into_the_cache_by_hand_is_recorded_once_it_was_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    let out = folder.path().join("run");
    fs::write(cache.join("Xception41_pretrained.pdparams"), "{\"error\": 1}").unwrap();
    let run = ["eval", "--model", "ppcls/xception41", "--weights", "pretrained", "--limit", "1", "--offline"];
    with_cache(&cache, &[&run[..], &["--out", out.to_str().unwrap()]].concat())
        .assert()
        .code(EXIT_WRONG)
        .stderr(contains("is not the published file: it is no checkpoint of the model's network"));
    assert!(!cache.join("first-seen.json").exists());
}

#[test]
fn whether_weights_are_published_is_asked_of_the_catalog_of_today() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let file = path("x.safetensors");
    fs::write(&file, checkpoint(0.0, "module._orig_mod.")).unwrap();
    let out = path("run");
    let toml = |prefix: &str| {
        let hash = format!("sha256_prefix = \"{prefix}\"\n");
        catalog(&path("catalog.toml"), &format!("url = \"https://example.org/x\"\nfile = \"x.pth\"\n{hash}"))
    };
    let other = "weights other than the published file";
    let wrong = toml("00000000");
    let (weights, out_text) = (file.to_str().unwrap(), out.to_str().unwrap());
    xtask(&[
        "eval",
        "--catalog",
        &wrong,
        "--model",
        "mine/x",
        "--weights",
        weights,
        "--limit",
        "1",
        "--out",
        out_text,
    ])
    .assert()
    .success()
    .stdout(contains(other))
    .stderr(contains("all names in its checkpoint begin with `module._orig_mod.`, which was taken off"));
    let record = weights_of(&out);
    assert_eq!((&record["published"], &record["name_prefix"]), (&false.into(), &"module._orig_mod.".into()));
    // Given again, nothing is left to load, and what loading told stays in the record.
    let stored = fs::read(out.join("run.json")).unwrap();
    let again = ["eval", "--catalog", &wrong, "--model", "mine/x", "--weights", weights, "--limit", "1"];
    xtask(&[&again[..], &["--out", out_text]].concat())
        .assert()
        .success()
        .stderr(contains("no image is left to do, so it is not loaded"));
    assert_eq!(fs::read(out.join("run.json")).unwrap(), stored);
    let digits = record["sha256"].as_str().unwrap()[..12].to_uppercase();
    let compare = |toml: &str| printed(&mut xtask(&["compare", out_text, "--catalog", toml]));
    assert!(compare(&wrong).contains(other));
    assert!(!compare(&toml(&digits)).contains(other));
    // And back, had the run been told otherwise.
    let text = fs::read_to_string(out.join("run.json")).unwrap();
    fs::write(out.join("run.json"), text.replace("\"published\": false", "\"published\": true")).unwrap();
    assert!(compare(&toml("00000000")).contains(other));
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let images = sample_as_files(&folder.path().join("images"), 1);
    let fifo = folder.path().join("fifo");
    assert!(Process::new("mkfifo").arg(&fifo).status().unwrap().success());
    let (fifo, images) = (fifo.to_str().unwrap(), images.to_str().unwrap());
    let out = folder.path().join("run");
    fs::create_dir(&out).unwrap();
    assert!(Process::new("mkfifo").arg(out.join("run.json")).status().unwrap().success());
    let run = out.to_str().unwrap();
    for special in [fifo, "/dev/zero", folder.path().to_str().unwrap()] {
        let weights = ["eval", "--model", "timm/xception", "--weights", special];
        let labels = [
            "eval",
            "--model",
            "timm/xception",
            "--weights",
            "seeded",
            "--data",
            images,
            "--labels",
            special,
        ];
        let catalog = ["weights", "list", "--catalog", special];
        let score = ["score", special];
        for command in [&weights[..], &labels, &catalog, &score] {
            // A folder of weights is searched.
            if special != folder.path().to_str().unwrap() || command[0] != "eval" {
                let refused = xtask(command).timeout(Duration::from_secs(60)).assert().code(EXIT_WRONG);
                refused.stderr(contains("it is a").and(contains(special)));
            }
        }
    }
    for command in [&["compare", run][..], &["merge", run, "--out", "merged"]] {
        let refused = xtask(command).timeout(Duration::from_secs(60)).assert().code(EXIT_WRONG);
        refused.stderr(contains("run.json").and(contains("it is a pipe (fifo)")));
    }
}
