"""Writes small ONNX files of many architectures and what ONNX Runtime computes with them: what crates/models reads ONNX files
by. Each network is a library's own, a few channels wide, with seeded weights, statistics of its normalisations measured on
the inputs, and a last layer scaled so that a logit varies by about 1 from input to input.

`onnx-answers.json` holds, for each file, the side of its input and the logits of two inputs: `blocks()` says which.

usage: python make_onnx.py [OUT_DIR] [--only NAME ...]     (default: crates/models/tests/fixtures/onnx)
needs: requirements-onnx.txt
"""
import argparse
import contextlib
import io
import json
import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import timm
import torch
import torchvision
from torch import nn

import seeded

warnings.filterwarnings("ignore")
IMAGES = 2
CALIBRATION = 8


def blocks(side: int, number: int) -> np.ndarray:
    """Input `number` of this side, NCHW: 8 x 8 seeded values a channel, each a block of pixels, plus a little noise."""
    coarse = seeded.unit(f"blocks.{number}", 3 * 64, 0).reshape(3, 8, 8)
    fine = seeded.unit(f"noise.{number}", 3 * side * side, 0).reshape(3, side, side)
    at = np.arange(side) * 8 // side
    return (coarse[:, at][:, :, at] + np.float32(0.25) * fine)[None].astype(np.float32)


@contextlib.contextmanager
def narrow(factor: int, keep=(3, 1000)):
    """Layers made meanwhile have `factor` times fewer channels, but for an image's and the classes."""
    less = lambda n: n if n in keep else max(n // factor, 1)
    originals = {}

    def patch(cls, change):
        originals[cls] = cls.__init__
        original = cls.__init__

        def init(self, *args, **kwargs):
            original(self, *change(*args, **kwargs)[0], **change(*args, **kwargs)[1])

        cls.__init__ = init

    def conv(i, o, *args, groups=1, **kwargs):
        return (less(i), less(o), *args), {**kwargs, "groups": groups if groups == 1 else max(groups // factor, 1)}

    patch(nn.Conv2d, conv)
    patch(nn.BatchNorm2d, lambda n, *args, **kwargs: ((less(n), *args), kwargs))
    patch(nn.Linear, lambda i, o, *args, **kwargs: ((less(i), less(o), *args), kwargs))
    try:
        yield
    finally:
        for cls, original in originals.items():
            cls.__init__ = original


def seed(model: nn.Module, side: int, x=None) -> nn.Module:
    """Seeded weights; statistics and the last layer by what the inputs make of them."""
    for name, p in model.named_parameters():
        values = torch.from_numpy(seeded.unit(name, p.numel(), 0)).reshape(p.shape)
        if p.dim() > 1:
            fan_in = max(p[0].numel(), 1)
            p.data = values * (6.0 / fan_in) ** 0.5 if p.dim() == 4 else values * (3.0 / fan_in) ** 0.5
        elif "weight" in name or "gamma" in name:
            p.data = 1 + 0.25 * values if p.mean() != 0 else 0.25 * values
        else:
            p.data = 0.25 * values
    if x is None:
        x = torch.from_numpy(np.concatenate([blocks(side, n) for n in range(CALIBRATION)]))
    for m in model.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.momentum, m.training = None, True
            m.reset_running_stats()
    with torch.no_grad():
        model.eval()
        for m in model.modules():
            if isinstance(m, nn.modules.batchnorm._BatchNorm):
                m.train()
        model(x)
        model.eval()
        logits = model(x)
        last = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d)) and m.weight.shape[0] == 1000][-1]
        spread = logits.std(0).mean().clamp_min(1e-6)
        last.weight /= spread
        if last.bias is not None:
            last.bias -= last.bias
    return model


# Name: how it is made, the side of its input, and how it is exported.
NETWORKS = {}


def network(side=64, opset=17, dynamo=False, **export):
    def add(make):
        NETWORKS[make.__name__] = (make, side, opset, dynamo, export)
        return make

    return add


tv = torchvision.models


