"""Full-size networks of Keras and PaddleClas beside ONNX Runtime, as onnx_full.py does it with PyTorch's: random weights, statistics of
normalisations measured on photographs, the last layer scaled so that a logit varies by about 1. tf2onnx and paddle2onnx export them.

usage: python onnx_full_foreign.py keras|ppcls --photos FOLDER --program PATH_OF_onnx_logits [--work DIR] [NAME ...]
needs: requirements-keras.txt with tf2onnx 1.17.0, or requirements-ppcls.txt with paddle2onnx 1.3.1; onnx 1.17.0, onnxruntime
"""
import argparse
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

KERAS = "MobileNetV2 ResNet50V2 NASNetMobile EfficientNetB0".split()
PPCLS = {
    "PPLCNet_x1_0": "legendary_models.pp_lcnet",
    "MobileNetV3_large_x1_0": "legendary_models.mobilenet_v3",
    "ResNet50_vd": "legendary_models.resnet",
}
SIDE, OPSET = 224, 15


def photographs(folder: Path, count: int) -> np.ndarray:
    files = sorted(folder.iterdir())[: 13 * count : 13]
    crops = [np.asarray(Image.open(f).convert("RGB").resize((SIDE, SIDE)), np.float32) / 255 for f in files]
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    return np.ascontiguousarray(((np.stack(crops) - mean) / std).transpose(0, 3, 1, 2))


def keras(name: str, x: np.ndarray, path: Path) -> None:
    import onnx
    import tensorflow as tf
    import tf2onnx

    tf.keras.utils.set_random_seed(0)
    model = getattr(tf.keras.applications, name)(weights=None, classifier_activation=None)
    if name.startswith("EfficientNet"):
        x = 255 * (0.25 * x + 0.5)  # It normalises itself.
    images = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)
    last = model.layers[-1]
    kernel, bias = last.get_weights()
    last.set_weights([kernel / model(images, training=False).numpy().std(0).mean(), bias])
    onnx.save(tf2onnx.convert.from_keras(model, opset=OPSET)[0], path)


def ppcls(name: str, x: np.ndarray, path: Path) -> None:
    import importlib
    import importlib.util

    import paddle

    root = Path(importlib.util.find_spec("paddleclas").origin).parent / "ppcls"
    # The package's own beginning imports what is not needed here.
    for module in ("ppcls", "ppcls.arch", "ppcls.arch.backbone", "ppcls.arch.backbone.legendary_models", "ppcls.utils"):
        sys.modules[module] = types.ModuleType(module)
        sys.modules[module].__path__ = [str(root.joinpath(*module.split(".")[1:]))]
    sys.modules["ppcls.utils"].logger = types.SimpleNamespace(info=print, warning=print)
    sys.modules["ppcls.utils.logger"] = sys.modules["ppcls.utils"].logger
    paddle.seed(0)
    model = getattr(importlib.import_module(f"ppcls.arch.backbone.{PPCLS[name]}"), name)()
    for layer in model.sublayers():
        if "BatchNorm" in type(layer).__name__:
            layer._momentum = 0.0
    model.train()
    model(paddle.to_tensor(x))
    model.eval()
    last = [layer for layer in model.sublayers() if isinstance(layer, paddle.nn.Linear)][-1]
    last.weight.set_value(last.weight / model(paddle.to_tensor(x)).numpy().std(0).mean())
    spec = paddle.static.InputSpec([None, 3, SIDE, SIDE], "float32", "image")
    paddle.onnx.export(model, str(path.with_suffix("")), opset_version=OPSET, input_spec=[spec])


def check(name: str, export, args) -> str:
    path = args.work / f"{name}.onnx"
    x = photographs(args.photos, 4)
    if not (args.keep and path.exists()):
        export(name, x, path)
    if name.startswith("EfficientNet"):
        x = np.float32(255) * (np.float32(0.25) * x + np.float32(0.5))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    nhwc = given.shape[-1] == 3
    as_given = x.transpose(0, 2, 3, 1) if nhwc else x
    expected = np.concatenate([session.run(None, {given.name: np.ascontiguousarray(image[None])})[0] for image in as_given])
    images, logits = args.work / "images.f32", args.work / "logits.f32"
    x.tofile(images)
    begin = time.time()
    ours = subprocess.run([args.program, path, str(SIDE), str(SIDE), images, logits], capture_output=True, text=True)
    if ours.returncode:
        return "FAILED " + ours.stderr.strip()[-400:]
    found = np.fromfile(logits, np.float32).reshape(expected.shape)
    if "Softmax" in ours.stdout:
        # Of a file that ends in a softmax, ours are the logits.
        expected = np.log(expected)
        expected -= expected.mean(1, keepdims=True)
        found = found - found.mean(1, keepdims=True)
    most = np.abs(found - expected).max() / expected.std(0).mean()
    return f"{'ok' if most <= 1e-3 else 'DIFFERS'} {most:.1e} of the spread ({expected.std(0).mean():.2f}), {time.time() - begin:.0f} s; {ours.stdout.strip()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", choices=["keras", "ppcls"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("onnx-full"))
    parser.add_argument("--keep", action="store_true", help="use a file that was exported before")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    export, names = (keras, KERAS) if args.source == "keras" else (ppcls, list(PPCLS))
    for name in args.names or names:
        try:
            print(f"{name}: {check(name, export, args)}", flush=True)
        except Exception as error:
            print(f"{name}: error: {type(error).__name__}: {str(error)[:300]}", flush=True)


if __name__ == "__main__":
    main()
