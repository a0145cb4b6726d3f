"""Writes the weight files that the tests of crates/models read: a narrow timm Xception (every
tensor name, every block; widths of 2 to 14 channels), saved by PyTorch itself in every form in
which such weights are published, and in forms that must be refused. Deterministic: run twice, it
writes the same bytes.

`narrow-logits.json` holds what PyTorch computes with them for a seeded 75x75 input.

usage: python make_fixtures.py [OUT_DIR]     (default: crates/models/tests/fixtures)
needs: torch==2.11.0 timm==0.6.5 safetensors "numpy<2" (requirements-timm.txt)
"""
import argparse
import builtins
import io
import json
import os
from collections import OrderedDict
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from timm.models.xception import Block, SeparableConv2d, Xception
from timm.utils import CheckpointSaver
from torch import nn

import layout
import seeded
from make_logits import statistics
from reference_models import Torch

SEED = 0
SIDE = 75  # the smallest input at which every stage keeps more than one pixel: 37, 35, 18, 9, 5, 3
CLASSES = 10
# timm's width -> the fixture's
WIDTH = {32: 2, 64: 4, 128: 4, 256: 6, 728: 8, 1024: 10, 1536: 12, 2048: 14}


class Narrow(Xception):
    """timm 0.6.5's Xception (its forward, its blocks, its names) with the widths of `WIDTH`."""

    def __init__(self):
        super().__init__(num_classes=CLASSES)
        w = WIDTH
        self.conv1, self.bn1 = nn.Conv2d(3, w[32], 3, 2, 0, bias=False), nn.BatchNorm2d(w[32])
        self.conv2, self.bn2 = nn.Conv2d(w[32], w[64], 3, bias=False), nn.BatchNorm2d(w[64])
        self.block1 = Block(w[64], w[128], 2, 2, start_with_relu=False)
        self.block2 = Block(w[128], w[256], 2, 2)
        self.block3 = Block(w[256], w[728], 2, 2)
        for i in range(4, 12):
            setattr(self, f"block{i}", Block(w[728], w[728], 3, 1))
        self.block12 = Block(w[728], w[1024], 2, 2, grow_first=False)
        self.conv3, self.bn3 = SeparableConv2d(w[1024], w[1536], 3, 1, 1), nn.BatchNorm2d(w[1536])
        self.conv4, self.bn4 = SeparableConv2d(w[1536], w[2048], 3, 1, 1), nn.BatchNorm2d(w[2048])
        self.num_features = w[2048]
        self.fc = nn.Linear(w[2048], CLASSES)


class LegacyKeys(str):
    """Stands in for `str` in torch.serialization while a legacy file is written.

    The legacy format names a storage by its address (`str(storage._cdata)`), which differs in every
    process, and stores the data in the order of those names. Here the n-th storage gets a made-up
    address instead, scrambled as real ones are, so that data order is not pickle order."""

    seen = {}

    def __new__(cls, address):
        n = cls.seen.setdefault(address, len(cls.seen))
        return builtins.str(94_000_000_000_000 + n * 7919 % 1009 * 64)


def legacy(value):
    LegacyKeys.seen = {}
    torch.serialization.str = LegacyKeys
    try:
        buffer = io.BytesIO()
        torch.save(value, buffer, _use_new_zipfile_serialization=False)
    finally:
        del torch.serialization.str
    return buffer.getvalue()


