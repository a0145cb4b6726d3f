"""Freezes what PIL and OpenCV make of every sample image: SHA-256 of the decoded RGB pixels
and of each recipe's RGB crop, in datasets/sample/preprocess.json.

The crops themselves go to CROPS.npz ([N, side, side, 3] a recipe), which make_logits.py reads,
so that only this script needs the exact Pillow and OpenCV.

usage: python make_preprocess.py [--crops CROPS.npz] [--datasets DIR] [--check]
needs: pillow==9.5.0 opencv-python-headless==4.5.5.64 "numpy<2" (requirements-timm.txt)
"""
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import PIL
from PIL import features

import layout
from recipes import RECIPES, pil_open


def sha(a):
    return hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()


def main():
    parser = layout.parser(__doc__)
    parser.add_argument("--crops", type=Path, metavar="CROPS.npz", help="also save the crops, for make_logits.py")
    args = parser.parse_args()
    crops = {name: [] for name in RECIPES}
    made = {
        "made_with": {
            "pillow": PIL.__version__,
            "libjpeg_turbo": features.version_feature("libjpeg_turbo"),
            "opencv": cv2.__version__,
        },
        "images": {},
    }
    for path in layout.sample_images(args.datasets):
        rgb = np.asarray(pil_open(path))
        for name, (fn, _) in RECIPES.items():
            crops[name].append(np.ascontiguousarray(fn(path)))
        made["images"][path.name] = {
            "width": rgb.shape[1],
            "height": rgb.shape[0],
            "decoded": sha(rgb),
            **{name: sha(crops[name][-1]) for name in RECIPES},
        }
    if args.crops:
        np.savez_compressed(args.crops, **{name: np.stack(c) for name, c in crops.items()})
    file = args.datasets / "sample" / "preprocess.json"
    if not args.check:
        file.write_text(json.dumps(made, indent=1) + "\n")
        print("wrote", file)
        return
    frozen = json.loads(file.read_text())
    different = [(image, key) for image, facts in made["images"].items() for key in facts
                 if frozen["images"].get(image, {}).get(key) != facts[key]]
    checked = sum(len(facts) for facts in made["images"].values())
    print(f"{checked} facts of {len(made['images'])} images, {len(different)} different from the frozen ones")
    for image, key in different:
        print(" ", image, key)
    if different or set(made["images"]) != set(frozen["images"]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
