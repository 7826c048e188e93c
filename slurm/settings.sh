# The cluster file over its defaults, for submit.sh, stage.sbatch and scaling.sh, which set $top.
# shellcheck shell=bash disable=SC2034,SC2154,SC2317
program=$top/build/bin/knnseq
[ -x "$program" ] || program=$(command -v knnseq || echo "$program")  # after cmake --install
launcher=srun
launcher_options=()
grace_seconds=100
longest_launch_seconds=0
sbatch_common=()
environment() { :; }

KNNSEQ_CLUSTER=${KNNSEQ_CLUSTER:-$top/slurm/cluster.sh}
if [ ! -f "$KNNSEQ_CLUSTER" ]; then
  echo "$KNNSEQ_CLUSTER: no such file; copy slurm/cluster.example.sh and change it" >&2
  exit 2
fi
# shellcheck source=slurm/cluster.example.sh
source "$KNNSEQ_CLUSTER"