class Calls:
    """Pickles as a call of `function`: what a reader must refuse, and must never perform."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def prefixed(state):
    return OrderedDict((f"module.{k}", v) for k, v in state.items())


def without(state, name):
    return OrderedDict((k, v) for k, v in state.items() if k != name)


def without_trackers(state):
    """As PyTorch before 0.4.1 saved it, and as some zoos still publish it."""
    return OrderedDict((k, v) for k, v in state.items() if not k.endswith("num_batches_tracked"))


def other_values(state):
    """The same tensors from seed 1: a reader that picks them is caught by every value."""
    roles = {name: (role, fan) for name, _, role, fan in Torch(Narrow()).state}
    made = OrderedDict()
    for name, t in state.items():
        role, fan = roles.get(name, (None, 0))
        if role is None:
            made[name] = t.clone()
        elif role == "fc_bias":
            made[name] = torch.from_numpy(seeded.unit(name, t.numel(), SEED + 1))
        else:
            made[name] = torch.from_numpy(seeded.tensor(name, tuple(t.shape), role, SEED + 1, fan))
    return made


def views(state):
    """All float tensors as windows on one storage, with their offsets, fc.weight column by column
    (strides 1, 10) and wrapped in nn.Parameter: all of it legal, none of it usual."""
    floats = [k for k, v in state.items() if v.dtype == torch.float32]
    columns = {k: state[k].t() if k == "fc.weight" else state[k] for k in floats}
    pool = torch.cat([torch.full((3,), 99.0)] + [columns[k].reshape(-1) for k in floats])
    made, at = OrderedDict(), 3
    for k, v in state.items():
        if k not in columns:
            made[k] = v
            continue
        window = pool[at : at + v.numel()].view(columns[k].shape)
        at += v.numel()
        made[k] = nn.Parameter(window.t(), requires_grad=False) if k == "fc.weight" else window
    return made


def training_checkpoint(net, folder):
    """What timm's own train.py leaves behind, by timm's own CheckpointSaver: an argparse.Namespace
    among the entries, and the optimizer's momentum."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    arguments = argparse.Namespace(model="xception", num_classes=CLASSES, lr=0.1, mean=None, amp=False)
    saver = CheckpointSaver(net, optimizer, args=arguments, checkpoint_dir=str(folder))
    path = folder / "narrow-ckpt-train.pth"
    saver._save(str(path), epoch=3, metric=79.05)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, metavar="OUT_DIR",
                        default=layout.REPOSITORY / "crates" / "models" / "tests" / "fixtures")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)

    reference = Torch(Narrow())
    values = {n: seeded.unit(n, int(np.prod(s)), SEED) if r == "fc_bias" else seeded.tensor(n, s, r, SEED, f)
              for n, s, r, f in reference.state}
    reference.load(values)
    for name, buffer in reference.net.named_buffers():
        if name.endswith("num_batches_tracked"):
            buffer.fill_(12345)
    state = reference.net.state_dict()
    plain = without_trackers(state)

    good = {
        "narrow-zip.pth": state,
        "narrow-ckpt.pth": {
            "epoch": 99, "arch": "xception", "version": 2, "metric": 79.05, "best_acc1": torch.tensor(79.05),
            "state_dict": prefixed(state),
            "optimizer": {"state": {0: {"step": 7, "momentum_buffer": torch.full((2, 3, 3, 3), 99.0)}},
                          "param_groups": [{"lr": 0.1, "nesterov": True, "params": [0]}]},
        },
        # As views and without trackers only to keep the file small.
        "narrow-ckpt-ema.pth": {"epoch": 99, "arch": "xception", "state_dict": views(other_values(plain)),
                                "state_dict_ema": plain},
        "narrow-ckpt-model.pth": {"model": state, "epoch": 99},
        "narrow-views.pth": views(state),
        "narrow-half.pth": OrderedDict((k, v.half()) for k, v in plain.items()),
    }
    bad = {
        "narrow-missing.pth": without(state, "block7.rep.4.pointwise.weight"),
        "narrow-extra.pth": OrderedDict([*state.items(), ("head.weight", torch.ones(3, 2))]),
        "narrow-shape.pth": OrderedDict((k, torch.ones(8, 9, 1, 1) if k == "block5.rep.1.pointwise.weight" else v)
                                        for k, v in state.items()),
        "narrow-evil.pth": {"state_dict": state, "extra": Calls(os.system, "echo a pickle was executed >&2")},
        "narrow-evil-tensor.pth": OrderedDict((k, Calls(eval, "[99.0] * 140") if k == "fc.weight" else v)
                                              for k, v in state.items()),
    }
    for name, content in {**good, **bad}.items():
        torch.save(content, out / name)
    (out / "narrow-legacy.pth").write_bytes(legacy(state))
    (out / "narrow-evil-legacy.pth").write_bytes(
        legacy({"state_dict": state, "extra": Calls(os.system, "echo a pickle was executed >&2")}))
    training_checkpoint(reference.net, out)
    safetensors.torch.save_file(dict(state), out / "narrow.safetensors", metadata={"format": "pt"})

    probe = seeded.unit("input", 3 * SIDE * SIDE, SEED).reshape(1, 3, SIDE, SIDE)
    stages = reference.stages(probe)
    half = Torch(Narrow())
    half.load({k: v.astype(np.float16).astype(np.float32) for k, v in values.items()})
    (out / "narrow-logits.json").write_text(json.dumps({
        "made_with": {"torch": torch.__version__.split("+")[0], "timm": "0.6.5", "script": "tools/reference/make_fixtures.py"},
        "input": {"name": "input", "seed": SEED, "shape": [1, 3, SIDE, SIDE], "layout": "nchw"},
        "widths": {str(k): v for k, v in WIDTH.items()},
        "num_classes": CLASSES,
        "tensors": [dict(name=n, shape=list(s), role=r, fan_in=f) for n, s, r, f in reference.state],
        "logits": [float(v) for v in stages["logits"][0]],
        "logits_half": [float(v) for v in half.logits(probe)[0]],
        "stages": {n: statistics(a) for n, a in stages.items()},
    }, indent=1) + "\n")

    # What was written is read back here, by the library that other people will use.
    for name in [*good, "narrow-legacy.pth", "narrow-ckpt-train.pth"]:
        loaded = torch.load(out / name, weights_only=False)
        inner = next((loaded[k] for k in ("state_dict_ema", "state_dict", "model") if k in loaded), loaded)
        inner = {k.removeprefix("module."): v for k, v in inner.items()}
        exact = torch.float16 if name == "narrow-half.pth" else None
        assert all(torch.equal(inner[k], v.to(exact) if exact else v) for k, v in plain.items()), name
    for path in sorted(out.iterdir()):
        print(f"{path.stat().st_size:>8}", path.name)
    print("logits", [round(v, 4) for v in stages["logits"][0].tolist()])


if __name__ == "__main__":
    main()
