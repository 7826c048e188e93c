#!/usr/bin/env bash
# Submits the stages of a config to Slurm, each to start when the one before has succeeded, and prints
# "stage job" for each.
#   slurm/submit.sh CONFIG [--cluster FILE] [--stages S,S,…] [--after JOB] [--set key=value …] [--print]
# --cluster  the cluster file (slurm/cluster.sh)
# --stages   only these of "knnseq --list", in this order. Default: those of "knnseq run"
# --after    the first one waits for this job. Inputs are then not looked at before, since it may make them
# --print    shows the sbatch commands instead of running them
# Start it where the config's relative paths begin: jobs run in the folder that they are submitted from.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fail() { echo "submit.sh: $*" >&2; exit 2; }

config='' stages='' after='' print='' settings=()
while [ $# -gt 0 ]; do
  case $1 in
    --cluster | --stages | --after | --set)
      [ $# -gt 1 ] || fail "$1 needs a value"
      case $1 in
        --cluster) KNNSEQ_CLUSTER=$(realpath "$2") ;;
        --stages) stages=$2 ;;
        --after) after=$2 ;;
        --set) settings+=(--set "$2") ;;
      esac
      shift ;;
    --print) print=1 ;;
    --force) fail "--force is not for jobs: one that is queued again would start over again each time." \
                  "Remove the stage's folder, or run it once with --force by hand" ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 2 ;;
    *) [ -z "$config" ] || fail "one CONFIG, not '$config' and '$1'"
       config=$1 ;;
  esac
  shift
done
[ -n "$config" ] || fail "no CONFIG given (see the head of this file)"

# shellcheck source=slurm/settings.sh
source "$top/slurm/settings.sh"
environment
# The program says what there is to do, and refuses a config with mistakes, or inputs that cannot be used,
# before anything is queued. Another job may have to make the inputs first.
[ -n "$after" ] || "$program" run --check=inputs --config "$config" "${settings[@]}"
commands=$("$program" run --list --config "$config" "${settings[@]}")
known=$("$program" --list)
[ -n "$stages" ] || stages=$(cut -d' ' -f1 <<< "$commands" | uniq | paste -sd,)
IFS=, read -ra stages <<< "$stages"
for stage in "${stages[@]}"; do
  grep -q "^$stage " <<< "$known" || fail "'$stage' is not a stage (see knnseq --help)"
done

# By the environment, since --export= cannot take a path with a comma.
export KNNSEQ_TOP=$top KNNSEQ_CLUSTER
jobs=()
cancel_chain() {
  [ ${#jobs[@]} = 0 ] && return
  echo "submit.sh: cancelling what was submitted" >&2
  scancel "${jobs[@]}"
}
trap cancel_chain ERR
for stage in "${stages[@]}"; do
  declare -n of_stage=sbatch_$stage
  command=(sbatch --parsable --export=ALL --job-name="knnseq-$stage" "${sbatch_common[@]}" "${of_stage[@]}")
  mapfile -t names < <(sed -n "s/^$stage //p" <<< "$commands")
  if [ ${#names[@]} -gt 1 ] && grep -q "^$stage independent\$" <<< "$known"; then
    # One task an item, each with a time limit of its own; one after the other, since a run
    # directory is locked by the command that works in it.
    command+=(--array="0-$((${#names[@]} - 1))%1")
  else
    names=()
  fi
  [ -z "$after" ] || command+=(--dependency="afterok:$after" --kill-on-invalid-dep=yes)
  command+=("$top/slurm/stage.sbatch" "$stage" "${names[@]}" --config "$config" "${settings[@]}")
  if [ -n "$print" ]; then
    printf '%q ' "${command[@]}"
    echo
    after="<job of $stage>"
    continue
  fi
  after=$("${command[@]}")
  after=${after%%;*}  # the cluster's name follows if there are several
  jobs+=("$after")
  printf '%-9s %s\n' "$stage" "$after"
done
