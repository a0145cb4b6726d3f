"""The evaluation recipes, executed by the libraries that the sources themselves use.

Each crops to a square of `CROP` pixels unless it says otherwise and returns RGB uint8
[side, side, 3]; `normalise` turns that into the f32 NCHW network input.
"""
import numpy as np
from PIL import Image

import ipp_cubic

CROP = 299  # what the Xception networks take


def pil_open(path):
    return Image.open(path).convert("RGB")  # no EXIF rotation


def _torchvision_resize(img, short, mode):
    w, h = img.size
    if min(w, h) == short:
        return img
    if w < h:
        size = (short, int(short * h / w))
    else:
        size = (int(short * w / h), short)
    return img.resize(size, mode)


def _torchvision_center_crop(img, side):
    w, h = img.size
    if w < side or h < side:
        raise ValueError("torchvision would pad")
    top = int(round((h - side) / 2.0))  # half to even
    left = int(round((w - side) / 2.0))
    return img.crop((left, top, left + side, top + side))


def torchvision(path, short, mode, side=CROP):
    img = _torchvision_resize(pil_open(path), short, mode)
    return np.asarray(_torchvision_center_crop(img, side))


def keras_load_img(path):
    img = pil_open(path)
    if img.size != (CROP, CROP):
        img = img.resize((CROP, CROP), Image.NEAREST)
    return np.asarray(img)


def _cv2_open(path):
    import cv2

    data = np.frombuffer(open(path, "rb").read(), np.uint8)
    return cv2.imdecode(data, 1)[:, :, ::-1]  # applies EXIF orientation; BGR -> RGB


def ppcls(path, target=320, side=CROP):
    import cv2

    img = _cv2_open(path)
    h, w = img.shape[:2]
    percent = float(target) / min(w, h)
    w, h = int(round(w * percent)), int(round(h * percent))
    img = cv2.resize(np.ascontiguousarray(img), (w, h))  # INTER_LINEAR, no antialias
    left, top = (w - side) // 2, (h - side) // 2
    return img[top : top + side, left : left + side]


def opencv_cubic(rgb, size):
    """OpenCV's, as it is on a processor with AVX-512."""
    import cv2

    if ipp_cubic.is_needed():
        return ipp_cubic.resize(rgb, size)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC)


def keras_cv2(path, target=341, side=CROP):  # 341 is floor(299 / 0.875)
    img = _cv2_open(path)
    h, w = img.shape[:2]
    short = min(h, w)
    w, h = w * target // short, h * target // short
    img = opencv_cubic(np.ascontiguousarray(img), (w, h))
    left, top = (w - side) // 2, (h - side) // 2
    return img[top : top + side, left : left + side]


# How a crop becomes the network's input: mean, deviation, what pixels are divided by first, and the order of the channels.
HALF = ((0.5,) * 3, (0.5,) * 3, 255.0, "rgb")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 255.0, "rgb")
CAFFE = ((103.939, 116.779, 123.68), (1.0,) * 3, 1.0, "bgr")  # mode "caffe" of keras_applications/imagenet_utils.py

RECIPES = {
    # name: (crop function, normalisation)
    "timm-333-bicubic": (lambda p: torchvision(p, 333, Image.BICUBIC), HALF),
    "timm-331-bicubic": (lambda p: torchvision(p, 331, Image.BICUBIC), HALF),
    "timm-318-bicubic": (lambda p: torchvision(p, 318, Image.BICUBIC), HALF),
    "timm-235-bicubic": (lambda p: torchvision(p, 235, Image.BICUBIC, side=224), IMAGENET),
    "timm-256-bicubic": (lambda p: torchvision(p, 256, Image.BICUBIC, side=224), IMAGENET),
    "timm-256-bilinear": (lambda p: torchvision(p, 256, Image.BILINEAR, side=224), IMAGENET),
    "card-342-bilinear": (lambda p: torchvision(p, 342, Image.BILINEAR), HALF),
    "keras-load_img": (keras_load_img, HALF),
    "keras-cv2-cubic-341": (keras_cv2, HALF),
    "keras-cv2-cubic-256": (lambda p: keras_cv2(p, target=256, side=224), CAFFE),
    "ppcls-320-bilinear": (ppcls, IMAGENET),
    "ppcls-256-bilinear": (lambda p: ppcls(p, target=256, side=224), IMAGENET),
}

