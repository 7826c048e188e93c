#!/usr/bin/env bash
# Makes a folder that runs on another x86-64 Linux with glibc 2.36 or later which has PyTorch 2.11, without
# root: the program, Open MPI, parallel HDF5 and the other shared libraries. libtorch, and CUDA 13 for GPUs,
# are that machine's. Its bin/knnseq finds them; see docs/gpu.md and docs/install.md.
#   scripts/bundle.sh [--cpu | --tests] [FOLDER]
#     --cpu:   the program for CPUs, for which any PyTorch 2.11 will do
#     --tests: also what scripts/gpu_check.py runs (tests for GPUs, benchmarks, the demo's model and corpus:
#              scripts/demo.sh makes that); the archive must then stay under 64 MiB, to be carried
#     FOLDER:  default build/bundle/knnseq-VERSION-cuda or -cpu; FOLDER.tar.gz is made beside it
# Needs a build with -DKNNSEQ_CUDA=ON, unless it is for CPUs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

with_tests=''
kind=cuda
folder=''
for argument in "$@"; do
  case $argument in
    --tests) with_tests=yes ;;
    --cpu) kind=cpu ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    *) folder=$argument ;;
  esac
done
if [ "$kind$with_tests" = cpuyes ]; then
  echo "bundle.sh: --tests are for GPUs, and --cpu leaves them out" >&2
  exit 2
fi
program=$build/bin/knnseq-cuda
if [ "$kind" = cpu ]; then program=$build/bin/knnseq; fi
if [ ! -x "$program" ]; then
  echo "bundle.sh: $program is missing; build it, for GPUs with -DKNNSEQ_CUDA=ON" >&2
  exit 2
fi
version=$(sed -n 's/^project(knnseq VERSION \([0-9.]*\).*/\1/p' "$top/CMakeLists.txt")
folder=$(realpath -m "${folder:-$build/bundle/knnseq-$version-$kind}")
libraries=/usr/lib/x86_64-linux-gnu
pmix=$libraries/pmix2

# Of the machine, by its glibc and its PyTorch.
not_bundled='^(linux-vdso|ld-linux-x86-64|libc|libm|libdl|libpthread|librt|libutil|libresolv|libgomp|libtorch.*|libc10.*|libcu(da|dart|blas|blasLt|dnn.*|fft|file.*|pti|rand|solver|sparse|sparseLt)|libnv.*|libnccl)\.so'

