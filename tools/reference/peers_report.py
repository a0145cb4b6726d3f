"""reports/performance.md, from the figures that `peers.py measure` wrote.

A module, not a script: `peers.py report` uses it. Rates are medians of the rounds. A ratio is the median of
the rounds' ratios: what took turns is compared, not what ran at different times.
"""
from math import exp, log
from statistics import median

NAMES = {
    "ort": "ONNX Runtime", "openvino": "OpenVINO", "torch": "PyTorch", "torch-channels-last": "PyTorch, channels last",
    "torch-tf32": "PyTorch, channels last, TF32",
    "tf": "TensorFlow", "tract": "tract", "rten": "rten",
}


def steady(record):
    return record["images"] * len(record["cell"]["models"]) / record["seconds"]


def whole(record):
    return record["images"] * len(record["cell"]["models"]) / (record["wall_s"] - record["warm_up_s"])


class Cells:
    """Records of one section, by cell and runtime, a list in the order of rounds."""

    def __init__(self, data, section):
        self.rows = {}
        for record in data["records"]:
            cell = record["cell"]
            if cell["section"] == section:
                variant = cell.get("recipe") or (cell.get("device"), cell.get("dtype"), cell.get("isa"))
                key = (tuple(cell["models"]), cell["batch"], cell["threads"], variant)
                self.rows.setdefault(key, {}).setdefault(record["runtime"], {})[record["round"]] = record

    def __iter__(self):
        return iter(self.rows.items())


def rate(records, kind):
    return median(kind(r) for r in records.values())


def ratio(ours, peer, kind):
    """Ours to the peer's, by round; None where no round has both."""
    both = [kind(ours[n]) / kind(peer[n]) for n in ours if n in peer]
    return median(both) if both else None


def table(head, rows, left=1):
    """A Markdown table whose first `left` columns are words, and the others figures."""
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * left + ["---:"] * (len(head) - left)) + " |"]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


def peak(records):
    return f"{median(r['peak_mib'] for r in records.values()):.0f}"


def mean(ratios):
    return exp(sum(map(log, ratios)) / len(ratios))


def networks(data):
    rows, found = [], {}
    for (models, batch, threads, _), by in Cells(data, "networks"):
        if "ours" not in by or "ort" not in by:
            continue
        ours, ort = by["ours"], by["ort"]
        a, b = ratio(ours, ort, steady), ratio(ours, ort, whole)
        found.setdefault((batch, threads), []).append((a, b))
        same = min(r["same_top1"] for r in ort.values())
        rows.append((models[0], batch, threads,
                     f"{rate(ours, steady):.2f}", f"{rate(ort, steady):.2f}", f"**{a:.2f}**",
                     f"{rate(ours, whole):.2f}", f"{rate(ort, whole):.2f}", f"**{b:.2f}**", peak(ours), peak(ort),
                     f"{same}/{next(iter(ort.values()))['images']}"))
    if not rows:
        return ""
    said = [f"- batch {batch}, {threads} thread{'s' * (threads > 1)}, {len(r)} network{'s' * (len(r) > 1)}: "
            f"network alone {mean([a for a, _ in r]):.2f} ({min(a for a, _ in r):.2f} to {max(a for a, _ in r):.2f}), "
            f"whole process {mean([b for _, b in r]):.2f} ({min(b for _, b in r):.2f} to {max(b for _, b in r):.2f})"
            for (batch, threads), r in found.items()]
    head = ("network", "batch", "threads", "ours", "ORT", "ratio", "ours, whole", "ORT, whole", "ratio",
            "ours, peak MiB", "ORT, peak MiB", "same top-1")
    return f"""## Every network, against ONNX Runtime

Images a second; ORT is ONNX Runtime. A ratio over 1 means that ours is faster.
Geometric mean of the ratios (least to greatest):

{chr(10).join(said)}

{table(head, rows)}
"""


