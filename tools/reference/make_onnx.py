"""Writes small ONNX files of many architectures and what ONNX Runtime computes with them: what crates/models reads ONNX files
by. Each network is a library's own, a few channels wide, with seeded weights, statistics of its normalisations measured on
the inputs, and a last layer scaled so that a logit varies by about 1 from input to input.

`onnx-answers.json` holds, for each file, height and width of its input and the logits of two inputs: `blocks()` says which.

usage: python make_onnx.py [OUT_DIR] [--only NAME ...]     (default: crates/models/tests/fixtures/onnx)
needs: requirements-onnx.txt
"""
import argparse
import contextlib
import io
import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import onnxruntime.quantization
import onnxruntime.quantization.shape_inference
import timm
import torch
import torchvision
from torch import nn

import seeded

warnings.filterwarnings("ignore")
IMAGES = 2
CALIBRATION = 8


def blocks(side, number: int) -> np.ndarray:
    """Input `number` of this side, or height and width, NCHW: 8 x 8 seeded values a channel, each a block of pixels, plus a little noise."""
    height, width = side if isinstance(side, tuple) else (side, side)
    coarse = seeded.unit(f"blocks.{number}", 3 * 64, 0).reshape(3, 8, 8)
    fine = seeded.unit(f"noise.{number}", 3 * height * width, 0).reshape(3, height, width)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    return (coarse[:, rows][:, :, columns] + np.float32(0.25) * fine)[None].astype(np.float32)


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

    def conv(*args, **kwargs):
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias", "padding_mode")
        given = {**dict(zip(names, args)), **kwargs}
        for name in ("in_channels", "out_channels"):
            given[name] = less(given[name])
        if given.get("groups", 1) != 1:
            given["groups"] = max(given["groups"] // factor, 1)
        return (), given

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
    with narrow(16):
        return tv.resnet18(weights=None)


@network(opset=9)
def vgg11_bn():
    with narrow(64):
        model = tv.vgg11_bn(weights=None)
        # Its pool to 7 x 7 pixels changes nothing at 224; an export of it at another size there is none.
        model.avgpool, model.classifier[0] = nn.Identity(), nn.Linear(512 * 2 * 2, 4096)
        return model


@network(opset=11)
def densenet():
    with narrow(8):
        return tv.DenseNet(32, (2, 2, 2, 2), 64)


@network(opset=13)
def mobilenet_v2():
    with narrow(32):
        return tv.mobilenet_v2(weights=None)


@network(opset=17, dynamo=True)
def mobilenet_v3():
    with narrow(16):
        return tv.mobilenet_v3_small(weights=None)


@network(opset=11)
def shufflenet_v2():
    return tv.ShuffleNetV2([2, 2, 2], [8, 16, 32, 64, 48])


@network(side=96)
def googlenet():
    with narrow(16):
        return tv.googlenet(weights=None, init_weights=False, aux_logits=False)


# Narrower, with a channel or two a layer and maps of one pixel, normalisations divide by nearly nothing, and rounding grows a
# thousandfold on the way.
@network(side=139, opset=15)
def inception_v3():
    with narrow(16):
        return tv.inception_v3(weights=None, init_weights=False, aux_logits=False)


@network()
def squeezenet():
    with narrow(16):
        return tv.squeezenet1_1(weights=None)


@network(opset=18, dynamo=True)
def regnet_y():
    widths = tv.regnet.BlockParams.from_init_params(depth=4, w_0=8, w_a=8.0, w_m=2.2, group_width=8, se_ratio=0.25)
    return tv.RegNet(widths, stem_width=8)


@network(opset=14)
def efficientnet_b0():
    with narrow(32):
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
    byob = timm.models.byobnet
    make = timm.models.mobilevit
    blocks = (
        make._inverted_residual_block(d=1, c=8, s=1, br=2.0),
        make._mobilevit_block(d=1, c=16, s=2, transformer_dim=16, transformer_depth=1, patch_size=2, br=2.0),
    )
    return byob.ByobNet(byob.ByoModelCfg(blocks=blocks, stem_chs=8, stem_type="3x3", stem_pool="", downsample="", act_layer="silu", num_features=32))


@network(opset=11)
def hrnet():
    with narrow(32):
        return timm.create_model("hrnet_w18_small")


@network(opset=10)
def ghostnet():
    model = timm.models.ghostnet._create_ghostnet("ghostnet_050", width=0.05)
    model.conv_head = nn.Conv2d(model.conv_head.in_channels, 24, 1)
    model.classifier = nn.Linear(24, 1000)
    return model


@network(opset=12)
def tf_efficientnet():
    """TensorFlow's padding, written out by PyTorch."""
    with narrow(32):
        return timm.create_model("tf_efficientnet_b0", exportable=True)


@network(opset=15)
def regnet_x():
    widths = tv.regnet.BlockParams.from_init_params(depth=4, w_0=8, w_a=8.0, w_m=2.2, group_width=8)
    return tv.RegNet(widths, stem_width=8)


class Alexnet(nn.Module):
    """AlexNet's two groups, and activations of its time."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(12, 24, 5, padding=2, groups=2), nn.LeakyReLU(0.1), nn.MaxPool2d(3, 2),
            nn.Conv2d(24, 24, 3, padding=1), nn.ELU(), nn.AvgPool2d(2, ceil_mode=True),
        )
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(24 * 9, 32), nn.Tanh(), nn.Linear(32, 1000))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


@network(opset=7)
def alexnet():
    return Alexnet()


class ResponseNorm(nn.Module):
    """Responses normalised over channels, which PyTorch's exporter writes out as a pool of three axes."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, 7, 2), nn.ReLU(), nn.LocalResponseNorm(5, alpha=0.5, k=2.0), nn.MaxPool2d(3, 2),
            nn.Conv2d(12, 24, 3, 2), nn.ReLU(), nn.LocalResponseNorm(4, alpha=0.5),
        )
        self.classifier = nn.Linear(24, 1000)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


