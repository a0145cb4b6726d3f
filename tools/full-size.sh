#!/usr/bin/env bash
# Goes the whole road at full size once: 50,000 drawn pictures named as the validation set's, two narrow networks, from `dataset check` to
# `score`; a run killed with -9 at image 30,000 goes on, eight shards are merged, and both have to give the bytes of one run in one piece.
# Measures time by part, images/s, memory and the report's size. Outside .ci/run: it takes some ten minutes of two processors and 4.5 GB of
# disk. docs/full-size.md has what was measured.
#
# usage: [COUNT=N] [OURS=FILE] [DRAWER=FILE] [OUT=DIR] [KEEP=1] tools/full-size.sh
#        COUNT=N       so many pictures instead of 50,000, for a try: accuracies are not comparable then, and there is no sample
#        OURS=FILE     a program that was built before, instead of building one
#        DRAWER=FILE   a built example `drawn_set` of crates/dataset, instead of building one
#        OUT=DIR       where everything goes (target/full-size), an empty folder or that of a run before, whose pictures are not drawn again
#        KEEP=1        the pictures stay when all is as expected; without it they are deleted, and the runs stay
# needs: GNU time
# exit code: 0 when everything is as expected, 1 when something differs, 2 when something is missing
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

val_images=50000
count=${COUNT:-$val_images}
shards=8
sample=1000
networks=(mobilenet_v3 efficientnet_b0)
recipe=resize=short:73,filter=pil-bilinear,crop=64,mean=imagenet,std=imagenet
# What the card documents: top-1 and top-5 of each network on the 50,000 pictures, and its FLOPs and parameters.
documented=(
  "0.076 0.500 0.000289 0.073833"
  "0.082 0.542 0.000362 0.051147"
)
# SHA-256 of the digests of the 50,000 pictures. Other pictures have other accuracies.
pictures=6149d29ec88c4d0dba39c79256e41097070198bb27a9a5fc8fd6e4b202f97cf0

fail() {
  echo "$1" >&2
  exit "${2:-1}"
}
[[ "$count" =~ ^[0-9]+$ && "$count" -ge $((10 * shards)) && "$count" -le "$val_images" ]] \
  || fail "COUNT is $count, and has to be from $((10 * shards)) to $val_images" 2
gnu_time=$(type -P time) || fail "there is no GNU time (Debian: apt-get install time)" 2
[ -n "${OURS:-}" ] || cargo build --release --package xtask
[ -n "${DRAWER:-}" ] || cargo build --release --package dataset --example drawn_set
built=${CARGO_TARGET_DIR:-target}
program=$(realpath "${OURS:-$built/release/xtask}")
drawer=$(realpath "${DRAWER:-$built/release/examples/drawn_set}")
onnx=$(realpath crates/models/tests/fixtures/onnx)
out=$(realpath -m "${OUT:-$built/full-size}")
[ ! -e "$out" ] || [ -e "$out/.full-size" ] || [ -z "$(ls -A "$out")" ] \
  || fail "$out holds something else, and files there are deleted: give another folder as OUT" 2
mkdir -p "$out"
cd "$out"
touch .full-size
rm -rf card whole before resumed merged part-* other prepared sampled refuted scored figures.tsv -- *.log *.csv
echo "two processors are meant; here are $(nproc), with a load of $(cut -d' ' -f1-3 /proc/loadavg)"

# ---- what every step does