@network()
def resnet18():
    with narrow(8):
        return tv.resnet18(weights=None)


@network(opset=9)
def vgg11_bn():
    with narrow(16):
        model = tv.vgg11_bn(weights=None)
        # Its pool to 7 x 7 pixels changes nothing at 224; an export of it at another size there is none.
        model.avgpool, model.classifier[0] = nn.Identity(), nn.Linear(512 * 2 * 2, 4096)
        return model


@network(opset=11)
def densenet():
    with narrow(4):
        return tv.DenseNet(32, (2, 2, 2, 2), 64)


@network(opset=13)
def mobilenet_v2():
    with narrow(8):
        return tv.mobilenet_v2(weights=None)


@network(opset=17, dynamo=True)
def mobilenet_v3():
    with narrow(8):
        return tv.mobilenet_v3_small(weights=None)


@network(opset=11)
def shufflenet_v2():
    with narrow(4):
        return tv.shufflenet_v2_x0_5(weights=None)


@network(side=96)
def googlenet():
    with narrow(8):
        return tv.googlenet(weights=None, init_weights=False, aux_logits=False)


@network(side=96, opset=15)
def inception_v3():
    with narrow(8):
        return tv.inception_v3(weights=None, init_weights=False, aux_logits=False)


@network()
def squeezenet():
    with narrow(8):
        return tv.squeezenet1_1(weights=None)


@network(opset=18, dynamo=True)
def regnet_y():
    widths = tv.regnet.BlockParams.from_init_params(depth=6, w_0=16, w_a=8.0, w_m=2.2, group_width=8, se_ratio=0.25)
    return tv.RegNet(widths, stem_width=8)


@network(opset=14)
def efficientnet_b0():
    with narrow(8):
        return tv.efficientnet_b0(weights=None)


@network(opset=18, dynamo=True)
def convnext():
    setting = [tv.convnext.CNBlockConfig(8, 16, 1), tv.convnext.CNBlockConfig(16, 32, 1), tv.convnext.CNBlockConfig(32, None, 1)]
    return tv.ConvNeXt(setting)


@network(opset=16)
def convnext_chain():
    """Layer normalisations written out, as before opset 17."""
    return convnext()


@network(opset=17)
def vit():
    return tv.VisionTransformer(64, 16, 2, 2, 32, 64)


@network(opset=18, dynamo=True)
def vit_dynamo():
    return vit()


@network(opset=17)
def swin():
    return tv.SwinTransformer([4, 4], 16, [2, 2], [2, 4], [4, 4])


@network(opset=17)
def swin_v2():
    block = tv.swin_transformer
    return tv.SwinTransformer([4, 4], 16, [2, 2], [2, 4], [4, 4], block=block.SwinTransformerBlockV2, downsample_layer=block.PatchMergingV2)


@network(opset=12)
def deit():
    return timm.models.vision_transformer.VisionTransformer(64, 16, embed_dim=24, depth=2, num_heads=2, mlp_ratio=2)


@network(opset=16)
def mobilevit():
    with narrow(8):
        return timm.create_model("mobilevit_xxs")


@network(opset=11)
def hrnet():
    with narrow(2):
        return timm.create_model("hrnet_w18_small")


@network(opset=10)
def ghostnet():
    with narrow(8):
        return timm.create_model("ghostnet_100")


@network(opset=13)
def nfnet():
    """Standardised weights: a BatchNormalization in training mode, of weights."""
    return timm.create_model("nf_resnet26")


