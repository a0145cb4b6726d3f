"""Freezes what timm and transformers make of the sample by configuration files that they read themselves: SHA-256 of
the input's pixels for each image, in datasets/reference/recipe_files.json.

Both give a normalised tensor; the pixels are what gives it back. An entry is the file's kind, the package that computed
it, the file itself and the hashes, in the order of the sample.

usage: python make_recipe_files.py [--datasets DIR] [--check] KIND     KIND: timm or hugging-face; the other's entries stay
needs: for timm timm==1.0.19 with torch, torchvision, pillow==9.5.0 (--check takes 0.6.5 too, which knows no crop_mode);
       for hugging-face transformers==4.46.3, pillow==9.5.0, "numpy<2"
"""
import hashlib
import io
import json

import numpy as np
import PIL.Image

import layout

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


def timm_files():
    squashes = version("timm") != "0.6.5"

    def of(architecture, side, **more):
        return {"architecture": architecture, "num_classes": 1000,
                "pretrained_cfg": {"tag": "a1_in1k", "input_size": [3, side, side], **more}}

    yield of("resnet50", 224, crop_pct=0.95, crop_mode="center", interpolation="bicubic", fixed_input_size=False, **IMAGENET)
    yield of("tf_efficientnet_lite0", 224, crop_pct=0.875, interpolation="bicubic", **HALF)
    yield of("xception41", 299, crop_pct=0.903, interpolation="bilinear", **HALF)
    yield of("vit_tiny_patch16_224", 64, crop_pct=0.9, interpolation="lanczos", fixed_input_size=True, **HALF)
    yield of("silent", 96, num_classes=1000)
    if squashes:
        yield of("convnext_nano", 97, crop_pct=1.0, crop_mode="squash", interpolation="bicubic", **IMAGENET)
        yield of("vit_squashed", 98, crop_pct=0.9, crop_mode="squash", interpolation="bilinear", **IMAGENET)
    # As files of 2022 have it: no pretrained_cfg.
    yield {"architecture": "old", "num_classes": 1000, "input_size": [3, 101, 101], "crop_pct": 0.88,
           "interpolation": "bicubic", **IMAGENET}


def timm_crops(file):
    from timm.data import create_transform, resolve_data_config

    config = dict(file.get("pretrained_cfg", file))
    config["input_size"] = tuple(config["input_size"])
    resolved = resolve_data_config({}, pretrained_cfg=config) if version("timm") != "0.6.5" else resolve_data_config(
        {}, default_cfg=config)
    transform = create_transform(**resolved)
    mean, std = (np.array(resolved[key]).reshape(3, 1, 1) for key in ("mean", "std"))
    return lambda image: (transform(image).numpy() * std + mean) * 255


def hugging_face_files():
    def of(kind, **more):
        return {"image_processor_type": f"{kind}ImageProcessor", **more}

    imagenet = {"image_mean": IMAGENET["mean"], "image_std": IMAGENET["std"]}
    half = {"image_mean": HALF["mean"], "image_std": HALF["std"]}
    yield of("ViT", do_normalize=True, do_rescale=True, do_resize=True, resample=2, rescale_factor=1 / 255,
             size={"height": 224, "width": 224}, **half)
    yield {"do_normalize": True, "do_resize": True, "feature_extractor_type": "ViTFeatureExtractor", "resample": 3, "size": 96,
           **half}
    yield of("DeiT", do_center_crop=True, crop_size={"height": 224, "width": 224}, size={"height": 256, "width": 256}, **imagenet)
    yield of("Beit", do_center_crop=False, size={"height": 96, "width": 97}, **half)
    yield of("Beit", size={"height": 120, "width": 110}, crop_size=96, **half)
    yield of("ConvNext", crop_pct=0.875, do_resize=True, resample=3, size={"shortest_edge": 224}, **imagenet)
    yield {"feature_extractor_type": "ConvNextFeatureExtractor", "crop_pct": 0.95, "resample": 2, "size": 97, **imagenet}
    yield of("ConvNext", crop_pct=0.875, resample=3, size={"shortest_edge": 384}, **imagenet)
    yield of("MobileNetV2", do_center_crop=True, crop_size={"height": 224, "width": 224}, resample=2,
             size={"shortest_edge": 256}, **half)
    yield of("MobileNetV1", crop_size={"height": 95, "width": 101}, size={"shortest_edge": 128}, **half)
    yield of("MobileViT", crop_size={"height": 256, "width": 256}, do_center_crop=True, do_flip_channel_order=True,
             resample=2, size={"shortest_edge": 288})
    yield of("Bit", crop_size={"height": 113, "width": 113}, resample=3, size={"shortest_edge": 113}, **imagenet)
    yield of("CLIP", crop_size=96, size=96, do_convert_rgb=True, **imagenet)


def hugging_face_crops(file):
    import transformers

    kind = file.get("image_processor_type") or file["feature_extractor_type"].replace("FeatureExtractor", "ImageProcessor")
    processor = getattr(transformers, kind).from_dict(file)
    mean, std = np.zeros((3, 1, 1)), np.ones((3, 1, 1))
    if getattr(processor, "do_normalize", False):
        mean, std = (np.array(getattr(processor, f"image_{key}")).reshape(3, 1, 1) for key in ("mean", "std"))
    return lambda image: (processor(image)["pixel_values"][0] * std + mean) * 255


def version(package):
    from importlib.metadata import version

    return version(package)


def main():
    parser = layout.parser(__doc__)
    parser.add_argument("kind", choices=["timm", "hugging-face"], metavar="KIND")
    args = parser.parse_args()
    package, files, crops = {"timm": ("timm", timm_files, timm_crops),
                             "hugging-face": ("transformers", hugging_face_files, hugging_face_crops)}[args.kind]
    images = layout.sample_images(args.datasets)
    made = []
    for file in files():
        crop, hashes = crops(file), []
        for name in images:
            # transformers takes an image of the mode RGB as it is.
            image = PIL.Image.open(io.BytesIO(name.read_bytes())).convert("RGB")
            values = np.asarray(crop(image), dtype=np.float64)
            pixels = values.round()
            assert np.abs(values - pixels).max() < 0.01, (file, name)
            hashes.append(hashlib.sha256(pixels.astype(np.uint8).transpose(1, 2, 0).tobytes()).hexdigest())
        made.append({"kind": args.kind, "by": f"{package} {version(package)}", "file": file, "sha256": hashes})
    path = args.datasets / "reference" / "recipe_files.json"
    frozen = json.loads(path.read_text()) if path.exists() else []
    if args.check:
        # Another version of the package has to make the same.
        before = [(entry["file"], entry["sha256"]) for entry in frozen if entry["kind"] == args.kind]
        different = [entry["file"] for entry in made if (entry["file"], entry["sha256"]) not in before]
        print(f"{len(made)} files, {len(different)} different from the frozen ones {different}")
        if different:
            raise SystemExit(1)
        return
    entries = sorted([entry for entry in frozen if entry["kind"] != args.kind] + made, key=lambda entry: entry["kind"])
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    path.write_text(f"[\n{lines}\n]\n")
    print(f"wrote {len(made)} files' hashes to {path}")


if __name__ == "__main__":
    main()
