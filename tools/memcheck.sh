#!/usr/bin/env bash
# The kernels' tests under valgrind's memcheck, which sees what is read or written beyond a buffer, used after it was freed
# or used before it was written. It knows no AVX-512 and tells the program so, whose best instruction set is AVX2 then: the
# tests run on AVX2 and on the portable code. Threads take turns on one processor. Outside .ci/run, because it takes
# minutes and needs valgrind. docs/performance.md says what it covers and what was seen.
#
# usage: tools/memcheck.sh [ARGUMENT ...]      arguments of the test programs, such as a part of a test's name
# needs: valgrind (Debian: apt-get install valgrind), x86-64
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v valgrind > /dev/null; then
    echo "valgrind is not installed (Debian: apt-get install valgrind)" >&2
    exit 2
fi
# One test at a time; the tests' own threads spin for each other, so that they have to take turns fairly.
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind --quiet --error-exitcode=9 --fair-sched=yes --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite"
# Without debug assertions, as a release is, and because they would make minutes of it an hour.
exec cargo test --locked --config profile.dev.package.kernels.debug-assertions=false --package kernels --lib --tests -- \
    --test-threads=1 "$@"
