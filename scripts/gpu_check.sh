#!/usr/bin/env bash
# Proves the program for GPUs on a machine that has one, and measures it. Part of the folder that
# "scripts/bundle.sh --tests" makes; started there:
#   scripts/gpu_check.sh [--quick] [FOLDER]
#     --quick: tests and the small demo only
#     FOLDER:  takes logs and run directories; default gpu-check
# Prints one table at the end, also FOLDER/table.md. Goes on after a failure; exit code 1 if there was any.
set -euo pipefail

quick='' work=gpu-check
for argument in "$@"; do
  case $argument in
    --quick) quick=yes ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    *) work=$argument ;;
  esac
done
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ ! -x "$top/bin/with-libraries" ]; then
  echo "gpu_check.sh: start it in a folder that scripts/bundle.sh --tests has made" >&2
  exit 2
fi
if ! gpus=$(nvidia-smi --list-gpus | wc -l); then
  echo "gpu_check.sh: nvidia-smi finds no GPU on this machine" >&2
  exit 2
fi
mkdir -p "$work"
work=$(cd "$work" && pwd)
cd "$top"  # configs name the corpus and the model from here
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
failures=0
printf '| what | result | seconds |\n|---|---|---:|\n' > "$work/table.md"

row() { printf '| %s | %s | %s |\n' "$1" "$2" "$3" >> "$work/table.md"; }