# Runs a command, says how long it took, and keeps that with its peak memory. The exit code has to be the one that is expected.
step() {
  local name=$1 expected=$2 code=0
  shift 2
  "$gnu_time" -q -o "$name.time" -f '%e %U %S %M' "$@" > "$name.log" 2>&1 || code=$?
  awk -v OFS='\t' -v name="$name" '{ print name, $1, $2 + $3, $4 / 1024 }' "$name.time" >> figures.tsv
  rm "$name.time"
  printf '%-12s %s\n' "$name" "$(tail -n 1 figures.tsv | awk -F'\t' '{ printf "%8.1f s, %8.1f s of processors, peak %4.0f MiB", $2, $3, $4 }')"
  [ "$code" -eq "$expected" ] || { tail -n 40 "$name.log" >&2; fail "$name: exit code $code, not $expected"; }
}
says() { grep -qF -- "$2" "$1.log" || { tail -n 40 "$1.log" >&2; fail "$1 does not say: $2"; }; }
evaluating=("$program" eval --card card/card.toml --data images --offline)
log_of() { echo "$1/predictions/onnx-$2.csv"; }
# results.csv without its two columns of times.
untimed() { awk -F, -v OFS=, '{ $(NF-2) = ""; $(NF-1) = ""; print }' "$1/results.csv"; }
# Everything of a run that says what was found is that of the whole one, byte for byte.
same() {
  local file
  for file in digests.csv claims.csv {predictions,confidences}/onnx-{mobilenet_v3,efficientnet_b0}.csv; do
    cmp "whole/$file" "$1/$file" >&2 || fail "$1/$file is not that of the run in one piece"
  done
  diff <(untimed whole) <(untimed "$1") >&2 || fail "$1/results.csv is not that of the run in one piece"
}
# Top-1 and top-5 hits, counted here from a prediction log.
hits() { awk -F, 'NR > 1 { one += $3 == $2; for (k = 3; k <= 7; k++) five += $k == $2 } END { print one + 0, five + 0 }' "$(log_of "$1" "$2")"; }
# Images, errors and hits, as results.csv says.
said() { sed -n "s#^onnx/$2,.*\",sha256:[0-9a-f]*,flex,\([0-9]*\),\([0-9]*\),\([0-9]*\),\([0-9]*\),.*#\1 \2 \3 \4#p" "$1/results.csv"; }
counted() {
  local network
  for network in "${networks[@]}"; do
    [ "$(said "$1" "$network")" = "$2 0 $(hits "$1" "$network")" ] \
      || fail "$1: results.csv says of $network '$(said "$1" "$network")' (images, errors, top-1 and top-5 hits); its log has $(hits "$1" "$network")"
  done
}
# A card of the networks: with the accuracies that are documented, or with those given.
card() {
  local file=$1 index top1 top5 flops params
  printf '[card]\nname = "%s"\naccuracy_tolerance_pp = 0.01\n' "$(basename "$file" .toml)" > "$file"
  for index in "${!networks[@]}"; do
    read -r top1 top5 flops params <<< "${documented[index]}"
    cat >> "$file" <<TOML

[[rows]]
onnx = "${networks[index]}.onnx"
recipe = "$recipe"
top1_pct = "${2:-$top1}"
top5_pct = "${3:-$top5}"
flops_g = { figure = "$flops", rule = "flops" }
params_m = { figure = "$params", rule = "thop" }
TOML
  done
}

# ---- the steps

[ "$(cat images.drawn 2>/dev/null)" = "$count" ] || {
  rm -rf images images.drawn
  step draw 0 "$drawer" images "$count"
  echo "$count" > images.drawn
}
mkdir card
for network in "${networks[@]}"; do cp "$onnx/$network.onnx" card/; done
card card/card.toml
card card/wrong.toml 71.000 90.000

complete=$((count < val_images))
step check "$complete" "$program" dataset check images --complete --write-digests digests.csv
says check "decoded      $count of $count"
says check "agrees with the known labels of $count validation files"
says check "no two files have the same content"
[ "$count" -lt "$val_images" ] || [ "$(sha256sum < digests.csv)" = "$pictures  -" ] \
  || fail "the pictures are not those whose accuracies the card documents: $(sha256sum < digests.csv)"

step plan 0 "${evaluating[@]}" --out whole --plan
step whole 0 "${evaluating[@]}" --out whole
counted whole "$count"
verdict=$([ "$count" -lt "$val_images" ] && echo "not comparable" || echo reproduced)
[ "$(grep -cE "(top1|top5)_pct,.*,$verdict," whole/claims.csv)" = 4 ] || fail "not every accuracy is $verdict: $(cat whole/claims.csv)"
[ "$(grep -cE "(flops_g|params_m),.*,reproduced," whole/claims.csv)" = 4 ] || fail "not all FLOPs and parameters are reproduced: $(cat whole/claims.csv)"
cut -d, -f1 "$(log_of whole mobilenet_v3)" | cmp - <(cut -d, -f1 digests.csv) >&2 || fail "the log is not in the data set's order"
cmp digests.csv whole/digests.csv >&2 || fail "the run read other bytes than dataset check"
images=$(grep -o '<img ' whole/report.html | wc -l)
[ "$images" -gt 0 ] && [ "$images" -le 20 ] || fail "report.html has $images thumbnails"
[ "$(wc -c < whole/report.html)" -lt 1000000 ] || fail "report.html has $(wc -c < whole/report.html) bytes"

