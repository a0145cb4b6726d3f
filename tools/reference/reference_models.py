"""The networks of datasets/catalog.toml, as their own frameworks define them.

Every builder returns a `Net`: its state (ordered list of (name, shape, role, fan_in)),
`load(dict name -> ndarray)`, `stages(x)` -> ordered dict of named activations (NCHW) for
one f32 NCHW batch, and `logits(x)`.

A module, not a script: make_logits.py, make_complexity.py and make_fixtures.py import it.

needs: one virtual environment a source (requirements-<source>.txt):
    timm    torch==2.11.0 timm==0.6.5
    torchvision  the same, with torchvision==0.26.0 (its ResNet is 0.9.0's)
    keras   tensorflow-cpu==2.15.1        (its Xception and ResNets are Keras 2.3.1's, layer for layer)
    pypi    the same as timm, with efficientnet-lite-pytorch==0.1.0 without its dependencies
    ppcls   paddlepaddle==2.6.2 paddleclas==2.4.0 (whose two Xception files equal release/2.3's)
"""
import re
import tomllib

import numpy as np

from layout import REPOSITORY

_MODELS = tomllib.loads((REPOSITORY / "datasets" / "catalog.toml").read_text())["models"]
# Of several models of one network, the one that it is named after.
_NETWORKS = [m for m in _MODELS if m["id"].replace("/", "-") == m["network"]]

IDS = [m["id"] for m in _NETWORKS]
_CARD = tomllib.loads((REPOSITORY / "datasets" / "cards" / "xception.toml").read_text())
TABLE = [row["model"] for row in _CARD["rows"] if row["model"] in IDS]
RECIPE = {m["id"]: m["recipe"] for m in _NETWORKS}
SIDE = {m["id"]: m["input_size"] for m in _NETWORKS}

# The PyTorch modules after which a stage ends, by name: a network of another family may need its own here.
STAGES = re.compile(r"block\d+|_?blocks\.\d+(\.\d+)?|layer\d+\.\d+")


def torch_state(net):
    """Every tensor of a PyTorch network as (name, shape, role, fan_in), in its state dict's order."""
    from torch import nn

    state, modules = [], dict(net.named_modules())
    for name, t in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        owner = modules[name.rsplit(".", 1)[0]]
        leaf = name.rsplit(".", 1)[1]
        if isinstance(owner, nn.Conv2d):
            k = owner.kernel_size
            role, fan = "conv", owner.in_channels // owner.groups * k[0] * k[1]
        elif isinstance(owner, nn.Linear):
            role, fan = ("linear", owner.in_features) if leaf == "weight" else ("fc_bias", 0)
        else:
            role = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}[leaf]
            fan = 0
        state.append((name, tuple(t.shape), role, fan))
    return state


class Torch:
    """A timm network by name, or any PyTorch network whose blocks are named as timm's."""

    def __init__(self, arch):
        import torch

        if isinstance(arch, str):
            import timm

            arch = timm.create_model(arch)
        self.torch = torch
        self.net = arch.eval()
        self.state = torch_state(self.net)

    def load(self, values):
        torch = self.torch
        missing, unexpected = self.net.load_state_dict(
            {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in values.items()}, strict=False)
        assert not unexpected and all(m.endswith("num_batches_tracked") for m in missing)

    def logits(self, x):
        with self.torch.no_grad():
            return self.net(self.torch.from_numpy(x)).numpy()

    def stages(self, x):
        seen, handles = {}, []
        kids = [(n, m) for n, m in self.net.named_modules() if STAGES.fullmatch(n)]
        for n, m in kids:
            handles.append(m.register_forward_hook(lambda _m, _i, o, n=n: seen.__setitem__(n, o.detach().numpy().copy())))
        seen_logits = self.logits(x)
        for h in handles:
            h.remove()
        seen["logits"] = seen_logits
        return seen


class Torchvision(Torch):
    """A torchvision network by name."""

    def __init__(self, arch):
        import torchvision

        super().__init__(getattr(torchvision.models, arch)(weights=None))


class Pypi(Torch):
    """A network of efficientnet-lite-pytorch by name."""

    def __init__(self, arch):
        from efficientnet_lite_pytorch import EfficientNet

        super().__init__(EfficientNet.from_name(arch))


