"""How `peers.py` measures one thing: a process from its start to its exit, the runtimes taking turns.

A module, not a script.
"""
import contextlib
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from time import perf_counter

import numpy as np

from layout import REPOSITORY
from reference_models import RECIPE

HERE = Path(__file__).resolve().parent
ENDINGS = {"timm": ".pth", "torchvision": ".pth", "keras": ".h5", "ppcls": ".pdparams"}
PYTHON_PEERS = {"ort": "ort", "openvino": "openvino", "torch": "torch", "torch-channels-last": "torch", "torch-tf32": "torch",
                "tf": "tf"}  # runtime: environment
RUST_PEERS = ("tract", "rten")
ONNX_PEERS = ("ort", "openvino")
TORCH_DEVICE = {"flex": "cpu", "ndarray": "cpu"}  # by ours; of others PyTorch has CUDA
BUSY = 0.05  # of the processors, by others


def crops_file(work, model):
    """Where the images lie that a network takes, cropped and normalised, in its layout."""
    return work / "crops" / f"{RECIPE[model]}.{'nhwc' if model.startswith('keras/') else 'nchw'}.npy"


def busy_s():
    """Seconds that all processors were busy since boot; None where the system does not say."""
    with contextlib.suppress(OSError):
        first = Path("/proc/stat").read_text().split("\n", 1)[0]
        user, nice, system, _idle, _wait, *rest = map(int, first.split()[1:])
        return (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK")
    return None


# Starts a process and says what it took. A process of its own: a child's peak of memory begins with what its parent
# has in memory, and this one has little.
LAUNCH = """
import json, os, sys, time
start = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
wall_s = time.perf_counter() - start
took = [os.waitstatus_to_exitcode(status), wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]
with open(sys.argv[1], "w") as handle:
    json.dump(took, handle)
"""


# What holds a peer to fewer instructions than the CPU has, as far as it allows that: OpenVINO's oneDNN. ONNX Runtime has no such switch.
HELD_TO = {"avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}


def run(command, accept=(0,), environment=()):
    """Runs one process to its end, with these variables besides: what it printed, and what it took."""
    environment = dict(environment) | {k: v for k, v in os.environ.items() if not k.startswith("IMAGENET_") and k != "PYTHONPATH"}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err, \
            tempfile.NamedTemporaryFile("r") as took:
        busy, start = busy_s(), perf_counter()
        launch = [sys.executable, "-S", "-c", LAUNCH, took.name, *map(str, command)]
        launched = subprocess.run(launch, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment)
        passed_s = perf_counter() - start
        if launched.returncode:
            err.seek(0)
            raise ChildProcessError(f"cannot start {command[0]}: {err.read().strip()[-2000:]}")
        exit_code, wall_s, cpu_s, peak = json.load(took)
        others = None if busy is None else max(0.0, (busy_s() - busy - cpu_s) / (passed_s * os.cpu_count()))
        out.seek(0), err.seek(0)
        if exit_code not in accept:
            raise ChildProcessError(f"exit code {exit_code}: {err.read().strip()[-2000:]}")
        peak_mib = peak / (2**20 if sys.platform == "darwin" else 2**10)
        return out.read(), dict(wall_s=wall_s, cpu_s=cpu_s, peak_mib=peak_mib, others=others)


def rows_of(file):
    with file.open(newline="") as handle:
        return list(csv.DictReader(handle))


class Bench:
    """Where everything lies, and how one runtime measures one cell."""

    def __init__(self, args):
        self.work, self.ours, self.rust, self.onnx = args.work, args.ours, args.rust_peers, args.onnx
        self.count, self.rounds, self.lock = args.images, args.rounds, args.lock
        self.pythons = {name: args.work / "venv" / name / "bin/python" for name in set(PYTHON_PEERS.values())}
        self.pythons |= {name: Path(path) for name, path in (p.split("=", 1) for p in args.python)}
        self.versions = {}

    def runtimes(self):
        """Every peer that is installed."""
        return [r for r, env in PYTHON_PEERS.items() if self.pythons[env].exists()] + \
               [r for r in RUST_PEERS if self.rust.exists()]

    def measure_ours(self, cell):
        with tempfile.TemporaryDirectory() as out:
            command = [self.ours, "eval", "--data", self.work / "images", "--batch", cell["batch"],
                       "--threads", cell["threads"], "--limit", self.count, "--out", out, "--fresh", "--offline",
                       "--recipe", cell.get("recipe", "source"), "--device", cell.get("device", "flex"),
                       "--dtype", cell.get("dtype", "f32")]
            if "isa" in cell:
                command += ["--isa", cell["isa"]]
            for model in cell["models"]:
                if model.startswith("onnx/"):
                    command += ["--onnx", self.file(model, ".onnx")]
                    continue
                command += ["--model", model]
                command += ["--weights", f"{model}={self.file(model, ENDINGS[model.split('/')[0]])}"]
            _, took = run(command, accept=(0, 1))
            rows = rows_of(Path(out) / "results.csv")
            predictions = rows_of(Path(out) / "predictions" / f"{rows[0]['id'].replace('/', '-')}.csv")
        if len(rows) != len(cell["models"]):
            raise ChildProcessError(f"{len(rows)} models in results.csv")
        for row in rows:
            if int(row["images"]) != self.count or int(row["errors"]):
                raise ChildProcessError(f"{row['id']}: {row['images']} images, {row['errors']} errors")
        seconds = sum(int(r["images"]) / float(r["images_per_s"]) for r in rows)
        took |= dict(images=self.count, seconds=seconds, warm_up_s=0.0)
        predictions.sort(key=lambda p: p["image"])
        return took, [int(p["class1"]) for p in predictions], [float(p["logit1"]) for p in predictions]

    def measure_peer(self, runtime, cell):
        (model,) = cell["models"]
        source = model.split("/")[0]
        ending = ".onnx" if runtime in (*RUST_PEERS, *ONNX_PEERS) else ENDINGS[source]
        crops = self.crops_of(model) if source == "onnx" else crops_file(self.work, model)
        tail = [self.file(model, ending), crops, "--batch", cell["batch"],
                "--threads", cell["threads"], "--limit", self.count]
        if runtime in RUST_PEERS:
            command = [self.rust, runtime, *tail]
        else:
            command = [self.pythons[PYTHON_PEERS[runtime]], HERE / "peer_process.py", runtime, *tail]
            if "device" in cell:
                command += ["--device", TORCH_DEVICE.get(cell["device"], "cuda")]
            if "dtype" in cell:
                command += ["--dtype", cell["dtype"]]
        printed, took = run(command, environment=HELD_TO.get(cell.get("isa"), {}))
        said = json.loads(printed.strip().splitlines()[-1])
        self.versions[runtime] = said.get("versions") or rust_version(runtime)
        took |= {k: said[k] for k in ("images", "seconds", "warm_up_s")}
        return took, said["top1"], said["logit1"]

    def file(self, model, ending):
        if model.startswith("onnx/"):
            return self.onnx / (model.removeprefix("onnx/") + ending)
        return self.work / (model.replace("/", "-") + ending)

    def crops_of(self, model):
        """Where the images lie that an ONNX file takes: made by our own `prepare`, from the recipe beside the file."""
        recipe = tomllib.loads(self.file(model, ".toml").read_text())["recipe"]
        if not isinstance(recipe, str):
            raise SystemExit(f"{self.file(model, '.toml')}: `recipe` has to be a text of keys here")
        name = hashlib.sha256(f"{recipe} {self.count}".encode()).hexdigest()[:16]
        crops = self.work / "crops" / f"onnx-{name}.npy"
        if not crops.exists():
            with tempfile.TemporaryDirectory() as out:
                run([self.ours, "prepare", "--recipe", recipe, "--data", self.work / "images", "--limit", self.count,
                     "--out", out])
                files = sorted((Path(out) / "tensors").iterdir())
                crops.parent.mkdir(exist_ok=True)
                np.save(crops, np.concatenate([np.load(file)["input"] for file in files]))
        return crops

    def group(self, runtimes, cell):
        """One turn of every runtime: a record each."""
        records, ours = [], None
        for runtime in runtimes:
            try:
                if runtime == "ours":
                    took, top1, logit1 = self.measure_ours(cell)
                    ours = top1, logit1
                else:
                    took, top1, logit1 = self.measure_peer(runtime, cell)
            except ChildProcessError as error:
                if runtime in ("ours", "ort") and cell["section"] != "onnx":
                    raise SystemExit(f"{runtime}, {cell}: {error}") from error
                records.append(dict(runtime=runtime, error=str(error).splitlines()[-1]))
                continue
            if runtime != "ours" and ours:
                took["same_top1"] = sum(a == b for a, b in zip(top1, ours[0], strict=True))
                took["logit_difference"] = max(abs(a - b) for a, b in zip(logit1, ours[1], strict=True))
            took = {k: round(v, 5) if isinstance(v, float) else v for k, v in took.items()}
            records.append(dict(runtime=runtime, **took))
        return records

    def quiet_group(self, runtimes, cell):
        for _ in range(3):
            with locked(self.lock):
                records = self.group(runtimes, cell)
            if all((r.get("others") or 0) <= BUSY for r in records):
                break
        return records


@contextlib.contextmanager
def locked(file):
    if file is None:
        yield
        return
    import fcntl

    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def rust_version(package):
    """Of tools/peers/Cargo.lock: the binary does not know."""
    name = {"tract": "tract-onnx"}.get(package, package)
    locks = tomllib.loads((REPOSITORY / "tools/peers/Cargo.lock").read_text())["package"]
    return {name: next(p["version"] for p in locks if p["name"] == name)}
