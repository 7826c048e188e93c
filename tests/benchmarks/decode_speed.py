#!/usr/bin/env python3
"""Compare the speed of decodings: tokens a second, in turns, on one machine.

    decode_speed.py --config configs/demo.yaml [--rounds 3] [--ranks 2] [--program build/bin/knnseq] \\
        NAME=KEY:VALUE[,KEY:VALUE…] …

Each system is an item of `decode` of the config, whose run directory is finished, with other settings of
`knn:`, or of other sections if their names come first, another number of ranks or threads, or another program.
For example

    base=item:test-base  node=item:test-knn,copies:node  job=item:test-knn,copies:job
    one=item:test-knn,ranks:1,threads:2  int8=item:test-base,beam_search.dtype:int8

A system `NAME=ctranslate2:DTYPE,item:ITEM[,workers:N]` is CTranslate2 over the item's text, with the item's length
penalty: see ctranslate2_speed.py, and --peer.

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

import yaml

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
    parser.add_argument("--peer", nargs=2, type=Path, metavar=("PYTHON", "CONVERTED"),
                        help="a Python that has ctranslate2, and the model that its converter made")
    parser.add_argument("systems", nargs="+", metavar="NAME=KEY:VALUE,…")
    return parser.parse_args()


def read_system(text, ranks, program):
    name, _, settings = text.partition("=")
    pairs = dict(setting.split(":", 1) for setting in settings.split(","))
    if "ctranslate2" in pairs:
        return {"name": name, "item": pairs["item"], "dtype": pairs["ctranslate2"], "threads": 1,
                "ranks": int(pairs.get("workers", ranks))}
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


def peer_tokens_per_second(config, peer, system):
    """The same of CTranslate2."""
    if not peer:
        sys.exit("decode_speed.py: systems of CTranslate2 need --peer PYTHON CONVERTED")
    item = next(item for item in config["decode"] if item["name"] == system["item"])
    penalty = item.get("length_penalty", config.get("beam_search", {}).get("length_penalty", 1.0))
    command = [peer[0], Path(__file__).with_name("ctranslate2_speed.py"), "--model", peer[1],
               "--tokenizer", config["model"], "--source", item["source"], "--dtype", system["dtype"],
               "--workers", system["ranks"], "--length-penalty", penalty]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return float(done.stdout.split()[0])


def main():
    args = parse_args()
    config = yaml.safe_load(args.config.read_text(encoding="utf-8"))
    run_dir = Path(config["run_dir"])
    systems = [read_system(text, args.ranks, args.program) for text in args.systems]
    speeds = {system["name"]: [] for system in systems}
    for _ in range(args.rounds):
        for system in systems:
            speeds[system["name"]].append(peer_tokens_per_second(config, args.peer, system) if "dtype" in system
                                          else tokens_per_second(args.config, run_dir, system))
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
