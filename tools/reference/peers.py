"""Measures imagenet-eval side by side with other runtimes, and writes reports/performance.md.

    prepare    draws the images and crops them for the peers: WORK/images, WORK/crops
    measure    runs the processes and writes every figure to reports/performance.json
    report     writes reports/performance.md from that file, without measuring

WORK holds what `export_peers.py --out WORK` wrote. Every measurement is a process of its own, and the
runtimes take turns: ours, ONNX Runtime, (the other peers,) ours, ONNX Runtime, ..., a group a round.
Two rates come of each: images over the seconds of the network alone, after one batch to warm up (ours: the
column images_per_s, from the first image on); and images over the whole process's time, from start to
exit, for which a peer's warm-up is taken off. Ours reads, decodes and crops JPEG files in that time, the
peers read an array of images that are cropped already.

`measure` goes on where it stopped; it refuses to add to the figures of another binary, of other images or of
another machine, unless --fresh is given. A group during which other processes used more than a twentieth of the
processors is measured again, twice at most.

`--only device` measures one device in the types given, beside PyTorch on the same: NCHW and channels last, and in f32 on
a GPU also with TF32 (off otherwise). It is for GPUs, where the other sections have nothing to compare, but the CPU's
types can be measured by it as well.

`--onnx FOLDER` measures the ONNX files of a folder, each with its recipe in `<stem>.toml` beside it: ours, ONNX Runtime and OpenVINO in turn, and
says how ours is to the better of both. `--isa avx2` holds ours, and OpenVINO, to those instructions.

usage: python peers.py prepare [--images N]
       python peers.py measure --onnx FOLDER [--network GLOB]... [--batch N]... [--isa NAME] [--rounds N]
       python peers.py measure [--only networks|scaling|device]... [--network GLOB]... [--batch N]... [--rounds N]
                               [--device NAME] [--dtype TYPE]...
       python peers.py report
needs: requirements-peers.txt says what, a runtime an environment; WORK/venv/{ort,openvino,torch,tf}/bin/python are
       looked for unless --python says otherwise; peers that are not found are left out, but for ort.
       tools/peers for tract and rten: cargo build --release --manifest-path tools/peers/Cargo.toml
"""
import argparse
import contextlib
import datetime
import fnmatch
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import peers_report
from layout import REPOSITORY
from peers_bench import ONNX_PEERS, PYTHON_PEERS, RUST_PEERS, TORCH_DEVICE, Bench, crops_file
from reference_models import IDS, TABLE

# Runtimes that read no ONNX.
SOURCE_OF = {"tf": "keras", "torch": "timm", "torch-channels-last": "timm", "torch-tf32": "timm"}
# A recipe each, but for the last, which shares that of the second: there are five.
IN_ONE_PASS = ["timm/xception", "timm/xception41p", "keras/xception", "ppcls/xception41",
               "timm/xception41", "timm/xception65p"]
INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512vl", "avx512_vnni", "avx512_bf16", "amx_tile")


def cells(args, bench):
    """What is to be measured: (runtimes, cell), in the order of one round."""
    def cell(section, models, batch, threads=args.threads, **more):
        return dict(section=section, models=models, batch=batch, threads=threads, **more)

    wanted, found = [], bench.runtimes()
    if "networks" in args.only:
        for model in IDS:
            if not any(fnmatch.fnmatch(model, g) for g in args.network):
                continue
            runtimes = ["ours", "ort"]
            if any(fnmatch.fnmatch(model, g) for g in args.peer_network):
                source = model.split("/")[0]
                runtimes += [r for r in found if r in args.peers and SOURCE_OF.get(r, source) == source
                             and r != "torch-tf32"]  # on a CPU no different
            wanted += [(runtimes, cell("networks", [model], batch)) for batch in args.batch]
    if "scaling" in args.only:
        one = [args.scaling_network]
        scaling = [cell("batch", one, batch) for batch in args.scaling_batch]
        scaling += [cell("threads", one, 16, threads) for threads in range(1, args.threads + 1)]
        for recipe in ("source", "card"):
            scaling += [cell("pass", [model], 16, recipe=recipe) for model in IN_ONE_PASS]
            scaling += [cell("pass", IN_ONE_PASS[:many], 16, recipe=recipe) for many in (2, 4, 6)]
        wanted += [(["ours"], c) for c in scaling]
    if "onnx" in args.only:
        for file in sorted(args.onnx.glob("*.onnx")):
            model = f"onnx/{file.stem}"
            if any(fnmatch.fnmatch(model, g) or fnmatch.fnmatch(file.stem, g) for g in args.network):
                runtimes = ["ours"] + [r for r in ONNX_PEERS if r in found and r in {*args.peers, "ort"}]
                more = {"isa": args.isa} if args.isa else {}
                wanted += [(runtimes, cell("onnx", [model], batch, **more)) for batch in args.batch]
    if "device" in args.only:
        on_gpu = TORCH_DEVICE.get(args.device, "cuda") == "cuda"
        for model in IDS:
            if not any(fnmatch.fnmatch(model, g) for g in args.network):
                continue
            torch = ["torch", "torch-channels-last"] if model.startswith("timm/") else []
            for dtype in args.dtype:
                tf32 = ["torch-tf32"] if torch and on_gpu and dtype == "f32" else []
                runtimes = ["ours"] + [r for r in torch + tf32 if r in found and r in args.peers]
                wanted += [(runtimes, cell("device", [model], batch, device=args.device, dtype=dtype))
                           for batch in args.batch]
    return wanted


