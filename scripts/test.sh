#!/usr/bin/env bash
# Installs, builds and runs all tests. Arguments go to ctest, for example: scripts/test.sh -L unit
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

"$top/scripts/install_deps.sh"
step "build" build_knnseq -DKNNSEQ_WERROR=ON
ctest --test-dir "$build" --output-on-failure "$@"
