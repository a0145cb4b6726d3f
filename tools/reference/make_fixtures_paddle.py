"""Writes Paddle's weight files for the tests of crates/models: a narrow PaddleClas Xception41 (every
tensor name; widths of 2 to 14 channels), saved by Paddle itself and as earlier versions of it did, and
pickles that must be refused. `narrow-paddle-logits.json` holds what Paddle computes with them for a
seeded 75x75 input. Deterministic: run twice, it writes the same bytes.

usage: python make_fixtures_paddle.py [OUT_DIR]     (default: crates/models/tests/fixtures)
needs: paddlepaddle==2.6.2, paddleclas==2.4.0 without dependencies (requirements-ppcls.txt)
"""
import argparse
import io
import json
import os
import pickle
import re
import sys
import types
from pathlib import Path

import numpy as np
import paddle

import seeded

SEED = 0
SIDE = 75
CLASSES = 10
WIDTH = {32: 2, 64: 4, 128: 4, 256: 6, 728: 8, 1024: 10, 1536: 12, 2048: 14}


def narrow():
    """PaddleClas's own source with other widths."""
    for name in ("ppcls", "ppcls.utils", "ppcls.utils.save_load"):
        sys.modules.setdefault(name, types.ModuleType(name))
    helper = sys.modules["ppcls.utils.save_load"]
    helper.load_dygraph_pretrain = helper.load_dygraph_pretrain_from_url = None
    relative = "paddleclas/ppcls/arch/backbone/model_zoo/xception.py"
    source = next(Path(p) / relative for p in sys.path if (Path(p) / relative).is_file()).read_text()
    source = re.sub(r"\b(\d+)\b", lambda m: str(WIDTH.get(int(m[1]), m[1])), source)
    namespace = {}
    exec(source, namespace)
    return namespace["Xception41"](class_num=CLASSES)


def role(net, name, shape):
    owner = dict(net.named_sublayers())[name.rsplit(".", 1)[0]]
    leaf = name.rsplit(".", 1)[1]
    kind = type(owner).__name__
    if kind == "Conv2D":
        return "conv", int(np.prod(shape[1:]))
    if kind == "Linear":
        return ("linear", shape[0]) if leaf == "weight" else ("bias", 0)
    return {"weight": "gamma", "bias": "beta", "_mean": "mean", "_variance": "var"}[leaf], 0


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Python2Pickler(pickle._Pickler):
    """Protocol 2 as Python 2 wrote it: its strings, which are bytes, for names and data alike."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        data = value if isinstance(value, bytes) else value.encode("ascii")
        short = len(data) < 256
        self.write((pickle.SHORT_BINSTRING if short else pickle.BINSTRING)
                   + len(data).to_bytes(1 if short else 4, "little") + data)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_string

    @classmethod
    def dumps(cls, value):
        buffer = io.BytesIO()
        cls(buffer, 2).dump(value)
        return buffer.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parents[2] / "crates/models/tests/fixtures"
    parser.add_argument("out", nargs="?", type=Path, default=default, metavar="OUT_DIR")
    out = parser.parse_args().out
    net = narrow()
    net.eval()
    state = net.state_dict()
    arrays = {}
    for name, tensor in state.items():
        shape = tuple(tensor.shape)
        kind, fan_in = role(net, name, shape)
        arrays[name] = (seeded.unit(name, int(np.prod(shape)), SEED) if kind == "bias"
                        else seeded.tensor(name, shape, kind, SEED, fan_in))
        tensor.set_value(arrays[name])
    paddle.save(state, str(out / "narrow-paddle26.pdparams"))
    paddle.save(state, str(out / "narrow-paddle26-protocol2.pdparams"), protocol=2)

    def write(name, value, protocol):
        (out / f"narrow-paddle-{name}.pdparams").write_bytes(pickle.dumps(value, protocol))

    table = {name: tensor.name for name, tensor in state.items()}
    write("table", {**arrays, "StructuredToParameterName@@": table}, 2)
    python2 = Python2Pickler.dumps({**arrays, "StructuredToParameterName@@": table})
    assert np.array_equal(pickle.loads(python2, encoding="latin1")[name], arrays[name])
    (out / "narrow-paddle-python2.pdparams").write_bytes(python2)
    write("tuples", {name: (table[name], array) for name, array in arrays.items()}, 4)
    fortran = {name: np.asfortranarray(array) for name, array in arrays.items()}
    write("fortran", {name: array.astype(np.float64) for name, array in fortran.items()}, 4)
    small = dict(list(arrays.items())[:2])
    for name, function, argument in (("system", os.system, "echo executed >&2"), ("eval", eval, "1 + 1")):
        for protocol in (2, 4):
            write(f"evil-{name}-{protocol}", {**small, "w": Call(function, argument)}, protocol)
    probe = seeded.unit("input", 3 * SIDE * SIDE, SEED).reshape(1, 3, SIDE, SIDE)
    with paddle.no_grad():
        logits = net(paddle.to_tensor(probe)).numpy()
    (out / "narrow-paddle-logits.json").write_text(json.dumps(dict(logits=[float(v) for v in logits[0]])) + "\n")


if __name__ == "__main__":
    main()
