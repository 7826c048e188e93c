#!/usr/bin/env bash
# Measures how the stages scale: 1, 2, 4, 8, … ranks within one Slurm job, with one GPU each if the job has
# GPUs, otherwise on CPUs.
#   sbatch --nodes=1 --gpus-per-node=8 --ntasks-per-node=8 --cpus-per-task=8 slurm/scaling.sh CONFIG FOLDER
# Start it where the config's relative paths begin, with slurm/cluster.sh in place (see submit.sh).
# strong: the config's corpus for all numbers of ranks. weak: the first r/P of its lines for r of P ranks, so
# that each rank has as much. Every run gets a run directory of its own below FOLDER, which must not exist, and
# FOLDER/scaling.csv one line for each stage.
set -euo pipefail

if [ $# != 2 ]; then sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; fi
config=$1 folder=$2
top=${KNNSEQ_TOP:-$SLURM_SUBMIT_DIR}
# shellcheck source=slurm/settings.sh
source "$top/slurm/settings.sh"
environment
[ "$launcher" = srun ] || { echo "scaling.sh: the cluster file must have launcher=srun" >&2; exit 2; }
mkdir "$folder"
echo 'kind,ranks,stage,seconds,items,items_per_second' > "$folder/scaling.csv"

resources=() device=cpu
if [ -n "${SLURM_JOB_GPUS:-${SLURM_GPUS_ON_NODE:-}}" ]; then device=cuda; fi

# measure KIND RANKS [options of knnseq]
measure() {
  local kind=$1 ranks=$2 log=$folder/$1-$2.log
  shift 2
  if [ "$device" = cuda ]; then resources=(--gpus="$ranks"); fi
  srun --ntasks="$ranks" "${resources[@]}" "${launcher_options[@]}" "$program" run --config "$config" \
    --set "device=$device" --set "run_dir=$folder/$kind-$ranks" "$@" > "$log" 2>&1 ||
    { tail -n 20 "$log" >&2; return 1; }
  # The closing table: stage, ranks, seconds min/mean/max, items with their name, items a second.
  awk -v kind="$kind" '/^stage +ranks/ {table = 1; next} table && $2 ~ /^[0-9]+$/ {
    gsub(",", ""); split($3, seconds, "/"); print kind "," $2 "," $1 "," seconds[3] "," $4 "," $6
  }' "$log" | tee -a "$folder/scaling.csv"
}

# unpacked FILE: its text, whatever it is compressed by.
unpacked() {
  case $(head -c 10 -- "$1" | od -An -tx1 | tr -d ' \n') in
    425a683?314159265359) bzip2 -cd -- "$1" ;;
    fd377a585a00*) xz -cd -- "$1" ;;
    28b52ffd* | 5?2a4d18*) zstd -cdq -- "$1" ;;
    *) gzip -cdf -- "$1" ;;  # which leaves plain text as it is
  esac
}

# text SIDE: the corpus's lines, of all its files, as the resolved config of a run lists them.
text() {
  sed -n "/^corpus:/,/^[^ ]/{/^  $1:/,/^  [^ ]/s/^    - \"\(.*\)\"\$/\1/p}" "$folder/strong-1/config.yaml" |
    while read -r file; do
      unpacked "$file" | awk 1  # which ends a last line that is not ended
    done
}

most=$SLURM_NTASKS
for ((ranks = 1; ranks <= most; ranks *= 2)); do
  measure strong "$ranks"
  if [ "$ranks" = 1 ]; then
    text source > "$folder/source"
    text target > "$folder/target"
    lines=$(wc -l < "$folder/source")
  fi
  head -n $((lines * ranks / most)) "$folder/source" > "$folder/source-$ranks"
  head -n $((lines * ranks / most)) "$folder/target" > "$folder/target-$ranks"
  measure weak "$ranks" --set "corpus.source=$folder/source-$ranks" --set "corpus.target=$folder/target-$ranks"
done
