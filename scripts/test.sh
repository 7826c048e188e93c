#!/usr/bin/env bash
# Installs, builds and runs all tests, then those of the modules without libtorch again with sanitizers,
# and each fuzzer for some seconds, with the same seed each time. Arguments go to ctest, and leave out
# sanitizers and fuzzers, which have scripts of their own (tests/sanitize/run.sh, tests/fuzz/run.sh).
# Example: scripts/test.sh -L unit
#
# scripts/test.sh --full does what takes hours: all cases of tests that otherwise take some of them, the page
# in a browser, sanitizers with libtorch, 200 kills, each fuzzer for ten minutes, and Debian 13 from nothing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [ "${1:-}" = --full ]; then
  shift
  export KNNSEQ_FULL=1
fi

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
# One more than there are cores: tests of several ranks wait for each other.
ctest --test-dir "$build" --output-on-failure -j "$(($(nproc) + 1))" "$@"
if [ -n "${KNNSEQ_FULL:-}" ]; then
  "$top/tests/sanitize/run.sh" address
  "$top/tests/sanitize/run.sh" thread
  step "200 kills" "$top/tests/fault/run.sh"
  "$top/tests/fuzz/run.sh" 600
  "$top/tests/roots/run.sh" trixie
elif [ $# = 0 ]; then
  "$top/tests/sanitize/run.sh" address --without-libtorch
  "$top/tests/sanitize/run.sh" thread --without-libtorch
  "$top/tests/fuzz/run.sh" 3 1
fi