def onnx(data):
    """ONNX files, ours to the better of the peers, the slowest ratio first."""
    tables = {}
    for (models, batch, threads, (_, _, isa)), by in Cells(data, "onnx"):
        fine = {name: {n: r for n, r in records.items() if "error" not in r} for name, records in by.items()}
        name = models[0].removeprefix("onnx/")
        cells = {runtime: f"{rate(fine[runtime], steady):.1f}" if fine.get(runtime) else "does not run"
                 for runtime in ("ours", "ort", "openvino") if runtime in by}
        peers = [fine[p] for p in ("ort", "openvino") if fine.get(p)]
        if not (fine.get("ours") and peers):
            tables.setdefault((batch, threads, isa), []).append((0, name, cells, "", "", ""))
            continue
        better = max(peers, key=lambda records: rate(records, steady))
        same = min(r["same_top1"] for p in peers for r in p.values())
        count = next(iter(fine["ours"].values()))["images"]
        found = ratio(fine["ours"], better, steady)
        memory = f"{peak(fine['ours'])} / {peak(fine['ort']) if fine.get('ort') else ''}"
        tables.setdefault((batch, threads, isa), []).append((found, name, cells, f"**{found:.2f}**", memory, f"{same}/{count}"))
    parts = []
    for (batch, threads, isa), rows in tables.items():
        rows.sort(key=lambda row: row[:2])
        ratios = [row[0] for row in rows if row[0]]
        said = f"Geometric mean {mean(ratios):.2f}, least {min(ratios):.2f}, of {len(ratios)} networks." if ratios else ""
        held = f", held to {isa} (ours and OpenVINO; ONNX Runtime has no such switch)" if isa else ""
        head = ("network", "ours", "ORT", "OpenVINO", "to the better", "ours / ORT, peak MiB", "same top-1")
        body = [(name, cells.get("ours", ""), cells.get("ort", ""), cells.get("openvino", ""), found, memory, same)
                for _, name, cells, found, memory, same in rows]
        parts.append(f"### Batch {batch}, {threads} threads{held}\n\n{said}\n\n{table(head, body)}\n")
    if not parts:
        return ""
    return "## ONNX files, beside ONNX Runtime and OpenVINO\n\nImages a second of the network alone, f32. Ours decodes an image, or a batch of them, before each batch.\n\n" + "\n".join(parts)


def beside(first, by):
    """Rows of one cell: ours, then every other runtime; they begin with the columns `first`."""
    ours = by["ours"]
    rows = [(*first, "ours", f"{rate(ours, steady):.2f}", "", f"{rate(ours, whole):.2f}", "", peak(ours), "")]
    for runtime in NAMES:
        fine = {n: r for n, r in by.get(runtime, {}).items() if "error" not in r}
        if fine:
            same = min(r["same_top1"] for r in fine.values())
            rows.append((*first, NAMES[runtime], f"{rate(fine, steady):.2f}", f"{ratio(ours, fine, steady):.2f}",
                         f"{rate(fine, whole):.2f}", f"{ratio(ours, fine, whole):.2f}", peak(fine),
                         f"{same}/{next(iter(fine.values()))['images']}"))
        elif runtime in by:
            error = next(iter(by[runtime].values()))["error"].replace("|", "\\|")[:120]
            rows.append((*first, NAMES[runtime], f"does not run: {error}", "", "", "", "", ""))
    return rows


BESIDE = ("runtime", "images/s", "ours to it", "whole process", "ours to it", "peak MiB", "same top-1")


def others(data):
    rows = []
    for (models, batch, threads, _), by in Cells(data, "networks"):
        if "ours" in by and not set(by) <= {"ours", "ort"}:
            rows += beside((models[0], batch, threads), by)
    if not rows:
        return ""
    return f"""## Other runtimes

Images a second, and ours to theirs.

{table(("network", "batch", "threads", *BESIDE), rows)}
"""


def devices(data):
    rows = []
    for (models, batch, _, (device, dtype, _)), by in Cells(data, "device"):
        rows += beside((models[0], device, dtype, batch), by)
    if not rows:
        return ""
    return f"""## Devices and types

Images a second, and ours to PyTorch's with weights and images in the same type. On a GPU, f32 is f32 unless TF32 is named.

{table(("network", "device", "type", "batch", *BESIDE), rows, left=3)}
"""


def scaling(data):
    parts = []
    for section, column in (("batch", 1), ("threads", 2)):
        rows, first = [], None
        for key, by in sorted(Cells(data, section), key=lambda c: c[0][column]):
            ours, models, fixed = by["ours"], key[0], key[3 - column]
            first = first or rate(ours, steady)
            cores = median(r["cpu_s"] / r["wall_s"] for r in ours.values())
            rows.append((key[column], f"{rate(ours, steady):.2f}", f"{rate(ours, steady) / first:.2f}",
                         f"{rate(ours, whole):.2f}", f"{cores:.2f}", peak(ours)))
        if rows:
            other = f"{fixed} threads" if section == "batch" else f"batch {fixed}"
            head = (section, "images/s", "to the first row", "whole process", "processors used", "peak MiB")
            parts.append(f"### By {section} ({models[0]}, {other})\n\n{table(head, rows)}\n")
    if one_pass := passes(data):
        parts.append(one_pass)
    return "## How ours scales\n\n" + "\n".join(parts) if parts else ""


