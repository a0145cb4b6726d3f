#!/usr/bin/env bash
# Parity of Burn's wgpu device where there is no GPU: on Mesa's software device (lavapipe), by the feature `wgpu` (WGSL).
# Outside .ci/run, because Burn's wgpu takes ten to twenty minutes to build on two cores. docs/performance.md says what was
# seen.
#
# usage: tools/wgpu-parity.sh [ID_OR_GLOB ...]      default: timm/xception; a network takes minutes
# needs: Debian's mesa-vulkan-drivers, or any other Vulkan driver with a software device
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

driver=$(find /usr/share/vulkan/icd.d -name 'lvp_icd*.json' 2>/dev/null | head -n 1)
if [ -z "$driver" ]; then
  echo "no software Vulkan device found below /usr/share/vulkan/icd.d; install it (Debian: apt-get install mesa-vulkan-drivers)" >&2
  exit 2
fi
# Only this one, so that a GPU that is there as well does not answer in its place.
export VK_DRIVER_FILES="$driver" VK_ICD_FILENAMES="$driver"
# The loader asks for it on behalf of windows, which there are none of.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"
[ $# -gt 0 ] || set -- timm/xception
exec cargo xtask parity --device wgpu "$@"
