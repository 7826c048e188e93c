# What the batch scripts of all stages share; they source it. Start them with submit.sh, or one by one:
#   sbatch slurm/encode.sbatch --config mine.yaml
#
# The ranks are started in the background and waited for, since a shell runs no trap while it waits for a
# command in the foreground. Slurm sends this script SIGUSR1 before the time limit and SIGTERM when the
# job has to go; both reach the ranks as SIGUSR1. They commit what is in hand and exit with 75, and the
# job is queued again under the same id, so that jobs which depend on it go on waiting.
# shellcheck shell=bash
set -euo pipefail

say() { printf '%s: %s\n' "$SLURM_JOB_NAME" "$*" >&2; }

launch=''       # process id of the running launch
stop_wanted=''  # whether a signal has come
interrupted=''  # whether one has come since the last check
tell_ranks() {
  stop_wanted=1 interrupted=1
  say "told to stop"
  [ -z "$launch" ] || kill -USR1 "$launch" 2> /dev/null || true
}
trap tell_ranks USR1 TERM

top=${KNNSEQ_TOP:-$SLURM_SUBMIT_DIR}
# shellcheck source=slurm/settings.sh
source "$top/slurm/settings.sh"
environment

# Sets start to what comes before the program's name.
choose_launcher() {
  case $launcher in
    srun)
      # The first rank that ends gives the others a minute: a lost one must not leave them waiting.
      start=(srun --wait=60 "${launcher_options[@]}")
      # srun takes the tasks' share of cpus from the job only if told to, since Slurm 22.05.
      export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} ;;
    mpirun)
      start=(mpirun "${launcher_options[@]}")
      # mpirun notices a host that is cut off, and ends, after two minutes instead of eight or more.
      export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-60}
      export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-10}
      export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-6} ;;
    *) say "launcher must be srun or mpirun, not '$launcher' ($KNNSEQ_CLUSTER)"; exit 2 ;;
  esac
}

# Queues this job again, unless it was cancelled or Slurm has queued it again itself.
queue_again() {
  # An array's own id would stand for all of its tasks.
  local job=$SLURM_JOB_ID state
  if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID; fi
  state=$(squeue --noheader --jobs "$job" --states all --format %T)
  if [ "$state" != RUNNING ]; then
    say "the job is $state; not queued again by itself"
  elif scontrol requeue "$job"; then
    say "stopped and committed; queued again"
  else
    say "stopped and committed, but not queued again: submit the stage once more to go on"
  fi
}

# Starts the ranks and waits for them; sets code to the launcher's exit code.
launch_ranks() {
  # A rank whose peer is cut off ends itself, but may not be able to end mpirun, and mpirun then heeds
  # nothing but SIGKILL: timeout passes on SIGUSR1 and kills what is left when the grace is over.
  timeout --signal=USR1 --kill-after="$grace_seconds" "$longest_launch_seconds" \
    "${start[@]}" "$program" "$@" &
  launch=$!
  [ -z "$stop_wanted" ] || kill -USR1 "$launch"  # the signal came before there was a launch
  # A trap ends "wait" early; waiting once more gives the launch's own exit code.
  while interrupted='' code=0; wait "$launch" || code=$?; [ -n "$interrupted" ]; do :; done
  launch=''
}

# run_stage STAGE [names] [options of knnseq]: does not return.
run_stage() {
  local start=() code tries=3
  choose_launcher
  # srun returns 0 if a node refuses to start the ranks, as it does for a moment after a job was queued
  # again; so rank 0 marks its success in this file. It runs on this script's host.
  KNNSEQ_SUCCESS_FILE=$(mktemp)
  export KNNSEQ_SUCCESS_FILE
  while launch_ranks "$@"; [ "$code" = 0 ] && [ ! -s "$KNNSEQ_SUCCESS_FILE" ]; do
    tries=$((tries - 1))
    code=1
    if [ -n "$stop_wanted" ]; then code=75; fi
    if [ "$code" = 75 ] || [ "$tries" = 0 ]; then break; fi
    say "$launcher ended with 0 without having run the stage; starting it again"
    sleep 10
  done
  rm -f "$KNNSEQ_SUCCESS_FILE"
  # Killed while it was to stop is as good as stopped: what was committed stays.
  if [ "$code" = 75 ] || { [ -n "$stop_wanted" ] && [ "$code" -gt 128 ]; }; then
    queue_again
    code=75
  fi
  exit "$code"
}
