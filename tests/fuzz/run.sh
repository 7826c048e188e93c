#!/usr/bin/env bash
# Builds the fuzzers (clang) and runs each for some seconds, one after another; exit 1 if one
# found something. Inputs that crash are left in build-fuzz/found, new ones in build-fuzz/corpus.
#
#     tests/fuzz/run.sh [SECONDS] [SEED]     # 600 each; without a seed, another one each time
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/environment.sh"
seconds=${1:-600}
seed=${2:-0}
build=$top/build-fuzz
logs=$build/logs
found=$build/found

step "build" build_knnseq -DKNNSEQ_FUZZ=ON -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++
mkdir -p "$found"
failed=0
for program in "$build"/bin/fuzz_*; do
  name=${program##*/fuzz_}
  step "fuzz $name" "$program" -max_total_time="$seconds" -seed="$seed" -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 -artifact_prefix="$found/$name-" \
    "$build/corpus/$name" "$top/tests/fuzz/corpus/$name" || failed=1
done
exit "$failed"
