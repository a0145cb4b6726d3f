"""The evaluation recipes, executed by the libraries that the sources themselves use.

Each crops to a square of `CROP` pixels unless it says otherwise and returns RGB uint8
[side, side, 3]; `normalise` turns that into the f32 NCHW network input.
"""
import numpy as np
from PIL import Image

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


def ppcls(path):
    import cv2

    img = _cv2_open(path)
    h, w = img.shape[:2]
    percent = 320.0 / min(w, h)
    w, h = int(round(w * percent)), int(round(h * percent))
    img = cv2.resize(np.ascontiguousarray(img), (w, h))  # INTER_LINEAR, no antialias
    left, top = (w - CROP) // 2, (h - CROP) // 2
    return img[top : top + CROP, left : left + CROP]


def keras_cv2(path):
    import cv2

    img = _cv2_open(path)
    h, w = img.shape[:2]
    short, target = min(h, w), 341  # floor(299 / 0.875)
    w, h = w * target // short, h * target // short
    img = cv2.resize(np.ascontiguousarray(img), (w, h), interpolation=cv2.INTER_CUBIC)
    left, top = (w - CROP) // 2, (h - CROP) // 2
    return img[top : top + CROP, left : left + CROP]


HALF = ((0.5,) * 3, (0.5,) * 3)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

RECIPES = {
    # name: (crop function, normalisation)
    "timm-333-bicubic": (lambda p: torchvision(p, 333, Image.BICUBIC), HALF),
    "timm-331-bicubic": (lambda p: torchvision(p, 331, Image.BICUBIC), HALF),
    "timm-318-bicubic": (lambda p: torchvision(p, 318, Image.BICUBIC), HALF),
    "timm-256-bilinear": (lambda p: torchvision(p, 256, Image.BILINEAR, side=224), IMAGENET),
    "card-342-bilinear": (lambda p: torchvision(p, 342, Image.BILINEAR), HALF),
    "keras-load_img": (keras_load_img, HALF),
    "keras-cv2-cubic-341": (keras_cv2, HALF),
    "ppcls-320-bilinear": (ppcls, IMAGENET),
}


def normalise(crop, stats):
    """(x / 255 - mean) / std in f32, NCHW with N = 1."""
    mean, std = (np.asarray(s, np.float32) for s in stats)
    x = crop.astype(np.float32) * np.float32(1 / 255.0)
    return ((x - mean) / std).transpose(2, 0, 1)[None].copy()
