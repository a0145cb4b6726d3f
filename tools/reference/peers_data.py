"""The images that `peers.py` measures with: photograph-like JPEG files for us, and for the peers the same
images cropped and normalised by every recipe.

    WORK/images/ILSVRC2012_val_0000000N.JPEG    named so that labels are built in; deterministic
    WORK/crops/<recipe>.<layout>.npy            f32 [N, 3, side, side], Keras's [N, side, side, 3]

A module, not a script: `peers.py prepare` uses it.

needs: the peers' environment (requirements-peers.txt)
"""
import hashlib
import io

import numpy as np
from PIL import Image

from make_sample import scene
from recipes import OF_CATALOG, RECIPES, normalise
from reference_models import RECIPE

SEED = 20121012
SIZES = [(500, 375), (500, 333), (375, 500), (500, 375), (500, 334), (640, 480)]  # what ILSVRC2012 mostly has


def photograph(index):
    """One JPEG file's bytes, about as large as a photograph of ILSVRC2012 (110 KB)."""
    rng = np.random.default_rng([SEED, index])
    w, h = SIZES[index % len(SIZES)]
    # Texture at every scale, as photographs have it, over a drawn scene.
    spectrum = np.fft.rfft2(rng.standard_normal((h, w)))
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None])
    texture = np.fft.irfft2(spectrum / np.maximum(frequency, 1 / max(w, h)) ** 1.1, (h, w))
    image = scene(rng, w, h) + (texture / texture.std() * 22)[..., None]
    image = np.clip(image, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=93, subsampling=2)
    return out.getvalue()


def prepare(work, count, crops_file):
    """Writes the images, and their crops to where `crops_file(work, model_id)` says; returns a line about them."""
    folder = work / "images"
    folder.mkdir(parents=True, exist_ok=True)
    (work / "crops").mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    digest, bytes_written, files = hashlib.sha256(), 0, []
    for index in range(count):
        data = photograph(index)
        files.append(folder / f"ILSVRC2012_val_{index + 1:08}.JPEG")
        files[-1].write_bytes(data)
        digest.update(data)
        bytes_written += len(data)
    for model_id in {crops_file(work, m): m for m in RECIPE}.values():
        crop, stats = (RECIPES | OF_CATALOG)[RECIPE[model_id]]
        images = np.concatenate([normalise(crop(f), stats) for f in files])
        if model_id.startswith("keras/"):
            images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        np.save(crops_file(work, model_id), images)
    return f"{count} images, {bytes_written / count / 1000:.0f} KB each on average, SHA-256 {digest.hexdigest()[:16]}"
