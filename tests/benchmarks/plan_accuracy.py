#!/usr/bin/env python3
"""Compares what `knnseq plan` says with what runs of other sizes and shapes take.

usage: plan_accuracy.py [--rates RUN_OR_FILE] [--keep]

Rates are measured first, with the demo's config; plans and runs are of other parts of its corpus under other index
types, shards and ranks. Prints for each stage planned and real bytes, memory and time. Run it on a quiet machine;
it takes minutes.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("KNNSEQ_PROGRAM", str(ROOT / "build/bin/knnseq"))
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
FOLDERS = {"partition": "corpus", "encode": "datastore", "train": "codebook", "add": "index"}
# name, pairs of the demo's corpus, ranks, settings
SHAPES = [
    ("half the text, the same index", 16000, 2, []),
    ("many lists and shards", 12000, 2, ["shards=16", "index.factory=OPQ64_128,IVF4096,PQ64"]),
    ("a graph over vectors, 1 rank", 4000, 1, ["shards=4", "index.factory=HNSW16"]),
    ("no stored keys, other lists, 1 rank", 6000, 1, ["datastore.store=none", "index.factory=IVF256,PQ32"]),
]


def as_bytes(text):
    value, unit = text.split()
    return float(value) * UNITS[unit] if unit in UNITS else float(value)


def as_seconds(text):
    units = {"h": 3600, "min": 60, "s": 1}
    words = text.split()
    return sum(float(value) * units[unit] for value, unit in zip(words[::2], words[1::2]))


def table_of(printed):
    rows = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in printed.splitlines()
            if line.startswith("| ")]
    return {row[0]: dict(zip(rows[0][1:], row[1:])) for row in rows[1:]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", help="instead of measuring them")
    parser.add_argument("--keep", action="store_true", help="keep the runs")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="knnseq-plan-"))

    def call(ranks, *words):
        done = subprocess.run(["mpirun", "-np", str(ranks), PROGRAM, *words], cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
        return done.stdout

    rates = options.rates or str(folder / "rates.json")
    if not options.rates:
        call(2, "plan", "--config", str(ROOT / "configs/demo.yaml"), "--measure", rates, "--set", "plan.lines=8000",
             "--set", "decode=[]")
    print("| run | stage | written: planned / real | memory a rank: planned / real | time: planned / real |")
    print("|---|---|---|---|---|")
    for name, pairs, ranks, settings in SHAPES:
        for side in ("de", "en"):
            lines = (ROOT / f"data/libreoffice/datastore.{side}").read_text(encoding="utf-8").splitlines(True)
            (folder / f"corpus.{side}").write_text("".join(lines[:pairs]), encoding="utf-8")
        run = folder / name.replace(" ", "-").replace(",", "")
        command = ["--config", str(ROOT / "configs/demo.yaml"), "--set", f"run_dir={run}",
                   "--set", f"corpus.source={folder}/corpus.de", "--set", f"corpus.target={folder}/corpus.en",
                   "--set", "decode=[]"]
        for setting in settings:
            command += ["--set", setting]
        plan = table_of(call(ranks, "plan", *command, "--rates", rates))
        call(ranks, "run", *command)
        for stage, made in FOLDERS.items():
            record = json.loads((run / f"records/{stage}.json").read_text(encoding="utf-8"))
            written = sum(path.stat().st_size for path in (run / made).iterdir())
            real = {"written": written, "memory a rank": record["peak_memory_max_bytes"],
                    "time": record["work_seconds_max"]}
            cells = []
            for column, convert in (("written", as_bytes), ("memory a rank", as_bytes), ("time", as_seconds)):
                planned = convert(plan[stage][column])
                shown = (f"{planned:.0f} / {real[column]:.1f} s" if column == "time"
                         else f"{planned / 2**20:.1f} / {real[column] / 2**20:.1f} MiB")
                cells.append(f"{shown} ({100 * (planned / real[column] - 1):+.0f} %)")
            print(f"| {name} | {stage} | {' | '.join(cells)} |", flush=True)
    if options.keep:
        print(f"runs: {folder}")
    else:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
