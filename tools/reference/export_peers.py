"""Exports the networks for `peers.py`: as ONNX for the other runtimes, as a checkpoint for ours.

Every network holds the seeded weights of make_logits.py and its frozen `fc_bias`. Into DIR go, a network,

    <source>-<arch>.onnx       f32, first axis dynamic; timm and ppcls NCHW, keras NHWC as Keras has it
    <source>-<arch>.pth        timm, torchvision: a state dict by torch.save
    <source>-<arch>.h5         keras: by save_weights
    <source>-<arch>.pdparams   ppcls: a state dict by paddle.save

and nothing stays that does not answer as frozen: from the written ONNX file ONNX Runtime computes the
logits of the seeded input, and of a batch of two of it. A file whose logits lie further from `<arch>.probe`
than 1e-3 of its spread, or of 1 where that is more, is deleted, and the script exits 1.

timm is exported by torch.onnx.export (the TorchScript exporter), keras by tf2onnx, ppcls by paddle2onnx.
With --check nothing is exported: what lies in DIR is compared with the frozen answers.

usage: python export_peers.py timm|torchvision|keras|ppcls --out DIR [--only ARCH]... [--datasets DIR] [--check]
needs: the source's environment (requirements-<source>.txt), and what requirements-peers.txt adds to it
"""
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import layout
import seeded
from reference_models import IDS, SIDE, build

SEED = 0
OPSET = 17
TOLERANCE = 1e-3  # of the logits' spread, or of 1 where that is more
ENDINGS = {"timm": ".pth", "torchvision": ".pth", "keras": ".h5", "ppcls": ".pdparams"}


def export_timm(net, side, onnx_file, checkpoint):
    import torch

    torch.save(net.net.state_dict(), checkpoint)
    torch.onnx.export(net.net, (torch.zeros(1, 3, side, side),), str(onnx_file), dynamo=False, opset_version=OPSET,
                      do_constant_folding=True, input_names=["input"], output_names=["logits"],
                      dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}})


def export_keras(net, side, onnx_file, checkpoint):
    import tensorflow as tf
    import tf2onnx

    net.net.save_weights(str(checkpoint))
    signature = [tf.TensorSpec((None, side, side, 3), tf.float32, name="input")]
    tf2onnx.convert.from_keras(net.net, input_signature=signature, opset=OPSET, output_path=str(onnx_file))


def export_ppcls(net, side, onnx_file, checkpoint):
    import paddle

    paddle.save(net.net.state_dict(), str(checkpoint))
    with tempfile.TemporaryDirectory(dir=onnx_file.parent) as folder:  # Paddle leaves its own format beside the file
        paddle.onnx.export(net.net, f"{folder}/net", opset_version=OPSET,  # and adds the ending itself
                           input_spec=[paddle.static.InputSpec([None, 3, side, side], "float32", "input")])
        Path(folder, "net.onnx").replace(onnx_file)


EXPORT = {"timm": export_timm, "torchvision": export_timm, "keras": export_keras, "ppcls": export_ppcls}


def difference(onnx_file, probe, frozen):
    """How far the file's logits lie from the frozen ones, and how far they may, by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    (only,) = session.get_inputs()
    x = probe if only.shape[1] == 3 else np.ascontiguousarray(probe.transpose(0, 2, 3, 1))
    worst = 0.0
    for batch in (1, 2):
        (logits,) = session.run(None, {only.name: np.repeat(x, batch, 0)})
        assert logits.shape == (batch, 1000), logits.shape
        worst = max(worst, float(np.abs(logits - frozen).max()))
    return worst, TOLERANCE * max(1.0, float(frozen.std()))


def main():
    parser = layout.parser(__doc__)
    parser.add_argument("source", choices=layout.SOURCES)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", action="append", metavar="ARCH", help="only this network; may be repeated")
    args = parser.parse_args()
    frozen = load_file(args.datasets / "reference" / f"{args.source}.safetensors")
    without = [arch for arch in args.only or () if f"{arch}.fc_bias" not in frozen]
    if without:
        parser.error(f"no answers are frozen of {', '.join(without)}: make_logits.py {args.source} CROPS.npz --only {without[0]}")
    args.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for model_id in (i for i in IDS if i.startswith(args.source + "/")):
        arch = model_id.split("/")[1]
        if args.only and arch not in args.only or f"{arch}.fc_bias" not in frozen:
            continue
        onnx_file = args.out / f"{args.source}-{arch}.onnx"
        checkpoint = onnx_file.with_suffix(ENDINGS[args.source])
        side = SIDE[model_id]
        if not args.check:
            net = build(model_id)
            net.load({n: frozen[f"{arch}.fc_bias"] if r == "fc_bias" else seeded.tensor(n, s, r, SEED, f)
                      for n, s, r, f in net.state})
            EXPORT[args.source](net, side, onnx_file, checkpoint)
        probe = seeded.unit("input", 3 * side * side, SEED).reshape(1, 3, side, side)
        worst, allowed = difference(onnx_file, probe, frozen[f"{arch}.probe"])
        print(f"{model_id}: logits within {worst:.1e} of the frozen ones, {allowed:.1e} allowed", flush=True)
        if not worst <= allowed:
            failed.append(model_id)
            if not args.check:
                onnx_file.unlink()
    if failed:
        raise SystemExit(f"not as frozen: {', '.join(failed)}")


if __name__ == "__main__":
    main()