def passes(data):
    by_cell, rows = list(Cells(data, "pass")), []
    alone = {(recipe, models[0]): by["ours"] for (models, _, _, recipe), by in by_cell if len(models) == 1}
    most = max((key[0] for key, _ in by_cell), key=len, default=())
    for (models, batch, threads, recipe), by in by_cell:
        if models != most[: len(models)]:
            continue  # measured alone only for the sum
        ours, parts = by["ours"], [alone.get((recipe, m), {}) for m in models]
        gains = [sum(p[n]["wall_s"] for p in parts) / ours[n]["wall_s"] for n in ours if all(n in p for p in parts)]
        rows.append(({"source": "own", "card": "one"}[recipe], len(models),
                     f"{median(r['wall_s'] for r in ours.values()):.2f}", f"{rate(ours, whole):.2f}",
                     f"{rate(ours, steady):.2f}", f"{median(gains):.2f}" if gains else "", peak(ours)))
    if not rows:
        return ""
    head = ("recipes", "networks", "seconds, whole process", "images x networks a second, whole", "networks alone",
            "one pass to a pass each", "peak MiB")
    return f"""### By networks in one pass (batch {batch}, {threads} threads)

Of {', '.join(most)}, the first so many.
"Own" crops an image once for each recipe among them, "one" once (`--recipe card`). "One pass to a pass each" is
how many times as long the networks take one after the other, a process each.

{table(head, rows)}
"""


def machine(data):
    m, busy = data["machine"], [r["others"] for r in data["records"] if r.get("others") is not None]
    worst = max((r["logit_difference"] for r in data["records"] if "logit_difference" in r), default=None)
    revision = data["revision"][:12] + (" with changes that were not committed" if data["modified"] else "")
    lines = [
        f"- Date: {data['date']}; revision {revision}; binary's SHA-256 {data['binary_sha256'][:16]}",
        f"- Machine: {m['cpu']}" + (f" (family/model {m['cpu_family_model']})" if "cpu_family_model" in m else "")
        + f", {m['processors']} processors" + (", virtual machine" if m.get("virtual_machine") else "")
        + (f", {m['memory_gib']} GiB" if "memory_gib" in m else "") + f", {m['system']}",
    ]
    if m.get("instructions"):
        lines.append(f"- Instructions: {', '.join(m['instructions'])}")
    for runtime, name in NAMES.items():
        if versions := data["versions"].get(runtime):
            lines.append(f"- {name}: " + ", ".join(f"{k} {v}" for k, v in versions.items()))
    rounds = 1 + max(r["round"] for r in data["records"])
    lines.append(f"- {data['images']['count']} images (SHA-256 {data['images']['sha256'][:16]}), {rounds} rounds")
    if busy:
        lines.append(f"- Other processes used {100 * median(busy):.1f} % of the processors (median), "
                     f"{100 * max(busy):.1f} % at most, while a process was measured")
    if worst is not None:
        lines.append(f"- The best class's logit differs from a peer's by {worst:.1e} at most, in any image and network")
    return "\n".join(lines)


def markdown(data, file):
    """The report of `data`, which is kept in `file`."""
    commands = "\n".join(data["commands"])
    parts = [f"""# Performance

How fast imagenet-eval is, side by side with other runtimes on one machine. `tools/reference/peers.py` wrote this
from [{file}]({file}), which has every process's figures.

Each measurement is a process of its own, and the runtimes take turns. "ours" is `xtask eval` on JPEG files: it reads,
decodes and crops them while the network runs. The others are given an array of images that are cropped and
normalised already, so that their whole process does less. Networks of the catalog hold the seeded weights, and their ONNX files
answered as the source's own framework did before they were measured.

Rates without another word are images over the seconds of the network alone (ours: the column `images_per_s`; the
others: after a batch to warm up). "Whole" is images over the time from the start of the process to its end, for
the others without that batch.

{machine(data)}

```sh
{commands}
```
""", networks(data), onnx(data), others(data), devices(data), scaling(data)]
    return "\n".join(p for p in parts if p)
