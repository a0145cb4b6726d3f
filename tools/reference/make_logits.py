"""Freezes what the reference frameworks compute for seeded weights (seed 0).

For one source, under datasets/reference/: stages/<id>.json (per-stage statistics on one seeded input tensor), and
in <source>.safetensors per model `<arch>.fc_bias` [1000], `<arch>.logits` [24, 1000] over the
sample images by the model's own recipe, `<arch>.probe` [1, 1000] for the seeded input. Not every network of the catalog
has such answers: those of a family are made of the same operations. Without --only, the networks that have them are made again;
--only adds one, and the other networks' answers stay as they are, byte for byte.

With --check, the frozen fc_bias is loaded rather than computed again, so that the logits are
compared for the very weights that are frozen; the bias is compared too.

usage: python make_logits.py timm|torchvision|keras|ppcls|pypi CROPS.npz [--only ARCH] [--threads N] [--datasets DIR] [--check]
needs: safetensors, CROPS.npz by make_preprocess.py, and the source's environment (requirements-<source>.txt)
"""
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

import layout
import seeded
from recipes import OF_CATALOG, RECIPES, normalise
from reference_models import IDS, RECIPE, SIDE, build

SEED = 0
BATCH = 4
TOLERANCE = 1e-4  # of a logit, whose spread is some units: other CPUs sum in another order


def run(net, x):
    return np.concatenate([net.logits(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])


def statistics(a):
    return dict(shape=list(a.shape), mean=float(a.mean(dtype=np.float64)), std=float(a.std(dtype=np.float64)),
                min=float(a.min()), max=float(a.max()), first=[float(v) for v in a.ravel()[:4]])


def furthest(made, frozen):
    """The largest difference between two stage files' statistics."""
    assert made.keys() == frozen.keys()
    worst = 0.0
    for name, stage in made.items():
        assert stage["shape"] == frozen[name]["shape"], name
        for key in ("mean", "std", "min", "max", "first"):
            worst = max(worst, float(np.abs(np.subtract(stage[key], frozen[name][key])).max()))
    return worst


def main():
    parser = layout.parser(__doc__)
    parser.add_argument("source", choices=layout.SOURCES)
    parser.add_argument("crops", type=Path, metavar="CROPS.npz")
    parser.add_argument("--only", metavar="ARCH", help="one network")
    parser.add_argument("--threads", type=int, help="PyTorch's threads")
    args = parser.parse_args()
    if args.threads and args.source in ("timm", "torchvision", "pypi"):
        import torch

        torch.set_num_threads(args.threads)
    out = args.datasets / "reference"
    frozen_file = out / f"{args.source}.safetensors"
    frozen = load_file(frozen_file) if frozen_file.is_file() else {}
    crops = np.load(args.crops)
    inputs, tensors, failed = {}, {}, []
    wanted = [args.only] if args.only else [key.removesuffix(".logits") for key in frozen]
    chosen = [i for i in IDS if i.startswith(args.source + "/") and i.split("/")[1] in wanted]
    if not chosen:
        parser.error(f"datasets/catalog.toml has no network {args.source}/{args.only}" if args.only
                     else f"nothing is frozen of {args.source}: give --only")
    for model_id in chosen:
        arch = model_id.split("/")[1]
        recipe = RECIPE[model_id]
        if recipe not in inputs:
            crop, statistics_of = (RECIPES | OF_CATALOG)[recipe]
            made = crops[recipe] if recipe in crops else [crop(path) for path in layout.sample_images(args.datasets)]
            inputs[recipe] = np.concatenate([normalise(pixels, statistics_of) for pixels in made])
        x = inputs[recipe]
        net = build(model_id)
        bias_name = next(n for n, _, role, _ in net.state if role == "fc_bias")
        values = {n: np.zeros(s, np.float32) if n == bias_name else seeded.tensor(n, s, r, SEED, f)
                  for n, s, r, f in net.state}
        net.load(values)
        # The class means differ far more than the images do: without a bias that centres the logits,
        # every image would have the same top-1 and the frozen answers would prove little.
        bias = -run(net, x).mean(0).astype(np.float32)
        values[bias_name] = frozen[f"{arch}.fc_bias"] if args.check else bias
        net.load(values)
        logits = run(net, x)
        side = SIDE[model_id]
        probe = seeded.unit("input", 3 * side * side, SEED).reshape(1, 3, side, side)
        activations = net.stages(probe)
        stages = {n: statistics(a) for n, a in activations.items()}
        name = model_id.replace("/", "-") + ".json"
        if args.check:
            worst = {
                "fc_bias": float(np.abs(bias - frozen[f"{arch}.fc_bias"]).max()),
                "logits": float(np.abs(logits - frozen[f"{arch}.logits"]).max()),
                "probe": float(np.abs(activations["logits"] - frozen[f"{arch}.probe"]).max()),
                "stages": furthest(stages, json.loads((out / "stages" / name).read_text())),
            }
            same_top5 = int((np.argsort(-logits, 1, kind="stable")[:, :5]
                             == np.argsort(-frozen[f"{arch}.logits"], 1, kind="stable")[:, :5]).all(1).sum())
            print(model_id, f"top-5 equal {same_top5}/{len(x)}; largest differences:",
                  ", ".join(f"{k} {v:.2e}" for k, v in worst.items()), flush=True)
            if max(worst.values()) > TOLERANCE:
                failed.append(model_id)
            continue
        tensors[f"{arch}.fc_bias"], tensors[f"{arch}.logits"] = bias, logits
        tensors[f"{arch}.probe"] = activations["logits"]
        (out / "stages").mkdir(parents=True, exist_ok=True)
        (out / "stages" / name).write_text(json.dumps(stages, indent=1) + "\n")
        top = np.sort(logits, 1)[:, ::-1]
        print(model_id, "tensors", len(net.state), "logit std", logits.std(), "distinct top-1",
              len(set(logits.argmax(1))), "min gap 1-2", (top[:, 0] - top[:, 1]).min(),
              "min gap 5-6", (top[:, 4] - top[:, 5]).min(), flush=True)
    if failed:
        raise SystemExit(f"beyond {TOLERANCE}: {', '.join(failed)}")
    if not args.check:
        save_file(frozen | tensors, frozen_file)


if __name__ == "__main__":
    main()
