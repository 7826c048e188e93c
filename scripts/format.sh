#!/usr/bin/env bash
# Formats all C++ and CUDA files with clang-format 14 (.clang-format), the version of Debian 12; other
# versions break lines elsewhere.
#   scripts/format.sh [--check]
# --check: changes nothing; exit 1 and the lines that differ if a file is not formatted, 77 if
# clang-format 14 is missing (scripts/install_deps.sh --tests installs it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(-i)
case ${1:-} in
  '') ;;
  --check) mode=(--dry-run -Werror) ;;
  *) echo "usage: scripts/format.sh [--check]" >&2; exit 2 ;;
esac
formatter=$(command -v clang-format-14 || command -v clang-format || true)
if [ -z "$formatter" ] || ! "$formatter" --version | grep -q 'version 14\.'; then
  echo "clang-format 14 is missing: install it with scripts/install_deps.sh --tests" >&2
  [ -z "${CI:-}" ] || exit 1  # in CI nothing is skipped
  exit 77
fi
find common stages tests -regextype egrep -regex '.*\.(hpp|cpp|cu|cuh|inc|c)' -print0 |
  xargs -0 -n 100 -P "$(nproc)" "$formatter" "${mode[@]}" || exit 1