# The [[recipes]] of datasets/catalog.toml: their filters are frozen by make_crops.py, and no crop of the sample.
OF_CATALOG = {
    "lite-256-bicubic": (lambda p: torchvision(p, 256, Image.BICUBIC, side=224), HALF),
    "lite-274-bicubic": (lambda p: torchvision(p, 274, Image.BICUBIC, side=240), HALF),
    "lite-297-bicubic": (lambda p: torchvision(p, 297, Image.BICUBIC, side=260), HALF),
    "lite-272-bicubic": (lambda p: torchvision(p, 272, Image.BICUBIC, side=240), HALF),
    "lite-292-bicubic": (lambda p: torchvision(p, 292, Image.BICUBIC, side=260), HALF),
    "lite-331-bilinear": (lambda p: torchvision(p, 331, Image.BILINEAR, side=300), HALF),
    "lite-413-bilinear": (lambda p: torchvision(p, 413, Image.BILINEAR, side=380), HALF),
}


def normalise(crop, stats):
    """(x / scale - mean) / std in f32, NCHW with N = 1."""
    mean, std = (np.asarray(s, np.float32) for s in stats[:2])
    scale, channels = stats[2:]
    if channels == "bgr":
        crop = crop[..., ::-1]
    x = crop.astype(np.float32) * np.float32(1 / scale)
    return ((x - mean) / std).transpose(2, 0, 1)[None].copy()


# Recipes by their text, as a user writes them: what make_crops.py freezes. Written apart from the program on purpose.

PIL_FILTERS = {"nearest": Image.NEAREST, "box": Image.BOX, "bilinear": Image.BILINEAR, "hamming": Image.HAMMING,
               "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}


def keys(text):
    """`key=value,key=value` as a dictionary."""
    return dict(part.split("=") for part in text.split(","))


def crop_by_keys(rgb, recipe):
    """The crop of an RGB image [height, width, 3] by a recipe's keys, or None where it is smaller than the crop."""
    side = [int(n) for n in recipe["crop"].split("x")]
    crop_w, crop_h = side if len(side) == 2 else side * 2
    rgb = _crop_first(rgb, recipe.get("crop-first"), crop_w)
    h, w = rgb.shape[:2]
    rgb = _resize_by_keys(rgb, recipe, _resized(w, h, recipe["resize"], crop_w))
    h, w = rgb.shape[:2]
    if (w < crop_w or h < crop_h) and recipe.get("pad") != "zero":
        return None
    if recipe["offset"] == "round-half-even":
        import torchvision.transforms.functional as F

        return np.asarray(F.center_crop(Image.fromarray(rgb), [crop_h, crop_w]))
    if w < crop_w or h < crop_h:
        left, top = max(crop_w - w, 0), max(crop_h - h, 0)
        rgb = np.pad(rgb, ((top // 2, (top + 1) // 2), (left // 2, (left + 1) // 2), (0, 0)))
        h, w = rgb.shape[:2]
    left, top = (w - crop_w) // 2, (h - crop_h) // 2
    return rgb[top : top + crop_h, left : left + crop_w]


def _crop_first(rgb, share, side):
    """What TensorFlow's EfficientNet does: `_decode_and_center_crop` of its preprocessing.py."""
    if share is None:
        return rgb
    share = side / (side + 32) if share == "pad32" else float(share)
    h, w = rgb.shape[:2]
    size = int(np.float32(share) * np.float32(min(h, w)))
    top, left = ((h - size) + 1) // 2, ((w - size) + 1) // 2
    return np.ascontiguousarray(rgb[top : top + size, left : left + size])


def _resized(w, h, rule, side):
    name, _, argument = rule.partition(":")
    if name == "none":
        return w, h
    if name == "exact":
        return tuple(int(n) for n in argument.split("x"))
    if name == "short-round":  # PaddleClas
        percent = float(argument) / min(w, h)
        return int(round(w * percent)), int(round(h * percent))
    import math

    short = math.floor(side / float(argument)) if name == "pct" else int(argument)  # timm; torchvision
    return (short, int(short * h / w)) if w < h else (int(short * w / h), short)


def _resize_by_keys(rgb, recipe, size):
    if size == (rgb.shape[1], rgb.shape[0]):
        return rgb
    library, _, name = recipe["filter"].partition("-")
    if library == "pil":
        return np.asarray(Image.fromarray(rgb).resize(size, PIL_FILTERS[name]))
    import cv2

    if name == "cubic":
        return opencv_cubic(rgb, size)
    return cv2.resize(rgb, size, interpolation=getattr(cv2, "INTER_" + name.upper()))
