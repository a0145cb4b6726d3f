#!/usr/bin/env bash
# Long runs of the fuzz targets, one after the other at low priority. Files with which something is wrong are kept; the
# exit code is then 1.
#
#   tools/fuzz.sh [TARGET ...]            a million cases of each target
#   tools/fuzz.sh --guided [TARGET ...]   libFuzzer, guided by coverage (needs a C++ compiler; no nightly toolchain)
#   tools/fuzz.sh --list                  the targets
#
# CASES, SEED and SECONDS_EACH say how many, which, and how long at most for each target (600); FOUND and CORPUS where
# files are kept (fuzz/found, fuzz/guided/corpus). NETWORKS=0 leaves out what needs Burn, which builds in a minute.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

guided=0
if [ "${1:-}" = --guided ]; then
    guided=1
    shift
fi
features=()
guided_features=(--features networks)
if [ "${NETWORKS:-1}" = 0 ]; then
    features=(--no-default-features)
    guided_features=()
fi
found=${FOUND:-fuzz/found}
seconds=${SECONDS_EACH:-600}

cargo build --package fuzz "${features[@]}"
fuzz=${CARGO_TARGET_DIR:-target}/debug/fuzz
if [ "${1:-}" = --list ]; then
    exec "$fuzz" --list
fi
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <("$fuzz" --list | cut -d' ' -f1)
fi

failed=0
if [ "$guided" = 0 ]; then
    for target in "${targets[@]}"; do
        nice -n 15 "$fuzz" --target "$target" --cases "${CASES:-1000000}" --seed "${SEED:-1}" --seconds "$seconds" \
            --found "$found" || failed=1
    done
    exit "$failed"
fi

# What `cargo fuzz` passes, but for the sanitizers, which only a nightly compiler has. Our safe code needs them least.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Ccodegen-units=1"
host=$(rustc -vV | sed -n 's/^host: //p')
build=${GUIDED_TARGET_DIR:-fuzz/guided/target}
# With a target named, flags reach neither build scripts nor procedural macros.
RUSTFLAGS="${RUSTFLAGS:-} $coverage" nice -n 15 cargo build --manifest-path fuzz/guided/Cargo.toml --target "$host" \
    --target-dir "$build" "${guided_features[@]}"
for target in "${targets[@]}"; do
    corpus=${CORPUS:-fuzz/guided/corpus}/$target
    mkdir -p "$corpus" "$found"
    "$fuzz" --target "$target" --write-seeds "$corpus"
    echo "== $target"
    # A fault ends libFuzzer; with that one known, it goes on for what is left of the time.
    until_time=$(($(date +%s) + seconds))
    log=$(mktemp)
    while left=$((until_time - $(date +%s))) && [ "$left" -gt 0 ]; do
        code=0
        FUZZ_TARGET=$target FUZZ_KNOWN=$found/known nice -n 15 "$build/$host/debug/guided" "$corpus" -max_total_time="$left" \
            -timeout=60 -max_len=1000000 -rss_limit_mb=6000 -print_final_stats=1 \
            -artifact_prefix="$found/$target-guided-" > "$log" 2>&1 || code=$?
        # When coverage last grew, and by how much it did; then what was found.
        grep -E '(NEW|REDUCE|DONE) ' "$log" | awk '$4 != cov { cov = $4; last = $0 } { end = $0 } END { print "grew last: " last; print "end:       " end }'
        grep -E "^fault: |^SUMMARY|stat::number_of_executed_units" "$log" || true
        [ "$code" = 0 ] && break
        failed=1
    done
    rm -f "$log"
    rm -rf /dev/shm/fuzz-guided-*
done
exit "$failed"
