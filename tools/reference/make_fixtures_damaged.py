"""Makes crates/dataset/tests/fixtures/damaged/: small drawn images, damaged or of rare kinds, and answers.json, what
Pillow 9.5.0 and OpenCV 4.5.5 make of each: size and SHA-256 of the RGB pixels, or that they refuse it.

Needs Pillow 9.5.0, opencv-python-headless 4.5.5.64 (x86-64: its wheels have libjpeg-turbo's C code, Pillow's the vector
code), numpy, and `cjpeg` of libjpeg-turbo for the kinds of JPEG that Pillow does not write.
"""

import argparse
import hashlib
import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

import layout

FOLDER = layout.REPOSITORY / "crates/dataset/tests/fixtures/damaged"


def drawn(width=72, height=56):
    image = Image.new("RGB", (width, height), (40, 90, 160))
    draw = ImageDraw.Draw(image)
    random = np.random.RandomState(width)
    for index in range(14):
        x, y, side = (int(v) for v in (random.randint(0, width), random.randint(0, height), random.randint(4, 30)))
        shape = draw.ellipse if index % 2 else draw.rectangle
        shape([x, y, x + side, y + side], fill=tuple(int(v) for v in random.randint(0, 256, 3)))
    noise = random.randint(-9, 10, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(image).astype(int) + noise, 0, 255).astype(np.uint8))


def jpeg(image=None, **options):
    out = io.BytesIO()
    (image or drawn()).save(out, "JPEG", **{"quality": 80, **options})
    return out.getvalue()


def cjpeg(*arguments):
    out = io.BytesIO()
    drawn().save(out, "PPM")
    return subprocess.run(["cjpeg", *arguments], input=out.getvalue(), capture_output=True, check=True).stdout


def segments(data):
    """(offset, marker, length) of each segment of a JPEG; scans with their data."""
    at = 2
    while data[at + 1] != 0xD9:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xDA:
            while data[end] != 0xFF or data[end + 1] == 0 or 0xD0 <= data[end + 1] <= 0xD7:
                end += 1
        yield at, data[at + 1], end - at
        at = end


def scans(data):
    return [(at, length) for at, marker, length in segments(data) if marker == 0xDA]


def flipped(data, *bits):
    data = bytearray(data)
    for at, bit in bits:
        data[at] ^= 1 << bit
    return bytes(data)


def first(predicate, candidates):
    return next(data for data in candidates if predicate(data))


def chunk(name, data, good=True):
    checksum = zlib.crc32(name + data) ^ (not good)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def png(depth=8, kind=2, interlaced=0, before=b"", after=b"", end=None, tail=b"", size=(19, 13), spoil=None):
    width, height = size
    random = np.random.RandomState(depth * 7 + kind)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for x, y, across, down in passes if interlaced else [(0, 0, 1, 1)]:
        columns, rows = -(-(width - x) // across), -(-(height - y) // down)
        line = (columns * channels * depth + 7) // 8
        for _ in range(rows):
            raw += bytes([random.randint(0, 5)]) + random.randint(0, 256, line).astype(np.uint8).tobytes()
    pixels = zlib.compress(raw + tail)
    if spoil == "checksum":
        pixels = pixels[:-1] + bytes([pixels[-1] ^ 1])
    if spoil == "end":
        pixels = pixels[:-4]
    if kind == 3:
        before = chunk(b"PLTE", random.randint(0, 256, 3 * (1 << depth)).astype(np.uint8).tobytes()) + before
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))
    half = len(pixels) // 2
    data = chunk(b"IDAT", pixels[:half]) + chunk(b"IDAT", pixels[half:])
    return b"\x89PNG\r\n\x1a\n" + header + before + data + after + (chunk(b"IEND", b"") if end is None else end)


def short_palette():
    data = png(depth=4, kind=3)
    at = data.index(b"PLTE") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    return data[:at] + chunk(b"PLTE", data[at + 8 : at + 8 + 15]) + data[at + 12 + length :]


def answer(read, data):
    try:
        pixels = read(data)
    except Exception:  # Whatever it raises, it refuses.
        return "refused"
    if pixels is None:
        return "refused"
    return f"{pixels.shape[1]}x{pixels.shape[0]} {hashlib.sha256(pixels.tobytes()).hexdigest()}"


