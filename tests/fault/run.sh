#!/usr/bin/env bash
# The long version of the kill test: run.sh [KILLS] [SEED]. KNNSEQ_PROGRAM names the program.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/environment.sh"
export OMP_NUM_THREADS=1 KNNSEQ_PROGRAM=${KNNSEQ_PROGRAM:-$build/bin/knnseq}
exec python3 "$top/tests/fault/kills.py" --kills "${1:-200}" ${2:+--seed "$2"} --repeat 10 --shards 2
