"""Where the frozen answers live, and how a script writes or checks them: in one place,
so that no script carries a path of its own.

    datasets/sample/*.JPEG                the embedded sample         make_sample.py
    datasets/sample/preprocess.json       hashes of crops             make_preprocess.py
    datasets/reference/<source>.safetensors, stages/  logits, stages  make_logits.py
    datasets/reference/states/            tensors of each network     make_complexity.py
    datasets/reference/complexity.json    operation counts            make_complexity.py

Every script takes `--datasets DIR` (default: this repository's datasets/) and `--check`:
compute everything again, write nothing, compare with what is frozen, exit 1 on a difference.
"""
import argparse
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = ("timm", "torchvision", "keras", "ppcls", "pypi")


def parser(doc):
    """The argument parser that all scripts share; `doc` is the script's own docstring."""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--datasets", type=Path, default=REPOSITORY / "datasets", metavar="DIR",
                   help="directory that holds sample/ and reference/ (default: %(default)s)")
    p.add_argument("--check", action="store_true", help="write nothing; compare with the frozen files")
    return p


def sample_images(datasets):
    """The embedded sample's files, in name order: the order of every frozen array's rows."""
    found = sorted((datasets / "sample").glob("*.JPEG"))
    if not found:
        raise SystemExit(f"no *.JPEG in {datasets / 'sample'}: run make_sample.py first, or give --datasets")
    return found
