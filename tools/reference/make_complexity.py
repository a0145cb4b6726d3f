"""Freezes what the counting tools of each source report, to the unit, at 224, at 299 and at the network's own size:
datasets/reference/complexity.json; and every network's tensors (name, shape, role, fan_in, in file order):
datasets/reference/states/<id>.json, or the name of another network whose tensors are the same. The documented FLOPs and parameters come from such tools, each
with its own rule, so a documented figure can only be checked by the rule that made it.

    params                     trainable values
    params_with_running_stats  the same and BatchNorm's running means and variances
    timm, torchvision, pypi:
           fvcore_<side>       fvcore's counts by operator (multiply-adds; batch_norm 2 an element)
           thop_macs_<side>, thop_params: thop, which knows nothing of timm's BatchNormAct2d
    ppcls: paddle_flops_<side> paddle.flops (multiply-adds, BatchNorm and pooling elements)
    keras: no tool; its figures are the counts of its weights

A source's entries are made in that source's environment; the others in the file stay as they are.

usage: python make_complexity.py timm|torchvision|keras|ppcls|pypi [--only ARCH ...] [--datasets DIR] [--check]
needs: the source's environment (requirements-<source>.txt; torchvision's is timm's); for timm and pypi also thop==0.1.1.post2209072238
       and fvcore==0.1.5.post20221221
"""
import json
import logging

import layout
from reference_models import IDS, SIDE, build

SIDES = (224, 299)  # and the network's own


def parameters(net):
    """Counts by role, from the state that make_logits.py freezes."""
    import numpy as np

    size = {True: 0, False: 0}
    for _name, shape, role, _fan_in in net.state:
        size[role in ("mean", "var")] += int(np.prod(shape))
    return {"params": size[False], "params_with_running_stats": size[False] + size[True]}


def timm(net, sides):
    import copy

    import torch
    from fvcore.nn import FlopCountAnalysis
    from thop import profile

    logging.getLogger("fvcore").setLevel(logging.ERROR)
    logging.getLogger("timm").setLevel(logging.ERROR)
    facts = parameters(net)
    assert facts["params"] == sum(p.numel() for p in net.net.parameters())
    for side in sides:
        x = torch.zeros(1, 3, side, side)
        with torch.no_grad():
            count = FlopCountAnalysis(net.net, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            facts[f"fvcore_{side}"] = {name: int(n) for name, n in count.by_operator().items()}
            # thop leaves its counters in the network: it gets one of its own.
            macs, params = profile(copy.deepcopy(net.net), inputs=(x,), verbose=False)
        facts[f"thop_macs_{side}"] = int(macs)
        facts["thop_params"] = int(params)
    return facts


def keras(net, _sides):
    facts = parameters(net)
    assert facts["params_with_running_stats"] == net.net.count_params()
    return facts


def ppcls(net, sides):
    facts = parameters(net)
    for side in sides:
        facts[f"paddle_flops_{side}"] = int(net.paddle.flops(net.net, [1, 3, side, side]))
    return facts


def tensors(net):
    return [[name, list(shape), role, fan_in] for name, shape, role, fan_in in net.state]


def read_state(folder, name):
    """A network's tensors, wherever they are written."""
    found = json.loads((folder / f"{name}.json").read_text())
    return read_state(folder, found["same_as"]) if isinstance(found, dict) else found


def state_text(folder, model_id, state):
    """What is written of a network: its tensors, or the first network of the catalog that has the same."""
    for other in IDS[: IDS.index(model_id)]:
        name = other.replace("/", "-")
        if (folder / f"{name}.json").is_file() and read_state(folder, name) == state:
            return json.dumps({"same_as": name}, separators=(",", ":")) + "\n"
    return json.dumps(state, separators=(",", ":")) + "\n"


def main():
    parser = layout.parser(__doc__)
    parser.add_argument("source", choices=layout.SOURCES)
    parser.add_argument("--only", nargs="+", metavar="ARCH", help="these networks; the others' entries stay as they are")
    args = parser.parse_args()
    chosen = [i for i in IDS if i.startswith(args.source + "/") and (not args.only or i.split("/")[1] in args.only)]
    if not chosen or args.only and len(chosen) < len(set(args.only)):
        parser.error(f"datasets/catalog.toml has not all of these networks of {args.source}")
    file = args.datasets / "reference" / "complexity.json"
    states = args.datasets / "reference" / "states"
    states.mkdir(parents=True, exist_ok=True)
    frozen = json.loads(file.read_text()) if file.is_file() else {}
    made, different = {}, []
    for model_id in chosen:
        net = build(model_id)
        made[model_id] = {"timm": timm, "torchvision": timm, "keras": keras, "ppcls": ppcls, "pypi": timm}[args.source](net, sorted({*SIDES, SIDE[model_id]}))
        state = states / (model_id.replace("/", "-") + ".json")
        text = state_text(states, model_id, tensors(net))
        if args.check:
            same = made[model_id] == frozen.get(model_id)
            print(model_id, "equal" if same else f"DIFFERENT: {made[model_id]} frozen {frozen.get(model_id)}", flush=True)
            same_state = state.is_file() and text == state.read_text()
            print(model_id, "tensors", "equal" if same_state else "DIFFERENT", flush=True)
            different += [] if same and same_state else [model_id]
        else:
            state.write_text(text)
            print(model_id, made[model_id], flush=True)
    if args.check:
        raise SystemExit(1 if different else 0)
    merged = {**frozen, **made}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({i: merged[i] for i in IDS if i in merged}, indent=1) + "\n")
    print("wrote", file)


if __name__ == "__main__":
    main()