# Small files of many operations, in the standard's own text: what damaged files are made of (fuzz/). Their weights are made by
# the file itself, so that damage meets its structure.
TEXTS = {
    "text_convolutions": (32, """<ir_version: 8, opset_import: ["" : 13]>
text_convolutions (float[N, 3, 32, 32] x) => (float[N, 1000] logits)
<float[3] mean = {0.1, -0.2, 0.3}, float[4] scale = {1, 0.5, 2, 1}, float[4] shift = {0.1, 0.2, -0.3, 0}, float[4] average = {0.1, 0, 0.2, -0.1}, float[4] variance = {1, 2, 0.5, 1},
 float[4, 3, 1, 1] w = {0.5, -0.25, 1, 0.75, 0.5, -1, -0.5, 0.25, 0.1, 1, 0.3, -0.2}, float[4, 1, 3, 3] d = {0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, -0.2, 0.3, -0.4, 0.5, -0.4, 0.3, -0.2, 0.1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2},
 int64[3] mean_shape = {3, 1, 1}, int64[1] axes = {2}, int64[2] classes = {1000, 4}, float zero = {0}, float six = {6}>
{
    m = Reshape(mean, mean_shape)
    centred = Sub(x, m)
    a = Conv<kernel_shape = [1, 1], strides = [1, 1]>(centred, w)
    b = BatchNormalization<epsilon = 0.001>(a, scale, shift, average, variance)
    c = Clip(b, zero, six)
    e = Conv<group = 4, pads = [1, 1, 1, 1], strides = [2, 2]>(c, d)
    half = HardSigmoid<alpha = 0.16666667, beta = 0.5>(e)
    f = Mul(e, half)
    g = MaxPool<kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1>(f)
    h = AveragePool<kernel_shape = [2, 2], strides = [1, 1], auto_pad = "SAME_UPPER">(g)
    i = LeakyRelu<alpha = 0.1>(h)
    j = Concat<axis = 1>(i, h)
    k, l = Split<axis = 1>(j)
    n = Add(k, l)
    pooled = GlobalAveragePool(n)
    flat = Flatten(pooled)
    base = ConstantOfShape<value = float[1] {0.5}>(classes)
    start = Constant<value_float = 0.0>()
    limit = Constant<value_float = 1000.0>()
    one = Constant<value_float = 1.0>()
    numbers = Range(start, limit, one)
    waves = Sin(numbers)
    column_axis = Constant<value_ints = [1]>()
    column = Unsqueeze(waves, column_axis)
    weights = Mul(base, column)
    logits = Gemm<transB = 1>(flat, weights, waves)
}"""),
    "text_attention": (32, """<ir_version: 8, opset_import: ["" : 17]>
text_attention (float[1, 32, 32, 3] x) => (float[1, 1000] classes)
<int64[4] patches = {1, 4, 8, 4}, int64[3] slices = {0, 0, -1}, float scale = {0.35}, int64[1] two = {2}, float[12] gain = {1, 2, 0.5, 1, 1, 1, 1, 1, 1, 1, 1, 2}, int64[1] first = {0}, float eight = {8}>
{
    nchw = Transpose<perm = [0, 3, 1, 2]>(x)
    shape = Shape(nchw)
    index = Constant<value_int = 0>()
    batch = Gather<axis = 0>(shape, index)
    rest = Constant<value_ints = [3, 8, 4, 8, 4]>()
    batch_axis = Constant<value_ints = [0]>()
    batch_1 = Unsqueeze(batch, batch_axis)
    split_shape = Concat<axis = 0>(batch_1, rest)
    tiles = Reshape(nchw, split_shape)
    moved = Transpose<perm = [0, 2, 4, 1, 3, 5]>(tiles)
    token_shape = Constant<value_ints = [0, 64, -1]>()
    rest_64 = Constant<value_ints = [64, 48]>()
    token_shape_2 = Concat<axis = 0>(batch_1, rest_64)
    flat_tokens = Reshape(moved, token_shape_2)
    part, other = Split<axis = 2>(flat_tokens)
    step = Constant<value_ints = [2]>()
    end = Constant<value_ints = [9223372036854775807]>()
    tokens = Slice(part, first, end, two, step)
    normal = LayerNormalization<axis = -1>(tokens, gain)
    keys = Transpose<perm = [0, 2, 1]>(normal)
    products = MatMul(normal, keys)
    scaled = Mul(products, scale)
    probabilities = Softmax<axis = -1>(scaled)
    mixed = MatMul(probabilities, tokens)
    root = Constant<value_float = 1.4142135>()
    inner = Div(mixed, root)
    error = Erf(inner)
    one = Constant<value_float = 1.0>()
    plus = Add(error, one)
    half = Constant<value_float = 0.5>()
    gated = Mul(mixed, plus)
    gelu = Mul(gated, half)
    mean = ReduceMean<axes = [1], keepdims = 0>(gelu)
    widths = Constant<value_ints = [12, 1000]>()
    base = ConstantOfShape<value = float[1] {0.5}>(widths)
    start = Constant<value_float = 0.0>()
    limit = Constant<value_float = 1000.0>()
    numbers = Range(start, limit, one)
    waves = Cos(numbers)
    weights = Mul(base, waves)
    product = MatMul(mean, weights)
    logits = Add(product, waves)
    classes = Softmax<axis = 1>(logits)
}"""),
}