@network(opset=18, dynamo=True)
def response_norm():
    return ResponseNorm()


class Functions(nn.Module):
    """A network of the operations that the others have not."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, padding_mode="reflect", padding=1)
        self.prelu = nn.PReLU(16)
        self.mix = nn.Conv2d(16, 16, 3, padding=2, dilation=2)
        self.norms = nn.ModuleList([nn.InstanceNorm2d(16, affine=True), nn.GroupNorm(4, 16)])
        self.after = nn.Conv2d(64, 24, 1)
        self.head = nn.Linear(48, 1000)

    def forward(self, x):
        x = self.prelu(self.stem(x))
        y = self.norms[0](self.mix(nn.functional.pad(x, (1, 0, 0, 1), mode="replicate")))
        y = nn.functional.mish(y[:, :, :32, :32]) + nn.functional.softplus(x)
        y = self.norms[1](y).abs().clamp(0.1, 3).sqrt() - nn.functional.selu(x) * 0.5
        y = torch.maximum(y, torch.tanh(x)) + torch.minimum(y, torch.sigmoid(x)).pow(2)
        y = nn.functional.celu(y) + nn.functional.softsign(-y) + torch.log1p(y.exp().reciprocal())
        z = nn.functional.pixel_shuffle(nn.functional.pixel_unshuffle(y, 2), 2)
        z = torch.where(torch.arange(32) % 2 == 0, z, z.neg())
        small = nn.functional.interpolate(z, scale_factor=0.5, mode="nearest")
        large = nn.functional.interpolate(small, size=(33, 31), mode="bilinear", align_corners=False)
        cubic = nn.functional.interpolate(small, size=(32, 32), mode="bicubic", align_corners=True)
        large = nn.functional.interpolate(large, size=(32, 32), mode="bilinear", align_corners=True)
        y = torch.cat([y, z.flip(2), large, cubic], 1)
        y = nn.functional.gelu(self.after(y), approximate="tanh")
        y = torch.cat([y.amax((2, 3)), (y * y).sum((2, 3)) / 64 - y.mean((2, 3))], 1)
        y = nn.functional.normalize(y) * 4 + torch.einsum("bi,ij->bj", y, torch.eye(48) * 0.5)
        return nn.functional.log_softmax(self.head(y), 1)


@network(opset=20)
def functions():
    return Functions()


@network(opset=18, to_opset=22)
def functions_22():
    return Functions()


@network(opset=8, side=(48, 80))
def oblong():
    """Wider than it is high."""
    with narrow(32):
        return tv.resnet18(weights=None)


@network(opset=17, half=True, free=False)
def resnet18_half():
    with narrow(16):
        return tv.resnet18(weights=None)


@network(opset=13)
def nfnet():
    """Standardised weights: a BatchNormalization in training mode, of weights."""
    nfnet = timm.models.nfnet
    return nfnet.NormFreeNet(nfnet._nfres_cfg(depths=(1, 1, 1, 1), channels=(16, 32, 48, 64)))


# Written by make_onnx_foreign.py, and the side of their inputs.
FOREIGN = {"keras_nhwc": 64, "paddle": 64}

# Quantised by ONNX Runtime's tool, from one of NETWORKS. Weights have seven bits: with eight, ONNX Runtime adds two products in 16 bits
# and cuts the sum off, on CPUs without VNNI.
QUANTISED = {
    "int8_qdq": ("resnet18", dict(quant_format="QDQ", activation_type="QUInt8", weight_type="QInt8", per_channel=True)),
    "int8_qdq_signed": ("squeezenet", dict(quant_format="QDQ", activation_type="QInt8", weight_type="QInt8", per_channel=False)),
    "int8_qoperator": ("mobilenet_v2", dict(quant_format="QOperator", activation_type="QUInt8", weight_type="QInt8", per_channel=False)),
    "int8_dynamic": ("vit", None),
    "int8_dynamic_conv": ("squeezenet", None),
}


class Inputs(onnxruntime.quantization.CalibrationDataReader):
    """The inputs by which scales are chosen."""

    def __init__(self, name: str, side: int):
        self.left = iter([{name: blocks(side, n)} for n in range(CALIBRATION)])

    def get_next(self):
        return next(self.left, None)


def quantise(name: str, to: Path) -> Path:
    of, options = QUANTISED[name]
    quantization = onnxruntime.quantization
    path = to / f"{name}.onnx"
    with tempfile.TemporaryDirectory() as folder:
        whole = export(of, Path(folder))
        simple = Path(folder) / "simple.onnx"
        quantization.shape_inference.quant_pre_process(str(whole), str(simple), skip_symbolic_shape=True)
        if options is None:
            quantization.quantize_dynamic(str(simple), str(path), weight_type=quantization.QuantType.QInt8, reduce_range=True, op_types_to_quantize=["MatMul", "Gemm", "Conv"])
        else:
            kinds = {"quant_format": quantization.QuantFormat, "activation_type": quantization.QuantType, "weight_type": quantization.QuantType}
            options = {key: kinds[key][value] if key in kinds else value for key, value in options.items()}
            quantization.quantize_static(str(simple), str(path), Inputs("images", NETWORKS[of][1]), reduce_range=True, **options)
    return rewritten(onnx.load(path), path)


# The end of two of the texts below: from maps to the numbers of classes.
TO_CLASSES = """    f = GlobalMaxPool(e)
    flat = Flatten(f)
    base = ConstantOfShape<value = float[1] {0.25}>(classes)
    start = Constant<value_float = 0.0>()
    limit = Constant<value_float = 1000.0>()
    one = Constant<value_float = 1.0>()
    numbers = Range(start, limit, one)
    waves = Sin(numbers)
    column_axis = Constant<value_ints = [1]>()
    column = Unsqueeze(waves, column_axis)
    weights = Mul(base, column)
    logits = Gemm<transB = 1>(flat, weights, waves)
}"""

# Small files of many operations, in the standard's own text: what damaged files are made of (fuzz/). Their weights are made by
# the file itself, so that damage meets its structure. And what no exported file has: groups normalised as opset 21 has it, tiles, space made depth.
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
    "text_tiles_19": (32, """<ir_version: 9, opset_import: ["" : 19]>
