#!/usr/bin/env bash
# Measures how the stages scale with GPUs: 1, 2, 4, 8, … ranks, one GPU each, within one Slurm job.
#   sbatch --nodes=1 --gpus-per-node=8 --ntasks-per-node=8 --cpus-per-task=8 slurm/scaling.sh CONFIG FOLDER
# Start it where the config's relative paths begin, with slurm/cluster.sh in place (see submit.sh).
# strong: the same corpus for all numbers of ranks. weak: the first r/P of the corpus's lines for r of P
# ranks, so that each rank has as much. Every run gets a run directory of its own below FOLDER, which must
# not exist, and FOLDER/scaling.csv one line for each stage.
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

# measure KIND RANKS [options of knnseq]
measure() {
  local kind=$1 ranks=$2 log=$folder/$1-$2.log
  shift 2
  srun --ntasks="$ranks" --gpus="$ranks" "${launcher_options[@]}" "$program" run --config "$config" \
    --set device=cuda --set "run_dir=$folder/$kind-$ranks" "$@" > "$log" 2>&1 ||
    { tail -n 20 "$log" >&2; return 1; }
  # The closing table: stage, ranks, seconds min/mean/max, items with their name, items a second.
  awk -v kind="$kind" '/^stage +ranks/ {table = 1; next} table && $2 ~ /^[0-9]+$/ {
    gsub(",", ""); split($3, seconds, "/"); print kind "," $2 "," $1 "," seconds[3] "," $4 "," $6
  }' "$log" | tee -a "$folder/scaling.csv"
}

# The corpus's files, as the program reads them: the first of each side.
most=$SLURM_NTASKS
side() { sed -n "/^corpus:/,/^[^ ]/s/^  $1: *\([^ ]*\).*/\1/p" "$config"; }
source=$(side source) target=$(side target)
[ -f "$source" ] && [ -f "$target" ] ||
  { echo "scaling.sh: $config must name one plain file a side under corpus:" >&2; exit 2; }
lines=$(wc -l < "$source")

for ((ranks = 1; ranks <= most; ranks *= 2)); do
  measure strong "$ranks"
  head -n $((lines * ranks / most)) "$source" > "$folder/source-$ranks"
  head -n $((lines * ranks / most)) "$target" > "$folder/target-$ranks"
  measure weak "$ranks" --set "corpus.source=$folder/source-$ranks" --set "corpus.target=$folder/target-$ranks"
done
