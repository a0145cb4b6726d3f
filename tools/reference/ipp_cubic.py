"""`cv2.resize(.., INTER_CUBIC)` of the OpenCV 4.5.5 wheels as it is on a processor with AVX-512, on any processor.

Those wheels compute it by Intel's IPP, which takes other code on a processor without AVX-512: one level off in a few bytes of a
million. So that the answers can be remade there, this does the same operations in the same order; what they are is told in
crates/dataset/src/resample/opencv/cubic.rs, found by measuring. Run as a script it compares itself with every answer that
was frozen on a processor with AVX-512: the crops of that filter in crops.json, and a recipe's crops of the sample.

usage: python ipp_cubic.py [--datasets DIR]
"""
import hashlib
import json

import numpy as np

MIN_SIDE = 4  # below it, OpenCV does not take IPP


def is_needed():
    import cv2

    return "AVX-512" not in cv2.ipp.getIppVersion()


def _fused(a, b, c):
    return (a.astype(np.float64) * b + c).astype(np.float32)


def _taps(size_in, size_out):
    """For each output position: four source positions, four weights, whether one of them is beyond an edge."""
    at = np.arange(size_out, dtype=np.int64)
    start, rest = np.divmod((2 * at + 1) * size_in - size_out, 2 * size_out)
    fraction = (rest / (2 * size_out)).astype(np.float32)
    d = (np.float32(1) + fraction).astype(np.float64)

    def near(d):
        return (1.25 * d - 2.25) * d * d + 1.0

    def far(d):
        return ((-0.75 * d + 3.75) * d - 6.0) * d + 3.0

    weights = np.stack([far(d), near(d - 1), near(2 - d), far(3 - d)]).astype(np.float32)
    positions = np.stack([np.clip(start + step, 0, size_in - 1) for step in (-1, 0, 1, 2)])
    return positions, weights, (start < 1) | (start + 2 > size_in - 1)


def _tail(size_in, size_out):
    """The columns between those next to the edges that fill no vector of four."""
    def place(position):
        return (position + 0.5) * (size_in / size_out) - 0.5

    def is_between(position):
        centre = (2 * position + 1) * size_in
        behind = place(position) >= 1.0 if centre == 3 * size_out else centre > 3 * size_out
        end = 2 * size_in * size_out
        before = place(position) < size_in - 2 if centre + 3 * size_out == end else centre + 3 * size_out < end
        return behind and before

    between = [position for position in range(size_out) if is_between(position)]
    first = between[0] if between else 0
    end = first + len(between)
    return range(end - len(between) % 4, end)


def resize(rgb, size):
    width, height = size
    h, w = rgb.shape[:2]
    if min(h, w) < MIN_SIDE:
        import cv2

        return cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_CUBIC)
    positions, weights, edge = _taps(w, width)
    order = np.where(edge, np.array([[0], [2], [3], [1]]), np.array([[0], [1], [2], [3]]))
    source = rgb.astype(np.float32)
    p = [source[:, np.take_along_axis(positions, order, 0)[k]] for k in range(4)]
    v = [np.take_along_axis(weights, order, 0)[k][None, :, None] for k in range(4)]
    rows = _fused(p[0], v[0], p[1] * v[1]) + _fused(p[2], v[2], p[3] * v[3])
    for x in _tail(w, width):
        a, b, c, d = (source[:, i] for i in np.take_along_axis(positions, order, 0)[:, x])
        va, vb, vc, vd = np.take_along_axis(weights, order, 0)[:, x]
        rows[:, x] = _fused(b, vb, _fused(d, vd, _fused(a, va, c * vc)))
    rows = rows.reshape(h, width * 3)
    positions, weights, _ = _taps(h, height)
    a, b, c, d = (rows[positions[k]] for k in range(4))
    va, vb, vc, vd = (weights[k][:, None] for k in range(4))
    out = _fused(a, va, b * vb) + _fused(c, vc, d * vd)
    rest = slice(width * 3 // 4 * 4, None)  # the bytes that fill no vector: nothing is fused there
    out[:, rest] = (a[:, rest] * va + b[:, rest] * vb) + (c[:, rest] * vc + d[:, rest] * vd)
    return np.rint(np.clip(out, 0, 255)).astype(np.uint8).reshape(height, width, 3)


def main():
    import layout
    import recipes
    from make_crops import image

    args = layout.parser(__doc__).parse_args()
    recipes.opencv_cubic = resize
    different = []
    crops = json.loads((args.datasets / "reference" / "crops.json").read_text())
    crops = [crop for crop in crops["crops"] if "filter=opencv-cubic" in crop[0] and crop[4]]
    for text, number, width, height, frozen in crops:
        crop = recipes.crop_by_keys(image(number, width, height), recipes.keys(text))
        if hashlib.sha256(np.ascontiguousarray(crop).tobytes()).hexdigest() != frozen:
            different.append(text)
    sample = json.loads((args.datasets / "sample" / "preprocess.json").read_text())["images"]
    name = "keras-cv2-cubic-341"
    for path in layout.sample_images(args.datasets):
        crop = recipes.RECIPES[name][0](path)
        if hashlib.sha256(np.ascontiguousarray(crop).tobytes()).hexdigest() != sample[path.name][name]:
            different.append(path.name)
    print(f"{len(crops)} crops of generated images and {len(sample)} of the sample, {len(different)} different", *different)
    raise SystemExit(1 if different else 0)


if __name__ == "__main__":
    main()
