"""Freezes what Pillow and OpenCV make of generated images by recipes of every filter: SHA-256 of each crop,
in datasets/reference/crops.json.

The images are made from a number (`image` below; crates/dataset/tests/crops.rs makes the same), so that no file is
needed. A line is a recipe, an image's number and size, and the hash; `null` where the image is smaller than the crop.

usage: python make_crops.py [--datasets DIR] [--check]
needs: pillow==9.5.0 opencv-python-headless==4.5.5.64 "numpy<2" torchvision (requirements-timm.txt)
OpenCV's bicubic filter is Intel IPP's, whose code depends on the processor: freeze on one with AVX-512.
"""
import hashlib
import json
import random

import cv2
import numpy as np
import PIL

import layout
from recipes import PIL_FILTERS, crop_by_keys, keys

FILTERS = [f"pil-{name}" for name in PIL_FILTERS] + [
    f"opencv-{name}" for name in ("nearest", "linear", "cubic", "area", "lanczos4")]
# Sides that people crop.
SIDES = (224, 232, 240, 256, 260, 288, 299, 300, 320, 324, 342, 380, 384, 448, 518)
# From and to, width and height: enlarging, shrinking, both, whole factors, one side unchanged, sides of 1 pixel.
SIZES = [
    ((61, 47), (20, 15)), ((61, 47), (21, 47)), ((61, 47), (61, 15)), ((61, 47), (97, 101)), ((61, 47), (62, 48)),
    ((61, 47), (60, 46)), ((61, 47), (30, 90)), ((61, 47), (130, 13)), ((64, 48), (32, 24)), ((64, 48), (16, 12)),
    ((63, 45), (21, 15)), ((60, 45), (30, 15)), ((64, 48), (64, 24)), ((64, 48), (128, 96)), ((64, 48), (128, 24)),
    ((500, 375), (333, 250)), ((127, 333), (7, 9)), ((300, 200), (1, 1)), ((1, 1), (7, 5)), ((1, 50), (9, 20)),
    ((50, 1), (20, 9)), ((2, 3), (11, 13)), ((3, 2), (1, 5)), ((5, 4), (4, 5)), ((17, 19), (1, 23)), ((19, 17), (23, 1)),
    ((1000, 8), (31, 11)), ((8, 1000), (11, 31)), ((3, 20), (147, 44)), ((11, 25), (121, 275)),
]
# Images, from and to: where IPP's bicubic filter has too few columns or bytes left for a vector, and it shows.
TAILS = [
    (35453, (11, 25), (121, 275)),
    (1198, (344, 480), (341, 93)), (1462, (4, 32), (156, 134)), (6466, (415, 312), (118, 201)),
    (9598, (140, 221), (14, 86)), (11982, (220, 252), (239, 233)), (13530, (224, 120), (156, 346)),
    (15286, (5, 32), (31, 78)), (22974, (165, 204), (337, 207)), (24170, (12, 6), (13, 9)),
    (35294, (270, 92), (79, 2)), (36810, (396, 432), (31, 69)), (49665, (79, 242), (174, 202)),
    (53759, (38, 20), (124, 350)), (56934, (215, 84), (9, 58)),
]


