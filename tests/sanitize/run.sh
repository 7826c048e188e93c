#!/usr/bin/env bash
# Builds the unit and MPI tests with sanitizers and runs them; exit 1 if one found something.
#
#     tests/sanitize/run.sh [address|thread] [--without-libtorch]
#
# address   AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer; all unit and MPI tests
# thread    ThreadSanitizer; what has threads of its own: the watchdog beside MPI calls, the lock's signs
#           of life, and export
# --without-libtorch   only the modules that need neither libtorch nor faiss: some minutes
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/environment.sh"

kind=${1:-address}
libtorch=ON
suffix=
if [ "${2:-}" = --without-libtorch ]; then
  libtorch=OFF
  suffix=-base
fi
case $kind in
  address) sanitizers=address,undefined; targets=(knnseq_tests); tests=(-L 'unit|mpi') ;;
  thread) sanitizers=thread; targets=(test_comm test_comm_mpi test_runtime); tests=(-R '^test_(comm|runtime)') ;;
  *) echo "usage: tests/sanitize/run.sh [address|thread] [--without-libtorch]" >&2; exit 2 ;;
esac
if [ "$kind$libtorch" = threadON ]; then
  targets+=(knnseq)
  tests=(-R '^test_(comm|runtime)|^e2e.append_export')
fi
build=$top/build-$kind$suffix
logs=$build/logs

build_tests() {
  cmake -S "$top" -B "$build" -G Ninja -DKNNSEQ_SANITIZE="$sanitizers" -DKNNSEQ_LIBTORCH="$libtorch" \
    -DKNNSEQ_WERROR="${CI:-OFF}" -DPython3_EXECUTABLE=/usr/bin/python3 &&
    cmake --build "$build" --target "${targets[@]}"
}

# ThreadSanitizer of GCC 12 needs addresses that are less random than newer kernels make them.
unrandomised=()
if [ "$kind" = thread ] && setarch --addr-no-randomize true; then
  unrandomised=(setarch --addr-no-randomize)
fi
step "build, sanitizer: $kind" build_tests
step "tests, sanitizer: $kind" "${unrandomised[@]}" \
  ctest --test-dir "$build" --output-on-failure -j "$(nproc)" "${tests[@]}"
