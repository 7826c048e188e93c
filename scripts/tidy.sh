#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy) over the files of a build and prints how often each check found something.
#   scripts/tidy.sh [FOLDER …]        e.g. scripts/tidy.sh common/core tests/unit/core
# Default: common, stages and tests. It needs build/compile_commands.json, so configure first (KNNSEQ_BUILD
# names another build folder). All findings are in tidy.log of the build's folder logs. Exit 1 if there are any.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$top"

[ -f "$build/compile_commands.json" ] || { echo "$build/compile_commands.json is missing: configure first" >&2; exit 2; }
command -v run-clang-tidy > /dev/null ||
  { echo "run-clang-tidy is missing: install it with apt-get install clang-tidy" >&2; exit 2; }
[ $# -gt 0 ] || set -- common stages tests
folders=$(IFS='|'; echo "${*%/}")
mkdir -p "$logs"

# The precompiled header is GCC's; clang reads a copy of the header itself, first as GCC does. GCC's own options
# are unknown to it. A build that compiles files in groups is looked at in groups: a folder that is only configured,
# with -DCMAKE_UNITY_BUILD_BATCH_SIZE=200, takes a tenth of the time of single files.
commands=$(mktemp -d)
trap 'rm -rf "$commands"' EXIT
python3 - "$build/compile_commands.json" "$commands/compile_commands.json" "$PWD/($folders)/" <<'PYTHON'
import json
import re
import sys
from pathlib import Path

database, selected, wanted = sys.argv[1:]
entries = []
for entry in json.loads(Path(database).read_text(encoding="utf-8")):
    path = entry["file"]
    grouped = re.search(r"/unity_\d+_cxx\.cxx$", path)
    files = re.findall(r'^#include "(.*)"', Path(path).read_text(encoding="utf-8"), re.M) if grouped else [path]
    if path.endswith(".cu") or not any(re.match(wanted, file) for file in files):
        continue
    entry["command"] = re.sub(r" -Winvalid-pch| -Wno-maybe-uninitialized| -Wshadow=local|^\S*ccache ", "",
                              entry["command"])
    for header in re.findall(r"-include (\S*cmake_pch\.hxx)", entry["command"]):
        copy = Path(selected).parent / (header.split("/")[-2] + ".hxx")
        copy.write_text(Path(header).read_text(encoding="utf-8"), encoding="utf-8")
        entry["command"] = entry["command"].replace(header, str(copy))
    entries.append(entry)
Path(selected).write_text(json.dumps(entries), encoding="utf-8")
PYTHON

code=0
run-clang-tidy -quiet -j "$(nproc)" -p "$commands" > "$commands/log" 2>&1 || code=$?
sed 's/\x1b\[[0-9;]*m//g' "$commands/log" > "$logs/tidy.log"  # without colours
# A header's finding appears once for each file that includes it; it counts once.
findings=$(grep -E "^$PWD/($folders)/.*: (warning|error): .*\[[a-z]" "$logs/tidy.log" | sort -u || true)
if [ -z "$findings" ]; then
  [ "$code" = 0 ] || { tail -n 20 "$logs/tidy.log"; exit "$code"; }
  echo "clang-tidy: nothing found in ${*}"
  exit 0
fi
sed 's/.*\[\([a-z][^],]*\).*\]$/\1/' <<< "$findings" | sort | uniq -c | sort -rn
echo "$(wc -l <<< "$findings") findings: $logs/tidy.log"
exit 1