def machine():
    info = dict(cpu=platform.processor() or platform.machine(), processors=os.cpu_count(),
                system=platform.platform(terse=True))
    with contextlib.suppress(OSError):
        facts = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines())
        facts = {k.strip(): v.strip() for k, v in facts.items()}
        flags = facts.get("flags", "").split()
        info["cpu"] = facts.get("model name", info["cpu"])
        info["cpu_family_model"] = f"{facts.get('cpu family')}/{facts.get('model')}"
        info["instructions"] = [f for f in INSTRUCTIONS if f in flags]
        info["virtual_machine"] = "hypervisor" in flags
        memory = Path("/proc/meminfo").read_text().split()
        info["memory_gib"] = round(int(memory[1]) / 2**20, 1)
    return info


def git(*command):
    done = subprocess.run(["git", "-C", REPOSITORY, *command], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def shown(words):
    """The command as it goes into the report: folders outside the repository by name only."""
    def word(text):
        name, equals, path = text.rpartition("=")
        if not path.startswith(("/", "..")):
            return text
        path = Path(path).absolute()
        inside = path.is_relative_to(REPOSITORY)
        return name + equals + (str(path.relative_to(REPOSITORY)) if inside else "…/" + path.name)

    return shlex.join(["python", "tools/reference/peers.py", *map(word, words)]).replace("'", "")


def identity(args):
    if not args.ours.is_file():
        raise SystemExit(f"no {args.ours}: run cargo build --release --package xtask first, or give --ours")
    images = hashlib.sha256()
    files = sorted((args.work / "images").glob("*.JPEG"))[:args.images]
    if len(files) < args.images:
        raise SystemExit(f"{len(files)} images in {args.work / 'images'}: run peers.py prepare --images {args.images}")
    for file in files:
        images.update(file.read_bytes())
    return dict(machine=machine(), binary_sha256=hashlib.sha256(args.ours.read_bytes()).hexdigest(),
                images=dict(count=args.images, sha256=images.hexdigest()))


def measure(args):
    bench, who = Bench(args), identity(args)
    if {"networks", "onnx"} & {*args.only} and "ort" not in bench.runtimes():
        raise SystemExit(f"no {bench.pythons['ort']}, without which nothing is compared: see requirements-peers.txt")
    for size in {*args.batch, *args.scaling_batch} if "scaling" in args.only else args.batch:
        if args.images % size:
            raise SystemExit(f"{args.images} images do not make whole batches of {size}: give another --images")
    if args.json.exists() and not args.fresh:
        data = json.loads(args.json.read_text())
        different = [k for k, v in who.items() if data[k] != v]
        if different:
            raise SystemExit(f"{args.json} is of another {', '.join(different)}: give --fresh, or another --json")
    else:
        data = dict(schema=1, **who, revision=git("rev-parse", "HEAD"),
                    modified=bool(git("status", "--porcelain", "--untracked-files=no")),
                    date=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}", commands=[], versions={}, records=[])
    if (command := shown(sys.argv[1:])) not in data["commands"]:
        data["commands"].append(command)
    bench.versions = data["versions"]
    todo = [(r, runtimes, cell) for r in range(args.rounds) for runtimes, cell in cells(args, bench)]
    for at, (number, runtimes, cell) in enumerate(todo, 1):
        wanted = {key(dict(cell=cell, round=number, runtime=r)) for r in runtimes}
        if wanted <= set(map(key, data["records"])):
            continue
        records = [dict(cell=cell, round=number, **r) for r in bench.quiet_group(runtimes, cell)]
        data["records"] = [r for r in data["records"] if key(r) not in wanted] + records
        write(args.json, as_json(data))
        rates = ", ".join(f"{r['runtime']} " + (f"{peers_report.steady(r):.2f}" if "seconds" in r else r["error"])
                          for r in records)
        print(f"{at}/{len(todo)} round {number + 1} {cell['section']} {' '.join(cell['models'])} batch {cell['batch']} "
              f"threads {cell['threads']}: {rates} images/s", flush=True)
    report(args)


def key(record):
    return json.dumps(record["cell"]), record["round"], record["runtime"]


def as_json(data):
    """A record a line, so that a difference between two measurements can be read."""
    head = json.dumps({k: v for k, v in data.items() if k != "records"}, indent=1, ensure_ascii=False)
    records = ",\n  ".join(map(json.dumps, data["records"]))
    return head.removesuffix("\n}") + f',\n "records": [\n  {records}\n ]\n}}\n'


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    partial.write_text(text)
    partial.replace(file)


def report(args):
    write(args.report, peers_report.markdown(json.loads(args.json.read_text()), args.json.name))
    print(f"written: {args.report}")


def main():
    other_peers = [r for r in (*PYTHON_PEERS, *RUST_PEERS) if r != "ort"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("prepare", "measure", "report"))
    parser.add_argument("--work", type=Path, default=REPOSITORY / "target/peers", metavar="DIR",
                        help="default: target/peers")
    parser.add_argument("--images", type=int, default=64, metavar="N", help="default: %(default)s")
    parser.add_argument("--json", type=Path, default=REPOSITORY / "reports/performance.json", metavar="FILE")
    parser.add_argument("--report", type=Path, default=REPOSITORY / "reports/performance.md", metavar="FILE")
    measuring = parser.add_argument_group("measure")
    measuring.add_argument("--ours", type=Path, default=REPOSITORY / "target/release/xtask", metavar="FILE",
                           help="default: target/release/xtask")
    measuring.add_argument("--rust-peers", type=Path, default=REPOSITORY / "tools/peers/target/release/peers",
                           metavar="FILE", help="default: tools/peers/target/release/peers")
    measuring.add_argument("--python", action="append", default=[], metavar="ort|openvino|torch|tf=FILE",
                           help="the interpreter of an environment")
    measuring.add_argument("--only", action="append", choices=("networks", "scaling", "device", "onnx"),
                           help="default: networks and scaling; with --onnx, onnx")
    measuring.add_argument("--onnx", type=Path, metavar="FOLDER", help="of --only onnx: ONNX files with their recipes")
    measuring.add_argument("--isa", choices=("avx2",), help="of --only onnx: hold runtimes to these instructions")
    measuring.add_argument("--network", action="append", metavar="GLOB", help="default: the twelve of the table")
    measuring.add_argument("--batch", action="append", type=int, metavar="N", help="default: 1 and 16")
    measuring.add_argument("--threads", type=int, default=2, metavar="N", help="default: %(default)s")
    measuring.add_argument("--rounds", type=int, default=3, metavar="N", help="default: %(default)s")
    measuring.add_argument("--peers", action="append", choices=other_peers,
                           help="default: every one that is found")
    measuring.add_argument("--peer-network", action="append", metavar="GLOB",
                           help="networks that the other peers run too; default: timm/xception, keras/xception")
    measuring.add_argument("--scaling-network", default="timm/xception", metavar="ID", help="default: %(default)s")
    measuring.add_argument("--scaling-batch", action="append", type=int, metavar="N", help="default: 1 2 4 8 16 32")
    measuring.add_argument("--lock", type=Path, metavar="FILE",
                           help="held (flock) while a group is measured, so that other work can wait for it")
    measuring.add_argument("--device", default="flex", metavar="NAME", help="of --only device, ours; default: %(default)s")
    measuring.add_argument("--dtype", action="append", choices=("f32", "f16", "bf16"),
                           help="of --only device; default: f32")
    measuring.add_argument("--fresh", action="store_true", help="forget earlier figures")
    args = parser.parse_args()
    args.only = args.only or (["onnx"] if args.onnx else ["networks", "scaling"])
    if "onnx" in args.only and not (args.onnx and sorted(args.onnx.glob("*.onnx"))):
        parser.error("--only onnx needs --onnx FOLDER, with ONNX files")
    args.network = args.network or (["*"] if args.onnx else TABLE)
    args.batch = args.batch or [1, 16]
    args.dtype = args.dtype or ["f32"]
    args.peers = args.peers or other_peers
    args.peer_network = args.peer_network or ["timm/xception", "keras/xception"]
    args.scaling_batch = args.scaling_batch or [1, 2, 4, 8, 16, 32]
    if args.verb == "prepare":
        from peers_data import prepare

        print(prepare(args.work, args.images, crops_file))
    elif args.verb == "measure":
        measure(args)
    else:
        report(args)


if __name__ == "__main__":
    main()