def by_pil(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def by_opencv(data):
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if pixels is None else np.ascontiguousarray(pixels[:, :, ::-1])


def both(data):
    return answer(by_pil, data), answer(by_opencv, data)


def fixtures():
    baseline, progressive = jpeg(), jpeg(progressive=True)
    at, length = scans(baseline)[0]
    flips = [flipped(baseline, (at + 14 + byte, bit)) for byte in range(40, length - 20, 7) for bit in (1, 5)]
    agreed = [data for data in flips if "refused" not in both(data)]
    restarts = cjpeg("-restart", "1")
    restart = restarts.index(b"\xff\xd1")
    ends = [at + length for at, length in scans(progressive)]
    stuffed = baseline.index(b"\xff\x00", at + 100)
    jfif = baseline.index(b"JFIF") - 4
    exif = Image.Exif()
    exif[0x112] = 3
    upside = b"\xff\xe1" + struct.pack(">H", len(exif.tobytes()) + 2) + exif.tobytes()
    text = PngImagePlugin.PngInfo()
    text.add_text("interlace", "yes")
    labelled = io.BytesIO()
    drawn().save(labelled, "PNG", pnginfo=text)
    return {
        "sampling-1x2.jpg": cjpeg("-sample", "1x2"),
        "sampling-4x1.jpg": cjpeg("-sample", "4x1"),
        "sampling-mixed.jpg": cjpeg("-sample", "2x1,1x2,1x1"),
        "sampling-rgb.jpg": cjpeg("-rgb", "-sample", "2x2"),
        "restarts.jpg": restarts,
        "cmyk-progressive.jpg": jpeg(drawn().convert("CMYK"), progressive=True),
        "trailing-bytes.jpg": baseline + b"harmless",
        "flipped-alike.jpg": first(lambda data: len(set(both(data))) == 1, agreed),
        "flipped-apart.jpg": first(lambda data: len(set(both(data))) == 2, agreed),
        "flipped-progressive.jpg": first(
            lambda data: "refused" not in both(data),
            (flipped(progressive, (byte, 3)) for byte in range(ends[0] - 60, ends[0])),
        ),
        "wrong-restart.jpg": restarts[:restart] + b"\xff\xd5" + restarts[restart + 2 :],
        "marker-in-data.jpg": baseline[: at + 300] + b"\xff\xd9" + baseline[at + 302 :],
        "extraneous-bytes.jpg": baseline[:at] + b"\0\0\0" + baseline[at:],
        "missing-scans.jpg": progressive[: ends[4]] + b"\xff\xd9",
        "missing-component.jpg": jpeg_without_last_scan(),
        "arithmetic.jpg": cjpeg("-arithmetic"),
        "arithmetic-progressive.jpg": cjpeg("-arithmetic", "-progressive"),
        "padded-data.jpg": baseline[:stuffed] + b"\xff" + baseline[stuffed:],
        "no-end.jpg": baseline[:-2],
        "cut.jpg": baseline[: at + length // 2],
        "two-scans.jpg": baseline[:-2] + baseline[at : at + 60] + b"\xff\xd9",
        "short-jfif.jpg": baseline[:jfif] + b"\xff\xe0\x00\x06JFIF" + baseline[jfif + 18 :],
        # libjpeg does not keep a segment of an impossible length, so that OpenCV takes the next one's orientation.
        "impossible-exif.jpg": baseline[:2] + b"\xff\xe1\x00\x01Exif" + upside + baseline[2:],
        "palette-short.png": short_palette(),
        "palette-1-interlaced.png": png(depth=1, kind=3, interlaced=1),
        "palette-2.png": png(depth=2, kind=3, before=chunk(b"tRNS", b"\x10\xff\x00")),
        "grey-1.png": png(depth=1, kind=0),
        "grey-2-interlaced.png": png(depth=2, kind=0, interlaced=1),
        "grey-4.png": png(depth=4, kind=0, before=chunk(b"tRNS", b"\x00\x01")),
        "grey-alpha-interlaced.png": png(kind=4, interlaced=1),
        "rgb-alpha.png": png(kind=6),
        "rgb-16.png": png(depth=16),
        "no-end.png": png(end=b""),
        "ancillary-checksum.png": png(before=chunk(b"gAMA", b"\x00\x00\xb1\x8f", good=False)),
        "ancillary-checksum-late.png": png(after=chunk(b"tEXt", b"a\x00b", good=False)),
        "ancillary-short.png": png(before=chunk(b"pHYs", b"\x00")),
        "pixels-checksum.png": png(spoil="checksum"),
        "pixels-end.png": png(spoil="end"),
        "pixels-more.png": png(tail=b"\x00" * 58),
        "exif-byte-order.png": png(before=chunk(b"eXIf", b"MO\x00*\x00\x00\x00\x08\x00\x00")),
        "unknown-critical.png": png(before=chunk(b"ABCD", b"")),
        "animation.png": png(before=chunk(b"acTL", b"\x00\x00\x00\x01\x00\x00\x00\x00")),
        "text-interlace.png": labelled.getvalue(),
    }


def jpeg_without_last_scan():
    """Of a sequential JPEG with a scan a component."""
    script = Path("/tmp/scans-of-one-component")
    script.write_text("0;\n1;\n2;\n")
    data = cjpeg("-scans", str(script))
    script.unlink()
    at, _ = scans(data)[-1]
    return data[:at] + b"\xff\xd9"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="compare with the frozen answers, write nothing")
    arguments = arguments.parse_args()
    path = FOLDER / "answers.json"
    if arguments.check:
        frozen = json.loads(path.read_text())
        made = {name: dict(zip(("pil", "opencv"), both((FOLDER / name).read_bytes()))) for name in frozen}
        sys.exit(made != frozen)
    FOLDER.mkdir(parents=True, exist_ok=True)
    answers = {}
    for name, data in fixtures().items():
        (FOLDER / name).write_bytes(data)
        answers[name] = dict(zip(("pil", "opencv"), both(data)))
    path.write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()
