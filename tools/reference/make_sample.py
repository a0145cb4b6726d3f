"""Draws the 24 images of the embedded sample: procedural scenes, saved the many ways
that ILSVRC2012 files are found in the wild (sizes, subsampling, progressive, grey,
CMYK, EXIF orientation, a PNG under a .JPEG name). Deterministic.

usage: python make_sample.py [--datasets DIR] [--check]
needs: pillow==9.5.0 "numpy<2" (other versions may encode other bytes)
"""
import io

import numpy as np
from PIL import Image

import layout

# (width, height, kind, save options)
CASES = [
    (500, 375, "rgb", dict(quality=92, subsampling=2)),
    (375, 500, "rgb", dict(quality=92, subsampling=2)),
    (500, 333, "rgb", dict(quality=96, subsampling=0)),
    (333, 500, "rgb", dict(quality=80, subsampling=1)),
    (299, 299, "rgb", dict(quality=95, subsampling=0)),
    (300, 299, "rgb", dict(quality=75, subsampling=2)),
    (120, 90, "rgb", dict(quality=70, subsampling=2)),
    (60, 200, "rgb", dict(quality=85, subsampling=2)),
    (1201, 903, "rgb", dict(quality=85, subsampling=2)),
    (640, 427, "rgb", dict(quality=90, subsampling=2, progressive=True)),
    (427, 640, "rgb", dict(quality=60, subsampling=0, progressive=True)),
    (501, 375, "grey", dict(quality=90)),
    (333, 333, "grey", dict(quality=50, progressive=True)),
    (400, 300, "cmyk", dict(quality=90)),
    (480, 360, "rgb", dict(quality=90, subsampling=2, orientation=6)),
    (481, 361, "rgb", dict(quality=90, subsampling=1, orientation=3)),
    (500, 400, "png", {}),
    (350, 350, "rgb", dict(quality=35, subsampling=2)),
    (342, 700, "rgb", dict(quality=88, subsampling=2, optimize=True)),
    (700, 342, "rgb", dict(quality=88, subsampling=2)),
    (319, 320, "rgb", dict(quality=93, subsampling=2)),
    (331, 450, "rgb", dict(quality=93, subsampling=0)),
    (450, 318, "rgb", dict(quality=93, subsampling=1)),
    (517, 389, "rgb", dict(quality=99, subsampling=0)),
]


def scene(rng, w, h):
    """A sum of colour gradients, blobs, gratings and grain, in [0, 255]."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    x, y = x / max(w, h), y / max(w, h)
    img = np.zeros((h, w, 3))
    base = rng.uniform(20, 200, (2, 3))
    t = (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1) + 1)[..., None] / 2
    img += base[0] * (1 - t) + base[1] * t
    for _ in range(rng.integers(4, 14)):
        cx, cy, r = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.03, 0.3)
        edge = rng.choice([0.01, 0.2])
        d = (np.hypot(x - cx, (y - cy) * rng.uniform(0.5, 2)) - r) / (edge * r)
        blob = 1 / (1 + np.exp(np.clip(d, -50, 50)))
        img = img * (1 - blob[..., None]) + blob[..., None] * rng.uniform(0, 255, 3)
    for _ in range(rng.integers(1, 4)):
        a, f = rng.uniform(0, np.pi), rng.uniform(3, 60)
        wave = np.sin(2 * np.pi * f * (x * np.cos(a) + y * np.sin(a)))
        img += wave[..., None] * rng.uniform(-35, 35, 3)
    img += rng.normal(0, rng.uniform(0, 12), (h, w, 1))
    return np.clip(np.rint(img), 0, 255).astype(np.uint8)


def encoded(rng, w, h, kind, opts):
    """One case's file, as bytes."""
    img = Image.fromarray(scene(rng, w, h))
    opts = dict(opts)
    orientation = opts.pop("orientation", None)
    if orientation:
        exif = Image.Exif()
        exif[0x0112] = orientation
        opts["exif"] = exif
    if kind == "grey":
        img = img.convert("L")
    if kind == "cmyk":
        img = img.convert("CMYK")
    file = io.BytesIO()
    img.save(file, "PNG" if kind == "png" else "JPEG", **opts)
    return file.getvalue()


def main():
    args = layout.parser(__doc__).parse_args()
    folder = args.datasets / "sample"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20121012)
    different = []
    for i, case in enumerate(CASES, start=1):
        path = folder / f"sample_{i:08d}.JPEG"
        data = encoded(rng, *case)
        if not args.check:
            path.write_bytes(data)
        elif not path.is_file() or path.read_bytes() != data:
            different.append(path.name)
    print(f"{len(CASES)} images, {len(different)} different from the frozen ones", *different)
    if different:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
