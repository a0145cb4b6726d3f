"""Makes crates/dataset/tests/fixtures/formats/: small drawn images as WebP, BMP, GIF and TIFF in the many ways such files
occur, and answers.json, what Pillow 9.5.0 and OpenCV 4.5.5 make of each: size and SHA-256 of the RGB pixels, or that they
refuse it.

Needs Pillow 9.5.0, opencv-python-headless 4.5.5.64 and numpy. Pillow writes what it can write. BMPs that are not its own,
GIFs smaller than their screen and TIFFs of rare kinds are put together here, byte by byte.
"""

import argparse
import io
import json
import struct
import sys
import zlib

import numpy as np
from PIL import Image

import layout
from make_fixtures_damaged import both, drawn

FOLDER = layout.REPOSITORY / "crates/dataset/tests/fixtures/formats"

WIDTH, HEIGHT = 33, 21


def small(width=WIDTH, height=HEIGHT):
    return drawn(width, height)


def faded(width=WIDTH, height=HEIGHT):
    """With an alpha channel: a ramp with holes."""
    image = small(width, height)
    alpha = np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))
    alpha[::5] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def noise(*shape, seed=1, top=256):
    return np.random.RandomState(seed).randint(0, top, shape)


# BMP


def bmp(bits, rows, *, header=40, compression=0, palette=b"", masks=b"", top_down=False, width=WIDTH, height=HEIGHT, colours=0):
    """`rows` are the bytes as they are stored."""
    head = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits, compression, len(rows), 0, 0,
                       colours, 0)
    if header == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    if header > 40:
        head += (masks + bytes(header))[: header - 40]
        masks = b""
    start = 14 + len(head) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + masks + palette + rows


def padded(rows):
    """Rows of bytes, each filled up to four bytes."""
    return b"".join(row + bytes(-len(row) % 4) for row in rows)


def packed(indices, bits):
    """A row of `indices`, the first in the highest bits."""
    string = "".join(f"{index:0{bits}b}" for index in indices)
    string += "0" * (-len(string) % 8)
    return bytes(int(string[at : at + 8], 2) for at in range(0, len(string), 8))


def colours(count, size=4, seed=7):
    table = noise(count, size, seed=seed).astype(np.uint8)
    if size == 4:
        table[:, 3] = 0
    return table.tobytes()


def indexed(bits, count=None, width=WIDTH, height=HEIGHT):
    return noise(height, width, seed=bits, top=count or 1 << bits)


def bmp_indexed(bits, **options):
    return bmp(bits, padded(packed(row, bits) for row in indexed(bits)), palette=colours(1 << bits), **options)


def rle8(rows, end=b"\x00\x01"):
    """Runs where pixels repeat, literal stretches elsewhere."""
    data = b""
    for row in rows:
        for at in range(0, len(row), 8):
            part = [int(value) for value in row[at : at + 8]]
            if len(part) >= 3 and at % 16:
                data += bytes([0, len(part), *part]) + bytes(len(part) % 2)
            else:
                data += b"".join(bytes([1, value]) for value in part)
        data += b"\x00\x00"
    return data[:-2] + end


