#!/usr/bin/env bash
# Kills an evaluation (SIGKILL) at random moments, a hundred times by default, lets it go on each time, and compares what
# is left with an evaluation that nobody disturbed: no image may be lost, no figure may change. Takes about
# five minutes on two cores.
#
#   tools/fault-injection.sh [KILLS] [SEED]
#
# XTASK names another program than target/release/xtask, IMAGES another number of the sample's images.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kills=${1:-100}
RANDOM=${2:-1}
xtask=${XTASK:-target/release/xtask}
[ -x "$xtask" ] || cargo build --release --package xtask
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# For a subshell: it becomes the program, so that its process number is the program's.
evaluate() { exec "$xtask" eval --model timm/xception --limit "${IMAGES:-24}" --batch 2 --out "$1" >/dev/null 2>&1; }
# results.csv without its two columns of times.
untimed() { awk -F, -v OFS=, '{ $(NF-2) = ""; $(NF-1) = ""; print }' "$1/results.csv"; }
predictions() { sort "$1/predictions/timm-xception.csv"; }

started=$(date +%s%N)
(evaluate "$work/whole")
whole_ms=$((($(date +%s%N) - started) / 1000000))
echo "an evaluation takes $whole_ms ms; $kills kills follow"

done_kills=0
rounds=0
while [ "$done_kills" -lt "$kills" ]; do
    rounds=$((rounds + 1))
    run="$work/run-$rounds"
    while :; do
        evaluate "$run" &
        process=$!
        if [ "$done_kills" -lt "$kills" ]; then
            # From the first instruction to a third of an evaluation.
            sleep "$(awk -v ms=$((RANDOM * whole_ms / 32768 / 3)) 'BEGIN { print ms / 1000 }')"
            kill -KILL "$process" 2>/dev/null || true
        fi
        code=0
        wait "$process" 2>/dev/null || code=$?
        case $code in
            0) break ;;
            137) done_kills=$((done_kills + 1)) ;;
            *) echo "an evaluation ended with $code in round $rounds"; exit 1 ;;
        esac
    done
    diff <(untimed "$work/whole") <(untimed "$run") || { echo "figures changed in round $rounds"; exit 1; }
    diff <(predictions "$work/whole" | cut -d, -f1-7,13) <(predictions "$run" | cut -d, -f1-7,13) ||
        { echo "predictions changed in round $rounds"; exit 1; }
    rm -rf "$run"
done
echo "$done_kills kills in $rounds evaluations: every image is there once, and no figure changed"
