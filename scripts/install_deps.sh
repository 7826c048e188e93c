#!/usr/bin/env bash
# Installs what knnseq needs on Debian 12 and 13 and Ubuntu 24.04: packages, and PyTorch's C++ library from its
# PyPI wheel, unpacked into .deps/ of this project. Does nothing if everything is there. Root or sudo.
# Ubuntu has no package of faiss: there it must lie in .deps/faiss already (docs/install.md).
#   scripts/install_deps.sh [--tests] [--cuda]
#     --tests: also what only the tests need (on Debian 12: they want its Catch2 2 and clang-format 14)
#     --cuda:  also what libtorch's CUDA half needs beside the CUDA toolkit, for -DKNNSEQ_CUDA=ON
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

packages=(
  g++ cmake ninja-build ccache pkg-config python3 python3-pip python3-numpy
  libopenmpi-dev openmpi-bin libhdf5-openmpi-dev hdf5-tools libgoogle-perftools-dev
  libfaiss-dev libopenblas0-openmp libopenblas-openmp-dev  # without this flavour faiss is 50 times slower
  libyaml-cpp-dev libfmt-dev nlohmann-json3-dev libxxhash-dev libsentencepiece-dev
  libprotobuf-dev  # Debian 13's sentencepiece.pc asks for it
  zlib1g-dev libbz2-dev liblzma-dev libzstd-dev libcpp-httplib-dev procps)
# Only for the tests: Catch2; a Slurm of one node; hosts of network namespaces; clang, its runtimes and symboliser for
# the fuzzers; clang-format for the test of that name; jsonschema for traces; h5py, faiss and yaml for
# scripts/knnseq.py; a browser for the page.
test_packages=(catch2 slurm-wlm munge iproute2 clang libclang-rt-dev llvm clang-format python3-jsonschema
  python3-h5py python3-faiss python3-yaml chromium chromium-driver)
for option in "$@"; do
  case $option in
    --tests) packages+=("${test_packages[@]}") ;;
    --cuda) with_cuda=yes ;;
    *) echo "install_deps.sh knows --tests and --cuda, not $option" >&2; exit 2 ;;
  esac
done
faiss=$top/.deps/faiss
if [ "$(sed -n 's/^ID=//p' /etc/os-release)" = ubuntu ]; then
  if [ ! -e "$faiss" ]; then
    echo "install_deps.sh: Ubuntu has no package of faiss. Build it from its source with .deps/faiss as prefix" \
      "(docs/install.md#ubuntu), and start this again" >&2
    exit 1
  fi
  without_faiss=()
  for package in "${packages[@]}"; do
    [ "$package" = libfaiss-dev ] || without_faiss+=("$package")
  done
  packages=("${without_faiss[@]}")
fi
# libtorch needs the CUDA runtime and CUPTI beside it to start, also without a GPU.
wheels=("torch==2.11.0" "nvidia-cuda-runtime==13.0.*" "nvidia-cuda-cupti==13.0.*")
libtorch=$top/.deps/libtorch
# Without these libtorch_cuda neither links nor starts; they are not part of the toolkit.
cuda_wheels=("nvidia-cusparselt-cu13==0.8.0" "nvidia-nvshmem-cu13==3.4.5" "nvidia-cufile<2")
cuda_libraries=$top/.deps/libtorch-cuda

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done

# Services of the packages are not started, as far as the system has no policy of its own: tests start
# Slurm's daemons themselves.
install_packages() {
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy" || return
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# install_wheels FOLDER WHEEL…: all or nothing; the folder then says which they are.
install_wheels() {
  local folder=$1
  shift
  rm -rf "$folder" "$folder.partial" &&
    python3 -m pip install --no-deps --no-compile --target "$folder.partial" "$@" &&
    echo "$*" > "$folder.partial/installed" &&
    mv "$folder.partial" "$folder"
}

has_wheels() {
  [ "$(cat "$1/installed" 2>/dev/null)" = "${*:2}" ]
}

if [ ${#missing[@]} -gt 0 ]; then
  step "Debian packages (${#missing[@]})" install_packages
fi
if ! has_wheels "$libtorch" "${wheels[@]}"; then
  step "libtorch 2.11.0 (540 MB)" install_wheels "$libtorch" "${wheels[@]}"
fi
if [ -n "${with_cuda:-}" ] && ! has_wheels "$cuda_libraries" "${cuda_wheels[@]}"; then
  step "libraries of libtorch's CUDA half (230 MB)" install_wheels "$cuda_libraries" "${cuda_wheels[@]}"
fi
