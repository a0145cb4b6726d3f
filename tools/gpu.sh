#!/usr/bin/env bash
# What only a GPU can show, in one go: parity of every network on it, what f16 and bf16 move, images/s beside PyTorch.
# Outside .ci/run: Burn's GPU backends take ten to twenty minutes to build on two cores, and CI has no GPU.
#
# usage: tools/gpu.sh wgpu|vulkan|cuda [ID ...]      default: every model of the catalog
#        OUT=DIR     where the runs, their comparisons and the report go; default: target/gpu
#        BATCH=N     images at once; default: 64
#        PEERS=DIR   what tools/reference/peers.py calls WORK (tools/reference/README.md says how to fill it): more images
#                    than the embedded sample has, and PyTorch; default: target/peers
#        OURS=FILE   a program that was built with this device elsewhere, where the GPU's machine has no Rust; nothing is built
# exit code: 0 when parity holds in f32 for every network; 1 when it does not, after everything else has run; 2 when
#            something fails
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1:-}" in
  wgpu | vulkan | cuda) device=$1 ;;
  *)
    sed -n '5,13s/^# \{0,1\}//p' tools/gpu.sh >&2
    exit 2
    ;;
esac
shift
[ $# -gt 0 ] || mapfile -t ids < <(sed -n 's/^id = "\(.*\)"$/\1/p' datasets/catalog.toml)
[ $# -eq 0 ] || ids=("$@")
out=${OUT:-target/gpu} batch=${BATCH:-64} peers=${PEERS:-target/peers}
mkdir -p "$out"

ours=${OURS:-${CARGO_TARGET_DIR:-target}/release/xtask}
[ -n "${OURS:-}" ] || cargo build --release --package xtask --features "$device"

# Runs a command whose exit code 1 says that something differs, and keeps what it prints in a file.
differs=0
keep() { # FILE COMMAND...
  differs=0
  "${@:2}" | tee "$out/$1" || differs=$?
  [ "$differs" -le 1 ] || return "$differs"
}

echo "== parity in f32: has to hold"
keep parity-f32.txt "$ours" parity --device "$device" "${ids[@]}"
held=$differs

dtypes=(f32)
for dtype in f16 bf16; do
  echo "== parity in $dtype: not expected to hold; says how far off it is"
  if keep "parity-$dtype.txt" "$ours" parity --device "$device" --dtype "$dtype" "${ids[@]}"; then
    dtypes+=("$dtype")
  else
    echo "   the device has no $dtype, or it failed: left out from here on"
  fi
done

echo "== flips: the CPU in f32 against $device in ${dtypes[*]}"
evaluated=() measured=()
for id in "${ids[@]}"; do
  if [ ! -d "$peers/images" ]; then
    evaluated+=(--model "$id")
    continue
  fi
  weights=$(find "$peers" -maxdepth 1 -name "${id//\//-}.*" ! -name '*.onnx' | head -n 1)
  if [ -n "$weights" ]; then
    evaluated+=(--model "$id" --weights "$id=$weights")
    measured+=("$id")
  else
    echo "   no weights of $id in $peers: left out"
  fi
done
if [ "${#evaluated[@]}" -eq 0 ]; then
  echo "$peers has images, but no weights of these models: fill it, or give another PEERS" >&2
  exit 2
fi
[ ! -d "$peers/images" ] || evaluated+=(--data "$peers/images")
keep run-flex.txt "$ours" eval "${evaluated[@]}" --out "$out/flex" --fresh --offline
for dtype in "${dtypes[@]}"; do
  keep "run-$dtype.txt" "$ours" eval "${evaluated[@]}" --out "$out/$dtype" --fresh --offline \
    --device "$device" --dtype "$dtype" --batch "$batch"
  keep "flips-$dtype.txt" "$ours" compare "$out/$dtype" --against "$out/flex"
done

python=$peers/venv/torch/bin/python
images=$(find "$peers/images" -name '*.JPEG' 2> /dev/null | wc -l)
if [ ! -x "$python" ]; then
  echo "== no $python: images/s beside PyTorch are left out"
elif [ "$images" -lt "$batch" ]; then
  echo "== $images images in $peers/images are less than a batch of $batch: images/s beside PyTorch are left out"
else
  echo "== images/s beside PyTorch"
  options=()
  for id in "${measured[@]}"; do options+=(--network "$id"); done
  for dtype in "${dtypes[@]}"; do options+=(--dtype "$dtype"); done
  "$python" tools/reference/peers.py measure --only device --device "$device" --batch "$batch" --work "$peers" \
    --images $((images / batch * batch)) --ours "$ours" --json "$out/performance.json" \
    --report "$out/performance.md" --fresh "${options[@]}"
fi
exit "$held"
