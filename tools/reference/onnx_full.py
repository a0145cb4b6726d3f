"""Full-size networks beside ONNX Runtime: exported with seeded weights, statistics of their normalisations measured on
photographs, the last layer scaled so that a logit varies by about 1, and the logits of crates/models/examples/onnx_logits
compared with ONNX Runtime's, within 1e-3 of their spread over the photographs.

usage: python onnx_full.py --photos FOLDER --program PATH_OF_onnx_logits [--work DIR] [NAME ...]
needs: requirements-onnx.txt
"""
import argparse
import subprocess
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import timm
import torch
import torchvision
from PIL import Image

import make_onnx

warnings.filterwarnings("ignore")
tv, tm = torchvision.models, timm.create_model

# Name: how it is made, the side of its input, the opset, and by which exporter.
TORCHVISION = (
    "resnet50 vgg16_bn densenet121 mobilenet_v2 mobilenet_v3_large shufflenet_v2_x1_0 googlenet regnet_y_800mf efficientnet_b0 "
    "convnext_tiny squeezenet1_1 resnext50_32x4d vit_b_16 swin_t mnasnet1_0 alexnet wide_resnet50_2 swin_v2_t maxvit_t efficientnet_v2_s"
).split()
TIMM = (
    "hrnet_w18_small res2net50_26w_4s seresnet50 ghostnet_100 repvgg_a2 cspresnet50 mobilevit_s deit_small_patch16_224 "
    "mixer_s32_224 pit_ti_224 coat_tiny levit_128s convit_tiny xcit_nano_12_p16_224 nf_resnet50 gernet_s dla34 tresnet_m poolformer_s12 "
    "cait_xxs24_224 crossvit_tiny_240 visformer_tiny edgenext_xx_small resnest14d selecsls42b ecaresnet26t botnet26t_256 eca_halonext26ts"
).split()


def make(name: str):
    if name == "inception_v3":
        return tv.inception_v3(weights=None, init_weights=False, aux_logits=False), 299
    if name == "googlenet":
        return tv.googlenet(weights=None, init_weights=False, aux_logits=False), 224
    if name in TORCHVISION:
        return getattr(tv, name)(weights=None), 224
    model = tm(name)
    return model, model.default_cfg["input_size"][-1]


def photographs(folder: Path, side: int, count: int) -> np.ndarray:
    files = sorted(folder.iterdir())[: 13 * count : 13]
    crops = [np.asarray(Image.open(f).convert("RGB").resize((side, side)), np.float32) / 255 for f in files]
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    return np.ascontiguousarray(((np.stack(crops) - mean) / std).transpose(0, 3, 1, 2))


def check(name: str, args) -> str:
    model, side = make(name)
    x = photographs(args.photos, side, 4)
    make_onnx.seed(model, side, x=torch.from_numpy(x))
    path = args.work / f"{name}.onnx"
    if not (args.keep and path.exists()):
        export = torch.onnx.export
        try:
            if args.dynamo:
                export(model, (torch.from_numpy(x[:1]),), str(path), dynamo=True, external_data=False, verbose=False)
            else:
                free = {"images": {0: "batch"}, "logits": {0: "batch"}}
                export(model, (torch.from_numpy(x[:1]),), str(path), dynamo=False, opset_version=args.opset, input_names=["images"], output_names=["logits"], dynamic_axes=free)
        except Exception as error:
            return f"not exported: {str(error)[:120]!r}"
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {session.get_inputs()[0].name: image[None]})[0] for image in x])
    images, logits = args.work / "images.f32", args.work / "logits.f32"
    x.tofile(images)
    begin = time.time()
    ours = subprocess.run([args.program, path, str(side), str(side), images, logits], capture_output=True, text=True)
    if ours.returncode:
        return "FAILED " + ours.stderr.strip()[-400:]
    found = np.fromfile(logits, np.float32).reshape(expected.shape)
    most = np.abs(found - expected).max() / expected.std(0).mean()
    return f"{'ok' if most <= 1e-3 else 'DIFFERS'} {most:.1e} of the spread ({expected.std(0).mean():.2f}), {time.time() - begin:.0f} s; {ours.stdout.strip()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("onnx-full"))
    parser.add_argument("--opset", type=int, default=17)
    parser.add_argument("--dynamo", action="store_true")
    parser.add_argument("--keep", action="store_true", help="use a file that was exported before")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for name in args.names or [*TORCHVISION, "inception_v3", *TIMM]:
        try:
            print(f"{name}: {check(name, args)}", flush=True)
        except Exception as error:
            print(f"{name}: error: {type(error).__name__}: {str(error)[:300]}", flush=True)


if __name__ == "__main__":
    main()
