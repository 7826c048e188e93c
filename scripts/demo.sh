#!/usr/bin/env bash
# Shows everything: installs, builds, makes the LibreOffice help corpus, runs the whole pipeline with
# mpirun and ends with translations and BLEU without and with kNN.
#   scripts/demo.sh [--small] [--tune] [--ranks P]
# --small: a sixth of the corpus, about a minute; --tune: finds the settings of kNN anew, in the end
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

config=configs/demo.yaml
corpus=(--out data/libreoffice)
ranks=2
tune=false
while [ $# -gt 0 ]; do
  case $1 in
    --small) config=configs/demo-small.yaml
             corpus=(--out data/libreoffice-small --max-pairs 6000) ;;
    --tune) tune=true ;;
    --ranks) ranks=${2:?--ranks needs a number}; shift ;;
    *) echo "usage: scripts/demo.sh [--small] [--tune] [--ranks P]" >&2; exit 2 ;;
  esac
  shift
done
cd "$top"

began=$SECONDS
scripts/install_deps.sh
installed=$SECONDS
step "build" build_knnseq -DKNNSEQ_TESTS=OFF
built=$SECONDS
step "corpus: LibreOffice help, German and English" python3 scripts/make_libreoffice_corpus.py "${corpus[@]}"

run() { mpirun -np "$ranks" "$build/bin/knnseq" "$@" --config "$config"; }
run run
run inspect
if $tune; then run tune; fi
dir=$(sed -n 's/^run_dir: *//p' "$config")
printf '\nSee why: %s serve --run %s, and open http://127.0.0.1:8080/\n' "${build#"$top"/}/bin/knnseq" "$dir"
printf '\ninstall %d s, build %d s, run %d s (%d ranks). Everything is in %s; docs: README.md\n' \
  $((installed - began)) $((built - installed)) $((SECONDS - built)) "$ranks" \
  "$dir"