# shared_libraries FILE…: "NAME PATH" of what they need, directly and indirectly, without that.
shared_libraries() {
  # Through knnseq-cuda's libtorch one would arrive at CUDA's, so each library is asked for its own.
  local open=("$@") seen=' ' file name path
  while [ ${#open[@]} -gt 0 ]; do
    file=${open[0]} open=("${open[@]:1}")
    while read -r name; do
      if [[ $seen == *" $name "* || $name =~ $not_bundled ]]; then continue; fi
      seen+="$name "
      path=$(ldd "$file" | awk -v name="$name" '$1 == name {print $3}')
      if [ ! -e "$path" ]; then
        echo "bundle.sh: $name, which $file needs, was not found" >&2
        return 1
      fi
      echo "$name $path"
      open+=("$path")
    done < <(objdump -p "$file" | awk '$1 == "NEEDED" {print $2}')
  done
}

# set_rpath FOLDER FILE…
set_rpath() {
  cmake -DNEW="$1" -P "$top/scripts/cmake/SetRpath.cmake" "${@:2}" > /dev/null
}

# copy_program FILE NAME: without symbols, and looking for libraries beside itself before all others.
copy_program() {
  install -D -m 755 "$1" "$folder/libexec/$2"
  strip "$folder/libexec/$2"
  local depth
  depth=$(dirname "$2" | sed 's:[^/.]\{1,\}:..:g')
  set_rpath "\$ORIGIN/../$depth/lib" "$folder/libexec/$2"
}

# package_of FILE: the Debian package that installed it.
package_of() {
  local file found
  file=$(realpath "$1")
  # Of what was moved from / to /usr dpkg may know the old name.
  if ! found=$(dpkg -S "$file" 2> /dev/null || dpkg -S "${file#/usr}" 2> /dev/null); then
    echo "bundle.sh: no package has installed $file, so its licence is not known" >&2
    return 1
  fi
  echo "${found%%[:,]*}"
}

# add_licences FILE…: those of the packages that these files are from, and the texts that they refer to.
add_licences() {
  local file packages common
  mkdir -p "$folder/licences"
  packages=$(for file in "$@"; do package_of "$file" || exit 1; done) || return 1
  for file in $(sort -u <<< "$packages"); do
    install -m 644 "/usr/share/doc/$file/copyright" "$folder/licences/$file"
  done
  common=$(cat "$folder"/licences/* | grep -oE '/usr/share/common-licenses/[A-Za-z0-9.+-]*[A-Za-z0-9+]' | sort -u)
  for file in $common; do
    [ ! -e "$file" ] || install -D -m 644 "$file" "$folder/licences/common-licenses/${file##*/}"
  done
}

make_bundle() {
  rm -rf "$folder" "$folder.tar.gz"
  mkdir -p "$folder"/{bin,etc,lib/openmpi,lib/pmix,libexec,share/openmpi,share/pmix}

  copy_program "$program" knnseq
  echo "$kind" > "$folder/etc/knnseq-kind"
  # What is copied of the system, or linked into the program: whose licences belong here.
  local sources=("$libraries"/../../bin/{orterun,orted} "$libraries/libfaiss.a" "$libraries/libpmix.so.2"
    /usr/share/openmpi/help-mpi-runtime.txt)
  install -m 755 "$libraries/../../bin/orterun" "$folder/libexec/mpirun"
  install -m 755 "$libraries/../../bin/orted" "$folder/libexec/orted"
  install -m 755 "$top/scripts/bundle_launcher.sh" "$folder/bin/knnseq"
  for name in mpirun orted with-libraries; do ln -s knnseq "$folder/bin/$name"; done

  # Debian's Open MPI leaves the transports of UCX, libfabric and PSM switched off: GPUs use NCCL, which
  # has its own. Its C plug-ins for SHMEM are not used either.
  local plugin
  for plugin in "$libraries"/openmpi/lib/openmpi3/*.so; do
    case ${plugin##*/} in
      *ucx* | *ofi* | *psm* | *openib* | mca_atomic_* | mca_memheap_* | mca_scoll_* | mca_spml_* | \
        mca_sshmem_* | libompi_dbg* | *monitoring*) ;;
      *) cp "$plugin" "$folder/lib/openmpi/" && sources+=("$plugin") ;;
    esac
  done
  cp "$pmix"/lib/pmix/*.so "$folder/lib/pmix/"
  cp /usr/share/openmpi/help-*.txt "$folder/share/openmpi/"
  cp "$pmix"/share/pmix/help-*.txt "$folder/share/pmix/"
  cp -r /usr/share/openmpi/amca-param-sets "$folder/share/openmpi/"
  cp /etc/openmpi/openmpi-mca-params.conf /etc/openmpi/openmpi-default-hostfile "$folder/etc/"

  shared_libraries "$program" "$folder"/libexec/{mpirun,orted} "$folder"/lib/{openmpi,pmix}/*.so \
    "$libraries/libpmix.so.2" > "$folder/libraries"
  local name path
  while read -r name path; do
    # libtorch serves the matrix products. The rest of BLAS and LAPACK that faiss's trainers could call
    # is the plain one of Debian: OpenBLAS alone has 36 MB.
    case $name in
      libblas.so.3) path=$libraries/blas/libblas.so.3 ;;
      liblapack.so.3) path=$libraries/lapack/liblapack.so.3 ;;
      libopenblas*) continue ;;
    esac
    install -m 644 "$path" "$folder/lib/$name"
    sources+=("$path")
  done < "$folder/libraries"
  rm "$folder/libraries"
  install -m 644 "$libraries/libpmix.so.2" "$folder/lib/libpmix.so.2"
  set_rpath "\$ORIGIN" "$folder"/lib/*.so*
  set_rpath "\$ORIGIN/.." "$folder"/lib/{openmpi,pmix}/*.so
  set_rpath "\$ORIGIN/../lib" "$folder"/libexec/{mpirun,orted}

  cp "$top/LICENSE" "$top/README.md" "$folder/"
  cp -r "$top/configs" "$folder/"
  install -D -m 644 -t "$folder/docs" "$top"/docs/{gpu,install}.md
  if [ -n "$with_tests" ]; then
    add_tests
    sources+=(/usr/include/catch2/catch.hpp)
  fi
  add_licences "${sources[@]}"
}

# The executables of the tests that are labelled gpu.
gpu_tests() {
  ctest --test-dir "$build" -L '^gpu$' --show-only=json-v1 | python3 -c '
import json, sys
for test in json.load(sys.stdin)["tests"]:
    if "command" not in test:
        sys.exit("bundle.sh: " + test["name"] + " is not built; build all first")
    print(next(word for word in test["command"] if "/bin/test_" in word))' | sort -u
}

# What scripts/gpu_check.py runs.
add_tests() {
  local file tests
  tests=$(gpu_tests)
  for file in $tests; do
    copy_program "$file" "gpu/${file##*/}"
  done
  for file in scan_speed {assign,encode,step,train}_speed-cuda; do
    copy_program "$build/bin/$file" "$file"
  done
  mkdir -p "$folder/scripts" "$folder/data/libreoffice" "$folder/models" "$folder/tests/data"
  cp "$top"/scripts/{gpu_check,check_steps}.py "$folder/scripts/"
  cp -r "$top/models/demo-de-en" "$folder/models/"
  cp -r "$top"/tests/data/{models,marian_reference.safetensors} "$folder/tests/data/"
  install -D -m 644 {"$top","$folder"}/tests/unit/search/beam_reference.json
  install -D -m 644 {"$top","$folder"}/tests/benchmarks/make_random_model.py
  cp "$top"/data/libreoffice/{datastore,test}.{de,en} "$folder/data/libreoffice/"
}

if [ -n "$with_tests" ] && [ ! -e "$top/data/libreoffice/datastore.de" ]; then
  echo "bundle.sh: --tests needs the demo's corpus in data/libreoffice; scripts/demo.sh makes it" >&2
  exit 2
fi
make_bundle  # not as a step: there a command that fails would not end it
step "archive" tar -C "${folder%/*}" -czf "$folder.tar.gz" --owner=0 --group=0 "${folder##*/}"
echo "$folder: $(du -sm "$folder" | cut -f1) MB; $folder.tar.gz: $(du -sm "$folder.tar.gz" | cut -f1) MB"
if [ -n "$with_tests" ] && [ "$(stat -c %s "$folder.tar.gz")" -gt $((64 << 20)) ]; then
  echo "bundle.sh: $folder.tar.gz has more than the 64 MiB that can be carried to a machine with a GPU" >&2
  exit 1
fi
