#!/usr/bin/env bash
# Installs, builds and runs all tests, then those of the modules without libtorch again with sanitizers,
# and each fuzzer for some seconds, with the same seed each time. Arguments go to ctest, and leave out
# sanitizers and fuzzers, which have scripts of their own (tests/sanitize/run.sh, tests/fuzz/run.sh).
# Example: scripts/test.sh -L unit
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# With a CUDA compiler the program for GPUs is built too, in CI for the oldest and the newest kind
# of GPU only.
cuda=()
if [ -n "$nvcc" ]; then
  cuda=(-DKNNSEQ_CUDA=ON -DCMAKE_CUDA_COMPILER="$nvcc")
  [ -z "${CI:-}" ] || cuda+=("-DCMAKE_CUDA_ARCHITECTURES=75-real;90")
fi
"$top/scripts/install_deps.sh" --tests ${nvcc:+--cuda}
# Warnings are errors in CI only: a user's newer compiler may have new ones. Debian's own Python is the
# one that NumPy was installed for, whatever other comes first on the path.
step "build" build_knnseq -DKNNSEQ_TESTS=ON -DKNNSEQ_WERROR="${CI:-OFF}" \
  -DPython3_EXECUTABLE=/usr/bin/python3 "${cuda[@]}"
ctest --test-dir "$build" --output-on-failure -j "$(nproc)" "$@"
if [ $# = 0 ]; then
  "$top/tests/sanitize/run.sh" address --without-libtorch
  "$top/tests/sanitize/run.sh" thread --without-libtorch
  "$top/tests/fuzz/run.sh" 3 1
fi
