#!/usr/bin/env bash
# Starts a program of this folder, which scripts/bundle.sh made and which may be moved anywhere, with its
# own libraries and the libtorch, and CUDA for GPUs, of the machine. bin/knnseq, bin/mpirun and bin/orted are this
# script, and so is bin/with-libraries PROGRAM [ARGUMENT…], for those of libexec/.
#   KNNSEQ_LIBTORCH          PyTorch's folder (that with lib/libtorch_cpu.so); else the one that python3
#                            of the PATH would import
#   KNNSEQ_CUDA_LIBRARIES    more folders with CUDA libraries, separated by colons
set -euo pipefail

fail() { echo "knnseq: $*" >&2; exit 2; }

script=$(readlink -f "${BASH_SOURCE[0]}")
bundle=${script%/bin/*}
program=$(basename "$0")
if [ "$program" = with-libraries ]; then
  [ $# -gt 0 ] || fail "with-libraries needs the name of a program of $bundle/libexec"
  program=$1
  shift
fi
executable=$bundle/libexec/$program
[ -x "$executable" ] || fail "$executable: no such program"

# Open MPI and PMIx find their plug-ins and texts here, and start this folder's daemon on other hosts.
export OPAL_PREFIX=$bundle OPAL_BINDIR=$bundle/bin OPAL_LIBDIR=$bundle/lib OPAL_PKGLIBDIR=$bundle/lib/openmpi
export OPAL_DATADIR=$bundle/share OPAL_PKGDATADIR=$bundle/share/openmpi OPAL_SYSCONFDIR=$bundle/etc
export PMIX_PREFIX=$bundle PMIX_LIBDIR=$bundle/lib PMIX_PKGLIBDIR=$bundle/lib/pmix
export PMIX_DATADIR=$bundle/share PMIX_PKGDATADIR=$bundle/share/pmix PMIX_SYSCONFDIR=$bundle/etc
export OMPI_MCA_orte_launch_agent=$bundle/bin/orted
# As for other builds of knnseq: root may start it, and small jobs are not bound to one core a rank.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=${OMPI_MCA_rmaps_base_oversubscribe:-1}
export OMPI_MCA_hwloc_base_binding_policy=${OMPI_MCA_hwloc_base_binding_policy:-none}
export OMPI_MCA_btl_vader_single_copy_mechanism=${OMPI_MCA_btl_vader_single_copy_mechanism:-none}
# Open MPI wants a way to other hosts before it starts ranks on this one.
if ! command -v ssh > /dev/null && ! command -v rsh > /dev/null; then
  export OMPI_MCA_plm_rsh_agent=${OMPI_MCA_plm_rsh_agent:-/bin/false}
fi
# What the user had, for the ranks: mpirun itself needs the libraries of this folder first.
export KNNSEQ_USERS_LIBRARIES=${KNNSEQ_USERS_LIBRARIES-${LD_LIBRARY_PATH:-}}

case $program in
  mpirun | orted)
    export LD_LIBRARY_PATH=$bundle/lib${KNNSEQ_USERS_LIBRARIES:+:$KNNSEQ_USERS_LIBRARIES}
    exec "$executable" "$@" ;;
esac

glibc=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
if [ "$(printf '2.36\n%s\n' "$glibc" | sort -V | head -n 1)" != 2.36 ]; then
  fail "this machine has glibc $glibc; this build needs 2.36 or later (else use the image of knnseq.def)"
fi

# Found without importing it, which takes seconds.
find_torch='
import importlib.util, sys
sys.path.remove("")  # the present folder
found = importlib.util.find_spec("torch")
sys.exit("no torch") if found is None else print(found.submodule_search_locations[0])'
torch=${KNNSEQ_LIBTORCH:-$(python3 -c "$find_torch" 2> /dev/null || true)}
kind=$(cat "$bundle/etc/knnseq-kind")
needed='PyTorch 2.11'
libraries=(libtorch_cpu.so libc10.so)
if [ "$kind" = cuda ]; then
  needed+=' for CUDA 13'
  libraries+=(libtorch_cuda.so libc10_cuda.so)
fi
[ -n "$torch" ] || fail "python3 ($(command -v python3 || echo 'not on the PATH')) has no PyTorch; activate the" \
  "environment that has $needed, or name its torch folder in KNNSEQ_LIBTORCH"
for library in "${libraries[@]}"; do
  [ -e "$torch/lib/$library" ] ||
    fail "$torch/lib/$library is missing: this is not $needed (pip install torch==2.11.0)"
done
# A wheel says in version.py which it is, a plain libtorch in build-version: 2.11.0+cu130.
if [ -e "$torch/version.py" ]; then
  version=$(sed -n "s/^__version__ = '\(.*\)'$/\1/p" "$torch/version.py")
  cuda=$(sed -n "s/^cuda: .* = '\(.*\)'$/\1/p" "$torch/version.py")
else
  version=$(cat "$torch/build-version" 2> /dev/null || true)
  cuda=$(sed -n 's/.*+cu\([0-9]*\)\([0-9]\)$/\1.\2/p' <<< "$version")
fi
case $kind/$version/$cuda in
  cpu/2.11.* | cuda/2.11.*/13.*) ;;
  *) fail "$torch is PyTorch ${version:-of unknown version} for CUDA ${cuda:-of unknown version};" \
          "this build needs $needed" ;;
esac

folders=("$torch/lib")
for folder in "${torch%/*}"/nvidia/*/lib; do
  [ ! -d "$folder" ] || folders+=("$folder")
done
IFS=: read -ra more <<< "${KNNSEQ_CUDA_LIBRARIES:-}"
for folder in "${more[@]}" "${CUDA_HOME:-/usr/local/cuda}"/lib64 "${CUDA_HOME:-/usr/local/cuda}"/lib; do
  [ ! -d "$folder" ] || folders+=("$folder")
done
has_library() {
  local folder
  for folder in "${folders[@]}" /usr/lib/x86_64-linux-gnu /usr/lib64; do
    [ ! -e "$folder/$1" ] || return 0
  done
  return 1
}
cuda_libraries=(libcudart.so.13 libnccl.so.2)
if [ "$kind" = cpu ]; then cuda_libraries=(); fi
for library in "${cuda_libraries[@]}"; do
  has_library "$library" || fail "$library was found neither beside $torch nor in the CUDA toolkit; name its" \
    "folder in KNNSEQ_CUDA_LIBRARIES"
done
# One OpenMP runtime for all: PyTorch's own, which some of its builds keep under another name.
if [ ! -e "$torch/lib/libgomp.so.1" ]; then
  shopt -s nullglob
  runtimes=("$torch"/lib/libgomp*.so* "$torch".libs/libgomp*.so*)
  if [ ${#runtimes[@]} -gt 0 ]; then
    links=${TMPDIR:-/tmp}/knnseq-openmp-$(id -u)-$(cksum <<< "${runtimes[0]}" | cut -d' ' -f1)
    mkdir -p -m 700 "$links"
    ln -sfn "${runtimes[0]}" "$links/libgomp.so.1"
    folders=("$links" "${folders[@]}")
  fi
fi

# Libraries of this folder that others of it need.
folders+=("$bundle/lib")
export KNNSEQ_LIBTORCH=$torch
LD_LIBRARY_PATH=$(IFS=:; echo "${folders[*]}")${KNNSEQ_USERS_LIBRARIES:+:$KNNSEQ_USERS_LIBRARIES}
export LD_LIBRARY_PATH
exec "$executable" "$@"