# check NAME RESULT COMMAND…: runs it with a log of its own; RESULT is a command that turns the log into
# the table's text. A test that skips itself (77) has not proven anything, and counts as a failure.
check() {
  local name=$1 result=$2 began=$SECONDS code=0 log=$work/${1//[^a-zA-Z0-9]/-}.log
  shift 2
  printf '%-60s' "$name"
  "$@" > "$log" 2>&1 || code=$?
  if [ "$code" = 0 ]; then
    row "$name" "$($result "$log")" $((SECONDS - began))
    printf 'done (%d s)\n' $((SECONDS - began))
  else
    failures=$((failures + 1))
    row "$name" "FAILED (exit code $code), see $log" $((SECONDS - began))
    printf 'FAILED (exit code %d); the end of %s:\n' "$code" "$log"
    tail -n 20 "$log"
  fi
}
passed() { grep -h 'All tests passed\|ERROR SUMMARY' "$1" | tail -n 1 | tr -d '='; }
last_line() { tail -n 1 "$1"; }
all_lines() { grep -v '^ *$' "$1" | paste -sd ';'; }
said() { echo "see $1"; }
# stage_rates LOG: "encode 3,610/s, …" from the closing table of a run.
stage_rates() {
  awk '/^stage +ranks/ {table = 1; next} table && $2 ~ /^[0-9]+$/ {printf "%s%s %s %s/s", sep, $1, $6, $5; sep = ", "}' "$1"
}

check "doctor" said bin/knnseq doctor
cat "$work/doctor.log"

for test in libexec/gpu/test_*; do
  [ -x "$test" ] || { echo "gpu_check.sh: $top holds no tests" >&2; exit 2; }
  check "${test##*/}" passed bin/with-libraries "gpu/${test##*/}"
done
if command -v compute-sanitizer > /dev/null; then
  for tool in memcheck racecheck; do
    check "test_gpu_kernels under $tool" passed compute-sanitizer --tool "$tool" --target-processes all \
      --error-exitcode 1 bin/with-libraries gpu/test_gpu_kernels
  done
else
  row "compute-sanitizer" "not on this machine" 0
fi

# demo NAME RANKS DEVICE
demo=demo
if [ -n "$quick" ] || [ ! -d data/libreoffice ]; then demo=demo-small; fi
run_demo() {
  bin/mpirun -n "$2" bin/knnseq run --config "configs/$demo.yaml" --set "run_dir=$work/$1" --set "device=$3" \
    --set "threads=$((OMP_NUM_THREADS / $2 > 0 ? OMP_NUM_THREADS / $2 : 1))"
}
bleu_of() { awk -F'|' -v name="$2" '$2 ~ "^ " name " *$" {print $4 + 0}' "$work/$1.log"; }
compare_bleu() {
  local name base knn
  for name in test-base test-knn test-subset; do
    grep -q "name: $name *\$" "configs/$demo.yaml" || continue  # the small demo has no subsets
    base=$(bleu_of "$demo--1-rank-on-the-CPU" "$name") knn=$(bleu_of "$1" "$name")
    echo "$name: BLEU $knn on the GPU, $base on the CPU"
    awk -v a="$base" -v b="$knn" 'BEGIN {d = a - b; exit !(a > 0 && d <= 0.1 && d >= -0.1)}' || return 1
  done
}
check "$demo, 1 rank on the CPU" stage_rates run_demo cpu 1 cpu
check "$demo, 1 rank on a GPU" stage_rates run_demo cuda-1 1 cuda
check "$demo, 1 rank: BLEU as on the CPU to 0.1" all_lines compare_bleu "$demo--1-rank-on-a-GPU"
check "$demo, 2 ranks on $gpus GPU(s)" stage_rates run_demo cuda-2 2 cuda
check "$demo, 2 ranks: BLEU as on the CPU to 0.1" all_lines compare_bleu "$demo--2-ranks-on-$gpus-GPU-s-"

# at_least BAR WHAT PATTERN LOG: the largest of the numbers in place of (…) of the pattern, and whether it
# reaches the bar; lines that match stand in the log for it.
at_least() {
  sed -nE "s#.*$3.*#\1#p" "$4" | sort -g | tail -n 1 | awk -v bar="$1" -v what="$2" '
    {printf "%s %s; bar %s: %s", $1, what, bar, ($1 + 0 >= bar + 0) ? "reached" : "NOT REACHED"; found = 1}
    END {if (!found) {print "no figure found"; exit 1}}'
}
scan_result() {
  at_least 70 "% of the smaller of memory bandwidth and look-up rate" 'GB/s, +([0-9]+) % of the bound' "$1" &&
    best_rates "$1"
}
# best_rates LOG: our scan beside faiss's, each at its fastest.
best_rates() {
  awk 'match($0, /[0-9.]+ GB\/s/) {
         name = /by faiss/ ? substr($0, index($0, "by faiss") + 3) : (/% of the bound/ ? "ours" : "")
         rate = substr($0, RSTART, RLENGTH - 5) + 0
         if (name != "" && rate > best[name]) best[name] = rate}
       END {for (name in best) printf "; %s %.0f GB/s", name, best[name]}' "$1"
  sed -n 's/^faiss/; faiss/p' "$1" | tr -d '\n'
}
encode_result() {
  printf '%s; ' "$(last_line "$1")"
  at_least 600000 "keys/s" 'best ([0-9]+) keys/s' "$1"
}
# The demo's corpus 22 times over: 20.3 million entries.
copies() {
  local i list=''
  for i in $(seq 22); do list+="data/libreoffice/datastore.$1,"; done
  echo "[${list%,}]"
}
run_large() {
  local stage
  for stage in partition encode train add subset decode; do
    bin/mpirun -n 1 bin/knnseq "$stage" --config configs/gpu-large.yaml --set "run_dir=$work/large" \
      --set device=cuda --set "corpus.source=$(copies de)" --set "corpus.target=$(copies en)"
  done
}
large_result() {
  grep -h 'done:' "$1" | sed 's/^[^[]*\[\([a-z-]*\)\].*done: */\1: /; s/, peak.*//' | paste -sd ';'
  awk '/decode-test-(base|knn|subset).*done:/ {
         match($0, /[0-9,]+\/s/); value = substr($0, RSTART, RLENGTH - 2); gsub(",", "", value)
         rates[/test-base/ ? "base" : /test-knn/ ? "knn" : "subset"] = value}
       END {ratio = rates["knn"] / rates["base"]
            printf "; kNN at %.2f of the speed without; bar 0.9: %s", ratio, (ratio >= 0.9 ? "reached" : "NOT REACHED")
            printf "; in subsets at %.2f", rates["subset"] / rates["base"]}' "$1"
}
train_result() {
  python3 -c 'import json, sys
found = json.loads(open(sys.argv[1]).read().strip().splitlines()[-1])
print("training {train_seconds:.0f} s, adding {vectors_per_second:,.0f} vectors/s".format(**found))' "$1"
}
# In fp16 the sample has 10.7 GB, and twice that while it is made.
training() {
  bin/with-libraries "$1" random "$2" 1024 OPQ64_256,IVF131072,PQ64 l2 "$OMP_NUM_THREADS" "$work/training" "${@:3}"
}

if [ -z "$quick" ]; then
  for entries in 10000000 100000000 fit; do
    check "scan of $entries codes" scan_result bin/with-libraries scan_speed "$entries"
  done
  check "make a model of WMT19's size" said python3 tests/benchmarks/make_random_model.py "$work/wmt19" --wmt19
  check "encode, model of WMT19's size, bf16" encode_result bin/with-libraries encode_speed-cuda \
    "$work/wmt19" models/demo-de-en/test.tsv bf16 5 --device cuda --max-tokens 16000
  check "encode, model of WMT19's size, CPU, fp32" last_line bin/with-libraries encode_speed \
    "$work/wmt19" models/demo-de-en/test.tsv fp32 1
  for lists in 4096 131072; do
    check "assign 1,048,576 x 256 to $lists lists" all_lines bin/with-libraries assign_speed-cuda random 1048576 256 \
      "$lists" "$OMP_NUM_THREADS" cuda
  done
  check "train on 5,242,880 x 1024 and add them" train_result training train_speed-cuda 5242880 device=cuda
  check "train on 262,144 x 1024 and add them, CPU" train_result training train_speed 262144
  check "20 million entries on a GPU" large_result run_large
fi

printf '\n'
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | sed 's/^/GPU: /'
cat "$work/table.md"
[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