text_tiles_19 (float[N, 3, 32, 32] x) => (float[N, 1000] logits)
<float[4, 3, 1, 1] w = {0.5, -0.25, 1, 0.75, 0.5, -1, -0.5, 0.25, 0.1, 1, 0.3, -0.2},
 int64[4] twice = {1, 2, 1, 1}, int64[2] classes = {1000, 32}>
{
    a = Conv<kernel_shape = [1, 1]>(x, w)
    b = SpaceToDepth<blocksize = 2>(a)
    d = Mish(b)
    e = Tile(d, twice)
""" + TO_CLASSES),
    "text_groups_21": (32, """<ir_version: 10, opset_import: ["" : 21]>
text_groups_21 (float[N, 3, 32, 32] x) => (float[N, 1000] logits)
<float[4, 3, 1, 1] w = {0.5, -0.25, 1, 0.75, 0.5, -1, -0.5, 0.25, 0.1, 1, 0.3, -0.2}, float[16] scale = {0.5, 1.75, 1.25, 0.75, 2, 1.5, 1, 0.5, 1.75, 1.25, 0.75, 2, 1.5, 1, 0.5, 1.75},
 float[16] shift = {-0.6, 0.3, -0.3, 0.6, 0.0, -0.6, 0.3, -0.3, 0.6, 0.0, -0.6, 0.3, -0.3, 0.6, 0.0, -0.6}, int64[4] twice = {1, 2, 1, 1}, int64[2] classes = {1000, 32}>
{
    a = Conv<kernel_shape = [1, 1]>(x, w)
    b = SpaceToDepth<blocksize = 2>(a)
    c = GroupNormalization<num_groups = 4, epsilon = 0.001>(b, scale, shift)
    d = Mish(c)
    e = Tile(d, twice)
""" + TO_CLASSES),
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
    "text_quantised": (32, """<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1]>
text_quantised (float[N, 3, 32, 32] x) => (float[N, 1000] logits)
<float s = {0.01}, uint8 z = {128}, float[1] t = {0.012}, uint8[1] y = {117}, float u = {0.02}, uint8 bottom = {0}, float v = {0.05}, float o = {0.1}, int8 middle = {0}, int8[4] middles = {0, 0, 0, 0},
 int8[4, 3, 1, 1] w = {50, -60, 21, 33, -47, 64, -5, 12, -63, 40, 40, -40}, float[4] ws = {0.01, 0.011, 0.009, 0.013}, int32[4] b = {1000, -2000, 30, 0},
 uint8[4, 1, 3, 3] d = {64, 70, 60, 80, 64, 48, 64, 33, 90, 64, 64, 64, 64, 127, 64, 64, 64, 64, 1, 64, 127, 64, 64, 64, 127, 64, 1, 70, 70, 70, 70, 70, 70, 70, 70, 70}, float ds = {0.03}, uint8 dz = {64},
 float bs = {0.00036}, int32[4] db = {100, 200, -300, 17}, int8[5, 4, 1, 1] i = {30, -20, 10, 5, -64, 64, 32, 7, 9, 9, -9, 33, 1, -2, 60, 40, -17, 21, 35, -50}, float is = {0.01},
 int8[5, 4] g = {31, -60, 45, 9, 60, 2, -33, 50, -12, 44, -7, 22, 61, -62, 13, 5, 7, -29, 38, -41}, float[4] gs = {0.02, 0.03, 0.025, 0.02}, int64[2] classes = {1000, 4}, float hs = {0.008}>
{
    q = QuantizeLinear(x, s, z)
    c = QLinearConv<kernel_shape = [1, 1]>(q, s, z, w, ws, middles, t, y, b)
    m = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(c)
    f = DequantizeLinear(m, t, y)
    kernel = DequantizeLinear(d, ds, dz)
    bias = DequantizeLinear(db, bs)
    e = Conv<group = 4, pads = [1, 1, 1, 1], strides = [2, 2]>(f, kernel, bias)
    r = Relu(e)
    rq = QuantizeLinear(r, u, bottom)
    two = com.microsoft.QLinearAdd(rq, u, bottom, rq, u, bottom, v, bottom)
    h = DequantizeLinear(two, v, bottom)
    dynamic, scale, zero = DynamicQuantizeLinear(h)
    sums = ConvInteger<kernel_shape = [1, 1]>(dynamic, i, zero)
    numbers_i = Cast<to = 1>(sums)
    both = Mul(scale, is)
    scaled = Mul(numbers_i, both)
    pooled = GlobalAveragePool(scaled)
    flat = Flatten(pooled)
    fq = QuantizeLinear(flat, v, z)
    gq = QLinearMatMul(fq, v, z, g, gs, middles, o, z)
    mixed = DequantizeLinear(gq, o, z)
    start = Constant<value_float = 0.0>()
    limit = Constant<value_float = 1000.0>()
    one = Constant<value_float = 1.0>()
    numbers = Range(start, limit, one)
    waves = Sin(numbers)
    column_axis = Constant<value_ints = [1]>()
    column = Unsqueeze(waves, column_axis)
    base = ConstantOfShape<value = float[1] {0.5}>(classes)
    head = Mul(base, column)
    head_q = QuantizeLinear(head, hs, middle)
    head_f = DequantizeLinear(head_q, hs, middle)
    logits = Gemm<transB = 1>(mixed, head_f, waves)
}"""),
    "text_beside": (32, """<ir_version: 8, opset_import: ["" : 16]>
text_beside (float[batch, 3, height, width] x) => (float[batch, 1000, 1, 1] logits)
<float[4, 3, 1, 1] w = {0.5, -0.25, 1, 0.75, 0.5, -1, -0.5, 0.25, 0.1, 1, 0.3, -0.2}, float[4, 1, 3, 3] d = {0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, -0.2, 0.3, -0.4, 0.5, -0.4, 0.3, -0.2, 0.1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2},
 float[4] slopes = {0.1, 0.2, 0.3, 0.4}, int64[4] head_shape = {1000, 4, 1, 1}>
{
    c = Conv<kernel_shape = [1, 1]>(x, w)
    e = Conv<group = 4, kernel_shape = [3, 3], auto_pad = "SAME_LOWER", strides = [2, 2]>(c, d)
    column = Constant<value_ints = [4, 1, 1]>()
    slope = Reshape(slopes, column)
    f = PRelu(e, slope)
    n = LRN<size = 3, alpha = 0.1, bias = 1.5>(f)
    g = HardSwish(n)
    p = GlobalMaxPool(g)
    start = Constant<value_int = 0>()
    limit = Constant<value_int = 4000>()
    one = Constant<value_int = 1>()
    range = Range(start, limit, one)
    numbers = Cast<to = 1>(range)
    waves = Cos(numbers)
    head = Reshape(waves, head_shape)
    logits = Conv<kernel_shape = [1, 1]>(p, head)
}"""),
}


def from_text(name: str, to: Path) -> Path:
    path = to / f"{name}.onnx"
    model = onnx.parser.parse_model(TEXTS[name][1])
    if name == "text_beside":
        # Its weights lie beside it, from a place on.
        tensors = [tensor for tensor in model.graph.initializer if tensor.name in ("w", "d")]
        values = b"\x3d" * 64 + b"".join(onnx.numpy_helper.to_array(tensor).tobytes() for tensor in tensors)
        (to / f"{name}.onnx_data").write_bytes(values)
        at = 64
        for tensor in tensors:
            size = onnx.numpy_helper.to_array(tensor).nbytes
            del tensor.float_data[:]
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", f"{name}.onnx_data"), ("offset", at), ("length", size)):
                tensor.external_data.add(key=key, value=str(value))
            at += size
    path.write_bytes(model.SerializeToString(deterministic=True))
    onnx.checker.check_model(str(path))
    return path


def export(name: str, to: Path) -> Path:
    make, side, opset, dynamo, options = NETWORKS[name]
    torch.manual_seed(0)
    model = seed(make(), side)
    x = torch.from_numpy(blocks(side, 0))
    if options.get("half"):
        model, x = model.half(), x.half()
    if dynamo:
        program = torch.onnx.export(model, (x,), dynamo=True, opset_version=opset, verbose=False)
        proto = program.model_proto
    else:
        buffer = io.BytesIO()
        free = {"dynamic_axes": {"images": {0: "batch"}, "logits": {0: "batch"}}} if options.get("free", True) else {}
        torch.onnx.export(model, (x,), buffer, opset_version=opset, dynamo=False, input_names=["images"], output_names=["logits"], **free)
        proto = onnx.load_from_string(buffer.getvalue())
    if "to_opset" in options:
        proto = onnx.version_converter.convert_version(proto, options["to_opset"])
    return rewritten(proto, to / f"{name}.onnx")


def rewritten(proto: onnx.ModelProto, path: Path) -> Path:
    """The model without what only people read."""
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del proto.graph.value_info[:]
    del proto.metadata_props[:]
    del proto.graph.metadata_props[:]
    for value in list(proto.graph.input) + list(proto.graph.output) + list(proto.graph.initializer):
        del value.metadata_props[:]
    path.write_bytes(proto.SerializeToString(deterministic=True))
    return path


def widened(path: Path) -> bytes:
    """The file with its half-precision numbers as f32: ONNX Runtime rounds every result to half precision, and we none."""
    model = onnx.load(path)
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    tensors = list(model.graph.initializer) + [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    for tensor in tensors:
        if tensor.data_type == half:
            tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    for value in list(model.graph.input) + list(model.graph.output):
        if value.type.tensor_type.elem_type == half:
            value.type.tensor_type.elem_type = single
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == half:
                attribute.i = single
    return model.SerializeToString()


def answers(path: Path, side: int) -> list:
    model = widened(path) if path.stem.endswith("_half") else str(path)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    last = image.shape[-1] == 3
    inputs = [blocks(side, n).transpose(0, 2, 3, 1) if last else blocks(side, n) for n in range(IMAGES)]
    logits = [session.run(None, {image.name: x})[0].reshape(-1) for x in inputs]
    # Ours are those before a final softmax, which are its logarithms up to a number that is the same for all classes.
    if onnx.load(path, load_external_data=False).graph.node[-1].op_type == "Softmax":
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
    for name in args.only or [*TEXTS, *NETWORKS, *QUANTISED, *FOREIGN]:
        try:
            there = lambda name, to: rewritten(onnx.load(to / f"{name}.onnx"), to / f"{name}.onnx")
            make = from_text if name in TEXTS else quantise if name in QUANTISED else there if name in FOREIGN else export
            path = make(name, args.out)
        except Exception as error:
            print(f"{name}: not exported: {type(error).__name__}: {str(error)[:300]}")
            continue
        side = TEXTS[name][0] if name in TEXTS else FOREIGN.get(name) or NETWORKS[QUANTISED.get(name, [name])[0]][1]
        logits = answers(path, side)
        spread = float(np.std(np.stack(logits), 0).mean())
        operations = sorted({n.op_type for n in onnx.load(path, load_external_data=False).graph.node})
        print(f"{name}: {path.stat().st_size // 1024} kB, spread {spread:.3f}, {len(onnx.load(path, load_external_data=False).graph.node)} nodes, {' '.join(operations)}")
        frozen["files"][path.name] = {"size": side if isinstance(side, tuple) else (side, side), "logits": [[float(f"{v:.7g}") for v in l] for l in logits]}
    text = json.dumps(frozen, indent=None, separators=(",", ":")).replace('"files":{', '"files":{\n').replace("]]},", "]]},\n")
    file.write_text(text + "\n")


if __name__ == "__main__":
    main()
