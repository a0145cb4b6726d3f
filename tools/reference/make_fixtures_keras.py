"""Writes Keras's weight files for the tests of crates/models: a narrow Xception (every layer name, every
block; widths of 2 to 14 channels), saved by Keras itself in every form in which it saves weights, and in
forms that must be refused. `narrow-keras-logits.json` holds what TensorFlow computes with them for a
seeded 75x75 input.

The HDF5 files have the same bytes at every run; a `.keras` archive contains the time of its making.

usage: python make_fixtures_keras.py [OUT_DIR]              (default: crates/models/tests/fixtures)
       python make_fixtures_keras.py --keras3 [OUT_DIR]     (after the first, with Keras 3)
needs: tensorflow-cpu==2.15.1 (requirements-keras.txt); for --keras3 keras==3.15.1 jax h5py
"""
import argparse
import inspect
import json
import os
import re
from pathlib import Path

import h5py
import numpy as np

import seeded

SEED = 0
SIDE = 75
CLASSES = 10
WIDTH = {32: 2, 64: 4, 128: 4, 256: 6, 728: 8, 1024: 10, 1536: 12, 2048: 14}


def narrow(module):
    """The framework's own `Xception` function with other widths."""
    source = inspect.getsource(module.Xception)
    source = re.sub(r"^@.*?^def ", "def ", source, flags=re.S | re.M)
    body = source.index('"""', source.index('"""') + 3)  # the docstring has sizes too
    source = source[:body] + re.sub(r"\b(\d+)\b", lambda m: str(WIDTH.get(int(m[1]), m[1])), source[body:])
    namespace = dict(vars(module))
    exec(source, namespace)
    return lambda: namespace["Xception"](
        weights=None, input_shape=(SIDE, SIDE, 3), classes=CLASSES, classifier_activation=None)


def values(layers):
    """Seeded values in the layers' order, by the names of Keras 2.3.1 (see reference_models.Keras)."""
    counts = {}
    for layer in layers:
        name = layer.name
        for auto in ("conv2d", "batch_normalization"):
            if re.fullmatch(auto + r"(_\d+)?", name):
                counts[auto] = counts.get(auto, 0) + 1
                name = f"{auto}_{counts[auto]}"
        arrays = []
        for weight in layer.weights:
            leaf = weight.name.split("/")[-1].split(":")[0]
            shape = tuple(weight.shape)
            full = f"{name}/{leaf}"
            if leaf == "bias":
                arrays.append(seeded.unit(full, int(np.prod(shape)), SEED))
            elif leaf == "depthwise_kernel":
                arrays.append(seeded.tensor(full, shape, "conv", SEED, shape[0] * shape[1]))
            elif leaf.endswith("kernel"):
                role = "linear" if len(shape) == 2 else "conv"
                arrays.append(seeded.tensor(full, shape, role, SEED, int(np.prod(shape[:-1]))))
            else:
                role = {"gamma": "gamma", "beta": "beta", "moving_mean": "mean", "moving_variance": "var"}[leaf]
                arrays.append(seeded.tensor(full, shape, role, SEED))
        yield layer, arrays


def reordered(source, target, change):
    """Copies a weight file, its `layer_names` changed."""
    with h5py.File(source) as old, h5py.File(target, "w", libver="latest") as new:
        for name in old:
            old.copy(name, new)
        new.attrs["layer_names"] = change(list(old.attrs["layer_names"]))


def swap(names):
    a, b = names.index("block5_sepconv1"), names.index("block6_sepconv1")
    names[a], names[b] = names[b], names[a]
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parents[2] / "crates/models/tests/fixtures"
    parser.add_argument("out", nargs="?", type=Path, default=default, metavar="OUT_DIR")
    parser.add_argument("--keras3", action="store_true")
    args = parser.parse_args()
    out = args.out
    if args.keras3:
        os.environ["KERAS_BACKEND"] = "jax"
    from keras.src.applications import xception as module

    build = narrow(module)
    # A process that has built a model before numbers the second one's layers otherwise.
    for second in (False, True):
        model = build()
        for layer, arrays in values(layer for layer in model.layers if layer.weights):
            layer.set_weights(arrays)
        if args.keras3:
            model.save(out / "narrow-keras3.keras")
            model.save_weights(out / "narrow-keras3.weights.h5")
            return
        if not second:
            model.save_weights(out / "narrow-keras.h5")
            model.save_weights(out / "narrow-tf215.weights.h5")
            model.save(out / "narrow-tf215.keras")
            probe = seeded.unit("input", 3 * SIDE * SIDE, SEED).reshape(1, 3, SIDE, SIDE)
            logits = model(np.ascontiguousarray(probe.transpose(0, 2, 3, 1)), training=False).numpy()
            (out / "narrow-keras-logits.json").write_text(
                json.dumps(dict(logits=[float(v) for v in logits[0]])) + "\n")
        else:
            model.save_weights(out / "narrow-keras-renumbered.h5")
    first = out / "narrow-keras.h5"
    reordered(first, out / "narrow-keras-swapped.h5", swap)
    reordered(first, out / "narrow-keras-missing.h5", lambda names: [n for n in names if n != "block9_sepconv2"])


if __name__ == "__main__":
    main()