class Keras:
    """Names: '<layer>/<weight>', where the layers that Keras numbers by itself (the four
    shortcut convolutions and their normalisations) are called conv2d_1..4 and
    batch_normalization_1..4 in topological order, as Keras 2.3.1 calls them."""

    # Layers after which a stage ends.
    STAGES = re.compile(r"add(_\d+)?|block1_conv2_act|block14_sepconv2_act|conv\d_block\d+_out|post_relu")

    def __init__(self, arch, side=None):
        """`side`: that of the input, in pixels, where it is not the network's usual one."""
        import tensorflow as tf

        tf.keras.backend.clear_session()
        self.tf = tf
        there = [getattr(tf.keras.applications, name) for name in dir(tf.keras.applications) if name.lower() == arch]
        make = next(function for function in there if callable(function))
        shape = (side, side, 3) if side else None
        self.net = make(weights=None, classifier_activation=None, input_shape=shape)
        self.state, self.slots, counts = [], [], {}
        for layer in self.net.layers:
            if not layer.weights:
                continue
            name = layer.name
            for auto in ("conv2d", "batch_normalization"):
                if name == auto or (name.startswith(auto + "_") and name[len(auto) + 1:].isdigit()):
                    counts[auto] = counts.get(auto, 0) + 1
                    name = f"{auto}_{counts[auto]}"
            for w in layer.weights:
                leaf = w.name.split("/")[-1].split(":")[0]
                shape = tuple(w.shape)
                fan = 0
                if leaf == "depthwise_kernel":
                    role, fan = "conv", shape[0] * shape[1]
                elif leaf in ("kernel", "pointwise_kernel"):
                    role, fan = ("linear", shape[0]) if len(shape) == 2 else ("conv", int(np.prod(shape[:3])))
                elif leaf == "bias":
                    role = "fc_bias" if layer is self.net.layers[-1] else "conv_bias"
                else:
                    role = {"gamma": "gamma", "beta": "beta", "moving_mean": "mean", "moving_variance": "var"}[leaf]
                self.state.append((f"{name}/{leaf}", shape, role, fan))
                self.slots.append(w)

    def load(self, values):
        assert len(values) == len(self.state)
        for (name, shape, _r, _f), w in zip(self.state, self.slots):
            w.assign(values[name].reshape(shape))

    def logits(self, x):
        return self.net(np.ascontiguousarray(x.transpose(0, 2, 3, 1)), training=False).numpy()

    def stages(self, x):
        tf = self.tf
        wanted = [l for l in self.net.layers if self.STAGES.fullmatch(l.name)]
        probe = tf.keras.Model(self.net.input, [l.output for l in wanted])
        outs = probe(np.ascontiguousarray(x.transpose(0, 2, 3, 1)), training=False)
        seen, adds = {}, 0
        for l, o in zip(wanted, outs):
            name = l.name
            if name.startswith("add"):
                adds += 1
                name = f"add_{adds}"
            seen[name] = o.numpy().transpose(0, 3, 1, 2)
        seen["logits"] = self.logits(x)
        return seen


class Paddle:
    # Layers after which a stage ends.
    BLOCKS = ("EntryFlowBottleneckBlock", "MiddleFlowBottleneckBlock", "ExitFlowBottleneckBlock", "Xception_Block",
              "BasicBlock", "BottleneckBlock")

    def __init__(self, arch):
        import importlib.util
        import sys
        import types
        from pathlib import Path

        import paddle

        self.paddle = paddle
        for n in ("ppcls", "ppcls.utils", "ppcls.utils.save_load"):
            sys.modules.setdefault(n, types.ModuleType(n))
        helper = sys.modules["ppcls.utils.save_load"]
        helper.load_dygraph_pretrain = helper.load_dygraph_pretrain_from_url = None
        zoo = next(Path(p) / "paddleclas/ppcls/arch/backbone/model_zoo" for p in sys.path
                   if (Path(p) / "paddleclas/ppcls/arch/backbone/model_zoo").is_dir())
        if arch.startswith("xception"):
            file = "xception_deeplab" if arch.endswith("deeplab") else "xception"
        else:
            file = "resnet_vc" if arch.endswith("_vc") else "resnet"
            self._stand_ins(zoo.parents[2])
        folder = zoo.parent / "legendary_models" if file == "resnet" else zoo
        spec = importlib.util.spec_from_file_location(f"zoo_{file}", folder / f"{file}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        with paddle.utils.unique_name.guard():
            self.net = getattr(module, arch.replace("xception", "Xception").replace("resnet", "ResNet"))()
        self.net.eval()
        self._freeze_state()

    @staticmethod
    def _stand_ins(ppcls):
        """What PaddleClas's ResNet imports: its base class from the package, a logger that it never calls."""
        import importlib.util
        import sys
        import types

        for name in ("ppcls.arch", "ppcls.arch.backbone", "ppcls.arch.backbone.base", "ppcls.utils.logger"):
            sys.modules.setdefault(name, types.ModuleType(name))
        sys.modules["ppcls.utils"].logger = sys.modules["ppcls.utils.logger"]
        name = "ppcls.arch.backbone.base.theseus_layer"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, ppcls / "arch/backbone/base/theseus_layer.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules[name] = module

    def _freeze_state(self):
        owners = dict(self.net.named_sublayers())
        self.state = []
        for name, t in self.net.state_dict().items():
            owner = owners[name.rsplit(".", 1)[0]]
            leaf = name.rsplit(".", 1)[1]
            kind = type(owner).__name__
            fan = 0
            if kind == "Conv2D":
                role, fan = "conv", int(np.prod(t.shape[1:]))
            elif kind == "Linear":
                role, fan = ("linear", t.shape[0]) if leaf == "weight" else ("fc_bias", 0)
            else:
                role = {"weight": "gamma", "bias": "beta", "_mean": "mean", "_variance": "var"}[leaf]
            self.state.append((name, tuple(t.shape), role, fan))

    def load(self, values):
        state = self.net.state_dict()
        assert set(values) == set(state)
        for name, t in state.items():
            t.set_value(np.ascontiguousarray(values[name]))

    def logits(self, x):
        with self.paddle.no_grad():
            return self.net(self.paddle.to_tensor(x)).numpy()

    def stages(self, x):
        seen, handles = {}, []
        for n, m in self.net.named_sublayers():
            if type(m).__name__ in self.BLOCKS:
                handles.append(m.register_forward_post_hook(lambda _m, _i, o, n=n: seen.__setitem__(n, o.numpy().copy())))
        logits = self.logits(x)
        for h in handles:
            h.remove()
        seen["logits"] = logits
        return seen


def build(model_id):
    source, arch = model_id.split("/")
    if source == "keras":
        return Keras(arch, SIDE[model_id])
    return {"timm": Torch, "torchvision": Torchvision, "ppcls": Paddle, "pypi": Pypi}[source](arch)
