#!/usr/bin/env bash
# The kernels' tests on NEON where there is no ARM machine: cross-compiled, and run by qemu's user emulation. Outside
# .ci/run, because it needs a cross-compiler and an emulator. docs/performance.md says what was seen. An emulator says
# whether the numbers are right, not how fast they come.
#
# usage: tools/neon.sh [ARGUMENT ...]      arguments of `cargo test`; default: --package kernels
# needs: the target, by `rustup target add aarch64-unknown-linux-gnu`, or a Debian (trixie or later) whose own cargo and
#        libstd-rust-dev:arm64 are installed; and Debian's gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=aarch64-unknown-linux-gnu
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; then
  echo "rustc has no library for $target; add it: rustup target add $target" >&2
  exit 2
fi
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
  if ! command -v "$tool" > /dev/null; then
    echo "$tool is not installed (Debian: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)" >&2
    exit 2
  fi
done
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
[ $# -gt 0 ] || set -- --package kernels
exec cargo test --locked --target "$target" "$@"