def image(number, width, height):
    """RGB [height, width, 3] from a number: noise, slopes with noise, black and white blocks, or faint noise."""
    y, x, c = np.indices((height, width, 3), dtype=np.uint32)

    def noise(at):
        h = (at + np.uint32(number * 40503 & 0xFFFFFFFF)) * np.uint32(2654435761)
        h = (h ^ (h >> np.uint32(13))) * np.uint32(3266489917)
        return (h ^ (h >> np.uint32(16))) & np.uint32(255)

    at = (y * np.uint32(width) + x) * np.uint32(3) + c
    kind = number % 4
    if kind == 0:
        value = noise(at)
    elif kind == 1:
        value = x * np.uint32(200) // np.uint32(width) // np.uint32(2) + y * np.uint32(240) // np.uint32(
            height) // np.uint32(2) + noise(at) % np.uint32(32)
    elif kind == 2:
        value = noise((y // np.uint32(3)) * np.uint32(1009) + (x // np.uint32(5)) * np.uint32(3) + c) % np.uint32(
            2) * np.uint32(255)
    else:
        value = np.uint32(120) + noise(at) % np.uint32(9)
    return value.astype(np.uint8)


def grid():
    """Recipes, each with the size of its image, and the image's number where it matters."""
    for name in FILTERS:
        rest = "mean=half,std=half,scale=255,channels=rgb"
        library = name.partition("-")[0]
        offset = "round-half-even" if library == "pil" else "floor"

        def text(resize, crop, more="", offset=offset):
            first, pad = ("crop-first=" + more + "," if more and more != "zero" else "",
                          ",pad=zero" if more == "zero" else "")
            return f"decoder={library},{first}resize={resize},filter={name},crop={crop},offset={offset}{pad},{rest}"

        for number, (w, h), (to_w, to_h) in TAILS if name == "opencv-cubic" else ():
            yield text(f"exact:{to_w}x{to_h}", f"{to_w}x{to_h}"), (w, h), number
        for (w, h), (to_w, to_h) in SIZES:
            side = f"{to_w}" if to_w == to_h else f"{to_w}x{to_h}"
            yield text(f"exact:{to_w}x{to_h}", side), (w, h), None
        for at, side in enumerate(SIDES):
            other = "floor" if offset == "round-half-even" else "round-half-even"
            short = side + (at * 7) % 50
            yield text(f"short:{short}", side), ((500, 375), (375, 500), (331, 452))[at % 3], None
            yield text(f"short-round:{short + 1}", side, offset=other), ((640, 427), (160, 213), (299, 299))[at % 3], None
        for pct, side in ((0.875, 224), (0.9, 256), (0.95, 300), (1, 384), (0.8975, 299), (0.965, 260)):
            yield text(f"pct:{pct}", side), (417, 311), None
        yield text("short:100", "96x64"), (141, 207), None
        yield text("short:99", "65x99"), (207, 141), None
        yield text("short:64", "96x96"), (80, 60), None
        yield text("exact:33x40", "64x20", "zero"), (80, 60), None
        yield text("short:20", "64x15", "zero"), (47, 61), None
        yield text("short:61", "100", "zero", "floor"), (90, 71), None
        yield text("short:50", "101", "zero", "round-half-even"), (90, 71), None
        for share in ("pad32", "0.875", "0.7"):
            yield text("exact:224x224", 224, share), (333, 251), None
            yield text("exact:112x112", 112, share), (250, 334), None
    for crop, offset, pad in (("64x48", "floor", ""), ("61", "round-half-even", ",pad=zero"), ("50x80", "floor", ",pad=zero"),
                              ("62x47", "round-half-even", ""), ("64", "round-half-even", "")):
        yield (f"decoder=pil,resize=none,crop={crop},offset={offset}{pad},mean=imagenet,std=imagenet,scale=255,"
               "channels=rgb"), (65, 50), None


def main():
    args = layout.parser(__doc__).parse_args()
    numbers = random.Random(2012)
    crops = []
    for text, (width, height), number in grid():
        number = numbers.randrange(1 << 16) if number is None else number
        crop = crop_by_keys(image(number, width, height), keys(text))
        sha = None if crop is None else hashlib.sha256(np.ascontiguousarray(crop).tobytes()).hexdigest()
        crops.append([text, number, width, height, sha])
    made_with = {"pillow": PIL.__version__, "opencv": cv2.__version__, "ipp": cv2.ipp.getIppVersion()}
    lines = ",\n".join("  " + json.dumps(crop) for crop in crops)
    text = f'{{\n "made_with": {json.dumps(made_with)},\n "crops": [\n{lines}\n ]\n}}\n'
    file = args.datasets / "reference" / "crops.json"
    if not args.check:
        file.write_text(text)
        print(f"wrote {len(crops)} crops to {file}")
        return
    frozen = json.loads(file.read_text())["crops"]
    different = [crop for crop, before in zip(crops, frozen) if crop != before]
    print(f"{len(crops)} crops, {len(different)} different from the frozen ones")
    if different or len(crops) != len(frozen):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