def bmps():
    rgb = np.asarray(small())[::-1]
    bgr = padded(row[:, ::-1].tobytes() for row in rgb)
    bgra = np.asarray(faded())[::-1][:, :, [2, 1, 0, 3]].tobytes()
    wide = noise(HEIGHT, WIDTH, seed=5, top=1 << 16).astype("<u2")
    words = padded(row.tobytes() for row in wide)
    runs = np.repeat(indexed(8, width=9), 4, axis=1)[:, :WIDTH]
    grey = b"".join(bytes([level, level, level, 0]) for level in range(256))
    five = struct.pack("<III", 0x7C00, 0x3E0, 0x1F)
    six = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    eight = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    yield "1.bmp", bmp_indexed(1)
    yield "1-black-white.bmp", bmp(1, padded(packed(row, 1) for row in indexed(1)), palette=b"\0\0\0\0\xff\xff\xff\0")
    yield "4.bmp", bmp_indexed(4)
    yield "8.bmp", bmp_indexed(8)
    yield "8-grey.bmp", bmp(8, padded(bytes(row.astype(np.uint8)) for row in indexed(8)), palette=grey)
    yield "8-few-colours.bmp", bmp(8, padded(bytes(row.astype(np.uint8)) for row in indexed(8, 5)), palette=colours(5), colours=5)
    yield "8-short-palette.bmp", bmp(8, padded(bytes(row.astype(np.uint8)) for row in indexed(8, 9)), palette=colours(5), colours=5)
    yield "4-few-colours.bmp", bmp(4, padded(packed(row, 4) for row in indexed(4, 5)), palette=colours(5), colours=5)
    yield "4-short-palette.bmp", bmp(4, padded(packed(row, 4) for row in indexed(4, 9)), palette=colours(5), colours=5)
    yield "24.bmp", bmp(24, bgr)
    yield "24-pillow.bmp", saved(small(), "BMP")
    yield "24-top-down.bmp", bmp(24, bgr, top_down=True)
    yield "24-os2.bmp", bmp(24, bgr, header=12)
    yield "8-os2.bmp", bmp(8, padded(bytes(row.astype(np.uint8)) for row in indexed(8)), header=12, palette=colours(256, 3))
    yield "24-v4.bmp", bmp(24, bgr, header=108)
    yield "24-v5.bmp", bmp(24, bgr, header=124)
    yield "24-cut.bmp", bmp(24, bgr)[:-200]
    yield "24-trailing.bmp", bmp(24, bgr) + b"harmless"
    yield "8-top-down.bmp", bmp_indexed(8, top_down=True)
    yield "16.bmp", bmp(16, words)
    yield "16-555.bmp", bmp(16, words, compression=3, masks=five)
    yield "16-565.bmp", bmp(16, words, compression=3, masks=six)
    yield "32.bmp", bmp(32, bgra)
    yield "32-top-down.bmp", bmp(32, bgra, top_down=True)
    yield "32-opaque.bmp", bmp(32, np.asarray(small().convert("RGBA"))[::-1][:, :, [2, 1, 0, 3]].tobytes())
    yield "32-bitfields.bmp", bmp(32, bgra, compression=3, masks=eight)
    yield "32-pillow.bmp", saved(faded(), "BMP")
    yield "32-v4-alpha.bmp", bmp(32, bgra, header=108, compression=3, masks=eight + struct.pack("<I", 0xFF000000))
    yield "32-v5-alpha.bmp", bmp(32, bgra, header=124, compression=3, masks=eight + struct.pack("<I", 0xFF000000))
    yield "32-v5.bmp", bmp(32, bgra, header=124)
    yield "32-rgba-masks.bmp", bmp(32, bgra, header=108, compression=3,
                                   masks=struct.pack("<IIII", 0xFF, 0xFF00, 0xFF0000, 0xFF000000))
    yield "8-rle.bmp", bmp(8, rle8(runs), compression=1, palette=colours(256))
    yield "8-rle-no-end.bmp", bmp(8, rle8(runs, b""), compression=1, palette=colours(256))
    yield "8-rle-early-end.bmp", bmp(8, rle8(runs[: HEIGHT // 2]), compression=1, palette=colours(256))
    yield "8-rle-delta.bmp", bmp(8, b"\x05\x07\x00\x02\x04\x03" + rle8(runs[:12, :20]), compression=1, palette=colours(256))
    yield "8-rle-short-rows.bmp", bmp(8, rle8(runs[:, :20]), compression=1, palette=colours(256))
    nibbles = b"".join(bytes([WIDTH, int(value)]) + b"\x00\x00" for value in noise(HEIGHT, seed=3))
    yield "4-rle.bmp", bmp(4, nibbles[:-2] + b"\x00\x01", compression=2, palette=colours(16))


# GIF


def gif_codes(indices, bits):
    """LZW that never uses its dictionary: the table is cleared before codes would grow. Any decoder reads it."""
    clear, width = 1 << bits, bits + 1
    codes, since = [clear], 0
    for index in indices:
        if since == clear - 2:
            codes.append(clear)
            since = 0
        codes.append(int(index))
        since += 1
    codes.append(clear + 1)
    value = sum(code << (width * at) for at, code in enumerate(codes))
    data = value.to_bytes(-(-width * len(codes) // 8), "little")
    blocks = b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255))
    return bytes([bits]) + blocks + b"\x00"


def gif_frame(indices, bits, *, left=0, top=0, transparent=None, local=b"", interlaced=False, disposal=0):
    height, width = indices.shape
    control = struct.pack("<BBBBHBB", 0x21, 0xF9, 4, disposal << 2 | (transparent is not None), 5, transparent or 0, 0)
    flags = (0x80 | (len(local) // 3).bit_length() - 2 if local else 0) | interlaced << 6
    if interlaced:
        indices = np.concatenate([indices[0::8], indices[4::8], indices[2::4], indices[1::2]])
    head = struct.pack("<BHHHHB", 0x2C, left, top, width, height, flags)
    return control + head + local + gif_codes(indices.ravel(), bits)


def gif(frames, *, palette=b"", background=0, width=WIDTH, height=HEIGHT, end=b"\x3b", version=b"GIF89a"):
    flags = 0x70 | (0x80 | (len(palette) // 3).bit_length() - 2 if palette else 0)
    return version + struct.pack("<HHBBB", width, height, flags, background, 0) + palette + b"".join(frames) + end


def gifs():
    whole, part = indexed(4), indexed(4, width=20, height=11)
    sixteen = colours(16, 3)
    yield "pillow.gif", saved(small().quantize(64), "GIF")
    yield "pillow-grey.gif", saved(small().convert("L"), "GIF")
    yield "pillow-interlaced.gif", saved(small().quantize(64), "GIF", interlace=1)
    yield "pillow-transparent.gif", saved(small().quantize(16), "GIF", transparency=3)
    yield "pillow-animated.gif", saved(small().quantize(16), "GIF", save_all=True, duration=40, append_images=[
        small().rotate(90).quantize(16), small().rotate(180).quantize(16)])
    yield "pillow-1.gif", saved(small().convert("1"), "GIF")
    yield "whole.gif", gif([gif_frame(whole, 4)], palette=sixteen)
    yield "gif87.gif", gif([gif_frame(whole, 4)[8:]], palette=sixteen, version=b"GIF87a")
    yield "interlaced.gif", gif([gif_frame(whole, 4, interlaced=True)], palette=sixteen)
    yield "local.gif", gif([gif_frame(whole, 4, local=colours(16, 3, 9))], palette=sixteen)
    yield "local-only.gif", gif([gif_frame(whole, 4, local=colours(16, 3, 9))])
    yield "no-palette.gif", gif([gif_frame(whole, 4)])
    yield "transparent.gif", gif([gif_frame(whole, 4, transparent=5)], palette=sixteen)
    yield "transparent-black.gif", gif([gif_frame(whole, 4, transparent=0)], palette=bytes(3) + sixteen[3:])
    yield "short-palette.gif", gif([gif_frame(whole, 4)], palette=colours(8, 3))
    yield "short-palette-unused.gif", gif([gif_frame(whole % 8, 4)], palette=colours(8, 3))
    yield "short-palette-transparent.gif", gif([gif_frame(whole % 8, 4, transparent=12)], palette=colours(8, 3))
    yield "part.gif", gif([gif_frame(part, 4, left=7, top=5)], palette=sixteen, background=3)
    yield "part-transparent.gif", gif([gif_frame(part, 4, left=7, top=5, transparent=6)], palette=sixteen, background=3)
    yield "part-local.gif", gif([gif_frame(part, 4, left=7, top=5, local=colours(16, 3, 9))], palette=sixteen, background=3)
    yield "part-interlaced.gif", gif([gif_frame(part, 4, left=7, top=5, interlaced=True)], palette=sixteen)
    yield "outside.gif", gif([gif_frame(whole, 4, left=7, top=5)], palette=sixteen)
    yield "larger.gif", gif([gif_frame(whole, 4)], palette=sixteen, width=20, height=12)
    yield "animated.gif", gif([gif_frame(whole, 4, disposal=2), gif_frame(part, 4, left=2, top=2)], palette=sixteen)
    yield "no-trailer.gif", gif([gif_frame(whole, 4)], palette=sixteen, end=b"")
    yield "cut.gif", gif([gif_frame(whole, 4)], palette=sixteen)[:-200]
    yield "comment.gif", gif([b"\x21\xfe\x05hello\x00", gif_frame(whole, 4)], palette=sixteen)
    yield "too-few-pixels.gif", gif([gif_frame(whole, 4)[:18] + gif_codes(whole.ravel()[:300], 4)], palette=sixteen)
    yield "no-frame.gif", gif([], palette=sixteen)


# TIFF


def tiff(pixels, tags, *, order="<", parts=None, more=b""):
    """One image in strips. `tags`: number to value or values; SHORT, or LONG where it is above 65535 or an offset."""
    parts = parts or [pixels]
    tags = dict(tags)
    at = 8
    offsets = []
    for part in parts:
        offsets.append(at)
        at += len(part)
    body = b"".join(parts)
    if at % 2:
        body += b"\0"
        at += 1
    places = (324, 325) if 322 in tags else (273, 279)
    tags[places[0]] = offsets
    tags[places[1]] = [len(part) for part in parts]
    extra, entries = b"", b""
    start = at + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        values = tags[tag] if isinstance(tags[tag], (list, tuple)) else [tags[tag]]
        kind, code = (4, "I") if tag in places or max(values) > 65535 else (3, "H")
        data = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(data) > 4:
            where = struct.pack(order + "I", start + len(extra))
            extra += data + bytes(len(data) % 2)
            data = where
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", at) + body + struct.pack(order + "H", len(tags)) + entries + bytes(4) + extra + more


def tags(bits=(8, 8, 8), photometric=2, compression=1, rows=HEIGHT, width=WIDTH, height=HEIGHT, **more):
    named = {"extra": 338, "planar": 284, "predictor": 317, "orientation": 274, "sample_format": 339, "fill_order": 266,
             "tile_width": 322, "tile_height": 323, "colour_map": 320, "inks": 332}
    base = {256: width, 257: height, 258: list(bits), 259: compression, 262: photometric, 277: len(bits), 278: rows}
    base.update({named[name]: value for name, value in more.items()})
    if 322 in base:
        del base[278]
    return base


def tiles(pixels, side=16):
    height, width, channels = pixels.shape
    whole = np.zeros((-(-height // side) * side, -(-width // side) * side, channels), pixels.dtype)
    whole[:height, :width] = pixels
    return [whole[y : y + side, x : x + side].tobytes() for y in range(0, whole.shape[0], side)
            for x in range(0, whole.shape[1], side)]


def tiffs():
    rgb, rgba, grey = np.asarray(small()), np.asarray(faded()), np.asarray(small().convert("L"))
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"):
        yield f"rgb-{compression}.tif", saved(small(), "TIFF", compression=compression)
        yield f"grey-{compression}.tif", saved(small().convert("L"), "TIFF", compression=compression)
    yield "rgb-jpeg.tif", saved(small(), "TIFF", compression="jpeg")
    yield "rgb-lzma.tif", saved(small(), "TIFF", compression="lzma")
    yield "group4.tif", saved(small().convert("1"), "TIFF", compression="group4")
    yield "group3.tif", saved(small().convert("1"), "TIFF", compression="group3")
    yield "bilevel-raw.tif", saved(small().convert("1"), "TIFF")
    yield "palette.tif", saved(small().quantize(64), "TIFF")
    yield "palette-lzw.tif", saved(small().quantize(64), "TIFF", compression="tiff_lzw")
    yield "cmyk.tif", saved(small().convert("CMYK"), "TIFF")
    yield "cmyk-lzw.tif", saved(small().convert("CMYK"), "TIFF", compression="tiff_lzw")
    yield "lab.tif", saved(small().convert("LAB"), "TIFF")
    yield "rgba-pillow.tif", saved(faded(), "TIFF", compression="tiff_lzw")
    yield "grey-alpha-pillow.tif", saved(faded().convert("LA"), "TIFF")
    yield "grey-16-pillow.tif", saved(Image.fromarray(noise(HEIGHT, WIDTH, top=65536).astype(np.uint16)), "TIFF")
    yield "float.tif", saved(Image.fromarray(noise(HEIGHT, WIDTH).astype(np.float32)), "TIFF")
    yield "pages.tif", saved(small(), "TIFF", compression="tiff_lzw", save_all=True, append_images=[small().rotate(90)])
    for order, name in (("<", "little"), (">", "big")):
        yield f"rgb-{name}.tif", tiff(rgb.tobytes(), tags(), order=order)
        sixteen = noise(HEIGHT, WIDTH, 3, top=65536).astype(order + "u2")
        yield f"rgb-16-{name}.tif", tiff(sixteen.tobytes(), tags((16, 16, 16)), order=order)
        sixteen = noise(HEIGHT, WIDTH, top=65536).astype(order + "u2")
        yield f"grey-16-{name}.tif", tiff(sixteen.tobytes(), tags((16,), 1), order=order)
    yield "grey.tif", tiff(grey.tobytes(), tags((8,), 1))
    yield "grey-white-zero.tif", tiff(grey.tobytes(), tags((8,), 0))
    yield "bilevel-white-zero.tif", tiff(b"".join(packed(row, 1) for row in indexed(1)), tags((1,), 0))
    yield "bilevel.tif", tiff(b"".join(packed(row, 1) for row in indexed(1)), tags((1,), 1))
    yield "grey-4.tif", tiff(b"".join(packed(row, 4) for row in indexed(4)), tags((4,), 1))
    yield "grey-2.tif", tiff(b"".join(packed(row, 2) for row in indexed(2)), tags((2,), 1))
    yield "palette-few.tif", tiff(indexed(4).astype(np.uint8).tobytes(), tags((8,), 3, colour_map=list(noise(768, top=65536))))
    yield "rgbx.tif", tiff(rgba.tobytes(), tags((8,) * 4, extra=0))
    yield "rgba-associated.tif", tiff(rgba.tobytes(), tags((8,) * 4, extra=1))
    yield "rgba-unassociated.tif", tiff(rgba.tobytes(), tags((8,) * 4, extra=2))
    yield "rgba-unstated.tif", tiff(rgba.tobytes(), tags((8,) * 4))
    yield "rgba-lzw.tif", saved(faded(), "TIFF", compression="tiff_lzw")
    planes = [np.ascontiguousarray(rgb[:, :, channel]).tobytes() for channel in range(3)]
    yield "planar.tif", tiff(b"", tags(planar=2), parts=planes)
    yield "strips.tif", tiff(b"", tags(rows=4), parts=[rgb[y : y + 4].tobytes() for y in range(0, HEIGHT, 4)])
    yield "tiles.tif", tiff(b"", tags(tile_width=16, tile_height=16), parts=tiles(rgb))
    yield "tiles-deflate.tif", tiff(b"", tags(compression=8, tile_width=16, tile_height=16),
                                    parts=[zlib.compress(part) for part in tiles(rgb)])
    ahead = np.concatenate([rgb[:, :1], np.diff(rgb.astype(int), axis=1).astype(np.uint8)], axis=1)
    yield "predictor.tif", tiff(zlib.compress(ahead.tobytes()), tags(compression=8, predictor=2))
    yield "ycbcr.tif", tiff(np.asarray(small().convert("YCbCr")).tobytes(), tags(photometric=6))
    yield "cmyk-planar.tif", tiff(b"", tags((8,) * 4, 5, planar=2), parts=planes + [bytes(WIDTH * HEIGHT)])
    yield "turned.tif", tiff(rgb.tobytes(), tags(orientation=6))
    yield "mirrored.tif", tiff(rgb.tobytes(), tags(orientation=2))
    yield "upright.tif", tiff(rgb.tobytes(), tags(orientation=1))
    yield "signed.tif", tiff(grey.tobytes(), tags((8,), 1, sample_format=2))
    yield "fill-order.tif", tiff(b"".join(packed(row, 1) for row in indexed(1)), tags((1,), 1, fill_order=2))
    yield "fill-order-8.tif", tiff(grey.tobytes(), tags((8,), 1, fill_order=2))
    yield "cut.tif", tiff(rgb.tobytes(), tags())[: 8 + 900]
    yield "strip-missing.tif", tiff(b"", tags(rows=4), parts=[rgb[y : y + 4].tobytes() for y in range(0, HEIGHT - 8, 4)])
    yield "strip-short.tif", tiff(rgb.tobytes()[:-300], tags())
    yield "grey-alpha.tif", tiff(np.asarray(faded().convert("LA")).tobytes(), tags((8, 8), 1, extra=2))


# WebP


def webps():
    odd = small(41, 27)
    yield "lossless.webp", saved(small(), "WEBP", lossless=True)
    yield "lossless-grey.webp", saved(small().convert("L"), "WEBP", lossless=True)
    yield "lossless-few-colours.webp", saved(small().quantize(7).convert("RGB"), "WEBP", lossless=True)
    yield "lossless-two-colours.webp", saved(small().convert("1"), "WEBP", lossless=True)
    yield "lossless-alpha.webp", saved(faded(), "WEBP", lossless=True)
    yield "lossless-alpha-exact.webp", saved(faded(), "WEBP", lossless=True, exact=True)
    yield "lossless-best.webp", saved(odd, "WEBP", lossless=True, quality=100, method=6)
    yield "lossless-fast.webp", saved(odd, "WEBP", lossless=True, quality=0, method=0)
    for quality in (5, 50, 80, 95):
        yield f"lossy-{quality}.webp", saved(small(), "WEBP", quality=quality)
        yield f"lossy-odd-{quality}.webp", saved(odd, "WEBP", quality=quality, method=6)
    yield "lossy-larger.webp", saved(small(150, 97), "WEBP", quality=30)
    yield "lossy-grey.webp", saved(small().convert("L"), "WEBP", quality=70)
    yield "lossy-1x1.webp", saved(small(1, 1), "WEBP", quality=70)
    yield "lossy-2x1.webp", saved(small(2, 1), "WEBP", quality=70)
    yield "lossy-1x7.webp", saved(small(1, 7), "WEBP", quality=70)
    yield "lossy-3x2.webp", saved(small(3, 2), "WEBP", quality=70)
    yield "lossy-alpha.webp", saved(faded(), "WEBP", quality=60)
    yield "lossy-alpha-exact.webp", saved(faded(), "WEBP", quality=60, exact=True)
    yield "lossy-alpha-raw.webp", saved(faded(), "WEBP", quality=60, alpha_quality=10)
    exif = Image.Exif()
    exif[0x112] = 6
    yield "exif.webp", saved(small(), "WEBP", quality=60, exif=exif)
    yield "icc.webp", saved(small(), "WEBP", quality=60, icc_profile=b"not a profile")
    turned = [small().rotate(90), small().rotate(180)]
    yield "animated.webp", saved(small(), "WEBP", save_all=True, append_images=turned, quality=60)
    yield "animated-lossless.webp", saved(faded(), "WEBP", save_all=True, append_images=[faded().rotate(90)], lossless=True)
    yield "cut.webp", saved(small(), "WEBP", quality=80)[:-150]
    yield "cut-lossless.webp", saved(small(), "WEBP", lossless=True)[:-150]
    yield "trailing.webp", saved(small(), "WEBP", quality=80) + b"harmless"


def fixtures():
    for kind in (webps, bmps, gifs, tiffs):
        yield from kind()


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
    for name, data in fixtures():
        (FOLDER / name).write_bytes(data)
        answers[name] = dict(zip(("pil", "opencv"), both(data)))
    path.write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()
