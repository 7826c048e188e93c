#!/usr/bin/env python3
"""Compare policies of kNN decoding: BLEU, chrF and tokens a second on test sets of several domains.

    policy_table.py --run runs/demo [--ranks 2] [--program build/bin/knnseq] NAME=SOURCE,REFERENCE …

Takes what `knnseq tune` has found in a finished run directory: the best fixed setting, the other policies,
and the recommended gate, in the whole datastore (tune/) and, where it was tuned too, in subsets (tune-subset/).
Translates every test set with the model alone and with each, and prints a Markdown table. The translations
are items of `decode` in the run directory, named policy-…, and are not made again.

For the demo's out-of-domain text:
    head -n 1000 models/demo-de-en/test.tsv | cut -f 1 > tatoeba.de
    head -n 1000 models/demo-de-en/test.tsv | cut -f 2 > tatoeba.en
"""
import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from decode_speed import MPI, ROOT


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, type=Path)
    parser.add_argument("--program", default=ROOT / "build" / "bin" / "knnseq", type=Path)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("sets", nargs="+", metavar="NAME=SOURCE,REFERENCE")
    return parser.parse_args()


def systems_of(folder):
    """{name: the keys of an item of decode} of what tune has found."""
    tuned = json.loads((folder / "tune.json").read_text(encoding="utf-8"))
    breadth = tuned["grid"]["breadth"]
    mode = {"mode": "plain"} if breadth == "nprobe" else {"mode": "subset"}
    candidates = [c for c in tuned["translated"]
                  if c["name"] != "base" and not c.get("other_width") and "share" not in c]
    fixed = max((c for c in candidates if c["policy"] == "fixed"), key=lambda c: c["bleu"])
    shown = [fixed] + [c for c in candidates if c["policy"] != "fixed"]
    if "share" in tuned["recommended"]:
        shown.append(tuned["recommended"])
    systems = {}
    for candidate in shown:
        policy = candidate["policy"]
        keys = {**mode, "policy": policy, "k": candidate["k"]}
        if breadth == "nprobe":
            keys["nprobe"] = candidate[breadth]
        keys.update({key: candidate[key] for key in ("temperature", "lambda", "tau") if key in candidate})
        if policy in ("meta_k", "robust"):
            keys["network"] = str(folder / "policies" / f"{policy}.safetensors")
        name = policy
        if "share" in candidate:
            keys.update(gate=str(folder / "gate" / "gate.safetensors"), skip=candidate["skip"])
            name += f", skip {candidate['skip']:.3g}"
        systems[f"{name} ({mode['mode']})"] = keys
    return systems


def translate(args, config, name):
    command = ["mpirun", "-np", str(args.ranks), args.program, "decode", name, "--config", config]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**MPI, **os.environ})
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)


def main():
    args = parse_args()
    systems = {"base": {"knn": False, "length_penalty": 1.0}}
    for folder in (args.run / "tune", args.run / "tune-subset"):
        if (folder / "tune.json").exists():
            systems.update(systems_of(folder))
    sets = dict(text.split("=", 1) for text in args.sets)
    items = []
    for test, files in sets.items():
        source, reference = files.split(",")
        for system, keys in systems.items():
            name = "policy-" + re.sub("[^a-z0-9_.]+", "-", f"{test}-{system}".lower()).strip("-")
            items.append({"name": name, "source": source, "reference": reference, **keys})
    # The resolved config of the run, with these items; JSON is YAML.
    text = (args.run / "config.yaml").read_text(encoding="utf-8")
    text = re.sub(r"(?ms)^(decode|evaluate|inspect|knn|tune):.*?(?=^\S|\Z)", "", text)
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "config.yaml"
        config.write_text(text + f"decode: {json.dumps(items)}\nevaluate: {{resamples: 0}}\n", encoding="utf-8")
        for number, item in enumerate(items, 1):
            print(f"{number} of {len(items)}: {item['name']}", file=sys.stderr)
            translate(args, config, item["name"])
        command = [args.program, "evaluate", "--config", config]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(args.run / "evaluate" / "scores.csv", encoding="utf-8") as file:
        scores = {row["name"]: row for row in csv.DictReader(file)}
    print("| policy | " + " | ".join(f"{test}: BLEU | chrF | tokens/s | skipped" for test in sets) + " |")
    print("|---|" + "--:|" * 4 * len(sets))
    for at, system in enumerate(systems):
        cells = [system]
        for test in range(len(sets)):
            name = items[test * len(systems) + at]["name"]
            record = json.loads((args.run / "records" / f"decode-{name}.json").read_text(encoding="utf-8"))
            details = record.get("details")
            skipped = f"{1 - details['searched'] / details['queries']:.1%}" if details else ""
            cells += [f"{float(scores[name]['bleu']):.2f}", f"{float(scores[name]['chrf']):.2f}",
                      f"{record['items'] / record['work_seconds_max']:.0f}", skipped]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
