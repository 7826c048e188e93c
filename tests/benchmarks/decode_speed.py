#!/usr/bin/env python3
"""Compare the speed of decodings: tokens a second, in turns, on one machine.

    decode_speed.py --config configs/demo.yaml [--rounds 3] [--ranks 2] [--program build/bin/knnseq] \\
        NAME=KEY:VALUE[,KEY:VALUE…] …

Each system is an item of `decode` of the config, whose run directory is finished, with other settings of
`knn:`, or of other sections if their names come first, another number of ranks or threads, or another program.
For example

    base=item:test-base  node=item:test-knn,copies:node  job=item:test-knn,copies:job
    one=item:test-knn,ranks:1,threads:2  int8=item:test-base,beam_search.dtype:int8

Every round runs all systems once, one after the other. Prints the median of each, its share of the first
system's speed, and what a token costs more than with the first, in microseconds of a rank. Speeds are those
that the stage records: without reading model and index.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
       "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
       "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--program", default=ROOT / "build" / "bin" / "knnseq", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("systems", nargs="+", metavar="NAME=KEY:VALUE,…")
    return parser.parse_args()


def read_system(text, ranks, program):
    name, _, settings = text.partition("=")
    pairs = dict(setting.split(":", 1) for setting in settings.split(","))
    return {"name": name, "item": pairs.pop("item"), "ranks": int(pairs.pop("ranks", ranks)),
            "threads": pairs.pop("threads", "1"), "program": pairs.pop("program", program), "settings": pairs}


def tokens_per_second(config, run_dir, system):
    command = ["mpirun", "-np", str(system["ranks"]), system["program"], "decode", system["item"], "--config", config,
               "--force", "--set", f"threads={system['threads']}"]
    for key, value in system["settings"].items():
        command += ["--set", f"{key if '.' in key else 'knn.' + key}={value}"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env={**MPI, **os.environ},
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    record = json.loads((run_dir / "records" / f"decode-{system['item']}.json").read_text(encoding="utf-8"))
    return record["items"] / record["work_seconds_max"]


def main():
    args = parse_args()
    run_dir = next(Path(line.split(":", 1)[1].strip()) for line in
                   args.config.read_text(encoding="utf-8").splitlines() if line.startswith("run_dir:"))
    systems = [read_system(text, args.ranks, args.program) for text in args.systems]
    speeds = {system["name"]: [] for system in systems}
    for _ in range(args.rounds):
        for system in systems:
            speeds[system["name"]].append(tokens_per_second(args.config, run_dir, system))
    first = systems[0]
    base = statistics.median(speeds[first["name"]])
    print("| system | ranks × threads | tokens/s | of the first's | µs a token more |\n|---|---|---|---|---|")
    for system in systems:
        speed = statistics.median(speeds[system["name"]])
        more = 1e6 * (system["ranks"] / speed - first["ranks"] / base)
        print(f"| {system['name']} | {system['ranks']} × {system['threads']} | {speed:,.0f} "
              f"({min(speeds[system['name']]):,.0f}–{max(speeds[system['name']]):,.0f}) | {speed / base:.2f} "
              f"| {more:,.0f} |")


if __name__ == "__main__":
    main()
