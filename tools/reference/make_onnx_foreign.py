"""Writes narrow networks of other frameworks as ONNX files by their exporters: tf2onnx (images as NHWC, TensorFlow's padding) and
paddle2onnx. make_onnx.py then asks ONNX Runtime for their logits.

usage: python make_onnx_foreign.py keras|paddle OUT_DIR
needs: for keras tensorflow-cpu 2.15.1, tf2onnx 1.16.1, onnx 1.16.2; for paddle paddlepaddle 2.6.2, paddle2onnx 1.3.1
"""
import sys
import tempfile
from pathlib import Path

import numpy as np

import seeded


def values(name: str, shape, fan_in: int) -> np.ndarray:
    count = int(np.prod(shape))
    return (seeded.unit(name, count, 0) * np.float32((6 / fan_in) ** 0.5)).reshape(shape)


def keras(out: Path) -> None:
    import onnx
    import tensorflow as tf
    import tf2onnx

    layers = tf.keras.layers
    image = tf.keras.Input((64, 64, 3))
    x = layers.Rescaling(0.5, -0.1)(image)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    for width, stride in ((8, 1), (16, 2), (16, 1)):
        y = layers.Conv2D(2 * width, 1, use_bias=False)(x)
        y = layers.BatchNormalization()(y)
        y = layers.Activation("swish")(y)
        if stride == 2:
            y = layers.ZeroPadding2D(((0, 1), (0, 1)))(y)
        y = layers.DepthwiseConv2D(3, strides=stride, padding="same" if stride == 1 else "valid", use_bias=False)(y)
        y = layers.BatchNormalization()(y)
        gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
        gate = layers.Conv2D(2 * width, 1, activation="sigmoid")(gate)
        y = layers.Conv2D(width, 1)(layers.Multiply()([y, gate]))
        x = layers.Add()([x, y]) if stride == 1 and x.shape[-1] == width else y
    x = layers.Concatenate()([layers.MaxPooling2D(3, 2, padding="same")(x), layers.AveragePooling2D(3, 2, padding="same")(x)])
    x = layers.SeparableConv2D(24, 3, padding="same", activation="elu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(1000)(x)
    model = tf.keras.Model(image, x)
    for layer in model.layers:
        weights = layer.get_weights()
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = (values(f"{layer.name}.{i}", w.shape, 96) for i, w in enumerate(weights))
            layer.set_weights([1 + gamma, beta, mean, 1 + variance])
        elif isinstance(layer, layers.Dense):
            # So that a logit varies from image to image.
            layer.set_weights([values(f"{layer.name}.0", weights[0].shape, 24) * np.float32(30), values(f"{layer.name}.1", weights[1].shape, 96)])
        else:
            layer.set_weights([values(f"{layer.name}.{i}", w.shape, max(int(np.prod(w.shape[:-1])), 1) if w.ndim > 1 else 96) for i, w in enumerate(weights)])
    proto, _ = tf2onnx.convert.from_keras(model, opset=15)
    onnx.save(proto, out / "keras_nhwc.onnx")


def paddle(out: Path) -> None:
    import paddle
    import paddle2onnx
    from paddle import nn

    # Paddle compiles forward passes anew, where names are the module's.
    globals().update(nn=nn, paddle=paddle)

    class Block(nn.Layer):
        def __init__(self, width: int, stride: int):
            super().__init__()
            self.first = nn.Conv2D(width, width, 3, stride, 1, groups=width, bias_attr=False)
            self.norm = nn.BatchNorm2D(width)
            self.squeeze = nn.Conv2D(width, width // 4, 1)
            self.expand = nn.Conv2D(width // 4, width, 1)
            self.last = nn.Conv2D(width, 2 * width, 1)

        def forward(self, x):
            x = nn.functional.hardswish(self.norm(self.first(x)))
            gate = nn.functional.relu(self.squeeze(nn.functional.adaptive_avg_pool2d(x, 1)))
            x = x * nn.functional.hardsigmoid(self.expand(gate))
            return self.last(x)

    class Network(nn.Layer):
        """As PP-LCNet, with ResNet-vd's shortcut."""

        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2D(3, 8, 3, 2, 1)
            self.blocks = nn.Sequential(Block(8, 1), Block(16, 2))
            self.pool = nn.AvgPool2D(2, 2, 0, ceil_mode=True)
            self.short = nn.Conv2D(8, 32, 1)
            self.head = nn.Linear(32, 1000)

        def forward(self, x):
            x = nn.functional.hardswish(self.stem(x))
            x = nn.functional.relu(self.blocks(x) + self.short(self.pool(x)))
            x = nn.functional.max_pool2d(x, 3, 2, 1)
            x = nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
            return nn.functional.softmax(self.head(x), axis=-1)

    model = Network()
    for name, tensor in model.state_dict().items():
        shape = tuple(tensor.shape)
        made = values(name, shape, max(int(np.prod(shape[1:])), 1) if len(shape) == 4 else shape[0] if len(shape) == 2 else 96)
        if name == "head.weight":
            made = made * np.float32(4)  # So that a logit varies from image to image.
        tensor.set_value(1 + made if name.endswith(("norm.weight", "_variance")) else made)
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        spec = [paddle.static.InputSpec([-1, 3, 64, 64], "float32", "x")]
        paddle.jit.save(model, f"{folder}/inference", spec)
        whole = paddle2onnx.export(f"{folder}/inference.pdmodel", f"{folder}/inference.pdiparams", opset_version=11)
    whole = whole if isinstance(whole, bytes) else Path(whole).read_bytes()
    (out / "paddle.onnx").write_bytes(whole)


if __name__ == "__main__":
    {"keras": keras, "paddle": paddle}[sys.argv[1]](Path(sys.argv[2]))