cp -r whole before
step again 0 "${evaluating[@]}" --out whole
diff -r -x .lock before whole >&2 || fail "a finished run that is given again changes"
rm -rf before

kill_at=$((count * 3 / 5))
"${evaluating[@]}" --out resumed > killed.log 2>&1 &
process=$!
rows() { cat "$(log_of resumed mobilenet_v3)" 2>/dev/null | wc -l; }
until [ "$(rows)" -gt "$kill_at" ]; do
  kill -0 "$process" 2>/dev/null || fail "the run ended before image $kill_at: $(tail -n 5 killed.log)"
  sleep 0.02
done
kill -KILL "$process"
wait "$process" 2>/dev/null || true
killed=$(rows)
step resumed 0 "${evaluating[@]}" --out resumed
says resumed "Going on after"
grep 'Going on' resumed.log
[ "$killed" -lt "$count" ] || fail "it was killed after its last image"
same resumed

for shard in $(seq "$shards"); do
  step "shard-$shard" 0 "${evaluating[@]}" --out "part-$shard" --shard "$shard/$shards"
done
step merge 0 "$program" merge part-* --card card/card.toml --out merged --data images
same merged
[ "$(grep -o '<img ' merged/report.html | wc -l)" = "$images" ] || fail "the merged report has other thumbnails"
rm -rf part-*

step judged 0 "$program" compare whole --card card/card.toml
step contradicted "$((count == val_images))" "$program" compare whole --card card/wrong.toml
step equal 0 "$program" compare whole --against resumed --flips flips.csv
[ "$(wc -l < flips.csv)" = 1 ] || fail "the run that was killed has other hits"
step other 0 "$program" eval --onnx card --recipe "${recipe/pil-bilinear/pil-nearest}" --data images --offline --out other
step flips 0 "$program" compare whole --against other --flips flips.csv --tolerance 100
step score 0 "$program" score "$(log_of whole mobilenet_v3)" --out scored
read -r top1 top5 <<< "$(hits whole mobilenet_v3)"
says score "($top1/$count"
says score "($top5/$count"

step prepare 0 "$program" prepare --recipe "$recipe" --data images --values u8 --format raw --out prepared
step manifest 0 "$program" score "$(log_of whole mobilenet_v3)" --manifest prepared
says manifest "($top1/$count"
rm -rf prepared

if [ "$count" -eq "$val_images" ]; then
  step sampled 0 "${evaluating[@]}" --out sampled --sample "$sample"
  counted sampled "$sample"
  says sampled "sample $sample:0 of $val_images"
  step refuted 1 "$program" eval --card card/wrong.toml --data images --offline --out refuted --until decided
  says refuted "not reproduced"
fi

# ---- what was measured

second() { awk -F'\t' -v name="$1" '$1 == name { print $2 }' figures.tsv; }
network=$(sed -n 's/.*,\([0-9.]*\),[0-9.]*,[a-z ]*$/\1/p' whole/results.csv | awk '{ sum += $1 } END { print sum }')
rate=$(sed -n 's/.* images in .*(\([0-9.]*\) images\/s)$/\1/p' whole.log)
awk -v wall="$(second whole)" -v check="$(second check)" -v plan="$(second plan)" -v again="$(second again)" -v network="$network" -v rate="$rate" -v count="$count" '
  BEGIN {
    loop = count / rate
    printf "dataset check  %8.1f s, %.0f images/s\n", check, count / check
    printf "eval           %8.1f s, %.0f images/s; of them\n", wall, count / wall
    printf "  start        %8.1f s (--plan)\n", plan
    printf "  images       %8.1f s, %.0f images/s: %.1f s networks, %.1f s reading, decoding, crops and logs\n", loop, rate, network, loop - network
    printf "  the end      %8.1f s: logs in order, reports (a finished run that is given again: %.1f s)\n", wall - loop - plan, again
  }'
echo "report.html    $(wc -c < whole/report.html) bytes, $images thumbnails; report.md $(wc -c < whole/report.md), run.json $(wc -c < whole/run.json) bytes"
echo "the run was killed after $((killed - 1)) images; $(($(wc -l < flips.csv) - 1)) flips of two recipes are listed"
echo "pictures       $(du -sb images | cut -f1) bytes, load $(cut -d' ' -f1-3 /proc/loadavg)"
[ "${KEEP:-}" = 1 ] || rm -rf images images.drawn
echo "everything is as expected"
