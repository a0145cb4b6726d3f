"""Parquet files as Hugging Face's `datasets` and pyarrow write them, from the sample's smallest images.

    pip install datasets==5.2.0 pyarrow==26.0.1 pillow
    python make_fixtures_parquet.py

Writes into crates/dataset/tests/fixtures/parquet:

- `hub/data`: two shards of a validation split, one of a train split, as the hub has them: the Image feature, a ClassLabel
  of 1,000 names, row groups of two rows, Snappy, a dictionary page.
- `wnids.parquet`: a ClassLabel whose names are the WNIDs of three classes.
- `three.parquet`: a ClassLabel of three names of another data set.
- `plain.parquet`: bytes in a column `jpg`, 32-bit labels under `cls`, no names, gzip, data pages of version 2, all in one row
  group whose pages hold one image each.
- `test.parquet`: labels of -1, as in a test split.
- `paths.parquet`: only a path in each row, no bytes.
- `damaged.parquet`: an image cut in half, one of zero bytes, a text, and a whole one.
- `zstd.parquet`: a compression that is not built in.
"""

import csv
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset, Features, Image, Value

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "crates/dataset/tests/fixtures/parquet"
SAMPLE = ROOT / "datasets/sample"
LABELS = ROOT / "datasets/labels"

synsets = list(csv.DictReader(open(LABELS / "synsets.csv", encoding="utf-8"), fieldnames=["index", "wnid", "name"]))[1:]
wnids = [row["wnid"] for row in synsets]
# `datasets` wants names that differ, and two classes are cranes.
names = [f"{row['name']} ({row['wnid']})" for row in synsets]
val = [int(line) for line in open(LABELS / "val_labels.txt", encoding="utf-8")]
images = [(SAMPLE / f"sample_000000{n:02}.JPEG").read_bytes() for n in (7, 8, 13, 18, 6)]


def hub_name(number):
    return f"ILSVRC2012_val_{number:08}_{wnids[val[number - 1]]}.JPEG"


def table(rows, class_names):
    features = Features({"image": Image(), "label": ClassLabel(names=class_names)})
    return Dataset.from_dict({"image": [r[0] for r in rows], "label": [r[1] for r in rows]}, features=features)


# The hub's order is not that of the numbers.
rows = [({"bytes": images[i], "path": hub_name(n)}, val[n - 1]) for i, n in enumerate((5, 3, 1, 4, 2))]
data = OUT / "hub/data"
data.mkdir(parents=True, exist_ok=True)
table(rows[:3], names).to_parquet(data / "validation-00000-of-00002.parquet", batch_size=2)
table(rows[3:], names).to_parquet(data / "validation-00001-of-00002.parquet", batch_size=2)
table([({"bytes": images[0], "path": "n01440764_10026.JPEG"}, 0)], names[:1]).to_parquet(data / "train-00000-of-00001.parquet")

few = [({"bytes": images[i], "path": f"{i}.jpg"}, i) for i in range(2)]
table(few, [wnids[999], wnids[0], wnids[7]]).to_parquet(OUT / "wnids.parquet")
table(few, ["cat", "dog", "bird"]).to_parquet(OUT / "three.parquet")

plain = pa.table({"cls": pa.array([1, 2, 3, 4, 5], pa.int32()), "jpg": pa.array(images, pa.binary())})
pq.write_table(plain, OUT / "plain.parquet", compression="gzip", data_page_size=1, write_batch_size=1,
               use_dictionary=False, data_page_version="2.0")

features = Features({"image": Image(), "label": Value("int64")})
test = Dataset.from_dict({"image": [few[0][0], few[1][0]], "label": [-1, -1]}, features=features)
test.to_parquet(OUT / "test.parquet")
image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
paths = pa.table({"image": pa.array([{"bytes": None, "path": "a.jpg"}], image), "label": pa.array([3])})
pq.write_table(paths, OUT / "paths.parquet")
bad = {"image": [images[3][: len(images[3]) // 2], b"", b"not an image", images[0]], "label": [0, 1, 2, 3]}
pq.write_table(pa.table(bad), OUT / "damaged.parquet")
pq.write_table(plain.slice(0, 1), OUT / "zstd.parquet", compression="zstd")
