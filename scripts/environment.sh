# What the other scripts share: sourced, not run.
# Open MPI refuses to run as root and to start more ranks than cores unless it is told otherwise, and
# binds each rank of a small job to one core; users of these scripts need not know.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none  # Open MPI 5
export OMPI_MCA_btl_vader_single_copy_mechanism=none

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${KNNSEQ_BUILD:-$top/build}
# The CUDA compiler, if there is one.
nvcc=$(command -v nvcc || true)
if [ -z "$nvcc" ] && [ -x /usr/local/cuda/bin/nvcc ]; then nvcc=/usr/local/cuda/bin/nvcc; fi
logs=$build/logs

# step NAME COMMAND…: one line a step; the command's output goes to a log, shown only if it fails. On a
# terminal the line also shows the time and what the command says last, such as [17/230] of a build.
# Functions given to it chain their commands with &&: set -e does not hold inside a condition.
step() {
  local name=$1 began=$SECONDS watcher= code=0
  shift
  mkdir -p "$logs"
  local log=$logs/${name//[^a-zA-Z0-9]/-}.log
  printf '%-52s' "$name"
  if [ -t 1 ]; then
    : > "$log"
    watch_log "$name" "$log" &
    watcher=$!
  fi
  "$@" > "$log" 2>&1 || code=$?
  if [ -n "$watcher" ]; then
    kill "$watcher" && wait "$watcher" 2> /dev/null || true
    printf '\r\033[K%-52s' "$name"
  fi
  if [ "$code" = 0 ]; then
    printf 'done (%d s)\n' $((SECONDS - began))
  else
    printf 'FAILED (exit code %d); the end of %s:\n' "$code" "$log"
    tail -n 40 "$log"
    return "$code"
  fi
}

# watch_log NAME LOG: redraws a step's line until it is killed, or the shell that started it is gone.
watch_log() {
  local began=$SECONDS shell=$$ last room
  while sleep 1 && kill -0 "$shell" 2> /dev/null; do
    room=$(($(tput cols 2> /dev/null || echo 80) - 62))
    last=$(tail -c 2000 "$2" | tr '\r' '\n' | tail -n 1 | tr -cd '[:print:]')
    printf '\r\033[K%-52s%4d s %s' "$1" $((SECONDS - began)) "${last:0:$((room > 0 ? room : 0))}"
  done
}

# build_knnseq [cmake options]: configures and builds everything.
build_knnseq() {
  cmake -S "$top" -B "$build" -G Ninja "$@" && cmake --build "$build"
}