def from_text(name: str, to: Path) -> Path:
    path = to / f"{name}.onnx"
    model = onnx.parser.parse_model(TEXTS[name][1])
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def export(name: str, to: Path) -> Path:
    make, side, opset, dynamo, options = NETWORKS[name]
    torch.manual_seed(0)
    model = seed(make(), side)
    x = torch.from_numpy(blocks(side, 0))
    if dynamo:
        program = torch.onnx.export(model, (x,), dynamo=True, opset_version=opset, verbose=False)
        proto = program.model_proto
    else:
        buffer = io.BytesIO()
        free = {"dynamic_axes": {"images": {0: "batch"}, "logits": {0: "batch"}}} if options.get("free", True) else {}
        torch.onnx.export(model, (x,), buffer, opset_version=opset, dynamo=False, input_names=["images"], output_names=["logits"], **free)
        proto = onnx.load_from_string(buffer.getvalue())
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del proto.graph.value_info[:]
    del proto.metadata_props[:]
    del proto.graph.metadata_props[:]
    for value in list(proto.graph.input) + list(proto.graph.output) + list(proto.graph.initializer):
        del value.metadata_props[:]
    path = to / f"{name}.onnx"
    path.write_bytes(proto.SerializeToString(deterministic=True))
    return path


def answers(path: Path, side: int) -> list:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    last = image.shape[-1] == 3
    logits = [session.run(None, {image.name: blocks(side, n).transpose(0, 2, 3, 1) if last else blocks(side, n)})[0].reshape(-1) for n in range(IMAGES)]
    # Ours are those before a final softmax, which are its logarithms up to a number that is the same for all classes.
    if onnx.load(path).graph.node[-1].op_type == "Softmax":
        logits = [np.log(l) for l in logits]
    return logits


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("out", nargs="?", type=Path, default=root / "crates/models/tests/fixtures/onnx")
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "onnx-answers.json"
    frozen = json.loads(file.read_text()) if file.exists() else {"files": {}}
    frozen["onnxruntime"] = onnxruntime.__version__
    for name in args.only or [*TEXTS, *NETWORKS]:
        try:
            path = from_text(name, args.out) if name in TEXTS else export(name, args.out)
        except Exception as error:
            print(f"{name}: not exported: {type(error).__name__}: {str(error)[:300]}")
            continue
        side = TEXTS[name][0] if name in TEXTS else NETWORKS[name][1]
        logits = answers(path, side)
        spread = float(np.std(np.stack(logits), 0).mean())
        operations = sorted({n.op_type for n in onnx.load(path).graph.node})
        print(f"{name}: {path.stat().st_size // 1024} kB, spread {spread:.3f}, {len(onnx.load(path).graph.node)} nodes, {' '.join(operations)}")
        frozen["files"][path.name] = {"side": side, "logits": [[float(f"{v:.7g}") for v in l] for l in logits]}
    text = json.dumps(frozen, indent=None, separators=(",", ":")).replace('"files":{', '"files":{\n').replace("]]},", "]]},\n")
    file.write_text(text + "\n")


if __name__ == "__main__":
    main()
